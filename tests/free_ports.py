"""A port for a program that is still to be started, so that the test must name it before anybody listens there."""

import os
import secrets
import socket
from typing import Final

BELOW_OUTGOING: Final = range(
    20_000, 32_768
)  # Linux begins at 32,768 to give ports to those who connect; cars and stations of ours at 49,152
WORKERS: Final = 8  # processes of one run of the tests; each has ports of its own
_GIVEN: Final[set[int]] = set()


def free_port() -> int:
    """A port of the loopback, both families, on which nobody listens, which is given to nobody else in this run of the tests."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    ours = BELOW_OUTGOING[worker::WORKERS]
    while True:
        port = secrets.choice(ours)
        if port in _GIVEN:
            continue
        try:
            with socket.socket() as one, socket.socket(socket.AF_INET6) as other:
                one.bind(("127.0.0.1", port))
                other.bind(("::1", port))
        except OSError:
            continue
        _GIVEN.add(port)
        return port
