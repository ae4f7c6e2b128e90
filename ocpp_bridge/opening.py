"""Opening the WebSocket to a CSMS: one address, whatever a web server on the way says."""

from typing import Any, Final
from urllib.parse import urljoin

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from ocpp_bridge.link import FRAME_LIMIT
from v2g.address import origin, shown
from v2g.legible import logger

OPEN_TIMEOUT: Final = 20.0  # s for TCP, TLS and the WebSocket handshake together
REDIRECTS: Final = range(300, 400)


class SentElsewhere(InvalidHandshake):
    """The answer is a redirect that is not followed: it leads to another origin, or nowhere."""


class Opening(connect):
    """A connection attempt that follows a redirect within its origin only.

    A captive portal answers for every host; a CSMS that moves is configured anew. So neither credentials nor the station's own data ever
    go where nobody has told it to go, whatever version of the library strips what.
    """

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The address to go on with, or what is wrong with it."""
        if not (isinstance(exc, InvalidStatus) and exc.response.status_code in REDIRECTS):
            return exc
        places = exc.response.headers.get_all("Location")
        if not places:
            return exc
        said = shown(places[0])
        try:
            target = urljoin(self.uri, places[0])
            if origin(target) == origin(self.uri):
                return target
        except ValueError as error:
            return SentElsewhere(f"HTTP {exc.response.status_code} redirects to {said}, which is no address: {error}")
        return SentElsewhere(f"HTTP {exc.response.status_code} redirects to {said}; redirects to another origin are not followed")


def opening(address: str, *, versions: tuple[str, ...], headers: dict[str, str], tls: Any, ping: float | None) -> connect:
    """An attempt to connect, to be awaited. It raises whatever the network, TLS or the library finds wrong."""
    return Opening(
        address,
        subprotocols=[Subprotocol(version) for version in versions],
        additional_headers=headers,
        ssl=tls,
        ping_interval=ping,
        open_timeout=OPEN_TIMEOUT,
        max_size=FRAME_LIMIT,
        proxy=None,
        logger=logger("v2g.ocpp.websocket"),
    )
