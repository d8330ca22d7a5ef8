"""Texts to train on: the book's own, and real ones that are fetched once and checked.

A fetched file is kept in a folder, the user's cache or the one that SEQLIB_DATA names.  It is used
only if its SHA-256 is the expected one.  SEQLIB_OFFLINE=1 forbids the network.  Fetching needs
pooch, which `pip install "seqlib[data]"` brings.
"""

import hashlib
import os
import tarfile
import tempfile
import zipfile
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from seqlib import optional

TIMEOUT = 30  # seconds without an answer before the next address is tried


class Source(NamedTuple):
    """Where a file comes from, and how to know it."""

    file: str  # its name in the cache, and for a person who puts it there
    sha256: str  # of that file, also when it is a member of an archive
    addresses: tuple[str, ...]  # tried in this order
    member: str | None = (
        None  # its name in the archive, in any folder, if the addresses lead to one
    )
    alternative: str = 'text("book")'  # what there is without the network


SOURCES = {
    "tiny_shakespeare": Source(
        "tinyshakespeare.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        (
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    ),
    "time_machine": Source(
        "timemachine.txt",
        "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
        (
            "https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
            "https://raw.githubusercontent.com/d2l-ai/d2l-zh/master/data/timemachine.txt",
        ),
    ),
}
PAIRS = {
    "tatoeba": Source(
        "fra.txt",
        "0bb85dbaa1c896844649094d7eaf2e34bee34e84fe362b26ce7e8f2e12aae104",
        (
            "https://d2l-data.s3-accelerate.amazonaws.com/fra-eng.zip",
            "https://raw.githubusercontent.com/modelexlab/data/adddaf33ac35572bcfeb421efec29435e7ea9332/fra-eng.zip",
        ),
        member="fra.txt",
        alternative="seqlib.phrases.corpus()",
    ),
}


def text(name="book"):
    """A whole text as one string.

    name  "book", which is part of seqlib; "tiny_shakespeare" or "time_machine", fetched once

    Returns str.  Raises ValueError for another name, RuntimeError if the text cannot be had; its
    message says where to put the file by hand.
    """
    if name == "book":
        return book()
    if name not in SOURCES:
        raise ValueError(f"there is no text {name!r}; there are {['book', *SOURCES]}")
    return fetch(SOURCES[name]).read_text(encoding="utf-8")


def pairs(name="tatoeba"):
    """Sentences and their translations as a list of pairs of strings.

    name  "tatoeba": 167,130 English sentences with a French one each, shortest first; a sentence
          with several translations comes several times.  By the contributors of tatoeba.org, put
          together by manythings.org (2019-04-07), licensed CC BY 2.0

    Returns a list of (English, French).  Raises ValueError for another name or a line without
    exactly one tab, RuntimeError if the file cannot be had, as `text`.
    """
    if name not in PAIRS:
        raise ValueError(f"there are no pairs {name!r}; there are {list(PAIRS)}")
    lines = fetch(PAIRS[name]).read_text(encoding="utf-8").rstrip("\n").split("\n")
    found = [tuple(line.split("\t")) for line in lines]
    for number, parts in enumerate(found, 1):
        if len(parts) != 2:
            raise ValueError(f"line {number} of {name!r} has {len(parts) - 1} tabs; expected 1")
    return found


def book():
    """The text that seqlib carries: a frozen snapshot of this book's prose."""
    file = resources.files("seqlib") / "data" / "book.txt"
    if not file.is_file():
        raise RuntimeError(f"{file} is missing: this copy of seqlib carries no text")
    return file.read_text(encoding="utf-8")


def folder():
    """The folder of fetched files: SEQLIB_DATA, or else the user's cache."""
    named = os.environ.get("SEQLIB_DATA")
    return Path(named).expanduser() if named else Path(_pooch().os_cache("seqlib"))


def fetch(source):
    """The checked file of a Source, from the folder or from the first address that serves it.

    Returns its Path.  Raises RuntimeError if no address gives the file with the right SHA-256;
    a wrong file is not kept.
    """
    path = folder() / source.file
    found = path.is_file()
    if found and _sha256(path) == source.sha256:
        return path
    problems = [f"{path} has another SHA-256"] if found else []
    if os.environ.get("SEQLIB_OFFLINE", "0") not in ("", "0"):
        problems.append("SEQLIB_OFFLINE forbids the network")
    else:
        for address in source.addresses:
            try:
                return _download(source, address)
            except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile) as problem:
                problems.append(f"{address}: {problem}")
    raise RuntimeError(
        f"{source.file} could not be had.\n"
        + "".join(f"  - {problem}\n" for problem in problems)
        + f"Put the file there yourself: {path}\n"
        f"  (SHA-256 {source.sha256})\n"
        f"or use what needs no network: {source.alternative}."
    )


def _download(source, address):
    """Fetch from one address into the folder; what is wrong raises and leaves nothing behind."""
    pooch, path = _pooch(), folder()
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    if source.member is None:
        pooch.retrieve(address, source.sha256, source.file, path, downloader=downloader)
        return path / source.file
    # The same member travels in differently packed archives: its hash counts, not the archive's.
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path) as scratch:
        archive = pooch.retrieve(address, None, "archive", scratch, downloader=downloader)
        member = Path(scratch) / "member"
        member.write_bytes(_member(archive, source.member))
        if _sha256(member) != source.sha256:
            raise ValueError(f"{source.member} has another SHA-256, {_sha256(member)}")
        return member.replace(path / source.file)


def _member(archive, name):
    """The bytes of the file of this name, in whatever folder of a zip or tar archive it lies."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as files:
            return files.read(_find(name, files.namelist()))
    with tarfile.open(archive) as files:
        paths = {member.name: member for member in files if member.isfile()}
        return files.extractfile(paths[_find(name, paths)]).read()


def _find(name, paths):
    found = [path for path in paths if PurePosixPath(path).name == name]
    if not found:
        raise ValueError(f"{name} is not among the {len(paths)} members of the archive")
    return found[0]


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pooch():
    with optional.imports():
        import pooch
    pooch.get_logger().setLevel("WARNING")  # the library prints nothing
    return pooch
