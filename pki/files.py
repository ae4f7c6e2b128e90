"""Writes files whole or not at all, even if the program is killed: one file, or many in one step. A shell.

    replace(path, content, 0o600)                                   # one file
    switch(folder, {"secc/a.key.pem": File(key, 0o600),             # all of these, or none
                    "secc/a.chain.pem": File(chain)})
    settle(folder)                                                  # when opening a folder: finish a switch that was cut off

A file is first written beside its place, under a name with a dot, and is on the disk before it is renamed. For many files the one step is a
rename of the folder they wait in: `.staged` is deleted by the next writer, `.switched` is moved into place by whoever opens next.
Writers of a folder wait for each other (flock); the lock goes with its process.
"""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pki.system import create, locked, set_mode, sync

FOLDER_MODE = 0o700  # keys lie within; who serves the roots to others gives leave by himself
STAGED, SWITCHED, LIST = ".staged", ".switched", "list"
TEMPORARY = ".tmp"  # of `.NAME.tmp`, the file that is to become NAME


@dataclass(frozen=True, slots=True)
class File:
    """The content that a file shall get, and its mode; content None: the file shall be deleted."""

    content: bytes | None
    mode: int = 0o644


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader, even after a power loss, has the old content or the new one. Raises OSError."""
    make_folder(path.parent)
    with locked(path.parent):
        temporary = path.with_name(f".{path.name}{TEMPORARY}")
        try:
            _write(temporary, content, mode)
            os.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        sync(path.parent)


def switch(folder: Path, files: Mapping[str, File]) -> None:
    """Write many files, by their paths within a folder, all or none. A file gets its mode before its content. Raises OSError."""
    make_folder(folder)
    with locked(folder):
        _finish(folder)
        sweep(folder)
        staged = folder / STAGED
        try:
            _stage(staged, files)
        except OSError:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        os.rename(staged, folder / SWITCHED)  # the one switch
        sync(folder)
        _finish(folder)


def settle(folder: Path) -> bool:
    """Finish a `switch` that was cut off halfway; True if there was one. Raises OSError."""
    if not (folder / SWITCHED).exists():
        return False
    with locked(folder):
        return _finish(folder)


def unfinished(folder: Path) -> bool:
    """Whether a `switch` into a folder was cut off before it took effect: the new files are lost, the old ones are there."""
    return (folder / STAGED).exists()


def sweep(folder: Path) -> None:
    """Delete what writers left that were cut off. Only for the holder of the folder's lock."""
    shutil.rmtree(folder / STAGED, ignore_errors=True)
    for left in folder.rglob(f".*{TEMPORARY}"):
        with suppress(OSError):
            left.unlink()


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents, each accessible to its owner alone (0700), whatever the umask is."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
        os.chmod(path, FOLDER_MODE)
        sync(path.parent)


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
    sync(staged)


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
        sync(place)
    shutil.rmtree(switched)
    sync(folder)
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
    file = create(path, 0o600, flags=os.O_EXCL)
    try:
        set_mode(file, mode)
        at = 0
        while at < len(content):
            at += os.write(file, content[at:])
        os.fsync(file)
    finally:
        os.close(file)
