"""A station whose observer looks on in turns and away in turns: `v2g secc --ui` in this process, and what each turn cost it.

The first argument is how many turns there are, the second how many seconds each lasts, the rest are those of `v2g secc`. They begin with
the charge loop; at the end it prints the turns as JSON: whether it was observed, the CPU (s, user and system, of all threads), the loops.
The viewer's process counts for itself.
"""

import json
import os
import sys
import threading
import time

from v2g.messages.common_types import ChargeLoopResType
from v2g.session.endpoint import Event, FrameSent
from v2gkit.cli import main as v2g
from v2gkit.insight.live.feed import Feed
from v2gkit.insight.witness import Tracer

FIRST = 0.5  # s of the loop that are nobody's


class Turns:
    """Lets a tracer see the events of every other turn."""

    def __init__(self, count: int, seconds: float) -> None:
        self.looking, self.loops, self.begun = True, 0, threading.Event()
        self.feed: Feed | None = None
        self._output = os.dup(1)  # the command takes the other for itself
        threading.Thread(target=self._run, args=(count, seconds), daemon=True).start()

    def seen(self, event: Event) -> bool:
        """Whether the observer sees it."""
        if isinstance(event, FrameSent) and isinstance(event.message, ChargeLoopResType):
            self.loops += 1
            self.begun.set()
        return self.looking

    def _run(self, count: int, seconds: float) -> None:
        self.begun.wait()
        time.sleep(FIRST)
        turns = []
        for turn in range(count):
            self.looking = turn % 2 == 1
            before = time.process_time(), self.loops
            time.sleep(seconds)
            if self.looking and self.feed is not None:
                self.feed.flush()  # what it gathered is written in the turn that it is of
            turns.append((self.looking, time.process_time() - before[0], self.loops - before[1]))
        os.write(self._output, b"turns " + json.dumps(turns).encode() + b"\n")


def main(count: int, seconds: float, arguments: list[str]) -> None:
    """Serve until killed."""
    turns, event, begin = Turns(count, seconds), Tracer.event, Feed.__init__

    def seen(tracer: Tracer, one: Event) -> None:
        if turns.seen(one):
            event(tracer, one)

    def begun(feed: Feed, *given: object) -> None:
        begin(feed, *given)  # type: ignore[arg-type]
        turns.feed = feed

    Tracer.event, Feed.__init__ = seen, begun  # type: ignore[assignment, method-assign]
    v2g.main(["secc", "--ui", *arguments])


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
