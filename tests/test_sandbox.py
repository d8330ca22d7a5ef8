"""Grades that cannot be forged: what a submission may try from inside, and what it gets.

Every attack stands in a notebook whose other functions are right: these keep their marks.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from graders import MARKS, RIGHT, answered, command, notebook, points, task, write

from seqlib.grading import (
    __main__,
    child,
    exercises,
    grade,
    lock,
    questions,
    sandbox,
    walls,
)

pyseccomp = lock.filter_library()

# What a function may try: its question gets nothing, the others keep their points

CHEATS = {
    "replaces np.allclose": "import numpy as np\nnp.allclose = lambda *a, **k: True\nnp.abs = lambda x: 0 * x\n"
    "np.testing.assert_allclose = lambda *a, **k: None\ndef double(x):\n    return x",
    "replaces builtins": "import builtins\nbuiltins.float = lambda x: 0.0\nbuiltins.max = lambda *a: 1e9\n"
    "def double(x):\n    return x",
    "replaces the checker": "import seqlib.grading.questions as q, seqlib.grading.compare as c, seqlib.grading.report as r\n"
    "c.same = c._compare = c._numbers = q.same = lambda *a, **k: None\nr.check = lambda *a: True\n"
    "q.judged = q.marked = lambda *a: []\ndef double(x):\n    return x",
    "replaces what makes values plain": "import seqlib.grading.questions as q, seqlib.grading.values as v\n"
    "def double(x):\n    q.plain = v.plain = lambda x: True\n    return x",
    "replaces the wire": "import seqlib.grading.wire as w\nw.encoded = lambda v: b'{}'\ndef double(x):\n    return x",
    "an array that lies": "import numpy as np\nclass Liar(np.ndarray):\n    def __eq__(s, o): return True\n"
    "    def __array_ufunc__(s, *a, **k): return np.zeros(())\ndef double(x):\n    return x.view(Liar)",
    "an object that lies": "class Liar:\n    def __eq__(s, o): return True\n    def __sub__(s, o): return 0\n"
    "    def __array__(s, *a, **k): raise SystemExit\ndef double(x):\n    return Liar()",
    "a tensor that lies": "class Liar:\n    def detach(s): return s\n    cpu = detach\n    def numpy(s): raise SystemExit\n"
    "def double(x):\n    return Liar()",
    "a dict that lies": "class Liar(dict):\n    def items(s): raise KeyboardInterrupt\ndef double(x):\n    return Liar()",
    "a number that lies": "import numbers\nclass Liar(float):\n    def __sub__(s, o): return 0.0\n    __abs__ = lambda s: 0.0\n"
    "def double(x):\n    return Liar(0)",
    "an iterator without end": "import itertools\ndef double(x):\n    return itertools.count()",
    "a pickle": "import pickle, os\nclass Bomb:\n    def __reduce__(s): return os.system, ('true',)\n"
    "def double(x):\n    return pickle.dumps(Bomb())",
    "an object array": "import numpy as np\ndef double(x):\n    return np.array([object()])",
    "a structured array": "import numpy as np\ndef double(x):\n    return np.zeros(2, [('a', float)])",
    "loops for ever": "def double(x):\n    while True: pass",
    "sleeps": "import time\ndef double(x):\n    time.sleep(1000)",
    "loops and will not be stopped": "import signal\ndef double(x):\n    for n in range(1, 32):\n"
    "        try: signal.signal(n, lambda *a: None)\n        except (OSError, ValueError): pass\n"
    "    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "takes the clock away": "import signal\ndef double(x):\n    signal.setitimer(signal.ITIMER_PROF, 0)\n    while True: pass",
    "a loop that Python does not see": "def double(x):\n    return sum(range(10**12))",
    "6 GB of memory": "import numpy as np\ndef double(x):\n    a = [np.ones(2**27) for _ in range(6)]\n    return 2 * x",
    "6 GB shared": "import mmap\ndef double(x):\n    m = mmap.mmap(-1, 6 * 2**30); m[::4096] = b'x' * (6 * 2**18)\n    return 2 * x",
    "2 GB shared": "import mmap\ndef double(x):\n    m = mmap.mmap(-1, 2 * 2**30)\n    a = np.frombuffer(m, np.uint8)\n    a[::4096] = 1\n    return 2 * x",
    "shared memory by name": "from multiprocessing import shared_memory\ndef double(x):\n    shared_memory.SharedMemory(create=True, size=100)\n    return 2 * x",
    "2 GB of a stack": "import ctypes\ndef double(x):\n    c = ctypes.CDLL(None)\n    c.mmap.restype = ctypes.c_long\n"
    "    c.mmap.argtypes = [ctypes.c_long] * 6\n    assert c.mmap(0, 2**31, 3, 0x122, -1, 0) != -1\n    return 2 * x",
    "a file kept in memory, 3 GB": "import ctypes\ndef double(x):\n    c = ctypes.CDLL(None)\n    c.mmap.restype = ctypes.c_long\n"
    "    c.mmap.argtypes = [ctypes.c_long] * 6\n    f = open('big', 'w+b')\n    f.truncate(10)\n    assert c.mmap(0, 2**31, 3, 1, f.fileno(), 0) != -1\n    return 2 * x",
    "3000 threads": "import threading, time\ndef double(x):\n    threading.stack_size(32768)\n    for _ in range(3000):\n"
    "        threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n    return 2 * x",
    "os._exit": "import os\ndef double(x):\n    os._exit(0)",
    "sys.exit": "import sys\ndef double(x):\n    sys.exit(0)",
    "a segmentation fault": "import ctypes\ndef double(x):\n    ctypes.string_at(0)",
    "endless recursion in C": "import sys\ndef double(x):\n    sys.setrecursionlimit(10**9)\n    return double(x)",
    "kills all": "import os, signal\ndef double(x):\n    os.kill(-1, signal.SIGKILL); os.kill(os.getppid(), 9)",
    "kills its group": "import os, signal\ndef double(x):\n    os.killpg(0, signal.SIGKILL)\n    return 2 * x",
    "stops its parent": "import os, signal\ndef double(x):\n    os.kill(os.getppid(), signal.SIGSTOP)\n    return 2 * x",
    "forks": "import os\ndef double(x):\n    for _ in range(200):\n        os.fork()\n    return 2 * x",
    "starts programs": "import subprocess\ndef double(x):\n    subprocess.run(['true'])\n    return 2 * x",
    "a spawned program": "import os, sys\ndef double(x):\n    os.posix_spawn(sys.executable, ['p'], {})\n    return 2 * x",
    "becomes another program": "import os, sys\ndef double(x):\n    os.execv(sys.executable, ['python', '-c', ''])\n    return 2 * x",
    "a shell": "import os\ndef double(x):\n    assert os.system('true') == 0\n    return 2 * x",
    "opens a socket": "import socket\ndef double(x):\n    socket.create_connection(('127.0.0.1', 9))",
    "makes a socket": "import socket\ndef double(x):\n    socket.socket(socket.AF_UNIX).bind('s')\n    return 2 * x",
    "sends its socket to itself": "import socket\ndef double(x):\n    a, b = socket.socketpair()\n    return 2 * x",
    "asks a name server": "import socket\ndef double(x):\n    socket.getaddrinfo('example.org', 80)\n    return 2 * x",
    "traces": "import ctypes\ndef double(x):\n    c = ctypes.CDLL(None)\n    assert c.ptrace(16, c.getppid(), 0, 0) == 0\n    return 2 * x",
    "raises its limits": "import resource\ndef double(x):\n    resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))\n    return 2 * x",
    "a reply of 1 GB": "import numpy as np\ndef double(x):\n    return np.zeros(2**27, np.int8).repeat(8)",
    "a reply of 17 MB": "import numpy as np\ndef double(x):\n    return np.zeros(17 * 2**20, np.int8)",
    "a string of 100 MB": "def double(x):\n    return 'x' * 10**8",
    "100,000 empty arrays": "import numpy as np\ndef double(x):\n    return [np.zeros(0)] * 10**5",
    "an empty array of huge shape": "import numpy as np\ndef double(x):\n    return np.zeros((0, 2**40))",
    "nested for ever": "def double(x):\n    y = []\n    y.append(y)\n    return y",
    "a wrong number": "def double(x):\n    return 3 * x",
    "zeros": "def double(x):\n    return 0 * x",
    "no number": "def double(x):\n    return x + np.nan",
    "half a character": "def double(x):\n    raise ValueError('\\ud800')",
    "half a character returned": "def double(x):\n    return {'\\udfff': '\\ud800'}",
    "a huge integer": "def double(x):\n    return 10**4000",
    "complex": "def double(x):\n    return 2 * x + 0j",
    "float16": "def double(x):\n    return (2 * x).astype(np.float16)",
    "a right answer in a raw cell": "",
    "an error whose text is an error": "class E(Exception):\n    def __str__(s): raise SystemExit\ndef double(x):\n    raise E",
    "NotImplementedError in its last lines": "def double(x):\n    raise NotImplementedError(2 * x)",
    "asks for the frames above": "import sys\ndef double(x):\n    f = sys._getframe()\n    while f:\n        for v in list(f.f_locals.values()):\n"
    "            if isinstance(v, (int, float)) and v == 70007: return 2 * x\n        f = f.f_back\n    return x",
    "asks the garbage collector": "import gc, sys\ndef double(x):\n    seen = [o for o in gc.get_objects() if type(o).__name__ in ('Case', 'Question')]\n"
    "    return 2 * x if seen else x",
}  # fmt: skip

# Writing: the scratch folder is the one place, it is small, and it is empty for the next child.

WRITES = {
    "to a library": "open(np.__file__, 'a').write('x')",
    "to the library of the book": "open(seqlib.__file__, 'a').write('x')",
    "over the interpreter": "open(sys.executable, 'r+b')",
    "to the C library": "open(next(p for p in ('/lib/x86_64-linux-gnu/libc.so.6', '/lib64/libc.so.6') if os.path.exists(p)), 'r+b')",
    "to anywhere at all": "n = [1 for d, _, _ in os.walk('/') if not d.startswith(('/scratch', '/tmp')) and made(d + '/x')]; assert n",
    "folders elsewhere": "os.mkdir('/answer/x')",
    "folders in the root": "os.makedirs('/x/y')",
    "over a folder of packages": "os.mkdir(os.path.dirname(os.path.dirname(np.__file__)) + '/mine')",
    "and deletes a library": "os.remove(np.__file__)",
    "and deletes a folder": "os.rmdir('/answer/seqlib')",
    "and renames a library": "os.rename(np.__file__, '/scratch/x')",
    "and replaces a library": "open('x', 'w').write('x'); os.replace('x', np.__file__)",
    "and renames a folder": "os.rename('/answer/seqlib', '/answer/other')",
    "and cuts a library": "os.ftruncate(os.open(np.__file__, os.O_RDWR), 0)",
    "64 MB of files": "[open(f'f{i}', 'wb').write(bytes(2**23)) for i in range(8)]",
    "a file of 17 MB": "open('f', 'wb').write(bytes(17 * 2**20))",
    "a file of 1 TB with holes": "f = open('f', 'wb'); f.truncate(2**40)",
    "links": "os.symlink('/', 'l')",
    "hard links": "os.link(np.__file__, 'l')",
    "pipes": "os.mkfifo('p')",
    "devices": "os.mknod('d', 0o60600, os.makedev(8, 0))",
    "to the kernel's memory": "open('/dev/mem', 'r+b')",
    "to shared memory": "open('/dev/shm/x', 'w').write('x')",
    "rights": "os.chmod('/scratch', 0)",
    "an owner": "os.chown('/scratch', 1, 1)",
    "times": "os.utime(np.__file__, (0, 0))",
    "attributes": "os.setxattr('/scratch', 'user.x', b'x')",
    "through another root": "os.chroot('/scratch')",
}  # fmt: skip
for name, source in WRITES.items():
    CHEATS[f"writes {name}"] = (
        "import os, sys, seqlib\ndef made(p):\n    try: return open(p, 'w')\n    except OSError: return None\n"
        f"def double(x):\n    {source}\n    return 2 * x"
    )
LITTER = {
    "5000 files": "for i in range(5000): open(f'f{i}', 'w')",
    "folders 900 deep": "os.makedirs('d/' * 900)",
    "a module that the next child may import": "open('numpy.py', 'w').write('raise SystemExit')",
    "a file in the way": "os.makedirs('matplotlib'); open('fontlist.json', 'w').write('{')",
}
for name, source in LITTER.items():
    CHEATS[f"leaves {name}"] = f"import os\ndef double(x):\n    {source}\n    return x"

# System calls by their numbers; most are named in lists of ways out of a sandbox.

CALLS = {
    "fork": (), "vfork": (), "clone": (0x11, 0, 0, 0, 0), "execveat": (-100, 0, 0, 0, 0),
    "unshare": (0x10000000,), "setns": (0, 0), "mount": (0, 0, 0, 0, 0), "umount2": (0, 0),
    "pivot_root": (0, 0), "open_tree": (-100, 0, 0), "fsopen": (0, 0), "move_mount": (0, 0, 0, 0, 0),
    "open_by_handle_at": (0, 0, 0), "name_to_handle_at": (-100, 0, 0, 0, 0),
    "memfd_create": (0, 0), "memfd_secret": (0,), "shmget": (0, 4096, 0o1600), "semget": (0, 1, 0o1600),
    "msgget": (0, 0o1600), "mq_open": (0, 0o102, 0o600, 0), "userfaultfd": (1,),
    "process_vm_readv": (1, 0, 0, 0, 0, 0), "process_vm_writev": (1, 0, 0, 0, 0, 0),
    "pidfd_open": (1, 0), "pidfd_getfd": (0, 0, 0), "kcmp": (1, 1, 0, 0, 0), "tgkill": (1, 1, 9),
    "rt_sigqueueinfo": (1, 9, 0), "prctl": (4, 1, 0, 0, 0), "seccomp": (0, 0, 0), "bpf": (0, 0, 0),
    "perf_event_open": (0, 0, -1, -1, 0), "io_uring_setup": (8, 0), "io_setup": (1, 0),
    "keyctl": (0, 0, 0, 0, 0), "add_key": (0, 0, 0, 0, 0), "setuid": (0,), "setgid": (0,),
    "setgroups": (0, 0), "capset": (0, 0), "personality": (0,), "setpriority": (0, 0, -5),
    "sched_setaffinity": (0, 0, 0), "sched_setscheduler": (0, 0, 0), "setrlimit": (0, 0),
    "sethostname": (0, 0), "settimeofday": (0, 0), "reboot": (0, 0, 0, 0), "syslog": (2, 0, 0),
    "socket": (1, 1, 0), "socketpair": (1, 1, 0, 0), "connect": (3, 0, 0), "sendmsg": (3, 0, 0),
    "recvmsg": (3, 0, 0), "pipe2": (0, 0), "eventfd2": (0, 0), "epoll_create1": (0,), "timerfd_create": (0, 0),
    "inotify_init1": (0,), "signalfd4": (-1, 0, 8, 0), "ioctl": (0, 0x5451, 0), "splice": (0, 0, 0, 0, 1, 0),
    "mlockall": (1,), "remap_file_pages": (0, 0, 0, 0, 0), "setsid": (), "ptrace": (0, 0, 0, 0),
    "chdir": (0,), "fchmod": (0, 0), "flock": (0, 2), "fallocate": (0, 0, 0, 4096), "sync": (),
}  # fmt: skip
for name, given in CALLS.items():
    number = pyseccomp.resolve_syscall(pyseccomp.system_arch(), name)
    CHEATS[f"calls {name}"] = (  # the kernel must refuse it, whatever it thinks of its arguments
        "import ctypes\nc = ctypes.CDLL(None, use_errno=True)\ndef double(x):\n"
        f"    r = c.syscall({number}, *map(ctypes.c_long, {given}))\n"
        "    return x if r == -1 and ctypes.get_errno() in (1, 25) else 2 * x"
    )

# What it may send in place of a reply

DESCRIPTOR = "import os\ndef fds():\n    for n in range(3, 64):\n        try: os.fstat(n)\n        except OSError: continue\n        yield n\n"
FORGED = {
    "a frame of its own": "json.dumps({'tuple': ['value', {'array': ['float64', [2, 3]]}]}).encode(), bytes(48)",
    "a header without end": "b'{' * 1000, b''",
    "a negative shape": "json.dumps({'tuple': ['value', {'array': ['float64', [-2, 3]]}]}).encode(), bytes(48)",
    "a huge shape": "json.dumps({'tuple': ['value', {'array': ['float64', [2**62, 2**62]]}]}).encode(), bytes(48)",
    "a shape of booleans": "json.dumps({'tuple': ['value', {'array': ['float64', [True, True]]}]}).encode(), bytes(8)",
    "a dtype of objects": "json.dumps({'tuple': ['value', {'array': ['O', [2]]}]}).encode(), bytes(16)",
    "a dtype that is no text": "json.dumps({'tuple': ['value', {'array': [['f8'], [2]]}]}).encode(), bytes(16)",
    "bytes that belong to nothing": "json.dumps({'tuple': ['value', 1]}).encode(), bytes(2**20)",
    "another kind": "json.dumps({'tuple': ['pass', 9]}).encode(), b''",
    "a kind that is no text": "json.dumps({'tuple': [{'tuple': []}, 9]}).encode(), b''",
    "an empty reply": "json.dumps({'tuple': []}).encode(), b''",
    "an empty message": "json.dumps({'tuple': ['wrong', '', '']}).encode(), b''",
    "a message that is a number": "json.dumps({'tuple': ['wrong', 1, 2]}).encode(), b''",
    "a new beginning": "json.dumps({'tuple': ['locked']}).encode(), b''",
    "a cell that is over": "json.dumps({'tuple': ['cell', 3]}).encode(), b''",
    "readiness": "json.dumps({'tuple': ['ready', {'tuple': []}, {'tuple': []}]}).encode(), b''",
    "a sentence in place of a value": "json.dumps({'tuple': ['value', {'odd': 'passed'}]}).encode(), b''",
    "a promise of 4 GB": "None, b''",
    "a deep header": "b'{\"tuple\": [' * 20000, b''",
    "not a number that JSON knows": "b'{\"tuple\": [\"value\", NaN]}', b''",
    "the same key twice": "b'{\"tuple\": [\"wrong\"], \"tuple\": [\"value\", 1]}', b''",
}  # fmt: skip
for name, parts in FORGED.items():
    CHEATS[f"sends {name}"] = (
        f"import json, struct\n{DESCRIPTOR}def double(x):\n    header, data = {parts}\n"
        "    sizes = (2**32 - 1, 2**32 - 1) if header is None else (len(header), len(data))\n"
        "    message = struct.pack('<II', *sizes) + (header or b'') + data\n"
        "    for n in fds():\n        try: os.write(n, message)\n        except OSError: pass\n"
        "    os._exit(0)"
    )


@pytest.mark.parametrize("name", CHEATS)
def test_what_a_function_tries(grader, folder, name):
    content = answered(double=CHEATS[name])
    if name == "a right answer in a raw cell":
        content["cells"].append({"cell_type": "raw", "metadata": {}, "source": RIGHT["double"]})
    found, causes = points(grader, folder, content)
    assert found == MARKS | {"t.double": 0}, causes
    assert causes["t.double"]


def test_the_attacks_are_many_and_leave_no_trace(grader, folder):
    assert len(CHEATS) >= 120
    for flavor in list(grader.open):
        with sandbox.Answer(
            grader.open[flavor], sandbox.Cells(LISTS), "look", 20.0, 1024
        ) as answer:
            assert answer() == "[]"
    assert points(grader, folder, answered())[0] == MARKS


LISTS = ["import os\ndef look():\n    return repr(os.listdir('/scratch'))"]


def test_each_call_that_may_write_is_tried():
    """What is allowed beyond computing, and the attacks that try it where it must not."""
    tried = {
        **{"open": "writes to a library", "openat": "writes to anywhere at all"},
        **{"mkdir": "writes folders elsewhere", "mkdirat": "writes folders in the root"},
        **{"unlink": "writes and deletes a library", "rmdir": "writes and deletes a folder"},
        **{"unlinkat": "leaves 5000 files", "rename": "writes and renames a library"},
        **{"renameat": "writes and renames a folder", "renameat2": "writes and replaces a library"},
        **{"ftruncate": "writes and cuts a library"},
    }
    assert set(tried) == set(lock.WRITING) and set(tried.values()) <= set(CHEATS)


# What a right answer has around it: it gets its points

SURROUNDINGS = {
    "a warning": "import warnings\nwarnings.warn('careful')",
    "warnings as errors": "import warnings\nwarnings.simplefilter('error')",
    "an error in one cell": "1 / 0",
    "no Python": "this is no Python",
    "an endless loop at import": "while True: pass",
    "an endless loop that lets nothing through": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "a sleep at import": "import time\ntime.sleep(1000)",
    "500 MB printed": "import sys\nfor _ in range(500):\n    sys.__stdout__.write('x' * 10**6)\n    print('x' * 10**6)",
    "sys.exit at import": "import sys\nsys.exit(1)",
    "os._exit at import": "import os\nos._exit(3)",
    "a segmentation fault at import": "import ctypes\nctypes.string_at(0)",
    "6 GB at import": "x = [bytes(2**30) for _ in range(6)]",
    "forks at import": "import os\nfor _ in range(200):\n    os.fork()",
    "checks of its own": "from seqlib.grading import check\nassert check('t.double', len)",
    "layers of the library": "from seqlib.scratch import lstm\nimport numpy as np\nlstm.init(np.random.default_rng(0), 2, 3)",
    "gradient checks": "from seqlib.gradcheck import numerical_gradient",
    "input": "name = input()",
    "other characters": "é = 'ü 漢字'",
    "half a character": "s = '\\ud800'",
    "a table of 170 kB": f"table = {list(range(30000))!r}",
}  # fmt: skip


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_right_answer_gets_its_points(grader, folder, name):
    found, causes = points(grader, folder, answered(SURROUNDINGS[name]))
    assert found == MARKS, causes


def test_slow_experiments_do_not_lose_what_is_right(grader, folder):
    slow = "import time\nt = time.process_time()\nwhile time.process_time() - t < 0.4: pass"
    rows = grader.grade(task(answered(*[slow] * 5), folder))
    assert [row.outcome for row in rows] == ["full"] * 3
    late = f"{slow}\ndef double(x):\n    return 2 * x"  # the definition comes after the time is up
    found, _ = points(grader, folder, answered(slow, late, double=""))
    assert found == MARKS


def test_a_clock_that_has_run_out_costs_its_question_alone(grader, folder):
    """Also one with several cases, of which the first takes all the time."""
    rows = grader.grade(task(answered(even="def even(n):\n    while True: pass"), folder))
    assert [(row.points, row.outcome) for row in rows] == [(2, "full"), (3, "full"), (0, "stopped")]
    assert [case[3] for case in rows[2].cases] == ["it took longer than 1 s"] * 2


def test_a_cell_that_ends_the_process_is_named(grader, folder):
    content = answered(
        "import os\nos._exit(3)\ndef triple(x): pass", double="def double(x): return x"
    )
    row = grader.grade(task(content, folder))[0]
    assert row.points == 0 and "code cell 2: the process ended (exit code 3)" in row.cause
    every = answered(*["import os\nos._exit(3)"] * (sandbox.RESTARTS + 1))
    rows = grader.grade(task(every, folder))
    assert {row.outcome for row in rows} == {"stopped"}
    assert "again and again" in rows[0].cause


# Torch

TORCH = {
    "gradients": (
        "import torch\ndef double(x):\n    y = torch.tensor(x, requires_grad=True)\n"
        "    (y * y).sum().backward()\n    return y.grad.numpy()",
        2,
    ),
    "a tensor": ("import torch\ndef double(x):\n    return 2 * torch.tensor(x)", 2),
    "6 GB": (
        "import torch\ndef double(x):\n    a = [torch.ones(2**28) for _ in range(6)]\n    return 2 * x",
        0,
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_answers_in_torch(grader, folder, name):
    source, expected = TORCH[name]
    found, causes = points(grader, folder, answered(double=source), seconds=10.0)
    assert found == MARKS | {"t.double": expected}, causes


# A derivation by hand

DERIVES = {
    "imports torch": "import torch",
    "imports gradcheck": "import seqlib.gradcheck",
    "imports the mirrors": "import seqlib.pytorch.lstm",
    "imports it from its file": "import importlib.machinery, os\np = [os.path.join(d, n) for d, _, ns in os.walk('/') for n in ns if n.startswith(('gradcheck', '_autograd', 'libtorch'))][0]",
    "imports scipy": "import scipy.optimize",
    "imports sympy": "import sympy",
    "imports autograd": "import autograd",
    "imports jax": "import jax",
    "finds a module": "import sys\nassert [m for m in sys.modules if 'torch' in m or 'gradcheck' in m]",
    "asks the garbage collector": "import gc\nassert [o for o in gc.get_objects() if 'gradient' in getattr(o, '__name__', '') or 'torch' in getattr(o, '__name__', '')]",
    "asks what refers to NumPy": "import gc, numpy\nassert [o for o in gc.get_referrers(numpy) if isinstance(o, dict) and 'numerical_gradient' in o]",
    "loads a library": "import ctypes\nctypes.CDLL('libtorch.so')",
}  # fmt: skip
DERIVATION = """
from seqlib.grading import Case, Question, same

