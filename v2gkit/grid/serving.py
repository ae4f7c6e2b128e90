"""Where others reach us: the address on which we listen, and the URL by which they call."""

from dataclasses import dataclass

from v2g.address import host_and_port
from v2gkit.grid.secrecy import demand_secret


@dataclass(frozen=True, slots=True)
class Serving:
    """The web server of `v2g grid`. Without a certificate it is for the loopback, where something else ends the TLS."""

    listen: str = "127.0.0.1:8071"  # HOST:PORT
    url: str | None = None  # as others reach it, where that is another one
    cert: str | None = None  # PEM: its chain
    key: str | None = None  # PEM

    def __post_init__(self) -> None:
        host, port = host_and_port(self.listen)
        if (self.cert is None) != (self.key is None):
            raise ValueError("serving: cert and key belong together; give both, or neither")
        demand_secret(self.url or f"{'https' if self.cert else 'http'}://{f'[{host}]' if ':' in host else host}:{port}", "tokens")
