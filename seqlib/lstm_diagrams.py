"""One step of the LSTM, forward and backward; its drawings are found in `seqlib.diagrams` too.

Names are those of the formulas in `seqlib.scratch.lstm`.
"""

import itertools

from seqlib.drawing import (
    GRADIENT,
    HEIGHT,
    INK,
    QUIET,
    RADIUS,
    SIGN,
    WEIGHTS,
    arrow,
    box,
    canvas,
    dot,
    frame,
    gradient,
    sign,
    text,
    vector,
)

# Heights of the cell, the products, the gates, a_t, x_t; then the columns.
C, MIDDLE, GATES, BUS, X = 5.1, 3.0, 1.65, 0.6, -1.7
LEFT, SUM, RIGHT, EDGE = 0, 3, 11, 13  # h_{t-1}, the sum a_t, h_t, step t + 1
GATE = {"f": 4.3, "i": 5.7, "g": 7.1, "o": 9.1}
HALF = 0.5  # of a gate's width


def lstm_cell(ax):
    """The LSTM with a forget gate: the cell goes straight from c_{t-1} to c_t along the top.

    Returns ax. Wants about (6.4, 3.8) inches.
    """
    return _cell(ax, "figo")


def lstm1997_cell(ax):
    """The LSTM of 1997, as `lstm_cell` but without the forget gate: what it adds to c stays.

    Returns ax. Wants about (6.4, 3.8) inches.
    """
    return _cell(ax, "igo")


def lstm_backward(ax):
    """The step of `lstm_cell` backward: each product is what its arrow adds to a sum.

    db is what this step adds to the gradient of b. Returns ax. Wants about (6.4, 3.8) inches.
    """
    _ground(ax)
    gradient(ax, (EDGE, C), (GATE["o"], C), gaps=(0, RADIUS))
    gradient(ax, (EDGE, MIDDLE), (RIGHT, MIDDLE), gaps=(0, RADIUS))
    gradient(ax, (RIGHT, GATES), (RIGHT, MIDDLE), gaps=(0, RADIUS))
    gradient(ax, (RIGHT, MIDDLE), (GATE["o"], MIDDLE), gaps=(RADIUS, SIGN))
    gradient(ax, (GATE["o"], MIDDLE), (GATE["o"], C), gaps=(SIGN, RADIUS))
    gradient(ax, (GATE["o"], C), (GATE["g"], C), gaps=(RADIUS, SIGN))
    gradient(ax, (GATE["g"], C), (GATE["f"], C), gaps=(SIGN, SIGN))
    gradient(ax, (GATE["f"], C), (LEFT, C), gaps=(SIGN, RADIUS))
    gradient(ax, (GATE["g"], C), (GATE["g"], MIDDLE), gaps=(SIGN, SIGN))
    for name, x in GATE.items():
        start = (x, C) if name == "f" else (GATE["g"] if name == "i" else x, MIDDLE)
        via = [(x, MIDDLE)] if name == "i" else []
        gradient(ax, start, (x, GATES), gaps=(SIGN, HEIGHT), via=via)
        text(ax, (x + 0.42, GATES + 0.72), f"$d{name}_t$", GRADIENT, 0.32)
        gradient(ax, (x, GATES), (x, BUS), gaps=(HEIGHT, 0))
        text(ax, (x + 0.48, BUS + 0.32), f"$da_{name}$", GRADIENT, 0.32)
    gradient(ax, (GATE["o"], BUS), (SUM, BUS), gaps=(0, SIGN))
    for place, weight, end in _weights():
        gap = 0.5 if weight == "h" else HEIGHT
        gradient(ax, (SUM, BUS), place, gaps=(SIGN, gap))
        gradient(ax, place, end, gaps=(gap, RADIUS))
    gradient(ax, (SUM, BUS), (SUM, GATES), gaps=(SIGN, 0.38))
    _operations(ax, "figo", r"^\top")
    for place, words in (
        ((2.4, C - 0.42), r"$f_t \odot dc_t$"),
        ((0.43, BUS - 0.68), r"$W_h^\top da_t$"),
        ((11.6, C + 0.4), r"$f_{t+1} \odot dc_{t+1}$"),
        ((11.3, 4.38), r"$o_t \odot \mathrm{tanh}'(c_t) \odot dh_t$"),
        ((12.3, MIDDLE + 0.4), r"$W_h^\top da_{t+1}$"),
    ):
        text(ax, place, words, GRADIENT, 0.28)
    vector(ax, (LEFT, C), "c", "dc_{t-1}", size=0.28)
    vector(ax, (LEFT, BUS), "h", "dh_{t-1}", size=0.28)
    vector(ax, (SUM, X), "x", "dx_t", size=0.36)
    vector(ax, (SUM, GATES), "b", "db", radius=0.38)
    vector(ax, (GATE["o"], C), "c", "dc_t", active=True, size=0.36)
    vector(ax, (RIGHT, MIDDLE), "h", "dh_t", active=True, size=0.36)
    return ax


