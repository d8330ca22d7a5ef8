"""Encoder and decoder, forward and backward; the drawings are found in `seqlib.diagrams` too.

Names are those of the formulas in `seqlib.scratch.seq2seq` and `seqlib.scratch.cho`: x_s is read,
h_s the encoder's state after it; y_{t-1} is fed to the decoder, s_t its state, p_t its prediction.
"""

from seqlib.drawing import (
    FAINT,
    GRADIENT,
    INK,
    PALE,
    QUIET,
    RADIUS,
    WEIGHTS,
    arrow,
    box,
    canvas,
    dot,
    gradient,
    text,
    vector,
)

READ = ("I", "am", "a", "student")
WRITTEN = ("je", "suis", "un", "étudiant", "END")
GAP, IN, STATE, OUT = 1.75, 0, 1.75, 3.5  # of two columns; heights of the three rows
WIDE = 0.62  # half of the bridge's box
ENCODER, DECODER, CROSSING = WEIGHTS["W_{hh}"], "#5F005C", "#8A4B00"


def encoder_decoder(upto, ax):
    """A phrase read ("I am a student") and its translation written, `upto` of 9 steps done.

    Returns ax. Raises ValueError unless 0 <= upto <= 9. Wants about (6.4, 2.9) inches.
    """
    S, T = len(READ), len(WRITTEN)
    if not 0 <= upto <= S + T:
        raise ValueError(f"upto is {upto}; it counts steps from 0 to {S + T}")
    canvas(ax, (-0.75, GAP * (S + T - 1) + 0.85), (-1.35, 5.75))
    for k in range(S + T):
        x, done = GAP * k, k < upto
        written = k - S  # the place of the word that this column writes
        arrow(ax, (x, IN), (x, STATE), done=done)
        if k:
            color = {S: CROSSING}.get(k, ENCODER if k < S else DECODER) if done else PALE
            width = 3 if k == S else 1.8
            arrow(ax, (x - GAP, STATE), (x, STATE), color=color, width=width)
        name = f"h_{k + 1}" if k < S else f"s_{written + 1}"
        vector(ax, (x, IN), "x", f"x_{k + 1}" if k < S else f"y_{written}", done)
        vector(ax, (x, STATE), "h", name, done, active=k == upto - 1)
        words = READ[k] if k < S else ("START", *WRITTEN)[written]
        text(ax, (x, IN - 0.85), words, INK if done else FAINT, 0.3)
        if k >= S:
            arrow(ax, (x, STATE), (x, OUT), done=done)
            vector(ax, (x, OUT), "y", f"p_{written + 1}", done)
            if done:
                text(ax, (x, OUT + 0.85), WRITTEN[written], INK, 0.3)
            if written < T - 1 and k < upto - 1:  # what was written is read next
                via = [(x + 0.5 * GAP, OUT), (x + 0.5 * GAP, IN)]
                arrow(ax, (x, OUT), (x + GAP, IN), via=via, color=FAINT)
    middle = GAP * (S - 0.5)
    if upto > S:
        text(ax, (middle, STATE + 0.42), "$s_0$", CROSSING, 0.32)
    for column, name, color, what in (
        ((S - 1) / 2, "encoder", ENCODER, "reads to the end"),
        (S + (T - 1) / 2, "decoder", DECODER, "writes to END"),
    ):
        text(ax, (GAP * column, 5.5), name, color, 0.34)
        text(ax, (GAP * column, 4.98), what, QUIET, 0.28)
    return ax


def cho(ax):
    """The summary c enters the start, every step and every read-out of the decoder.

    Returns ax. Wants about (6.4, 3.2) inches.
    """
    return _cho(ax, back=False)


def cho_backward(ax):
    """The gradient of c: a sum over all the places where c entered. Thick dashes are gradients.

    Returns ax. Wants about (6.4, 3.2) inches.
    """
    return _cho(ax, back=True)


