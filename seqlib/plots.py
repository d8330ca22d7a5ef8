"""Every figure of the book: functions f(data, ..., ax) -> ax.

They draw on the Axes given, set its labels and return it. Apply the style once per notebook with
plt.style.use("seqlib.seqlib"). MODELS gives a model the same color, line style and marker
everywhere: what is named "RNN" or "RNN, 64 units" looks like the RNN, and "3-gram" like the n-gram.
Other names get shades from blue to yellow, in their order.  The tree of a beam search has a module
of its own and is found here too.
"""

import re

import numpy as np

from seqlib import cells, optional
from seqlib.link_plots import links as links
from seqlib.link_plots import outlined as outlined
from seqlib.search_plots import beam_tree as beam_tree

with optional.imports():
    import matplotlib as mpl
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, StrMethodFormatter

MODELS = {
    "RNN": {"color": "#2A34B8", "linestyle": "-", "marker": "o"},
    "LSTM": {"color": "#E3240D", "linestyle": (0, (5, 2)), "marker": "s"},
    "GRU": {"color": "#00A653", "linestyle": (0, (5, 1.5, 1, 1.5)), "marker": "^"},
    "attention": {"color": "#DB6F9B", "linestyle": (0, (1, 1)), "marker": "D"},
    "Transformer": {"color": "#5F005C", "linestyle": (0, (8, 2)), "marker": "v"},
    "n-gram": {"color": "#8A2A19", "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "P"},
    "window": {"color": "#8487D8", "linestyle": (0, (2, 2)), "marker": "X"},
    "chance": {"color": "#1A1A1A", "linestyle": (0, (1, 2.5)), "marker": "."},
    "Cho": {"color": "#00703A", "linestyle": (0, (6, 1.5, 1, 1.5, 1, 1.5)), "marker": "<"},
    "Sutskever": {"color": "#C25E00", "linestyle": (0, (4, 1.5)), "marker": "p"},
    "Bahdanau": {"color": "#A3157F", "linestyle": (0, (7, 1.5, 2, 1.5)), "marker": "*"},
    "Luong": {"color": "#1584B4", "linestyle": (0, (6, 1)), "marker": "h"},
}


def series(values, ax, *, xlabel, ylabel, x=None, window=None, forecasts=None):
    """A time series, with the window that a model sees and what models predict.

    values     (T,)  what was measured
    x          (T,)  the times, by default 0 to T - 1
    window     first and last time that a model sees, shaded
    forecasts  dict from name to (F,) predicted values; the first is for the first time after the
               window, or, without a window, the last for the last time

    Returns ax. Raises ValueError for other shapes or a forecast longer than the times left for it.
    """
    values = _array(values, 1, "values")
    x = np.arange(len(values)) if x is None else _array(x, 1, "x")
    if len(x) != len(values):
        raise ValueError(f"x has {len(x)} times; values has {len(values)}")
    ax.plot(x, values, color="#555555", linestyle="-", label="measured")
    if window is not None:
        ax.axvspan(*window, color=MODELS["window"]["color"], alpha=0.25, lw=0, label="window")
    forecasts = forecasts or {}
    left = len(x) if window is None else int(np.sum(x > window[1]))
    for (name, forecast), look in zip(forecasts.items(), _looks(forecasts), strict=True):
        forecast = _array(forecast, 1, name)
        if len(forecast) > left:
            raise ValueError(f"{name} has {len(forecast)} values; {left} times are left for it")
        first = len(x) - (len(forecast) if window is None else left)
        ax.plot(x[first : first + len(forecast)], forecast, **look, markersize=4, label=name)
    if window is not None or forecasts:
        ax.legend(loc="upper left")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def curves(x, runs, ax, *, xlabel, ylabel, log="", reference=None):
    """Named lines; where a name has several runs (seeds), each is thin and their median is on top.

    x          (T,)  shared by all, or a dict from name to (T,)
    runs       dict from name to (T,) or (seeds, T)
    log        the axes that are logarithmic: "", "x", "y" or "xy"
    reference  name and height of a level line, such as ("chance", 0.5), or a dict of several

    Returns ax. Raises ValueError for lengths that differ from that of x.
    """
    if not set(log) <= set("xy"):
        raise ValueError(f"log is {log!r}; it takes '', 'x', 'y' or 'xy'")
    for (name, values), look in zip(runs.items(), _looks(runs), strict=True):
        values = np.atleast_2d(np.asarray(values, dtype=float))
        times = _array(x[name] if isinstance(x, dict) else x, 1, "x")
        if values.ndim != 2 or values.shape[1] != len(times):
            raise ValueError(f"{name} has the shape {values.shape}; x has {len(times)} values")
        if len(values) > 1:
            ax.plot(times, values.T, color=look["color"], linestyle="-", lw=0.7, alpha=0.45)
        marker = look["marker"] if len(times) <= 20 else None
        middle = np.median(values, axis=0)
        ax.plot(times, middle, color=look["color"], linestyle=look["linestyle"], marker=marker,
                label=name)  # fmt: skip
    levels = dict([reference]) if isinstance(reference, tuple) else reference or {}
    styles = MODELS["chance"]["linestyle"], (0, (6, 3)), (0, (6, 2, 1, 2))
    for i, (name, height) in enumerate(levels.items()):
        color = MODELS["chance"]["color"]
        ax.axhline(height, color=color, linestyle=styles[i % 3], lw=1.2, label=name)
    if "x" in log:
        _logarithmic(ax, "x")
    if "y" in log:
        _logarithmic(ax, "y")
    if len(runs) + len(levels) > 1:
        ax.legend()
    ax.set(xlabel=xlabel, ylabel=ylabel)
    all_x = np.concatenate([np.ravel(v) for v in (x.values() if isinstance(x, dict) else [x])])
    if "x" not in log and np.array_equal(all_x, np.round(all_x)):
        ax.xaxis.get_major_locator().set_params(integer=True)  # what is counted has no halves
    _thousands(ax.xaxis)
    _thousands(ax.yaxis)
    return ax


def heatmap(
    matrix, ax, *, rows=None, columns=None, xlabel="", ylabel="", limits=None, bar="", digits=None,
    say=None, unless=None,
):  # fmt: skip
    """A matrix as colors: light to dark, or, with negative values, red over white to blue.

    matrix   (R, C)
    rows, columns  their R and C names
    limits   lowest and highest value of the colors; give the same to maps that are compared
    bar      name of the color bar; "" draws none
    digits   decimals of the numbers written into the cells; None writes none
    say, unless  what a cell says under the pointer, with and without value: see `cells.note`

    Returns ax. Raises ValueError for names that do not match the shape.
    """
    matrix = _array(matrix, 2, "matrix")
    for what, names, size in ("rows", rows, matrix.shape[0]), ("columns", columns, matrix.shape[1]):
        if names is not None and len(names) != size:
            raise ValueError(f"{len(names)} names of {what}; the matrix has {size} {what}")
    low, high = limits or (np.nanmin(matrix), np.nanmax(matrix))
    if low < 0:  # white means zero
        high = max(-low, high)
        low = -high
    image = ax.imshow(
        matrix, cmap="RdBu" if low < 0 else "Blues", vmin=low, vmax=high, aspect="auto"
    )
    if digits is not None:
        for r, c in np.ndindex(matrix.shape):
            red, green, blue, _ = image.cmap(image.norm(matrix[r, c]))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            number = f"{matrix[r, c]:.{digits}f}".replace("-", "\N{MINUS SIGN}")
            ax.text(c, r, number, ha="center", va="center", fontsize=9,
                    color="white" if dark else "black")  # fmt: skip
    if rows is not None:
        rows = [_visible(name) for name in rows]
        ax.set_yticks(range(len(rows)), rows)
    if columns is not None:
        columns = [_visible(name) for name in columns]
        ax.set_xticks(range(len(columns)), columns)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if bar:
        ax.figure.colorbar(image, ax=ax, pad=0.02).set_label(bar, labelpad=8)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return cells.note(ax, matrix, say, rows=rows, columns=columns, unless=unless, unit=bar)


def bars(values, ax, *, xlabel, reference=None, digits=2):
    """Named values as horizontal bars, the first on top; of several runs the median and a dot each.

    values     dict from name to a number or to (seeds,)
    reference  name and value of a line to compare with, such as ("best possible", 1.2)
    digits     decimals of the numbers: at the bars, or, where dots would be mistaken for what they
               stand at, in a column at the right

    Returns ax. Raises ValueError for no values.
    """
    if not values:
        raise ValueError("bars has 0 values; give at least 1")
    all_runs = [_array(np.atleast_1d(runs), 1, name) for name, runs in values.items()]
    in_column = max(map(len, all_runs)) > 1
    for i, (name, runs) in enumerate(zip(values, all_runs, strict=True)):
        color = MODELS[_model(name)]["color"] if _model(name) else "#7A7A7A"
        ax.barh(i, np.median(runs), height=0.6, color=color)
        if len(runs) > 1:
            apart = 0.5 * (np.arange(len(runs)) * 0.618 % 1 - 0.5)  # equal runs are seen, too
            ax.plot(runs, i + apart, linestyle="", marker="o", markersize=5.5,
                    color="white", markeredgecolor="#1A1A1A", markeredgewidth=1)  # fmt: skip
        place = (1, i) if in_column else (max(runs.max(), 0), i)
        ax.annotate(f"{np.median(runs):,.{digits}f}", place, xytext=(5, 0), va="center",
                    xycoords=ax.get_yaxis_transform() if in_column else "data",
                    textcoords="offset points")  # fmt: skip
    if reference is not None:
        name, height = reference
        ax.axvline(height, color=MODELS["chance"]["color"], linestyle=(0, (1, 2)), label=name)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    ax.set_yticks(range(len(values)), values)
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.04 if in_column else 0.12)
    ax.set(xlabel=xlabel)
    _thousands(ax.xaxis)
    return ax


