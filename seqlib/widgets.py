"""Explorables: a figure with a knob, or whose cells tell their values, in a notebook and in a page.

One object has two representations. A live notebook shows an ipywidgets control that draws again at
every move. The built page shows a native slider or select box over frames drawn beforehand, which
needs no kernel and no widget manager; print shows the first, the middle and the last frame.

Where the environment variable SEQLIB_FRAMES names a folder, encoded frames are kept in it and used
again for the same pixels.
"""

import base64
import hashlib
import html
import io
import itertools
import json
import math
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib import resources
from numbers import Number
from pathlib import Path

import numpy as np

from seqlib import cells, optional

with optional.imports():
    import matplotlib.style
    import PIL
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

MAX_FRAMES = 60
MAX_BYTES = 600_000  # of HTML, so with the third that base64 adds
DPI = 200  # twice what the page shows, for dense screens
AREAS, EDGES = 192, 64  # colors of a frame: exact ones of areas, and some for the edges between
PACE = 700  # milliseconds that a frame is shown while playing; explore.js has the same
ICON = (
    '<svg viewBox="0 0 10 10" aria-hidden="true">'
    '<path d="M1 0 10 5 1 10z"/><path d="M1 0h3v10H1zM6 0h3v10H6z"/></svg>'
)


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


def hover(draw, *, alt, size=(6.4, 3.2), panels=(1, 1)):
    """A figure without a knob whose cells tell their values; make it the last line of a cell.

    draw    function called as draw(axes), as in `explore`; what it draws has called `cells.note`,
            as all heat maps do
    alt     what the picture shows
    size    width and height in inches
    panels  rows and columns of Axes

    Returns an Explorable of one frame; caption and name are in the metadata of the notebook's cell.
    Raises ValueError for an empty alt text, and if the drawing has no cells.
    """
    picture = Explorable(draw, lambda: alt, [], [], "", size, panels)
    if picture.cells == [[]]:
        raise ValueError(f"the drawing has 0 cells to tell; grids of up to {cells.MOST} have some")
    return picture


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
                f'<button type="button" class="explorable-play" data-label="{label}"'
                f' aria-label="Play: {label}">{ICON}</button>'
                f'<label>{label} <input type="range" min="0" max="{len(self.options) - 1}" step="1"'
                f' value="{chosen}" aria-valuetext="{word}" autocomplete="off"></label>'
                f'<output aria-live="polite" style="min-width: {width}ch">{word}</output>'
            )
        else:
            options = "".join(
                f'<option value="{i}"{" selected" * (i == chosen)}>{html.escape(word)}</option>'
                for i, word in enumerate(self.words)
            )
            control = f'<label>{label} <select autocomplete="off">{options}</select></label>'
        return f'<div class="explorable-control" data-words="{words}">{control}</div>'


def _numerals(values):
    """The numbers as text, all with as many decimals as the most demanding one needs, at most 4."""
    if all(float(v).is_integer() for v in values):
        return [f"{float(v):,.0f}" for v in values]
    for decimals in range(1, 5):
        if all(math.isclose(round(v, decimals), v, rel_tol=1e-9) for v in values):
            return [f"{v:.{decimals}f}" for v in values]
    return [f"{v:.3g}" for v in values]


