"""Recurrent layers side by side and on top of each other: found in `seqlib.diagrams` too."""

from seqlib.drawing import FAINT, INK, QUIET, RADIUS, WEIGHTS, arrow, canvas, text, vector

STEPS, GAP = 4, 2.2
SECOND, THIRD = "#5F005C", "#007A3D"  # a second and a third recurrent layer's color


def bidirectional(ax):
    """Two layers over one sequence: f_t has read x_1 to x_t, b_t has read x_T to x_t.

    Returns ax. Wants about (6.4, 3.6) inches.
    """
    radius, aside, rows = 0.4, 0.55, (0, 1.6, 2.9, 4.5)
    gaps = {"gaps": (radius, radius)}
    canvas(ax, (-0.5, GAP * (STEPS + 1) + 0.5), (-0.5, 5))
    at = {t: GAP * t for t in range(STEPS + 2)}
    for t in range(1, STEPS + 1):
        low, high = (at[t], rows[0]), (at[t], rows[3])
        forward, backward = (at[t] - aside, rows[1]), (at[t] + aside, rows[2])
        for start, end in (low, forward), (low, backward), (forward, high), (backward, high):
            arrow(ax, start, end, color=FAINT, **gaps)
        before = (at[t - 1] - aside * (t > 1), rows[1])
        after = (at[t + 1] + aside * (t < STEPS), rows[2])
        arrow(ax, before, forward, color=WEIGHTS["W_{hh}"], width=1.8, **gaps)
        arrow(ax, after, backward, color=SECOND, width=1.8, **gaps)
        vector(ax, low, "x", f"x_{t}", radius=radius)
        vector(ax, forward, "h", f"f_{t}", radius=radius)
        vector(ax, backward, "h", f"b_{t}", radius=radius)
        vector(ax, high, "h", f"h_{t}", radius=radius)
    vector(ax, (at[0], rows[1]), "h", "f_0", radius=radius)
    vector(ax, (at[STEPS + 1], rows[2]), "h", f"b_{STEPS + 1}", radius=radius)
    text(ax, (-0.35, rows[3]), "$h_t = [f_t; b_t]$", INK, 0.3, ha="left")
    text(ax, (-0.35, rows[2]), "backward", SECOND, 0.3, ha="left")
    text(ax, (-0.35, rows[1] - 0.65), "forward", WEIGHTS["W_{hh}"], 0.3, ha="left")
    return ax


def stack(ax):
    """Three layers over four steps: dropout between the layers, never from step to step.

    Returns ax. Wants about (6.4, 4) inches.
    """
    layers = WEIGHTS["W_{hh}"], SECOND, THIRD
    canvas(ax, (-0.5, GAP * STEPS + 2.2), (-0.5, 1.6 * len(layers) + 1.35))
    for row, color in enumerate(layers, start=1):
        y = 1.6 * row
        for t in range(1, STEPS + 1):
            dashes = (0, (2.5, 2)) if row > 1 else "-"
            arrow(ax, (GAP * t, y - 1.6), (GAP * t, y), dashes=dashes)
            arrow(ax, (GAP * (t - 1), y), (GAP * t, y), color=color, width=1.8)
        for t in range(STEPS + 1):
            vector(ax, (GAP * t, y), "h", f"h_{t}^{row}")
        text(ax, (GAP * STEPS + 0.7, y), f"layer {row}", color, 0.32, ha="left")
        words = "dropout" if row > 1 else "no dropout"
        text(ax, (GAP * STEPS + 0.25, y - 0.8), words, QUIET, 0.3, ha="left")
    for t in range(1, STEPS + 1):
        vector(ax, (GAP * t, 0), "x", f"x_{t}")
        top = 1.6 * len(layers)
        arrow(ax, (GAP * t, top), (GAP * t, top + 1.1), gaps=(RADIUS, 0))
    text(ax, (GAP * STEPS + 0.25, top + 0.8), "output", QUIET, 0.3, ha="left")
    return ax
