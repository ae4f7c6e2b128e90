"""A bus over NATS: requests and news by its subjects, ownership by a key-value bucket of JetStream, which settles who came first."""

import asyncio
import contextlib
from typing import Any, Final

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError
from nats.js.api import KeyValueConfig
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from v2g.legible import logger
from v2gkit.csms.bus.verbs import LEASE, BusFault, Hear, Nobody, Said, Serve

LOG = logger("v2g.csms")
OWNERS: Final = "v2g-csms-stations"
PROCESSES: Final = "v2g-csms-processes"
PATIENCE: Final = 5.0  # s for the server to answer
SERVED: Final = 256  # requests in work at once: one more is told so
TRIES: Final = 5  # times that a claim is tried which another one overtook


class NatsBus:
    """A bus on a NATS server with JetStream (`nats-server -js`)."""

    def __init__(self, client: Client, owners: KeyValue, processes: KeyValue):
        self._client, self._owners, self._processes = client, owners, processes
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def at(cls, url: str) -> "NatsBus":
        """The bus of a server. Raises BusFault where it cannot be had, or has no JetStream."""
        try:
            async with asyncio.timeout(PATIENCE):
                client = await nats.connect(url, max_reconnect_attempts=-1, error_cb=_told)
        except (Error, OSError, ValueError) as error:
            raise BusFault(f"NATS at {_bare(url)}: {error or type(error).__name__}") from None
        try:
            stream = client.jetstream(timeout=PATIENCE)
            owners = await stream.create_key_value(KeyValueConfig(bucket=OWNERS))
            processes = await stream.create_key_value(KeyValueConfig(bucket=PROCESSES, ttl=LEASE))
        except (Error, TimeoutError) as error:
            await client.close()
            raise BusFault(f"NATS at {_bare(url)} has no JetStream: {error or type(error).__name__}; start nats-server with -js") from None
        return cls(client, owners, processes)

    async def serve(self, subject: str, serve: Serve) -> None:
        """Answer requests to a subject, each in a task of its own."""

        async def answered(message: Msg) -> None:
            answer = await serve(msgspec.json.decode(message.data))
            with contextlib.suppress(Error):  # who asked has gone, or the server has
                await message.respond(msgspec.json.encode(answer))

        async def took(message: Msg) -> None:
            if len(self._tasks) >= SERVED:
                return
            task = asyncio.create_task(answered(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        with _faults(subject):
            await self._client.subscribe(subject, cb=took)
            await self._settled()

    async def request(self, subject: str, said: Said, within: float) -> Said:
        """The answer of whoever serves a subject."""
        try:
            message = await self._client.request(subject, msgspec.json.encode(said), timeout=within)
        except NoRespondersError:
            raise Nobody(f"nobody serves {subject}") from None
        except (TimeoutError, Error) as error:
            raise BusFault(f"{subject} did not answer within {within:g} s: {error or type(error).__name__}") from None
        answer: Said = msgspec.json.decode(message.data)
        return answer

    async def publish(self, subject: str, said: Said) -> None:
        """Tell everybody who listens."""
        with _faults(subject):
            await self._client.publish(subject, msgspec.json.encode(said))

    async def listen(self, subject: str, hear: Hear) -> None:
        """Hear what is published."""

        async def heard(message: Msg) -> None:
            hear(msgspec.json.decode(message.data))

        with _faults(subject):
            await self._client.subscribe(subject, cb=heard)
            await self._settled()

    async def renew(self, owner: str) -> None:
        """Note that an owner lives."""
        with _faults(owner):
            await self._processes.put(_key(owner), b"")

    async def claim(self, thing: str, owner: str) -> str:
        """Take what is nobody's, by compare and swap."""
        with _faults(thing):
            for _ in range(TRIES):
                try:
                    await self._owners.create(_key(thing), owner.encode())
                    return owner
                except KeyWrongLastSequenceError:
                    pass
                with contextlib.suppress(KeyNotFoundError, KeyWrongLastSequenceError):
                    entry = await self._owners.get(_key(thing))
                    holder = (entry.value or b"").decode()
                    if holder == owner or await self._alive(holder):
                        return holder
                    await self._owners.update(_key(thing), owner.encode(), last=entry.revision)
                    return owner
        raise BusFault(f"{thing} is claimed by too many at once")

    async def owner(self, thing: str) -> str | None:
        """Whose a thing is."""
        with _faults(thing):
            try:
                return ((await self._owners.get(_key(thing))).value or b"").decode()
            except KeyNotFoundError:
                return None

    async def release(self, thing: str, owner: str) -> None:
        """Let go what is one's own; what another one took meanwhile stays."""
        with _faults(thing), contextlib.suppress(KeyNotFoundError, KeyWrongLastSequenceError):
            entry = await self._owners.get(_key(thing))
            if entry.value == owner.encode():
                await self._owners.delete(_key(thing), last=entry.revision)

    async def close(self) -> None:
        """Leave the server and its subjects."""
        with contextlib.suppress(Error, TimeoutError):
            await self._client.close()

    async def _settled(self) -> None:
        """Wait until the server knows of every subscription made so far: a word to ourselves, which the server reads after them.

        The client's own flush does not do: its PING goes straight to the socket, past subscriptions that still wait to be written.
        """
        inbox = self._client.new_inbox()
        echo = await self._client.subscribe(inbox, max_msgs=1)
        await self._client.publish(inbox, b"")
        await echo.next_msg(timeout=PATIENCE)
        await echo.unsubscribe()

    async def _alive(self, owner: str) -> bool:
        try:
            await self._processes.get(_key(owner))
        except KeyNotFoundError:
            return False
        return True


@contextlib.contextmanager
def _faults(what: str) -> Any:
    try:
        yield
    except (TimeoutError, Error) as error:
        raise BusFault(f"{what}: NATS does not answer: {error or type(error).__name__}") from None


async def _told(error: Exception) -> None:
    LOG.warning("NATS: %s", error or type(error).__name__)


def _key(thing: str) -> str:
    """A thing as a key of NATS, which knows few characters."""
    return thing.encode().hex()


def _bare(url: str) -> str:
    """An address without user and password."""
    return url.rpartition("@")[2]
