"""The process of the live viewer. The observed process starts it: a listening socket as a descriptor, everything else through the pipe.

The first line of the pipe says how to serve, every other one is a record of a trace or a word to this process. When the pipe ends, whoever
wrote into it is gone, and so is this process: it waits for nobody.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from v2gkit.insight.live.door import Door
from v2gkit.insight.live.history import History, Line
from v2gkit.insight.live.reading import Reading
from v2gkit.insight.live.site import Live, Room, application, serve
from v2gkit.insight.viewer.lines import head
from v2gkit.insight.viewer.page import shell

NICE: Final = 10  # a session that wants the processor has it first
PIECE: Final = 64 * 1024  # octets that are read from the pipe at once
LINE: Final = 64 * 1024 * 1024  # octets of a line: one beyond, and what writes there is not what started this
LAST: Final = 20.0  # s that viewers have at the end for what they have not got, as far as there are such
POLL: Final = 0.2  # s between two looks at a file that is followed


class Feed:
    """Carries view lines from the threads that read to the loop that serves."""

    def __init__(self, live: Live, reading: Reading, loop: asyncio.AbstractEventLoop):
        self._live, self._reading, self._loop = live, reading, loop
        self._one = threading.Lock()  # one reader at a time: lines of a connection keep their order
        self._anew = False

    def read(self, lines: Iterable[bytes], source: str = "") -> None:
        """Make view lines of lines, and hand them over."""
        with self._one:
            made: list[Line] = list(self._reading.anew()) if self._anew else []
            self._anew = False
            for line in lines:
                made += self._reading.lines(line, source)
            over, follow = self._reading.over, self._reading.follow[:]
            self._reading.follow.clear()
        self._loop.call_soon_threadsafe(self._take, made, over)
        for path in follow:
            threading.Thread(target=followed, args=(path, self.read), daemon=True).start()

    def _take(self, lines: list[Line], over: bool) -> None:
        if lines and not self._live.add(lines):
            self._anew = True
        if over:
            self._live.end()


def followed(path: str, read: Callable[[Iterable[bytes], str], None]) -> None:
    """Read a file that grows, as long as this process lives."""
    rest = b""
    with open(path, "rb") as file:
        while True:
            octets = file.read(PIECE * 16)
            if not octets:
                time.sleep(POLL)
                continue
            *lines, rest = (rest + octets).split(b"\n")
            read(lines, os.path.basename(path))


def piped(file: int, octets: bytes, read: Callable[[Iterable[bytes]], None], ended: Callable[[], object]) -> None:
    """Read the pipe to its end, after the octets that came already."""
    rest = b""
    try:
        while True:
            *lines, rest = (rest + octets).split(b"\n")
            if lines:
                read(lines)
            if len(rest) > LINE or not (octets := os.read(file, PIECE)):
                break
    finally:  # whatever ends this, the process does not stay behind without knowing anything
        ended()


def first(file: int) -> tuple[dict[str, Any], bytes]:
    """What the first line of the pipe says, and what has come after it."""
    octets = b""
    while b"\n" not in octets:
        more = os.read(file, PIECE)
        if not more:
            raise SystemExit(0)  # nobody wants to be shown
        octets += more
    line, _, rest = octets.partition(b"\n")
    said: dict[str, Any] = json.loads(line)
    return said, rest


async def run(said: dict[str, Any], rest: bytes) -> None:
    """Serve until the pipe ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    base = int(time.time() * 1e6)  # ids grow from one run to the next, on the same port too
    live, room = Live(History(base, head(said["title"], time.time(), live=True))), Room()
    feed = Feed(live, Reading(said["source"]), loop)
    door = Door(said["token"], frozenset(said["names"]), said["port"])
    listener = socket.socket(fileno=said["socket"])
    server = await serve(listener, application(live, room, door, shell(title=said["title"])), room)
    threading.Thread(
        target=piped, args=(sys.stdin.fileno(), rest, feed.read, lambda: loop.call_soon_threadsafe(ended.set)), daemon=True
    ).start()
    await ended.wait()
    server.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST):
            await live.leave()
    room.close()


def main() -> None:
    """Serve what standard input says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the session, which ends this by closing the pipe
    os.nice(NICE)
    logging.disable()  # what uvicorn says of strangers is for nobody
    said, rest = first(sys.stdin.fileno())
    asyncio.run(run(said, rest))
    os._exit(0)  # threads that still read a file hold nobody up


if __name__ == "__main__":
    main()
