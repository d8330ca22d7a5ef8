"""Figures of a Transformer at work: the masks of a batch, and a step of writing a translation."""

import numpy as np

from seqlib import cells, optional, plots

with optional.imports():
    from matplotlib.patches import Rectangle


def masks(kinds, names, axes):
    """Masks of attention as grids of squares: a row of Axes for each row of the batch.

    kinds  dict from title to (B, T, S) booleans, dark where T may attend to S
    names  B names of the rows, each written above its row
    axes   (B, len(kinds)) Axes

    Returns axes. Raises ValueError for another number of Axes.
    """
    axes = np.asarray(axes)
    if axes.shape != (len(names), len(kinds)):
        raise ValueError(
            f"axes have the shape {axes.shape}; {len(names)} rows and {len(kinds)} kinds"
            " of masks are given"
        )
    color = plots.MODELS["Transformer"]["color"]
    for column, (title, mask) in zip(axes.T, kinds.items(), strict=True):
        for ax, own in zip(column, mask, strict=True):
            T, S = own.shape
            for t, s in np.ndindex(T, S):
                face = color if own[t, s] else "#F2F2F2"
                ax.add_patch(Rectangle((s, t), 1, 1, facecolor=face, edgecolor="white", lw=0.8))
            ax.set(xlim=(-0.05, S + 0.05), ylim=(T + 0.05, -0.05), aspect="equal")
            ax.set(xticks=[], yticks=[])
            ax.set_anchor("N")  # all squares of a row begin at one height
            ax.spines[:].set_visible(False)
            cells.note(ax, np.where(own, 1, np.nan), "query {row} may see key {column}",
                       unless="query {row} may not see key {column}", rows=range(1, T + 1),
                       columns=range(1, S + 1), x=range(S + 1), y=range(T + 1))  # fmt: skip
        column[0].set_title(title, fontsize=9.5, loc="center", y=1.2)  # above the name
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_title(name, fontsize=9, loc="left", y=1)
    return axes


def writing(weights, source, p, words, axes, *, best=6):
    """Where a model looks at a step of writing, and which words it takes for likely.

    weights  (S,)  of the source's words
    source   S words
    p        (V,)  probabilities of the next word
    words    function from an array of ids to their words
    axes     two Axes, left and right
    best     how many words to show

    Returns axes. Raises ValueError if there are not as many weights as words of the source.
    """
    if len(weights) != len(source):
        raise ValueError(f"{len(weights)} weights for {len(source)} words of the source")
    likely = np.argsort(-np.asarray(p), kind="stable")[:best]
    for ax, names, values, label in (
        (axes[0], source, np.asarray(weights), "weight of the source's words"),
        (axes[1], words(likely), np.asarray(p)[likely], "probability of the next word"),
    ):
        ax.barh(range(len(names)), values, color=plots.MODELS["Transformer"]["color"])
        ax.set_yticks(range(len(names)), names)
        ax.tick_params(axis="y", length=0)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1), xlabel=label)
        say = f"{label.split()[0]} of {{row}}: {{value}}"
        cells.note(ax, values[:, None], say, rows=names, x=(0, 1), what="bar")
    return axes
