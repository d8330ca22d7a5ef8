"""One query's attention, and the two places where a decoder asks: found in `seqlib.diagrams` too.

Names are those of the formulas in `seqlib.scratch.pooling`, `bahdanau` and `luong`.
"""

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

QUERY, VALUE = WEIGHTS["W_{hh}"], WEIGHTS["W_{hy}"]
COLUMNS, RIGHT = (0.4, 2.7, 5.0, 7.3), 10.2
H, BUS, SCORE, SOFTMAX, PRODUCT, SUM = 0, 0.95, 1.75, 3.1, 4.55, 5.65  # heights
# The two decoders: heights of the word, the cell, attention and the read-out
WORD, CELL, ASK, READ = 0, 1.7, 3.6, 5.3


def attention_step(ax):
    """One query attends to four positions: scores, weights, and the average of the values.

    Returns ax. Wants about (6.4, 3.9) inches.
    """
    canvas(ax, (-1.1, 11.2), (-0.6, 6.2))
    arrow(ax, (RIGHT, SCORE), (COLUMNS[0] + 0.4, BUS), color=QUERY, width=1.8, head=False,
          via=[(RIGHT, BUS)], gaps=(RADIUS, 0))  # fmt: skip
    for s, x in enumerate(COLUMNS, 1):
        arrow(ax, (x, H), (x, SCORE), gaps=(RADIUS, HEIGHT))
        if s > 1:
            dot(ax, (x + 0.4, BUS), QUERY)
        arrow(ax, (x + 0.4, BUS), (x + 0.4, SCORE), color=QUERY, gaps=(0, HEIGHT), width=1.8)
        arrow(ax, (x, SCORE), (x, SOFTMAX), gaps=(HEIGHT, HEIGHT))
        text(ax, (x + 0.45, (SCORE + SOFTMAX) / 2), f"$e_{{t{s}}}$", size=0.34)
        arrow(ax, (x, SOFTMAX), (x, PRODUCT), gaps=(HEIGHT, SIGN))
        text(ax, (x + 0.5, SOFTMAX + 0.75), rf"$\alpha_{{t{s}}}$", size=0.36)
        side = x - 0.85
        arrow(ax, (x, H), (x, PRODUCT), color=VALUE, width=1.8, gaps=(RADIUS, SIGN),
              via=[(side, H), (side, PRODUCT)])  # fmt: skip
        arrow(ax, (x, PRODUCT), (x, SUM), gaps=(SIGN, 0), head=False)
        dot(ax, (x, SUM))
    arrow(ax, (COLUMNS[0], SUM), (RIGHT - 1.3, SUM), gaps=(0, SIGN))
    arrow(ax, (RIGHT - 1.3, SUM), (RIGHT, SUM), gaps=(SIGN, RADIUS))
    for s, x in enumerate(COLUMNS, 1):
        vector(ax, (x, H), "h", f"h_{s}")
        box(ax, (x + 0.15, SCORE), 0.75, "score", size=0.34)
        sign(ax, (x, PRODUCT), r"$\odot$")
    middle = (COLUMNS[0] + COLUMNS[-1]) / 2
    box(ax, (middle, SOFTMAX), middle + 0.35, "softmax: positive, sum 1", size=0.34)
    sign(ax, (RIGHT - 1.3, SUM), "+")
    vector(ax, (RIGHT, SCORE), "h", "q_t")
    vector(ax, (RIGHT, SUM), "y", "c_t")
    text(ax, (RIGHT, SCORE + 0.75), "query", QUERY, 0.32)
    text(ax, (COLUMNS[-1] + 0.65, H), "keys and values", QUIET, 0.3, ha="left")
    text(ax, (RIGHT, SUM - 0.8), "average", QUIET, 0.32)
    return ax


