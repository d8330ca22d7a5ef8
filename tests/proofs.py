"""Which test turns red when a line that carries an equation's tag is wrong.

python tests/proofs.py           the lines that are new or have changed since the last time
python tests/proofs.py --all     every line anew: half an hour of one core

Every tagged line of seqlib is broken on purpose, in a copy: an operation replaced by another, a
sign dropped, a number changed, a value scaled.  The tests that name its module run on the copy.
The first that fails by an assertion, not by a crash, is recorded in tests/proofs.json as the one
that proves the line, under the line's text.  The book is not built while a line has no proof.
"""

import ast
import copy
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import hypothesis
import pytest
import torch  # noqa: F401  imported once, here, and not by every run of the tests

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "tests" / "proofs.json"
# Small products: more threads make them slower.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
sys.path.insert(0, str(ROOT / "book" / "_ext"))
from tags import code_lines, the_book  # noqa: E402

OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
}
FUNCTIONS = {
    "add": "subtract",
    "cumsum": "cumprod",
    "exp": "expm1",
    "log": "log1p",
    "max": "min",
    "maximum": "minimum",
    "mean": "sum",
    "multiply": "add",
    "sigmoid": "tanh",
    "sqrt": "abs",
    "subtract": "add",
    "sum": "mean",
    "tanh": "sin",
}
FIRST = ("test_gradients.py", "test_parity.py", "test_properties.py")
# By which words the names of tests mean a module, where it is not by the module's name.
KNOWN_AS = {
    "bridge": "cho",
    "decoder_layer": "decoder",
    "decoder_only": "writer",
    "encoder_layer": "encoder",
    "encoder_only": "(test_transformer and (classifier or tagger))",
    "feeding": "translator",
    "labelling": "(tagger or classifier)",
    "layer_stack": "test_transformer",
    "losses": "(cross_entropy or squared_error)",
    "models": "language",
    "multiplicative": "(dot or general)",
    "positional": "(positions or rotary or alibi)",
    "seq2seq": "sutskever",
    "spectra": "(jacobian or spectra or lyapunov or half_life or half_lives)",
    "tied": "test_transformer",
}
REST = ("test_tasks.py", "test_library.py")  # where modules are checked under other names
NEVER = ("test_book.py", "test_equations.py", "test_exercises.py", "test_grading.py")
MOST_MUTANTS, MOST_ARGUMENTS, SECONDS = 16, 4, 120


def scaled(node):
    return ast.BinOp(ast.Constant(1.25), ast.Mult(), node)


def mutants(statement):
    """Statements that differ from this one in one place, the likelier mistakes first."""
    count = len(list(ast.walk(statement)))
    inside_index = {
        id(inner)
        for node in ast.walk(statement)
        if isinstance(node, ast.Subscript)
        for inner in ast.walk(node.slice)
    }
    indexed = [place for place, node in enumerate(ast.walk(statement)) if id(node) in inside_index]
    for kind in ("operator", "function", "sign", "number", "value", "argument", "none"):
        for place in range(count):
            if place in indexed:
                continue
            for which in range(MOST_ARGUMENTS if kind in ("argument", "none") else 1):
                changed = copy.deepcopy(statement)
                if mutate(list(ast.walk(changed))[place], kind, which):
                    yield ast.unparse(ast.fix_missing_locations(changed))


def mutate(node, kind, which):
    """Change a node in place; whether there was something of this kind to change."""
    if kind == "operator" and isinstance(node, ast.BinOp | ast.AugAssign):
        if isinstance(node.op, ast.MatMult) and isinstance(node, ast.BinOp):
            node.left = scaled(node.left)
        elif type(node.op) in OPERATORS:
            node.op = OPERATORS[type(node.op)]()
        else:
            return False
    elif kind == "function" and isinstance(node, ast.Attribute) and node.attr in FUNCTIONS:
        node.attr = FUNCTIONS[node.attr]
    elif kind == "sign" and isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node.op = ast.UAdd()
    elif kind == "number" and isinstance(node, ast.Constant) and type(node.value) in (int, float):
        node.value += 1
    elif kind == "value" and isinstance(node, ast.Assign | ast.Return | ast.AugAssign):
        if node.value is None or isinstance(node.value, ast.Tuple):
            return False
        node.value = scaled(node.value)
    elif kind in ("argument", "none") and isinstance(node, ast.Call | ast.Tuple):
        parts = node.args if isinstance(node, ast.Call) else node.elts
        if which >= len(parts) or isinstance(getattr(node, "ctx", None), ast.Store):
            return False
        parts[which] = scaled(parts[which]) if kind == "argument" else ast.Constant(None)
    else:
        return False
    return True


