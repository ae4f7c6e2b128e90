"""Keeps the rows of a schema: one thread writes, and everything that gathered while it wrote is one commit (group commit).

`keep` returns when its rows are on the disk, so an answer that is sent after it never promises what a kill could undo. The event loop
never waits for the disk, and what cannot be written fails alone: the rest of its commit is written without it.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from v2g.legible import legible, logger
from v2gkit.sql.insert import Writes, insert_of
from v2gkit.sql.schema import Again, Schema
from v2gkit.sql.words import Row, StoreFault

LOG = logger("v2g.sql")
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


class Keeper:
    """Keeps rows, and gives connections for reading. Raises StoreFault where the database cannot be had or is of a later version."""

    def __init__(self, url: str, schema: Schema):
        self.url, self._schema = url, schema
        self.commits = self.rows = self.failures = 0
        self._engine = _engine(url)
        self._inserts: dict[tuple[str, tuple[str, ...]], Writes] = {}
        tables = schema.metadata.tables
        newer = (name for name, again in schema.again.items() if again is Again.NEWER)
        self._keys = {name: tuple(column.name for column in tables[name].primary_key) for name in newer}
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        try:
            self._make_tables()
            self._same_tables()
        except (SQLAlchemyError, StoreFault) as error:
            self._engine.dispose()  # a server that is to end waits for whoever is connected
            if isinstance(error, StoreFault):
                raise
            raise StoreFault(f"the store {shown(url)} cannot be opened: {_reason(error)}") from None
        self._thread = threading.Thread(target=self._run, name=f"store of {schema.name}", daemon=True)
        self._thread.start()

    def _make_tables(self) -> None:
        """Make the tables that are not there, and bring those of an older version to this one, each version in a transaction.

        Another process may do the same at this moment: who comes second finds it done.
        """
        for tries in range(ATTEMPTS, 0, -1):
            try:
                self._bring_up()
                self._schema.metadata.create_all(self._engine)
                return
            except SQLAlchemyError:
                if tries == 1:
                    raise
                time.sleep(PAUSE)

    def _bring_up(self) -> None:
        about = self._schema.metadata.tables["about"]
        if not inspect(self._engine).has_table("about"):
            return
        for version in sorted(self._schema.steps):
            with self._engine.begin() as connection:
                mine = about.c.name == "tables"
                known = connection.execute(select(about.c.value).where(mine).with_for_update()).scalar_one_or_none()
                if known == str(version - 1):
                    self._schema.steps[version](connection)
                    connection.execute(update(about).where(mine).values(value=str(version)))

    def _same_tables(self) -> None:
        about, version = self._schema.metadata.tables["about"], self._schema.version
        with self._engine.begin() as connection:
            self._write(connection, [Row("about", {"name": "tables", "value": str(version)})])
            known = connection.execute(select(about.c.value).where(about.c.name == "tables")).scalar_one()
        if known != str(version):
            raise StoreFault(
                f"the store {shown(self.url)} has tables of version {known}, and this program those of {version}; give another"
            )

    async def keep(self, rows: Sequence[Row]) -> None:
        """Write rows; they are on the disk when it returns. Raises StoreFault where they are not."""
        if not rows:
            return
        if self._queue.qsize() >= WAITING:
            raise StoreFault(f"{WAITING} writes wait for the store {shown(self.url)} already; it is slower than those who speak")
        job = _Job(rows, asyncio.get_running_loop())
        self._queue.put(job)
        assert job.done is not None
        await job.done

    async def work(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, done in a commit of its own in the turn of what is written. Raises StoreFault where it cannot be,
        and whatever `work` raises; nothing of it is written then.
        """
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

    def _worked(self, work: Callable[[Connection], None]) -> Exception | None:
        try:
            with self._engine.begin() as connection:
                work(connection)
        except SQLAlchemyError as error:
            return StoreFault(_reason(error))
        except Exception as error:  # it is theirs who gave the work, and no reason to write nothing any more
            return error
        return None

    def _write(self, connection: Connection, rows: Iterable[Row]) -> None:
        groups: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
        for table, values in self._merged(rows):
            groups.setdefault((table, tuple(values)), []).append(values)
        for group, together in groups.items():
            if (write := self._inserts.get(group)) is None:
                write = self._inserts[group] = insert_of(self._schema, self._engine.dialect, *group)
            write(connection, together)

    def _merged(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Rows for one commit: of one that is renewed often in it what comes out in the end, whichever columns each names."""
        renewed: dict[tuple[Any, ...], dict[str, Any]] = {}
        for row in rows:
            if (keys := self._keys.get(row.table)) is None:
                yield row
                continue
            key = (row.table, *map(row.values.__getitem__, keys))
            if (before := renewed.get(key)) is None:
                renewed[key] = dict(row.values)
                continue
            for name, value in row.values.items():
                if before.get(name) is None or (value is not None and name not in self._schema.firsts):
                    before[name] = value
        for key, values in renewed.items():
            yield Row(key[0], values)

    def _tell(self, jobs: list[_Job], fault: Exception | None) -> None:
        waiting = [job for job in jobs if job.done is not None]
        if waiting and waiting[0].loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
                waiting[0].loop.call_soon_threadsafe(_settle, waiting, fault)


def _settle(jobs: list[_Job], fault: Exception | None) -> None:
    for job in jobs:
        if job.done is None or job.done.done():
            continue
        if fault is None:
            job.done.set_result(None)
        else:
            job.done.set_exception(StoreFault(str(fault)) if isinstance(fault, StoreFault) else fault)


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
