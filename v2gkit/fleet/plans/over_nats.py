"""Solvers on other machines, over NATS JetStream: a queue of tasks, a subject for each shard of the sites, and workers without a state.

A worker takes a task, says while it solves that it does, and lets go of it once its plan was sent. Of one that was killed nothing is heard
any more, and the queue gives its task to the next after `SILENT`. Tasks are in the server's memory alone: where it was killed as well,
whoever wants the plan asks again.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.client import JetStreamContext

from v2g.legible import logger
from v2gkit.fleet.log.over_nats import PATIENCE, connected
from v2gkit.fleet.log.verbs import LogFault
from v2gkit.fleet.plans.task import solved
from v2gkit.fleet.plans.verbs import TRIES, SolverFault

LOG = logger("v2g.fleet")
STREAM: Final = "v2g-solve"
ROOT: Final = "v2gsolve"
REPLY: Final = "V2G-Reply"
SHARDS: Final = 16  # of sites: as many workers may each have one of their own, more share them
SILENT: Final = 5.0  # s after which a worker that says nothing is taken for dead
BEAT: Final = 1.0  # s between two signs of life
WAITING: Final = 60.0  # s until a task is given anew: a quarter of an hour's tasks of all sites wait in one queue
KEPT: Final = 300.0  # s after which nobody wants a task any more
ROOM: Final = 256 << 20  # octets of tasks: of 100,000 cars 40 MB
MOST: Final = 1 << 20  # octets of a task, as many as NATS takes by default
IDLE: Final = 0.2  # s between two looks for a task where there was none
LOOK: Final = 0.05  # s for a look


def shard_of(site: str) -> int:
    """The shard of a site, 0 to `SHARDS` - 1, on every machine the same."""
    return int.from_bytes(hashlib.sha256(site.encode()).digest()[:4]) % SHARDS


async def queue_of(client: Client) -> JetStreamContext:
    """The queue of tasks of a server, made where it is not there. Raises SolverFault."""
    stream = client.jetstream(timeout=PATIENCE)
    config = StreamConfig(
        STREAM,
        subjects=[f"{ROOT}.>"],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.MEMORY,
        max_bytes=ROOM,
        max_age=KEPT,
        duplicate_window=0.1,
    )
    try:
        await stream.add_stream(config)
    except (Error, TimeoutError) as error:
        raise SolverFault(f"NATS has no JetStream: {error or type(error).__name__}; start nats-server with -js") from None
    return stream


class NatsSolvers:
    """Whoever works for the queue of a server."""

    def __init__(self, client: Client, stream: JetStreamContext, inbox: str, waiting: float) -> None:
        self._client, self._stream, self._inbox, self._waiting = client, stream, inbox, waiting
        self._asked: dict[str, asyncio.Future[bytes]] = {}
        self._number = 0
        self.retries = 0

    @classmethod
    async def at(cls, url: str, waiting: float = WAITING) -> "NatsSolvers":
        """The solvers of a server; `waiting` s for a plan until its task is given anew. Raises SolverFault."""
        try:
            client = await connected(url)
        except LogFault as fault:
            raise SolverFault(str(fault)) from None
        try:
            one = cls(client, await queue_of(client), client.new_inbox(), waiting)
            await client.subscribe(f"{one._inbox}.*", cb=one._heard)
        except BaseException:
            await client.close()
            raise
        return one

    async def solve(self, site: str, task: bytes) -> bytes:
        """The plan of a task, by a worker of its site's shard. A server that is away costs time, and no try."""
        if len(task) > MOST:
            raise SolverFault(f"{site}: its task has {len(task)} octets; at most {MOST} are taken: let the site have fewer assets")
        self._number += 1
        loop = asyncio.get_running_loop()
        name, answer = str(self._number), loop.create_future()
        self._asked[name] = answer
        said, until = "no worker answers; start v2g solver", loop.time() + TRIES * self._waiting
        try:
            while loop.time() < until:
                try:
                    await self._stream.publish(f"{ROOT}.{shard_of(site)}", task, headers={REPLY: f"{self._inbox}.{name}"})
                    async with asyncio.timeout(self._waiting):
                        return await asyncio.shield(answer)
                except TimeoutError:
                    self.retries += 1
                except Error as error:  # the server is away, or has begun anew, with nothing
                    self.retries += 1
                    said = f"NATS does not answer: {error or type(error).__name__}"
                    await asyncio.sleep(BEAT)
                    with contextlib.suppress(SolverFault):
                        await queue_of(self._client)
        finally:
            del self._asked[name]
        raise SolverFault(f"{site}: {said}")

    async def _heard(self, message: Msg) -> None:
        answer = self._asked.get(message.subject.rpartition(".")[2])
        if answer is not None and not answer.done():
            answer.set_result(message.data)

    async def close(self) -> None:
        """Leave the server, without a word to its workers."""
        with contextlib.suppress(Error, TimeoutError):
            await self._client.close()


