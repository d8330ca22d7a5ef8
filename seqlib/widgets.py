"""Explorables: a figure with a knob, in a live notebook and in the built page.

One object has two representations. A live notebook shows an ipywidgets control that draws again at
every move. The built page shows a native slider or select box over frames drawn beforehand, which
needs no kernel and no widget manager; print shows the first, the middle and the last frame.
"""

import base64
import html
import io
import itertools
import json
import math
import sys
from collections.abc import Mapping
from functools import cache
from importlib import resources
from numbers import Number

import matplotlib.style
from matplotlib.figure import Figure
from PIL import Image

MAX_FRAMES = 60
MAX_BYTES = 600_000  # of HTML, so with the third that base64 adds
DPI = 200  # twice what the page shows, for dense screens


def explore(
    draw,
    *,
    alt,
    label=None,
    caption="",
    size=(6.4, 3.2),
    panels=(1, 1),
    start=None,
    **values,
):
    """A figure whose parameters the reader chooses; make it the last line of a cell.

    draw     function called as draw(axes, **choice) with one value of each parameter; axes is what
             plt.subplots(*panels) returns: one Axes, or an array of them
    alt      what the picture shows: a format string with the parameters' names, or a function
    label    name of the control, by default the parameter's; for several, a dict by parameter
    caption  one sentence below the figure
    size     width and height in inches; 6.4 fills the text column
    panels   rows and columns of Axes
    start    dict or single value that is shown first, by default the middle ones
    values   the values of each parameter: numbers give a slider, words a select box

    Returns an Explorable.
    Raises ValueError for fewer than 2 values, equal alt texts, more than 60 frames or than 600 kB.
    """
    if not values:
        raise ValueError(
            "explore has 0 parameters; give at least 1, such as temperature=[0.5, 1, 2]"
        )
    values = {name: list(options) for name, options in values.items()}
    for name, options in values.items():
        if len(options) < 2:
            raise ValueError(f"{name} has {len(options)} values; a control needs at least 2")
    counts = [len(options) for options in values.values()]
    if math.prod(counts) > MAX_FRAMES:
        product = " x ".join(map(str, counts))
        raise ValueError(f"{product} values make {math.prod(counts)} frames; at most {MAX_FRAMES}")
    labels = _per_parameter(label, values, "label")
    starts = _per_parameter(start, values, "start")
    shown = []
    for name, options in values.items():
        if name in starts and starts[name] not in options:
            raise ValueError(f"start is {starts[name]!r}; {name} has the values {options}")
        shown.append(options.index(starts[name]) if name in starts else len(options) // 2)
    controls = [
        Control(name, labels.get(name, name.replace("_", " ")), options)
        for name, options in values.items()
    ]
    return Explorable(draw, alt, controls, shown, caption, size, panels)


def _per_parameter(given, values, what):
    """`given` as a dict from parameter to value; a single one belongs to the only parameter."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        if len(values) != 1:
            raise ValueError(f"1 {what} for {len(values)} parameters; give a dict of them")
        return dict.fromkeys(values, given)
    unknown = [name for name in given if name not in values]
    if unknown:
        raise ValueError(f"{what} names {unknown}; the parameters are {list(values)}")
    return dict(given)


class Control:
    """One parameter: its name in the code, its label, its values and the words that show them."""

    def __init__(self, name, label, options):
        self.name, self.label, self.options = name, label, options
        self.is_slider = all(isinstance(v, Number) and not isinstance(v, bool) for v in options)
        self.words = _numerals(options) if self.is_slider else [str(v) for v in options]

    def html(self, chosen):
        label, words = html.escape(self.label), html.escape(json.dumps(self.words))
        if self.is_slider:
            word = html.escape(self.words[chosen])
            width = max(map(len, self.words))
            control = (
                f'<label>{label} <input type="range" min="0" max="{len(self.options) - 1}" step="1"'
                f' value="{chosen}" aria-valuetext="{word}"></label>'
                f'<output aria-live="polite" style="min-width: {width}ch">{word}</output>'
            )
        else:
            options = "".join(
                f'<option value="{i}"{" selected" * (i == chosen)}>{html.escape(word)}</option>'
                for i, word in enumerate(self.words)
            )
            control = f"<label>{label} <select>{options}</select></label>"
        return f'<div class="explorable-control" data-words="{words}">{control}</div>'


def _numerals(values):
    """The numbers as text, all with as many decimals as the most demanding one needs, at most 4."""
    if all(float(v).is_integer() for v in values):
        return [f"{float(v):.0f}" for v in values]
    for decimals in range(1, 5):
        if all(math.isclose(round(v, decimals), v, rel_tol=1e-9) for v in values):
            return [f"{v:.{decimals}f}" for v in values]
    return [f"{v:.3g}" for v in values]


class Explorable:
    """What `explore` returns: frames drawn beforehand, and a widget where a kernel can draw more.

    choices  the parameters of each frame, as dicts, in the order of nested loops
    alts     the alt text of each frame
    frames   the frames, as PNG bytes
    """

    def __init__(self, draw, alt, controls, shown, caption, size, panels):
        self.draw, self.alt, self.controls, self.shown = draw, alt, controls, shown
        self.caption, self.size, self.panels = caption, size, panels
        names = [control.name for control in controls]
        rows = itertools.product(*(control.options for control in controls))
        self.choices = [dict(zip(names, row, strict=True)) for row in rows]
        self.alts = [self._alt(choice) for choice in self.choices]
        if "" in self.alts or len(set(self.alts)) < len(self.alts):
            raise ValueError(
                f"{len(self.choices)} frames have {len(set(self.alts) - {''})} different alt texts;"
                " say in each what it shows"
            )
        self.frames = [
            self._png(choice) for choice in self.choices
        ]  # errors show here, in the cell
        if len(self.html()) > MAX_BYTES:
            raise ValueError(
                f"{len(self.frames)} frames take {len(self.html()) / 1e3:.0f} kB;"
                f" at most {MAX_BYTES / 1e3:.0f}: draw fewer or smaller ones"
            )

    def __repr__(self):
        ranges = [f"{c.label}: {c.words[0]} … {c.words[-1]}" for c in self.controls]
        return f"<Explorable {'; '.join(ranges)}, {len(self.frames)} frames>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": repr(self), "text/html": self.html()}
        if _kernel_is_live():
            bundle = self.widget()._repr_mimebundle_() | bundle
        return bundle

    def html(self):
        """The figure for a page: complete in itself, without ids, so any number fit on a page."""
        controls = "".join(c.html(i) for c, i in zip(self.controls, self.shown, strict=True))
        middle = [len(control.options) // 2 for control in self.controls]
        printed = 0, self._index(middle), len(self.frames) - 1
        frames = []
        for i, choice in enumerate(self.choices):
            marks = " data-shown" * (i == self._index(self.shown)) + " data-print" * (i in printed)
            frames.append(
                f'<div class="explorable-frame"{marks}>'
                f"{_img(self.frames[i], self.alts[i], self.size)}"
                f'<p class="explorable-value">{html.escape(self._words(choice))}</p></div>'
            )
        name = html.escape(", ".join(control.label for control in self.controls))
        caption = f"<figcaption>{html.escape(self.caption)}</figcaption>" if self.caption else ""
        return (
            f'<figure class="explorable" aria-label="Explore: {name}">'
            f"<style>{_asset('explore.css')}</style>"
            f'<div class="explorable-controls">{controls}</div>{"".join(frames)}{caption}'
            f"<script>{_asset('explore.js')}</script></figure>"
        )

    def widget(self):
        """The same figure as ipywidgets, drawn again at every move."""
        import ipywidgets

        inputs = {}
        for control, i in zip(self.controls, self.shown, strict=True):
            kind = ipywidgets.SelectionSlider if control.is_slider else ipywidgets.Dropdown
            inputs[control.name] = kind(
                options=list(zip(control.words, control.options, strict=True)),
                index=i,
                description=control.label,
                style={"description_width": "initial"},
                layout={"width": "auto"},
            )
        picture = ipywidgets.HTML()

        def show(change=None):
            choice = {name: control.value for name, control in inputs.items()}
            picture.value = _img(self._png(choice), self._alt(choice), self.size)

        for control in inputs.values():
            control.observe(show, names="value")
        show()
        caption = [ipywidgets.HTML(html.escape(self.caption))] if self.caption else []
        return ipywidgets.VBox([*inputs.values(), picture, *caption])

    def _index(self, positions):
        """The number of the frame with the values at these positions."""
        index = 0
        for control, i in zip(self.controls, positions, strict=True):
            index = index * len(control.options) + i
        return index

    def _alt(self, choice):
        return self.alt(**choice) if callable(self.alt) else self.alt.format(**choice)

    def _words(self, choice):
        return ", ".join(
            f"{c.label} = {c.words[c.options.index(choice[c.name])]}" for c in self.controls
        )

    def _png(self, choice):
        """One frame; 64 colors are enough for a drawing and make it four times smaller."""
        with matplotlib.style.context("seqlib.seqlib"):
            figure = Figure(figsize=self.size)
            self.draw(figure.subplots(*self.panels), **choice)
            buffer = io.BytesIO()
            figure.savefig(buffer, dpi=DPI)
        image = Image.open(buffer).convert("RGB")
        image = image.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        return buffer.getvalue()


def _img(png, alt, size):
    width, height = (round(inches * DPI / 2) for inches in size)
    data = base64.b64encode(png).decode()
    # The theme leaves images of the class dark-light as they are in dark mode.
    return (
        f'<img class="dark-light" src="data:image/png;base64,{data}" alt="{html.escape(alt)}"'
        f' width="{width}" height="{height}">'
    )


@cache
def _asset(name):
    return resources.files("seqlib").joinpath(name).read_text(encoding="utf-8")


def _kernel_is_live():
    """Whether this process is a Jupyter kernel that has ipywidgets."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    if getattr(shell, "kernel", None) is None:
        return False
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        return False
    return True
