"""The rights that a child gives up before any code of a notebook runs in it."""

import ctypes
import ctypes.util
import fcntl
import mmap
import os
import resource
from math import ceil

FILES = 2**24  # bytes of a file in the scratch folder
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
INSTRUCTION = 8  # bytes of one in a filter
CLONE_THREAD = 0x10000
MAP_KINDS = 0x0F | 0x100  # of mmap's flags: shared or private, and whether it grows down
# What NumPy needs to compute and Python to import; nothing that starts, connects or signals.
COMPUTING = (
    "read write readv writev pread64 close fstat stat lstat statx newfstatat lseek access "
    "faccessat faccessat2 readlink readlinkat getdents64 getcwd dup dup2 munmap "
    "mprotect mremap madvise brk rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack "
    "setitimer getitimer nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday "
    "time times getrusage getrandom sysinfo uname futex sched_yield sched_getaffinity "
    "getcpu set_robust_list rseq getpid gettid getppid getuid geteuid getgid getegid poll "
    "ppoll select pselect6 restart_syscall exit exit_group"
).split()
# The file system is read-only but for the scratch folder: there these may write.
WRITING = (
    "open openat mkdir mkdirat unlink unlinkat rmdir rename renameat renameat2 ftruncate".split()
)


def limit(seconds, megabytes):
    """Bounds of what the process may take, and nowhere to print to.

    seconds  of the processor
    """
    nowhere = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(seconds), ceil(seconds) + 1))
    for what, most in (
        (resource.RLIMIT_DATA, megabytes * 2**20),
        (resource.RLIMIT_AS, (megabytes + 4096) * 2**20),
        (resource.RLIMIT_FSIZE, FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))


class Program(ctypes.Structure):
    """A filter as the kernel takes it: how many instructions, and where they are."""

    _fields_ = (("count", ctypes.c_ushort), ("code", ctypes.c_char_p))


def compiled():
    """The filter by which the kernel refuses every system call that computing does not need."""
    seccomp = filter_library()
    rules, allow = seccomp.SyscallFilter(seccomp.ERRNO(1)), seccomp.ALLOW
    for name in (*COMPUTING, *WRITING):
        rules.add_rule(allow, name)
    # Memory of its own alone: what is shared, or grows as a stack does, no limit counts.
    rules.add_rule(allow, "mmap", seccomp.Arg(3, seccomp.MASKED_EQ, MAP_KINDS, mmap.MAP_PRIVATE))
    for command in (fcntl.F_DUPFD, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, 1030):
        rules.add_rule(allow, "fcntl", seccomp.Arg(1, seccomp.EQ, command))  # not F_SETOWN
    rules.add_rule(allow, "prlimit64", seccomp.Arg(2, seccomp.EQ, 0))  # to ask
    thread = seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
    rules.add_rule(allow, "clone", thread)
    rules.add_rule(seccomp.ERRNO(38), "clone3")  # then the C library takes clone,
    rules.add_rule(seccomp.ERRNO(25), "ioctl")  # and Python fcntl
    with os.fdopen(os.memfd_create("filter"), "w+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def lock(code):
    """Put a compiled filter on this process, for ever.  Raises OSError if the kernel does not."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    program = Program(len(code) // INSTRUCTION, code)
    for words in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0),
    ):
        if prctl(*words) != 0:
            raise OSError(ctypes.get_errno(), "the filter of system calls is not taken")


def filter_library():
    """pyseccomp, which otherwise starts programs to find two libraries."""
    find = ctypes.util.find_library
    ctypes.util.find_library = {"c": None, "seccomp": "libseccomp.so.2"}.get
    try:
        import pyseccomp
    finally:
        ctypes.util.find_library = find
    return pyseccomp
