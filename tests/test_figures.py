"""Explorables, figures and diagrams: what they draw, what a page gets, what they refuse."""

import io
import itertools
import json
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib import style
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from PIL import Image

from seqlib import attention_plots, cells, diagrams, drawing, plots, transformer_plots, widgets

rng = np.random.default_rng(0)


@pytest.fixture
def ax():
    with style.context("seqlib.seqlib"):
        yield Figure().subplots()


def artists(ax):
    return len(ax.lines) + len(ax.patches) + len(ax.collections) + len(ax.images)


# Explorables


def draw(ax, temperature):
    ax.bar([0, 1], [temperature, 1])


ONE = {"alt": "Two bars at {temperature}", "temperature": [0.2, 0.5, 1, 1.5, 2], "size": (2, 1)}
TWO = {"alt": "{kind} of {n}", "kind": ["sine", "cosine"], "n": [1, 2, 3], "size": (2, 1)}


@cache
def one(**changes):
    return widgets.explore(draw, **ONE | changes)


@cache
def two():
    return widgets.explore(
        lambda ax, kind, n: ax.plot([0, n], [0, len(kind)]), label={"n": "frequency"}, **TWO
    )


class Page(HTMLParser):
    """The start tags with their attributes; asserts that every tag is closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes), list(self.open)))
        if tag not in ("img", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes, _ in self.tags if name == tag]


def test_one_frame_and_one_alt_text_per_value():
    images = Page(one().html()).all("img")
    assert [image["alt"] for image in images] == [f"Two bars at {t}" for t in (0.2, 0.5, 1, 1.5, 2)]
    assert len({image["src"] for image in images}) == 5
    assert len(Page(two().html()).all("img")) == 6


def test_the_alt_text_may_be_a_function():
    explorable = one(alt=lambda temperature: f"<{temperature:.2f}> & more")
    assert Page(explorable.html()).all("img")[0]["alt"] == "<0.20> & more"


def test_frames_are_small_and_keep_the_colors():
    size = (6.4, 3.2)
    explorable = widgets.explore(
        lambda ax, T: diagrams.unrolled_rnn(6, T, ax), alt="{T} steps", T=range(7), size=size
    )
    assert len(explorable.html()) < 400_000  # a page may hold 600,000
    image = Image.open(io.BytesIO(explorable.frames[6])).convert("RGB")
    assert image.size == (1280, 640)
    colors = np.array([color for _, color in image.getcolors()]) / 255
    assert len(colors) <= widgets.AREAS + widgets.EDGES <= 256
    for wanted in diagrams.WEIGHTS.values():
        assert np.abs(colors - to_rgb(wanted)).max(axis=1).min() < 0.002


def test_controls_are_native_and_labelled():
    page = Page(two().html())
    (slider,) = page.all("input")
    assert (slider["type"], slider["min"], slider["max"], slider["value"]) == (
        "range",
        "0",
        "2",
        "1",
    )
    assert slider["aria-valuetext"] == "2"
    assert page.all("output") == [{"aria-live": "polite", "style": "min-width: 1ch"}]
    inside = [parents for tag, _, parents in page.tags if tag in ("input", "select")]
    assert len(inside) == 2 and all("label" in parents for parents in inside)
    words = [json.loads(a["data-words"]) for a in page.all("div") if "data-words" in a]
    assert words == [["sine", "cosine"], ["1", "2", "3"]]
    assert ">frequency <" in two().html()


def marked(html, mark):
    frames = [a for a in Page(html).all("div") if a["class"] == "explorable-frame"]
    return [i for i, frame in enumerate(frames) if mark in frame]


def test_the_middle_is_shown_and_three_are_printed():
    assert marked(one().html(), "data-shown") == [2]
    assert marked(one().html(), "data-print") == [0, 2, 4]
    assert marked(one(start=0.5).html(), "data-shown") == [1]
    assert marked(two().html(), "data-shown") == [4]  # cosine, 2
    assert "temperature = 1.5" in one().html()


def test_several_fit_on_one_page():
    page = Page(one().html() + one().html() + two().html())
    ids = [attributes["id"] for _, attributes, _ in page.tags if "id" in attributes]
    assert len(page.all("figure")) == 3
    assert len(ids) == len(set(ids))
    assert not [name for _, a, _ in page.tags for name in a if name in ("for", "aria-labelledby")]


def test_nothing_is_loaded():
    html = two().html()
    page = Page(html)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert page.all("script") == [{}] and page.all("link") == []
    assert "http" not in html and "require" not in html and "@import" not in html


def test_the_text_is_stable_and_the_html_the_same_twice():
    assert repr(one()) == "<Explorable temperature: 0.2 … 2.0, 5 frames>"
    assert repr(two()) == "<Explorable kind: sine … cosine; frequency: 1 … 3, 6 frames>"
    assert widgets.explore(draw, **ONE).html() == widgets.explore(draw, **ONE).html()
    assert set(one()._repr_mimebundle_()) == {"text/plain", "text/html"}  # no kernel here


def test_a_live_notebook_gets_a_widget_that_draws_again(monkeypatch):
    drawn = []

    def draw(ax, n):
        drawn.append(n)
        ax.plot([0, n])

    explorable = widgets.explore(draw, alt="{n} & up", n=[1, 2, 3, 4], start=2, size=(2, 1))
    monkeypatch.setattr(widgets, "_kernel_is_live", lambda: True)
    bundle = explorable._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} == set(bundle)
    assert bundle["text/plain"] == repr(explorable)
    row, picture, assets = explorable.widget().children
    player, slider = row.children
    before = picture.value
    slider.value = 3
    assert drawn[-1] == 3
    assert picture.value != before and 'alt="3 &amp; up"' in picture.value
    assert widgets._script() in assets.outputs[0]["data"]["text/html"]
    player.playing = True
    player.value = 3  # what the browser does after 0.7 s
    assert drawn[-1] == 4 and player.playing and player.interval == widgets.PACE
    slider.value = 1  # by hand
    assert drawn[-1] == 1 and (player.value, player.playing) == (0, False)


def test_panels_are_the_axes_of_subplots():
    seen = []
    widgets.explore(
        lambda axes, n: seen.append(axes.shape), alt="{n}", n=[1, 2], panels=(1, 2), size=(2, 1)
    )
    assert seen == [(2,), (2,)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1, 2.0, np.int64(10)], ["1", "2", "10"]),
        ([0.25, 1], ["0.25", "1.00"]),
        ([0.1 + 0.2, 0.6], ["0.3", "0.6"]),
        ([1e-6, 0.5], ["1e-06", "0.5"]),
        ([-0.5, 0], ["-0.5", "0.0"]),
        ([100, 5000], ["100", "5,000"]),
    ],
)
def test_numbers_have_equal_decimals(values, words):
    assert widgets.Control("x", "x", values).words == words


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": [1]}, "temperature has 1 values"),
        ({"temperature": range(61)}, "61 values make 61 frames; at most 60"),
        ({"alt": "Two bars"}, "5 frames have 1 different alt texts"),
        ({"alt": ""}, "5 frames have 0 different alt texts"),
        ({"start": 3}, "start is 3; temperature has the values"),
        ({"label": {"heat": "T"}}, r"label names \['heat'\]; the parameters are \['temperature'\]"),
        ({"size": (200, 100)}, r"frames take \d+ kB; at most 600"),
    ],
)
def test_explore_refuses(changes, message, monkeypatch):
    if "size" in changes:
        noise = rng.integers(0, 256, 400_000, dtype=np.uint8).tobytes()
        monkeypatch.setattr(widgets.Explorable, "_frame", lambda self, choice: (noise, []))
    with pytest.raises(ValueError, match=message):
        widgets.explore(draw, **ONE | changes)


def test_explore_refuses_several_at_once():
    with pytest.raises(ValueError, match="8 x 9 values make 72 frames; at most 60"):
        widgets.explore(draw, **TWO | {"kind": list("abcdefgh"), "n": range(9)})
    with pytest.raises(ValueError, match="1 label for 2 parameters"):
        widgets.explore(draw, label="frequency", **TWO)
    with pytest.raises(ValueError, match="0 parameters"):
        widgets.explore(draw, alt="")


def test_every_slider_can_be_played():
    page = Page(two().html())
    (button,) = page.all("button")
    assert (button["type"], button["aria-label"]) == ("button", "Play: frequency")
    assert f"PACE = {widgets.PACE};" in widgets._script()


def test_frames_are_kept_by_their_pixels(tmp_path, monkeypatch):
    encoded = []
    plain = widgets._encoded
    monkeypatch.setattr(widgets, "_encoded", lambda pixels: encoded.append(1) or plain(pixels))
    first = widgets.explore(draw, **ONE).frames
    assert len(encoded) == 5 and not list(tmp_path.iterdir())
    monkeypatch.setenv("SEQLIB_FRAMES", str(tmp_path / "frames"))
    assert widgets.explore(draw, **ONE).frames == first
    assert len(encoded) == 10 and len(list((tmp_path / "frames").glob("*.png"))) == 5
    assert widgets.explore(draw, **ONE).frames == first and len(encoded) == 10
    other = widgets.explore(lambda ax, temperature: draw(ax, temperature + 1), **ONE).frames
    assert len(encoded) == 13  # 1.2, 2.5 and 3.0 are new, 1.5 and 2 were there
    assert other[1:3] == first[3:] and other[0] not in first


# Cells that tell their values


def test_cells_lie_where_the_picture_has_them():
    """The pixel in the middle of each cell has the color of the value that the cell tells."""
    matrix = np.arange(12).reshape(3, 4) / 11

    def draw(axes):
        plots.heatmap(matrix, axes[0], bar="weight", ylabel="a long label\nin two lines")
        plots.heatmap(matrix[:, ::-1], axes[1], limits=(0, 1), columns=["first", *"bcd"])
        axes[1].invert_yaxis()
        axes[1].invert_xaxis()

    picture = widgets.hover(draw, alt="Two maps", panels=(1, 2))
    pixels = np.array(Image.open(io.BytesIO(picture.frames[0])).convert("RGB"))
    height, width, _ = pixels.shape
    assert len(picture.cells[0]) == 2
    for grid in picture.cells[0]:
        x, y = np.array(grid["x"]) * width / 1e4, np.array(grid["y"]) * height / 1e4
        assert (np.diff(x) > 0).all() and (np.diff(y) > 0).all()
        values = np.reshape(grid["values"], (3, 4)) / 10 ** grid["digits"]
        for r, c in np.ndindex(3, 4):
            there = pixels[int(y[r : r + 2].mean()), int(x[c : c + 2].mean())] / 255
            assert np.abs(there - mpl.colormaps["Blues"](values[r, c])[:3]).max() < 0.02
    assert (
        picture.cells[0][0]["say"]
        == "a long label in two lines {row}, column {column}: weight {value}"
    )
    assert picture.cells[0][1]["rows"] == ["2", "1", "0"]
    assert picture.cells[0][1]["columns"] == ["d", "c", "b", "first"]


def collected(ax):
    ax.figure.draw_without_rendering()
    return cells.collect(ax.figure)


def test_values_are_short_and_may_be_missing(ax):
    plots.heatmap([[1 / 3, np.nan], [2, -1.5]], ax, xlabel="step $t$", say="{row}: {value}")
    (grid,) = collected(ax)
    assert (grid["values"], grid["digits"]) == ([33, None, 200, -150], 2)
    assert (grid["say"], grid["unless"]) == (
        "{row}: {value}",
        "row {row}, step t {column}: no value",
    )
    plots.heatmap([[5, 0]], ax)
    (grid,) = collected(ax)
    assert (grid["values"], grid["digits"]) == ([5, 0], 0)
    plots.heatmap(np.zeros((40, 41)), ax)
    assert collected(ax) == []  # too fine to point at


def test_attention_and_masks_have_sentences(ax):
    mask = np.tri(2, dtype=bool)
    attention_plots.masked_weights(mask / mask.sum(axis=1)[:, None], mask, ["I", "am"], ax)
    (grid,) = collected(ax)
    assert grid["values"] == [100, None, 50, 50] and grid["rows"] == ["I", "am"]
    assert grid["say"] == "{row} attends to {column}: {value}"
    assert grid["unless"] == "{row} may not see {column}"


def test_words_and_bars_tell_their_values(ax):
    plots.links([[0.1, 0.9], [0.96, 0.04]], ["old", "gentleman"], ["vieil", "homme"], 1, ax)
    (grid,) = collected(ax)
    assert (grid["rows"], grid["columns"]) == (["homme"], ["old", "gentleman"])
    assert grid["values"] == [96, 4]
    assert 2 * (grid["x"][1] - grid["x"][0]) < grid["x"][2] - grid["x"][1]
    axes = Figure().subplots(1, 2)
    transformer_plots.writing([0.7, 0.3], ["I", "am"], p, np.array(list("vwxyz")).take, axes)
    left, right = collected(axes[0])
    assert (left["rows"], left["values"]) == (["I", "am"], [70, 30])
    assert right["values"] == sorted(right["values"], reverse=True)
    axes = Figure().subplots(1, 2, squeeze=False)
    masks = {"causal": np.tri(3, dtype=bool)[None], "all": np.ones((1, 2, 3), bool)}
    transformer_plots.masks(masks, ["a"], axes)
    causal, _ = collected(axes[0, 0])
    assert causal["values"] == [1, None, None, 1, 1, None, 1, 1, 1]
    assert (causal["rows"][0], causal["unless"]) == ("1", "query {row} may not see key {column}")
    plots.distribution([0.25, 0.75], " a", ax)
    assert (grid := collected(ax)[0])["columns"] == ["␣", "a"] and grid["values"] == [25, 75]


def test_the_cells_stand_beside_their_frame():
    explorable = widgets.explore(
        lambda ax, n: plots.heatmap([[n, 1]], ax, rows=["d'un <b> & \"x\""]), alt="{n}", n=[1, 2],
        size=(2, 1),
    )  # fmt: skip
    page = Page(explorable.html())
    frames = [a for a in page.all("div") if a["class"] == "explorable-frame"]
    for frame, grids in zip(frames, explorable.cells, strict=True):
        assert json.loads(frame["data-cells"]) == grids
        assert grids[0]["rows"] == ['d\'un <b> & "x"']
    assert [grids[0]["values"] for grids in explorable.cells] == [[1, 1], [2, 1]]
    (pad,) = [a for a in page.all("div") if a["class"] == "explorable-cells"]
    assert (pad["tabindex"], pad["role"]) == ("0", "application") and pad["aria-label"]
    (said,) = [a for a in page.all("p") if a["class"] == "explorable-said"]
    assert said["aria-live"] == "polite" and "a cell to read" in said["data-hint"]
    picture = widgets.hover(lambda ax: plots.distribution([0.2, 0.8], "ab", ax), alt="Two bars")
    assert 'data-hint="Point at or tap a bar to read its value."' in picture.html()
    assert 'class="explorable-cells"' not in one().html()


def test_a_figure_without_a_knob_tells_its_cells():
    picture = widgets.hover(lambda ax: plots.heatmap(np.eye(2), ax), alt="An identity", size=(2, 1))
    assert repr(picture) == "<Picture of 4 cells in 1 grids>"
    page = Page(picture.html())
    assert [image["alt"] for image in page.all("img")] == ["An identity"]
    assert not page.all("input") and not page.all("figure") and page.all("script") == [{}]
    with pytest.raises(ValueError, match="0 cells"):
        widgets.hover(lambda ax: ax.plot([1]), alt="A line")
    with pytest.raises(ValueError, match="0 different alt texts"):
        widgets.hover(lambda ax: plots.heatmap(np.eye(2), ax), alt="")


# Plots: the data in, the same Axes out

x = np.arange(1, 31)
p, q = rng.dirichlet(np.ones(5), 2)
DRAWN = {
    "series": lambda ax: plots.series(
        rng.normal(size=30), ax, x=x, xlabel="month", ylabel="passengers", window=(5, 10),
        forecasts={"window of 6": np.ones(20), "mean": np.ones(3)},
    ),
    "curves": lambda ax: plots.curves(
        x, {"RNN": rng.random((3, 30)), "3-gram": rng.random(30)}, ax, xlabel="step",
        ylabel="loss (nats)", log="xy", reference=("chance", 0.5),
    ),
    "heatmap": lambda ax: plots.heatmap(
        rng.normal(size=(2, 3)), ax, rows=["a", " "], columns=list("x$z"), xlabel="next",
        ylabel="last", bar="value", digits=1,
    ),
    "bars": lambda ax: plots.bars(
        {"RNN": [1, 2, 4], "other": 3}, ax, xlabel="bits", reference=("best", 1)
    ),
    "activations": lambda ax: plots.activations([0.5, -1, 0.2], "a b", ax, ylabel="$h_t$"),
    "distribution": lambda ax: plots.distribution(p, list("abcd "), ax, compare=("other", q)),
    "scatter_by_size": lambda ax: plots.scatter_by_size(
        {"RNN": ([1, 2], [3, 4], [10, 1000])}, ax, xlabel="characters", ylabel="bits", size="units"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_plots_draw_on_the_axes_given(name, ax):
    assert artists(ax) == 0
    assert DRAWN[name](ax) is ax
    assert artists(ax) > 0
    assert ax.get_xlabel() or name == "activations"  # there the tokens say it
    assert ax.get_ylabel() or name == "bars"  # there the names say it
    ax.figure.draw_without_rendering()


def test_curves_show_every_seed_and_their_median(ax):
    runs = np.array([[1.0, 5.0], [2.0, 9.0], [9.0, 1.0]])
    plots.curves([0, 1], {"RNN": runs}, ax, xlabel="x", ylabel="y")
    drawn = [line.get_ydata().tolist() for line in ax.lines]
    assert drawn == [[1, 5], [2, 9], [9, 1], [2, 5]]
    assert [line.get_label() for line in ax.lines][-1] == "RNN"


def test_axes_have_commas_in_thousands_and_count_in_whole_numbers(ax):
    def ticks(axis):
        ax.figure.draw_without_rendering()
        return [tick.label1.get_text() for tick in axis.get_major_ticks()]

    plots.curves([1, 2, 3], {"a": [-1500, 0, 5000]}, ax, xlabel="x", ylabel="y")
    assert set(ticks(ax.xaxis)) <= set("01234")
    assert {"−1,000", "0", "5,000"} <= set(ticks(ax.yaxis))
    plots.bars({"RNN": 2500}, ax, xlabel="x")
    assert "1,000" in ticks(ax.xaxis) and "2,500.00" in texts(ax)


def test_the_numbers_of_runs_stand_in_a_column_and_the_runs_apart(ax):
    plots.bars({"RNN": [1, 1, 4], "LSTM": [2, 3]}, ax, xlabel="bits")
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert boxes[0].x0 == boxes[1].x0 >= ax.bbox.x1
    assert texts(ax) == ["1.00", "2.50"]
    assert len(set(ax.lines[0].get_ydata())) == 3
    assert np.abs(ax.lines[0].get_ydata()).max() < 0.3  # within the bar


def test_a_model_looks_the_same_everywhere(ax):
    plots.curves(x, {"odd": x, "5-gram": x, "RNN, 8 units": x}, ax, xlabel="x", ylabel="y")
    colors = [line.get_color() for line in ax.lines]
    assert colors[1:] == [plots.MODELS["n-gram"]["color"], plots.MODELS["RNN"]["color"]]
    assert colors[0] not in [look["color"] for look in plots.MODELS.values()]
    names = [f"RNN, {n} units" for n in range(9)]
    assert len({look["color"] for look in plots._looks(names)}) == 9


def test_models_differ_without_color_and_stand_out_from_white():
    looks = plots.MODELS.values()
    assert len({str(look["linestyle"]) for look in looks}) == len(looks)
    assert len({look["marker"] for look in looks}) == len(looks)
    for look in looks:
        channels = np.array(to_rgb(look["color"]))
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 3  # WCAG for graphics


def test_the_cycle_of_the_style_is_the_models():
    with style.context("seqlib.seqlib"):
        cycle = list(mpl.rcParams["axes.prop_cycle"])
    for look, model in zip(cycle, plots.MODELS.values(), strict=True):
        assert to_rgb(look["color"]) == to_rgb(model["color"])
        assert look["linestyle"] == model["linestyle"]


def test_links_are_as_thick_as_the_weights(ax):
    weights = [[0.1, 0.9], [0.96, 0.04]]
    plots.links(weights, ["old", "man"], ["vieil", "homme"], 1, ax)
    thick = [line.get_linewidth() for line in ax.lines]
    assert thick[0] > 10 * thick[1]
    assert {"0.96", "homme", "old"} <= set(texts(ax)) and "0.04" not in texts(ax)


def test_outlines_stand_around_their_cells(ax):
    plots.outlined([[False, True], [False, False]], ax, "gold")
    (line,) = ax.lines
    assert set(line.get_xdata()) == {0.5, 1.5} and set(line.get_ydata()) == {-0.5, 0.5}
    assert line.get_label() == "gold"


def test_compared_heat_maps_share_the_limits(ax):
    plots.heatmap([[0.0, 0.5]], ax, limits=(0, 2))
    assert ax.images[0].get_clim() == (0, 2)
    plots.heatmap([[-1.0, 0.5]], ax)
    assert ax.images[1].get_clim() == (-1, 1)  # white is zero


def test_blanks_and_dollars_are_readable_labels(ax):
    plots.activations([1, 2, 3], [" ", "$", "unit 1"], ax, ylabel="h")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["␣", r"\$", "unit 1"]
    plots.activations([1, 2], ["good", ","], ax, ylabel="h")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["good", "“,”"]


def test_weights_under_a_mask_are_numbers_or_crosses(ax):
    mask = np.tri(3, dtype=bool)
    assert attention_plots.masked_weights(mask / mask.sum(axis=1)[:, None], mask, "abc", ax) is ax
    assert [text.get_text() for text in ax.texts] == ["1.00", *["0.50"] * 2, *["0.33"] * 3]
    (crosses,) = ax.lines
    assert {*zip(crosses.get_ydata(), crosses.get_xdata(), strict=True)} == {(0, 1), (0, 2), (1, 2)}


def test_what_depends_on_distance_and_what_a_head_looks_at():
    with style.context("seqlib.seqlib"):
        axes = Figure().subplots(1, 2)
        scores = -np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
        assert attention_plots.by_distance(scores, 2, axes, limits=(-4, 4)) is axes
        assert axes[1].lines[0].get_ydata().tolist() == [-2, -1, 0, -1, -2]
        assert axes[0].images[0].get_clim() == (-4, 4)
        ax = Figure().subplots()
        runs = {"one": np.ones((3, 4)), "other": np.zeros(4)}
        assert attention_plots.along_rows(np.arange(4), runs, ax, trained=2) is ax
        assert [text.get_text() for text in ax.texts] == ["other", "one"]  # from below
        assert len(ax.lines) == 3 + 1 + 1 + 1 + 1
        axes = Figure().subplots(1, 2)
        attention_plots.head(np.eye(5, k=-1), {"before": 1, "itself": 0}, axes)
        assert [bar.get_width() for bar in axes[1].patches] == [1, 0]
        axes[0].figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda ax: plots.series([1, 2], ax, x=[1], xlabel="", ylabel=""), "1 times; values has 2"),
        (
            lambda ax: plots.series(
                x, ax, window=(0, 27), forecasts={"RNN": np.ones(4)}, xlabel="", ylabel=""
            ),
            "RNN has 4 values; 2 times are left",
        ),
        (lambda ax: plots.series([[1]], ax, xlabel="", ylabel=""), r"shape \(1, 1\)"),
        (lambda ax: plots.curves(x, {"a": [1, 2]}, ax, xlabel="", ylabel=""), "x has 30 values"),
        (lambda ax: plots.curves(x, {"a": x}, ax, xlabel="", ylabel="", log="z"), "log is 'z'"),
        (lambda ax: plots.heatmap([1, 2], ax), "takes 2 axes"),
        (lambda ax: plots.heatmap([[1, 2]], ax, columns="abc"), "3 names of columns.* has 2"),
        (lambda ax: cells.note(ax, [[1, 2]], columns="a"), r"1 columns .* shape \(1, 2\)"),
        (lambda ax: cells.note(ax, [[1, 2]], y=[0]), r"1 rows between 1 borders"),
        (lambda ax: plots.bars({}, ax, xlabel=""), "0 values"),
        (lambda ax: plots.links([[1, 0]], ["a", "b"], ["c", "d"], 0, ax), r"\(1, 2\) for 2 by 2"),
        (lambda ax: plots.links([[1, 0]], ["a", "b"], ["c"], 1, ax), "t is 1; .* 0 to 0"),
        (lambda ax: plots.activations([1, 2], "abc", ax, ylabel=""), "2 values for 3 tokens"),
        (lambda ax: plots.distribution([0.5, 0.5], "abc", ax), "2 probabilities for 3 tokens"),
        (lambda ax: plots.distribution([0.5, 0.6], "ab", ax), "sum 1.1, not 1"),
        (lambda ax: plots.distribution([1.5, -0.5], "ab", ax), "from -0.5"),
        (
            lambda ax: plots.scatter_by_size(
                {"a": ([1], [1, 2], [1])}, ax, xlabel="", ylabel="", size=""
            ),
            r"\[1, 2, 1\]",
        ),
        (
            lambda ax: plots.scatter_by_size(
                {"a": ([1], [1], [0])}, ax, xlabel="", ylabel="", size=""
            ),
            "smallest size is 0",
        ),
        (
            lambda ax: attention_plots.masked_weights(np.eye(2), np.ones((3, 3)), "ab", ax),
            r"mask has the shape \(3, 3\); the weights have \(2, 2\)",
        ),
        (
            lambda ax: attention_plots.by_distance(np.eye(3), 3, [ax, ax], limits=(0, 1)),
            "t is 3; there are positions 0 to 2",
        ),
        (
            lambda ax: attention_plots.head(np.eye(3), {"far": 3}, [ax, ax]),
            "far is 3 back; 3 steps",
        ),
        (lambda ax: diagrams.unrolled_rnn(9, 1, ax), "T is 9"),
        (lambda ax: diagrams.unrolled_rnn(3, 4, ax), "upto is 4.* 0 to 3"),
        (lambda ax: diagrams.bptt_graph(0, 0, ax), "T is 0"),
        (lambda ax: diagrams.bptt_graph(3, 4, ax), "back is 4.* 0 to 3"),
        (lambda ax: diagrams.gradient_paths(9, ax), "reach is 9.* 1 to 8 steps"),
        (lambda ax: diagrams.encoder_decoder(10, ax), "upto is 10.* 0 to 9"),
        (lambda ax: plots.beam_tree([], ax), "0 steps"),
        (lambda ax: plots.beam_tree([[("a", 1, 0.0, False)]], ax), "parent 1 at step 1.* 1 before"),
    ],
)
def test_plots_and_diagrams_refuse(wrong, message, ax):
    with pytest.raises(ValueError, match=message):
        wrong(ax)


def test_the_way_to_the_best_row_is_thick(ax):
    steps = [
        [("a", 0, -0.1, False), ("b", 0, -0.9, False)],
        [("c", 1, -1.0, False), ("d", 0, -1.3, True)],
        [("END", 0, -1.1, True), ("END", 1, -1.3, True)],
    ]
    assert plots.beam_tree(steps, ax) is ax
    thick = [line.get_ydata() for line in ax.lines if line.get_linewidth() > 2]
    assert [list(map(int, y)) for y in thick] == [[0, 1], [1, 0], [0, 0]]
    assert len(ax.lines) == 6
    words = texts(ax)
    assert "b\n\u22120.90" in words and "c\n\u22121.00" in words
    assert words.count("ended") == 1  # the row that had ended at step 2


def test_masks_are_grids_of_squares():
    masks = {"causal": np.tri(3, dtype=bool)[None].repeat(2, 0), "all": np.ones((2, 3, 4), bool)}
    with style.context("seqlib.seqlib"):
        axes = Figure().subplots(2, 2)
        assert transformer_plots.masks(masks, ["a b", "c"], axes) is axes
    for ax, mask in zip(axes[0], (np.tri(3), np.ones((3, 4))), strict=True):
        dark = [p.get_facecolor()[0] < 0.5 for p in ax.patches]
        assert dark == mask.astype(bool).ravel().tolist()  # row by row, from the top
    assert axes[0, 1].get_title(loc="center") == "all"
    assert [ax.get_title(loc="left") for ax in axes[:, 0]] == ["a b", "c"]
    with pytest.raises(ValueError, match=r"\(2, 2\); 1 rows and 2 kinds"):
        transformer_plots.masks(masks, ["a"], axes)


def test_a_step_of_writing_shows_where_and_what():
    with style.context("seqlib.seqlib"):
        axes = Figure().subplots(1, 2)
        words = np.array(list("vwxyz"))
        found = transformer_plots.writing([0.7, 0.3], ["I", "am"], p, words.take, axes, best=3)
    assert found is axes
    shown = [label.get_text() for label in axes[1].get_yticklabels()]
    assert shown == words[np.argsort(-p)[:3]].tolist()
    assert np.allclose([bar.get_width() for bar in axes[0].patches], [0.7, 0.3])
    with pytest.raises(ValueError, match="1 weights for 2 words"):
        transformer_plots.writing([1], ["I", "am"], p, words.take, axes)


# Diagrams


def texts(ax):
    return [text.get_text() for text in ax.texts]


def partial(of, t, by, s):
    return rf"$\dfrac{{\partial {of}_{t}}}{{\partial {by}_{s}}}$"


DIAGRAMS = {  # name: the drawing, its height at 6.4 inches, names that stand in it
    "feedforward_and_recurrent": (
        diagrams.feedforward_and_recurrent, 3.2,
        ["$x_1$", "$x_3$", "$W_1$", "$W_3$", "$x_t$", "$W_{xh}$", "$W_{hh}$"],
    ),
    "unrolled_rnn": (
        lambda ax: diagrams.unrolled_rnn(3, 2, ax), 3.2, ["$h_0$", r"$\hat{y}_3$", "$W_{hh}$"],
    ),
    "unrolled_rnn, all": (
        lambda ax: diagrams.unrolled_rnn(8, 8, ax), 3.2, ["$h_0$", "$x_8$", "$W_{hy}$"],
    ),
    "rnn_cell": (
        diagrams.rnn_cell, 3.2, ["$h_{t-1}$", "$x_t$", "$W_{xh}$", "$b_h$", "tanh", "$h_t$"],
    ),
    "task_shapes": (diagrams.task_shapes, 4.4, ["many to many, unaligned", "$h_5$"]),
    "bptt_graph": (
        lambda ax: diagrams.bptt_graph(5, 5, ax), 3.2,
        [r"$\mathcal{L}_1$", partial("h", 1, "h", 0)],
    ),
    "bptt_graph, all losses": (
        lambda ax: diagrams.bptt_graph(6, 6, ax, all_losses=True), 2.6,
        ["$x_6$", partial(r"\mathcal{L}", 1, "h", 1)],
    ),
    "gradient_paths": (
        lambda ax: diagrams.gradient_paths(3, ax), 2.4,
        ["$h_8$", "2 skips and 2 steps: 4 factors from $h_8$ to $h_0$"],
    ),
    "lstm1997_cell": (
        diagrams.lstm1997_cell, 3.8,
        ["$W_x$", "$W_h$", "$b$", *(f"$a_{k}$" for k in "igo"), *(f"${k}_t$" for k in "igoch")],
    ),
    "lstm_cell": (
        diagrams.lstm_cell, 3.8, [*(f"$a_{k}$" for k in "ifgo"), *(f"${k}_t$" for k in "ifgochx")],
    ),
    "lstm_backward": (
        diagrams.lstm_backward, 3.8,
        [*(f"$da_{k}$" for k in "ifgo"), *(f"$d{k}_t$" for k in "ifgochx"),
         r"$f_t \odot dc_t$", r"$W_h^\top da_t$"],
    ),
    "gru_cell": (
        diagrams.gru_cell, 3.6,
        ["$W_{hn}, b_{hn}$", "$W_{xn}, b_{xn}$", "$r_t$", "$z_t$", "$1 - z_t$", "$n_t$", "$h_t$"],
    ),
    "gru_reset_before_cell": (
        diagrams.gru_reset_before_cell, 3.6, ["$W_{hn}$", "$W_{xn}, b_n$", "$r_t$", "$z_t$"],
    ),
    "bidirectional": (
        diagrams.bidirectional, 3.6, ["$f_0$", "$b_5$", "$x_4$", "$h_t = [f_t; b_t]$"],
    ),
    "attention_step": (
        diagrams.attention_step, 3.9,
        ["$h_1$", "$q_t$", "$c_t$", "$e_{t3}$", r"$\alpha_{t4}$", "softmax: positive, sum 1"],
    ),
    "attentive_decoders": (
        diagrams.attentive_decoders, 3.9,
        ["$s_{t-1}$", "$c_t$", "$y_{t-1}$", "attention", "tanh", "logits", "$h_1 \\dots h_S$"],
    ),
    "self_attention": (
        diagrams.self_attention, 3.6,
        ["$X$", "$Q$", "$K$", "$V$", "$Y$", r"$\alpha$", "$T, D$", "$W_q$", "$W_k$", "$W_v$"],
    ),
    "multihead": (
        diagrams.multihead, 3.8,
        ["attention 1", "attention N", "$y^2$", "$Y$", "$B, N, T, K$", "$B, N, T, T$"],
    ),
    "path_lengths": (
        diagrams.path_lengths, 4.4, ["recurrence", "convolution, width 3", "attention", "1 layer"],
    ),
    "stack": (diagrams.stack, 4.0, ["$h_0^3$", "$h_4^1$", "dropout", "no dropout", "layer 3"]),
    "encoder_decoder": (
        lambda ax: diagrams.encoder_decoder(7, ax), 2.9, ["$h_4$", "$s_0$", "$p_5$", "START", "un"],
    ),
    "encoder_decoder, all": (
        lambda ax: diagrams.encoder_decoder(9, ax), 2.9, ["$x_1$", "$s_5$", "END", "étudiant"],
    ),
    "cho": (diagrams.cho, 3.2, ["$c$", "bridge", "$y_0$", "$s_3$", "$p_3$", "$h_3$"]),
    "cho_backward": (diagrams.cho_backward, 3.2, ["$dc$", "bridge", "$dy_0$", "$ds_1$", "$dh_3$"]),
    "sutskever_backward": (
        diagrams.sutskever_backward, 3.2,
        [*(f"$d{name}_0^{layer}$" for name in "hc" for layer in (1, 2)), r"$d\mathcal{L}_3$"],
    ),
    "residual_streams": (
        diagrams.residual_streams, 3.9, ["$x^{l-1}$", "$x^l$", "norm", "self-attention"],
    ),
    "transformer_post_norm": (
        diagrams.transformer_post_norm, 7.2, ["cross-attention", "positions", r"$L\times$", "$p$"],
    ),
    "transformer_pre_norm": (
        diagrams.transformer_pre_norm, 7.2, ["causal\nself-attention", "norm", "$W$, $b$"],
    ),
}  # fmt: skip


@pytest.fixture(params=DIAGRAMS)
def drawn(request):
    draw, height, names = DIAGRAMS[request.param]
    with style.context("seqlib.seqlib"):
        ax = Figure(figsize=(6.4, height)).subplots()
        assert draw(ax) is ax
        ax.figure.draw_without_rendering()
        yield ax, names


def test_diagrams_draw_and_name_their_parts(drawn):
    ax, names = drawn
    assert len(ax.patches) >= 10
    assert set(names) <= set(texts(ax))


def test_text_lies_within_the_drawing_and_apart(drawn):
    ax, _ = drawn
    boxes = [(text.get_text(), text.get_window_extent()) for text in ax.texts]
    for text, box in boxes:
        assert ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1, text
        assert ax.bbox.y0 <= box.y0 and box.y1 <= ax.bbox.y1, text
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        assert not first.overlaps(second), (one, other)
    shapes = [p for p in ax.patches if isinstance(p, (Circle, FancyBboxPatch)) and p.zorder == 3]
    for (text, box), shape in itertools.product(boxes, shapes):  # a name stands in or outside
        outline = shape.get_window_extent()
        inside = outline.x0 < box.x0 and box.x1 < outline.x1
        assert inside or not outline.padded(-1).overlaps(box), text


def test_a_page_prefers_the_svg_of_a_drawing_and_a_plot_has_none(ax):
    display = DisplayFormatter()
    assert "image/svg+xml" not in display.format(ax.figure)[0]
    diagrams.rnn_cell(ax)
    shown = display.format(ax.figure)[0]["image/svg+xml"]
    assert shown == drawing.svg(ax.figure)  # the same twice
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, bbox_inches="tight")
    size = Image.open(buffer).size
    image = ElementTree.fromstring(shown)
    assert [int(image.get(side)) for side in ("width", "height")] == pytest.approx(size, abs=1)
    assert "<text" not in shown  # no font is asked for
    assert len(shown) < 200_000


def test_unrolling_computes_one_more_step_at_a_time():
    for upto in range(4):
        ax = diagrams.unrolled_rnn(3, upto, Figure().subplots())
        assert texts(ax).count("$W_{hh}$") == upto
        assert {"$x_3$", "$h_3$"} <= set(texts(ax))  # pale, but there


def test_a_gradient_goes_one_more_step_back_at_a_time():
    for back in range(4):
        ax = diagrams.bptt_graph(3, back, Figure().subplots())
        steps = [partial("h", t, "h", t - 1) for t in (1, 2, 3)]
        assert [step in texts(ax) for step in steps] == [t > 3 - back for t in (1, 2, 3)]
        assert [partial(r"\mathcal{L}", t, "h", t) in texts(ax) for t in (1, 2, 3)] == [0, 0, 1]
        ax = diagrams.bptt_graph(3, back, Figure().subplots(), all_losses=True)
        losses = [partial(r"\mathcal{L}", t, "h", t) in texts(ax) for t in (1, 2, 3)]
        assert losses == [t >= 3 - back for t in (1, 2, 3)]


def test_the_frames_of_an_explorable_do_not_jump():
    for draw in (lambda back, ax: diagrams.bptt_graph(3, back, ax),
                 lambda upto, ax: diagrams.encoder_decoder(3 * upto, ax),
                 lambda back, ax: diagrams.gradient_paths(back + 1, ax)):  # fmt: skip
        frames = [draw(back, Figure().subplots()) for back in range(4)]
        assert len({(ax.get_xlim(), ax.get_ylim()) for ax in frames}) == 1


def test_what_was_written_is_read_next():
    for upto in range(10):
        ax = diagrams.encoder_decoder(upto, Figure().subplots())
        assert [words in texts(ax) for words in ("END", "$s_0$")] == [upto == 9, upto > 4]
        assert texts(ax).count("je") == 1 + (upto > 4)  # as an input, and above p_1
        bends = [p for p in ax.patches if hasattr(p, "get_path") and len(p.get_path()) == 4]
        assert len([p for p in bends if to_rgb(p.get_edgecolor()) == to_rgb(drawing.FAINT)]) == max(
            0, upto - 5
        )


def test_every_use_of_the_summary_has_a_way_back():
    there, back = (draw(Figure().subplots()) for draw in (diagrams.cho, diagrams.cho_backward))
    arrows = [len([p for p in ax.patches if hasattr(p, "set_arrowstyle")]) for ax in (there, back)]
    # On the way back the line of c has a head, at c; its six branches have none at their dots.
    assert arrows[1] - arrows[0] == 1 - 6
    dashed = [p for p in back.patches if to_rgb(p.get_edgecolor()) == to_rgb(drawing.GRADIENT)]
    assert len([p for p in dashed if hasattr(p, "set_arrowstyle")]) == arrows[1]


def test_the_cell_runs_straight_and_its_first_form_forgets_nothing():
    for draw, signs in (diagrams.lstm_cell, 3), (diagrams.lstm1997_cell, 2):
        ax = draw(Figure().subplots())
        assert texts(ax).count(r"$\odot$") == signs
        ax.figure.draw_without_rendering()
        conveyor = [patch.get_path() for patch in ax.patches if patch.get_linewidth() == 3]
        assert len({path.vertices[0, 1] for path in conveyor}) == 1
        assert len(conveyor) == 2 * (signs + 1)  # lines and heads
    assert {"$f_t$", "$a_f$"}.isdisjoint(texts(ax))


def test_norms_stand_after_the_sums_or_before_the_parts():
    """On the stream or beside it: 2 in a layer of the encoder, 3 in one of the decoder."""
    for draw, on_stream, beside in (
        (diagrams.transformer_post_norm, 5, 0),
        (diagrams.transformer_pre_norm, 2, 5),  # the last norms
    ):
        ax = draw(Figure().subplots())
        streams = {13.2, 1.3}
        places = [text.get_position()[0] for text in ax.texts if text.get_text() == "norm"]
        assert sum(x in streams for x in places) == on_stream
        assert sum(x not in streams for x in places) == beside


def test_the_shortest_way_back_takes_the_skips():
    for reach, words, count in (1, "8 steps: 8", 8), (4, "2 skips: 2", 2), (8, "1 skip: 1", 1):
        ax = diagrams.gradient_paths(reach, Figure().subplots())
        assert texts(ax)[-1].startswith(words)
        colored = [p for p in ax.patches if to_rgb(p.get_edgecolor()) == to_rgb(drawing.GRADIENT)]
        assert sum(patch.get_linestyle() != "solid" for patch in colored) == count


def test_import_seqlib_loads_no_matplotlib():
    code = "import sys, seqlib, seqlib.scratch; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
