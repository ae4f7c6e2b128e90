"""Assets without transactions are billed by their meters: sessions, registers, books; over restarts, and when a meter is exchanged."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.starved import HANG
from tests.v2gkit.fleet.test_kinds import ByModbus, ByVendor, Played, fleet, until
from v2g.energy.ledger.books import balances
from v2g.energy.settlement import PERIOD
from v2gkit.fleet import settlement
from v2gkit.fleet.arms.metering import Metering
from v2gkit.fleet.arms.verbs import Seen
from v2gkit.fleet.declared import Asset
from v2gkit.fleet.service import Service
from v2gkit.fleet.store import books
from v2gkit.fleet.store.tables import REGISTERS, SESSIONS
from v2gkit.sql.words import Row

NOW = 1_800_000_000.0
MIDNIGHT = NOW - NOW % 86_400 + 86_400
BOX = Asset("box", "s", "modbus", "c", 11_000.0, address="127.0.0.1:502", energy_register=4)


def metered() -> tuple[Metering, list[Row]]:
    rows: list[Row] = []
    return Metering(rows.extend), rows


def hear(metering: Metering, at: float, imported: float | None, here: bool = True, exported: float = 0.0) -> None:
    metering.hear(BOX, "t", Seen(0.0, here, imported=imported, exported=exported), at)


def sessions(rows: list[Row]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.table == "sessions":
            found.setdefault(row.values["id"], {}).update(row.values)
    return found


def readings(rows: list[Row], session: str) -> list[tuple[float, float]]:
    return [(row.values["at"], row.values["imported"]) for row in rows if row.table == "registers" and row.values["session"] == session]


def test_a_session_is_as_long_as_somebody_is_there_and_has_a_reading_of_each_minute() -> None:
    metering, rows = metered()
    hear(metering, NOW, 5_000.0, here=False)
    assert not rows
    for second in range(181):
        hear(metering, NOW + second, 5_000.0 + second)
    hear(metering, NOW + 190.0, 5_185.0, here=False)
    hear(metering, NOW + 200.0, 5_185.0, here=False)
    ((name, said),) = sessions(rows).items()
    assert (said["began"], said["ended"], said["contract"]) == (NOW, NOW + 190.0, "c")
    assert readings(rows, name) == [(NOW, 5_000.0), (NOW + 60, 5_060.0), (NOW + 120, 5_120.0), (NOW + 180, 5_180.0), (NOW + 190, 5_185.0)]


def test_a_day_is_a_session_and_a_meter_that_falls_is_another_one() -> None:
    metering, rows = metered()
    hear(metering, MIDNIGHT - 30.0, 1_000.0)
    hear(metering, MIDNIGHT + 30.0, 1_100.0)
    hear(metering, MIDNIGHT + 40.0, 1_110.0)
    hear(metering, MIDNIGHT + 50.0, 7.0)  # exchanged
    hear(metering, MIDNIGHT + 110.0, 9.0)
    first, second, third = sessions(rows)
    assert [sessions(rows)[name].get("ended") for name in (first, second, third)] == [MIDNIGHT + 30.0, MIDNIGHT + 40.0, None]
    assert readings(rows, first)[-1] == (MIDNIGHT + 30.0, 1_100.0) == readings(rows, second)[0]  # nothing lies between
    assert readings(rows, second)[-1] == (MIDNIGHT + 40.0, 1_110.0)
    assert readings(rows, third) == [(MIDNIGHT + 50.0, 7.0), (MIDNIGHT + 110.0, 9.0)]


def test_who_says_nothing_of_its_meter_has_no_session_and_a_later_process_goes_on_with_one() -> None:
    metering, rows = metered()
    hear(metering, NOW, None)
    assert not rows
    metering.recall(
        [{"asset": "box", "id": "before", "began": NOW - 600.0, "at": NOW - 60.0, "imported": 4_000.0, "exported": 70.0}], ["box"]
    )
    hear(metering, NOW, 4_300.0, exported=90.0)
    assert readings(rows, "before") == [(NOW, 4_300.0)]
    assert rows[-1].values["exported"] == 90.0
    assert not sessions(rows)


def test_what_is_given_is_kept_beside_what_is_drawn_and_either_register_that_falls_ends_the_session() -> None:
    metering, rows = metered()
    hear(metering, NOW, 1_000.0, exported=500.0)
    hear(metering, NOW + 60.0, 1_000.0, exported=620.0)
    hear(metering, NOW + 120.0, 1_010.0, exported=3.0)  # exchanged
    first, second = sessions(rows)
    kept = [(row.values["session"], row.values["at"], row.values["exported"]) for row in rows if row.table == "registers"]
    assert kept == [(first, NOW, 500.0), (first, NOW + 60.0, 620.0), (first, NOW + 60.0, 620.0), (second, NOW + 120.0, 3.0)]
    assert sessions(rows)[first]["ended"] == NOW + 60.0


@pytest.mark.parametrize("kind", [ByModbus, ByVendor])
def test_what_a_real_device_has_drawn_is_in_the_books(kind: type[Played], tmp_path: Path) -> None:
    async def booked(service: Service) -> tuple[int, int]:
        def begun(connection: Any) -> list[Any]:
            return list(connection.execute(SESSIONS.select().join(REGISTERS, REGISTERS.c.session == SESSIONS.c.id)))

        while not await service.store.read(begun):  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.05)
        more(250)
        leap[0] += PERIOD  # a session that goes on is booked by whole quarters of an hour, and nobody waits for one here
        service.metering._open["a"].minute = -1.0  # the next minute
        await until(lambda: service.metering._open["a"].minute > 0)
        await asyncio.sleep(0.3)
        await settlement.run(service.store, service.fleet, "t", service._wall() + 3_600.0)
        made = await service.store.read(lambda connection: list(books.transactions(connection, "t")))
        found = balances(made)
        return int(found.get(("driver:import", "kWh"), 0)), int(found.get(("driver:export", "kWh"), 0))

    def more(wh: int) -> None:
        if isinstance(played, ByModbus):
            played.device.put(1, 4, 70_000 + wh)
            played.device.put(1, 6, 9_000 + wh // 2)
        else:
            assert isinstance(played, ByVendor)
            played.charger.eto += wh

    async def scene() -> None:
        (tmp_path / "state").mkdir()
        await played.up()
        if isinstance(played, ByModbus):
            played.lines += "\nenergy_register = 4\nexported_register = 6"
            more(0)
        async with played.stack, fleet(played, ahead=lambda: leap[0]) as service:
            async with asyncio.timeout(HANG):
                while (found := await booked(service))[0] < 250_000:
                    pass
                assert found[1] == (-125_000 if kind is ByModbus else 0)

    played, leap = kind(tmp_path), [0.0]
    asyncio.run(scene())
