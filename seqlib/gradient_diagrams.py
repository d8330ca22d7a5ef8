"""Gradients on their way back through an unrolled network: found in `seqlib.diagrams` too."""

from seqlib import optional
from seqlib.drawing import (
    DASHES,
    FAINT,
    GRADIENT,
    RADIUS,
    arrow,
    canvas,
    gradient,
    text,
    vector,
)

with optional.imports():
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

STEPS = 8  # of the drawing of skip connections


def bptt_graph(T, back, ax, all_losses=False):
    """The gradient of the last loss, on its way back through `back` of T steps.

    all_losses  the losses of the steps that it has reached send theirs too

    Returns ax. Raises ValueError unless 1 <= T <= 8 and 0 <= back <= T.
    """
    if not 1 <= T <= 8:
        raise ValueError(f"T is {T}; the drawing has room for 1 to 8 steps")
    if not 0 <= back <= T:
        raise ValueError(f"back is {back}; it counts steps from 0 to {T}")
    gap, low, middle, high = 1.85, 0, 1.75, 3.5
    lane = 0.22  # between an arrow and the gradient beside it
    edge = (RADIUS**2 - lane**2) ** 0.5
    canvas(ax, (-0.55, gap * T + 1.05), (-0.55, 4.05))
    vector(ax, (0, middle), "h", "h_0", active=back == T)
    for t in range(1, T + 1):
        x, reached = gap * t, t >= T - back
        for start, end in (
            ((x, low), (x, middle)),
            ((x - gap, middle), (x, middle)),
            ((x, middle), (x, high)),
        ):
            arrow(ax, start, end, color=FAINT)
        if t == T or (all_losses and reached):
            name = rf"\dfrac{{\partial \mathcal{{L}}_{t}}}{{\partial h_{t}}}"
            start, end = (x + lane, high), (x + lane, middle)
            gradient(ax, start, end, name, gaps=(edge, edge), beside=(0.45, 0), size=0.32)
        if t > T - back:
            name = rf"\dfrac{{\partial h_{t}}}{{\partial h_{t - 1}}}"
            start, end = (x, middle - lane), (x - gap, middle - lane)
            gradient(ax, start, end, name, gaps=(edge, edge), beside=(0, -0.6), size=0.32)
        vector(ax, (x, low), "x", f"x_{t}")
        vector(ax, (x, middle), "h", f"h_{t}", active=t == T - back)
        vector(ax, (x, high), "loss", rf"\mathcal{{L}}_{t}", active=t == T)
    return ax


def gradient_paths(reach, ax):
    """Skip connections from h_{t-reach} to h_t, and the shortest way back from h_8 to h_0.

    Without skips, at reach 1, the way has 8 steps. Returns ax. Wants about (6.4, 2.4) inches.
    Raises ValueError unless 1 <= reach <= 8.
    """
    if not 1 <= reach <= STEPS:
        raise ValueError(f"reach is {reach}; the drawing has room for 1 to {STEPS} steps")
    gap, high = 1.5, 1.15 + 0.2 * reach
    skips, steps = divmod(STEPS, reach) if reach > 1 else (0, STEPS)
    crossed = {STEPS - reach * k for k in range(skips)}  # the skips of the way end at these
    canvas(ax, (-0.55, gap * STEPS + 0.55), (-1.3, 2.3))
    for t in range(1, STEPS + 1):
        start, end = (gap * (t - 1), 0), (gap * t, 0)
        if t <= steps:
            gradient(ax, end, start)
        else:
            arrow(ax, start, end, color=FAINT)
        if 1 < reach <= t:
            _arc(ax, gap * (t - reach), gap * t, high, back=t in crossed)
    for t in range(STEPS + 1):
        vector(ax, (gap * t, 0), "h", f"h_{t}", active=t in (0, STEPS))
    parts = [f"{n} {word}{'s' * (n > 1)}" for n, word in ((skips, "skip"), (steps, "step")) if n]
    total = skips + steps
    words = f"{' and '.join(parts)}: {total} factor{'s' * (total > 1)} from $h_{STEPS}$ to $h_0$"
    text(ax, (gap * STEPS / 2, -0.95), words)
    return ax


def _arc(ax, left, right, high, back):
    """A skip connection above the states; `back` is the gradient's way over it."""
    lean = 0.16  # what leaves and what arrives at one state touches it at two places
    foot = (RADIUS**2 - lean**2) ** 0.5
    bend = [(left + lean, foot), (left + 0.5, high), (right - 0.5, high), (right - lean, foot)]
    look = {"color": FAINT, "lw": 1.2}
    if back:
        bend, look = bend[::-1], {"color": GRADIENT, "lw": 2.2, "linestyle": DASHES}
    path = Path(bend, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    ax.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=12, zorder=2, **look))
