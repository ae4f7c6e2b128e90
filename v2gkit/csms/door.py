"""The door of the laboratory CSMS: who may speak as which station, and how many may stand before it.

A station is who it says by its certificate (security profile 3: the common name is the station id), else by its own password (1 and 2),
else, on a bench, by its word. Whoever has a connection keeps it as long as it answers.
"""

import asyncio
import itertools
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from v2g.session.admission import Crowd, Stage
from v2gkit.authorities.gate import Gate
from v2gkit.authorities.passwords import Door, TooSoon, basic

# Connections that said nothing, that are in handshake or judgement (80 KB each with TLS), and after admission. One more, and of the source
# with most of them the oldest goes; a station that has its link keeps it.
ROOM: Final = {Stage.SILENT: 256, Stage.SPEAKING: 256, Stage.SECURED: 4096}
STATIONS: Final = 16_384  # ids that are remembered, where anybody may come: 1 KB each
ANSWERING: Final = 5.0  # s in which a connection that is alive answers a ping
LONGEST: Final = 48  # characters of a station id


class Admission:
    """Judges every handshake. `door` None: nobody is asked for a password."""

    def __init__(self, door: Door | None, room: Mapping[Stage, int] | None = None) -> None:
        self._door = door
        self.crowd = Crowd({**ROOM, **(room or {})})
        self.open: dict[int, Bounded] = {}
        self.numbers = itertools.count(1)

    async def __call__(self, connection: ServerConnection, request: Request) -> Response | None:
        """Judge the handshake of a WebSocket: None accepts it, else the HTTP response that refuses it."""
        id_ = station_id(request.path)
        if not 1 <= len(id_) <= LONGEST or not id_.isprintable() or ":" in id_:
            return connection.respond(HTTPStatus.NOT_FOUND, "the address ends with no station id\n")
        certificate = connection.transport.get_extra_info("peercert")
        if certificate:
            names = common_names(certificate)
            if names != [id_]:
                return connection.respond(HTTPStatus.FORBIDDEN, "the certificate is another station's\n")
        elif self._door is not None and (refusal := await self._asked(self._door, connection, request, id_)) is not None:
            return refusal
        if isinstance(connection, Bounded):
            connection.stands(Stage.SECURED)
        return None

    async def _asked(self, door: Door, connection: ServerConnection, request: Request, id_: str) -> Response | None:
        user, password = basic(request.headers.get_all("Authorization")[0] if "Authorization" in request.headers else "")
        try:
            if user == id_ and await door.opens(id_, password, str(connection.remote_address[0])):
                return None
        except TooSoon as error:
            response = connection.respond(HTTPStatus.TOO_MANY_REQUESTS, f"{error}\n")
            response.headers["Retry-After"] = f"{error.after:.0f}"
            return response
        response = connection.respond(HTTPStatus.UNAUTHORIZED, "the password is wrong\n")
        response.headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
        return response


class Bounded(ServerConnection):
    """A connection that is counted; where there are too many, one goes that costs least. With a `gate` it begins with TLS."""

    def __init__(self, admission: Admission, gate: Gate | None, protocol: ServerProtocol, server: Server, **how: Any) -> None:
        super().__init__(protocol, server, **how)
        self._admission, self._gate, self._number = admission, gate, next(admission.numbers)
        self._raw: asyncio.Transport | None = None
        self.seated = False  # it is a station's link: no newcomer costs it that

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._raw is not None:  # TLS stands
            super().connection_made(transport)
            return
        self._raw = cast(asyncio.Transport, transport)
        self._admission.open[self._number] = self
        self.stands(Stage.SILENT)
        if self._gate is None:
            super().connection_made(transport)
        else:
            entry = self._gate.entry(self, moved=self._moved, over=self._gone)
            self._raw.set_protocol(entry)
            entry.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._gate is None and self._admission.crowd.stage(self._number) is Stage.SILENT:
            self.stands(Stage.SPEAKING)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        super().connection_lost(exc)

    def stands(self, stage: Stage) -> None:
        """Note how far the connection has come, and close the one that is too many at that stage."""
        assert self._raw is not None
        peer = self._raw.get_extra_info("peername")
        self._admission.crowd.put(self._number, str(peer[0]) if peer else "", stage)
        surplus = self._admission.crowd.surplus(stage, lambda number: self._admission.open[number].seated)
        if surplus is not None:
            self._admission.crowd.forget(surplus)
            self._admission.open[surplus].drop()

    def drop(self) -> None:
        """Close without a word."""
        if self._raw is not None:
            self._raw.abort()

    def _moved(self, stage: Stage) -> None:
        if stage is Stage.SPEAKING:  # what TLS calls secured is admitted by nobody yet
            self.stands(stage)

    def _gone(self) -> None:
        self._admission.open.pop(self._number, None)
        self._admission.crowd.forget(self._number)


def seat(socket: ServerConnection) -> None:
    """Keep this connection whoever comes: a station has it as its link."""
    if isinstance(socket, Bounded):
        socket.seated = True


async def answers(socket: ServerConnection) -> bool:
    """Whether there is still somebody at the other end."""
    try:
        async with asyncio.timeout(ANSWERING):
            await (await socket.ping())
    except (TimeoutError, ConnectionClosed):
        return False
    return True


def station_id(path: str) -> str:
    """The station id in the path of a WebSocket's address: its last part."""
    return unquote(path.partition("?")[0].rpartition("/")[2])


def common_names(certificate: dict[str, Any]) -> list[str]:
    """The common names in a peer's certificate, given as the dictionary of Python's `ssl`."""
    return [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