class Explorable:
    """What `explore` and `hover` return: frames, and a widget where a kernel can draw more.

    choices  the parameters of each frame, as dicts, in the order of nested loops
    alts     the alt text of each frame
    frames   the frames, as PNG bytes
    cells    the cells of each frame, as `cells.collect` returns them
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
        drawn = [self._frame(choice) for choice in self.choices]  # errors show here, in the cell
        self.frames, self.cells = map(list, zip(*drawn, strict=True))
        if len(self.html()) > MAX_BYTES:
            raise ValueError(
                f"{len(self.frames)} frames take {len(self.html()) / 1e3:.0f} kB;"
                f" at most {MAX_BYTES / 1e3:.0f}: draw fewer or smaller ones"
            )

    def __repr__(self):
        if not self.controls:
            grids = [len(grid["values"]) for grid in self.cells[0]]
            return f"<Picture of {sum(grids)} cells in {len(grids)} grids>"
        ranges = [f"{c.label}: {c.words[0]} … {c.words[-1]}" for c in self.controls]
        return f"<Explorable {'; '.join(ranges)}, {len(self.frames)} frames>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"text/plain": repr(self), "text/html": self.html()}
        if self.controls and _kernel_is_live():
            bundle = self.widget()._repr_mimebundle_() | bundle
        return bundle

    def html(self):
        """The figure for a page: complete in itself, without ids, so any number fit on a page."""
        middle = [len(control.options) // 2 for control in self.controls]
        printed = 0, self._index(middle), len(self.frames) - 1
        frames = []
        for i, choice in enumerate(self.choices):
            marks = " data-shown" * (i == self._index(self.shown)) + " data-print" * (i in printed)
            words = html.escape(self._words(choice))
            frames.append(
                f'<div class="explorable-frame"{marks}{_data(self.cells[i])}>'
                f"{_img(self.frames[i], self.alts[i], self.size)}"
                + f'<p class="explorable-value">{words}</p>' * bool(words)
                + "</div>"
            )
        stage = _stage(frames, next(filter(None, self.cells), []))
        if not self.controls:  # the notebook's cell makes it a figure, with number and caption
            return f'<div class="explorable">{_style()}{stage}{_script()}</div>'
        controls = "".join(c.html(i) for c, i in zip(self.controls, self.shown, strict=True))
        name = html.escape(", ".join(control.label for control in self.controls))
        caption = f"<figcaption>{html.escape(self.caption)}</figcaption>" if self.caption else ""
        return (
            f'<figure class="explorable" aria-label="Explore: {name}">{_style()}'
            f'<div class="explorable-controls">{controls}</div>{stage}{caption}{_script()}</figure>'
        )

    def widget(self):
        """The same figure as ipywidgets, drawn again at every move."""
        with optional.imports():
            import ipywidgets

        inputs, rows = {}, []
        for control, i in zip(self.controls, self.shown, strict=True):
            kind = ipywidgets.SelectionSlider if control.is_slider else ipywidgets.Dropdown
            inputs[control.name] = kind(
                options=list(zip(control.words, control.options, strict=True)),
                index=i,
                description=control.label,
                style={"description_width": "initial"},
                layout={"width": "auto", "flex": "1 1 auto"},
            )
            rows.append(inputs[control.name])
            if control.is_slider:
                rows[-1] = ipywidgets.HBox([_player(rows[-1], control), rows[-1]])
        picture = ipywidgets.HTML()

        def show(change=None):
            choice = {name: control.value for name, control in inputs.items()}
            png, grids = self._frame(choice)
            frame = (
                f'<div class="explorable-frame" data-shown{_data(grids)}>'
                f"{_img(png, self._alt(choice), self.size)}</div>"
            )
            picture.value = f'<div class="explorable">{_stage([frame], grids)}</div>'

        for control in inputs.values():
            control.observe(show, names="value")
        show()
        caption = [ipywidgets.HTML(html.escape(self.caption))] if self.caption else []
        # An HTML widget runs no script, an output does.
        listener = {"text/html": _style() + _script()}
        assets = ipywidgets.Output(
            outputs=({"output_type": "display_data", "data": listener, "metadata": {}},)
        )
        return ipywidgets.VBox([*rows, picture, *caption, assets])

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

    def _frame(self, choice):
        """One frame as PNG, and its cells."""
        with matplotlib.style.context("seqlib.seqlib"):
            figure = Figure(figsize=self.size, dpi=DPI)
            canvas = FigureCanvasAgg(figure)
            self.draw(figure.subplots(*self.panels), **choice)
            canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        return _png(np.ascontiguousarray(pixels)), cells.collect(figure)


def _png(pixels):
    """The PNG of (height, width, 3) bytes; taken from SEQLIB_FRAMES if the same were there before.

    The name of a kept frame is the hash of all that makes it, so no frame is ever out of date.
    """
    folder = os.environ.get("SEQLIB_FRAMES")
    if not folder:
        return _encoded(pixels)
    made_of = f"{pixels.shape} {AREAS} {EDGES} Pillow {PIL.__version__}".encode() + pixels.tobytes()
    kept = Path(folder) / f"{hashlib.sha256(made_of).hexdigest()}.png"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(f".{os.getpid()}")
        beside.write_bytes(_encoded(pixels))
        beside.replace(kept)  # at once: another kernel may read while this one writes
    return kept.read_bytes()


def _encoded(pixels):
    """A PNG with a palette, a third as large as one without.

    Equal cells of a heat map must not get different colors, so areas keep theirs exactly. The many
    colors of soft edges go to the nearest of a few that are spread over all of them.
    """
    codes = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colors, counts = np.unique(codes, return_counts=True)
    channels = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], axis=1).astype(np.uint8)
    order = np.argsort(-counts, kind="stable")[:AREAS]
    palette = channels[order[counts[order] > codes.size / 2000]]
    edges = Image.fromarray(channels[None]).quantize(EDGES, method=Image.Quantize.MAXCOVERAGE)
    palette = np.concatenate([palette, np.reshape(edges.getpalette(), (-1, 3))[:EDGES]])
    distances = (palette.astype(float) ** 2).sum(axis=1) - 2.0 * channels @ palette.T.astype(float)
    place_of = np.zeros(1 << 24, np.uint8)
    place_of[colors] = distances.argmin(axis=1)
    image = Image.fromarray(place_of[codes])
    image.putpalette(palette.astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _player(slider, control):
    """A button that plays a slider; moving the slider by hand pauses it."""
    with optional.imports():
        import ipywidgets

    player = ipywidgets.Play(
        value=slider.index, max=len(control.options) - 1, interval=PACE, show_repeat=False,
        tooltip=f"Play: {control.label}",
    )  # fmt: skip

    def on_player(change):
        slider.index = player.value

    def on_slider(change):
        if player.value != slider.index:
            player.playing = False
            player.value = slider.index

    player.observe(on_player, names="value")
    slider.observe(on_slider, names="index")
    return player


def _stage(frames, grids):
    """Frames, and over them the pad that knows which cell of the grids is pointed at."""
    pad = said = ""
    if grids:
        words = list(dict.fromkeys(grid["what"] for grid in grids))
        hint = f"Point at or tap {' or '.join(f'a {word}' for word in words)} to read its value."
        label = f"{' and '.join(f'{word}s' for word in words)} of the picture; arrow keys move"
        pad = (
            '<div class="explorable-cells" tabindex="0" role="application"'
            f' aria-label="{label.capitalize()}"><span hidden></span></div>'
        )
        said = f'<p class="explorable-said" aria-live="polite" data-hint="{hint}"></p>'
    return f'<div class="explorable-stage">{"".join(frames)}{pad}</div>{said}'


def _data(grids):
    """The cells of a frame as an attribute, between single quotes: JSON is full of double ones."""
    if not grids:
        return ""
    text = json.dumps(grids, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
    return f" data-cells='{text}'"


def _img(png, alt, size):
    width, height = (round(inches * DPI / 2) for inches in size)
    data = base64.b64encode(png).decode()
    # The theme leaves images of the class dark-light as they are in dark mode.
    return (
        f'<img class="dark-light" src="data:image/png;base64,{data}" alt="{html.escape(alt)}"'
        f' width="{width}" height="{height}">'
    )


def _style():
    return f"<style>{_asset('explore.css')}</style>"


def _script():
    return f"<script>{_asset('explore.js')}</script>"


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
