"""What a beam search kept, step by step: found in `seqlib.plots` too."""

INK, PALE, BEST = "#1A1A1A", "#B0B0B0", "#8A4B00"
MINUS = "\u2212"


def beam_tree(steps, ax, *, ylabel="rank"):
    """The beginnings that a beam kept at each step, the best on top, each linked to its parent.

    steps   a list per step of (word, parent, log-probability, ended) in the order of their scores;
            parent is the place in the step before, and so 0 at the first
    Rows that ended are carried on as "ended".  The way to the best row of the last step is drawn
    thick.

    Returns ax.  Raises ValueError if there is no step or a parent is not in the step before.
    """
    if not steps or not all(steps):
        raise ValueError(f"{len(steps)} steps, some of them empty; the tree needs words in each")
    widths = [1, *map(len, steps)]
    for t, step in enumerate(steps):
        for _, parent, _, _ in step:
            if not 0 <= parent < widths[t]:
                raise ValueError(
                    f"parent {parent} at step {t + 1}; there are {widths[t]} before it"
                )
    best, place = set(), 0
    for t in reversed(range(len(steps))):
        best.add((t, place))
        place = steps[t][place][1]
    for t, step in enumerate(steps):
        for rank, (word, parent, log_p, ended) in enumerate(step):
            on = (t, rank) in best
            look = {"color": BEST, "lw": 2.4} if on else {"color": PALE, "lw": 1}
            ax.plot([t + 0.3, t + 0.72], [parent if t else 0, rank], "-", zorder=1, **look)
            stays = ended and t and steps[t - 1][parent][3]
            name = "ended" if stays else f"{word}\n{log_p:.2f}".replace("-", MINUS)
            ax.text(t + 1, rank, name, ha="center", va="center", fontsize=8.5, zorder=3,
                    color=INK if on else "#5A5A5A", fontweight="bold" if on else "normal",
                    bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none"})  # fmt: skip
    ax.text(0, 0, "START", ha="center", va="center", fontsize=8.5)
    ax.set(xlim=(-0.4, len(steps) + 0.5), ylim=(max(widths) - 0.4, -0.6))
    ax.set(xlabel="step", ylabel=ylabel)
    ax.set_xticks(range(1, len(steps) + 1))
    ax.set_yticks(range(max(widths)), range(1, max(widths) + 1))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax
