"""Turns an exception that ends a command into one line: the thing, what is wrong with it, the cure. No traceback reaches a user.

Commands report by themselves what they refuse. This is for what Python and the operating system raise.
"""

import errno
import os
import re
import traceback
from types import TracebackType
from typing import Any

from v2gkit import extras, shadow
from v2gkit.output import complain

WELL, USAGE, FAULT, INTERRUPTED = 0, 2, 70, 130  # 70: an internal fault, as sysexits has it
TRACEBACK = "V2GKIT_TRACEBACK"
SYSTEM = {
    errno.ENOENT: "there is no such file or folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "is a folder; give a file",
    errno.ENOTDIR: "leads through a file; give a path through folders",
    errno.EEXIST: "is there already",
    errno.ENOTEMPTY: "is a folder that is not empty",
    errno.ENOSPC: "the disk is full; make room, or write elsewhere",
    errno.EDQUOT: "the quota of this disk is used up; make room, or write elsewhere",
    errno.EROFS: "the disk is read-only; write elsewhere",
    errno.EFBIG: "the file grows too big for this disk",
    errno.EMFILE: "too many files are open; raise the limit with ulimit -n",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "symbolic links go in a circle",
    errno.EIO: "the device fails",
    errno.ENOMEM: "the memory is full",
    errno.EADDRINUSE: "the address is in use; stop what listens there, or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address; `ip address` lists those it has",
    errno.EAFNOSUPPORT: "this machine has no such kind of address",
    errno.ECONNREFUSED: "nothing listens there",
    errno.ECONNRESET: "the other side broke off",
    errno.ETIMEDOUT: "no answer came in time",
    errno.EHOSTUNREACH: "no way leads there",
    errno.ENETUNREACH: "no way leads there",
    errno.ENODEV: "there is no such device or interface",
    errno.ENXIO: "there is no such device or interface",
}
BIND = re.compile(r"bind on address \('([^']*)', (\d+)")


def report_error(error: BaseException, command: str, options: Any = None) -> int:
    """Print in one line on standard error why a command ended; returns its exit code."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BrokenPipeError):  # the reader has seen enough
        return WELL
    message, code = words(error, options)
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    complain(f"{command}: {message}")
    return code


def words(error: BaseException, options: Any = None) -> tuple[str, int]:
    """The meaning of an exception in words for a user, and the exit code for it."""
    match error:
        case KeyboardInterrupt():
            return "stopped", INTERRUPTED
        case ImportError(name=str(name)) if name.split(".")[0] in extras.EXTRAS:
            module = name.split(".")[0]
            absent = isinstance(error, ModuleNotFoundError)
            return f"{module} {'is not installed' if absent else f'cannot be loaded: {error}'}: {extras.cure(module)}", USAGE
        case ImportError() | AttributeError() if (foreign := shadow.refusal()) is not None:
            return foreign, USAGE
        case OSError():
            return system(error, options), USAGE
        case UnicodeError():
            return f"a text is not what it should be: {error}; files are expected in UTF-8", USAGE
        case RecursionError():
            return "what was given is nested too deeply", USAGE
        case MemoryError():
            return "the memory is full; what was given is too big for this machine", USAGE
        case OverflowError():
            return f"a number is out of range: {error}", USAGE
    return f"{type(error).__name__}: {str(error) or 'no reason'}, {_place(error.__traceback__)}; a fault of ours, please report it" + (
        "" if os.environ.get(TRACEBACK) else f" ({TRACEBACK}=1 shows the way to it)"
    ), FAULT


def system(error: OSError, options: Any = None) -> str:
    """The meaning of an OSError in words: which file or address, what is wrong, the cure."""
    if type(error).__name__ == "gaierror":
        host = getattr(options, "host", None)
        return f"{host or 'the host'}: the name leads to no address; give an address, or a name that is known here"
    reason = str(error.strerror or error)
    what = SYSTEM.get(error.errno or 0, reason[:1].lower() + reason[1:] or "the system refuses")
    if bound := BIND.search(reason):
        host, port = bound.groups()
        thing = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{thing}: {what}{'; ports below 1024 are for root' if error.errno == errno.EACCES and int(port) < 1024 else ''}"
    host, port = getattr(options, "host", None), getattr(options, "port", None)
    if error.filename is None and host and error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
        return f"{f'[{host}]' if ':' in host else host}:{port}: {what}"
    files = [os.fsdecode(name) if isinstance(name, bytes) else str(name) for name in (error.filename, error.filename2) if name is not None]
    return f"{' to '.join(files)}: {what}" if files else what


def _place(trace: TracebackType | None) -> str:
    """Where it was raised: the file and line."""
    frames = traceback.extract_tb(trace)
    return f"in {os.path.basename(frames[-1].filename)} line {frames[-1].lineno}" if frames else "nowhere"
