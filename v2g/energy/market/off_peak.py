"""Off-peak by default: the hours outside which a charge point begins by itself, and the random delay of every change.

Figures of SI 2021/1467 (Great Britain), regulations 10 and 11; other places give their own hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from v2g.energy.market.tariff import MONDAY_TO_FRIDAY, Band, banded
from v2g.energy.signal import Kind, Signal

PEAK: Final = (  # Monday to Friday, 8 to 11 and 16 to 22
    Band(0.0, 8 * 3_600, 11 * 3_600, MONDAY_TO_FRIDAY),
    Band(0.0, 16 * 3_600, 22 * 3_600, MONDAY_TO_FRIDAY),
)
DEFAULT_DELAY: Final = 600  # s
LONGEST_DELAY: Final = 1_800  # s, to which it may be set from afar
OFF_PEAK: Final = "off-peak default"


def is_peak(at: float, zone: tzinfo, peak: Sequence[Band] = PEAK) -> bool:
    """Whether an instant (epoch s) lies in peak hours by the clocks of a zone."""
    return banded((*peak, Band(1.0)), at, at + 1.0, zone).values[0] == 0.0


def default_hours(start: float, until: float, zone: tzinfo, limit: float, peak: Sequence[Band] = PEAK) -> Signal:
    """The cap that keeps peak hours free over [start, until) (epoch s): 0 W in them, else `limit` (W). To override it, leave it out."""
    shape = banded((*peak, Band(1.0)), start, until, zone)
    return Signal(OFF_PEAK, Kind.IMPORT_CAP, shape.map(lambda value: limit * value))


def delay(entropy: bytes, most: int = DEFAULT_DELAY) -> int:
    """A delay of 0 to `most` s, each whole second alike, from at least 8 random octets. ValueError for more than 1800 s or fewer octets.

    Drawn anew for every start, increase and decrease; not drawn for a response service, an override, or where a signal was delayed already.
    """
    if not 0 <= most <= LONGEST_DELAY:
        raise ValueError(f"a delay of up to {most} s is wanted; at most {LONGEST_DELAY} s can be set")
    if len(entropy) < 8:
        raise ValueError(f"{len(entropy)} random octets decide nothing; give 8 at least")
    return int.from_bytes(entropy[:8], "big") % (most + 1)  # 2**64 over 1801: no second is likelier than another by 1e-16


@dataclass(frozen=True, slots=True)
class Delayed:
    """A delay as it is kept on file: drawn once, with what it was drawn for."""

    at: float  # epoch s of the change
    seconds: int
    why: str  # start, increase, decrease

    @property
    def until(self) -> float:
        """The instant (epoch s) at which the change takes place."""
        return self.at + self.seconds
