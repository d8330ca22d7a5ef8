"""Attention weights drawn as links between words, and gold links on a map: also in `plots`."""

import numpy as np

from seqlib import cells

INK, QUIET, LINK = "#1A1A1A", "#767676", "#2A34B8"


def links(weights, source, target, t, ax):
    """The weights of one step as lines from the source words above to the word being written.

    weights  (T, S)
    source   S words
    target   T words; those after step t are not written yet, and pale
    t        the step, 0 to T - 1

    Lines are as thick as their weights, from 0.01 on; from 0.05 on the weights stand at the words.
    Returns ax. Raises ValueError for other lengths or a step that is not there.
    """
    weights = np.asarray(weights, float)
    if weights.shape != (len(target), len(source)):
        raise ValueError(
            f"weights of shape {weights.shape} for {len(target)} by {len(source)} words"
        )
    if not 0 <= t < len(target):
        raise ValueError(f"t is {t}; the steps are 0 to {len(target) - 1}")
    above, below = (centers(words) for words in (source, target))
    for x, weight in zip(above, weights[t], strict=True):
        ax.plot([x, below[t]], [0.86, 0.14], color=LINK, linestyle="-", lw=0.1 + 9 * weight,
                solid_capstyle="butt", visible=weight >= 0.01)  # fmt: skip
        if weight >= 0.05:
            ax.text(x, 1.12, f"{weight:.2f}", ha="center", color=LINK, fontsize=9)
    for x, word in zip(above, source, strict=True):
        ax.text(x, 0.98, word, ha="center", va="center", fontsize=10.5, color=INK)
    for i, (x, word) in enumerate(zip(below, target, strict=True)):
        weight = "bold" if i == t else "normal"
        ax.text(x, 0.02, word, ha="center", va="center", fontsize=10.5, fontweight=weight,
                color=INK if i <= t else QUIET, alpha=1 if i <= t else 0.75)  # fmt: skip
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.08, 1.2))
    ax.axis("off")
    return cells.note(ax, weights[t : t + 1], "{row} attends to {column}: {value}", columns=source,
                      rows=[target[t]], x=borders(source), y=(0.86, 1.2), what="word")  # fmt: skip


def borders(words):
    """Where words begin and end that fill a line from 0 to 1, from the first begin on."""
    ends = np.cumsum([0, *(len(word) + 1.6 for word in words)])
    return ends / ends[-1]


def centers(words):
    """Where the middles of those words lie."""
    ends = borders(words)
    return (ends[1:] + ends[:-1]) / 2


def outlined(mask, ax, label=None):
    """Frames around some cells of a heat map, such as gold links; mask (R, C), boolean.

    Returns ax.
    """
    x, y = np.array([[-0.5, 0.5, 0.5, -0.5, -0.5], [-0.5, -0.5, 0.5, 0.5, -0.5]])
    for r, c in np.argwhere(mask):
        ax.plot(c + x, r + y, color="#C2006B", linestyle="-", lw=1.6, label=label)
        label = None
    return ax
