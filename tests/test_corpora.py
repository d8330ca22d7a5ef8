"""The loader of real texts, against a server of its own on this machine."""

import hashlib
import http.server
import io
import sys
import tarfile
import threading
import zipfile

import pytest

from seqlib import corpora

TEXT = "The Time Traveller smiled.\nÀ bientôt.\n"
GOOD = TEXT.encode()
SHA256 = hashlib.sha256(GOOD).hexdigest()


class Server:
    """Serves a dict of paths to bytes, and remembers what was asked for."""

    def __init__(self):
        self.files, self.asked = {}, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.asked.append(handler.path)
                content = self.files.get(handler.path)
                handler.send_response(404 if content is None else 200)
                handler.send_header("Content-Length", str(len(content or b"")))
                handler.end_headers()
                handler.wfile.write(content or b"")

            def log_message(handler, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def address(self, path):
        return f"http://127.0.0.1:{self.http.server_port}{path}"

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache that does not exist yet, and an environment without surprises."""
    monkeypatch.setenv("SEQLIB_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SEQLIB_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def source(server, monkeypatch):
    """Registers a text called "sample" that the server's paths lead to."""

    def register(*paths, member=None):
        addresses = tuple(server.address(path) for path in paths)
        sample = corpora.Source("sample.txt", SHA256, addresses, member)
        monkeypatch.setitem(corpora.SOURCES, "sample", sample)

    return register


def left(folder):
    return sorted(file.name for file in folder.rglob("*")) if folder.exists() else []


def test_downloads_once_then_reads_the_cache(server, source, folder):
    server.files["/a.txt"] = GOOD
    source("/a.txt")
    assert corpora.text("sample") == TEXT
    assert corpora.text("sample") == TEXT
    assert server.asked == ["/a.txt"]
    assert left(folder) == ["sample.txt"]


def test_reads_the_cache_with_no_server_and_no_pooch(server, source, folder, monkeypatch):
    source("/a.txt")
    server.stop()
    folder.mkdir()
    (folder / "sample.txt").write_bytes(GOOD)
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.setenv("SEQLIB_OFFLINE", "1")
    assert corpora.text("sample") == TEXT


def test_goes_on_to_the_next_address_after_a_404(server, source, folder):
    server.files["/b.txt"] = GOOD
    source("/a.txt", "/b.txt")
    assert corpora.text("sample") == TEXT
    assert server.asked == ["/a.txt", "/b.txt"]


def test_goes_on_to_the_next_address_after_a_wrong_file(server, source, folder):
    server.files |= {"/a.txt": GOOD + b"x", "/b.txt": GOOD}
    source("/a.txt", "/b.txt")
    assert corpora.text("sample") == TEXT
    assert server.asked == ["/a.txt", "/b.txt"]


def test_a_wrong_hash_raises_and_leaves_no_file(server, source, folder):
    server.files["/a.txt"] = GOOD + b"x"
    source("/a.txt")
    with pytest.raises(RuntimeError, match=r"/a\.txt: .*hash"):
        corpora.text("sample")
    assert left(folder) == []


def test_a_corrupt_cache_is_fetched_again(server, source, folder):
    server.files["/a.txt"] = GOOD
    source("/a.txt")
    folder.mkdir()
    (folder / "sample.txt").write_bytes(GOOD[:-1])
    assert corpora.text("sample") == TEXT
    assert (folder / "sample.txt").read_bytes() == GOOD


def zipped(folder="", **members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{folder}{name}.txt", content)
    return buffer.getvalue()


def tarred(folder="", **members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{folder}{name}.txt")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("folder_inside", ["", "fra-eng/"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_takes_one_member_from_any_packing(server, source, folder, pack, folder_inside):
    server.files["/a"] = pack(folder_inside, about=b"read me", pairs=GOOD)
    source("/a", member="pairs.txt")
    assert corpora.text("sample") == TEXT
    assert left(folder) == ["sample.txt"]


@pytest.mark.parametrize(
    "content",
    [zipped(pairs=GOOD + b"x"), zipped(other=GOOD), tarred(other=GOOD), b"not an archive"],
    ids=["wrong hash", "missing in zip", "missing in tar", "no archive"],
)
def test_a_wrong_archive_raises_and_leaves_no_file(server, source, folder, content):
    server.files["/a"] = content
    source("/a", member="pairs.txt")
    with pytest.raises(RuntimeError, match="/a: "):
        corpora.text("sample")
    assert left(folder) == []


@pytest.mark.parametrize("cached", [None, GOOD[:-1]], ids=["nothing", "something corrupt"])
def test_offline_error_names_the_file_the_place_and_the_alternative(
    server, source, folder, monkeypatch, cached
):
    server.files["/a.txt"] = GOOD
    source("/a.txt")
    monkeypatch.setenv("SEQLIB_OFFLINE", "1")
    if cached is not None:
        folder.mkdir()
        (folder / "sample.txt").write_bytes(cached)
    with pytest.raises(RuntimeError) as error:
        corpora.text("sample")
    message = str(error.value)
    assert message.startswith("sample.txt could not be had")
    assert str(folder / "sample.txt") in message and SHA256 in message
    assert 'text("book")' in message and "SEQLIB_OFFLINE" in message
    assert ("has another SHA-256" in message) == (cached is not None)
    assert server.asked == []


def test_without_pooch_the_error_says_what_to_install(source, folder, monkeypatch):
    source("/a.txt")
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ModuleNotFoundError, match=r"seqlib\[data\]"):
        corpora.text("sample")


PAIRS = "Go.\tVa\u202f!\nHi.\tSalut\u202f!\nHi.\tSalut.\n"


@pytest.fixture
def pairs_source(server, monkeypatch):
    """Registers a file of pairs of this content, in an archive on the server."""

    def register(content=PAIRS):
        good = content.encode()
        server.files["/fra-eng.zip"] = zipped("fra-eng/", _about=b"CC BY", fra=good)
        sample = corpora.PAIRS["tatoeba"]._replace(
            sha256=hashlib.sha256(good).hexdigest(), addresses=(server.address("/fra-eng.zip"),)
        )
        monkeypatch.setitem(corpora.PAIRS, "tatoeba", sample._replace(member="fra.txt"))

    return register


def test_pairs_are_taken_from_the_member_of_an_archive(server, pairs_source, folder):
    pairs_source()
    expected = [("Go.", "Va\u202f!"), ("Hi.", "Salut\u202f!"), ("Hi.", "Salut.")]
    assert corpora.pairs() == corpora.pairs("tatoeba") == expected
    assert server.asked == ["/fra-eng.zip"]
    assert left(folder) == ["fra.txt"]


def test_a_line_that_is_no_pair_is_named(pairs_source, folder):
    pairs_source("Go.\tVa !\nRun!\n")
    with pytest.raises(ValueError, match="line 2 of 'tatoeba' has 0 tabs; expected 1"):
        corpora.pairs()


def test_offline_pairs_name_the_phrases_instead(pairs_source, folder, monkeypatch):
    pairs_source()
    monkeypatch.setenv("SEQLIB_OFFLINE", "1")
    with pytest.raises(RuntimeError) as error:
        corpora.pairs()
    message = str(error.value)
    assert "phrases.corpus()" in message and str(folder / "fra.txt") in message


def test_unknown_pairs_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'europarl'.*'tatoeba'"):
        corpora.pairs("europarl")


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'moby_dick'.*'book', 'tiny_shakespeare'"):
        corpora.text("moby_dick")


def test_the_book_needs_no_network_and_no_pooch(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora.resources, "files", lambda package: tmp_path / package)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(RuntimeError, match=r"book\.txt is missing"):
        corpora.text()
    (tmp_path / "seqlib" / "data").mkdir(parents=True)
    (tmp_path / "seqlib" / "data" / "book.txt").write_bytes(GOOD)
    assert corpora.text() == TEXT