def sutskever_backward(ax):
    """The gradient crosses in every layer, in h and in c; thick dashes are gradients.

    Returns ax. Wants about (6.4, 3.5) inches.
    """
    S = T = 3
    rows, right, last = (1.6, 3.2), GAP * 4.2, GAP * (S - 1)
    canvas(ax, (-0.75, right + GAP * (T - 1) + 0.75), (-0.65, 6.0))
    for k in range(S + T):
        x, reads = (GAP * k, True) if k < S else (right + GAP * (k - S), False)
        place = k + 1 if reads else k - S + 1
        gradient(ax, (x, rows[0]), (x, IN))
        gradient(ax, (x, rows[1]), (x, rows[0]))
        if not reads:
            gradient(ax, (x, rows[1] + 1.45), (x, rows[1]), gaps=(0.1, RADIUS))
            text(ax, (x, rows[1] + 1.75), rf"$d\mathcal{{L}}_{place}$", GRADIENT, 0.3)
        for layer, y in enumerate(rows, 1):
            if place > 1:
                gradient(ax, (x, y), (x - GAP, y))
            vector(ax, (x, y), "h", f"{'h' if reads else 's'}_{place}^{layer}", size=0.34)
        vector(ax, (x, IN), "x", f"x_{place}" if reads else f"y_{place - 1}", size=0.34)
    for layer, y in enumerate(rows, 1):
        for height, name in (0.2, "h"), (-0.2, "c"):
            gradient(ax, (right, y + height), (last, y + height), gaps=(0.45, 0.45))
            beside = 0.5 * (last + right), y + 2.6 * height
            text(ax, beside, rf"$d{name}_0^{layer}$", GRADIENT, 0.3)
    text(ax, (GAP, 5.75), "encoder", ENCODER, 0.34)
    text(ax, (right + GAP, 5.75), "decoder", DECODER, 0.34)
    return ax


def _cho(ax, back):
    """Both ways: an arrow of the forward pass, or the gradient that comes back along it."""
    S = T = 3
    d, bus, top = "d" * back, 2.75, OUT + 0.4
    start, columns = (GAP * 3.95, STATE), [GAP * 5 + 1.9 * t for t in range(T)]
    canvas(ax, (-0.75, columns[-1] + 1.6), (-0.65, 5.0))

    def link(one, other, gaps=(RADIUS, RADIUS), via=(), **look):
        if back:  # what ends at a dot of the line has no head there, the line has one at its end
            gradient(ax, other, one, gaps=gaps[::-1], via=via[::-1], head=gaps[0] > 0)
        else:
            arrow(ax, one, other, gaps=gaps, via=via, **look)

    for s in range(S):
        x = GAP * s
        link((x, IN), (x, STATE))
        if s:
            link((x - GAP, STATE), (x, STATE), color=ENCODER, width=1.8)
        vector(ax, (x, IN), "x", f"{d}x_{s + 1}", size=0.34)
        vector(ax, (x, STATE), "h", f"{d}h_{s + 1}", size=0.34)
    c = GAP * S, bus
    link((x, STATE), c, via=[(x, bus)])
    link(c, start, gaps=(RADIUS, WIDE), via=[(c[0], STATE)])
    before = c
    for t, x in enumerate(columns, 1):
        enters = x - 0.62, bus
        gaps = (RADIUS if t == 1 else 0, 0)
        link(before, enters, gaps=gaps, color=CROSSING, width=1.8, head=False)
        dot(ax, enters, GRADIENT if back else CROSSING)
        link(enters, (x, STATE), gaps=(0, RADIUS), color=CROSSING)
        link(enters, (x, top), gaps=(0, RADIUS), color=CROSSING)
        link((x, IN), (x, STATE))
        link((x, STATE), (x, top))
        link((x, IN), (x, top), via=[(x + 0.8, IN), (x + 0.8, top)], color=FAINT)
        old, gap = (start, WIDE) if t == 1 else ((columns[t - 2], STATE), RADIUS)
        link(old, (x, STATE), gaps=(gap, RADIUS), color=INK if t == 1 else DECODER)
        vector(ax, (x, IN), "x", f"{d}y_{t - 1}", size=0.34)
        vector(ax, (x, STATE), "h", f"{d}s_{t}", size=0.34)
        vector(ax, (x, top), "y", f"{d}p_{t}", size=0.34)
        before = enters
    box(ax, start, WIDE, "bridge", size=0.3)
    vector(ax, c, "b", f"{d}c", active=True, size=0.4)
    text(ax, (GAP, 4.75), "encoder", ENCODER, 0.34)
    text(ax, (columns[1], 4.75), "decoder", DECODER, 0.34)
    return ax
