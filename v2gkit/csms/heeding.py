"""Stations keep together to limits from outside: each has a part of them, as ChargingStationMaxProfile and in what steers its cars.

Parts are equal among the stations that are connected. One that has gone keeps to the part that it was told last, so the others share what
is left. Parts that fall are told before any rises, and where one cannot be told, the others have the less: at no time do the parts that
stations hold exceed the limit, but for a station that has come and was told none yet, whose cars are steered at 0 W until then.
"""

import asyncio
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ocpp_bridge.wire.link import CallFailed
from ocpp_bridge.wire.schemas import Payload, PayloadFault
from ocpp_bridge.wire.times import timestamp
from v2gkit.csms.bounds import CLOSED, FREE, Bounds, parts
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Entry

PROFILE: Final = 1_000_000_000  # id of the profile that caps a station: beyond those that cars are steered by
CHANGES: Final = ("boot", "connected", "disconnected", "profile")  # topics after which the parts may be others
AGAIN: Final = 10.0  # s until a station that did not take its part is told again


class Heeding:
    """What the stations of a CSMS hold of the limits that `heed` was told. `run` tells them."""

    def __init__(self, csms: Csms) -> None:
        self._csms = csms
        self._bounds = Bounds()
        self._told: dict[str, float] = {}  # station -> its part of the import cap (W) as it took it last
        self._links: dict[str, object] = {}  # station -> the link on which it was told
        self._woken = asyncio.Event()

    def heed(self, bounds: Bounds) -> None:
        """Let these limits of all stations together hold from now on."""
        self._bounds = bounds
        self._woken.set()

    def hear(self, entry: Entry) -> None:
        """Note in the story that a station or car has come or gone: the parts change."""
        if entry.topic in CHANGES or (entry.topic == "transaction" and entry.facts.get("eventType") == "Ended"):
            self._woken.set()

    async def run(self) -> None:
        """Tell the stations their parts whenever these change, until cancelled."""
        while True:
            self._woken.clear()
            whole = await self._apply()
            try:
                async with asyncio.timeout(None if whole else AGAIN):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _apply(self) -> bool:
        """Tell each station its part; whether all took it."""
        bounds, failed = self._bounds, set[str]()
        while True:  # who does not take what is less keeps what it has, and the others get less still
            reached = [name for name in self._connected() if name not in failed]
            part = parts(bounds.import_cap, self._told, reached)
            each = replace(bounds.part(max(len(reached), 1)), import_cap=part)
            self._csms.bounds, self._csms.elsewise = dict.fromkeys(reached, each), FREE if bounds == FREE else CLOSED
            fell = await self._told_all((name for name in reached if self._falls(name, part)), part)
            failed |= fell
            if not fell:
                break
        failed |= await self._told_all((name for name in reached if part > self._told.get(name, math.inf)), part)
        await asyncio.gather(*(self._csms.steer_again(name) for name in self._connected()))
        return not failed

    async def _told_all(self, names: Iterable[str], part: float) -> set[str]:
        """Tell stations their part at once; those that did not take it."""
        due = list(names)
        took = await asyncio.gather(*(self._tell(name, part) for name in due))
        return {name for name, well in zip(due, took, strict=True) if not well}

    def _connected(self) -> list[str]:
        return [station.id for station in self._csms.stations.values() if station.link is not None and station.status == "Accepted"]

    def _falls(self, name: str, part: float) -> bool:
        """Whether a station holds more than its part, or has come back: it is told again what it should hold."""
        told = self._told.get(name, math.inf)
        return part < told or (part == told and self._links.get(name) is not self._csms.stations[name].link)

    async def _tell(self, name: str, part: float) -> bool:
        link = self._csms.stations[name].link
        try:
            answer = await self._csms.call(name, *_capped(part, self._csms.wall()))
        except (CallFailed, PayloadFault) as error:
            self._say(name, f"no limit taken: {error}", {"error": str(error)})
            return False
        well = answer["status"] in ("Accepted", "Unknown")  # the latter: there is no profile to be cleared
        if well:
            self._told[name], self._links[name] = part, link
        limit = f"at most {part / 1000:.2f} kW" if math.isfinite(part) else "no limit"
        self._say(name, f"limit of the grid: {limit}: {answer['status']}", {"limit": part if math.isfinite(part) else None})
        return well

    def _say(self, station: str, text: str, facts: Payload) -> None:
        self._csms.tell(Entry(self._csms.wall(), station, "grid", text, facts))


def _capped(part: float, wall: float) -> tuple[str, Payload]:
    """The message that lets a station charge with this part (W) at most."""
    if not math.isfinite(part):
        return "ClearChargingProfile", {"chargingProfileId": PROFILE}
    period = {"startPeriod": 0, "limit": float(math.floor(part))}
    schedule = {"id": 1, "startSchedule": timestamp(wall), "chargingRateUnit": "W", "chargingSchedulePeriod": [period]}
    profile = {
        "id": PROFILE,
        "stackLevel": 0,
        "chargingProfilePurpose": "ChargingStationMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    }
    return "SetChargingProfile", {"evseId": 0, "chargingProfile": profile}
