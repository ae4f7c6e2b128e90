"""Viewers of a live stream, many in one process: they read and forget."""

import os
import selectors
import socket
import sys
from urllib.parse import urlsplit


def main(url: str, count: int) -> None:
    """Read until killed; a line on standard output says that all have begun."""
    os.nice(10)  # they are other machines, and only by chance on this one
    where, waiting = urlsplit(url), selectors.DefaultSelector()
    for _ in range(count):
        viewer = socket.create_connection((str(where.hostname), where.port or 80))
        viewer.sendall(f"GET /stream HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
        assert viewer.recv(4096).startswith(b"HTTP/1.1 200")
        viewer.setblocking(False)
        waiting.register(viewer, selectors.EVENT_READ)
    print("all look", flush=True)
    while True:
        for key, _ in waiting.select():
            if not key.fileobj.recv(1 << 20):  # type: ignore[union-attr]
                raise SystemExit("a viewer was cut off")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
