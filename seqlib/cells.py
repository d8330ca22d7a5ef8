"""What the cells of a drawing say: noted while it is drawn, read when it has become a picture.

A function that draws a grid calls `note`. `collect` then tells where the cells lie in the finished
picture, so that a page can answer the question which value stands under the pointer.
"""

import numpy as np

MOST = 1600  # cells of one grid; in finer ones nobody can point at a cell
DIGITS = 2


def note(ax, values, say=None, *, rows=None, columns=None, unless=None, unit="", x=None, y=None,
         what="cell"):  # fmt: skip
    """Keep with the Axes what its cells mean.

    values  (R, C); NaN where a cell has no value
    say     the sentence of a cell, with {row}, {column} and {value}; by default from the labels
    rows, columns  their R and C names, by default numbers from 0
    unless  the sentence of a cell without value
    unit    what a value is, for the default sentence
    x, y    (C + 1,) and (R + 1,) borders in the data's coordinates; by default those of imshow
    what    the word for one of them: cell, bar or word

    Returns ax. Raises ValueError for names or borders that do not match the shape.
    """
    values = np.asarray(values, float)
    R, C = values.shape
    rows, columns = (
        [str(name) for name in (range(n) if names is None else names)]
        for names, n in ((rows, R), (columns, C))
    )
    x, y = (
        np.arange(n + 1) - 0.5 if borders is None else np.asarray(borders, float)
        for borders, n in ((x, C), (y, R))
    )
    if (len(rows), len(columns), len(y), len(x)) != (R, C, R + 1, C + 1):
        raise ValueError(
            f"{len(rows)} rows between {len(y)} borders and {len(columns)} columns between {len(x)}"
            f" for values of shape {values.shape}"
        )
    ax.cells = {"values": values, "say": say, "unless": unless, "rows": rows, "columns": columns,
                "unit": unit, "x": x, "y": y, "what": what}  # fmt: skip
    return ax


def collect(figure):
    """The cells of all Axes of a figure that has been drawn, as a list for JSON.

    Each entry has the borders x and y, increasing, in ten thousandths of the picture's width and
    height from the upper left corner; rows, columns; values, row by row, in units of the last of
    `digits` decimals, None where there is none; the sentences say and unless; and the word what.
    """
    noted = [ax for ax in figure.axes if getattr(ax, "cells", None)]
    return [_entry(ax, ax.cells) for ax in noted if ax.cells["values"].size <= MOST]


def _entry(ax, cells):
    values, rows, columns = cells["values"], cells["rows"], cells["columns"]
    x = _fractions(ax, [(border, cells["y"][0]) for border in cells["x"]])[:, 0]
    y = 1 - _fractions(ax, [(cells["x"][0], border) for border in cells["y"]])[:, 1]
    if x[0] > x[-1]:
        x, columns, values = x[::-1], columns[::-1], values[:, ::-1]
    if y[0] > y[-1]:
        y, rows, values = y[::-1], rows[::-1], values[::-1]
    present = values[~np.isnan(values)]
    digits = 0 if np.array_equal(present, present.round()) else DIGITS
    where = f"{ax.get_ylabel() or 'row'} {{row}}, {ax.get_xlabel() or 'column'} {{column}}"
    say = cells["say"] or f"{where}: {cells['unit']} {{value}}"
    unless = cells["unless"] or f"{where}: no value"
    return {
        "x": (1e4 * x).round().astype(int).tolist(),
        "y": (1e4 * y).round().astype(int).tolist(),
        "rows": [_plain(name) for name in rows],
        "columns": [_plain(name) for name in columns],
        "values": [None if np.isnan(v) else round(v * 10**digits) for v in values.flat],
        "digits": digits,
        "say": _plain(say),
        "unless": _plain(unless),
        "what": cells["what"],
    }


def _fractions(ax, points):
    """Points of the data as shares of the picture's width and height, from the lower left."""
    inside = ax.transData.transform(points)
    return ax.figure.transFigure.inverted().transform(inside)


def _plain(text):
    """Words for a sentence: one line, and no signs of mathematics."""
    return " ".join(text.replace("$", "").replace("\\", "").split())