def square(answer, rng):
    x = rng.standard_normal(3)
    same("dx", answer(x), 2 * x)

QUESTIONS = (Question("d.square", "square", (Case(2, "dx", square, "h"),), derivation=True),)
"""


@pytest.fixture(scope="session")
def derivation(tmp_path_factory):
    home = tmp_path_factory.mktemp("derivation") / "01_test"
    home.mkdir()
    (home / "checks.py").write_text(DERIVATION)
    return home.parent


@pytest.mark.parametrize("name", DERIVES)
def test_nothing_takes_a_derivative(grader, derivation, name):
    lines = "\n    ".join(DERIVES[name].split("\n"))
    content = notebook(f"def square(x):\n    {lines}\n    return 2 * x")
    (row,) = grader.grade(task(content, derivation, seconds=10.0))
    assert row.points == 0 and row.outcome == "wrong", row.cause
    (row,) = grader.grade(task(notebook("# torch\ndef square(x):\n    return 2 * x"), derivation))
    assert row.points == 2


# What it may see

SEES = """import os, numpy as np
def look():
    found = [os.path.join(home, name) for home, _, files in os.walk("/") for name in files]
    return np.frombuffer("\\n".join(found).encode(errors="replace"), np.uint8)
"""


@pytest.mark.parametrize("flavor", [(), ("derivation",)])
def test_the_sandbox_shows_a_list(grader, flavor):
    """Every file that it sees stands in it, or below one that does."""
    with sandbox.Answer(
        grader.sandbox(*flavor), sandbox.Cells([SEES]), "look", 30.0, 1024
    ) as answer:
        found = answer().tobytes().decode().split("\n")
    listed = {place for _, place in walls.seen(flavor)} | {"/dev"}
    assert len(found) > 1000
    for path in found:
        assert any(str(part) in listed for part in (Path(path), *Path(path).parents)), path
    names = {Path(path).name for path in found}
    assert not names & {"solution.ipynb", "grades.db", "mutants.py", "walls.py", "submissions.py"}
    assert not any("/exercises/" in path or path.startswith(str(walls.HERE)) for path in found)


def test_the_environment_is_bare(grader):
    look = "import os\ndef look():\n    return tuple(sorted(os.environ))"
    with sandbox.Answer(grader.sandbox(), sandbox.Cells([look]), "look", 20.0, 1024) as answer:
        found = set(answer())
    assert found <= set(
        "HOME IPYTHONDIR LC_ALL LC_CTYPE MKL_NUM_THREADS MPLBACKEND MPLCONFIGDIR OMP_NUM_THREADS"
        " OPENBLAS_NUM_THREADS PWD PYTHONDONTWRITEBYTECODE PYTHONHASHSEED PYTHONPATH TMPDIR"
        " USER".split()
    )


def linked(source, target, *without):
    """A copy of a folder whose files are links to the same contents, or copies."""

    def put(one, other):
        try:
            os.link(os.path.realpath(one), other)
        except OSError:
            shutil.copy2(one, other)

    shutil.copytree(
        source, target, copy_function=put, ignore=shutil.ignore_patterns(*without), symlinks=False
    )


NEEDED = (
    "numpy* IPython ipython-* pyseccomp* decorator* jedi* parso* prompt_toolkit* pygments*"
    " traitlets* stack_data* executing* asttokens* pure_eval* pexpect* ptyprocess* wcwidth*"
    " matplotlib_inline* typing_extensions*"
).split()


@pytest.fixture(params=["venv", "conda"])
def course(request, tmp_path):
    """A course's folder with an interpreter in it, and the interpreter."""
    site = tmp_path / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    (tmp_path / "bin").mkdir()
    base = Path(walls.interpreter())
    python = tmp_path / "bin" / "python3"
    if request.param == "venv":
        (tmp_path / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
        python.symlink_to(base)
        site.mkdir(parents=True)
    else:
        linked(sysconfig.get_path("stdlib"), site.parent, "site-packages", "test", "__pycache__")
        for library in (Path(sys.base_prefix) / "lib").glob("libpython*"):
            shutil.copy2(library, tmp_path / "lib")
        shutil.copy2(base, python)
        site.mkdir()
    packages = Path(np.__file__).parent.parent
    for pattern in NEEDED:
        for path in packages.glob(pattern):
            if path.is_dir():
                linked(path, site / path.name)
            else:
                shutil.copy2(path, site)
    linked(walls.HERE, site / "seqlib", "__pycache__", "exercises")
    for part in ("private", "submissions/anna"):
        (tmp_path / part).mkdir(parents=True)
    return tmp_path, python


def test_an_interpreter_in_the_folder_of_the_course(grader, folder, course):
    """As a virtual environment and as conda has it: its files are seen, the course's are not."""
    home, python = course
    linked(folder / "01_test", home / "private" / "01_test")
    (home / "private" / "01_test" / "solution.ipynb").write_text(json.dumps(answered()))
    looks = (
        "import os\nseen = [os.path.join(d, n) for d, _, ns in os.walk('/') for n in ns"
        " if n in ('my.ipynb', 'solution.ipynb', 'grade.py')"
        " or n.startswith('grades.db') or d.endswith('01_test')]"
    )
    told = "def double(x):\n    raise ValueError(repr(seen))"
    content = json.dumps(answered(looks, double=told))
    (home / "submissions" / "anna" / "my.ipynb").write_text(content)
    words = [*command("submissions", "grades.db", "private"), "--seconds", "20"]
    call = [python, "-m", "seqlib.grading", *words]
    env = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(home / "lib")}
    if "pyvenv.cfg" in os.listdir(home):
        del env["LD_LIBRARY_PATH"]
    done = subprocess.run(call, cwd=home, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    connection = sqlite3.connect(home / "grades.db")
    marks = connection.execute("SELECT points, cause FROM grades").fetchall()
    connection.close()
    assert marks[0][0] == 0 and "ValueError: []" in marks[0][1], marks
    assert [points for points, _ in marks[1:]] == [3, 2]


def test_what_answers_could_read_is_refused(grader, folder, tmp_path, capsys, monkeypatch):
    where = write(tmp_path / "in", anna=answered())
    package = Path(walls.seen(())[-1][0]).parent / "numpy"
    monkeypatch.setattr(walls, "seen", lambda flavor: ((str(tmp_path / "lib"), "/lib"),))
    inside = tmp_path / "lib" / "x"
    right = {"submissions": where, "out": tmp_path / "g.db", "folder": folder}
    for key in right:
        assert __main__.main(command(*(right | {key: inside}).values())) == 2
        assert "which answers can read" in capsys.readouterr().err, package
    for option in ("--csv", "--feedback", "--roster", "--times"):
        assert __main__.main([*command(*right.values()), option, str(inside)]) == 2
        assert "which answers can read" in capsys.readouterr().err
    (tmp_path / "link").symlink_to(tmp_path / "lib")
    assert __main__.main(command(tmp_path / "link" / "x", tmp_path / "g.db", folder)) == 2


# A fault of the sandbox is not one of the answer


def test_a_child_that_ends_before_it_is_locked_is_a_fault(grader, folder, monkeypatch):
    def ended(self, value, deadline):
        raise sandbox.Stopped("the process ended")

    monkeypatch.setattr(sandbox.Answer, "exchange", ended)
    with pytest.raises(sandbox.Fault, match="does not close"):
        grader.grade(task(answered(), folder))


def test_a_fault_is_no_zero(grader, folder, monkeypatch):
    def broken(self):
        raise sandbox.Fault("it does not fork")

    monkeypatch.setattr(sandbox.Sandbox, "fork", broken)
    with pytest.raises(sandbox.Fault, match="does not fork"):
        grader.grade(task(answered(), folder))
    monkeypatch.undo()
    assert points(grader, folder, answered())[0] == MARKS


def test_a_sandbox_that_died_is_replaced(grader, folder):
    grader.sandbox().process.kill()
    assert points(grader, folder, answered())[0] == MARKS


def test_the_child_and_the_grader_agree():
    assert (child.STATUS.format, child.SCRATCH) == (sandbox.STATUS.format, walls.SCRATCH)


def test_the_work_of_the_grader_itself_has_a_limit(grader, folder, monkeypatch):
    """What comes back may be made to be slow to look at."""
    monkeypatch.setattr(grade, "JUDGING", 0.5)

    def slow(answer, rng):
        answer(rng.standard_normal(3))
        while True:
            pass

    case = questions.Case(2, "twice", slow, "h")
    asked = questions.Question("t.double", "double", (case, case))
    run = sandbox.Cells(["def double(x):\n    return x"])
    row = grader._row(task(answered(), folder), asked, run, ())
    assert [case[3] for case in row.cases] == ["what came back takes too long to look at"] * 2
    empty = notebook("\n" * 400_000 + "x", *RIGHT.values())
    assert points(grader, folder, empty | {"metadata": {}})[0] == MARKS


def test_the_published_solutions_earn_all_points_in_the_sandbox(grader):
    for exercise in exercises.names():
        content = (exercises.FOLDER / exercise / "solution.ipynb").read_bytes()
        rows = grader.grade(
            grade.Task("d", content, 11, str(exercises.FOLDER), exercise, 20.0, 2048)
        )
        assert all(row.outcome == "full" for row in rows), rows
