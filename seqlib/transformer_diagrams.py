"""The Transformer with its norms after the sums and before them; found in `seqlib.diagrams` too.

A thick line is the residual stream: what each part reads from and is added to.  Names are those of
the formulas in `seqlib.scratch.encoder_layer`, `decoder_layer`, `layer_stack` and `tied`.
"""

import itertools

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

NORM, PART = WEIGHTS["W_{hy}"], WEIGHTS["W_{hh}"]
STREAM = {"width": 3.4, "color": INK}
WIDE, SMALL = 1.45, 0.75  # halves of the widths of a part's box and of a norm's
PITCH, FOOT = 3.0, 2.9  # of the parts of a layer; where the first one begins
ENCODER, DECODER = (1.3, 4.2), (13.2, 10.3)  # the columns of the stream and of the parts


def residual_streams(ax):
    """An encoder layer twice: above with the norms after the sums, below with them before.

    Returns ax. Wants about (6.4, 3.9) inches.
    """
    canvas(ax, (-0.6, 14.6), (-1.1, 8.2))
    for y, title, before in (
        (6.3, "post-norm: the norm stands on the stream", False),
        (1.7, "pre-norm: the norm stands on the branch", True),
    ):
        text(ax, (-0.5, y + 1.25), title, QUIET, 0.38, ha="left")
        stops = [(0, RADIUS)]
        for left, part in (1.1, "self-attention"), (7.3, "feed-forward"):
            plus, low = left + (5.4 if before else 3.9), y - 1.75
            dot(ax, (left, y))
            if before:
                arrow(ax, (left, y), (left + 1.2, low), gaps=(0, SMALL), via=[(left, low)])
                arrow(ax, (left + 1.2, low), (left + 3.75, low), gaps=(SMALL, WIDE))
                box(ax, (left + 1.2, low), SMALL, "norm", NORM)
                arrow(ax, (left + 3.75, low), (plus, y), gaps=(WIDE, SIGN), via=[(plus, low)])
                box(ax, (left + 3.75, low), WIDE, part, PART)
                stops.append((plus, SIGN))
            else:
                arrow(ax, (left, y), (left + 1.95, low), gaps=(0, WIDE), via=[(left, low)])
                arrow(ax, (left + 1.95, low), (plus, y), gaps=(WIDE, SIGN), via=[(plus, low)])
                box(ax, (left + 1.95, low), WIDE, part, PART)
                stops += [(plus, SIGN), (plus + 1.35, SMALL)]
                box(ax, (plus + 1.35, y), SMALL, "norm", NORM)
            sign(ax, (plus, y), "+")
        stops.append((14, RADIUS))
        for (x, gap), (x_next, gap_next) in itertools.pairwise(stops):
            _stream(ax, (x, y), (x_next, y), (gap, gap_next))
        vector(ax, (0, y), "x", "x^{l-1}", size=0.33)
        vector(ax, (14, y), "x", "x^l", size=0.36)
    return ax


def transformer_post_norm(ax):
    """Encoder and decoder as published in 2017, with the norms after the sums.

    Returns ax. Wants about (6.4, 7.2) inches.
    """
    return _transformer(ax, before=False)


def transformer_pre_norm(ax):
    """Encoder and decoder with the norms before the parts, and one more at each end.

    Returns ax. Wants about (6.4, 7.2) inches.
    """
    return _transformer(ax, before=True)


def _transformer(ax, before):
    canvas(ax, (-1.2, 15.6), (-0.75, 15.9))
    encoded = _column(ax, ENCODER, ["self-attention", "feed-forward"], "source words", before)
    parts = ["causal\nself-attention", "cross-attention", "feed-forward"]
    top = _column(ax, DECODER, parts, "START and the words so far", before)
    cross = FOOT + PITCH + _part_height(before)
    lane = 7.25
    arrow(ax, (ENCODER[0], encoded), (DECODER[1], cross), gaps=(0, WIDE),
          via=[(lane, encoded), (lane, cross)], width=2.2)  # fmt: skip
    text(ax, (lane - 0.3, encoded + 0.35), "encoded: keys and values", QUIET, 0.33, ha="right")
    x = DECODER[0]
    arrow(ax, (x, top), (x, top + 1.1), gaps=(0, HEIGHT), **STREAM)
    box(ax, (x, top + 1.1), 0.95, r"$W$, $b$", PART)
    arrow(ax, (x, top + 1.1), (x, top + 2.2), gaps=(HEIGHT, 0.45))
    vector(ax, (x, top + 2.2), "y", "p", radius=0.45)
    text(ax, (x - 1.25, top + 1.1), "read-out: the table of\nthe embedding again", QUIET, 0.33,
         ha="right")  # fmt: skip
    text(ax, (x - 0.75, top + 2.2), "the next word", QUIET, 0.33, ha="right")
    return ax