def attentive_decoders(ax):
    """Two decoders at step t: one asks before its recurrent step, one after it.

    Returns ax. Wants about (6.4, 3.9) inches.
    """
    canvas(ax, (-0.6, 14.6), (-0.9, 7.3))
    frame(ax, (-0.55, -0.75), 7.05, 7.15)
    frame(ax, (7.45, -0.75), 7.05, 7.15)
    for x, name in (2.95, "Bahdanau: ask, then step"), (10.95, "Luong: step, then ask"):
        text(ax, (x, 6.85), name, size=0.38)
    _bahdanau(ax, 0)
    _luong(ax, 8)
    return ax


def _bahdanau(ax, x):
    before, cell, after = (x + 0.1, CELL), (x + 3.2, CELL), (x + 5.6, CELL)
    ask, context = (x + 0.9, ASK), (x + 3.2, ASK)
    arrow(ax, (before[0], CELL), (before[0], ASK), color=QUERY, width=1.8, gaps=(RADIUS, HEIGHT))
    text(ax, (before[0] + 0.25, CELL + 0.85), "query", QUERY, 0.3, ha="left")
    arrow(ax, ask, context, gaps=(1.2, RADIUS))
    arrow(ax, context, cell, gaps=(RADIUS, HEIGHT))
    arrow(ax, context, (after[0], READ), gaps=(RADIUS, 0.85), via=[(context[0], READ)])
    _step(ax, x, before, cell, after)
    arrow(ax, after, (after[0], READ), gaps=(RADIUS, HEIGHT))
    arrow(ax, (cell[0], WORD), (after[0] + 0.65, READ), gaps=(RADIUS, HEIGHT),
          via=[(after[0] + 0.65, WORD)])  # fmt: skip
    box(ax, ask, 1.2, "attention", size=0.34)
    text(ax, (ask[0], ASK + 0.72), "$h_1 \\dots h_S$", QUIET, 0.32)
    box(ax, (after[0], READ), 0.8, "logits", size=0.34)
    vector(ax, context, "y", "c_t")


def _luong(ax, x):
    before, cell, after = (x + 0.1, CELL), (x + 2.4, CELL), (x + 4.6, CELL)
    ask, context, mix = (x + 4.6, ASK), (x + 1.9, ASK), (x + 4.6, READ)
    _step(ax, x, before, cell, after)
    arrow(ax, after, ask, color=QUERY, width=1.8, gaps=(RADIUS, HEIGHT))
    text(ax, (after[0] - 0.2, CELL + 0.95), "query", QUERY, 0.3, ha="right")
    arrow(ax, ask, context, gaps=(1.2, RADIUS))
    arrow(ax, context, (mix[0] - 0.75, READ), gaps=(RADIUS, 0), via=[(context[0], 4.45),
          (3 + x, 4.45), (3 + x, READ)])  # fmt: skip
    arrow(ax, after, mix, gaps=(RADIUS, 0.75), via=[(x + 6.1, CELL), (x + 6.1, READ)])
    arrow(ax, mix, (x + 1.2, READ), gaps=(HEIGHT, HEIGHT), via=[(mix[0], READ + 0.85),
          (x + 1.2, READ + 0.85)])  # fmt: skip
    box(ax, ask, 1.2, "attention", size=0.34)
    text(ax, (ask[0] + 0.2, ASK - 0.68), "$h_1 \\dots h_S$", QUIET, 0.32, ha="left")
    box(ax, mix, 0.75, "tanh", size=0.34)
    box(ax, (x + 1.2, READ), 0.8, "logits", size=0.34)
    vector(ax, context, "y", "c_t")


def _step(ax, x, before, cell, after):
    """The recurrent step that both have."""
    word = (cell[0], WORD)
    arrow(ax, before, cell, gaps=(RADIUS, 0.6))
    arrow(ax, word, cell, gaps=(RADIUS, HEIGHT))
    arrow(ax, cell, after, gaps=(0.6, RADIUS))
    vector(ax, before, "h", "s_{t-1}", size=0.3)
    vector(ax, after, "h", "s_t")
    vector(ax, word, "x", "y_{t-1}", size=0.3)
    box(ax, cell, 0.6, "cell", INK, size=0.34)
    text(ax, (word[0] - 0.65, WORD), "last word", QUIET, 0.3, ha="right")
