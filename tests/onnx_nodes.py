"""Single nodes of ONNX: the cases that come with the package, and onnxruntime on a node of ours."""

import importlib
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from others import needed

from seqlib.scratch import gru, gru_reset_before, lstm, rnn

OPERATORS = {rnn: "RNN", lstm: "LSTM", gru: "GRU", gru_reset_before: "GRU"}


class Case(NamedTuple):
    """A node with what goes in and what has to come out."""

    name: str
    attributes: dict
    inputs: list  # arrays; None for one that is left out
    outputs: list
    version: int  # of the operators


@cache
def cases(module, operator):
    """The cases of one operator that the package `onnx` has, from one of its modules.

    module    in onnx.backend.test.case.node, where a case is made when it is imported
    operator  such as "LSTM"; cases in which it is spelled out by other operators are left out
    """
    onnx = needed("onnx")
    from onnx.backend.test.case.node import _NodeTestCases

    importlib.import_module(f"onnx.backend.test.case.node.{module}")
    found = []
    for case in _NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type != operator:
            continue
        node, graph = nodes[0], case.model.graph
        attributes = {a.name: plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
        for inputs, outputs in case.data_sets:
            given = dict(zip([value.name for value in graph.input], inputs, strict=True))
            wanted = dict(zip([value.name for value in graph.output], outputs, strict=True))
            ins = [given.get(name) for name in node.input]
            outs = [wanted.get(name) for name in node.output]
            version = case.model.opset_import[0].version
            found.append(Case(case.name, attributes, ins, outs, version))
    return found


def plain(value: Any):
    return value.decode() if isinstance(value, bytes) else value


def run_recurrent(cell, x, W, R, biases, h_0, c_0=None):
    """What onnxruntime gives for x (B, T, D): the outputs (B, T, directions H).

    h_0, c_0  (directions, B, H)
    """
    onnxruntime, onnx = needed("onnxruntime"), needed("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT

    given = {"X": x.swapaxes(0, 1).copy(), "W": W, "R": R, "B": biases, "h": h_0}
    names = ["X", "W", "R", "B", "", "h"]
    if c_0 is not None:
        given["c"] = c_0
        names.append("c")
    options = {"linear_before_reset": int(cell is gru)} if OPERATORS[cell] == "GRU" else {}
    direction = "bidirectional" if len(W) == 2 else "forward"
    node = helper.make_node(
        OPERATORS[cell], names, ["Y"], hidden_size=R.shape[2], direction=direction, **options
    )
    inputs = [helper.make_tensor_value_info(name, number, a.shape) for name, a in given.items()]
    output = helper.make_tensor_value_info("Y", number, None)
    model = helper.make_model(
        helper.make_graph([node], "node", inputs, [output]),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, given)  # (T, directions, B, H)
    return np.concatenate(list(y.transpose(1, 2, 0, 3)), axis=-1)
