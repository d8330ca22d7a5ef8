"""Sequence models, from the recurrent network to the Transformer, in checked NumPy.

`seqlib.scratch` holds the layers with gradients written by hand, `seqlib.pytorch` their mirrors for
autograd; the modules beside them train, decode, measure and draw.  `import seqlib` loads NumPy
alone.
"""

__version__ = "0.1.0"
