"""The architectures of the book, drawn from code: functions f(..., ax) -> ax.

One grammar: a circle is a vector (inputs gray, states blue, outputs green), a box is an operation,
an arrow carries a vector. An arrow with a weight matrix has that matrix's color, so arrows of one
color share one matrix. What is not computed yet is pale. Fonts grow with the Axes; the usual 6.4 by
3.2 inches fill the text column.
"""

from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

INK, PALE, QUIET = "#1A1A1A", "#BDBDBD", "#5A5A5A"
FILL = {"x": "#E6E6E6", "h": "#D3DCFA", "y": "#CDEFDB", "b": "#FFF3D1"}
WEIGHTS = {"W_{xh}": "#8A2A19", "W_{hh}": "#2A34B8", "W_{hy}": "#007A3D"}
RADIUS = 0.45


def feedforward_and_recurrent(ax):
    """A feed-forward network beside a recurrent one: the same two layers, and a loop.

    Returns ax.
    """
    _canvas(ax, (-0.9, 8.1), (-0.55, 4.75))
    for x, title, step in (1, "feed-forward", ""), (5, "recurrent", "_t"):
        places = (x, 0), (x, 1.65), (x, 3.3)
        _arrow(ax, places[0], places[1], "W_{xh}", beside=(-0.55, 0))
        _arrow(ax, places[1], places[2], "W_{hy}", beside=(-0.55, 0))
        for place, kind, name in zip(places, "xhy", ("x", "h", r"\hat{y}"), strict=True):
            _vector(ax, place, kind, name + step)
        _text(ax, (x, 4.4), title)
    x, y = 5 + 0.9 * RADIUS, 1.65  # the loop leaves h_t above and comes back below
    bend = [(x, y + 0.25), (x + 1.3, y + 1.1), (x + 1.3, y - 1.1), (x, y - 0.25)]
    loop = Path(bend, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    color = WEIGHTS["W_{hh}"]
    ax.add_patch(
        FancyArrowPatch(path=loop, arrowstyle="-|>", mutation_scale=12, color=color, lw=1.8)
    )
    _text(ax, (x + 1.15, y + 0.15), "$W_{hh}$", color, 0.34, ha="left")
    _text(ax, (x + 1.15, y - 0.27), "to step $t+1$", color, 0.27, ha="left")
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
    _canvas(ax, (-0.55, gap * T + 0.85), (-0.55, 3.85))
    _vector(ax, (0, 1.65), "h", "h_0", active=upto == 0)
    for t in range(1, T + 1):
        x, done = gap * t, t <= upto
        places = (x, 0), (x, 1.65), (x, 3.3)
        _arrow(ax, places[0], places[1], "W_{xh}", done, beside=(0.43, 0))
        _arrow(ax, (x - gap, 1.65), places[1], "W_{hh}", done, beside=(-0.04, 0.3))
        _arrow(ax, places[1], places[2], "W_{hy}", done, beside=(0.43, 0))
        for place, kind, name in zip(places, "xhy", ("x", "h", r"\hat{y}"), strict=True):
            _vector(ax, place, kind, f"{name}_{t}", done, active=t == upto)
    return ax


def rnn_cell(ax):
    """The computation inside one step: two products, their sum with the bias, tanh, two ways out.

    Returns ax.
    """
    _canvas(ax, (-0.55, 10.1), (-1.3, 3.75))
    ax.add_patch(FancyBboxPatch((1.05, -0.2), 5.75, 3.6, boxstyle="round,pad=0,rounding_size=0.3",
                                facecolor="#F7F7F7", edgecolor=PALE, lw=1.2))  # fmt: skip
    h_old, x, total = (0, 1.7), (3.9, -0.8), (3.9, 1.7)
    product_h, product_x, squash, h_new = (2.1, 1.7), (3.9, 0.45), (5.85, 1.7), (7.9, 1.7)
    _arrow(ax, h_old, product_h, gaps=(RADIUS, 0.5))
    _arrow(ax, product_h, total, gaps=(0.5, 0.3))
    _arrow(ax, x, product_x, gaps=(RADIUS, 0.35))
    _arrow(ax, product_x, total, gaps=(0.35, 0.3))
    _arrow(ax, (3.9, 2.85), total, gaps=(0.38, 0.3))
    _arrow(ax, total, squash, gaps=(0.3, 0.55), name="a_t")
    _arrow(ax, squash, h_new, gaps=(0.55, RADIUS))
    _arrow(ax, h_new, (7.9, 3.1), gaps=(RADIUS, 0))
    _arrow(ax, h_new, (9.4, 1.7), gaps=(RADIUS, 0))
    _vector(ax, h_old, "h", "h_{t-1}", size=0.34)
    _vector(ax, x, "x", "x_t")
    _vector(ax, (3.9, 2.85), "b", "b_h", radius=0.38)
    _vector(ax, h_new, "h", "h_t")
    _box(ax, product_h, 0.5, "$W_{hh}$", WEIGHTS["W_{hh}"])
    _box(ax, product_x, 0.5, "$W_{xh}$", WEIGHTS["W_{xh}"])
    _box(ax, squash, 0.55, "tanh", INK)
    ax.add_patch(Circle(total, 0.3, facecolor="white", edgecolor=INK, lw=1.2, zorder=3))
    _text(ax, total, "+", size=0.4, zorder=4)
    _text(ax, (7.9, 3.4), "to the output", QUIET, 0.3)
    _text(ax, (9.35, 1.25), "to step $t+1$", QUIET, 0.3)
    return ax


def task_shapes(ax):
    """The five shapes of tasks on sequences: inputs below, states between, outputs above.

    Returns ax. Wants about (6.4, 4.4) inches.
    """
    gap, radius = 1.0, 0.33
    _canvas(ax, (-0.6, 9.6), (-4.45, 3.0))
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
                _arrow(ax, (x, bottom), state, gaps=(radius, radius))
                _vector(ax, (x, bottom), "x", f"x_{inputs.index(t) + 1}", radius=radius)
            if t in outputs:
                _arrow(ax, state, (x, bottom + 2), gaps=(radius, radius))
                name = rf"\hat{{y}}_{outputs.index(t) + 1}"
                _vector(ax, (x, bottom + 2), "y", name, radius=radius)
            if t > 1:
                _arrow(ax, (x - gap, bottom + 1), state, gaps=(radius, radius))
            _vector(ax, state, "h", f"h_{t}", radius=radius)
        _text(ax, ((at[1] + at[last]) / 2, bottom + 2.7), title, size=0.33)
    return ax


def _canvas(ax, x, y):
    """Equal units without axes, x and y from their first to their last value."""
    ax.set(xlim=x, ylim=y, aspect="equal")
    ax.axis("off")


def _text(ax, place, text, color=INK, size=0.36, **how):
    """Text whose font is `size` units high."""
    box, (width, height) = ax.get_position(original=True), ax.figure.get_size_inches()
    x, y = ax.get_xlim(), ax.get_ylim()
    # Axes without ticks and labels grow to about 1.25 times their first size.
    unit = 1.25 * min(box.width * width / (x[1] - x[0]), box.height * height / (y[1] - y[0]))
    how = {"ha": "center", "va": "center"} | how
    ax.text(*place, text, color=color, fontsize=72 * size * unit, **how)


def _vector(ax, place, kind, name, done=True, active=False, radius=RADIUS, size=None):
    """A circle with a name in mathematics."""
    ax.add_patch(Circle(place, radius, facecolor=FILL[kind] if done else "white", zorder=3,
                        edgecolor=INK if done else PALE, lw=2.6 if active else 1.2,
                        linestyle="-" if done else (0, (3, 2))))  # fmt: skip
    _text(ax, place, f"${name}$", INK if done else "#767676", size or 0.88 * radius, zorder=4)


def _box(ax, place, half, text, color):
    """An operation."""
    ax.add_patch(FancyBboxPatch((place[0] - half, place[1] - 0.35), 2 * half, 0.7, zorder=3,
                                boxstyle="round,pad=0,rounding_size=0.12", facecolor="white",
                                edgecolor=color, lw=1.6))  # fmt: skip
    _text(ax, place, text, color, 0.36, zorder=4)


def _arrow(ax, start, end, weight="", done=True, beside=(0, 0.3), gaps=(RADIUS, RADIUS), name=""):
    """An arrow that keeps `gaps` from the two places; its name stands `beside` its middle."""
    length = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
    dx, dy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    tail = start[0] + dx * gaps[0], start[1] + dy * gaps[0]
    head = end[0] - dx * gaps[1], end[1] - dy * gaps[1]
    color = WEIGHTS.get(weight, INK) if done else PALE
    width = 1.8 if weight and done else 1.2
    ax.add_patch(FancyArrowPatch(tail, head, arrowstyle="-|>", mutation_scale=12, color=color,
                                 lw=width, shrinkA=0, shrinkB=0))  # fmt: skip
    if (weight or name) and done:
        middle = (tail[0] + head[0]) / 2 + beside[0], (tail[1] + head[1]) / 2 + beside[1]
        _text(ax, middle, f"${weight or name}$", color, 0.34)
