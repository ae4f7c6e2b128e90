"""Files that only their owner may read: those that observers write, and those that hold passwords."""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pki.system import create, is_own, set_mode

MODE: Final = 0o600
STANDARD: Final = {"/dev/stdout": 1, "/dev/stderr": 2}
LONGEST: Final = 1024  # octets of a password's file; one beyond, and it is no password


def open_private(path: Path, *, append: bool = False) -> int:
    """A file descriptor to write to: of a new file, or one of this user, that its owner alone may read; of a pipe or device as it is.

    A descriptor that is open already (/dev/stdout, /dev/fd/3) is used as it is. Raises OSError for a symbolic link, which may point
    anywhere, for a file with other hard links, and for a file of another user.
    """
    if (number := _inherited(path)) is not None:
        return os.dup(number)
    try:
        file = create(path, MODE, flags=os.O_APPEND if append else 0)
    except OSError as error:
        if path.is_symlink():
            raise OSError(
                error.errno, "is a symbolic link, through which nothing private is written; name the file itself", str(path)
            ) from None
        raise
    try:
        _demand_own(path, os.fstat(file))
        if stat.S_ISREG(os.fstat(file).st_mode):
            set_mode(file, MODE)
            if not append:
                os.ftruncate(file, 0)
    except BaseException:
        os.close(file)
        raise
    return file


def _inherited(path: Path) -> int | None:
    if str(path) in STANDARD:
        return STANDARD[str(path)]
    return int(path.name) if str(path.parent) in ("/dev/fd", "/proc/self/fd") and path.name.isdecimal() else None


def _demand_own(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        return
    if found.st_nlink > 1:
        raise OSError(
            errno.EPERM, f"has {found.st_nlink} names, and each of them shows what is written; remove it, or name another", str(path)
        )
    if not is_own(found):
        raise OSError(errno.EPERM, "belongs to somebody else, who could read what is written; remove it, or name another", str(path))


def password(given: str | None, file: Path | None, variable: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The password from the file, else the one `given` as an argument, else from the environment variable; None: there is none.

    Raises ValueError for an empty one, or a file that holds none.
    """
    if file is not None:
        said, place = _first_line(file), str(file)
    elif given is not None:
        said, place = given, "the argument"
    elif variable in environment:
        said, place = environment[variable], variable
    else:
        return None
    if not said:
        raise ValueError(f"{place}: the password is empty")
    return said


def _first_line(file: Path) -> str:
    """Its first line, without the end of line."""
    try:
        with file.open("rb") as source:
            octets = source.read(LONGEST + 1)
        line, _, more = octets.partition(b"\n")
        if len(octets) > LONGEST or more.strip():
            raise ValueError(f"{file} holds more than one line; a password stands alone on the first")
        return line.rstrip(b"\r").decode()
    except UnicodeDecodeError:
        raise ValueError(f"{file} holds no text") from None
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