def activations(values, text, ax, *, ylabel):
    """The value of one unit at each token of a text, the tokens written below.

    values  (T,)  the unit's value after reading token t
    text    T characters or words

    Returns ax. Raises ValueError if there are not as many values as tokens.
    """
    values = _array(values, 1, "values")
    if len(values) != len(text):
        raise ValueError(f"{len(values)} values for {len(text)} tokens")
    positions = np.arange(len(values))
    up, down = MODELS["RNN"]["color"], MODELS["LSTM"]["color"]
    ax.bar(positions, values, width=0.8, color=np.where(values >= 0, up, down))
    ax.axhline(0, color="#333333", lw=0.8)
    names = [_visible(token) for token in text]
    if all(len(token) == 1 for token in text):
        size = min(10, 460 / len(text))  # so that neighbors do not touch at full width
        ax.set_xticks(positions, names, fontfamily="DejaVu Sans Mono", fontsize=size)
    else:
        names = [f"“{name}”" if name in ".,;:" else name for name in names]  # a dot is overlooked
        ax.set_xticks(positions, names, rotation=90)
    ax.tick_params(axis="x", length=0)
    ax.spines["bottom"].set_visible(False)
    ax.set_xlim(-0.7, len(values) - 0.3)
    ax.set(ylabel=ylabel)
    return ax


