"""What the two encoder-decoders with attention share: how they begin.

The encoder's outputs are keys and values, and its ends give the state that the decoder starts from
(`bridge`).  In Bahdanau's paper the end of the one that reads from right to left alone does so.
B rows, S words to read, D features of an input, H hidden units, E features of an encoder's output.
"""

import numpy as np

from seqlib.scratch import bridge, checks, embedding, gru
from seqlib.scratch.bidirectional import Bidirectional
from seqlib.scratch.labelling import ends, ends_backward
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import width
from seqlib.scratch.seq2seq import encode, encoder_backward

LAYERS = ("source", "encoder", "bridge", "target", "decoder")  # and those of the model's own
READER = Bidirectional(gru)


def start_init(model, rng, D, dtype):
    """The parameters of the encoder, of the bridge and of a decoder with D inputs."""
    H, E = model.H, width(model.encoder, model.H)
    decoder = model.cell.init(rng, D, H, dtype)
    return {
        **prefixed("source", embedding.init(rng, model.V_source, model.D, dtype)),
        **prefixed("encoder", model.encoder.init(rng, model.D, H, dtype)),
        **prefixed("bridge", bridge.init(rng, E, model.cell, decoder, D, dtype)),
        **prefixed("target", embedding.init(rng, model.V_target, model.D, dtype)),
        **prefixed("decoder", decoder),
    }


def begin(model, params, source, source_mask, D, rng=None):
    """The encoder's outputs (B, S, E), the state of a decoder with D inputs, and a cache."""
    h, _, read = encode(model.encoder, params, source, source_mask, rng)
    weights = sub(params, "decoder")
    last = ends(h, model.H)
    start, crossed = bridge.forward(sub(params, "bridge"), last, model.cell, weights, D)
    return h, start, (read, crossed, h.shape)


def begin_backward(model, dh, dstart, cache):
    """The gradients of the encoder and of the bridge, keyed like params."""
    read, crossed, shape = cache
    dlast, bridge_grads = bridge.backward(dstart, crossed)
    dh = dh + ends_backward(dlast, model.H, shape)  # attended to, and crossed at its ends
    return encoder_backward(model.encoder, dh, None, read) | prefixed("bridge", bridge_grads)


def real_words(source, source_mask):
    """The mask (B, S) of a source; all True for None."""
    checks.shape("source", np.asarray(source), (None, None))
    shape = np.shape(source)
    return np.ones(shape, bool) if source_mask is None else checks.boolean_mask(source_mask, shape)