def statement_at(source, number):
    """The innermost statement that covers a line."""
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt) and node.lineno <= number <= node.end_lineno
    ]
    return max(found, key=lambda node: node.lineno)


def replaced(source, statement, text):
    """The source with another text in place of a statement."""
    rows = source.splitlines()
    start = rows[statement.lineno - 1][: statement.col_offset]
    rest = rows[statement.end_lineno - 1][statement.end_col_offset :]
    rows[statement.lineno - 1 : statement.end_lineno] = [start + text + rest]
    return "\n".join(rows) + "\n"


class FirstFailure:
    """Pytest plugin: the test that failed first, and whether an assertion failed."""

    def __init__(self):
        self.name = self.asserted = None

    def pytest_runtest_makereport(self, item, call):
        if call.excinfo is not None and self.name is None:
            self.name = item.nodeid
            self.asserted = call.excinfo.errisinstance(AssertionError)


def red(folder, names, choice, answer):
    """Run tests in a process of its own; tells (name, asserted) of the first that fails."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.path.insert(0, str(folder / "tests"))
    hypothesis.settings.register_profile(
        "search",
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        database=None,
        deadline=None,
        report_multiple_bugs=False,
    )
    hypothesis.settings.load_profile("search")
    failure = FirstFailure()
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--capture=fd"]
    arguments += ["-k", choice]
    stdout, sys.stdout = sys.stdout, open(os.devnull, "w")
    pytest.main([*arguments, *names], plugins=[failure])
    sys.stdout = stdout
    answer.put((failure.name, failure.asserted))


def run(folder, names, choice):
    """What `red` tells, or (None, None) after too long."""
    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    process = context.Process(target=red, args=(folder, names, choice, answer))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    return answer.get() if not answer.empty() else (None, None)


def tests_of(path):
    """What to run, one after the other: pairs of test files and pytest's choice among their tests.

    First by the module's name in each file that checks every layer, then in all files that name the
    module, then without a choice.  A test that a mistake is named proves no formula.
    """
    stem = Path(path).stem
    files = [path for path in sorted((ROOT / "tests").glob("test_*.py")) if path.name not in NEVER]
    naming = [p.name for p in files if re.search(rf"\b{stem}\b", p.read_text(encoding="utf-8"))]
    naming.sort(key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    naming = [f"tests/{name}" for name in naming or REST]
    every = [f"tests/{name}" for name in FIRST]
    words = f"{KNOWN_AS.get(stem, stem)} and not mistake"
    by_name = [([name], words) for name in every]
    whole = [(every, "not mistake")] if "/scratch/" in path else []
    return [*by_name, *whole, (naming, words), (naming, "not mistake")]


def proof(folder, path, line):
    """The test that proves a line: its name, and the mutant that it found."""
    source = (ROOT / path).read_text(encoding="utf-8")
    statement = statement_at(source, line.number)
    try:
        for text in list(mutants(statement))[:MOST_MUTANTS]:
            (folder / path).write_text(replaced(source, statement, text), encoding="utf-8")
            for names, choice in tests_of(path):
                name, asserted = run(folder, names, choice)
                if asserted:
                    return name, text
                if name:
                    break  # a crash proves little: another mutant
    finally:
        (folder / path).write_text(source, encoding="utf-8")
    return None, None


def main(every):
    modules, _ = the_book()
    proofs = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    lines = [
        (f"{path}: {line.text}", path, line)
        for path, source in modules.items()
        if "/pytorch/" not in path  # no backward pass of ours; the parity tests compare the whole
        for line in code_lines(source)
    ]
    proofs = {key: test for key, test in proofs.items() if key in {key for key, *_ in lines}}
    unproved = []
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        for name in ("seqlib", "tests", "exercises", "pyproject.toml", "chapters", "book"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        for key, path, line in lines:
            if key in proofs and not every:
                continue
            test, mutant = proof(folder, path, line)
            print(f"{key}\n    {test}    {mutant}", flush=True)
            if test is None:
                unproved.append(key)
            else:
                proofs[key] = test
            text = json.dumps(proofs, indent=1, sort_keys=True, ensure_ascii=False)
            RECORD.write_text(text + "\n", encoding="utf-8")
    if unproved:
        sys.exit("Nothing proves\n" + "\n".join(unproved))


if __name__ == "__main__":
    main("--all" in sys.argv[1:])
