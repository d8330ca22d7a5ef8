"""The parameters of a layer and their shapes: declared once, beside its formulas.

    SHAPES = Shapes("lstm", "W_x (4H, D), W_h (4H, H), b (4H,)")

`init` draws parameters of these shapes, and every pass checks that those it was given fit each
other.  A letter stands for one size in all shapes; which, the parameters themselves say.
"""

import re
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from seqlib.scratch import checks

shape_of = attrgetter("shape")


class Shapes(NamedTuple):
    """What a layer's parameters are called, and their shapes.

    layer  the module's name
    text   name and shape of each parameter, as the docstrings write them
    """

    layer: str
    text: str

    def of(self, **sizes):
        """The shapes, by name, for these sizes.  Raises ValueError if a size is less than 1."""
        checks.sizes(**sizes)
        return {
            name: tuple(factor * sizes[letter] for factor, letter in axes)
            for name, axes in declared(self.text).items()
        }

    def check(self, params):
        """Raises ValueError unless params have these names, and shapes that fit each other."""
        try:
            found = tuple(map(shape_of, params.values()))
        except AttributeError:
            raise ValueError(no_arrays(self, params)) from None
        fit(self, tuple(params), found)


def check_layers(params, *names):
    """Raises ValueError unless params are those of the layers of these names, and of no others.

    params  dict with dotted keys
    names   what keys begin with, before a dot, or whole keys
    """
    owned(tuple(params), names)


@lru_cache(maxsize=1024)
def owned(keys, names):
    owners = {key: next((n for n in names if f"{key}.".startswith(f"{n}.")), None) for key in keys}
    foreign = [key for key, owner in owners.items() if owner is None]
    missing = [name for name in names if name not in owners.values()]
    if foreign or missing:
        raise ValueError(
            f"the parameters are those of {listed(names)}"
            f"{f'; given without {listed(missing)}' if missing else ''}"
            f"{f'; given with {listed(foreign)}' if foreign else ''}"
            f"{resemblance('', dict.fromkeys(keys, ()))}"
        )


def listed(names, most=8):
    """Names in quotation marks, the first ones if they are many."""
    shown = ", ".join(f'"{name}"' for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


@lru_cache
def declared(text):
    """{"W_x": ((4, "H"), (1, "D"))} for "W_x (4H, D)": a factor and a letter for each axis."""
    return {
        name: tuple((int(n or 1), letter) for n, letter in re.findall(r"(\d*)([A-Za-z]\w*)", axes))
        for name, axes in re.findall(r"(\w+) \(([^)]*)\)", text)
    }


@lru_cache(maxsize=1024)
def fit(shapes, names, found):
    """Raises ValueError unless names, and the shapes found, are as `shapes` declares them.

    Those that fit are remembered: a network asks at every step.
    """
    wanted, found = declared(shapes.text), dict(zip(names, found, strict=True))
    missing, foreign = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    if missing or foreign:
        raise ValueError(wrong_names(shapes, found, missing, foreign))
    sizes = {}
    for name, axes in wanted.items():
        if len(found[name]) == len(axes):
            for size, (factor, letter) in zip(found[name], axes, strict=True):
                if factor == 1:
                    sizes.setdefault(letter, size)
    for name, axes in wanted.items():
        expected = tuple(factor * sizes.get(letter, -1) for factor, letter in axes)
        if found[name] != expected:
            raise ValueError(wrong_shape(shapes, found, name, expected))


def wrong_names(shapes, found, missing, foreign):
    wanted = declared(shapes.text)
    parts = []
    if missing:
        parts.append(f"{shapes.layer} misses {', '.join(n for n in wanted if n in missing)}")
    if foreign:
        parts.append(f"{shapes.layer} has no {', '.join(n for n in found if n in foreign)}")
    biases = [name for name in wanted if name in missing and name.startswith("b")]
    if not foreign and len(biases) == len(missing):
        parts.append("a layer without a bias has one of zeros")
    return f"{'; '.join(parts)}; its parameters are {shapes.text}{resemblance(shapes.layer, found)}"


def wrong_shape(shapes, found, name, expected):
    axes = re.search(rf"\b{name} (\([^)]*\))", shapes.text)[1]
    numbers = str(tuple("any" if size < 0 else size for size in expected)).replace("'", "")
    others = ", ".join(f"{key} {shape}" for key, shape in found.items() if key != name)
    beside = f" beside {others}" if others else ""
    return (
        f"{name} has shape {found[name]}; {shapes.layer} takes {axes}, here {numbers}{beside}"
        f"{resemblance(shapes.layer, found)}"
    )


def no_arrays(shapes, params):
    if not hasattr(params, "items"):
        return f"params is a {type(params).__name__}; {shapes.layer} takes a dict, {shapes.text}"
    name = next(name for name, a in params.items() if not hasattr(a, "shape"))
    return f"{name} is a {type(params[name]).__name__}; {shapes.layer} takes arrays, {shapes.text}"


def resemblance(layer, found):
    """A sentence on whose parameters these may be; "" where nothing tells."""
    names = set(found)
    if any(re.search(r"(^|\.)(weight|bias)_(ih|hh)", name) for name in names):
        return ". These are torch's names: seqlib.weights.from_torch turns them into ours"
    if names & {"kernel", "recurrent_kernel"}:
        return ". These are Keras' names: seqlib.weights.from_keras turns them into ours"
    if {"W", "R"} <= names:
        return ". These are ONNX's names: seqlib.weights.from_onnx turns them into ours"
    if layer and any("." in name for name in names):
        return ". Names with a dot are those of several layers: params.sub takes one layer's out"
    if {"W_xh", "W_hh"} <= names and layer not in ("rnn", "skip"):
        return ". These look like an Elman RNN's"
    if layer == "multihead" and {"W_q", "W_k"} <= names and found["W_k"] < found["W_q"]:
        return (
            ". Fewer rows in W_k than in W_q: heads that share keys and values; repeat the rows of"
            " W_k and W_v, and their biases, for each query head"
        )
    rows, columns = found["W_h"] if len(found.get("W_h", ())) == 2 else (0, 0)
    gates = rows // columns if columns and rows % columns == 0 else 0
    owner = {
        (3, True): ("a GRU's", "gru"),
        (3, False): ("a GRU's with the reset before the product, or the LSTM's of 1997", ""),
        (4, True): ("an LSTM's, with two biases where seqlib has their sum", ""),
        (4, False): ("an LSTM's", "lstm"),
    }.get((gates, {"b_x", "b_h"} <= names))
    if owner is None or layer == owner[1]:
        return ""
    return f". These look like {owner[0]}: W_h has {gates} H rows"