class Worker:
    """Solves the tasks of some shards, one at a time. It remembers nothing: begin and kill as many as there are cores."""

    def __init__(self, client: Client, queue: JetStreamContext, shards: Sequence[int]) -> None:
        self._client, self._queue, self._shards = client, queue, shards
        self._lanes: dict[int, JetStreamContext.PullSubscription] = {}
        self._connections = client.stats["reconnects"]
        self.solved = 0

    async def run(self) -> None:
        """Solve task after task until cancelled."""
        while True:
            try:
                await self._renewed()
                if not sum([await self._looked(shard) for shard in self._shards]):
                    await asyncio.sleep(IDLE)
            except (Error, TimeoutError) as error:
                LOG.warning("solver: NATS does not answer: %s", error or type(error).__name__)
                await asyncio.sleep(BEAT)

    async def _renewed(self) -> None:
        """Have queue and lanes made anew where the connection was: the server may have begun with nothing, and would not say so."""
        count = self._client.stats["reconnects"]
        if count == self._connections:
            return
        for lane in self._lanes.values():
            with contextlib.suppress(Error):
                await lane.unsubscribe()
        self._lanes.clear()
        try:
            await queue_of(self._client)
        except SolverFault:
            await asyncio.sleep(BEAT)
            return
        self._connections = count

    async def _looked(self, shard: int) -> int:
        if shard not in self._lanes:
            config = ConsumerConfig(durable_name=f"solver-{shard}", ack_wait=SILENT)
            subject = f"{ROOT}.{shard}"
            self._lanes[shard] = await self._queue.pull_subscribe(subject, f"solver-{shard}", STREAM, config=config)
        try:
            found = await self._lanes[shard].fetch(1, timeout=LOOK)
        except TimeoutError:
            return 0
        for message in found:
            await self._answer(message)
        return len(found)

    async def _answer(self, message: Msg) -> None:
        beats = asyncio.create_task(_beats(message))
        try:
            plan = await asyncio.to_thread(solved, message.data, time.monotonic)
        finally:
            beats.cancel()
        if (reply := (message.headers or {}).get(REPLY)) is not None:
            await self._client.publish(reply, plan)
            await self._client.flush()
        await message.ack()
        self.solved += 1


async def _beats(message: Msg) -> None:
    while True:
        await asyncio.sleep(BEAT)
        with contextlib.suppress(Error):
            await message.in_progress()


async def work(url: str, shards: Iterable[int], ready: Callable[[], None]) -> None:
    """Be a worker for shards until cancelled; `ready` is told once it looks for tasks. Raises SolverFault where there is no server."""
    try:
        client = await connected(url)
    except LogFault as fault:
        raise SolverFault(str(fault)) from None
    try:
        worker = Worker(client, await queue_of(client), list(shards))
        ready()
        await worker.run()
    finally:
        await client.close()
