"""The web server of the lab's services: HTTP by uvicorn and h11, behind a door of our own that bounds what strangers cost.

    with Site(routes) as site: ... site.url ...

A connection lives for `LIFETIME` at most, whatever it does: handshake, request, answer. There are `ROOM` of them; one more, and of the
source that has most of them the oldest goes. With TLS so many may be silent, `SHAKING` in handshake (`gate`), and so many behind it. A
body is bounded before it is kept. Whatever goes wrong in a service is its log's, not the client's to read.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from v2g.legible import logger
from v2g.session.admission import Crowd, Stage
from v2g.session.link import address_text
from v2g.tasks import Tasks
from v2gkit.authorities.gate import HANDSHAKE, Gate
from v2gkit.authorities.route import Answer, Asked, Route

MAX_BODY: Final = 65_536  # octets of a request; the largest legal one, a CertificateInstallationReq, has about 7000
MAX_HEAD: Final = 16_384  # octets of its head
LIFETIME: Final = 20.0  # s of a connection: a slow one needs less for all it may send; longer ones only hold a place
ROOM: Final = 128  # connections at once, of 100 KB each with TLS
SHORTAGE: Final = 60.0  # s between two lines about connections that could not be accepted
SHAKING: Final = 64  # handshakes under way: a tenth of a second's worth of the threads that work on them

log = logger("v2g.web")


class Site:
    """A server with its routes. As a context manager it serves in the background; `url` says where."""

    def __init__(
        self, routes: list[Route], host: str = "::1", port: int = 0, tls: ssl.SSLContext | None = None, *, lifetime: float = LIFETIME
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        self._listener.setblocking(False)
        self._address: tuple[str, int] = self._listener.getsockname()[:2]
        self._routes, self._tls, self._lifetime = routes, tls, lifetime
        self._thread = threading.Thread(target=self.serve, name="web server", daemon=True)
        self._stop: Callable[[], object] = lambda: None
        self._serving = threading.Event()

    @property
    def url(self) -> str:
        """The address of the server, as others reach it."""
        return f"{'https' if self._tls is not None else 'http'}://{address_text(self._address)}"

    def __enter__(self) -> "Site":
        self._thread.start()
        self._serving.wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        self._thread.join()

    def serve(self) -> None:
        """Serve in the foreground until interrupted."""
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self.run())

    async def run(self) -> None:
        """Serve in the running loop, beside what else it has, until cancelled."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        door = _Door(self._listener, _app(self._routes), self._tls, self._lifetime)
        try:
            async with Tasks("v2g.web") as tasks:
                tasks.keep("accepting", door.accept)
                self._serving.set()
                await stop.wait()
        finally:
            door.close()
            self._listener.close()


class _Door:
    """Accepts connections, counts them, and shows each out in time."""

    def __init__(self, listener: socket.socket, app: Any, tls: ssl.SSLContext | None, lifetime: float) -> None:
        self._listener, self._lifetime = listener, lifetime
        self._gate = None if tls is None else Gate(tls, limit=min(lifetime, HANDSHAKE))
        self._config = Config(
            app, http=H11Protocol, ws="none", lifespan="off", loop="none", log_config=None, access_log=False, proxy_headers=False,
            server_header=False, h11_max_incomplete_event_size=MAX_HEAD, timeout_keep_alive=int(LIFETIME),
        )  # fmt: skip
        self._config.load()
        self._state = ServerState()
        self._crowd = Crowd({Stage.SILENT: ROOM, Stage.SPEAKING: SHAKING, Stage.SECURED: ROOM})
        self._open: dict[int, tuple[socket.socket, asyncio.TimerHandle]] = {}
        self._count = 0
        self._short_said: float | None = None
        self._taking: set[asyncio.Task[None]] = set()

    async def accept(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(self._listener)
            except OSError as error:
                if self._short_said is None or loop.time() - self._short_said >= SHORTAGE:
                    self._short_said = loop.time()
                    log.error("cannot accept a connection: %s; %d are open (said once a minute)", error.strerror, len(self._open))
                await asyncio.sleep(1.0)
                continue
            task = loop.create_task(self._take(accepted, str(peer[0])))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _take(self, accepted: socket.socket, source: str) -> None:
        """One connection, to its end or the end of its time."""
        loop = asyncio.get_running_loop()
        self._count += 1
        number = self._count
        over = loop.create_future()
        self._open[number] = accepted, loop.call_later(self._lifetime, self._show_out, number)
        self._stands(number, source, Stage.SILENT)
        inner = _Connection(self._config, self._state, over)
        try:
            await loop.connect_accepted_socket(lambda: self._entry(inner, number, source), accepted)
            await over
        except (OSError, ValueError):
            accepted.close()  # gone, or its handshake failed: that concerns nobody else
        finally:
            self._crowd.forget(number)
            if (kept := self._open.pop(number, None)) is not None:
                kept[1].cancel()

    def _entry(self, inner: "_Connection", number: int, source: str) -> asyncio.Protocol:
        if self._gate is None:
            return inner
        return self._gate.entry(inner, moved=lambda stage: self._stands(number, source, stage), over=inner.over)

    def _stands(self, number: int, source: str, stage: Stage) -> None:
        """Note how far a connection has come, and show out the one that is too many there."""
        self._crowd.put(number, source, stage)
        if (surplus := self._crowd.surplus(stage)) is not None:
            self._show_out(surplus)

    def _show_out(self, number: int) -> None:
        self._crowd.forget(number)
        with contextlib.suppress(OSError):
            self._open[number][0].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close what is open."""
        for number in list(self._open):
            self._show_out(number)
        if self._gate is not None:
            self._gate.close()


class _Connection(H11Protocol):
    """A connection that says when it is over."""

    def __init__(self, config: Config, state: ServerState, over: "asyncio.Future[None]") -> None:
        super().__init__(config, state, {})
        self._over = over

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.over()

    def over(self) -> None:
        """Nothing is left of it."""
        if not self._over.done():
            self._over.set_result(None)


def _app(routes: list[Route]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The routes as an ASGI application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await _answered(routes, request)
        except ClientDisconnect:
            return
        except Exception:
            log.exception("%s %s could not be answered", request.method, _path(request))
            answer = Answer(b"", status=500)
        response = Response(answer.body, answer.status, dict(answer.headers), answer.kind)
        if answer.status in (408, 413):
            response.headers["Connection"] = "close"  # what was not read is not a request
        await response(scope, receive, send)

    return app


def _path(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.decode("ascii", "replace")


async def _answered(routes: list[Route], request: Request) -> Answer:
    path = _path(request)
    for method, prefix, service in routes:
        if method == request.method and (path == prefix or path.startswith(f"{prefix.rstrip('/')}/")):
            body = await _body(request)
            if body is None:
                return Answer(b"", status=413)
            source = request.client.host if request.client is not None else ""
            query = request.scope["query_string"].decode("ascii", "replace")
            asked = Asked(path[len(prefix) :].lstrip("/"), body, request.headers, source, query)
            if asyncio.iscoroutinefunction(service):
                found: Answer = await service(asked)
            else:
                found = await run_in_threadpool(service, asked)  # type: ignore[arg-type]
            return found
    return Answer(b"", status=404)


async def _body(request: Request) -> bytes | None:
    """The body, None where it is longer than any that is due."""
    length = request.headers.get("Content-Length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        return None
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            return None
    return body
