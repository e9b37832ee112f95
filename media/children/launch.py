"""Start a program so that it cannot outlive its parent, nor take more than it may, nor call out.

Run without Longtake on its path (see `command`), before every encode, so it imports little:

    PARENT-PID NICENESS RLIMIT_AS=BYTES,… HAND PROGRAM ARG…

It sets niceness, limits, the sandbox and the parent-death signal, then becomes PROGRAM. A
program of its own and not a `preexec_fn`, because code between fork and exec in a process with
threads (Temporal's core has many) can deadlock. HAND is a local socket through which whoever
answers PROGRAM's reads gets to hear of them (`media.children.on_demand`), or -1.

The sandbox, and why it is a seccomp filter: docs/decisions/0017-children-without-network.md.
"""

import ctypes
import errno
import os
import resource
import sys

Program = list[tuple[int, int, int, int]]

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9  # on every Linux; importing `signal` takes a tenth of the time to start a child
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SOCKET = {"x86_64": 41, "aarch64": 198}
# Ways out other than making a socket: connecting one, io_uring (which makes them), and another
# process's memory or descriptors (ptrace, process_vm_readv and _writev, pidfd_getfd).
_DENIED = {
    "x86_64": (42, 101, 310, 311, 425, 438),
    "aarch64": (203, 117, 270, 271, 425, 438),
}
# seccomp(2) itself; reads that are handed over (read, pread64); ways to a file's bytes that no
# child needs (readv, preadv, preadv2, sendfile, splice, copy_file_range); mmap.
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_HANDED = {"x86_64": (0, 17), "aarch64": (63, 67)}
_UNUSED = {"x86_64": (19, 295, 327, 40, 275, 326), "aarch64": (65, 69, 286, 71, 76, 285)}
_MMAP = {"x86_64": 9, "aarch64": 222}
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_X32 = 0x40000000
"""On x86-64, system calls from this number on are a second way to make the same ones."""

# Classic BPF (linux/filter.h) and what a filter answers (linux/seccomp.h).
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EACCES
_NOTIFY = 0x7FC00000
# Offsets in struct seccomp_data; the low halves of its arguments, on little-endian machines.
_NUMBER, _ARCHITECTURE, _FAMILY, _TYPE, _MAPPED = 0, 4, 16, 24, 48
_NO_FILE = 0xFFFFFFFF
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5


def command(
    parent: int, niceness: int, limits: str, program: list[str], hand: int = -1
) -> list[str]:
    """The command that starts `program` this way.

    As a module and not as a script, so that Python need not compile it at each start.
    """
    start = "import sys; sys.path.append(sys.argv.pop(1)); import launch; launch.main()"
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib is slow
    options = [folder, str(parent), str(niceness), limits, str(hand)]
    return [sys.executable, "-I", "-S", "-c", start, *options, *program]


def become(parent: int, niceness: int, limits: str, hand: int, program: list[str]) -> None:
    """Apply the options to this process and turn it into `program`; never returns."""
    os.nice(niceness)
    limit({name: int(value) for name, _, value in (p.partition("=") for p in limits.split(","))})
    shut_in()
    if sys.platform != "linux":
        os._exit(watch(parent, program))
    die_with_parent()
    if os.getppid() != parent:  # it died before the signal was set
        os._exit(1)
    if hand >= 0:
        hand_over_reads(hand)
    os.execv(program[0], program)


def limit(limits: dict[str, int]) -> None:
    """Set resource limits by their names, none above what this process may have."""
    for name, value in limits.items():
        if name == "RLIMIT_AS" and sys.platform == "darwin":
            continue  # macOS maps hundreds of gigabytes into each process and refuses this limit
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (bound, bound))


