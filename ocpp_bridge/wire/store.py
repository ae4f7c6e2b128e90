"""The file in which a station keeps what must outlive its process: SQLite, one writer, every commit on the disk before it returns. A shell.

    event   number, body      calls that the CSMS does not have yet, in the words of OCPP 2.1 (`Call`)
    value   name, body        JSON by name, such as "transaction/1" or "profile/7" (`Charger.keep`)

Both change in one commit, so that an event and the transaction that it belongs to never tell of different times.
"""

import contextlib
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from ocpp_bridge.wire.outbox import Batch, Call
from v2g.legible import logger

LOG = logger("v2g.ocpp")
APPLICATION: Final = 0x76326F63  # says whose file it is (application_id)
FORMAT: Final = 1
WAL_MAXIMUM: Final = 4_000_000  # octets that the log beside the file may keep: a few thousand commits; one that grew beyond is cut
MANNER: Final = "PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = WAL;"  # these are outside of any transaction
TABLES: Final = (
    "DROP TABLE IF EXISTS event",
    "DROP TABLE IF EXISTS value",
    "CREATE TABLE event (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE value (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    f"PRAGMA user_version = {FORMAT}",
    f"PRAGMA application_id = {APPLICATION}",
)


class StoreError(Exception):
    """The file cannot be used; the text names it, the reason and the cure."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a former run left: calls to be delivered, in order, and kept values by name."""

    calls: list[Call] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)


class Store:
    """The store of the station `station` at `path`. Its methods block on the disk; call them on one thread, off the event loop."""

    def __init__(self, path: Path, station: str) -> None:
        self.path, self._station = path, station
        self._base: sqlite3.Connection | None = None

    def open(self) -> Found:
        """Open or make the file, and read what it holds. A file that is none, or another station's, is moved aside. Raises `StoreError`."""
        try:
            if self.path.is_dir():
                raise StoreError(f"{self.path} is a folder where the station keeps a file: move it away")
            if self.path.exists() and (fault := self._objection()):
                self._move_aside(fault)
            return self._read()
        except sqlite3.DatabaseError as error:
            self.close()
            if isinstance(error, sqlite3.OperationalError):
                raise StoreError(_told(self.path, error)) from None
            self._move_aside(str(error))
            return self._read()
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror or error}; give a folder that the station may write into (--state)") from None

    def commit(self, batch: Batch) -> None:
        """Write a batch, whole or not at all; it is on the disk on return. Raises `StoreError`, and may then be tried again."""
        if self._base is None:
            raise StoreError(f"{self.path} is not open")
        try:
            with self._base as base:
                base.execute("BEGIN IMMEDIATE")
                base.executemany("INSERT OR REPLACE INTO event VALUES (?, ?)", batch.calls.items())
                base.executemany("DELETE FROM event WHERE number = ?", [(number,) for number in batch.over])
                base.executemany("INSERT OR REPLACE INTO value VALUES (?, ?)", [(n, v) for n, v in batch.values.items() if v is not None])
                base.executemany("DELETE FROM value WHERE name = ?", [(name,) for name, value in batch.values.items() if value is None])
        except sqlite3.Error as error:
            raise StoreError(_told(self.path, error)) from None

    def close(self) -> None:
        """Close the file; what was committed is there for the next who opens it."""
        base, self._base = self._base, None
        if base is not None:
            with contextlib.suppress(sqlite3.Error):
                base.close()

    # --- inside ---

    def _objection(self) -> str:
        """Why the file is not taken, empty where it is. Raises `StoreError` for one that a newer version wrote, or that is in use."""
        self._connect()
        assert self._base is not None
        (application,), (written,) = (self._base.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version"))
        tables = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application == 0 and tables == 0:  # made, and then the power went
            return ""
        if application != APPLICATION:
            return "it is a database of another program"
        if written > FORMAT:
            self.close()
            cure = "start that version, or move the file away"
            raise StoreError(f"{self.path} was written by a newer version (format {written}, this one reads {FORMAT}): {cure}")
        row = self._base.execute("SELECT body FROM value WHERE name = 'station'").fetchone()
        station = msgspec.json.decode(row[0], type=str) if row else self._station
        return "" if station == self._station else f"it is of the station {station!r}"

    def _connect(self) -> None:
        if self._base is not None:
            return
        if not self.path.exists():  # who may read it is decided before there is anything to read
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        self._base = sqlite3.connect(self.path, timeout=0.5, isolation_level=None, check_same_thread=False)
        for setting in ("locking_mode = EXCLUSIVE", "synchronous = FULL", f"journal_size_limit = {WAL_MAXIMUM}"):
            self._base.execute(f"PRAGMA {setting}")

    def _read(self) -> Found:
        self._connect()
        base = self._base
        assert base is not None
        if base.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            base.executescript(MANNER)
            with base:  # as one: who was killed in between has left an empty file, and not a stranger's
                base.execute("BEGIN IMMEDIATE")
                for step in TABLES:
                    base.execute(step)
                base.execute("INSERT INTO value VALUES ('station', ?)", (msgspec.json.encode(self._station),))
        base.execute("BEGIN IMMEDIATE")  # a file that cannot be written is found out now, not with the first event
        base.execute("COMMIT")
        try:
            calls = [_call(number, body) for number, body in base.execute("SELECT number, body FROM event ORDER BY number")]
            rows = base.execute("SELECT name, body FROM value WHERE name != 'station'")
            return Found(calls, {name: msgspec.json.decode(body) for name, body in rows})
        except msgspec.MsgspecError as error:
            raise sqlite3.DatabaseError(f"a row is no JSON: {error}") from None

    def _move_aside(self, why: str) -> None:
        """Nothing that was there is destroyed, and nothing of it is taken for our own."""
        self.close()
        aside = next(each for n in range(1000) if not (each := self.path.with_suffix(f".unreadable{n or ''}")).exists())
        for end in ("-wal", "-shm", ""):
            beside = self.path.with_name(self.path.name + end)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + end))
        LOG.error("%s is no store of this station (%s); it was moved to %s, and the station begins anew", self.path, why, aside)


def _call(number: int, body: bytes) -> Call:
    kept = msgspec.json.decode(body, type=dict[str, Any])
    try:
        return Call(kept["action"], kept["payload"], kept["evse"], kept["about"], kept=True, number=number)
    except KeyError as error:
        raise sqlite3.DatabaseError(f"event {number} has no {error}") from None


def _told(path: Path, error: sqlite3.Error) -> str:
    cures = {
        "locked": "another process uses it: give each station a folder of its own (--state)",
        "readonly": "give a folder that the station may write into (--state)",
        "unable to open": "give a folder that is there and may be written into (--state)",
        "full": "make room on its disk",
    }
    cure = next((cure for word, cure in cures.items() if word in str(error)), "look at its disk")
    return f"{path}: {error}; {cure}"
