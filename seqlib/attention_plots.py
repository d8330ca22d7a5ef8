"""Figures of attention: weights under a mask, what depends on distance, what one head looks at.

Functions f(data, ..., ax) -> ax like those of `plots`; where two panels belong together, axes.
"""

import numpy as np

from seqlib import cells, plots

CROSS, LINE = "#C2006B", "#2A34B8"
ATTENDS = "{row} attends to {column}: {value}"
LINES = (  # told apart by color and by dashes
    ("#5A5A5A", (0, (1, 2))),
    ("#B8480A", (0, (6, 2))),
    ("#0068A8", (0, (6, 1.5, 1, 1.5))),
    ("#A3367F", (0, (2.5, 1.5))),
    ("#007A56", "-"),
)


def masked_weights(weights, mask, words, ax):
    """Attention weights in numbers, a cross where the mask is False.

    weights  (T, T)
    mask     (T, T) boolean, True where attending is allowed
    words    T names of the positions

    Returns ax. Raises ValueError if a shape does not fit.
    """
    weights, mask = np.asarray(weights), np.asarray(mask)
    if mask.shape != weights.shape:
        raise ValueError(f"the mask has the shape {mask.shape}; the weights have {weights.shape}")
    plots.heatmap(weights, ax, rows=words, columns=words, limits=(0, 1), bar="weight",
                  xlabel="is looked at", ylabel="looks")  # fmt: skip
    for t, s in np.argwhere(mask):
        color = "white" if weights[t, s] > 0.6 else "black"
        ax.text(s, t, f"{weights[t, s]:.2f}", ha="center", va="center", fontsize=9, color=color)
    t, s = np.nonzero(~mask)
    ax.plot(s, t, "x", color=CROSS, markersize=9, mew=1.8, linestyle="")
    ax.tick_params(axis="x", rotation=40)
    return cells.note(ax, np.where(mask, weights, np.nan), ATTENDS, rows=words, columns=words,
                      unless="{row} may not see {column}")  # fmt: skip


def by_distance(scores, t, axes, *, limits):
    """What is added to the score of every pair of positions, and to those of one query.

    scores  (T, T)
    t       the query of the second panel
    axes    two Axes
    limits  lowest and highest value of both panels

    Returns axes. Raises ValueError if there is no position t.
    """
    scores = np.asarray(scores)
    if not 0 <= t < len(scores):
        raise ValueError(f"t is {t}; there are positions 0 to {len(scores) - 1}")
    plots.heatmap(scores, axes[0], limits=limits, xlabel="position s", ylabel="position t")
    axes[1].plot(scores[t], color=LINE, linestyle="-")
    axes[1].axvline(t, color="black", linestyle=":", lw=1)
    axes[1].set(xlabel="position s", ylabel=f"added to the score, t = {t}", ylim=limits)
    return axes


def head(weights, offsets, axes):
    """The weights of one head, and their mean at some distances back.

    weights  (T, T)
    offsets  dict from name to a distance: the mean is over all t that have a place so far back
    axes     two Axes

    Returns axes. Raises ValueError if a distance does not lie between 0 and T - 1.
    """
    weights = np.asarray(weights)
    for name, k in offsets.items():
        if not 0 <= k < len(weights):
            raise ValueError(
                f"{name} is {k} back; {len(weights)} steps have 0 to {len(weights) - 1}"
            )
    plots.heatmap(weights, axes[0], limits=(0, 1), xlabel="looked at, s", ylabel="looks, t",
                  say="step {row} attends to step {column}: {value}")  # fmt: skip
    means = {name: np.diagonal(weights, -k).mean() for name, k in offsets.items()}
    axes[1].barh(list(means), list(means.values()), color=LINE, height=0.6)
    axes[1].invert_yaxis()
    axes[1].tick_params(axis="y", length=0)
    axes[1].set(xlim=(0, 1), xlabel="mean weight")
    return axes


def along_rows(steps, runs, ax, *, trained):
    """The loss along rows that are longer than those of the training, named at the right end.

    steps    (P,)  places in a row
    runs     dict from name to (seeds, P): thin lines, and their median; at most five names
    trained  the length of the training's rows

    Returns ax. Raises ValueError for more than five names or another number of places.
    """
    if len(runs) > len(LINES):
        raise ValueError(f"{len(runs)} names; there are {len(LINES)} kinds of lines")
    ends = []
    for (name, losses), (color, dashes) in zip(runs.items(), LINES, strict=False):
        losses = np.atleast_2d(losses)
        if losses.shape[1] != len(steps):
            raise ValueError(f"{name} has {losses.shape[1]} losses; there are {len(steps)} steps")
        middle = np.median(losses, axis=0)
        ax.plot(steps, losses.T, color=color, linestyle="-", lw=0.7, alpha=0.45)
        ax.plot(steps, middle, color=color, linestyle=dashes, label=name)
        ends.append((middle[-1], name, color))
    for height, name, color in sorted(ends):
        ax.annotate(name, (steps[-1], height), xytext=(6, 0), textcoords="offset points",
                    va="center", color=color, annotation_clip=False)  # fmt: skip
    ax.axvline(trained, color="black", lw=1)
    ax.set(xlabel="step of the row", ylabel="nats per repeat")
    return ax
