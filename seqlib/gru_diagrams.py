"""One step of the two GRUs; their drawings are found in `seqlib.diagrams` too.

Names are those of the formulas in `seqlib.scratch.gru` and `seqlib.scratch.gru_reset_before`;
a_r, a_z and a_n are what enters the sigmoids and the tanh.
"""

import itertools

from seqlib.drawing import (
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
    sign,
    text,
    vector,
)

# Heights of the state, of 1 - z_t, of h_{t-1} for the products, of r_t and n_t, of x_t.
H, REST, BUS, ROW, X = 5.6, 4.55, 3.75, 1.5, -1.2
ABOVE, BELOW = 2.75, 0.25  # the products with h_{t-1} and those with x_t
LEFT, TAP, SUM, FORK, RESET, PRODUCT = 0, 1.15, 2.2, 3.7, 4.9, 6.1  # the columns
BETWEEN, PLUS, TANH, MIX, RIGHT, EDGE = 7.2, 8.4, 9.6, 10.8, 12.1, 14
WIDE, TALL, HALF = 0.82, 0.52, 0.45  # halves of the boxes: two weights or more, and one function


def gru_cell(ax):
    """The GRU of torch.nn.GRU, where r_t multiplies a product; the state runs along the top.

    A box with a bias in it adds the bias. Returns ax. Wants about (6.4, 3.6) inches.
    """
    return _cell(ax, before=False)


def gru_reset_before_cell(ax):
    """The GRU whose r_t multiplies h_{t-1} before the product; else as `gru_cell`.

    Returns ax. Wants about (6.4, 3.6) inches.
    """
    return _cell(ax, before=True)


def _cell(ax, before):
    canvas(ax, (-0.55, 14.15), (-1.7, 6.3))
    frame(ax, (0.7, -0.6), 10.75, 6.75)
    text(ax, (EDGE, H - 0.38), "step $t+1$", QUIET, 0.28, ha="right")
    text(ax, (RIGHT, H - 1.55), "output", QUIET, 0.28)
    _wires(ax, before)
    _operations(ax, before)
    vector(ax, (LEFT, H), "h", "h_{t-1}", size=0.34)
    vector(ax, (LEFT, X), "x", "x_t")
    vector(ax, (RIGHT, H), "h", "h_t")
    return ax


