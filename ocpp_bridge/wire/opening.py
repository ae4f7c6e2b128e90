"""Opens the WebSocket to a CSMS, and follows no redirect to another host."""

import contextlib
import logging
import socket
from asyncio import BaseTransport
from typing import Any, Final
from urllib.parse import urljoin

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from ocpp_bridge.wire.link import FRAME_LIMIT
from v2g.address import origin, public_url
from v2g.legible import logger

OPEN_TIMEOUT: Final = 20.0  # s for TCP, TLS and the WebSocket handshake together
LOG: Final = logger("v2g.ocpp.websocket")
LOG.setLevel(logging.INFO)  # below that the library tells headers and frames, with the passwords in them
RECEIVED: Final = 16_384  # octets that the system holds for us (Linux takes it twice): what comes at once is parsed in one turn of the loop
CAUSES: Final = 5  # errors behind an error that are told
REDIRECTS: Final = range(300, 400)


class SentElsewhere(InvalidHandshake):
    """The server answered with a redirect that is not followed: to another origin, or without an address."""


class Opening(connect):
    """A connection attempt that follows a redirect within its origin only.

    A captive portal answers for every host, and a CSMS that moves is configured anew. So neither credentials nor the station's data ever go
    to an address that nobody configured, whatever the WebSocket library does with redirects.
    """

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The address of a redirect that may be followed; else the exception to raise."""
        if not (isinstance(exc, InvalidStatus) and exc.response.status_code in REDIRECTS):
            return exc
        places = exc.response.headers.get_all("Location")
        if not places:
            return exc
        said = public_url(places[0])
        try:
            target = urljoin(self.uri, places[0])
            if origin(target) == origin(self.uri):
                return target
        except ValueError as error:
            return SentElsewhere(f"HTTP {exc.response.status_code} redirects to {said}, which is no address: {error}")
        return SentElsewhere(f"HTTP {exc.response.status_code} redirects to {said}; redirects to another origin are not followed")


class Attempt(ClientConnection):
    """A connection that tells what broke it before it was open: the library says no more than that the response ends.

    It takes at most so much at once as can be parsed between two answers to a car: of a quarter of a megabyte of small frames the library
    gives the loop back after twenty milliseconds.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Note a connection; called by the event loop."""
        ours = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # one that is lost already says so itself
            if ours is not None:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note a lost connection; called by the event loop."""
        super().connection_lost(exc)
        last: BaseException | None = self.protocol.handshake_exc
        if exc is None or last is None:
            return
        while (before := last.__cause__ or last.__context__) is not None and before is not exc:
            last = before
        if last is not exc:
            last.__cause__ = exc


def reason_of(error: BaseException) -> str:
    """Why a connection could not be opened, in words that are never empty: those of the error, and of what it came from."""
    words: list[str] = []
    found: BaseException | None = error
    while found is not None and len(words) < CAUSES:
        said = str(found) or type(found).__name__
        words += [said] if not any(said in word for word in words) else []
        found = found.__cause__ or found.__context__
    return ", because of: ".join(words)


def opening(address: str, *, versions: tuple[str, ...], headers: dict[str, str], tls: Any, ping: float | None) -> connect:
    """An attempt to connect, to be awaited; it raises the errors of network, TLS and library. `ping` is the interval in s."""
    return Opening(
        address,
        subprotocols=[Subprotocol(version) for version in versions],
        additional_headers=headers,
        ssl=tls,
        ping_interval=ping,
        open_timeout=OPEN_TIMEOUT,
        max_size=FRAME_LIMIT,
        proxy=None,
        create_connection=Attempt,
        logger=LOG,
    )
