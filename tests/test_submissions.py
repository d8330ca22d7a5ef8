"""Whatever lies in the folder has a line that says what came of it; nothing is followed."""

import csv
import io
import json
import os
import stat
import tarfile
import zipfile
from datetime import UTC, datetime

import pytest
from graders import RIGHT, answered, command, notebook, rows, write

from seqlib.grading import __main__, cells, submissions
from seqlib.grading.people import person

LONG = "Александра Константиновна " * 7 + "Преображенская-Рож"  # 200 characters
RIGHT_ONE = json.dumps(answered()).encode()


def put(folder, path, content=RIGHT_ONE):
    path = folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def zipped(**files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(**files):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def found(where):
    """For each entry whose it is, and what came of it."""
    with submissions.opened(where) as files:
        return {
            entry.path: (entry.person and entry.person.key, entry.fault or len(entry.content))
            for entry in submissions.entries(files)
        }


SIZE = len(RIGHT_ONE)


# Names

NAMES = {
    "Anna Muster_7654321_assignsubmission_file_": ("Anna Muster", "7654321"),
    "Anna Muster_7654321_assignsubmission_onlinetext_": ("Anna Muster", "7654321"),
    "Anna Muster_7654321_assignsubmission_file_my.ipynb": ("Anna Muster", "7654321"),
    "musteranna_12345_67890_my.ipynb": ("musteranna", "12345"),
    "musteranna_LATE_12345_67890_my-2.ipynb": ("musteranna", "12345"),
    "12345-67890 - Anna Muster - Oct 3, 2026 1152 PM": ("Anna Muster", "12345"),
    "12345-67890 - Anna Muster - May 13, 2026 952 AM - my.ipynb": ("Anna Muster", "12345"),
    "anna.ipynb": ("anna", ""),
    "anna.IPYNB.txt": ("anna", ""),
    "a.muster.ipynb": ("a.muster", ""),
    "anna.tar.gz": ("anna", ""),
    "Zoe\u0308.ipynb": ("Zo\u00eb", ""),  # as macOS writes it into archives
    "a\x1b[31m\nb.ipynb": ("a [31m b", ""),
    LONG: (LONG, ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_whose_it_is(name):
    found = person(name, is_file=True)
    assert (found.name, found.number) == NAMES[name]


def test_brightspace_tells_the_time():
    assert person("1-2 - A B - Oct 3, 2026 1152 PM").time == datetime(2026, 10, 3, 23, 52)
    assert person("1-2 - A B - May 13, 2026 952 AM").time == datetime(2026, 5, 13, 9, 52)
    assert person("1-2 - A B - Oct 33, 2026 1152 PM").time is None


# Folders and files


def test_other_endings_and_what_is_none(tmp_path):
    for path in ("a/my.IPYNB", "b/my.ipynb.txt", "c/my.json", "d/my", "e.Ipynb"):
        put(tmp_path, path)
    put(tmp_path, "f/answer.pdf", b"%PDF")
    put(tmp_path, "g/answer.py", RIGHT["double"].encode())
    put(tmp_path, "h/answer.rar", b"Rar!")
    put(tmp_path, "i/empty.txt", b"")
    put(tmp_path, "j/data.json", b'{"a": 1}')
    (tmp_path / "k" / "inner").mkdir(parents=True)
    seen = found(tmp_path)
    assert [seen[p] for p in ("a/my.IPYNB", "b/my.ipynb.txt", "c/my.json", "d/my", "e.Ipynb")] == [
        (name, SIZE) for name in "abcde"
    ]
    assert seen["f/answer.pdf"] == ("f", "no notebook (.pdf)")
    assert seen["g/answer.py"] == ("g", "no notebook (.py)")
    assert seen["h/answer.rar"] == ("h", "an archive (.rar) that is not read")
    assert seen["i/empty.txt"] == ("i", "an empty file")
    assert seen["j/data.json"] == ("j", "no notebook (.json)")
    assert seen["k/inner"] == ("k", "an empty folder")


def test_what_systems_add_is_named_and_nobodys(tmp_path):
    put(tmp_path, "ada/my.ipynb")
    put(tmp_path, "bea/my.ipynb")
    put(tmp_path, "__MACOSX/ada/._my.ipynb", b"\x00\x05")
    put(tmp_path, "ada/.ipynb_checkpoints/my.ipynb")
    put(tmp_path, ".DS_Store", b"x")
    put(tmp_path, "ada/homework.zip", zipped(**{"my.ipynb": "{}", "__MACOSX/._my.ipynb": "x"}))
    seen = found(tmp_path)
    assert seen["ada/my.ipynb"] == ("ada", SIZE)
    for path in ("__MACOSX", ".DS_Store", "ada/.ipynb_checkpoints"):
        assert seen[path] == (None, submissions.BY_SYSTEM)
    assert seen["ada/homework.zip/__MACOSX/._my.ipynb"] == (None, submissions.BY_SYSTEM)


AROUND = {
    "none": (["a/x.ipynb", "b/x.ipynb"], {"a", "b"}),
    "one": (["HW5/a/x.ipynb", "HW5/b/x.ipynb"], {"a", "b"}),
    "two": (["out/HW5/a/x.ipynb", "out/HW5/b/x.ipynb"], {"a", "b"}),
    "one around files, and one around it": (["a/HW5/x.ipynb", "a/HW5/y.ipynb"], {"a"}),
    "one with a folder and a paper": (["HW5/a/x.ipynb", "HW5/b.pdf"], {"HW5"}),
    "two, each alone": (["out/in/a/x.ipynb", "out/other/a/x.ipynb"], {"in", "other"}),
    "one around files": (["HW5/a.ipynb", "HW5/b.ipynb"], {"a", "b"}),
    "one, and macOS": (["HW5/a/x.ipynb", "HW5/b/x.ipynb", "__MACOSX/HW5/x"], {"a", "b"}),
    "one student": (["a/x.ipynb"], {"a"}),
    "one student with data": (["a/x.ipynb", "a/data.csv"], {"a"}),
    "as nbgrader has it": (["a/05_lstm/x.ipynb"], {"a"}),
    "as nbgrader has it, of two": (["a/05_lstm/x.ipynb", "b/05_lstm/x.ipynb"], {"a", "b"}),
    "something beside": (["HW5/a/x.ipynb", "HW5/b/x.ipynb", "c.ipynb"], {"HW5", "c"}),
}


@pytest.mark.parametrize("name", AROUND)
def test_a_folder_around_all(tmp_path, name):
    paths, people = AROUND[name]
    for path in paths:
        put(tmp_path, path)
    assert {who for who, _ in found(tmp_path).values() if who} == people


def test_no_link_is_followed(tmp_path):
    put(tmp_path, "private/solution.ipynb")
    where = tmp_path / "in"
    put(where, "anna/my.ipynb")
    put(where, "bert/my.ipynb")
    for name, target in {
        "b.ipynb": "../../private/solution.ipynb",
        "c.ipynb": "my.ipynb",
        "d.ipynb": "/proc/self/mem",
        "e": "../../private",
        "f.ipynb": "nowhere",
        "g.ipynb": "g.ipynb",
    }.items():
        (where / "anna" / name).symlink_to(target)
    os.mkfifo(where / "anna" / "h.ipynb")
    os.mknod(where / "anna" / "i.ipynb", stat.S_IFSOCK | 0o600)
    seen = found(where)
    assert seen.pop("anna/my.ipynb") == ("anna", SIZE) and len(seen) == 9
    assert seen.pop("bert/my.ipynb") == ("bert", SIZE)
    assert {told for _, told in seen.values()} == {
        "a link: only files are read",
        "a pipe, a socket or a device: only files are read",
    }


def test_what_changes_after_it_was_listed(tmp_path):
    """A file, or a folder above it, that becomes a link, a pipe, or nothing."""
    put(tmp_path, "secret/x/my.ipynb", b"secret")
    where = tmp_path / "in"
    for name in "abcd":
        put(where, f"{name}/x/my.ipynb")
    with submissions.opened(where) as files:
        (where / "a/x/my.ipynb").unlink()
        (where / "a/x/my.ipynb").symlink_to("../../../secret/x/my.ipynb")
        (where / "b/x/my.ipynb").unlink()
        (where / "b/x").rmdir()
        (where / "b/x").symlink_to("../../secret/x")
        (where / "c/x/my.ipynb").unlink()
        os.mkfifo(where / "c/x/my.ipynb")
        (where / "d/x/my.ipynb").unlink()
        seen = list(submissions.entries(files))
    assert [entry.content for entry in seen] == [None] * 4
    assert all("cannot be read" in entry.fault for entry in seen)


def test_a_file_is_read_once(tmp_path, monkeypatch):
    put(tmp_path, "a/my.ipynb")
    opened = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *a, **k: opened.append(path) or real(path, *a, **k)
    )
    found(tmp_path)
    assert opened.count("my.ipynb") == 1


def test_a_large_file_is_not_read(tmp_path):
    put(tmp_path, "a/my.ipynb", b"{")
    with open(tmp_path / "a" / "my.ipynb", "r+b") as file:
        file.truncate(2**33)
    put(tmp_path, "b/my.ipynb")
    seen = found(tmp_path)
    assert seen["a/my.ipynb"] == ("a", "a file of more than 64 MB")
    assert seen["b/my.ipynb"] == ("b", SIZE)


# Archives of students


def test_an_archive_is_read_as_it_was_uploaded(tmp_path):
    put(tmp_path, "a.zip", zipped(**{"hw/my.ipynb": RIGHT_ONE, "hw/data.csv": "1"}))
    put(tmp_path, "b/hw.tar.gz", tarred(**{"my.ipynb": RIGHT_ONE}))
    put(tmp_path, "c/hw", zipped(**{"my.ipynb": RIGHT_ONE}))  # without its ending
    seen = found(tmp_path)
    assert seen["a.zip/hw/my.ipynb"] == ("a", SIZE)
    assert seen["a.zip/hw/data.csv"] == ("a", "no notebook (.csv)")
    assert seen["b/hw.tar.gz/my.ipynb"] == ("b", SIZE)
    assert seen["c/hw/my.ipynb"] == ("c", SIZE)
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "b", "c"]  # nothing was unpacked


def test_what_is_wrong_with_an_archive(tmp_path):
    link = zipfile.ZipInfo("l.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("../../up.ipynb", RIGHT_ONE)
        archive.writestr("/root.ipynb", RIGHT_ONE)
        archive.writestr("in.zip", zipped(**{"my.ipynb": RIGHT_ONE}))
    put(tmp_path, "a.zip", made.getvalue())
    put(tmp_path, "b.zip", b"PK\x03\x04 and no more")
    put(tmp_path, "c.zip", zipped())
    put(tmp_path, "d.tar.gz", b"\x1f\x8b and no more")
    flag = bytearray(zipped(**{"my.ipynb": RIGHT_ONE}))
    flag[6] |= 1
    flag[flag.index(b"PK\x01\x02") + 8] |= 1
    put(tmp_path, "e.zip", bytes(flag))
    seen = found(tmp_path)
    assert seen["a.zip/l.ipynb"] == ("a", "a link: only files are read")
    assert seen["a.zip/up.ipynb"] == seen["a.zip/root.ipynb"] == ("a", SIZE)
    assert seen["a.zip/in.zip"] == ("a", "an archive (.zip) that is not read")
    assert "cannot be read" in seen["b.zip"][1] and "cannot be read" in seen["d.tar.gz"][1]
    assert seen["c.zip"] == ("c", "an empty archive")
    assert seen["e.zip/my.ipynb"] == ("e", "it is encrypted")


def test_bombs(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "LARGEST", 2**20)
    monkeypatch.setattr(cells, "LARGEST", 2**18)
    put(tmp_path, "a.zip", zipped(**{"a.ipynb": bytes(2**19)}))
    put(tmp_path, "b.zip", zipped(**{f"{i}.ipynb": bytes(2**17) for i in range(20)}))
    put(tmp_path, "c.zip", zipped(**{f"{i}.txt": "" for i in range(submissions.MEMBERS + 1)}))
    put(tmp_path, "d.tar.gz", tarred(**{"a.ipynb": bytes(2**21)}))
    seen = found(tmp_path)
    assert seen["a.zip/a.ipynb"] == ("a", "a file of more than 0 MB")
    assert (
        sum("cannot be read" in str(told) for path, (_, told) in seen.items() if "b.zip" in path)
        > 5
    )
    assert "more than 2000 files" in seen["c.zip"][1]
    assert "more than 1 MB" in seen["d.tar.gz"][1]


def test_the_archive_of_a_system(tmp_path):
    """As Moodle packs it, with the time of each; in it a student's own archive."""
    inner = zipped(**{"my.ipynb": RIGHT_ONE})
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, content, when in (
            ("Anna_1_assignsubmission_file_/my.ipynb", RIGHT_ONE, (2026, 5, 3, 10, 0, 0)),
            ("Bert_2_assignsubmission_file_/hw.zip", inner, (2026, 5, 4, 11, 0, 0)),
            ("carl/my.ipynb", RIGHT_ONE, (2026, 5, 5, 12, 0, 0)),
        ):
            archive.writestr(zipfile.ZipInfo(name, when), content)
        extended = zipfile.ZipInfo("Dora_4_assignsubmission_file_/my.ipynb", (2026, 5, 6, 1, 0, 0))
        moment = int(datetime(2026, 5, 6, 3, tzinfo=UTC).timestamp())
        extended.extra = b"UT\x05\x00\x01" + moment.to_bytes(4, "little")
        archive.writestr(extended, RIGHT_ONE)
        archive.writestr("empty/", "")
    with submissions.opened(tmp_path / "all.zip") as files:
        seen = {e.person.name: (e.path, e.time, e.fault) for e in submissions.entries(files)}
    assert seen["Anna"][1] == datetime(2026, 5, 3, 10)
    assert seen["Bert"][:2] == (
        "Bert_2_assignsubmission_file_/hw.zip/my.ipynb",
        datetime(2026, 5, 4, 11),
    )
    assert seen["carl"][1] is None  # no system's name, so nobody knows what this time is
    assert seen["Dora"][1] == datetime(2026, 5, 6, 3, tzinfo=UTC)
    assert seen["empty"][2] == "an empty folder"


def test_what_is_no_folder(tmp_path, capsys, folder):
    put(tmp_path, "my.ipynb")
    put(tmp_path, "broken.zip", b"PK")
    for name, told in {
        "my.ipynb": "a folder is asked for",
        "broken.zip": "is no archive that can be read",
        "nowhere": "there is no folder",
    }.items():
        with pytest.raises(ValueError, match=told), submissions.opened(tmp_path / name):
            pass


# A class of sixty

BROKEN = json.dumps(answered())[:-40].encode()
LOOP = answered(double="def double(x):\n    while True: pass")
PLOT = answered("import matplotlib.pyplot as plt\nplt.plot([1]); plt.savefig('p.png')")


def class_of_sixty(where):
    """Sixty people who hand in whatever there is; returns the points that each must get."""
    points = {}
    for n in range(30):
        put(where, f"right{n:02}/my.ipynb", json.dumps(answered(f"number = {n}")).encode())
        points[f"right{n:02}"] = 7
    for name, path, content, mark in (
        ("capitals", "capitals/MY.IPYNB", RIGHT_ONE, 7),
        ("text", "text/my.ipynb.txt", RIGHT_ONE, 7),
        ("json", "json/my.json", RIGHT_ONE, 7),
        ("file", "file.ipynb", RIGHT_ONE, 7),
        ("mark", "mark/my.ipynb", b"\xef\xbb\xbf" + RIGHT_ONE, 7),
        ("zip", "zip/hw.zip", zipped(**{"a/my.ipynb": RIGHT_ONE, "__MACOSX/a/._my.ipynb": "x"}), 7),
        ("tar", "tar/hw.tar.gz", tarred(**{"my.ipynb": RIGHT_ONE}), 7),
        ("rar", "rar/hw.rar", b"Rar!", 0),
        ("pdf", "pdf/hw.pdf", b"%PDF", 0),
        ("python", "python/hw.py", b"x = 1", 0),
        ("broken", "broken/my.ipynb", BROKEN, 0),
        ("nothing", "nothing/my.ipynb", b"", 0),
        ("loop", "loop/my.ipynb", json.dumps(LOOP).encode(), 5),
        ("exit", "exit/my.ipynb", json.dumps(answered("import os\nos._exit(1)")).encode(), 7),
        ("plot", "plot/my.ipynb", json.dumps(PLOT).encode(), 7),
        ("shell", "shell/my.ipynb", json.dumps(answered("!ls\n%matplotlib inline")).encode(), 7),
        ("stub", "stub/my.ipynb", json.dumps(answered("#", double="")).encode(), 5),
        ("wrong", "wrong/my.ipynb", json.dumps(answered(even="def even(n): return n")).encode(), 5),
        ("other", "other/my.ipynb", json.dumps(notebook("x = 1")).encode(), 0),
        ("two", "two/a.ipynb", json.dumps(answered("# one", double="")).encode(), 7),
        (LONG, f"{LONG[:100]}/{LONG[:90]}.ipynb", RIGHT_ONE, 7),
        ("名" * 60, "名" * 60 + "/my.ipynb", RIGHT_ONE, 7),
        ("=1+1", "=1+1/my.ipynb", RIGHT_ONE, 7),
        ("a;=1", "a;=1/my.ipynb", RIGHT_ONE, 7),
        ("esc [31m line", "esc\x1b[31m\nline/my.ipynb", RIGHT_ONE, 7),
        ("<b>bold", "<b>bold/my.ipynb", RIGHT_ONE, 7),
    ):
        put(where, path, content)
        points[name[:100] if name == LONG else name] = mark
    put(where, "two/b.ipynb", json.dumps(answered("# two")).encode())
    put(where, "__MACOSX/x/._my.ipynb", b"x")
    put(where, ".DS_Store", b"x")
    (where / "folder" / "in").mkdir(parents=True)
    (where / "link").mkdir()
    (where / "link" / "my.ipynb").symlink_to("../right00/my.ipynb")
    (where / "linked").symlink_to("right01")
    (where / "pipe").mkdir()
    os.mkfifo(where / "pipe" / "my.ipynb")
    return points | {"folder": 0, "link": 0, "linked": 0, "pipe": 0}


def test_a_class_of_sixty(grader, tmp_path, folder, capsys):
    """A line for each, the right marks, and the status that says: not all are notebooks."""
    expected = class_of_sixty(tmp_path / "in")
    assert len(expected) == 60
    table, pages, out = (tmp_path / name for name in ("g.csv", "pages", "g.db"))
    more = ["--csv", table, "--feedback", pages, "--jobs", "2"]
    assert __main__.main(command(tmp_path / "in", out, folder, *more)) == __main__.NO_NOTEBOOK
    lines = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
    assert len(lines) == 60 and len(list(pages.iterdir())) == 60
    found = {line["student"].replace("'=", "="): int(line["points"]) for line in lines}
    assert found == expected
    assert all(line["causes"] for line in lines if int(line["points"]) < 7)
    text = table.read_text(encoding="utf-8")
    assert text.count("\n") == 61 and not any(c in text for c in "\x1b\0")
    assert not any(line["student"].startswith("=") for line in lines)
    told = capsys.readouterr().err
    for path in ("__MACOSX", ".DS_Store", "folder/in", "link/my.ipynb", "linked", "pipe/my.ipynb"):
        assert f"no notebook: {path}: " in told
    assert "\x1b" not in told
    written = "".join(page.read_text(encoding="utf-8") for page in pages.iterdir())
    assert "<b>bold" not in written and "<script" not in written and "\x1b" not in written
    before = rows(out)
    again = command(tmp_path / "in", out, folder)
    assert __main__.main(again) == __main__.NO_NOTEBOOK and rows(out) == before


def test_sixty_in_an_archive(grader, tmp_path, folder):
    """The same folder packed: the same marks."""
    where = write(tmp_path / "in", anna=answered(), bert=answered("#", double=""))
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in sorted(where.rglob("*.ipynb")):
            archive.write(path, f"HW5/{path.relative_to(where)}")
    for name in ("in", "in.zip"):
        out = tmp_path / f"{name}.db"
        assert __main__.main(command(tmp_path / name, out, folder)) == 0
    assert rows(tmp_path / "in.db") == rows(tmp_path / "in.zip.db")
