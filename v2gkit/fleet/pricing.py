"""Price files while a fleet runs: each is read when it has changed, kept in the store, and told to whoever plans. A shell.

A file that cannot be read changes nothing: what it said before stands, also for a process that begins later.
"""

import asyncio
import math
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from v2g.energy.prices import midnight
from v2g.legible import legible, logger
from v2g.settings.strict import TABLE_LIMIT, octets_of
from v2gkit.fleet.declared import Fleet, Tariff
from v2gkit.fleet.rates import DAY, Rate, ahead, rates_of
from v2gkit.fleet.store import rates as kept
from v2gkit.fleet.store.verbs import Store
from v2gkit.sql.words import StoreFault
from v2gkit.wall import LOCAL

LOG = logger("v2g.fleet")
Mark = tuple[int, int, float]
"""Of a file: when it was changed (ns), how long it is, and the local midnight (epoch s) before which it was read."""


def read(tariff: Tariff, folder: Path, currency: str, now: float) -> tuple[Rate, ...]:
    """The rates that the file of a tariff tells at `now` (epoch s). Raises OSError; ValueError with the file's name."""
    file = folder / tariff.prices
    octets = octets_of(file, TABLE_LIMIT)
    try:
        return rates_of(tariff, octets, currency, now, ZoneInfo(tariff.zone) if tariff.zone else LOCAL)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


class Pricing:
    """The tariffs of a fleet whose file is in `folder`. `wall` gives epoch s, `changed` hears which sites have other prices."""

    KEPT: Final = 2 * DAY  # s of the past that are at hand; the store has all

    def __init__(self, fleet: Fleet, folder: Path, store: Store, wall: Callable[[], float], changed: Callable[[list[str]], None]) -> None:
        self._fleet, self._folder, self._store, self._wall, self._changed = fleet, folder, store, wall, changed
        self._marks: dict[str, Mark | None] = {}
        self.rates: dict[str, tuple[Rate, ...]] = {}

    def ahead(self, site: str, at: float) -> tuple[Rate, ...]:
        """What a plan of a site at `at` (epoch s) rests on; nothing where it has no tariff, or that says nothing of the days to come."""
        tariff = self._fleet.tariffs.get(site)
        return () if tariff is None else ahead(self.rates.get(tariff.id, ()), at)

    async def begin(self) -> None:
        """Take up what a process before this one has read, then the files. Raises StoreFault; ValueError where neither says anything."""
        since = self._wall() - self.KEPT
        for tariff in self._fleet.tariff:
            known = await self._store.read(lambda c, t=tariff: kept.known(c, t.tenant, t.id, since, math.inf))  # type: ignore[misc]
            self.rates[tariff.id] = known
            fault = await self._looked(tariff)
            if fault and not known:
                raise ValueError(f"the tariff {tariff.id!r}: {fault}")

    async def look(self) -> None:
        """Read what has changed."""
        for tariff in self._fleet.tariff:
            await self._looked(tariff)

    async def _looked(self, tariff: Tariff) -> str:
        """Read the file of a tariff where it has changed, or another day has begun; what is wrong with it."""
        now = self._wall()
        try:
            mark = _mark(self._folder / tariff.prices, now)
            if self._marks.get(tariff.id) == mark:
                return ""
            currency = self._fleet.tenants[tariff.tenant].currency
            rates = await asyncio.to_thread(read, tariff, self._folder, currency, now)
            await self._store.work(lambda connection: kept.keep(connection, tariff.tenant, tariff.id, rates))
            whole = await self._store.read(lambda c: kept.known(c, tariff.tenant, tariff.id, now - self.KEPT, math.inf))
        except (OSError, ValueError, StoreFault) as error:
            said = str(error) if not isinstance(error, OSError) else f"{self._folder / tariff.prices}: {error.strerror}"
            if self._marks.get(tariff.id, ()) is not None:
                LOG.error("the tariff %s stays as it is: %s", tariff.id, legible(said))
            self._marks[tariff.id] = None
            return said
        self._marks[tariff.id] = mark
        if whole != self.rates.get(tariff.id):
            self.rates[tariff.id] = whole
            self._changed([site for site, each in self._fleet.tariffs.items() if each.id == tariff.id])
        return ""


def _mark(file: Path, now: float) -> Mark:
    """What tells a file that has to be read anew: another one, or the same on another day. Raises OSError."""
    known = os.stat(file)
    tomorrow = datetime.fromtimestamp(now, LOCAL).date() + timedelta(days=1)
    return known.st_mtime_ns, known.st_size, midnight(tomorrow, LOCAL)
