"""How long a plan may be worked at. The clock is the caller's; without one, plans are the same on every machine."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


class OutOfTime(ArithmeticError):
    """Time was up before a program had any solution."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Time for a computation: it is over when `clock` shows `until` (both s, of any epoch). What was found by then counts."""

    until: float = math.inf
    clock: Callable[[], float] = lambda: 0.0

    @property
    def left(self) -> float:
        """Seconds that remain, 0 at least."""
        return max(self.until - self.clock(), 0.0)

    @property
    def over(self) -> bool:
        """Whether no time remains."""
        return self.left <= 0

    def part(self, share: float) -> "Patience":
        """The patience for a first step that may take this share (0 to 1) of the time that remains."""
        return self if math.isinf(self.until) else Patience(self.clock() + share * self.left, self.clock)

    def after(self, preparing: Callable[[], object]) -> "Patience":
        """The patience once `preparing` was called, whose time does not count: what is done once is not taken from the first plan."""
        begun = self.clock()
        preparing()
        return self if math.isinf(self.until) else Patience(self.until + self.clock() - begun, self.clock)


ENDLESS: Final = Patience()
