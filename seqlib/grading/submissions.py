"""What was handed in: every entry of a folder, or of an archive, with the bytes of its files.

Nothing is unpacked and no link is followed: only regular files are read, each once, each within a
limit.  An archive that a student handed in is read as it was uploaded.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from seqlib.grading import cells
from seqlib.grading.people import Person, person
from seqlib.grading.values import clean

LARGEST = 2 * cells.LARGEST  # bytes of a student's archive, and of all that is in it
MEMBERS = 2000  # of a student's archive
ADDED = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints", ".git"}
BY_SYSTEM = "added by a system or an editor, not by a student"
EMPTY = "an empty folder"
PACKED = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
ARCHIVES = ".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"
UNKNOWN = ".rar", ".7z", ".gz", ".bz2", ".xz", ".zst"
NOTEBOOK = re.compile(r"\.ipynb\b", re.IGNORECASE)
BROKEN = (
    *(OSError, EOFError, ValueError, RuntimeError, LookupError, MemoryError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)


class File(NamedTuple):
    """A file or another entry: where it lies, how to read it, or why it is not read."""

    parts: tuple  # of its path
    read: Callable | None = None  # from a limit to at most so many bytes
    fault: str = ""
    time: datetime | None = None  # of the entry in a learning management system's archive


class Entry(NamedTuple):
    """One file of one person."""

    path: str
    person: Person | None  # None: nobody's
    content: bytes | None  # of a notebook
    fault: str  # why there is none
    time: datetime | None  # when it was handed in, if a system tells; perhaps without a zone


@contextlib.contextmanager
def opened(where):
    """The Files of a folder or of an archive, listed and not yet read.  Use it in a `with`.

    Raises ValueError if it is neither.
    """
    where = Path(where)
    with contextlib.ExitStack() as stack:
        if where.is_dir():
            root = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, root)
            yield list(below(root, os.dup(root)))
        elif where.is_file() and where.name.lower().endswith(".zip"):
            try:
                archive = stack.enter_context(zipfile.ZipFile(where))
            except BROKEN as error:
                raise ValueError(f"{where} is no archive that can be read: {error}") from error
            yield list(of_zip(archive, timed=True))
        elif where.exists():
            raise ValueError(f"{where} is a file; a folder is asked for, or a zip archive of one")
        else:
            raise ValueError(f"there is no folder {where}")


def entries(files):
    """The entries of Files, in order.  Each file is read when its turn comes."""
    start = around(files)
    for file in sorted(files, key=lambda file: natural("/".join(file.parts))):
        yield from looked_at(file, start)


def below(root, folder, parts=()):
    """Files below an open folder, which is closed.  No link is followed, also if one is new."""
    try:
        with os.scandir(folder) as scan:
            listed = sorted(scan, key=lambda entry: entry.name)
        if not listed and parts:
            yield File(parts, fault=EMPTY)
        for entry in listed:
            path = (*parts, entry.name)
            if is_added(entry.name):
                yield File(path, fault=BY_SYSTEM)
                continue
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                    yield from below(root, os.open(entry.name, flags, dir_fd=folder), path)
                elif stat.S_ISREG(mode):
                    yield File(path, beneath(root, path))
                else:
                    what = "a link" if stat.S_ISLNK(mode) else "a pipe, a socket or a device"
                    yield File(path, fault=f"{what}: only files are read")
            except (OSError, RecursionError) as error:
                yield File(path, fault=f"it cannot be read ({type(error).__name__})")
    finally:
        os.close(folder)


def beneath(root, parts):
    """A function that reads a regular file below an open folder."""

    def read(most):
        folder = os.dup(root)
        try:
            for part in parts[:-1]:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                inner = os.open(part, flags, dir_fd=folder)
                os.close(folder)
                folder = inner
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            with open(os.open(parts[-1], flags, dir_fd=folder), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise OSError("no regular file")
                return file.read(most)
        finally:
            os.close(folder)

    return read


def of_zip(archive, above=(), timed=False):
    """Files of an open zip archive.

    above  parts of the path of the archive
    timed  whether it is a learning management system's, whose times are those of handing in
    """
    members = archive.infolist()
    for member in members:
        parts = (*above, *filled(member.filename))
        if member.is_dir():
            if not any(m.filename.startswith(member.filename) and m is not member for m in members):
                yield File(parts, fault=EMPTY)
        elif any(map(is_added, parts)):
            yield File(parts, fault=BY_SYSTEM)
        elif stat.S_ISLNK(member.external_attr >> 16):
            yield File(parts, fault="a link: only files are read")
        elif member.flag_bits & 1:
            yield File(parts, fault="it is encrypted")
        else:

            def read(most, member=member):
                with archive.open(member) as file:
                    return file.read(most)

            yield File(parts, read, time=zip_time(member) if timed else None)


def of_tar(archive, above):
    for member in archive:
        parts = (*above, *filled(member.name))
        if any(map(is_added, parts)):
            yield File(parts, fault=BY_SYSTEM)
        elif member.isfile():
            yield File(parts, lambda most, m=member: archive.extractfile(m).read(most))
        elif not member.isdir():
            yield File(parts, fault="a link or a device: only files are read")


def filled(name):
    """The parts of a path in an archive, without those that lead elsewhere."""
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".", "..")]
    return tuple(parts) or ("?",)


def zip_time(member):
    """When an entry was made: in UTC if it says so, else without a zone; None if it does not."""
    extra = member.extra
    while len(extra) >= 4:
        kind, size = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        if kind == 0x5455 and size >= 5 and extra[4] & 1:
            return datetime.fromtimestamp(int.from_bytes(extra[5:9], "little"), UTC)
        extra = extra[4 + size :]
    try:
        return datetime(*member.date_time) if member.date_time[0] > 1980 else None
    except ValueError:
        return None


def is_added(name):
    return name in ADDED or name.startswith("._")


def natural(text):
    """A key by which "my-2" comes before "my-10"."""
    return [(int(part[:18]), part) if part.isdecimal() else (-1, part) for part in split(text)]


def split(text):
    return re.findall(r"\d+|\D+", text)


def around(files):
    """How many folders stand around all.

    They do if nothing lies beside them, and in the last of them lie two or more folders; around two
    or more notebooks or archives it can be one.
    """
    files = [file for file in files if file.fault != BY_SYSTEM]
    level = 0
    while len({file.parts[: level + 1] for file in files}) == 1:
        if any(len(file.parts) == level + 1 for file in files):
            return 0
        level += 1
    inner = [file for file in files if len(file.parts) > level]
    folders = {f.parts[level] for f in inner if len(f.parts) > level + 1 or f.fault == EMPTY}
    single = {f.parts[level] for f in inner if handed_in(f) or f.fault}
    many = len(folders) > 1 or (level == 1 and len(folders | single) > 1)
    return level if many else 0


def handed_in(file):
    """Whether the name of a file is that of a notebook or an archive."""
    name = file.parts[-1].lower()
    return bool(NOTEBOOK.search(name)) or name.endswith(ARCHIVES)


def looked_at(file, start):
    """The Entries of a File: several if it is an archive."""
    path = clean("/".join(file.parts), 2000)
    if file.fault == BY_SYSTEM:
        yield Entry(path, None, None, file.fault, None)
        return
    own = file.parts[start:] or file.parts
    whose = person(own[0], is_file=len(own) == 1 and file.fault != EMPTY)
    time = whose.time or (file.time if whose.number else None)
    if file.fault:
        yield Entry(path, whose, None, file.fault, time)
        return
    name = file.parts[-1].lower()
    try:
        content = file.read(LARGEST + 1)
    except BROKEN as error:
        yield Entry(path, whose, None, f"it cannot be read ({type(error).__name__})", time)
        return
    if not name.endswith(ARCHIVES) and content[:4] != b"PK\x03\x04":
        yield Entry(path, whose, *notebook(name, content), time)
        return
    count = 0
    try:
        for inner in unpacked(name, content, file.parts):
            count += 1
            path = clean("/".join(inner.parts), 2000)
            if inner.fault:
                whom = None if inner.fault == BY_SYSTEM else whose
                yield Entry(path, whom, None, inner.fault, time)
            else:
                try:
                    found = notebook(inner.parts[-1].lower(), inner.read(cells.LARGEST + 1))
                except BROKEN as error:
                    found = None, f"it cannot be read ({type(error).__name__})"
                yield Entry(path, whose, *found, time)
    except BROKEN as error:
        yield Entry(path, whose, None, f"an archive that cannot be read ({error})", time)
        return
    if not count:
        yield Entry(path, whose, None, "an empty archive", time)


def unpacked(name, content, above):
    """The Files in a student's archive.  Raises one of BROKEN."""
    if len(content) > LARGEST:
        raise ValueError(f"more than {LARGEST // 2**20} MB")
    left = [LARGEST]
    if content[:2] == b"PK":
        archive = zipfile.ZipFile(io.BytesIO(content))
        if len(archive.infolist()) > MEMBERS:
            raise ValueError(f"more than {MEMBERS} files")
        found = of_zip(archive, above)
    else:
        opener = next((PACKED[end] for end in PACKED if name.endswith(end)), None)
        if opener:
            content = opener(io.BytesIO(content)).read(LARGEST + 1)
            if len(content) > LARGEST:
                raise ValueError(f"more than {LARGEST // 2**20} MB")
        found = of_tar(tarfile.open(fileobj=io.BytesIO(content), mode="r:"), above)
    for count, file in enumerate(found):
        if count == MEMBERS:
            raise ValueError(f"more than {MEMBERS} files")

        def read(most, file=file):
            found = file.read(min(most, left[0] + 1))
            left[0] -= len(found)
            if left[0] < 0:
                raise ValueError(f"more than {LARGEST // 2**20} MB in all")
            return found

        yield file if file.fault else file._replace(read=read)


def notebook(name, content):
    """The content of a file if it is a notebook, whatever its ending; and else what it is."""
    if NOTEBOOK.search(name):
        if len(content) > cells.LARGEST:
            return None, f"a file of more than {cells.LARGEST // 2**20} MB"
        return content, ""
    if content[:3].lstrip(b"\xef\xbb\xbf \t\r\n\xff\xfe")[:1] == b"{":
        try:
            cells.parsed(content)
        except cells.Unreadable:
            pass
        else:
            return content, ""
    ending = Path(name).suffix
    if ending in UNKNOWN or name.endswith(ARCHIVES):
        return None, f"an archive ({clean(ending)}) that is not read"
    return None, f"no notebook ({clean(ending) or 'no ending'})" if content else "an empty file"
