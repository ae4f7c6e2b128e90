"""One OCPP connection under asyncio: the shell around `rpc.Exchange`, the same for a station and for a CSMS."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from ocpp_bridge.wire.rpc import CONNECTION_LOST, Answered, Asked, Exchange, Failed, Happening, Ignored, Refusal, Streamed
from ocpp_bridge.wire.schemas import Payload, PayloadFault, Version
from v2g.legible import logger

LOG = logger("v2g.ocpp")
FRAME_LIMIT = 1 << 20  # octets: a profile with 3 x 1024 periods and their prices is about 700 kB; longer frames close the connection

Handler = Callable[[str, Payload], Awaitable[Payload]]  # action and payload of a CALL -> payload of its result; may raise Refusal
Stream = Callable[[str, Payload], None]  # action and payload of a SEND, which has no answer
Trace = Callable[[str, str], None]  # "in" or "out", and the frame


class Socket(Protocol):
    """What a link needs of a WebSocket; `websockets` connections of both roles have it."""

    async def recv(self) -> str | bytes:
        """The next message; raises `EOFError` or an exception of the WebSocket library when there is none."""

    async def send(self, message: str) -> None:
        """Write one text message."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket with a code and a reason."""


class CallFailed(Exception):
    """A CALL got no result: `code` is that of the peer's CALLERROR, or `Timeout` or `ConnectionLost`."""

    def __init__(self, action: str, code: str, text: str) -> None:
        super().__init__(f"{action}: {code}: {text}" if text else f"{action}: {code}")
        self.action = action
        self.code = code


class Link:
    """Sends CALLs to the peer, and serves the peer's CALLs in tasks of their own, so that two sides never block each other.

    `handler` serves a CALL. Handlers start in the order in which CALLs came, and run in that order up to their first await.
    `sparing`: a frame is followed by a pause as long as its work took, so that a peer which floods us leaves half of the loop to others.
    """

    def __init__(
        self,
        socket: Socket,
        version: Version,
        handler: Handler,
        supported: frozenset[str],
        trace: Trace | None = None,
        streamed: Stream | None = None,
        *,
        sparing: bool = False,
    ) -> None:
        self.version = version
        self._streamed = streamed or (lambda action, payload: LOG.info("%s received", action))
        self._socket = socket
        self._handler = handler
        self._trace = trace or (lambda direction, text: None)
        self._exchange = Exchange(version, secrets.token_bytes, supported)
        self._results: dict[str, asyncio.Future[Payload]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._closed, self._sparing = False, sparing

    def call(self, action: str, payload: Payload, timeout: float = 30.0) -> asyncio.Future[Payload]:
        """Send a CALL in its turn; the future gives the result, or `CallFailed` after `timeout` (s).

        Raises `PayloadFault` for a payload that breaks the schema.
        """
        result: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        if self._closed:
            result.set_exception(CallFailed(action, CONNECTION_LOST, "the connection is closed"))
            return result
        self._results[self._exchange.call(action, payload, timeout)] = result
        self._changed.set()
        return result

    def send(self, action: str, payload: Payload) -> None:
        """Send a SEND frame, which has no answer (2.1)."""
        self._exchange.send(action, payload)
        self._changed.set()

    def tell(self, messages: Iterable[tuple[str, Payload]]) -> None:
        """Send messages that nobody answers: (action, payload). What this link cannot say is logged and dropped."""
        for action, payload in messages:
            try:
                self.send(action, payload)
            except PayloadFault as fault:
                LOG.error("not sent: %s", fault)

    async def run(self) -> str:
        """Serve the connection until it ends; returns why. Every open call then fails with `ConnectionLost`."""
        writer = asyncio.create_task(self._write())
        reader = asyncio.create_task(self._read())
        try:
            done, _ = await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            self._closed = True
            for task in (reader, writer, *self._tasks):
                task.cancel()
            self._tell(self._exchange.lost())
            await asyncio.gather(reader, writer, *self._tasks, return_exceptions=True)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, after the answers that are still to be sent; `run` then returns."""
        with contextlib.suppress(Exception):  # a connection that is lost has nothing to close
            for text in self._exchange.frames(asyncio.get_running_loop().time()):
                self._traced("out", text)
                await self._socket.send(text)
        await self._socket.close(code, reason)

    # --- shell ---

    async def _read(self) -> str:
        while True:
            try:
                text = await self._socket.recv()
            except Exception as end:  # whatever the WebSocket library calls the end
                return str(end) or type(end).__name__
            began = time.thread_time()
            self._traced("in", text if isinstance(text, str) else text.hex())
            self._tell(self._exchange.receive(text))
            self._changed.set()
            await asyncio.sleep(0)  # however many frames have come, sessions are served between two of them
            if self._sparing:
                await asyncio.sleep(time.thread_time() - began)

    async def _write(self) -> str:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            self._tell(self._exchange.tick(loop.time()))
            try:
                for text in self._exchange.frames(loop.time()):
                    self._traced("out", text)
                    await self._socket.send(text)
            except Exception as end:
                return str(end) or type(end).__name__
            await self._until(self._exchange.deadline())

    async def _until(self, deadline: float | None) -> None:
        delay = None if deadline is None else max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _traced(self, direction: str, text: str) -> None:
        """A trace that fails costs its line, not the connection."""
        try:
            self._trace(direction, text)
        except Exception:
            LOG.exception("a frame could not be traced")

    def _tell(self, happenings: list[Happening]) -> None:
        for happening in happenings:
            match happening:
                case Asked():
                    task = asyncio.create_task(self._serve(happening))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                case Answered(id_, _, payload):
                    self._settle(id_, payload)
                case Failed(id_, action, code, text):
                    self._settle(id_, CallFailed(action, code, text))
                case Streamed(action, payload):
                    self._streamed(action, payload)
                case Ignored(reason):
                    LOG.warning("ignored: %s", reason)

    def _settle(self, id_: str, result: Payload | CallFailed) -> None:
        future = self._results.pop(id_, None)
        if future is None or future.done():
            return
        if isinstance(result, CallFailed):
            future.set_exception(result)
            future.exception()  # retrieved: a caller that has given up needs no warning
        else:
            future.set_result(result)

    async def _serve(self, asked: Asked) -> None:
        try:
            self._exchange.answer(asked.id, await self._handler(asked.action, asked.payload))
        except Refusal as refusal:
            self._exchange.refuse(asked.id, refusal.code, str(refusal))
        except PayloadFault as fault:
            LOG.error("our answer to %s is not valid: %s", asked.action, fault)
            self._exchange.refuse(asked.id, "InternalError", "")
        except Exception:
            LOG.exception("%s could not be served", asked.action)
            self._exchange.refuse(asked.id, "InternalError", "")
        self._changed.set()
