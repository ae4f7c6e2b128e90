"""Who may see the live viewer (pure).

On a loopback address it is open to whoever is on this machine, and the danger is the browser there: a foreign page that makes it ask here,
or that reaches here under its own name (DNS rebinding). So the name asked for must be one of this machine's, and nothing that a foreign
page started is answered. On any other address a token is demanded as well: it stands in the address that is printed, and then in a cookie.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LOCAL: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
OURS: Final = frozenset({"same-origin", "none"})  # values of Sec-Fetch-Site: of our page, or typed by the user
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Connection": "close",  # one connection, one request: what is idle is gone
}


@dataclass(frozen=True, slots=True)
class Door:
    """`token` is demanded, unless it is empty; `names` are the hosts that may be asked for, empty: any."""

    token: str
    names: frozenset[str]
    port: int
    scheme: str = "http"  # by which it is reached

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token; cookies know no ports, so it has this one's."""
        return f"v2g-viewer-{self.port}"

    def refusal(self, headers: Mapping[str, str], token: str) -> str | None:
        """Why a request is refused, in words for the user; None: it is not. `token` is what came with it, in address or cookie."""
        host = headers.get("host", "")
        if not host or (self.names and _name(host) not in self.names):
            return f"this viewer is reached as localhost:{self.port}"
        if (origin := headers.get("origin")) is not None and origin != f"{self.scheme}://{host}":
            return "another page asked; open the viewer in a tab of its own"
        if headers.get("sec-fetch-site", "none") not in OURS:
            return "another page asked; type or paste the address of the viewer"
        if self.token and not hmac.compare_digest(token.encode(errors="replace"), self.token.encode()):
            return "the token is missing or wrong; use the whole address that the command printed"
        return None


def _name(host: str) -> str:
    """The host without its port, in lower case."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() else host).lower()
