"""What a site can, and who it is."""

from dataclasses import dataclass
from typing import Final

PERCENT: Final = 10_000  # hundredths of a per cent


@dataclass(frozen=True, slots=True)
class Rating:
    """What the site can: W that 100 % stand for, taken and given; and who it is."""

    taken: float
    given: float
    lfdi: str