def distribution(probabilities, names, ax, *, compare=None, xlabel="next token"):
    """Probabilities of the next token, in the order given; a second distribution as short lines.

    probabilities  (V,)  not negative, with the sum 1
    names          V tokens
    compare        name and (V,) of another distribution, such as ("temperature 1", p)

    Returns ax, whose height is always 0 to 1. Raises ValueError for other lengths, signs or sums.
    """
    pairs = {"": probabilities} | (dict([compare]) if compare else {})
    for name, p in pairs.items():
        p = _array(p, 1, name or "probabilities")
        if len(p) != len(names):
            raise ValueError(f"{len(p)} probabilities for {len(names)} tokens")
        if p.min() < 0 or not np.isclose(p.sum(), 1, atol=1e-4):
            raise ValueError(f"probabilities from {p.min():.3g} with the sum {p.sum():.5g}, not 1")
    positions = np.arange(len(names))
    ax.bar(positions, probabilities, width=0.75, color=MODELS["RNN"]["color"])
    if compare:
        name, p = compare
        ax.hlines(p, positions - 0.46, positions + 0.46, color=MODELS["LSTM"]["color"], lw=2,
                  label=name)  # fmt: skip
        ax.legend(loc="upper right")
    ax.set_xticks(positions, [_visible(name) for name in names], fontfamily="DejaVu Sans Mono")
    ax.tick_params(axis="x", length=0)
    ax.set(ylim=(0, 1), xlabel=xlabel, ylabel="probability")
    return cells.note(ax, np.asarray(probabilities)[None], "probability of {column}: {value}",
                      columns=[_visible(name) for name in names], y=(0, 1), what="bar")  # fmt: skip


