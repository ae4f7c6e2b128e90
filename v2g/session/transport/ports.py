"""The ports from which a car speaks and which discovery announces: 49152 to 65535, at random, whatever the system would give."""

import errno
import random
import socket
from collections.abc import Iterator
from typing import Final

FIRST: Final = 49152
LAST: Final = 65535
TAKEN: Final = frozenset({errno.EADDRINUSE, errno.EACCES})  # the latter is how some systems say that a port is reserved
_RANDOM = random.SystemRandom()


def candidates() -> Iterator[int]:
    """Every port from 49152 to 65535 once, beginning with a random one."""
    count = LAST - FIRST + 1
    begin = _RANDOM.randrange(count)
    return (FIRST + (begin + step) % count for step in range(count))


def bind(sock: socket.socket, address: tuple[object, ...], avoid: int | None = None) -> int:
    """Bind a socket to a free port of 49152 to 65535, and return the port. Of `address` (as `socket.bind` takes it) the port is ignored.

    A port that is in use is passed over, never shared. `avoid` is a port not to take: a connection to a port of this machine where nobody
    listens would otherwise connect to itself. Raises OSError where none is free, or the address is not one of this machine.
    """
    for port in candidates():
        if port == avoid:
            continue
        try:
            sock.bind((address[0], port, *address[2:]))
        except OSError as error:
            if error.errno not in TAKEN:
                raise
        else:
            return port
    raise OSError(errno.EADDRINUSE, f"no port from {FIRST} to {LAST} is free")
