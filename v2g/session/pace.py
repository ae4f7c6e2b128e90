"""How often something may happen: a bucket that refills (pure)."""

from collections import OrderedDict
from collections.abc import Hashable


class Pace:
    """At most `burst` at once and `rate` per second in the long run."""

    def __init__(self, rate: float, burst: float):
        self._rate, self._burst, self._left, self._at = rate, burst, burst, 0.0

    def allows(self, now: float) -> bool:
        """Whether one more may happen at `now` (s); it is counted if so."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class PaceBySource:
    """A `Pace` for each source and one for all together. Accounts of at most `sources` are kept; the longest silent is forgotten."""

    def __init__(self, each: tuple[float, float], together: tuple[float, float], sources: int = 256):
        self._each, self._sources = each, sources
        self._together = Pace(*together)
        self._paces: OrderedDict[Hashable, Pace] = OrderedDict()

    def allows(self, source: Hashable, now: float) -> bool:
        """Whether one more from this source may happen at `now` (s); it is counted if so."""
        pace = self._paces.pop(source, None) or Pace(*self._each)
        self._paces[source] = pace
        if len(self._paces) > self._sources:
            self._paces.popitem(last=False)
        return pace.allows(now) and self._together.allows(now)
