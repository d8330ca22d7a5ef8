"""Self-attention as matrices, several heads, and ways through a layer: in `seqlib.diagrams` too."""

from itertools import pairwise

from seqlib import optional
from seqlib.drawing import FAINT, FILL, INK, QUIET, arrow, box, canvas, dot, text, vector

with optional.imports():
    from matplotlib.patches import Circle, FancyBboxPatch

QUERY, KEY, VALUE = "#2A34B8", "#8A2A19", "#007A3D"  # colors of the three projections
LAST = 6  # positions of `path_lengths`


def self_attention(ax):
    """One head of self-attention as matrices with their shapes: from X to Y.

    Returns ax. Wants about (6.4, 3.6) inches.
    """
    canvas(ax, (-1.1, 15.0), (-2.0, 6.6))
    tall, square = 1.0, 1.0  # half heights
    x, scores, weights, y = (0, 2.4), (7.1, 4.1), (11.0, 4.1), (14.1, 1.3)
    places = {"Q": (3.6, 5.1), "K": (3.6, 2.4), "V": (3.6, -0.3)}
    for (name, place), color in zip(places.items(), (QUERY, KEY, VALUE), strict=True):
        slant = 1 if name == "K" else 1.25  # so that all leave the same gap before and behind
        arrow(ax, x, place, gaps=(0.8 * slant + 0.1, 0.55 * slant + 0.12), color=color, width=1.8)
        middle = (x[0] + place[0]) / 2 - 0.15, (x[1] + place[1]) / 2
        beside = {"Q": 0.55, "K": 0.35, "V": -0.5}[name]
        text(ax, (middle[0], middle[1] + beside), f"$W_{name.lower()}$", color, 0.38)
        _matrix(ax, place, 0.55, tall, f"${name}$", "$T, K$", "h")
    arrow(ax, places["Q"], scores, gaps=(0.7, 1.15))
    arrow(ax, places["K"], scores, gaps=(0.7, 1.25))
    arrow(ax, scores, weights, gaps=(1.1, 1.1))
    text(ax, ((scores[0] + weights[0]) / 2, 4.5), "softmax", QUIET, 0.3)
    text(ax, ((scores[0] + weights[0]) / 2, 3.65), "of rows", QUIET, 0.3)
    arrow(ax, weights, y, gaps=(1.5, 1.3))
    arrow(ax, places["V"], y, gaps=(0.7, 0.75))
    _matrix(ax, x, 0.8, tall, "$X$", "$T, D$", "x")
    _matrix(ax, scores, square, square, "$e$", "$T, T$", "b")
    _matrix(ax, weights, square, square, r"$\alpha$", "$T, T$", "b")
    _matrix(ax, y, 0.55, tall, "$Y$", "$T, K$", "y")
    text(ax, (scores[0], 5.5), r"$QK^\top / \sqrt{K}$", INK, 0.38)
    text(ax, (9.6, 0.05), r"$Y = \alpha V$", INK, 0.38)
    return ax


def multihead(ax):
    """Several heads side by side, each with its own projections; then one matrix mixes them.

    Returns ax. Wants about (6.4, 3.8) inches.
    """
    heads = {0.0: "1", 3.6: "2", 8.2: "N"}
    canvas(ax, (-1.9, 12.6), (-2.15, 6.35))
    low, high, middle = -1.5, 4.1, 4.1
    for x, n in heads.items():
        arrow(ax, (middle, low), (x, 0), gaps=(0, 0.4), via=[(middle, -0.85), (x, -0.85)])
        arrow(ax, (x, 0), (x, 1.9), gaps=(0.4, 0.4))
        arrow(ax, (x, 1.9), (x, high), gaps=(0.4, 0.42))
        box(ax, (x, 0), 1.55, f"$W_q^{n},\\ W_k^{n},\\ W_v^{n}$", QUERY, height=0.4, size=0.32)
        box(ax, (x, 1.9), 1.25, f"attention {n}", height=0.4, size=0.32)
        text(ax, (x + 0.45, 3.0), f"$y^{n}$", size=0.36)
    dot(ax, (middle, -0.85))
    arrow(ax, (middle, high), (middle, 5.95), gaps=(0.42, 0))
    for y in (0, 1.9):
        text(ax, (5.9, y), "...", QUIET, 0.5)
    box(ax, (middle, high), 5.65, "side by side, then $W_o$", VALUE, height=0.42, size=0.34)
    vector(ax, (middle, low), "x", "X", radius=0.42)
    text(ax, (middle + 0.75, 5.65), "$Y$", size=0.36)
    shapes = ((low, "$B, T, D$"), (0, "$B, N, T, K$"), (1.9, "weights"), (1.45, "$B, N, T, T$"))
    for y, words in (*shapes, (5.65, "$B, T, D$")):
        text(ax, (10.05, y), words, QUIET, 0.3, ha="left")
    return ax


