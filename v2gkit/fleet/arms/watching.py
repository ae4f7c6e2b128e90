"""What a CSMS hears of the fleet's stations, as cars for the conductor and registers for the books."""

from collections.abc import Callable
from typing import Any, Final

from ocpp_bridge.wire.schemas import Payload
from v2g.energy.needs import Needs
from v2g.energy.site import Site
from v2gkit.csms.grounds import Member, OutletPlace
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Entry, Station, Transaction
from v2gkit.csms.steering import needs_of
from v2gkit.fleet.arms.verbs import FULL
from v2gkit.fleet.conductor import Conductor
from v2gkit.fleet.decision import Car
from v2gkit.fleet.declared import Asset
from v2gkit.sql.words import Row

HEARD: Final = frozenset({"boot", "connected", "transaction", "needs"})
MINUTE: Final = 60.0  # s: of registers one reading of each minute is kept, and the first and the last of a session
PLAIN: Final = Site()


class Watching:
    """Tells a conductor of the cars at its stations. `tick` gives the seconds by which readings age, `keep` takes rows some time."""

    def __init__(self, csms: Csms, conductor: Conductor, tick: Callable[[], float], keep: Callable[[list[Row]], None]) -> None:
        self._csms, self._conductor, self._tick, self._keep = csms, conductor, tick, keep
        self._members: dict[tuple[str, str], Member] = {}
        self._kept: dict[tuple[str, str], float] = {}  # the minute of the last register that was kept
        self._unread: set[tuple[str, str]] = set()  # transactions whose registers were not read since their cars told their needs

    def hear(self, entry: Entry) -> None:
        """Take an entry of the CSMS's story."""
        asset, station = self._conductor.fleet.stations.get(entry.station), self._csms.stations.get(entry.station)
        if asset is None or station is None or entry.topic not in HEARD:
            return
        if entry.topic == "boot":
            self._conductor.told_again(asset.id)
        tx = station.running()
        if entry.topic == "transaction":
            self._metered(asset, station, str(entry.facts["transactionInfo"]["transactionId"]), entry.facts["eventType"], entry.at)
        if entry.topic == "transaction" and entry.facts.get("meterValue"):
            self._first_read(station, str(entry.facts["transactionInfo"]["transactionId"]))
        if entry.topic == "needs" and tx is not None:
            self._members[station.id, tx.id] = _member(station, tx, entry.facts, entry.at)
            self._unread.add((station.id, tx.id))
        if tx is None:
            self._conductor.gone(asset.id)
        else:
            self._conductor.report(self._car(asset, station, tx))

    def _car(self, asset: Asset, station: Station, tx: Transaction) -> Car:
        member = self._members.get((station.id, tx.id))
        known: dict[str, Any] = {"asset": asset.id, "at": asset.feeder, "phases": asset.phases}
        known |= {"drawn": tx.power, "drawn_at": self._tick(), "least": asset.least}
        if member is None:  # it has told nothing: it may want all
            return Car(**known, wanted=asset.power, most=asset.power, missing=0.0)
        rest = member.rest(self._csms.wall(), PLAIN)
        missing = max(rest.target, 0.0)
        wanted = min(member.needs.charge_maximum, asset.power) if missing > FULL else 0.0
        return Car(
            **known,
            wanted=wanted,
            most=member.needs.charge_maximum if rest.ceiling > FULL else 0.0,
            give=_gives(rest),
            spare=max(-rest.lower, 0.0),
            missing=missing,
            departure=member.needs.departure,
        )

    def _first_read(self, station: Station, id_: str) -> None:
        """Reckon what a car has got since it told its needs from the first reading after them.

        What it took between the reading before and its words is in these already, and up to a minute's more is left to it.
        """
        member = self._members.get((station.id, id_))
        if member is not None and (station.id, id_) in self._unread:
            self._unread.discard((station.id, id_))
            member.before = {**member.before, "imported": member.tx.energy["imported"]}

    def _metered(self, asset: Asset, station: Station, id_: str, kind: str, at: float) -> None:
        tx = station.transactions.get(id_)
        if tx is None:
            return
        tenant, key = self._conductor.fleet.tenant_of(asset), (asset.id, id_)
        session: dict[str, Any] = {"tenant": tenant, "asset": asset.id, "id": id_, "contract": asset.contract}
        session["viewer"] = tx.viewer or asset.viewer or None
        if kind == "Started":
            session["began"] = at
        member = self._members.get((station.id, id_))
        if member is not None:
            session |= {"departure": member.needs.departure, "target": member.needs.target}
        if kind == "Ended":
            session["ended"] = at
            self._members.pop((station.id, id_), None)
            self._unread.discard((station.id, id_))
        rows = [Row("sessions", session)] if kind != "Updated" or key not in self._kept else []
        if tx.registers and (kind == "Ended" or at // MINUTE != self._kept.get(key)):
            self._kept[key] = at // MINUTE
            rows.append(Row("registers", {"tenant": tenant, "asset": asset.id, "session": id_, "at": at, **tx.energy}))
        if kind == "Ended":
            self._kept.pop(key, None)
        if rows:
            self._keep(rows)


def _member(station: Station, tx: Transaction, told: Payload, at: float) -> Member:
    scheduled = told["chargingNeeds"].get("controlMode") != "DynamicControl"
    return Member(station, tx, OutletPlace(station.id), needs_of(told), dict(tx.energy), scheduled, at)


def _gives(rest: Needs) -> float:
    """W that a car may be asked to give: nothing once it is down to its reserve."""
    return rest.discharge_maximum if rest.bidirectional and rest.lower < -FULL else 0.0
