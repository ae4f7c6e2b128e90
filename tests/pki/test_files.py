"""Files that are written whole or not at all: the power ends between any two system calls, and what was not on the disk is gone."""

import multiprocessing
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fuzz.kills import leavings
from fuzz.kills import run as killed
from pki import files
from pki.errors import StoreError
from pki.files import STAGED, SWITCHED, File, replace, settle, switch, unfinished
from pki.inventory import lacking
from pki.profiles import ISO20, Role
from pki.store import Store, create
from pki.verify import verify
from tests.pki.sample_pki import NOW, hierarchy
from v2gkit.cli.main import main


class PowerLost(BaseException):
    """Nothing runs after it: no handler may write another octet."""


class Machine:
    """The calls of `pki.files`, until the power goes at the n-th. What was written and not synced is then half there."""

    CALLS = ("open", "write", "fsync", "replace", "rename", "unlink", "mkdir", "chmod", "fchmod")

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, last: int) -> None:
        self.root, self.last, self.count, self.unsynced = root, last, 0, set[int]()  # inodes
        for name in self.CALLS:
            monkeypatch.setattr(files.os, name, self._until(name, getattr(os, name)))
        monkeypatch.setattr(files.shutil, "rmtree", self._rmtree)

    def _until(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            self.count += 1
            if self.count > self.last:
                self._lose()
            found = call(*given, **named)
            if name == "open" and given[1] & os.O_WRONLY:
                self.unsynced.add(os.fstat(found).st_ino)
            elif name == "fsync":
                self.unsynced.discard(os.fstat(given[0]).st_ino)
            return found

        return counted

    def _rmtree(self, path: Path, ignore_errors: bool = False) -> None:
        """File by file, so that the power may go in the middle."""
        if not path.exists():
            return
        for one in sorted(path.iterdir(), key=lambda one: one.name == files.LIST):
            files.os.unlink(one)
        self.count += 1
        if self.count > self.last:
            self._lose()
        os.rmdir(path)

    def _lose(self) -> None:
        for path in self.root.rglob("*"):
            if path.is_file() and path.stat().st_ino in self.unsynced:
                os.truncate(path, path.stat().st_size // 2)
        raise PowerLost


@contextmanager
def machine(root: Path, last: int) -> Iterator[Machine]:
    with pytest.MonkeyPatch.context() as patch:
        yield Machine(patch, root, last)


def every_moment(prepare: Callable[[], Path], work: Callable[[Path], None]) -> Iterator[Path]:
    """The folder as it is found after the power went at each call of the work in turn."""
    last = 0
    while True:
        path = prepare()
        try:
            with machine(path, last):
                work(path)
        except PowerLost:
            yield path
            last += 1
            continue
        assert last > 5
        return


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: hundreds of states, each on the disk before the next, are slow on a disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def fresh(fast: Path) -> Callable[[], Path]:
    numbers = iter(range(100_000))
    return lambda: fast / str(next(numbers))


def content(path: Path) -> dict[str, bytes]:
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file() and ".s" not in str(one)}


BEFORE = {"a/x": File(b"x1", 0o600), "a/y": File(b"y1"), "b/z": File(b"z1")}
AFTER = {"a/x": File(b"x2" * 500, 0o600), "b/z": File(b"z2" * 500), "a/y": File(None), "c/new": File(b"n2")}
OLD = {"a/x": b"x1", "a/y": b"y1", "b/z": b"z1"}
NEW = {"a/x": b"x2" * 500, "b/z": b"z2" * 500, "c/new": b"n2"}


def test_many_files_come_by_one_switch_whenever_the_power_goes(fresh: Callable[[], Path]) -> None:
    def prepare() -> Path:
        path = fresh()
        switch(path, BEFORE)
        return path

    seen = []
    for path in every_moment(prepare, lambda path: switch(path, AFTER)):
        finished = settle(path)
        found = content(path)
        assert found in (OLD, NEW), (len(seen), found)
        assert finished is (found == NEW) or not (path / STAGED).exists()
        seen.append(found == NEW)
        switch(path, AFTER)  # whoever writes next finds a clean place
        assert (content(path), leavings(path)) == (NEW, [])
    assert seen == sorted(seen)  # never back again
    assert {False, True} == set(seen)


def _lose() -> bool:
    raise PowerLost


def test_the_power_may_go_again_while_it_is_finished(fresh: Callable[[], Path]) -> None:
    def prepare() -> Path:
        path = fresh()
        switch(path, BEFORE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "_finish", lambda folder: _lose() if (folder / SWITCHED).exists() else False)
            with pytest.raises(PowerLost):
                switch(path, AFTER)
        assert (path / SWITCHED).is_dir()
        return path

    for path in every_moment(prepare, lambda path: settle(path) and None):
        settle(path)
        assert content(path) == NEW
        assert leavings(path) == []


def test_one_file_is_the_old_or_the_new(fresh: Callable[[], Path]) -> None:
    def prepare() -> Path:
        path = fresh()
        replace(path / "file", b"old")
        return path

    for path in every_moment(prepare, lambda path: replace(path / "file", b"new" * 1000)):
        assert (path / "file").read_bytes() in (b"old", b"new" * 1000)
        replace(path / "file", b"next")
        assert [one.name for one in path.iterdir()] == ["file"]


def test_key_and_chain_belong_to_each_other_whenever_the_power_goes(fresh: Callable[[], Path]) -> None:
    one, other = hierarchy()[Role.SECC], hierarchy("ed448")[Role.SECC]

    def prepare() -> Path:
        path = fresh()
        create(path, [])
        Store(path).save(Role.SECC, "s", one.chain, one.key)
        return path

    held = set()
    for path in every_moment(prepare, lambda path: Store(path).save(Role.SECC, "s", other.chain, other.key) and None):
        found = Store(path).credential(Role.SECC)
        assert found.chain in (one.chain, other.chain)
        held.add(found.curve)
    assert held == {"secp521r1", "ed448"}


def test_a_store_that_is_half_made_says_so_and_can_be_finished(fresh: Callable[[], Path], capsys: pytest.CaptureFixture[str]) -> None:
    states = set()
    for path in every_moment(fresh, lambda path: create(path, [_small()]) and None):
        if not path.is_dir() or not any(path.iterdir()):
            state = "not begun"
        elif unfinished(path):
            state = "half made"
            with pytest.raises(StoreError, match=r"is half made.*v2g pki create"):
                Store(path)
            (lack,) = lacking(path, "station", ISO20, NOW)
            assert lack.bad
            assert "v2g pki create" in lack.cure
        else:
            state = "made"
            store = Store(path)
            assert verify(store.secc.chain, Role.SECC, store.anchors, NOW)
        if state not in states and state != "made":
            assert main(["pki", "create", str(path), "--curve", "ed448"]) == 0
            assert len(Store(path).credentials(Role.SECC)) == 1
            assert leavings(path) == []
        states.add(state)
    assert states == {"not begun", "half made", "made"}
    capsys.readouterr()


def _small() -> Any:
    """As much of a hierarchy as a station needs: every call is a moment of the test."""
    from pki.issue import Hierarchy

    return Hierarchy([one for one in hierarchy().issued if one.role in (Role.V2G_ROOT, Role.SECC)][:2])


def test_a_full_disk_changes_nothing_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch(tmp_path, BEFORE)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "write", full)
    for work in (lambda: switch(tmp_path, AFTER), lambda: replace(tmp_path / "a" / "x", b"x2")):
        with pytest.raises(OSError, match="No space"):
            work()
        assert (content(tmp_path), leavings(tmp_path)) == (OLD, [])


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folders_and_keys_are_their_owners_alone_under_any_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = create(tmp_path / "new" / "certs", [hierarchy()])
        store.save_response(*store.secc.chain[:2], b"response")
    finally:
        os.umask(before)
    folders = [tmp_path / "new", *(one for one in (tmp_path / "new").rglob("*") if one.is_dir())]
    assert len(folders) > 10
    assert {stat.S_IMODE(one.stat().st_mode) for one in folders} == {0o700}
    assert {stat.S_IMODE(one.stat().st_mode) for one in store.path.rglob("*.key.pem")} == {0o600}


def test_a_key_is_never_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    for link in ("key", ".key.tmp"):
        (tmp_path / link).symlink_to(victim)
    replace(tmp_path / "key", b"secret", 0o600)
    assert (victim.read_bytes(), (tmp_path / "key").is_symlink(), (tmp_path / "key").read_bytes()) == (b"mine", False, b"secret")


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_nothing_is_written_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="outside"):
        switch(tmp_path / "in", {name: File(b"x")})
    assert not (tmp_path / "out").exists()


def _writes(path: str, number: int) -> None:
    for step in range(20):
        text = f"{number}-{step}".encode()
        switch(Path(path), {"a": File(text), "b": File(text)})


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_writes, args=(str(tmp_path), number)) for number in range(3)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(120)
    assert [one.exitcode for one in writers] == [0, 0, 0]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert leavings(tmp_path) == []


def test_programs_that_are_killed_leave_nothing_broken(fast: Path) -> None:
    """A short run of `python -m fuzz.kills`; the long one has its own target, `make kills`."""
    counts = killed(40, 8, folder=fast)
    assert {name: count.broken for name, count in counts.items()} == {name: [] for name in counts}
    assert sum(count.kills for count in counts.values()) == 40
