"""A log on NATS JetStream: one stream, a durable consumer for each reader. The server has a record when `append` returns; it writes it to
the disk within two minutes, so a power cut may lose what was appended last.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.client import JetStreamContext

from v2g.legible import logger
from v2gkit.fleet.log.verbs import AGAIN, KEPT, WINDOW, LogFault, Record, Said, demand_fit

LOG = logger("v2g.fleet")
STREAM: Final = "v2g-fleet"
ROOT: Final = "v2gfleet"
PATIENCE: Final = 5.0  # s for the server to answer
ROOM: Final = 8 << 30  # octets of the stream; the oldest go
PENDING: Final = 100_000  # records that a reader may have without acknowledging them
AT_ONCE: Final = 512  # publications in flight


async def connected(url: str) -> Client:
    """A connection to a NATS server, which is opened anew whenever it is lost. Raises LogFault where there is none to begin with."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.2, error_cb=_told)
    except (Error, OSError, ValueError, TimeoutError) as error:
        raise LogFault(f"NATS at {url.rpartition('@')[2]}: {error or type(error).__name__}") from None


class NatsLog:
    """A log on a NATS server with JetStream (`nats-server -js`)."""

    def __init__(self, client: Client, stream: JetStreamContext):
        self._client, self._stream = client, stream
        self._readers: dict[str, JetStreamContext.PullSubscription] = {}
        self._given: dict[tuple[str, int], Msg] = {}

    @classmethod
    async def at(cls, url: str, room: int = ROOM) -> "NatsLog":
        """The log of a server. Raises LogFault where it cannot be had, or has no JetStream."""
        bare, client = url.rpartition("@")[2], await connected(url)
        stream = client.jetstream(timeout=PATIENCE, publish_async_max_pending=AT_ONCE)
        config = StreamConfig(
            STREAM,
            subjects=[f"{ROOT}.>"],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            storage=StorageType.FILE,
            max_bytes=room,
            max_age=24 * KEPT,
            duplicate_window=WINDOW,
        )
        try:
            await stream.add_stream(config)
        except (Error, TimeoutError) as error:
            await client.close()
            raise LogFault(f"NATS at {bare} has no JetStream: {error or type(error).__name__}; start nats-server with -js") from None
        return cls(client, stream)

    async def append(self, many: Iterable[Said]) -> int:
        """Append records: one after the other on the wire, the acknowledgements awaited together."""
        position, waiting = 0, []
        async with _faults("append"):
            for said in many:
                demand_fit(said)
                headers = {"Nats-Msg-Id": said.key} if said.key else None
                waiting.append(await self._stream.publish_async(f"{ROOT}.{said.subject}", said.octets, headers=headers))
            async with asyncio.timeout(4 * PATIENCE):
                for each in waiting:
                    position = max(position, (await each).seq)
        return position

    async def read(self, reader: str, subject: str, most: int = 500, within: float = 1.0) -> Sequence[Record]:
        """The next records for a reader."""
        async with _faults(f"read {subject}"):
            if reader not in self._readers:
                config = ConsumerConfig(durable_name=reader, ack_wait=AGAIN, max_ack_pending=PENDING)
                subscription = await self._stream.pull_subscribe(f"{ROOT}.{subject}", durable=reader, stream=STREAM, config=config)
                self._readers[reader] = subscription
            try:
                messages = await self._readers[reader].fetch(most, timeout=within)
            except TimeoutError:
                return ()
        found = []
        for message in messages:
            position = message.metadata.sequence.stream
            self._given[reader, position] = message
            found.append(Record(position, message.subject.removeprefix(f"{ROOT}."), message.data))
        return found

    async def ack(self, reader: str, positions: Iterable[int]) -> None:
        """Let a reader be done with records."""
        async with _faults("ack"):
            for position in positions:
                if (message := self._given.pop((reader, position), None)) is not None:
                    await message.ack()

    async def close(self) -> None:
        """Leave the server, with what it has."""
        with contextlib.suppress(Error, TimeoutError):
            await self._client.close()


@contextlib.asynccontextmanager
async def _faults(what: str) -> AsyncIterator[None]:
    try:
        yield
    except (TimeoutError, Error) as error:
        raise LogFault(f"{what}: NATS does not answer: {error or type(error).__name__}") from None


async def _told(error: Exception) -> None:
    LOG.warning("NATS: %s", error or type(error).__name__)
