"""Weights of recurrent layers from other programs, and for them: Keras, ONNX and PyTorch.

Each program stacks the gates in an order of its own, and counts its biases in its own way:

    seqlib   lstm i f g o   gru r z n   rows are outputs   a GRU with reset after has two biases
    torch    lstm i f g o   gru r z n   rows are outputs   two biases, always
    Keras    lstm i f g o   gru z r n   columns are        a GRU with reset after has two biases
    ONNX     lstm i o f g   gru z r n   rows are outputs   two biases, always

(Keras and ONNX say c or h for g and n.)  Where two biases meet in a sum one of them is enough.
Everywhere z says how much of the state is kept.  `cell` is the module of seqlib.scratch that the
weights are for: rnn, lstm, gru (torch; Keras' reset_after=True; ONNX' linear_before_reset=1) or
gru_reset_before (Keras' reset_after=False; ONNX' linear_before_reset=0).
D inputs, H hidden units, G gates: 1 of rnn.
"""

import re

import numpy as np

from seqlib.scratch import gru, gru_reset_before, lstm, rnn
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.shapes import declared

OURS = {rnn: "h", lstm: "ifgo", gru: "rzn", gru_reset_before: "rzn"}
KERAS = {rnn: "h", lstm: "ifgo", gru: "zrn", gru_reset_before: "zrn"}
ONNX = {rnn: "h", lstm: "iofg", gru: "zrn", gru_reset_before: "zrn"}
TORCH = {rnn: "h", lstm: "ifgo", gru: "rzn"}
TORCH_NAME = re.compile(r"(weight|bias)_(ih|hh)(?:_l(\d+)(_reverse)?)?")


def from_torch(cell, state):
    """The parameters for weights of torch.nn.RNN, LSTM or GRU, or of their cells.

    cell   rnn, lstm or gru
    state  its state_dict: "weight_ih_l0" and so on, tensors or arrays

    Returns a dict: keys of `cell`, "0.*", "1.*" ... if there are several layers, as Stack has them,
    and "forward.*" and "backward.*" if it reads both ways, as Bidirectional.
    Raises ValueError if a name or a shape is another one.
    """
    layers = {}
    for name, a in state.items():
        found = TORCH_NAME.fullmatch(name)
        if found is None:
            raise ValueError(f"torch's {name!r} has no place in {name_of(cell)}")
        kind, side, layer, reverse = found.groups()
        direction = layers.setdefault(int(layer or 0), {}).setdefault(bool(reverse), {})
        direction[f"{kind}_{side}"] = np.asarray(a).copy()
    params = {}
    for layer, directions in sorted(layers.items()):
        if False not in directions:
            raise ValueError(f"layer {layer} has weights for the way back alone")
        made = [ours(cell, TORCH, *sides(cell, own)) for _, own in sorted(directions.items())]
        own = made[0] if len(made) == 1 else both(*made)
        params |= prefixed(str(layer), own) if len(layers) > 1 else own
    return params


def to_torch(cell, params):
    """The inverse of `from_torch`: arrays that load_state_dict takes once they are tensors.

    The bias of a cell that has one becomes "bias_ih_l0"; "bias_hh_l0" is 0.
    """
    state = {}
    stacked = all(key.partition(".")[0].isdigit() for key in params)
    for layer in sorted({int(key.partition(".")[0]) for key in params}) if stacked else [0]:
        own = sub(params, str(layer)) if stacked else params
        two = any(key.startswith("backward.") for key in own)
        for direction in ("forward", "backward") if two else ("",):
            W, R, b_x, b_h = theirs(cell, TORCH, sub(own, direction) if two else own)
            end = f"_l{layer}{'_reverse' if direction == 'backward' else ''}"
            state |= {f"weight_ih{end}": W, f"weight_hh{end}": R}
            state |= {f"bias_ih{end}": b_x, f"bias_hh{end}": b_h}
    return state


def from_keras(cell, kernel, recurrent_kernel, bias=None):
    """The parameters for weights of Keras' SimpleRNN, LSTM or GRU, as get_weights lists them.

    cell              rnn, lstm, gru (reset_after=True) or gru_reset_before (reset_after=False)
    kernel            (D, G H)
    recurrent_kernel  (H, G H)
    bias              (G H,), or (2, G H) for gru; None means zeros

    Returns the dict that `cell` takes.  Raises ValueError if the shapes do not fit it.
    """
    W, R = np.asarray(kernel).T, np.asarray(recurrent_kernel).T
    axes = (2, len(W)) if cell is gru else (len(W),)
    bias = np.zeros(axes, W.dtype) if bias is None else np.asarray(bias)
    if bias.shape != axes:
        raise ValueError(f"bias has shape {bias.shape}; Keras' for {name_of(cell)} has {axes}")
    b_x, b_h = bias if cell is gru else (bias, np.zeros_like(bias))
    return ours(cell, KERAS, W, R, b_x, b_h)


