"""Sphinx extension: the chapters as a drawing, each a link, with arrows to those that need it.

    ```{chapter-map}
    ```

One drawing for every width: it is 400 units wide, so that a narrow screen shows it at full size.
Colors are those of the page, light or dark.
"""

import html

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

WIDTH, STEP, HEIGHT = 400, 66, 48
MAIN, SIDE = (137, 262), (1, 200)  # left edge and width of the boxes of two columns
# Chapter, what it is called here, what it adds, its column.
BOXES = (
    ("01_sequences", "Sequences", "what there is to remember", MAIN),
    ("02_rnn", "The recurrent network", "a state that is carried along", MAIN),
    ("03_bptt", "Backpropagation through time", "how such a network learns", MAIN),
    ("04_gradient_flow", "Gradient flow", "why it learns so little", SIDE),
    ("05_lstm", "The LSTM", "a cell that can keep", SIDE),
    ("06_gru", "The GRU", "the same with less", SIDE),
    ("07_encoder_decoder", "Encoder and decoder", "one network reads, one writes", MAIN),
    ("08_attention", "Attention", "look again, don't remember", MAIN),
    ("09_self_attention", "Self-attention", "a sequence looks at itself", MAIN),
    ("10_transformer", "The Transformer", "nothing but attention", MAIN),
)
# From a chapter to one that rests on it, and to one that takes a part from it.
NEEDS = ((1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (3, 7), (7, 8), (8, 9), (9, 10))
# What it takes, and where these words stand: x, y, and which end of them is there.
BORROWS = {
    (6, 7): ("its cells", (176, 392, "start")),
    (7, 10): ("its search", (92, 525, "end")),
}


class ChapterMap(SphinxDirective):
    def run(self):
        addresses = [
            self.env.app.builder.get_relative_uri(self.env.docname, f"chapters/{name}")
            for name, *_ in BOXES
        ]
        return [nodes.raw("", drawing(addresses), format="html")]


def top(number):
    """The upper edge of a chapter's box."""
    return 1 + STEP * (number - 1)


def sides(number):
    """The left edge and the middle of a chapter's box."""
    left, width = BOXES[number - 1][3]
    return left, left + width / 2


def needed_by(number):
    """In words: the chapters that a chapter needs."""
    needs = [f"chapter {a}" for a, b in NEEDS if b == number]
    parts = [f"a part of chapter {a}" for a, b in BORROWS if b == number]
    return f"needs {' and '.join(needs + parts)}" if needs else "needs no other"


def box(number, address):
    """A chapter: a link with its name, what it adds and, for who cannot see arrows, its needs."""
    _, title, adds, (left, width) = BOXES[number - 1]
    y, label = top(number), f"{number} {title}, {adds}: {needed_by(number)}"
    return (
        f'<a href="{address}" aria-label="{html.escape(label)}">'
        f'<rect x="{left}" y="{y}" width="{width}" height="{HEIGHT}" rx="5"/>'
        f'<text class="title" x="{left + 12}" y="{y + 20}"><tspan class="number">{number}</tspan>'
        f"<tspan> {html.escape(title)}</tspan></text>"
        f'<text x="{left + 12}" y="{y + 38}">{html.escape(adds)}</text></a>'
    )


def arrow(a, b):
    """The line from a chapter's box to that of one that needs it, as the data of a path."""
    (left, x), (_, x_b) = sides(a), sides(b)
    y, y_b = top(a) + HEIGHT, top(b) - 2
    if (a, b) == (7, 10):  # past the chapters between, on the left
        y, y_b = top(a) + HEIGHT / 2, top(b) + HEIGHT / 2
        return f"M{left} {y} C{left - 46} {y + 40} {left - 46} {y_b - 40} {left - 2} {y_b}"
    if x == x_b:
        shift = 40 if b > a + 1 else 0  # past the other column, on the right
        return f"M{x + shift} {y} V{y_b}"
    middle = (max(left, sides(b)[0]) + sum(SIDE)) / 2  # where the two columns overlap
    return f"M{middle} {y} V{y_b}"


def drawing(addresses):
    """The whole drawing as HTML."""
    lines = [f'<path d="{arrow(*pair)}"/>' for pair in NEEDS]
    lines += [f'<path class="borrows" d="{arrow(*pair)}"/>' for pair in BORROWS]
    words = [
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'
        for words, (x, y, anchor) in BORROWS.values()
    ]
    boxes = [box(number, address) for number, address in enumerate(addresses, 1)]
    size = f"{WIDTH} {top(len(BOXES)) + HEIGHT + 1}"
    return f"""<figure class="chapter-map">
<svg viewBox="0 0 {size}" role="group" aria-label="Map of the chapters">
<defs><marker id="chapter-map-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"
 markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker>
</defs><g class="arrows" aria-hidden="true">{"".join(lines)}{"".join(words)}</g>
{"".join(boxes)}</svg>
<figcaption>An arrow leads from a chapter to one that rests on it; a dashed one to one that takes
a part from it.</figcaption></figure>"""


def setup(app):
    app.add_directive("chapter-map", ChapterMap)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
