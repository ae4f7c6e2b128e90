"""The web server of the live viewer: starlette and uvicorn behind a door of our own that bounds what strangers cost.

A connection has one request. Until that is admitted it lives for `STRANGER` s at most and shares `STRANGERS` places; one that follows the
stream lives as long as it reads. A reader that takes nothing for `STALLED` s is cut off: its browser comes back and goes on where it was.
"""

import asyncio
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from v2g.session.admission import Crowd, Stage
from v2gkit.insight.live.door import HEADERS, Door
from v2gkit.insight.live.history import OVER, History, Line

MAX_HEAD: Final = 16_384  # octets of a request's head
STRANGER: Final = 20.0  # s for request and answer of whoever is not admitted to the stream; a slow one needs less
STRANGERS: Final = 64  # connections of them at once; one more, and of the source that has most of them the oldest goes
VIEWERS: Final = 256  # that follow the stream or fetch all lines; one more is told to come later
STALLED: Final = 10.0  # s in which a viewer must take what it was sent
STEP: Final = 0.1  # s between two deliveries: what an eye takes for at once, and the same octets for all viewers
QUIET: Final = 15.0  # s without a line, after which a comment keeps the way open
BEGIN: Final = b"retry: 1000\n\n"
STILL: Final = b": still here\n\n"


class Live:
    """The history, and the viewers that follow it."""

    def __init__(self, history: History):
        self.history = history
        self.viewers: set[Viewer] = set()
        self.leaving = False
        self._due: asyncio.TimerHandle | None = None

    def add(self, lines: Iterable[Line]) -> bool:
        """Add lines; viewers have them a moment later. False: they do not fit, all was forgotten, and the stream must begin anew."""
        fits = self.history.add(lines)
        if not fits:
            self.history.anew()
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(STEP, self.tell)
        return fits

    def end(self) -> None:
        """Note that nothing more will come."""
        self.history.over = True
        self.tell()

    async def leave(self) -> None:
        """End every stream in order, once its viewer was given what there is, and wait until all of it was taken.

        A browser whose connection is cut loses what it has received and not yet looked at.
        """
        self.leaving = True
        self.tell()
        while any(viewer.lacking for viewer in self.viewers):  # noqa: ASYNC110 - buffers say nothing when they are empty
            await asyncio.sleep(STEP / 4)

    def tell(self) -> None:
        """Wake every viewer: there may be lines to fetch."""
        self._due = None
        for viewer in self.viewers:
            viewer.news.set()


class Viewer:
    """One connection that is admitted: its place in the history, and whether it is still there."""

    def __init__(self, connection: "Connection", send: Send):
        self._connection, self._send = connection, send
        self.news = asyncio.Event()
        self.over = False  # its stream was ended in order

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""
        return self._connection.transport.is_closing()

    @property
    def lacking(self) -> bool:
        """Whether there is something that it has not taken, the end of its stream included."""
        return not self.gone and (not self.over or self._connection.transport.get_write_buffer_size() > 0)

    async def give(self, octets: bytes, more: bool = True) -> bool:
        """Send octets; False where the viewer does not take them in time, or has gone."""
        try:
            async with asyncio.timeout(STALLED):
                await self._send({"type": "http.response.body", "body": octets, "more_body": more})
        except TimeoutError:
            self._connection.transport.abort()
        return not self.gone

    async def begin(self, headers: Mapping[str, str]) -> None:
        """Send the head of the answer."""
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": raw})


class Connection(H11Protocol):
    """A connection that is counted, and bounded in time until it is admitted."""

    def __init__(self, config: Config, state: ServerState, room: "Room"):
        super().__init__(config, state, {})
        self._room, self.number = room, 0
        self.viewer: Viewer | None = None
        self.limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and bound its time."""
        super().connection_made(transport)
        self.limit = asyncio.get_running_loop().call_later(STRANGER, transport.abort)
        self._room.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and wake the viewer that it was."""
        super().connection_lost(exc)
        if self.limit is not None:
            self.limit.cancel()
        self._room.leave(self)
        if self.viewer is not None:
            self.viewer.news.set()


class Room:
    """The connections of the server: strangers, whose places are few, and viewers."""

    def __init__(self) -> None:
        self._crowd = Crowd({Stage.SILENT: STRANGERS, Stage.SECURED: VIEWERS})
        self._open: dict[int, Connection] = {}
        self._by_client: dict[Any, Connection] = {}
        self._count = 0

    def enter(self, connection: Connection) -> None:
        """Count a connection; where strangers are too many, one of them goes."""
        self._count += 1
        connection.number = self._count
        self._open[self._count] = self._by_client[connection.client] = connection
        self._crowd.put(self._count, connection.client[0] if connection.client else "", Stage.SILENT)
        if (surplus := self._crowd.surplus(Stage.SILENT)) is not None:
            self._crowd.forget(surplus)
            self._open[surplus].transport.abort()

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self._crowd.forget(connection.number)
        self._open.pop(connection.number, None)
        if self._by_client.get(connection.client) is connection:
            del self._by_client[connection.client]

    def admit(self, client: Any, send: Send) -> Viewer | None:
        """Let the connection of a client stay; None: there are as many viewers as there may be, or it has gone."""
        connection = self._by_client.get(tuple(client) if client else None)
        if connection is None or self._crowd.count(Stage.SECURED) >= VIEWERS:
            return None
        if connection.limit is not None:
            connection.limit.cancel()
        self._crowd.put(connection.number, connection.client[0] if connection.client else "", Stage.SECURED)
        connection.viewer = Viewer(connection, send)
        return connection.viewer

    @property
    def viewers(self) -> int:
        """How many viewers there are."""
        return self._crowd.count(Stage.SECURED)

    def close(self) -> None:
        """Cut every connection that is open."""
        for connection in list(self._open.values()):
            connection.transport.abort()


