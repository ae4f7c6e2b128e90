"""File operations that differ between operating systems: locks, modes, links that are not followed. A shell.

A folder of Windows cannot be opened, so its lock is on a file in it, and what a rename did is on the disk when the system sees fit. Its
files have no mode: who may read them is inherited from the folder, and below the profile of a user that is the user.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None  # type: ignore[assignment]

LOCK: Final = ".lock"  # the file that is locked where a folder cannot be
AGAIN: Final = 0.05  # s between two tries for a lock that another process holds

# Text mode would change octets; a child process inherits nothing.
PRIVATE_OPEN: Final[int] = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)


def create(path: Path, mode: int, *, flags: int) -> int:
    """Create a file with a mode, never through a symbolic link; its descriptor. `flags` are added to O_WRONLY | O_CREAT. Raises OSError."""
    no_follow: int = getattr(os, "O_NOFOLLOW", 0)
    if not no_follow and path.is_symlink():
        raise OSError(f"{path} is a symbolic link")
    return os.open(path, os.O_WRONLY | os.O_CREAT | flags | no_follow | PRIVATE_OPEN, mode)


def set_mode(file: int, mode: int) -> None:
    """Set the mode of an open file, on systems where files have one."""
    if hasattr(os, "fchmod"):
        os.fchmod(file, mode)


def is_own(found: os.stat_result) -> bool:
    """Whether a file belongs to the user of this process; True on systems without user ids."""
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def sync(folder: Path) -> None:
    """Write the entries of a folder through to the disk. Raises OSError."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | PRIVATE_OPEN)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A context that holds the lock of a folder; other writers wait. The lock ends with its process. Raises OSError."""
    if fcntl is None:
        with _locked_file(folder / LOCK):
            yield
        return
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | PRIVATE_OPEN)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def _locked_file(path: Path) -> Iterator[None]:
    import importlib

    windows: Any = importlib.import_module("msvcrt")
    file = os.open(path, os.O_RDWR | os.O_CREAT | PRIVATE_OPEN, 0o600)
    try:
        while True:
            try:
                windows.locking(file, windows.LK_NBLCK, 1)
                break
            except OSError:
                time.sleep(AGAIN)
        yield
    finally:
        os.close(file)  # the lock goes with it
