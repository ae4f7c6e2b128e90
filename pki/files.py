"""Files that are written whole or not at all, whatever ends the program: one alone, or many by one switch. A shell.

    replace(path, content, 0o600)                                   # one file
    switch(folder, {"secc/a.key.pem": File(key, 0o600),             # all of these, or none
                    "secc/a.chain.pem": File(chain)})
    settle(folder)                                                  # whoever opens a folder: finish what was switched

What is written lies beside first, under a name with a dot, and is on the disk before anything is renamed. For many files the one switch is
a rename of the folder they wait in: `.staged` is thrown away by the next who writes, `.switched` moved into place by the next who opens.
Writers of a folder wait for each other (flock); the lock goes with its process.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FOLDER_MODE = 0o700  # keys lie within; who serves the roots to others gives leave by himself
STAGED, SWITCHED, LIST = ".staged", ".switched", "list"
TEMPORARY = ".tmp"  # of `.NAME.tmp`, the file that is to become NAME


@dataclass(frozen=True, slots=True)
class File:
    """What a file shall hold, and its mode; None: it shall go."""

    content: bytes | None
    mode: int = 0o644


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write beside and rename over: a reader, and a machine that loses its power, has the old file or the new one."""
    make_folder(path.parent)
    with _locked(path.parent):
        temporary = path.with_name(f".{path.name}{TEMPORARY}")
        try:
            _write(temporary, content, mode)
            os.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync(path.parent)


def switch(folder: Path, files: Mapping[str, File]) -> None:
    """Write many files, by their paths within a folder, all or none. What is private is private before it is written."""
    make_folder(folder)
    with _locked(folder):
        _finish(folder)
        sweep(folder)
        staged = folder / STAGED
        try:
            _stage(staged, files)
        except OSError:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        os.rename(staged, folder / SWITCHED)  # the one switch
        _sync(folder)
        _finish(folder)


def settle(folder: Path) -> bool:
    """Move into place what was switched and not finished; whether there was anything. OSError where that is not allowed."""
    if not (folder / SWITCHED).exists():
        return False
    with _locked(folder):
        return _finish(folder)


def unfinished(folder: Path) -> bool:
    """Whether writing into a folder was cut off before its switch: what it was to hold is lost, what it held is not."""
    return (folder / STAGED).exists()


def sweep(folder: Path) -> None:
    """Take away what writers left that were cut off. The caller is the one who writes."""
    shutil.rmtree(folder / STAGED, ignore_errors=True)
    for left in folder.rglob(f".*{TEMPORARY}"):
        with suppress(OSError):
            left.unlink()


def make_folder(path: Path) -> None:
    """A folder with those above it that are missing, for their owner alone under any umask."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
        os.chmod(path, FOLDER_MODE)
        _sync(path.parent)


def _stage(staged: Path, files: Mapping[str, File]) -> None:
    listed = []
    os.mkdir(staged, FOLDER_MODE)
    for number, (name, file) in enumerate(files.items()):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{name} lies outside of the folder it is written to")
        if file.content is not None:
            _write(staged / str(number), file.content, file.mode)
        listed.append([name, file.content is not None])
    _write(staged / LIST, json.dumps(listed).encode(), 0o600)
    _sync(staged)


def _finish(folder: Path) -> bool:
    """Move every file that still waits to its place, in order; done twice it does no more."""
    switched = folder / SWITCHED
    if not switched.exists():
        return False
    touched = set()
    for number, (name, stays) in enumerate(_listed(switched)):
        target = folder / name
        make_folder(target.parent)
        with suppress(FileNotFoundError):  # it was moved, or went, before
            if stays:
                os.replace(switched / str(number), target)
            else:
                os.unlink(target)
        touched.add(target.parent)
    for place in sorted(touched):
        _sync(place)
    shutil.rmtree(switched)
    _sync(folder)
    return True


def _listed(switched: Path) -> list[tuple[str, bool]]:
    try:
        return [(name, stays) for name, stays in json.loads((switched / LIST).read_bytes())]
    except FileNotFoundError:  # the list goes last but one: all was moved
        return []


def _write(path: Path, content: bytes, mode: int) -> None:
    """A new file, never through a link, with its mode before its content, and on the disk when this returns."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(file, mode)
        at = 0
        while at < len(content):
            at += os.write(file, content[at:])
        os.fsync(file)
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