def _wires(ax, before):
    stops = (LEFT, RADIUS), (FORK, SIGN), (MIX, SIGN), (RIGHT, RADIUS), (EDGE, 0)
    for (x, gap), (x_next, gap_next) in itertools.pairwise(stops):
        arrow(ax, (x, H), (x_next, H), gaps=(gap, gap_next), color=INK, width=3)  # the conveyor
    arrow(ax, (RIGHT, H), (RIGHT, H - 1.3), gaps=(RADIUS, 0))

    # h_{t-1} and x_t on their ways to the products, and from there to the sums
    end, gap = ((PRODUCT, ROW), SIGN) if before else ((PRODUCT, ABOVE), HEIGHT)
    arrow(ax, (TAP, H), end, gaps=(0, gap), via=[(TAP, BUS), (PRODUCT, BUS)])
    arrow(ax, (SUM, BUS), (SUM, ABOVE), gaps=(0, TALL))
    arrow(ax, (SUM, ABOVE), (SUM, ROW), gaps=(TALL, SIGN))
    arrow(ax, (LEFT, X), (PLUS, BELOW), gaps=(RADIUS, HEIGHT), via=[(PLUS, X)])
    arrow(ax, (SUM, X), (SUM, BELOW), gaps=(0, TALL))
    arrow(ax, (SUM, BELOW), (SUM, ROW), gaps=(TALL, SIGN))
    arrow(ax, (PLUS, BELOW), (PLUS, ROW), gaps=(HEIGHT, SIGN))
    if not before:
        arrow(ax, (PRODUCT, ABOVE), (PRODUCT, ROW), gaps=(HEIGHT, SIGN))

    # along the row: r_t to n_t
    below = {"beside": (0, -0.35), "size": 0.32}
    arrow(ax, (SUM, ROW), (RESET, ROW), gaps=(SIGN, HALF))
    text(ax, (FORK + 0.3, ROW - 0.35), "$a_r$", size=0.32)
    arrow(ax, (RESET, ROW), (PRODUCT, ROW), gaps=(HALF, SIGN), name="r_t", **below)
    if before:
        arrow(ax, (PRODUCT, ROW), (BETWEEN, ROW), gaps=(SIGN, 0.5))
        arrow(ax, (BETWEEN, ROW), (PLUS, ROW), gaps=(0.5, SIGN))
    else:
        arrow(ax, (PRODUCT, ROW), (PLUS, ROW), gaps=(SIGN, SIGN))
    arrow(ax, (PLUS, ROW), (TANH, ROW), gaps=(SIGN, HALF), name="a_n", **below)
    arrow(ax, (TANH, ROW), (MIX, REST), gaps=(HALF, SIGN), via=[(MIX, ROW)])
    text(ax, (MIX + 0.35, ROW + 0.5), "$n_t$", size=0.34)

    # z_t crosses the way of h_{t-1}
    arrow(ax, (FORK, ROW), (FORK, ABOVE), gaps=(0, HEIGHT))
    text(ax, (FORK + 0.32, ROW + 0.4), "$a_z$", size=0.32)
    arrow(
        ax, (FORK, BUS - 0.2), (FORK, BUS + 0.2), gaps=(0, 0), color="#F7F7F7", width=7, head=False
    )
    arrow(ax, (FORK, ABOVE), (FORK, H), gaps=(HEIGHT, SIGN))
    text(ax, (FORK + 0.28, BUS - 0.36), "$z_t$", size=0.34)
    arrow(ax, (FORK, REST), (BETWEEN, REST), gaps=(0, HALF))
    arrow(ax, (BETWEEN, REST), (MIX, REST), gaps=(HALF, SIGN))
    text(ax, ((BETWEEN + MIX) / 2, REST - 0.35), "$1 - z_t$", size=0.32)
    arrow(ax, (MIX, REST), (MIX, H), gaps=(SIGN, SIGN))
    for place in (TAP, H), (SUM, BUS), (SUM, X), (FORK, ROW), (FORK, REST):
        dot(ax, place)


def _operations(ax, before):
    recurrent, inputs = WEIGHTS["W_{hh}"], WEIGHTS["W_{xh}"]
    if before:
        words = "$W_{hr}$\n$W_{hz}$", "$W_{xr}, b_r$\n$W_{xz}, b_z$", "$W_{xn}, b_n$"
        box(ax, (BETWEEN, ROW), 0.5, "$W_{hn}$", recurrent, size=0.3)
    else:
        words = tuple(f"$W_{{{k}r}}, b_{{{k}r}}$\n$W_{{{k}z}}, b_{{{k}z}}$" for k in "hx")
        words += ("$W_{xn}, b_{xn}$",)
        box(ax, (PRODUCT, ABOVE), WIDE, "$W_{hn}, b_{hn}$", recurrent, size=0.28)
    box(ax, (SUM, ABOVE), WIDE, words[0], recurrent, TALL, 0.28)
    box(ax, (SUM, BELOW), WIDE, words[1], inputs, TALL, 0.28)
    box(ax, (PLUS, BELOW), WIDE, words[2], inputs, size=0.28)
    box(ax, (FORK, ABOVE), HALF, r"$\sigma$")
    box(ax, (RESET, ROW), HALF, r"$\sigma$")
    box(ax, (TANH, ROW), HALF, "tanh", size=0.32)
    box(ax, (BETWEEN, REST), HALF, "$1 -$", size=0.32, height=0.3)
    for place in (FORK, H), (MIX, REST), (PRODUCT, ROW):
        sign(ax, place, r"$\odot$")
    for place in (MIX, H), (SUM, ROW), (PLUS, ROW):
        sign(ax, place, "+")