def _part_height(before):
    """How far above a tap the box of its part stands."""
    return 1.65 if before else 1.0


def _column(ax, places, parts, words, before):
    """One half: words, embedding, positions, one layer as a frame, the last norm.

    Returns the height where its stream ends.
    """
    x, beside = places
    left = min(x - SMALL - 0.35, beside - WIDE - 0.25)
    right = max(x + SMALL + 0.35, beside + WIDE + 0.25)
    height = PITCH * len(parts)
    frame(ax, (left, FOOT - 0.35), right - left, height + 0.15)
    side = (left - 0.2, "right") if x < beside else (right + 0.2, "left")
    text(ax, (side[0], FOOT + height / 2), r"$L\times$", QUIET, 0.42, ha=side[1])
    step = 1 if beside > x else -1
    vector(ax, (x, -0.2), "x", "u", radius=0.4)
    toward = "left" if step > 0 else "right"
    text(ax, (x + 0.65 * step, -0.2), words, QUIET, 0.33, ha=toward)
    arrow(ax, (x, -0.2), (x, 0.85), gaps=(0.4, HEIGHT))
    box(ax, (x, 0.85), 0.95, r"$\sqrt{D}\,W^\top u$", PART, size=0.3)
    arrow(ax, (x, 0.85), (x, 1.9), gaps=(HEIGHT, SIGN), **STREAM)
    arrow(ax, (x + 1.75 * step, 1.9), (x, 1.9), gaps=(0, SIGN))
    text(ax, (x + 1.85 * step, 1.9), "positions", QUIET, 0.33,
         ha=toward)  # fmt: skip
    sign(ax, (x, 1.9), "+")
    stops, up = [(1.9, SIGN)], _part_height(before)
    for i, part in enumerate(parts):
        tap = FOOT + PITCH * i
        plus = tap + (2.35 if before else 1.5)
        low = tap + 0.7 if before else None
        dot(ax, (x, tap))
        tall = 0.5 if "\n" in part else HEIGHT
        if before:
            arrow(ax, (x, tap), (beside, low), gaps=(0, 0.28), via=[(beside, tap)])
            arrow(ax, (beside, low), (beside, tap + up), gaps=(0.28, tall))
            box(ax, (beside, low), SMALL, "norm", NORM, height=0.28)
            stops.append((plus, SIGN))
        else:
            arrow(ax, (x, tap), (beside, tap + up - 0.15), gaps=(0, tall), via=[(beside, tap)])
            stops += [(plus, SIGN), (plus + 0.85, 0.28)]
            box(ax, (x, plus + 0.85), SMALL, "norm", NORM, height=0.28)
        sign(ax, (x, plus), "+")
        center = tap + up - (0 if before else 0.15)
        arrow(ax, (beside, center), (x, plus), gaps=(tall, SIGN), via=[(beside, plus)])
        box(ax, (beside, center), WIDE, part, PART, height=tall, size=0.33)
    end = FOOT + height + 0.1
    if before:
        stops.append((end + 0.55, 0.28))
        box(ax, (x, end + 0.55), SMALL, "norm", NORM, height=0.28)
        end += 0.55
    for (y, gap), (y_next, gap_next) in itertools.pairwise(stops):
        _stream(ax, (x, y), (x, y_next), (gap, gap_next))
    last, gap = stops[-1]
    arrow(ax, (x, last), (x, end + 0.55), gaps=(gap, 0), head=False, **STREAM)
    return end + 0.55


def _stream(ax, start, end, gaps):
    """A piece of the thick line; where it is short, without a head."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1]) - sum(gaps)
    arrow(ax, start, end, gaps=gaps, head=length > 0.6, **STREAM)
