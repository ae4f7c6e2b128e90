"""What a connection leaves to chargers, from the readings of its meters: two caps. Pure."""

from collections.abc import Mapping
from math import floor
from typing import Final

from v2g.energy.signal import Kind
from v2gkit.grid.declared import SITE, Site
from v2gkit.grid.received import Told
from v2gkit.grid.unversioned import Unversioned, demand_power

LATE: Final = 0.5  # of the patience: a reading older than this is no part of the sum any more; so a lost meter is noticed in time


class Headroom:
    """The readings of a site's meters by name, and the caps that follow once each has one. Powers in W, + from the grid."""

    def __init__(self, site: Site, roles: Mapping[str, str]) -> None:
        self._site, self._roles = site, dict(roles)
        self._read: dict[str, tuple[float, float]] = {}  # name -> power, when
        self._values = Unversioned(SITE)

    def read(self, name: str, power: float, now: float) -> None:
        """Take one reading. Raises GridFault for a number that is no power."""
        self._read[name] = demand_power(power, name), now

    def told(self, now: float) -> tuple[Told, ...] | None:
        """The caps of this moment; None while a meter has no reading that is young enough: nobody knows then what is left."""
        fresh = {name: power for name, (power, at) in self._read.items() if now - at <= self._site.patience * LATE}
        if fresh.keys() != self._roles.keys():
            return None
        signs = {"chargers": -1.0}
        rest = sum(signs.get(self._roles[name], 1.0) * power for name, power in fresh.items())
        caps = ((Kind.IMPORT_CAP, self._site.import_limit, -rest), (Kind.EXPORT_CAP, self._site.export_limit, rest))
        return tuple(
            self._values.told(kind, floor(max(limit + room, 0.0) / self._site.step) * self._site.step, now)
            for kind, limit, room in caps
            if limit is not None
        )
