"""What a sandbox sees: a list of files and folders, and a call of bubblewrap that shows no others.

The list holds the system's libraries, the interpreter with its standard library, some packages of
the environment with what they require, and the parts of seqlib that answers may use.  Neither
`sys.prefix` nor anything else is shown as a whole: a course may lie in it.
"""

import importlib.metadata
import importlib.util
import os
import re
import sys
import sysconfig
from functools import cache
from pathlib import Path

SCRATCH = "/scratch"  # as in child
HERE = Path(__file__).resolve().parent.parent  # the package seqlib
ROOTS = "/lib", "/lib64", "/lib32", "/usr/lib", "/usr/lib64", "/usr/lib32"
SYSTEM = (
    *("/etc/ld.so.cache", "/etc/alternatives", "/usr/share/zoneinfo"),
    *("/usr/share/matplotlib", "/usr/share/fonts"),
)
INSTALLED = "site-packages", "dist-packages"
PACKAGES = "numpy", "ipython", "matplotlib", "pyseccomp"
MORE = "scipy", "pandas", "sympy", "scikit-learn", "seaborn"  # which can take a derivative
TORCH = ("torch",)
GRADING = (  # of this package: nothing that reads, judges or keeps
    *("__init__", "cells", "child", "clock", "compare", "exercises", "kernel", "lock", "questions"),
    *("report", "values", "wire"),
)
DERIVING = "gradcheck.py", "pytorch"  # of seqlib


def packages(flavor):
    """The names of the distributions that a flavor of the sandbox shows."""
    wanted = list(PACKAGES)
    if "derivation" not in flavor:
        wanted += MORE
    if "torch" in flavor:
        wanted += TORCH
    found = {}
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name not in found:
            try:
                found[name] = importlib.metadata.distribution(name)
            except importlib.metadata.PackageNotFoundError:
                continue
            needed = [text for text in found[name].requires or () if "extra ==" not in text]
            wanted += [re.match(r"[\w.-]+", text)[0] for text in needed]
    return found


def parts(name, distribution):
    """The files and folders of a distribution, side by side in a folder of packages."""
    files = distribution.files
    if files:
        tops = {file.parts[0] for file in files} - {"..", "__pycache__", "/"}
        tops = {top for top in tops if not top.endswith(".pth")}
        found = [Path(distribution.locate_file(top)) for top in sorted(tops)]
    else:
        spec = importlib.util.find_spec(name.replace("-", "_"))
        found = [] if spec is None else [Path(spec.origin)]
        found = [path.parent if path.name == "__init__.py" else path for path in found]
    return [path for path in found if path.exists()]


def libraries():
    """The folders of the system's libraries: of this machine's kind, where it keeps them apart."""
    kind = sysconfig.get_config_var("MULTIARCH") or "-"
    for root in ROOTS:
        if os.path.islink(root) or not os.path.isdir(os.path.join(root, kind)):
            yield root
        else:
            yield os.path.join(root, kind)


@cache
def seen(flavor):
    """Pairs of a path and the place where the sandbox has it, in the order to bind them."""
    pairs = [(path, path) for path in (*libraries(), *SYSTEM) if os.path.exists(path)]
    found = sorted((Path(sys.base_prefix) / "lib").glob("lib*.so*"))
    pairs += [(str(path), str(path)) for path in found]
    for name in ("stdlib", "platstdlib"):
        path = sysconfig.get_path(
            name, vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
        )
        pairs.append((path, path))
    pairs.append((interpreter(), interpreter()))
    for name, distribution in packages(flavor).items():
        pairs += [(str(path), str(path)) for path in parts(name, distribution)]
    left_out = {"exercises", "grading", "__pycache__"}
    left_out |= set(DERIVING) if "derivation" in flavor else set()
    for path in sorted(HERE.iterdir()):
        if path.name not in left_out:
            pairs.append((str(path), f"/answer/seqlib/{path.name}"))
    for name in GRADING:
        pairs.append((str(HERE / f"grading/{name}.py"), f"/answer/seqlib/grading/{name}.py"))
    return tuple(dict.fromkeys(pairs))


def interpreter():
    """The file that runs, whatever links lead to it."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def hidden():
    """Folders of packages within what is bound: empty, but for the packages of the list."""
    library = Path(sysconfig.get_path("stdlib"))
    found = [library / name for name in INSTALLED]
    for base in ("/usr/lib", "/usr/lib64"):
        found += [path for name in INSTALLED for path in Path(base).glob(f"python3*/{name}")]
    return [str(path) for path in dict.fromkeys(found) if path.is_dir()]


def inside(path, folder):
    """Whether a path is a folder or lies below it."""
    path, folder = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    return path == folder or folder in path.parents


def refuse(named):
    """Raises ValueError if one of the paths lies where an answer can read.

    named  dict of what a path is: the path, or None
    """
    for what, path in named.items():
        for source, _ in seen(()) + seen(("torch",)) if path else ():
            if inside(path, source):
                raise ValueError(
                    f"{what} {path} lies in {source}, which answers can read: move it elsewhere"
                )


def walls(flavor):
    """The call of bubblewrap: a read-only world without network, environment and neighbors."""
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--cap-drop", "ALL", "--uid", "65534", "--gid", "65534"]
    command += ["--size", str(2**25), "--tmpfs", SCRATCH]  # the one place to write
    covers, shown = hidden(), seen(flavor)
    if not any(place.startswith("/tmp/") for _, place in shown):
        command += ["--symlink", SCRATCH, "/tmp"]
    for source, place in shown:  # first what covers, then what it shows
        if not any(Path(cover) in Path(place).parents for cover in covers):
            command += bound(source, place)
    for cover in covers:
        command += ["--size", str(2**20), "--tmpfs", cover]
    for source, place in shown:
        if any(Path(cover) in Path(place).parents for cover in covers):
            command += bound(source, place)
    for device in ("null", "zero", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for folder in (*covers, "/"):
        command += ["--remount-ro", folder]
    folders = dict.fromkeys(str(Path(place).parent) for _, place in shown)
    homes = [folder for folder in folders if Path(folder).name in INSTALLED]
    for name, value in {
        "HOME": SCRATCH,
        "TMPDIR": SCRATCH,
        "USER": "nobody",
        "LC_ALL": "C.UTF-8",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": SCRATCH,
        "IPYTHONDIR": SCRATCH,
        "PYTHONPATH": ":".join(["/answer", *homes]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }.items():
        command += ["--setenv", name, value]
    return [*command, "--chdir", SCRATCH, "--", interpreter(), "-P", "-s"]


def bound(source, place):
    """The words that show a path at a place."""
    if os.path.islink(source) and source in ROOTS:
        return ["--symlink", os.readlink(source), place]
    return ["--ro-bind", source, place]
