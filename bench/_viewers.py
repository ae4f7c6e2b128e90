"""Viewers of a live stream, many in one process: they read and forget. They come and go as standard input says: join, leave."""

import os
import re
import selectors
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


class Viewers:
    """So many viewers of a stream, that come together and go together. Each goes on where the last one stopped, as a browser does."""

    def __init__(self, url: str, count: int) -> None:
        self._where, self._count, self._last = urlsplit(url), count, b""
        self.waiting = selectors.DefaultSelector()
        self._open: list[socket.socket] = []

    def join(self) -> None:
        """Begin to look: one that catches up with the stream, then the others from there."""
        first = self._joined()
        first.settimeout(0.3)
        try:
            while True:
                self._note(first.recv(1 << 20))
        except TimeoutError:
            pass  # it has caught up: the cars pause longer than that, or the next octets are the others' as well
        self._open = [first, *(self._joined() for _ in range(self._count - 1))]
        for viewer in self._open:
            viewer.setblocking(False)
            self.waiting.register(viewer, selectors.EVENT_READ)

    def leave(self) -> None:
        """Look no more."""
        for viewer in self._open:
            self.waiting.unregister(viewer)
            viewer.close()
        self._open = []

    def read(self, viewer: Any) -> None:
        """Take what a viewer got."""
        octets = viewer.recv(1 << 20)
        if not octets:
            raise SystemExit("a viewer was cut off")
        if viewer is self._open[0]:
            self._note(octets)

    def _note(self, octets: bytes) -> None:
        self._last = (ID.findall(octets) or [self._last])[-1]

    def _joined(self) -> socket.socket:
        viewer = socket.create_connection((str(self._where.hostname), self._where.port or 80))
        last = b"Last-Event-ID: %s\r\n" % self._last if self._last else b""
        viewer.sendall(b"GET /stream HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (self._where.netloc.encode(), last))
        assert viewer.recv(4096).startswith(b"HTTP/1.1 200")
        return viewer


def main(url: str, count: int) -> None:
    """Obey until killed; a line on standard output says that it was done."""
    os.nice(10)  # they are other machines, and only by chance on this one
    viewers = Viewers(url, count)
    viewers.waiting.register(sys.stdin.fileno(), selectors.EVENT_READ)
    while True:
        for key, _ in viewers.waiting.select():
            if key.fileobj != sys.stdin.fileno():
                viewers.read(key.fileobj)
                continue
            word = os.read(sys.stdin.fileno(), 100).decode().strip()
            if not word:
                return
            (viewers.join if word == "join" else viewers.leave)()
            print(word, flush=True)
            break  # the others of this round may be closed


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
