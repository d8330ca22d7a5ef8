"""The architectures of the book, drawn from code: functions f(..., ax) -> ax.

One grammar: a circle is a vector (inputs gray, states blue, outputs green), a box is an operation,
an arrow carries a vector. An arrow with a weight matrix has that matrix's color, so arrows of one
color share one matrix. What is not computed yet is pale. Gradients are thick dashes. Fonts grow
with the Axes; the usual 6.4 by 3.2 inches fill the text column.

The drawings of gradients, of the gated cells, of several layers and of encoder and decoder have
modules of their own and are found here too.
"""

from seqlib import optional
from seqlib.attention_diagrams import attention_step as attention_step
from seqlib.attention_diagrams import attentive_decoders as attentive_decoders
from seqlib.drawing import (
    QUIET,
    RADIUS,
    WEIGHTS,
    arrow,
    box,
    canvas,
    frame,
    sign,
    text,
    vector,
)
from seqlib.gradient_diagrams import bptt_graph as bptt_graph
from seqlib.gradient_diagrams import gradient_paths as gradient_paths
from seqlib.gru_diagrams import gru_cell as gru_cell
from seqlib.gru_diagrams import gru_reset_before_cell as gru_reset_before_cell
from seqlib.layer_diagrams import bidirectional as bidirectional
from seqlib.layer_diagrams import stack as stack
from seqlib.lstm_diagrams import lstm1997_cell as lstm1997_cell
from seqlib.lstm_diagrams import lstm_backward as lstm_backward
from seqlib.lstm_diagrams import lstm_cell as lstm_cell
from seqlib.self_attention_diagrams import multihead as multihead
from seqlib.self_attention_diagrams import path_lengths as path_lengths
from seqlib.self_attention_diagrams import self_attention as self_attention
from seqlib.seq2seq_diagrams import cho as cho
from seqlib.seq2seq_diagrams import cho_backward as cho_backward
from seqlib.seq2seq_diagrams import encoder_decoder as encoder_decoder
from seqlib.seq2seq_diagrams import sutskever_backward as sutskever_backward
from seqlib.transformer_diagrams import residual_streams as residual_streams
from seqlib.transformer_diagrams import transformer_post_norm as transformer_post_norm
from seqlib.transformer_diagrams import transformer_pre_norm as transformer_pre_norm

with optional.imports():
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path