def scatter_by_size(groups, ax, *, xlabel, ylabel, size):
    """Points whose area grows with a third quantity, such as the number of parameters; x is log.

    groups  dict from name to (x, y, sizes), three sequences of one length
    size    what the areas show, for the legend

    Returns ax. Raises ValueError for three different lengths or sizes that are not positive.
    """
    for name, columns in groups.items():
        lengths = [len(column) for column in columns]
        if len(lengths) != 3 or len(set(lengths)) != 1:
            raise ValueError(f"{name} has columns of {lengths} values; it takes 3 of one length")
    sizes = np.concatenate([np.asarray(columns[2], dtype=float) for columns in groups.values()])
    if sizes.min() <= 0:
        raise ValueError(f"the smallest size is {sizes.min():g}; sizes are above 0")
    span = max(np.log(sizes.max() / sizes.min()), 1e-9)

    def area(value):  # sizes span powers of ten, so the area follows their logarithm
        return 20 + 120 * np.log(np.asarray(value, dtype=float) / sizes.min()) / span

    looks, hollow = _looks(groups), {"facecolor": "none", "linewidth": 1.5}
    for i, ((x, y, sizes_here), look) in enumerate(zip(groups.values(), looks, strict=True)):
        ax.scatter(x, y, s=area(sizes_here), edgecolor=look["color"], marker=look["marker"],
                   zorder=3 - i / len(groups), **hollow)  # fmt: skip
    _logarithmic(ax, "x")
    handles = [
        Line2D([], [], color=look["color"], linestyle="", marker=look["marker"], label=name,
               markersize=9, markerfacecolor="none", markeredgewidth=1.5)
        for name, look in zip(groups, looks, strict=True)
    ]  # fmt: skip
    handles += [
        Line2D([], [], color="#767676", linestyle="", marker="o", markersize=area(value) ** 0.5,
               markerfacecolor="none", markeredgewidth=1.5, label=f"{value:,.0f} {size}")
        for value in sorted({sizes.min(), sizes.max()})
    ]  # fmt: skip
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def _logarithmic(ax, which):
    """A logarithmic axis; over three powers of ten or less its ticks are plain numbers."""
    ax.set(**{f"{which}scale": "log"})
    low, high = getattr(ax, f"get_{which}lim")()
    if low > 0.5 and high / low <= 1000:  # so 1 itself, with the margin below it, counts
        axis = getattr(ax, f"{which}axis")
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axis.set_minor_formatter(NullFormatter())


def _thousands(axis):
    """Ticks such as 5,000 where an axis goes that far, as in the text."""
    if axis.get_scale() == "linear" and np.abs(axis.get_view_interval()).max() >= 1000:
        minus = "\N{MINUS SIGN}"
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}".replace("-", minus)))


def _array(values, ndim, name):
    values = np.asarray(values, dtype=float)
    if values.ndim != ndim or values.size == 0:
        raise ValueError(f"{name} has the shape {values.shape}; it takes {ndim} axes, none empty")
    return values


def _model(name):
    """The key of MODELS that the name is or begins with; None if there is none."""
    name = re.sub(r"^\d+-gram", "n-gram", str(name))
    return next((model for model in MODELS if name.startswith(model)), None)


def _looks(names):
    """Color, line style and marker of each name: those of its model, unless taken."""
    looks, taken, styles = [], set(), list(MODELS.values())
    for i, name in enumerate(names):
        model = _model(name)
        if model and model not in taken:
            taken.add(model)
            looks.append(MODELS[model])
        else:
            shade = mpl.colormaps["cividis"](0.65 * i / max(len(names) - 1, 1))
            looks.append({**styles[i % len(styles)], "color": mpl.colors.to_hex(shade)})
    return looks


def _visible(token):
    """A token as a tick label: blanks get a sign, and $ is no mathematics."""
    signs = {" ": "␣", "\n": "↵", "\t": "⇥"}
    return signs.get(token, str(token).replace("$", r"\$"))