class _Guarded:
    """The application behind the door: who is refused, and the headers of every answer."""

    def __init__(self, app: ASGIApp, door: Door):
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
            await send(message)

        given = request.query_params.get("token", "")
        refused = self._door.refusal(_once(request.headers), given or request.cookies.get(self._door.cookie, ""))
        answer: ASGIApp = self._app
        if refused is not None:
            answer = PlainTextResponse(f"Refused: {refused}.\n", 403)
        elif given and self._door.token and request.url.path == "/":
            redirected = RedirectResponse("/", 303)
            redirected.set_cookie(self._door.cookie, self._door.token, httponly=True, samesite="strict", path="/")
            answer = redirected
        await answer(scope, receive, with_headers)


def _once(headers: Headers) -> dict[str, str]:
    """Headers by name; of one that came twice, all values: they fit nothing that is expected."""
    return {name: ", ".join(headers.getlist(name)) for name in headers}


def application(live: Live, room: Room, door: Door, assets: Mapping[str, tuple[str, str]]) -> ASGIApp:
    """The server's answers. `assets` are media type and text by path."""

    def asset(path: str) -> Route:
        kind, text = assets[path]
        return Route(path, lambda request: Response(text, media_type=kind), methods=["GET"])

    async def health(request: Request) -> Response:
        said = {"lines": live.history.count, "viewers": room.viewers, "dropped": live.history.dropped, "over": live.history.over}
        return Response(json.dumps(said), media_type="application/json")

    async def poured(scope: Scope, receive: Receive, send: Send) -> None:
        await _poured(live, room, scope, send)

    async def followed(scope: Scope, receive: Receive, send: Send) -> None:
        await _followed(live, room, scope, send)

    return _Guarded(
        Starlette(
            routes=[
                *map(asset, assets),
                Route("/healthz", health, methods=["GET"]),
                Route("/lines", _Endpoint(poured), methods=["GET"]),
                Route("/stream", _Endpoint(followed), methods=["GET"]),
            ]
        ),
        door,
    )


class _Endpoint:
    """An answer that is written piece by piece; starlette takes a function for one that answers at once."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "GET":
            await self._app(scope, receive, send)
        else:
            await Response(status_code=405)(scope, receive, send)


async def _admitted(room: Room, scope: Scope, send: Send, kind: Mapping[str, str]) -> Viewer | None:
    viewer = room.admit(scope.get("client"), send)
    if viewer is None:
        full = PlainTextResponse(f"Refused: there are {VIEWERS} viewers already.\n", 503, {"Retry-After": "10"})
        await full(scope, _nothing, send)
        return None
    await viewer.begin(kind)
    return viewer


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _poured(live: Live, room: Room, scope: Scope, send: Send) -> None:
    """All lines so far, as a file of JSON lines."""
    kind = {"Content-Type": "application/x-ndjson; charset=utf-8", "Content-Disposition": 'attachment; filename="lines.jsonl"'}
    viewer = await _admitted(room, scope, send, kind)
    number, last = 0, live.history.last
    while viewer is not None and number < last:
        octets, number = live.history.after(number)
        lines = b"".join(line[6:] + b"\n" for line in octets.split(b"\n") if line.startswith(b'data: {"t"'))
        if not await viewer.give(lines):
            return
    if viewer is not None:
        await viewer.give(b"", more=False)


async def _followed(live: Live, room: Room, scope: Scope, send: Send) -> None:
    """The stream: what came since the place that the browser names, then everything as it comes."""
    request = Request(scope)
    number = live.history.place(request.headers.get("last-event-id") or request.query_params.get("last", ""))
    viewer = await _admitted(room, scope, send, {"Content-Type": "text/event-stream; charset=utf-8"})
    if viewer is None:
        return
    live.viewers.add(viewer)
    try:
        if await viewer.give(BEGIN):
            await _told(live, viewer, number)
        if live.leaving and not viewer.gone:
            await viewer.give(b"", more=False)
            viewer.over = True
    finally:
        if not viewer.over:
            live.viewers.discard(viewer)


async def _told(live: Live, viewer: Viewer, number: int) -> None:
    """Give a viewer all that it has not got, until it has gone."""
    said = False
    while not viewer.gone:
        viewer.news.clear()
        octets, number = live.history.after(number)
        if not octets and live.history.over and not said:
            octets, said = OVER, True
        if not octets and live.leaving:
            return
        if not octets:
            try:
                async with asyncio.timeout(QUIET):
                    await viewer.news.wait()
            except TimeoutError:
                octets = STILL
        if octets and not await viewer.give(octets):
            return


Around = Callable[[asyncio.Protocol], asyncio.Protocol]
"""Makes the protocol of a plain connection out of one that wants it deciphered."""


async def serve(listener: socket.socket, app: ASGIApp, room: Room, around: Around | None = None) -> asyncio.Server:
    """Serve on a listening socket, behind what `around` makes, such as TLS; close the returned server and the room to stop."""
    config = Config(
        app, http=H11Protocol, ws="none", lifespan="off", loop="none", log_config=None, access_log=False, proxy_headers=False,
        server_header=False, date_header=False, h11_max_incomplete_event_size=MAX_HEAD, timeout_keep_alive=1,
    )  # fmt: skip
    config.load()
    state = ServerState()

    def connected() -> asyncio.Protocol:
        made = Connection(config, state, room)
        return made if around is None else around(made)

    return await asyncio.get_running_loop().create_server(connected, sock=listener, backlog=64)
