"""Where a station reads what takes long to read: on a thread beside the loop of all its sessions. A shell.

The largest ScheduleExchangeReq keeps the codec in Python busy for a tenth of a second. On the loop every neighbour would wait for it. On a
thread it takes turns with the loop, and for that time the interpreter changes threads more often: the loop asks for its turn whenever the
system answers it, some five times for each message.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from secc.driver import Driver
from secc.pending import Unread
from v2g.exi import engine
from v2g.session.endpoint import Event
from v2g.workers import short_turns

ASIDE: Final = 4 * 1024  # octets: 3 ms in Python; a thread costs half a millisecond


def aside() -> int | None:
    """Octets beyond which a frame is read on a thread, None: the compiled codec takes less for any than a thread would."""
    return None if engine.used() == "compiled" else ASIDE


class Readers:
    """One for all outlets of a process: one frame at a time, in the order in which they came, at most one of each session."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="reading")

    def read(self, unread: Unread, done: Callable[[Unread], None]) -> None:
        """Have a frame read, then tell `done` on the loop."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, _read, unread)
        future.add_done_callback(lambda read: None if read.cancelled() else done(unread))

    def close(self) -> None:
        """Read no more; what is being read is read to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class ReadingDriver(Driver):
    """A driver that has the frames read which its session leaves on its desk."""

    def __init__(self, readers: Readers, *given: Any):
        super().__init__(*given)
        self._readers = readers

    def events(self) -> list[Event]:
        """What happened; on the way a frame that is left is given to the readers."""
        events = super().events()
        if (unread := self.session.desk.errand()) is not None:
            self._readers.read(unread, self._was_read)
        return events

    def _was_read(self, unread: Unread) -> None:
        self.session.was_read(unread, self._now())
        self._nudge()


def _read(unread: Unread) -> None:
    with short_turns():
        unread.read()
