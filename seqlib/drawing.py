"""What all diagrams are drawn with: vectors, operations and arrows in one grammar.

A circle is a vector (inputs gray, states blue, cells violet, outputs green, losses red), a box or a
sign is an operation, an arrow carries a vector, a dot is where a vector goes two ways.  Thick
dashes in GRADIENT are gradients on their way back.  Lengths are units of the canvas.  A notebook
shows a drawing as SVG, which stays sharp at every size.
"""

import io
import re
from functools import partial

from seqlib import optional

with optional.imports():
    from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path


INK, QUIET, FAINT, PALE = "#1A1A1A", "#5A5A5A", "#8C8C8C", "#BDBDBD"
GRADIENT = "#C2006B"
FILL = {"x": "#E6E6E6", "h": "#D3DCFA", "c": "#E6D9F2", "y": "#CDEFDB", "b": "#FFF3D1",
        "loss": "#FBDDD8"}  # fmt: skip
WEIGHTS = {"W_{xh}": "#8A2A19", "W_{hh}": "#2A34B8", "W_{hy}": "#007A3D"}
RADIUS, SIGN = 0.45, 0.3  # of a vector, of a sign
HEIGHT = 0.35  # half of a box's
DASHES = (0, (2.2, 1.1))


def canvas(ax, x, y):
    """Equal units without axes, x and y from their first to their last value."""
    ax.set(xlim=x, ylim=y, aspect="equal")
    ax.axis("off")
    figure = ax.get_figure(root=True)
    figure._repr_svg_ = partial(svg, figure)  # IPython asks a figure for it, and a page prefers it


def svg(figure):
    """The figure as SVG text, letters as outlines, as large in a page as its PNG would be."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})

    def pixels(match):
        return f'{match[1]}="{float(match[2]) / 72 * figure.dpi:.0f}"'

    return re.sub(r'(width|height)="([\d.]+)pt"', pixels, buffer.getvalue(), count=2)


def frame(ax, corner, width, height):
    """The gray ground of what happens inside one step."""
    ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.3",
                                facecolor="#F7F7F7", edgecolor=PALE, lw=1.2, zorder=0))  # fmt: skip


def text(ax, place, words, color=INK, size=0.36, **how):
    """Text whose font is `size` units high."""
    box, (width, height) = ax.get_position(original=True), ax.figure.get_size_inches()
    x, y = ax.get_xlim(), ax.get_ylim()
    # Axes without ticks and labels grow to about 1.25 times their first size.
    unit = 1.25 * min(box.width * width / (x[1] - x[0]), box.height * height / (y[1] - y[0]))
    how = {"ha": "center", "va": "center", "zorder": 4} | how
    ax.text(*place, words, color=color, fontsize=72 * size * unit, **how)


def vector(ax, place, kind, name, done=True, active=False, radius=RADIUS, size=None):
    """A circle with a name in mathematics."""
    ax.add_patch(Circle(place, radius, facecolor=FILL[kind] if done else "white", zorder=3,
                        edgecolor=INK if done else PALE, lw=2.6 if active else 1.2,
                        linestyle="-" if done else (0, (3, 2))))  # fmt: skip
    text(ax, place, f"${name}$", INK if done else "#767676", size or 0.88 * radius)


def box(ax, place, half, words, color=INK, height=HEIGHT, size=0.36):
    """An operation; `half` and `height` are half of its width and of its height."""
    corner = place[0] - half, place[1] - height
    ax.add_patch(FancyBboxPatch(corner, 2 * half, 2 * height, zorder=3, edgecolor=color, lw=1.6,
                                boxstyle="round,pad=0,rounding_size=0.12",
                                facecolor="white"))  # fmt: skip
    text(ax, place, words, color, size)


def sign(ax, place, words, size=0.4):
    """An operation on two vectors, element by element."""
    ax.add_patch(Circle(place, SIGN, facecolor="white", edgecolor=INK, lw=1.2, zorder=3))
    text(ax, place, words, size=size)


def dot(ax, place, color=INK):
    """Where one vector goes two ways, or two gradients are added."""
    ax.add_patch(Circle(place, 0.08, color=color, zorder=2.5))


def arrow(ax, start, end, weight="", done=True, beside=(0, 0.3), gaps=(RADIUS, RADIUS), name="",
          via=(), color=None, width=None, dashes="-", size=0.34, head=True):  # fmt: skip
    """An arrow, by the corners `via`, that keeps `gaps` from its two places.

    Its name stands `beside` the middle of its first piece.
    """
    points = [start, *via, end]
    points[0] = tail = _nearer(points[0], points[1], gaps[0])
    points[-1] = _nearer(points[-1], points[-2], gaps[1])
    color = color or (WEIGHTS.get(weight, INK) if done else PALE)
    width = width or (1.8 if weight and done else 1.2)
    look = {"color": color, "lw": width, "joinstyle": "miter", "capstyle": "butt", "zorder": 2}
    if head:  # drawn on its own, so that its outline has no dashes
        points[-1], tip = _nearer(points[-1], points[-2], 0.12), points[-1]
        ax.add_patch(FancyArrowPatch(path=Path([points[-1], tip]), arrowstyle="-|>",
                                     mutation_scale=12, **look))  # fmt: skip
    line = Path(points)
    ax.add_patch(FancyArrowPatch(path=line, arrowstyle="-", linestyle=dashes, **look))
    if (weight or name) and done:
        middle = (tail[0] + points[1][0]) / 2, (tail[1] + points[1][1]) / 2
        place = middle[0] + beside[0], middle[1] + beside[1]
        text(ax, place, f"${weight or name}$", color, size)


def gradient(ax, start, end, name="", **how):
    """A gradient on its way back: an arrow of thick dashes."""
    arrow(ax, start, end, name=name, color=GRADIENT, width=2.2, dashes=DASHES, **how)


def _nearer(place, other, gap):
    """The place moved by `gap` toward the other one."""
    length = ((other[0] - place[0]) ** 2 + (other[1] - place[1]) ** 2) ** 0.5
    dx, dy = (other[0] - place[0]) / length, (other[1] - place[1]) / length
    return place[0] + dx * gap, place[1] + dy * gap
