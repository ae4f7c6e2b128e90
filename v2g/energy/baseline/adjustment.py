"""Day-of adjustment: what was metered shortly before the event, against what the baseline says of that time."""

import math
from dataclasses import dataclass
from enum import Enum

from v2g.energy.baseline.model import Value, mean


class How(Enum):
    """Whether the adjustment is added to the baseline or multiplies it."""

    ADD = "add"  # W
    MULTIPLY = "multiply"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """The mean metered in [begin, end) s before the event, less or over the mean of the baseline there, kept within `least` and `most`.

    `least` = 0 for an addition, or 1 for a factor, is an adjustment that is never to the customer's loss. A battery is not adjusted: it
    follows its owner, not the day.
    """

    how: How
    begin: int  # s before the event
    end: int  # s before the event, < begin
    least: float = -math.inf
    most: float = math.inf

    def __post_init__(self) -> None:
        if not 0 <= self.end < self.begin <= 86_400:
            raise ValueError(f"the adjustment window is {self.begin} to {self.end} s before the event; give begin above end, within a day")
        if not self.least <= self.most:
            raise ValueError(f"the adjustment is at least {self.least} and at most {self.most}; give them in order")

    def of(self, observed: list[float], expected: list[float]) -> float:
        """The addition in W, or the factor; a factor over a baseline of nothing is 1."""
        seen, said = mean(observed), mean(expected)
        if self.how is How.ADD:
            return min(self.most, max(self.least, seen - said))
        return 1.0 if abs(said) < 1e-12 else min(self.most, max(self.least, seen / said))

    def applied(self, power: float, amount: float) -> float:
        """A power of the baseline after the adjustment."""
        return power + amount if self.how is How.ADD else power * amount

    @property
    def parameters(self) -> dict[str, Value]:
        """What the record of a run says of it; no bound is None."""
        bounds = {name: None if math.isinf(value) else value for name, value in (("least", self.least), ("most", self.most))}
        return {
            f"adjustment_{name}": value for name, value in {"how": self.how.value, "begin": self.begin, "end": self.end, **bounds}.items()
        }
