"""A reader's own files: a text, and a series of numbers from a table.

What cannot be read without a guess is a ValueError that names file and place.
"""

import csv
import io
import math
import re
from pathlib import Path

import numpy as np

MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
UTF_32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", ".", "?")


def read_text(path, encoding=None):
    """A text file as one string, its lines ended by "\\n" and without a byte order mark.

    encoding  a name that Python knows, such as "latin-1" or "cp1252"; None reads UTF-8, and UTF-16
              that begins with its mark

    Returns str.  Raises ValueError that names the file and the byte, counted from 0, if it does not
    hold text of that encoding.
    """
    content = Path(path).read_bytes()
    named = encoding or next((MARKS[m] for m in MARKS if content.startswith(m)), "utf-8")
    hint = "" if encoding else '; name the encoding, such as encoding="cp1252"'
    if not encoding and content.startswith(UTF_32):
        raise ValueError(f"{path} begins with the mark of utf-32 at byte 0{hint}")
    try:
        text = content.decode(named)
    except UnicodeDecodeError as problem:
        found = content[problem.start : problem.start + 1].hex()
        raise ValueError(
            f"{path} is not {named}: byte {problem.start} is 0x{found}, {problem.reason}{hint}"
        ) from None
    except LookupError:
        raise ValueError(f"{path}: {encoding!r} is no encoding of text that Python knows") from None
    if "\0" in text:  # UTF-16 without its mark is mostly valid UTF-8
        place = len(text[: text.index("\0")].encode(named))
        raise ValueError(f"{path} is no {named} text: character 0 at byte {place}{hint}")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_column(path, column, *, separator=",", decimal=".", encoding=None):
    """One column of numbers of a CSV file.

    column     its name in the file's first line; or its place, from 0 on, in a file whose first
               line holds numbers already
    separator  what stands between fields: ";" where the comma is the decimal sign
    decimal    "." or ","; nothing separates thousands
    encoding   as in `read_text`

    Neither sign is guessed.  Fields may stand in double quotes, and then hold separators and line
    ends: a comma may be both signs there.  Empty lines at the end do not count.

    Returns (N,) float64, a number for every line.  Raises ValueError that names the file, and the
    lines whose field is missing (empty, "NA", "nan", ...) or no number, or that have more or fewer
    fields than the first.
    """
    if len(separator) != 1 or separator in '"\r\n' or decimal not in (".", ","):
        raise ValueError(
            f"{path}: separator is {separator!r}, decimal is {decimal!r}; expected one character"
            " that is no quote, and a point or a comma"
        )
    rows = table(path, read_text(path, encoding), separator)
    if isinstance(column, str):
        _, names = rows.pop(0)
        names = [name.strip() for name in names]
        if names.count(column) != 1:
            raise ValueError(
                f"{path} has {names.count(column)} columns {column!r} of {names}; expected 1"
                f" (the separator is {separator!r})"
            )
        column = names.index(column)
    if not rows:
        raise ValueError(f"{path} has names in line 1 and 0 lines below; expected at least 1")
    width = len(rows[0][1])
    if not 0 <= column < width:
        raise ValueError(f"{path} has no column {column}; its {width} are 0 to {width - 1}")
    fields = [(line, fields[column].strip()) for line, fields in rows]
    missing = [line for line, field in fields if field.lower() in MISSING]
    if missing:
        raise ValueError(
            f"{path}: no value in {named_lines(missing)}, of {len(fields)}; fill them in or take"
            " the lines out"
        )
    return np.array([number(path, line, field, decimal) for line, field in fields])


def table(path, text, separator):
    """The rows of a CSV text with the numbers of their first lines, from 1 on."""
    lines = io.StringIO(text.rstrip("\n"))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    rows, line = [], 1
    try:
        for fields in reader:
            rows.append((line, fields or [""]))
            line = reader.line_num + 1
    except csv.Error as problem:
        raise ValueError(f"{path}, line {line}: {problem}") from None
    if not text.strip():
        raise ValueError(f"{path} has 0 lines with something in them; expected at least 1")
    odd = [line for line, fields in rows if len(fields) != len(rows[0][1])]
    if odd:
        raise ValueError(
            f"{path}: another number of fields than the {len(rows[0][1])} of line 1 in"
            f" {named_lines(odd)} (the separator is {separator!r})"
        )
    return rows


def number(path, line, field, decimal):
    """A field as a float; a ValueError if it is none, or has another decimal sign."""
    plain = rf"[+-]?(\d+({re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)([eE][+-]?\d+)?"
    value = math.inf
    if re.fullmatch(plain, field, re.ASCII):
        value = float(field.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(
            f"{path}, line {line}: {field!r} is no finite number (the decimal sign is {decimal!r})"
        )
    return value


def named_lines(lines, most=10):
    """Lines by their numbers, the first of many."""
    shown = ", ".join(map(str, lines[:most]))
    more = f" and {len(lines) - most} more" if len(lines) > most else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"