def path_lengths(ax):
    """How many steps lead from the first of six positions to the last, in three kinds of layer.

    Returns ax. Wants about (6.4, 4.4) inches.
    """
    gap, radius = 1.45, 0.26
    canvas(ax, (-0.5, 12.2), (-0.4, 8.7))
    across = [gap * t for t in range(LAST)]
    recurrent, wide, whole = 7.1, 2.75, 0
    up = {recurrent: 1.05, wide: 1.05, whole: 1.55}
    for rows, layers, words in (
        (recurrent, 1, ("recurrence", "$T - 1$ steps, one layer")),
        (wide, 3, ("convolution, width 3", "about $(T - 1) / 2$ layers")),
        (whole, 1, ("attention", "1 layer")),
    ):
        for row in range(layers + 1):
            for t, x in enumerate(across):
                color = FILL["x" if row == 0 else "h"]
                place = x, rows + up[rows] * row
                ax.add_patch(Circle(place, radius, facecolor=color, edgecolor=INK, zorder=3))
                if row:
                    low = rows + up[rows] * (row - 1)
                    _into(ax, across, low, low + up[rows], t, words[0])
        for i, line in enumerate(words):
            color, size = ((INK, 0.34), (QUIET, 0.29))[i]
            text(
                ax,
                (8.15, rows + up[rows] * layers / 2 + 0.25 - 0.5 * i),
                line,
                color,
                size,
                ha="left",
            )
    path = {"width": 2.6, "color": QUERY, "gaps": (radius, radius)}
    arrow(ax, (across[0], recurrent), (across[0], recurrent + 1.05), **path)
    for a, b in pairwise(across):
        arrow(ax, (a, recurrent + 1.05), (b, recurrent + 1.05), **path)
    for row, (a, b) in enumerate(((0, 1), (1, 3), (3, 5))):
        start, end = (across[a], wide + 1.05 * row), (across[b], wide + 1.05 * (row + 1))
        arrow(ax, start, end, **path)
    arrow(ax, (across[0], whole), (across[-1], whole + up[whole]), **path)
    return ax


def _into(ax, across, low, high, t, kind):
    """The pale arrows into one position of a layer."""
    look = {"color": FAINT, "width": 0.7, "head": False, "gaps": (0.26, 0.26)}
    here = across[t], high
    if kind == "recurrence":
        arrow(ax, (across[t], low), here, **look)
        if t:
            arrow(ax, (across[t - 1], high), here, **look)
    else:
        reach = LAST if kind == "attention" else 2
        for s in range(max(t - reach, 0), t + 1):
            arrow(ax, (across[s], low), here, **look)


def _matrix(ax, place, half, height, name, shape, kind):
    """A matrix as a filled box, its shape below."""
    corner = place[0] - half, place[1] - height
    ax.add_patch(FancyBboxPatch(corner, 2 * half, 2 * height, zorder=3, facecolor=FILL[kind],
                                edgecolor=INK, lw=1.2,
                                boxstyle="round,pad=0,rounding_size=0.08"))  # fmt: skip
    text(ax, place, name, INK, 0.42)
    text(ax, (place[0], place[1] - height - 0.33), shape, QUIET, 0.28)