def to_keras(cell, params):
    """The inverse of `from_keras`: the list [kernel, recurrent_kernel, bias] for set_weights."""
    W, R, b_x, b_h = theirs(cell, KERAS, params)
    return [W.T.copy(), R.T.copy(), np.stack([b_x, b_h]) if cell is gru else b_x + b_h]


def from_onnx(cell, W, R, B=None):
    """The parameters for the inputs W, R and B of ONNX' RNN, LSTM or GRU.

    cell  rnn, lstm, gru (linear_before_reset=1) or gru_reset_before (linear_before_reset=0)
    W     (directions, G H, D)
    R     (directions, G H, H)
    B     (directions, 2 G H); None means zeros

    Returns the dict that `cell` takes, or for two directions "forward.*" and "backward.*", as
    Bidirectional.  Raises ValueError if the shapes do not fit `cell`.
    """
    W, R = np.asarray(W), np.asarray(R)
    if W.ndim != 3 or R.ndim != 3 or len(W) not in (1, 2) or len(W) != len(R):
        raise ValueError(f"W has shape {W.shape}, R {R.shape}; expected 1 or 2 directions, 3 axes")
    B = np.zeros((len(W), 2 * W.shape[1]), W.dtype) if B is None else np.asarray(B)
    if B.shape != (len(W), 2 * W.shape[1]):
        raise ValueError(f"B has shape {B.shape}; expected {(len(W), 2 * W.shape[1])}")
    made = [ours(cell, ONNX, w, r, *np.split(b, 2)) for w, r, b in zip(W, R, B, strict=True)]
    return made[0] if len(made) == 1 else both(*made)


def to_onnx(cell, params):
    """The inverse of `from_onnx`: W, R and B, with one direction, or two if params have them."""
    two = any(key.startswith("backward.") for key in params)
    directions = [sub(params, name) for name in ("forward", "backward")] if two else [params]
    made = [theirs(cell, ONNX, own) for own in directions]
    W, R, b_x, b_h = (np.stack(parts) for parts in zip(*made, strict=True))
    return W, R, np.concatenate([b_x, b_h], axis=1)


def ours(cell, order, W, R, b_x, b_h):
    """The parameters of a cell, from rows that stand in another order, with two biases.

    Raises ValueError if a program has no such cell, or a shape does not fit.
    """
    known(cell, order)
    W, R, *biases = (reordered(a, order[cell], OURS[cell]) for a in (W, R, b_x, b_h))
    names = declared(cell.SHAPES.text)
    biases = biases if len(names) == 4 else [sum(biases)]
    params = dict(zip(names, (W, R, *biases), strict=True))
    cell.SHAPES.check(params)
    return params


def theirs(cell, order, params):
    """The inverse of `ours`: W, R and two biases, of which the second may be 0."""
    known(cell, order)
    cell.SHAPES.check(params)
    arrays = [params[name] for name in declared(cell.SHAPES.text)]
    if len(arrays) == 3:
        arrays.append(np.zeros_like(arrays[2]))
    return [reordered(a, OURS[cell], order[cell]) for a in arrays]


def reordered(a, before, after):
    """Rows that stand gate by gate in one order, in another one.

    Raises ValueError if they are no whole number of gates.
    """
    if len(a) % len(before):
        raise ValueError(f"{len(a)} rows are not those of {len(before)} gates, {before}")
    rows = dict(zip(before, np.split(a, len(before)), strict=True))
    return np.concatenate([rows[gate] for gate in after])


def sides(cell, weights):
    """Weights and biases of torch; biases of zeros where it was made with bias=False."""
    if not weights.keys() >= {"weight_ih", "weight_hh"}:
        names = ", ".join(weights)
        raise ValueError(f"{name_of(cell)} takes weight_ih and weight_hh; there are {names}")
    W, R = weights["weight_ih"], weights["weight_hh"]
    zeros = np.zeros(len(W), W.dtype)
    return W, R, weights.get("bias_ih", zeros), weights.get("bias_hh", zeros)


def both(forward, backward):
    return prefixed("forward", forward) | prefixed("backward", backward)


def known(cell, order):
    if cell not in order:
        names = ", ".join(name_of(one) for one in order)
        raise ValueError(f"there are no such weights for {name_of(cell)}; expected {names}")


def name_of(cell):
    return getattr(cell, "__name__", repr(cell)).rpartition(".")[2]