def _cell(ax, gates):
    """The forward pass with the gates named."""
    _ground(ax)
    along = {"width": 3, "color": INK}  # the conveyor
    stops = [(LEFT, RADIUS), (GATE["g"], SIGN), (GATE["o"], RADIUS), (EDGE, 0)]
    if "f" in gates:
        stops.insert(1, (GATE["f"], SIGN))
    for (x, gap), (x_next, gap_next) in itertools.pairwise(stops):
        arrow(ax, (x, C), (x_next, C), gaps=(gap, gap_next), **along)
    for place, weight, start in _weights():
        gap = 0.5 if weight == "h" else HEIGHT
        arrow(ax, start, place, gaps=(RADIUS, gap))
        arrow(ax, place, (SUM, BUS), gaps=(gap, SIGN))
    arrow(ax, (SUM, GATES), (SUM, BUS), gaps=(0.38, SIGN))
    arrow(ax, (SUM, BUS), (GATE["o"], GATES), gaps=(SIGN, HEIGHT), via=[(GATE["o"], BUS)])
    for name in gates:
        x = GATE[name]
        if name != "o":
            dot(ax, (x, BUS))
            arrow(ax, (x, BUS), (x, GATES), gaps=(0, HEIGHT))
        text(ax, (x + 0.38, BUS + 0.32), f"$a_{name}$", size=0.32)
        end = (x, C) if name == "f" else (GATE["g"] if name == "i" else x, MIDDLE)
        via = [(x, MIDDLE)] if name == "i" else []
        arrow(ax, (x, GATES), end, gaps=(HEIGHT, SIGN), via=via)
        text(ax, (x + 0.3, GATES + 0.65), f"${name}_t$", size=0.34)
    arrow(ax, (GATE["g"], MIDDLE), (GATE["g"], C), gaps=(SIGN, SIGN))
    arrow(ax, (GATE["o"], C), (GATE["o"], MIDDLE), gaps=(RADIUS, SIGN))
    arrow(ax, (GATE["o"], MIDDLE), (RIGHT, MIDDLE), gaps=(SIGN, RADIUS))
    arrow(ax, (RIGHT, MIDDLE), (EDGE, MIDDLE), gaps=(RADIUS, 0))
    arrow(ax, (RIGHT, MIDDLE), (RIGHT, GATES), gaps=(RADIUS, 0))
    _operations(ax, gates)
    vector(ax, (LEFT, C), "c", "c_{t-1}", size=0.34)
    vector(ax, (LEFT, BUS), "h", "h_{t-1}", size=0.34)
    vector(ax, (SUM, X), "x", "x_t")
    vector(ax, (SUM, GATES), "b", "b", radius=0.38)
    vector(ax, (GATE["o"], C), "c", "c_t")
    vector(ax, (RIGHT, MIDDLE), "h", "h_t")
    return ax


def _ground(ax):
    """What both directions stand on."""
    canvas(ax, (-0.55, 13.2), (-2.2, 5.85))
    frame(ax, (0.95, -1), 8.94, 6.75)
    for y in C, MIDDLE:
        text(ax, (EDGE, y - 0.38), "step $t+1$", QUIET, 0.28, ha="right")
    text(ax, (RIGHT, GATES - 0.25), "output", QUIET, 0.28)


def _weights():
    """Of W_h and W_x: the box, which of the two, and the vector it multiplies."""
    return ((1.6, BUS), "h", (LEFT, BUS)), ((SUM, -0.45), "x", (SUM, X))


def _operations(ax, gates, transposed=""):
    """The boxes and signs of a step."""
    for place, weight, _ in _weights():
        color = WEIGHTS["W_{hh}" if weight == "h" else "W_{xh}"]
        box(ax, place, 0.5, f"$W_{weight}{transposed}$", color)
    sign(ax, (SUM, BUS), "+")
    for name in gates:
        box(ax, (GATE[name], GATES), HALF, "tanh" if name == "g" else r"$\sigma$", size=0.34)
    if "f" in gates:
        sign(ax, (GATE["f"], C), r"$\odot$")
    sign(ax, (GATE["g"], C), "+")
    sign(ax, (GATE["g"], MIDDLE), r"$\odot$")
    sign(ax, (GATE["o"], MIDDLE), r"$\odot$")
    box(ax, (GATE["o"], 3.97), HALF, "tanh", height=0.3, size=0.34)
