"""The door of the laboratory CSMS: who may speak as which station, and how many may stand before it.

A station is who it says by its certificate (security profile 3: the common name is the station id), else by its own password (1 and 2),
else, on a bench, by its word. Whoever has a connection keeps it as long as it answers.
"""

import asyncio
import itertools
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from lab.passwords import Door, TooSoon, basic
from v2g.session.admission import Crowd, Stage

ROOM: Final = {Stage.SILENT: 256, Stage.SPEAKING: 4096}  # connections before and after admission; beyond, the busiest source's oldest goes
STATIONS: Final = 16_384  # ids that are remembered, where anybody may come: 1 KB each
ANSWERING: Final = 5.0  # s in which a connection that is alive answers a ping
LONGEST: Final = 48  # characters of a station id


class Admission:
    """Judges every handshake. `door` None: nobody is asked for a password."""

    def __init__(self, door: Door | None, room: dict[Stage, int] | None = None) -> None:
        self._door = door
        self.crowd = Crowd(room or ROOM)
        self.open: dict[int, ServerConnection] = {}
        self.numbers = itertools.count(1)

    async def __call__(self, connection: ServerConnection, request: Request) -> Response | None:
        """None lets it in; else the refusal."""
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
            connection.stands(Stage.SPEAKING)
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
    """A connection that is counted; where there are too many, one goes that costs least."""

    def __init__(self, admission: Admission, protocol: ServerProtocol, server: Server, **how: Any) -> None:
        super().__init__(protocol, server, **how)
        self._admission, self._number = admission, next(admission.numbers)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._admission.open[self._number] = self
        self.stands(Stage.SILENT)

    def connection_lost(self, exc: Exception | None) -> None:
        self._admission.open.pop(self._number, None)
        self._admission.crowd.forget(self._number)
        super().connection_lost(exc)

    def stands(self, stage: Stage) -> None:
        """It has come this far."""
        peer = self.transport.get_extra_info("peername")
        self._admission.crowd.put(self._number, str(peer[0]) if peer else "", stage)
        if (surplus := self._admission.crowd.surplus(stage)) is not None:
            self._admission.crowd.forget(surplus)
            self._admission.open[surplus].transport.abort()


async def answers(socket: ServerConnection) -> bool:
    """Whether there is still somebody at the other end."""
    try:
        async with asyncio.timeout(ANSWERING):
            await (await socket.ping())
    except (TimeoutError, ConnectionClosed):
        return False
    return True


def station_id(path: str) -> str:
    """The last part of the address."""
    return unquote(path.partition("?")[0].rpartition("/")[2])


def common_names(certificate: dict[str, Any]) -> list[str]:
    """The common names of a peer's certificate, as the ssl module tells it."""
    return [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
