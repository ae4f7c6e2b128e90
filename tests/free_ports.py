"""A port for a program that is still to be started, so that the test must name it before anybody listens there."""

import secrets
import socket
from typing import Final

BELOW_OUTGOING: Final = range(
    20_000, 32_768
)  # Linux begins at 32,768 to give ports to those who connect; cars and stations of ours at 49,152


def free_port() -> int:
    """A port of the loopback, both families, on which nobody listens, and which nobody who connects elsewhere is given meanwhile."""
    while True:
        port = BELOW_OUTGOING.start + secrets.randbelow(len(BELOW_OUTGOING))
        try:
            with socket.socket() as one, socket.socket(socket.AF_INET6) as other:
                one.bind(("127.0.0.1", port))
                other.bind(("::1", port))
        except OSError:
            continue
        return port
