"""Plain values as bytes: all that passes between a grader and the process that runs an answer.

A message is 8 bytes, the length of a header and that of all arrays, the header in JSON, and the
arrays.  Reading one executes nothing, and takes no more memory than the limits below allow: who
wrote it may have been anybody.
"""

import json
import struct
from math import prod

import numpy as np

from seqlib.grading.values import Odd

MOST_HEADER = 2**18  # bytes
MOST_DATA = 2**24  # bytes of all arrays together
MOST_AXES = 8
LENGTHS = struct.Struct("<II")
KINDS = ("f2", "f4", "f8", *(f"{s}{n}" for s in "iu" for n in (1, 2, 4, 8)))
DTYPES = {str(np.dtype(kind)) for kind in KINDS}
NAMES = {np.dtype(kind): str(np.dtype(kind)) for kind in (*KINDS, "?")}


class Refused(ValueError):
    """A message that is none, or larger than allowed."""


def encoded(value):
    """A plain value as a message.  Raises Refused if it is too large or no plain value."""
    data = []
    header = json.dumps(_tree(value, data)).encode()
    size = sum(len(part) for part in data)
    if len(header) > MOST_HEADER or size > MOST_DATA:
        raise Refused(
            f"a value of {len(header)} + {size} bytes; at most {MOST_HEADER} + {MOST_DATA}"
        )
    return b"".join([LENGTHS.pack(len(header), size), header, *data])


def decoded(receive):
    """The value of the next message.

    receive  function of n: the next n bytes, all of them

    Raises Refused; and what `receive` raises.
    """
    length, size = LENGTHS.unpack(receive(LENGTHS.size))
    if length > MOST_HEADER or size > MOST_DATA:
        raise Refused(f"a reply of {length} + {size} bytes; at most {MOST_HEADER} + {MOST_DATA}")
    try:
        tree = json.loads(receive(length).decode())
        data = receive(size)
        value, end = _value(tree, data, 0)
    except (RecursionError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise Refused(f"a reply that is no plain value ({type(error).__name__})") from error
    if end != size:
        raise Refused(f"a reply with {size} bytes of arrays; {end} belong to one")
    return value


def _tree(value, data):
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Odd):
        return {"odd": str(value)}
    if type(value) in (tuple, list):
        return {type(value).__name__: [_tree(item, data) for item in value]}
    if type(value) is dict:
        return {"dict": [[str(key), _tree(item, data)] for key, item in value.items()]}
    if type(value) is np.ndarray and value.dtype in NAMES:
        data.append(value.tobytes())
        return {"array": [NAMES[value.dtype], list(value.shape)]}
    raise Refused(f"{type(value).__name__} is no plain value")


def _value(tree, data, start):
    """The value of a part of the header, and where its arrays end in the data."""
    if type(tree) is str:
        return _text(tree), start
    if tree is None or type(tree) in (bool, int, float):
        return tree, start
    if type(tree) is not dict or len(tree) != 1:
        raise Refused("a header of another form")
    ((kind, content),) = tree.items()
    if kind == "array":
        return _array(*content, data, start)
    if kind in ("tuple", "list"):
        items = []
        for part in content:
            item, start = _value(part, data, start)
            items.append(item)
        return (tuple(items) if kind == "tuple" else items), start
    if kind == "dict":
        found = {}
        for key, part in content:
            found[_text(str(key))], start = _value(part, data, start)
        return found, start
    if kind == "odd" and type(content) is str:
        return Odd(_text(content)), start
    raise Refused(f"a header with {kind[:20]!r}")


def _text(value):
    """A string that any file can hold: half a character is written out."""
    return value.encode("utf-8", "backslashreplace").decode()


def _array(dtype, shape, data, start):
    if dtype != "bool" and dtype not in DTYPES:
        raise Refused(f"an array of dtype {str(dtype)[:20]!r}")
    if len(shape) > MOST_AXES or any(type(n) is not int or n < 0 for n in shape):
        raise Refused(f"an array of shape {str(shape)[:60]}")
    size = np.dtype("u1" if dtype == "bool" else dtype).itemsize
    end = start + size * prod(shape)
    if end > len(data):
        raise Refused("an array longer than its bytes")
    found = np.frombuffer(data[start:end], "u1" if dtype == "bool" else dtype).reshape(shape)
    return (found != 0) if dtype == "bool" else found.copy(), end
