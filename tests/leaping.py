"""An event loop whose time stands still while there is anything to do, and leaps to what is due next once there is not.

With it a station that sleeps, waits and keeps its timers is tested over real sockets without its seconds being anybody's. Threads and the
kernel work in time that does not count: the loop leaps only so far as `reach`, beyond that it waits for them.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

GRACE: Final = 0.002  # s, real: for octets that are on their way through the kernel
HANG: Final = 120.0  # s, real: nothing comes any more
T = TypeVar("T")


class Leaping(asyncio.SelectorEventLoop):
    """A loop with a clock of its own. `reach` is how far (s) it leaps at once; math.inf: whoever might send something is silent."""

    def __init__(self) -> None:
        self.at, self.reach = 1000.0, 0.1
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.at


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    def __init__(self, loop: Leaping):
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        loop, far = self._loop, timeout is None or timeout > self._loop.reach
        found = super().select(0 if timeout == 0 or loop.reach > HANG else GRACE)
        if found or timeout == 0:
            return found
        if far:
            found = super().select(HANG)
            assert found, f"nothing has come for {HANG:g} s"
            return found
        assert timeout is not None
        loop.at += timeout
        return found


def leap(story: Coroutine[Any, Any, T]) -> T:
    """Run a story in leaping time."""
    with asyncio.Runner(loop_factory=Leaping) as runner:
        return runner.run(story)
