"""From registers to books: what was called is settled against the meter before it, once, whatever is run again."""

import asyncio
from pathlib import Path

from tests.v2gkit.fleet.depot import written
from v2g.energy.ledger.books import balances, verify
from v2g.energy.ledger.rows import Reading
from v2gkit.fleet import declared, settlement
from v2gkit.fleet.settlement import Session
from v2gkit.fleet.store import books
from v2gkit.fleet.store.sql import SqlStore, file_url
from v2gkit.sql.words import Row

START = 1_800_000_000.0
CALL, UNTIL = START + 3_600.0, START + 7_200.0
RAMP = 900.0


def power(at: float) -> float:
    """8 kW, 2 kW while it is called, 8 kW again."""
    return 2_000.0 if CALL <= at < UNTIL else 8_000.0


def readings(until: float) -> tuple[Reading, ...]:
    found, energy, at = [], 100_000.0, START
    while at <= until:
        found.append(Reading(at, energy, 0.0))
        energy += power(at) * 60.0 / 3_600.0
        at += 60.0
    return tuple(found)


async def known(store: SqlStore, until: float, ended: float | None) -> None:
    mine = {"tenant": "metro", "asset": "bus0"}
    rows = [Row("sessions", mine | {"id": "s", "contract": "buses", "began": START, "ended": ended})]
    rows += [
        Row("registers", mine | {"session": "s", "at": each.at, "imported": each.imported, "exported": 0.0}) for each in readings(until)
    ]
    rows.append(Row("orders", mine | {"id": "o", "decision": "d", "power": 2_000.0, "sent": CALL + 1.0, "state": "done"}))
    span = {"start": CALL, "until": UNTIL, "received": CALL - 5.0, "doc": "[]", "fate": "expired"}
    rows.append(Row("signals", {"tenant": "metro", "id": "dso:1", "version": 1.0, "source": "dso"} | span))
    await store.keep(rows)


def test_a_call_is_settled_against_the_meter_before_it_and_nothing_twice(tmp_path: Path) -> None:
    async def scene() -> None:
        fleet, store = declared.read(written(tmp_path)), SqlStore(file_url(tmp_path))
        end = START + 4 * 3_600.0
        for until in (START + 1_800.0, START + 5_400.0, START + 9_000.0):  # while it runs
            await known(store, until, None)
            first = await settlement.run(store, fleet, "metro", until)
            assert first
            assert await settlement.run(store, fleet, "metro", until) == 0
            assert await settlement.run(store, fleet, "metro", until, again=True) == 0
        await known(store, end, end)
        assert await settlement.run(store, fleet, "metro", end + 1)
        assert await settlement.run(store, fleet, "metro", end + 900) == 0
        assert await settlement.run(store, fleet, "metro", end + 900, again=True) == 0
        made = await store.read(lambda connection: list(books.transactions(connection, "metro")))
        assert verify(made) == len(made)
        sums = balances(made)
        energy = sum(power(START + 60.0 * n) for n in range(240)) / 60.0 / 1_000.0
        assert sums["driver:import", "kWh"] == round(energy * 1e6)
        assert abs(sums["operator:charging", "EUR"] - energy * 0.30 * 1e6) < 20
        hours = (UNTIL - CALL - RAMP) / 3_600.0  # the ramp is not called
        assert abs(sums["aggregator:shifted", "kWh"] - 6.0 * hours * 1e6) < 20
        assert abs(sums["aggregator:utilisation", "EUR"] - 6.0 * hours * 0.50 * 1e6) < 20
        assert abs(sums["driver:share", "EUR"] - 0.4 * 6.0 * hours * 0.50 * 1e6) < 20
        kinds = {rest.kind for each in made for rest in each.bases}
        assert kinds == {"meter", "baseline", "signal"}
        store.close()

    asyncio.run(scene())


def test_a_session_that_began_after_the_call_was_not_called(tmp_path: Path) -> None:
    fleet = declared.read(written(tmp_path))
    late = Session("metro", "bus0", "s", tuple(each for each in readings(UNTIL) if each.at > CALL), ())
    signal = settlement.Signalled("dso:1", CALL, UNTIL, settlement.basis(settlement.Evidence.SIGNAL, b"x"))
    due = settlement.due_of(late, fleet.sites["depot"], fleet.contracts["buses"], fleet.program[:1], [signal], "CHF")
    assert due
    assert {currency for _, wanted, _ in due for _, currency in wanted} == {"CHF", "kWh"}  # of its tenant
    assert all(("aggregator:utilisation", "CHF") not in wanted for _, wanted, _ in due)
