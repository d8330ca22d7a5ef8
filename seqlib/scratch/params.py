"""Parameters of a model made of layers: one flat dict whose keys are dotted, "rnn.W_xh"."""


def sub(params, name):
    """The parameters of one layer, without its prefix.

    params  dict with dotted keys
    name    the layer's prefix, without the dot

    Returns a dict.  Raises ValueError if no key starts with the prefix.
    """
    start = len(name) + 1
    found = {key[start:]: value for key, value in params.items() if key.startswith(f"{name}.")}
    if not found:
        raise ValueError(f"no parameter starts with {name!r}; there are {', '.join(params)}")
    return found


def prefixed(name, params):
    """The inverse of `sub`: the same dict with every key prefixed by "name."."""
    return {f"{name}.{key}": value for key, value in params.items()}


def count(params):
    """The number of scalars in all parameters together."""
    return sum(value.size for value in params.values())
