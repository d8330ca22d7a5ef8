"""Without the packages that only parts of the library need: each part says what to install."""

import json
import subprocess
import sys

import pytest
from others import needed

from seqlib import optional
from seqlib.grading import cluster

BLOCKED = """
import importlib, json, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
import seqlib
found = {{}}
for module in pkgutil.walk_packages(seqlib.__path__, "seqlib.", onerror=lambda name: None):
    if module.name.endswith("__main__") or module.name == "seqlib.grading.child":
        continue
    try:
        importlib.import_module(module.name)
        found[module.name] = ""
    except Exception as error:
        found[module.name] = f"{{type(error).__name__}}: {{error}}"
print(json.dumps(found))
"""


def without(*packages):
    """What the import of each module gives where packages are not installed: "" or an error."""
    script = BLOCKED.format(packages=set(packages))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def bare():
    return without(*optional.EXTRAS)


def test_a_module_is_imported_or_says_what_to_install(bare):
    for name, error in bare.items():
        assert not error or (error.startswith("ModuleNotFoundError") and "pip install" in error), (
            name,
            error,
        )


@pytest.mark.parametrize(
    ("package", "modules"),
    [
        ("matplotlib", ["plots", "drawing", "diagrams", "widgets", "lstm_diagrams"]),
        ("torch", ["pytorch"]),
        ("PIL", ["widgets"]),
    ],
)
def test_the_package_is_named(package, modules):
    found = without(package)
    name, extra = optional.EXTRAS[package]
    for module in modules:
        error = found[f"seqlib.{module}"]
        assert f"pip install {name}, or" in error and f"seqlib[{extra}]" in error, (module, error)


def test_numpy_alone_is_enough_for_the_layers(bare):
    names = [name for name in bare if name.startswith("seqlib.scratch.")]
    assert len(names) > 40
    light = ["seqlib.text", "seqlib.decode", "seqlib.weights", "seqlib.corpora"]
    assert not any(bare[name] for name in [*names, *light])


def test_a_cluster_without_distributed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r"seqlib\[cluster\]"):
        cluster.mapper("tcp://nowhere:1")


def test_another_missing_module_is_not_explained():
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_module'"):
        with optional.imports():
            import no_such_module  # noqa: F401


def test_a_judge_that_is_missing_fails_where_everything_has_to_run(monkeypatch):
    """A named skip under plain pytest, a failure under `make test`."""
    import run

    assert run.STRICT == {"SEQLIB_TESTS_STRICT": "1"}
    monkeypatch.setenv("SEQLIB_TESTS_STRICT", "1")
    with pytest.raises(ModuleNotFoundError):
        needed("no_such_module")
    monkeypatch.delenv("SEQLIB_TESTS_STRICT")
    with pytest.raises(pytest.skip.Exception, match="no_such_module is not installed"):
        needed("no_such_module")
