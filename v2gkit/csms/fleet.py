"""The fleet at this moment: stations, transactions and power of this process, told to whoever looks, and kept every few seconds."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from v2g.legible import logger
from v2gkit.csms.bus.verbs import BusFault
from v2gkit.csms.door import STATIONS
from v2gkit.csms.party import Party
from v2gkit.csms.planned import planned_by
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Entry, Station
from v2gkit.sql.words import Row

LOG = logger("v2g.csms")
Said = dict[str, Any]
EVERY: Final = 5.0  # s between two sums of power: what a chart of an hour can show, and 17,000 rows a day
RECENT: Final = 720  # sums that are kept for who opens the page now: an hour
SHARED: Final = 200  # stations or entries of one message to other processes: 100 kB, and NATS takes a megabyte
LOOKERS: Final = 256  # that follow at once, as many as the server lets in
BEHIND: Final = 256  # news that one may be behind; then it is cut off, comes back and begins anew


class Follower:
    """Somebody who follows: what has not been delivered to it yet."""

    def __init__(self) -> None:
        self.news: deque[tuple[str, Any]] = deque()
        self.woken = asyncio.Event()
        self.lost = False

    def tell(self, kind: str, said: Any) -> None:
        """Queue one piece of news."""
        if len(self.news) >= BEHIND:
            self.lost = True
        else:
            self.news.append((kind, said))
        self.woken.set()


class Fleet:
    """Sums up power, hands news to followers and to the other processes, and hears theirs."""

    def __init__(self, csms: Csms, party: Party, wall: Callable[[], float] = time.time):
        self._csms, self._party, self._wall = csms, party, wall
        self._recent: deque[Said] = deque(maxlen=RECENT)
        self._known: dict[str, Said] = {}  # station -> as it was told last
        self._entries: deque[Said] = deque(maxlen=SHARED)
        self.followers: set[Follower] = set()

    def entry(self, entry: Entry) -> None:
        """Tell followers one entry of the story."""
        said = {"at": entry.at, "station": entry.station, "topic": entry.topic, "text": entry.text}
        self._entries.append(said)
        self._tell("entry", said)

    async def run(self) -> None:
        """Sum up, keep and tell, until it is cancelled."""
        await self._party.listen("fleet", self._hear)
        while True:
            power = self.sum_up()
            stations = self._stations()
            self._take(stations, power)
            await self._share(stations, power)
            await asyncio.sleep(EVERY)

    def sum_up(self) -> Said:
        """The power of this moment over all transactions of this process, which is kept, too."""
        now = self._wall()
        running = [tx for station in self._csms.stations.values() for tx in station.transactions.values() if not tx.ended]
        powers = [tx.power or 0.0 for tx in running]
        said = {
            "at": round(now, 3),
            "process": self._csms.process,
            "imported": sum(power for power in powers if power > 0),
            "exported": -sum(power for power in powers if power < 0),
            "planned": sum(planned_by(tx.profile, now, tx.began or now) for tx in running),
            "sessions": len(running),
        }
        if self._csms.archive is not None:
            self._csms.archive.note([Row("power", said)])
        return said

    def now(self) -> Said:
        """Every station that any process told of, and the newest sums."""
        self._take(self._stations(), None)
        return {"at": self._wall(), "process": self._csms.process, "stations": list(self._known.values()), "power": list(self._recent)}

    # --- between processes ---

    async def _share(self, stations: list[Said], power: Said) -> None:
        entries = list(self._entries)
        self._entries.clear()
        try:
            for start in range(0, max(len(stations), 1), SHARED):
                first = start == 0
                said = {
                    "stations": stations[start : start + SHARED],
                    "power": power if first else None,
                    "entries": entries if first else [],
                }
                await self._party.publish("fleet", said)
        except BusFault as fault:
            LOG.warning("the other processes do not see this one's stations: %s", fault)

    def _hear(self, said: Said) -> None:
        """Take what another process tells of its stations."""
        self._take(said["stations"], said["power"])
        for entry in said["entries"]:
            self._tell("entry", entry)

    def _take(self, stations: list[Said], power: Said | None) -> None:
        changed = [station for station in stations if self._known.get(station["id"]) != station]
        for station in changed:
            if station["id"] in self._known or len(self._known) < STATIONS:
                self._known[station["id"]] = station
        if changed:
            self._tell("stations", changed)
        if power is not None:
            self._recent.append(power)
            self._tell("power", power)

    def _tell(self, kind: str, said: Any) -> None:
        for follower in self.followers:
            follower.tell(kind, said)

    def _stations(self) -> list[Said]:
        """The stations that are this process's, or that no other one has."""
        where = self._party.connected()
        ours = (station for station in self._csms.stations.values() if where.get(station.id, self._csms.process) == self._csms.process)
        return [self._station(station) for station in ours]

    def _station(self, station: Station) -> Said:
        running = [
            {"id": tx.id, "evse": tx.evse, "began": tx.began, "power": tx.power, "viewer": tx.viewer, **tx.energy, **tx.words}
            | {"planned": planned_by(tx.profile, self._wall(), tx.began or 0.0) if tx.profile else None}
            for tx in station.transactions.values()
            if not tx.ended
        ]
        said = {"id": station.id, "version": station.version, "status": station.status, "process": self._csms.process}
        return said | {"connected": station.link is not None, "connectors": station.connectors, "running": running}
