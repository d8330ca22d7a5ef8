"""Run the cells of a notebook as its kernel would, without its screen, its shell and its sockets.

A cell that is no Python goes through IPython's own transformer.  Magics that run code run it; shell
commands start nothing.  A stub below an answer is passed over: the answer goes on counting.
"""

import __future__

import ast
import asyncio
import contextlib
import inspect
import io
import linecache
import re
import sys
import time

OPTIONS = re.compile(r"^(?:-[nrp] *\d+ +|-[tcqov] +)+")  # of %timeit
QUIET = {"matplotlib", "load_ext", "reload_ext", "autoreload", "config", "pinfo", "pinfo2"}
STILL = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


class Nowhere(io.TextIOBase):
    """Takes what is printed."""

    def write(self, text):
        return len(text)


class Loop(asyncio.BaseEventLoop):
    """Waits by sleeping: there are no sockets to wait for."""

    def __init__(self):
        super().__init__()
        self._selector = self

    def select(self, timeout):
        time.sleep(0.01 if timeout is None else timeout)
        return ()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


class Kernel:
    """Runs one cell after the other.

    limited  function that gives a context for each cell to run in

    names holds what the cells have defined, failed a sentence for each cell that failed, notes one
    for each thing that was done in another way than a kernel does it.
    """

    def __init__(self, limited=contextlib.nullcontext):
        self.limited, self.failed, self.notes = limited, [], []
        self.stubs, self.flags, self.number = set(), ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, 0
        self.loop = None
        self.names = {
            "__name__": "__main__",
            "display": lambda *values, **choice: None,
            "get_ipython": lambda: self,
            "input": nobody_types,
        }

    def run(self, number, text):
        """One cell.  If it fails it leaves the others alone."""
        self.number = number
        try:
            text, tree = self.python(text, f"<cell {number}>")
            with contextlib.redirect_stdout(Nowhere()), self.limited():
                self.execute(tree)
        except NotImplementedError:
            return
        except TimeoutError as error:
            self.fail(error)
            for node in tree.body[tree.body.index(self.at) + 1 :]:
                if isinstance(node, STILL):
                    with contextlib.suppress(Exception), self.limited():
                        self.statement(node, self.names)
        except (Exception, SystemExit) as error:
            self.fail(error)

    def fail(self, error):
        self.failed.append(f"code cell {self.number}: {type(error).__name__}: {error}")

    def note(self, text):
        sentence = f"code cell {self.number}: {text}"
        if sentence not in self.notes and len(self.notes) < 100:
            self.notes.append(sentence)

    def python(self, text, file):
        """A cell as Python, and its tree."""
        try:
            tree = ast.parse(text, file)
        except SyntaxError:
            text = transformed(text)
            tree = ast.parse(text, file)
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        self.file = file
        return text, tree

    def execute(self, tree, names=None):
        for node in tree.body:
            self.at = node
            self.statement(node, self.names if names is None else names)

    def statement(self, node, names):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if is_stub(node):
                if node.name in names and node.name not in self.stubs:
                    self.note(f"a stub of {node.name} below an answer; the answer counts")
                    return
                self.stubs.add(node.name)
            else:
                self.stubs.discard(node.name)
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for name in node.names:
                self.flags |= getattr(__future__, name.name).compiler_flag
        code = compile(ast.Module([node], []), self.file, "exec", self.flags, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            self.loop = self.loop or Loop()
            self.loop.run_until_complete(eval(code, names))
        else:
            exec(code, names)

    # What IPython's transformer calls

    def getoutput(self, command, *rest, **choice):
        self.note("a shell command; none is started here, and it gives an empty list")
        return []

    def system(self, command, *rest, **choice):
        self.note("a shell command; none is started here")

    getoutput_pexpect = getoutput
    system_raw = system_piped = system

    def run_line_magic(self, name, line, *rest, **choice):
        if name in ("time", "prun"):
            self.part(line, self.names)
        elif name == "timeit":
            self.part(OPTIONS.sub("", line), dict(self.names))
        elif name in ("sx", "system"):
            return self.getoutput(line)
        elif name not in QUIET:
            self.note(f"%{name} does nothing here")
        return None

    def run_cell_magic(self, name, line, cell):
        if name in ("time", "prun", "capture"):
            self.part(cell, self.names)
        elif name == "timeit":
            self.part(f"{OPTIONS.sub('', line + ' ')}\n{cell}", dict(self.names))
        elif name in ("writefile", "file"):
            with open(line.split()[-1], "a" if "-a" in line.split() else "w") as file:
                file.write(cell)
        elif name not in ("html", "HTML", "latex", "markdown", "svg", "SVG"):
            self.note(f"%%{name} starts nothing here")

    magic = run_line_magic

    def part(self, text, names):
        """Code within a magic, which may hold magics itself."""
        _, tree = self.python(text.strip("\n"), self.file)
        for node in tree.body:
            self.statement(node, names)


def nobody_types(*prompt):
    raise EOFError("nobody is there to type")


def is_stub(node):
    """Whether a function only raises NotImplementedError, whatever stands above that line."""
    last = node.body[-1]
    raised = last.exc if isinstance(last, ast.Raise) else None
    raised = raised.func if isinstance(raised, ast.Call) else raised
    if not isinstance(raised, ast.Name) or raised.id != "NotImplementedError":
        return False
    return not any(isinstance(part, ast.Return | ast.Yield) for part in ast.walk(node))


def transformed(text):
    """What a notebook's kernel understands beyond Python, as Python."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager
    except ImportError as error:
        raise SyntaxError("no Python; to run what notebooks add to it, install ipython") from error
    return TransformerManager().transform_cell(text)


def run(sources, limited=contextlib.nullcontext, left_out=(), began=None):
    """A Kernel that has run the cells.

    sources   their texts; the first has number 1
    left_out  numbers of cells that are not run
    began     function of the number of the cell that is run next
    """
    kernel, module = Kernel(limited), sys.modules.get("IPython")
    kept = getattr(module, "get_ipython", None)
    if module:
        module.get_ipython = kernel.names["get_ipython"]
    try:
        for number, text in enumerate(sources, 1):
            if number not in left_out:
                if began:
                    began(number)
                kernel.run(number, text)
    finally:
        if module:
            module.get_ipython = kept
    return kernel