def die_with_parent() -> None:
    """On Linux: SIGKILL when the thread that started this process ends.

    Called after `shut_in`: the kernel forgets it when credentials change.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def shut_in() -> str:
    """Take the network and new privileges from this process for good, where the system allows.

    Returns how: `seccomp`, `namespace`, or `none`.
    """
    if sys.platform != "linux":
        return "none"
    system = ctypes.CDLL(None, use_errno=True)
    if system.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return "none"
    machine = os.uname().machine
    if machine in _AUDIT and sys.maxsize > 1 << 32 and _filter(system, machine):
        return "seccomp"
    # For root without a user namespace: in one it would lose its rights to other users' files.
    spaces = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    return "namespace" if system.unshare(spaces) == 0 else "none"


def hand_over_reads(hand: int) -> None:
    """From here on each read of a file waits until it is answered (seccomp_unotify(2)).

    Sends the descriptor of the questions through `hand`. Raises OSError where the kernel does
    not do that; then the program must not start, for nobody would fill what it reads.
    """
    import _socket  # reads files to be imported, so it comes before the filter

    machine = os.uname().machine
    if machine not in _SECCOMP:
        raise OSError(errno.ENOSYS, f"reads are not handed over on {machine}")
    socket = _socket.socket(fileno=hand)
    system = ctypes.CDLL(None, use_errno=True)
    program = ctypes.byref(_packed(reads_program(machine)))
    listener = system.syscall(_SECCOMP[machine], _SET_MODE_FILTER, _NEW_LISTENER, program)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "the kernel hands no reads over")
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, listener.to_bytes(4, sys.byteorder))
    socket.sendmsg([b"!"], [rights])
    os.close(listener)
    socket.close()


def _filter(system: ctypes.CDLL, machine: str) -> bool:
    whole = ctypes.byref(_packed(filter_program(machine)))
    return bool(system.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, whole, 0, 0) == 0)


def _packed(program: Program) -> ctypes.Structure:
    """A filter as the kernel takes it (struct sock_fprog)."""
    code = b"".join(
        word.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")
        for word, yes, no, value in program
    )

    class SockFprog(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    return SockFprog(len(program), code)


def filter_program(machine: str) -> Program:
    """The filter as classic BPF: (code, jump if true, jump if false, constant).

    A local stream socket may be made, because CUDA's library listens on one; it cannot be
    connected to anything. Every other socket is refused with EACCES.
    """
    denied = [*_DENIED[machine]]
    checks = len(denied)
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _AUDIT[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, checks + 8, 0, _X32),
        *((_EQUAL, checks - at + 7, 0, number) for at, number in enumerate(denied)),
        (_EQUAL, 1, 0, _SOCKET[machine]),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FAMILY),
        (_EQUAL, 0, 4, _AF_UNIX),
        (_LOAD, 0, 0, _TYPE),
        (_AND, 0, 0, 0xF),
        (_EQUAL, 2, 0, _SOCK_STREAM),
        (_EQUAL, 1, 0, _SOCK_SEQPACKET),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]


def reads_program(machine: str) -> Program:
    """The filter that asks before a file is read, or mapped into memory. What else could bring
    a file's bytes is refused, so that nothing is read unasked."""
    asked, unused = _HANDED[machine], _UNUSED[machine]
    checks = len(asked) + len(unused)
    return [
        (_LOAD, 0, 0, _NUMBER),
        *((_EQUAL, checks - at + 2, 0, number) for at, number in enumerate(asked)),
        *((_EQUAL, len(unused) - at + 4, 0, number) for at, number in enumerate(unused)),
        (_EQUAL, 0, 3, _MMAP[machine]),
        (_LOAD, 0, 0, _MAPPED),
        (_EQUAL, 1, 0, _NO_FILE),
        (_RETURN, 0, 0, _NOTIFY),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def watch(parent: int, program: list[str]) -> int:
    """Where there is no parent-death signal: run `program`, end its group if `parent` goes."""
    import signal
    import subprocess

    child = subprocess.Popen(program)
    while True:
        try:
            code = child.wait(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if os.getppid() != parent:
                os.killpg(0, signal.SIGKILL)
    if code < 0:  # die by the same signal, so that the parent sees what happened
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def main() -> None:
    """Become what the command line says."""
    parent, niceness, limits, hand, *program = sys.argv[1:]
    become(int(parent), int(niceness), limits, int(hand), program)
