"""One deadline of a connection, and the fairness with which it is judged."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `run_out` once the time that was set (s of the loop's clock) has come, unless another time was set before.

    Where this process was late, the peer's octets may lie in the socket unread. One turn of the loop reads them; only what is still due
    after it is the peer's fault. An alarm that rings early looks again, so that a deadline that moves on costs nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, run_out: Callable[[], None]) -> None:
        self._loop = loop
        self._run_out: Callable[[], None] | None = run_out
        self._due: float | None = None  # when something must happen
        self._bell: asyncio.TimerHandle | None = None
        self._cancelled = False

    @property
    def is_due(self) -> bool:
        """Whether the time that was set has come, even if `run_out` was not called yet."""
        return self._due is not None and self._loop.time() >= self._due

    def set(self, due: float | None) -> None:
        """Set the time (s of the loop's clock) at which to call `run_out`; None for never."""
        self._due = due
        if due is not None and not self._cancelled and (self._bell is None or self._bell.when() > due):
            if self._bell is not None:
                self._bell.cancel()
            self._bell = self._loop.call_at(due, self._ring)

    def cancel(self) -> None:
        """Never ring again, whatever is set. `run_out` is let go, so that a connection that is over takes its memory with it."""
        self._cancelled, self._run_out = True, None
        if self._bell is not None:
            self._bell.cancel()

    def judge_soon(self) -> None:
        """See after one turn of the loop, which reads what lies in the socket, whether the time is still due."""
        self._loop.call_soon(self._loop.call_soon, self._judge)

    def _ring(self) -> None:
        self._bell = None
        if self._still_due():
            self.judge_soon()

    def _judge(self) -> None:
        if self._still_due() and self._run_out is not None:
            self._due = None
            self._run_out()

    def _still_due(self) -> bool:
        if self._due is None or self._cancelled:
            return False
        if self._loop.time() < self._due:
            self.set(self._due)
            return False
        return True