def feedforward_and_recurrent(ax):
    """A feed-forward network that reads three steps side by side, beside a recurrent one.

    Returns ax.
    """
    canvas(ax, (-0.9, 9.9), (-0.55, 4.75))
    beside = {1: (-0.42, 0.16), 2: (0.32, 0), 3: (0.42, 0.16)}
    for t, color in zip(beside, ("#1584B4", "#B35900", "#5F005C"), strict=True):
        place = 1.6 * (t - 1), 0
        arrow(ax, place, (1.6, 1.65), f"W_{t}", beside=beside[t], color=color)
        vector(ax, place, "x", f"x_{t}")
    arrow(ax, (6.6, 0), (6.6, 1.65), "W_{xh}", beside=(-0.55, 0))
    vector(ax, (6.6, 0), "x", "x_t")
    for x, title, step in (1.6, "feed-forward", ""), (6.6, "recurrent", "_t"):
        arrow(ax, (x, 1.65), (x, 3.3), "W_{hy}", beside=(-0.55, 0))
        vector(ax, (x, 1.65), "h", "h" + step)
        vector(ax, (x, 3.3), "y", r"\hat{y}" + step)
        text(ax, (x, 4.4), title)
    x, y = 6.6 + 0.9 * RADIUS, 1.65  # the loop leaves h_t above and comes back below
    bend = [(x, y + 0.25), (x + 1.3, y + 1.1), (x + 1.3, y - 1.1), (x, y - 0.25)]
    loop = Path(bend, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    color = WEIGHTS["W_{hh}"]
    ax.add_patch(
        FancyArrowPatch(path=loop, arrowstyle="-|>", mutation_scale=12, color=color, lw=1.8)
    )
    text(ax, (x + 1.15, y + 0.15), "$W_{hh}$", color, 0.34, ha="left")
    text(ax, (x + 1.15, y - 0.27), "to step $t+1$", color, 0.27, ha="left")
    return ax


def unrolled_rnn(T, upto, ax):
    """The recurrent network unrolled over T steps, of which the first `upto` have been computed.

    Returns ax. Raises ValueError unless 1 <= T <= 8 and 0 <= upto <= T.
    """
    if not 1 <= T <= 8:
        raise ValueError(f"T is {T}; the drawing has room for 1 to 8 steps")
    if not 0 <= upto <= T:
        raise ValueError(f"upto is {upto}; it counts steps from 0 to {T}")
    gap = 1.75
    canvas(ax, (-0.55, gap * T + 0.85), (-0.55, 3.85))
    vector(ax, (0, 1.65), "h", "h_0", active=upto == 0)
    for t in range(1, T + 1):
        x, done = gap * t, t <= upto
        places = (x, 0), (x, 1.65), (x, 3.3)
        arrow(ax, places[0], places[1], "W_{xh}", done, beside=(0.43, 0))
        arrow(ax, (x - gap, 1.65), places[1], "W_{hh}", done, beside=(-0.04, 0.3))
        arrow(ax, places[1], places[2], "W_{hy}", done, beside=(0.43, 0))
        for place, kind, name in zip(places, "xhy", ("x", "h", r"\hat{y}"), strict=True):
            vector(ax, place, kind, f"{name}_{t}", done, active=t == upto)
    return ax


def rnn_cell(ax):
    """The computation inside one step: two products, their sum with the bias, tanh, two ways out.

    Returns ax.
    """
    canvas(ax, (-0.55, 10.4), (-1.3, 3.75))
    frame(ax, (1.05, -0.2), 5.75, 3.6)
    h_old, x, total = (0, 1.7), (3.9, -0.8), (3.9, 1.7)
    product_h, product_x, squash, h_new = (2.1, 1.7), (3.9, 0.45), (5.85, 1.7), (7.9, 1.7)
    arrow(ax, h_old, product_h, gaps=(RADIUS, 0.5))
    arrow(ax, product_h, total, gaps=(0.5, 0.3))
    arrow(ax, x, product_x, gaps=(RADIUS, 0.35))
    arrow(ax, product_x, total, gaps=(0.35, 0.3))
    arrow(ax, (3.9, 2.85), total, gaps=(0.38, 0.3))
    arrow(ax, total, squash, gaps=(0.3, 0.55), name="a_t")
    arrow(ax, squash, h_new, gaps=(0.55, RADIUS))
    arrow(ax, h_new, (7.9, 3.1), gaps=(RADIUS, 0))
    arrow(ax, h_new, (9.4, 1.7), gaps=(RADIUS, 0))
    vector(ax, h_old, "h", "h_{t-1}", size=0.34)
    vector(ax, x, "x", "x_t")
    vector(ax, (3.9, 2.85), "b", "b_h", radius=0.38)
    vector(ax, h_new, "h", "h_t")
    box(ax, product_h, 0.5, "$W_{hh}$", WEIGHTS["W_{hh}"])
    box(ax, product_x, 0.5, "$W_{xh}$", WEIGHTS["W_{xh}"])
    box(ax, squash, 0.55, "tanh")
    sign(ax, total, "+")
    text(ax, (7.9, 3.4), "to the output", QUIET, 0.3)
    text(ax, (9.35, 1.25), "to step $t+1$", QUIET, 0.3)
    return ax


def task_shapes(ax):
    """The five shapes of tasks on sequences: inputs below, states between, outputs above.

    Returns ax. Wants about (6.4, 4.4) inches.
    """
    gap, radius = 1.0, 0.33
    canvas(ax, (-0.6, 9.6), (-4.45, 3.0))
    shapes = [  # title, place of the first column, steps with an input, steps with an output
        ("one to one", (0.4, 0), [1], [1]),
        ("one to many", (3.0, 0), [1], [1, 2, 3]),
        ("many to one", (7.0, 0), [1, 2, 3], [3]),
        ("many to many, aligned", (0.4, -4), [1, 2, 3], [1, 2, 3]),
        ("many to many, unaligned", (5.0, -4), [1, 2], [3, 4, 5]),
    ]
    for title, (left, bottom), inputs, outputs in shapes:
        last = max(inputs + outputs)
        at = {t: left + gap * (t - 1) for t in range(1, last + 1)}
        for t, x in at.items():
            state = x, bottom + 1
            if t in inputs:
                arrow(ax, (x, bottom), state, gaps=(radius, radius))
                vector(ax, (x, bottom), "x", f"x_{inputs.index(t) + 1}", radius=radius)
            if t in outputs:
                arrow(ax, state, (x, bottom + 2), gaps=(radius, radius))
                name = rf"\hat{{y}}_{outputs.index(t) + 1}"
                vector(ax, (x, bottom + 2), "y", name, radius=radius)
            if t > 1:
                arrow(ax, (x - gap, bottom + 1), state, gaps=(radius, radius))
            vector(ax, state, "h", f"h_{t}", radius=radius)
        text(ax, ((at[1] + at[last]) / 2, bottom + 2.7), title, size=0.33)
    return ax
