"""The store of a CSMS: one thread writes, and everything that gathered while it wrote is one commit (group commit).

`keep` returns when its rows are on the disk, so an answer that is sent after it never promises what a kill could undo. The event loop
never waits for the disk, and what cannot be written fails alone: the rest of its commit is written without it.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Executable, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from v2g.legible import legible, logger
from v2gkit.csms.archive import StoreFault
from v2gkit.csms.store import reading
from v2gkit.csms.store.rows import Row
from v2gkit.csms.store.tables import ABOUT, AGAIN, METADATA, VERSION, Again

LOG = logger("v2g.csms")
T = TypeVar("T")
TOGETHER: Final = 2_000  # jobs in one commit: a tenth of a second of 20,000 a second; more would let the first ones wait for the last
WAITING: Final = (
    50_000  # jobs that wait for the disk: 32 calls of 300 stations fit five times; one more is refused, and its station repeats it
)
ATTEMPTS: Final = 6  # to make the tables, beside other processes that begin at the same time
PAUSE: Final = 0.2  # s between two of them
DRIVERS: Final = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite"}
PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "cache_size=-16000")


class _Job:
    def __init__(self, rows: Sequence[Row], loop: asyncio.AbstractEventLoop | None):
        self.rows, self.loop = rows, loop
        self.work: Callable[[Connection], None] | None = None  # in the place of rows, in a commit of its own
        self.done: asyncio.Future[None] | None = loop.create_future() if loop is not None else None


class Store:
    """Keeps rows, and gives connections for reading. Raises StoreFault where the database cannot be had or has other tables."""

    def __init__(self, url: str):
        self.url = url
        self.commits = self.rows = self.failures = 0
        self._engine = _engine(url)
        self._statements: dict[tuple[str, tuple[str, ...]], Executable] = {}
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        try:
            self._make_tables()
            self._same_tables()
        except SQLAlchemyError as error:
            raise StoreFault(f"the store {shown(url)} cannot be opened: {_reason(error)}") from None
        self._thread = threading.Thread(target=self._run, name="store of the CSMS", daemon=True)
        self._thread.start()

    def _make_tables(self) -> None:
        """Make the tables that are not there; another process may make the same ones at this moment, and then they are there."""
        for tries in range(ATTEMPTS, 0, -1):
            try:
                METADATA.create_all(self._engine)
                return
            except SQLAlchemyError:
                if tries == 1:
                    raise
                time.sleep(PAUSE)

    def _same_tables(self) -> None:
        with self._engine.begin() as connection:
            self._write(connection, [Row("about", {"name": "tables", "value": str(VERSION)})])
            known = connection.execute(select(ABOUT.c.value).where(ABOUT.c.name == "tables")).scalar_one()
        if known != str(VERSION):
            raise StoreFault(
                f"the store {shown(self.url)} has tables of version {known}, and this program those of {VERSION}; give another"
            )

    async def keep(self, rows: Sequence[Row]) -> None:
        """Write rows; they are on the disk when it returns. Raises StoreFault where they are not."""
        if not rows:
            return
        if self._queue.qsize() >= WAITING:
            raise StoreFault(f"{WAITING} writes wait for the store {shown(self.url)} already; it is slower than its stations")
        job = _Job(rows, asyncio.get_running_loop())
        self._queue.put(job)
        assert job.done is not None
        await job.done

    async def work(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, done in a commit of its own in the turn of what is written. Raises StoreFault where it cannot be."""
        job, made = _Job((), asyncio.get_running_loop()), list[T]()
        job.work = lambda connection: made.append(work(connection))
        self._queue.put(job)
        assert job.done is not None
        await job.done
        return made[-1]

    def note(self, rows: Sequence[Row]) -> None:
        """Write rows some time: nobody waits for them. Where too many wait already they are left out, and counted as failures."""
        if self._queue.qsize() >= WAITING:
            self.failures += 1
        else:
            self._queue.put(_Job(rows, None))

    @property
    def waiting(self) -> int:
        """How many writes wait for the disk."""
        return self._queue.qsize()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads in a connection of its own, off the event loop. Raises StoreFault where it cannot."""

        def reading() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        try:
            return await asyncio.to_thread(reading)
        except SQLAlchemyError as error:
            raise StoreFault(f"the store {shown(self.url)} cannot be read: {_reason(error)}") from None

    async def open_transactions(self, station: str) -> Sequence[Mapping[str, Any]]:
        """The newest transactions of a station that have not ended."""
        return await self.read(lambda connection: reading.open_transactions(connection, station))

    async def transaction(self, station: str, id_: str) -> Mapping[str, Any] | None:
        """One transaction; None: it was never told."""
        return await self.read(lambda connection: reading.transaction(connection, station, id_))

    async def led_by(self, station: str, transaction: str) -> Sequence[Mapping[str, Any]]:
        """The newest needs of a transaction, and the newest profile of it that its station accepted."""
        return await self.read(lambda connection: reading.led_by(connection, station, transaction))

    def close(self) -> None:
        """Write what waits, and let the database go."""
        self._queue.put(None)
        self._thread.join(30.0)
        self._engine.dispose()

    # --- the thread ---

    def _run(self) -> None:
        ended = False
        while not ended:
            jobs: list[_Job] = []
            job = self._queue.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) >= TOGETHER:
                    break
                try:
                    job = self._queue.get_nowait()
                except queue.Empty:
                    break
            ended = job is None
            if rows := [each for each in jobs if each.work is None]:
                self._commit(rows)
            for each in jobs:
                if each.work is not None:
                    self._tell([each], self._worked(each.work))

    def _commit(self, jobs: list[_Job]) -> None:
        """Write jobs in one commit; where that fails, each half by itself, so that one that cannot be written costs the others nothing."""
        fault = self._written(jobs)
        if fault is None or len(jobs) == 1:
            self._tell(jobs, fault)
            return
        middle = len(jobs) // 2
        self._commit(jobs[:middle])
        self._commit(jobs[middle:])

    def _written(self, jobs: list[_Job]) -> StoreFault | None:
        rows = [row for job in jobs for row in job.rows]
        try:
            with self._engine.begin() as connection:
                self._write(connection, rows)
        except (SQLAlchemyError, OverflowError, ValueError) as error:
            if len(jobs) == 1:
                self.failures += 1
                LOG.error("not stored: %s", legible(_reason(error)))
            return StoreFault(_reason(error))
        self.commits, self.rows = self.commits + 1, self.rows + len(rows)
        return None

    def _worked(self, work: Callable[[Connection], None]) -> StoreFault | None:
        try:
            with self._engine.begin() as connection:
                work(connection)
        except SQLAlchemyError as error:
            return StoreFault(_reason(error))
        return None

    def _write(self, connection: Connection, rows: Iterable[Row]) -> None:
        groups: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
        renewed: dict[tuple[Any, ...], dict[str, Any]] = {}
        for table, values in rows:
            names = tuple(values)
            if AGAIN[table] is Again.NEWER:  # of a row that is renewed often in one commit, the newest is written
                key = (table, names, *(values[column.name] for column in METADATA.tables[table].primary_key))
                if (before := renewed.get(key)) is not None:
                    before.update(values)
                    continue
                values = renewed[key] = dict(values)
            groups.setdefault((table, names), []).append(values)
        for group, together in groups.items():
            if (statement := self._statements.get(group)) is None:
                statement = self._statements[group] = self._insert(*group)
            connection.execute(statement, together)

    def _insert(self, name: str, names: tuple[str, ...]) -> Executable:
        table = METADATA.tables[name]
        insert: Any = (postgresql if self._engine.dialect.name == "postgresql" else sqlite).insert(table)
        if AGAIN[name] is Again.SAME:
            return insert.on_conflict_do_nothing()  # type: ignore[no-any-return]
        if AGAIN[name] is Again.NEWER:
            keys = [column.name for column in table.primary_key]
            new = {each: _renewed(table, insert, each) for each in names if each not in keys}
            if not new:
                return insert.on_conflict_do_nothing()  # type: ignore[no-any-return]
            return insert.on_conflict_do_update(index_elements=keys, set_=new)  # type: ignore[no-any-return]
        return insert  # type: ignore[no-any-return]

    def _tell(self, jobs: list[_Job], fault: StoreFault | None) -> None:
        waiting = [job for job in jobs if job.done is not None]
        if waiting and waiting[0].loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                waiting[0].loop.call_soon_threadsafe(_settle, waiting, fault)


def _settle(jobs: list[_Job], fault: StoreFault | None) -> None:
    for job in jobs:
        if job.done is None or job.done.done():
            continue
        if fault is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(StoreFault(str(fault)))


def _renewed(table: Table, insert: Any, name: str) -> Any:
    """The new value of a column: what is not known erases nothing, and what was first stays."""
    old, new = table.c[name], insert.excluded[name]
    return func.coalesce(old, new) if name in ("first_seen", "began") else func.coalesce(new, old)


def _engine(url: str) -> Engine:
    scheme, colon, rest = url.partition(":")
    if not colon or scheme not in DRIVERS:
        raise StoreFault(f"--store {shown(url)}: give sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    try:
        engine = create_engine(f"{DRIVERS[scheme]}:{rest}", pool_pre_ping=True, pool_size=4, max_overflow=4)
    except (ArgumentError, ImportError) as error:
        raise StoreFault(f"--store {shown(url)}: {error}") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _pragmas)
    return engine


def _pragmas(connection: Any, record: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def file_url(folder: Path) -> str:
    """The URL of the SQLite store in a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'csms.sqlite'}"


def shown(url: str) -> str:
    """A URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "that was given"


def _reason(error: BaseException) -> str:
    """Why the database refuses, in its own words, without the statement and its values."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return said[0] if said else type(error).__name__
