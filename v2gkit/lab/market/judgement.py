"""What a market promised, and whether it was kept: limits, reserves, departures, acknowledgements, books; and each party's bill."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, select

from v2g.energy.ledger.books import balances, earnings, verify
from v2g.energy.ledger.chart import ENERGY
from v2g.energy.ledger.transaction import Transaction
from v2gkit.fleet import declared, settlement
from v2gkit.fleet.decision import read
from v2gkit.fleet.shed import replayed
from v2gkit.fleet.store import books
from v2gkit.fleet.store.sql import SqlStore, file_url
from v2gkit.fleet.store.tables import DECISIONS, ORDERS, SHED, SIGNALS
from v2gkit.lab.market.scene import FALLBACK, Scene
from v2gkit.lab.market.seen import Seen

ERR: Final = 0.02  # of a connection: what meters and converters err
SOON: Final = 3.0  # s from the VTN's event to lower power
CALLS: Final = ("openadr3", "sep2")  # protocols whose calls want an acknowledgement
ANSWERS: Final = [1, 2, 3]  # of IEEE 2030.5, to one control: received, started, completed
TARGET, RESERVE = 70.0, 15.0  # % of a car
DEVIATION: Final = 0.05  # of the energy that cars count, by which the books may differ: a session's first and last reading are not its ends


@dataclass(slots=True)
class Judged:
    """Whether every promise was kept, in words; figures; and bills: W, Wh, s; money in the currency by tenant and party."""

    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    bills: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Whether all was kept."""
        return not self.broken

    def promise(self, met: object, what: str) -> None:
        """Note a promise as kept or broken."""
        (self.kept if met else self.broken).append(what)


async def judged(scene: Scene, seen: Seen, wall: float) -> Judged:
    """The judgement of a day, once all parties have ended. `wall` in epoch s."""
    found = Judged()
    _limits(scene, seen, found)
    _cars(seen, found)
    fleet = declared.read(scene.folder / "fleet.toml")
    store = await asyncio.to_thread(SqlStore, file_url(scene.folder / "state"))
    try:
        for tenant in fleet.tenants:
            await settlement.run(store, fleet, tenant, wall)
            found.promise(await settlement.run(store, fleet, tenant, wall, again=True) == 0, f"{tenant}: settled twice, booked once")
        await store.read(lambda connection: _kept(connection, seen, found))
    finally:
        store.close()
    return found


def _limits(scene: Scene, seen: Seen, found: Judged) -> None:
    for tenant, limit in scene.limits.items():
        over = seen.passed.get(tenant, 0.0)
        found.promise(over <= ERR * limit, f"{tenant}: at most {max(over, 0.0) / 1000:.2f} kW above what was allowed")
    found.figures |= {"first_lower_s": seen.first, "within_call_s": seen.whole, "within_control_s": seen.curbed}
    words = (
        "no car drew less"
        if seen.first is None or seen.whole is None
        else f"{seen.first:.2f} s to the first car, {seen.whole:.2f} s to all"
    )
    found.promise(seen.first is not None and seen.first <= SOON and seen.whole is not None, f"the VTN's call: {words}")
    kept = "the shop did not keep it" if seen.curbed is None else f"{seen.curbed:.2f} s until the shop kept it"
    found.promise(seen.curbed is not None, f"the utility's control: {kept}")
    told = sorted(status for statuses in seen.answers.values() for status in statuses)
    found.promise(told == ANSWERS, f"the utility was told {told} of its control (1 received, 2 started, 3 completed)")
    found.promise(seen.given > 0, f"the dispatch: cars gave {seen.given / 1000:.1f} kW")
    most = FALLBACK * scene.limits["metro"]
    drawn = seen.fallback
    well = drawn is not None and drawn <= most + ERR * scene.limits["metro"]
    found.promise(well, f"the lost link: {(drawn or 0.0) / 1000:.1f} kW of the {most / 1000:.1f} kW that were agreed for it")
    found.figures |= {"given_w": round(seen.given), "fallback_w": drawn}


def _cars(seen: Seen, found: Judged) -> None:
    cars: Sequence[Mapping[str, Any]] = seen.cars.get("cars", ())
    well = [car for car in cars if car["ok"]]
    found.promise(cars and len(well) == len(cars), f"{len(well)} of {len(cars)} sessions ended well")
    socs = [car["soc_end"] for car in cars if car.get("soc_end") is not None]
    full = [soc for soc in socs if soc >= TARGET - 2.0]
    found.promise(len(full) == len(cars), f"{len(full)} of {len(cars)} cars left with what their drivers wanted")
    found.promise(all(soc >= RESERVE for soc in socs), "no car was below its reserve")
    found.figures |= {"charged_wh": seen.cars.get("energy_charged"), "discharged_wh": seen.cars.get("energy_discharged")}


def _kept(connection: Connection, seen: Seen, found: Judged) -> None:
    decisions = list(connection.execute(select(DECISIONS.c.doc)).scalars())
    again = sum(replayed(read(doc)) for doc in decisions)
    found.promise(decisions and again == len(decisions), f"{again} of {len(decisions)} decisions have the same answer again")
    told = list(connection.execute(select(ORDERS.c.state, ORDERS.c.said).where(ORDERS.c.sent < seen.ended)))
    there = [state for state, said in told if "connected" not in said and "ConnectionLost" not in said]
    done = sum(state == "done" for state in there)
    found.promise(there and done == len(there), f"{done} of {len(there)} orders to stations that were there were acknowledged")
    signals = list(connection.execute(select(SIGNALS).where(SIGNALS.c.protocol.in_(CALLS))).mappings())
    acknowledged = [row for row in signals if row["acknowledged"] is not None]
    heard = {row["protocol"] for row in acknowledged}
    well = heard == set(CALLS) and len(acknowledged) == len(signals)
    found.promise(well, f"{len(acknowledged)} of {len(signals)} calls were acknowledged, of {', '.join(sorted(heard))}")
    found.figures["shed"] = len(list(connection.execute(select(SHED.c.asset)).scalars()))
    energy = 0.0
    for tenant in books.tenants(connection):
        made = list(books.transactions(connection, tenant))
        energy += _booked(tenant, made, found)
    cars = seen.cars.get("energy_charged") or 0.0
    near = abs(energy * 1000.0 - cars) <= DEVIATION * cars
    found.promise(near, f"the books have {energy:.1f} kWh charged, and the cars {cars / 1000.0:.1f} kWh")


def _booked(tenant: str, made: Sequence[Transaction], found: Judged) -> float:
    """Verify the books of a tenant, and add its bills; kWh that they have charged."""
    count = verify(made)
    sums: dict[str, int] = defaultdict(int)
    for (_, unit), amount in balances(made).items():
        sums[unit] += amount
    found.promise(count and not any(sums.values()), f"{tenant}: {count} transactions, an unbroken chain that balances")
    found.bills[tenant] = {party: amount / 1e6 for (party, unit), amount in sorted(earnings(made).items()) if unit != ENERGY}
    return balances(made).get(("driver:import", ENERGY), 0) / 1e6
