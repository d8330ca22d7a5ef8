"""The same models in PyTorch: the same names and shapes, autograd instead of a backward pass.

load_state_dict({k: torch.from_numpy(v) for k, v in params.items()}) takes the parameters of
`seqlib.scratch`.
"""

from seqlib import optional

with optional.imports():
    import torch  # noqa: F401
