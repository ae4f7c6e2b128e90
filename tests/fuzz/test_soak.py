"""The soak can say no: each thing it is held to, broken on purpose, is found. The soak itself is `make soak`."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fuzz.soak.__main__ import CHANCES, OPENS, SLOPE, Findings, Guest, Lane, Station, memory, stopped
from fuzz.soak.cars import GOOD, SHARES, Plan
from fuzz.soak.outlet import SoakedEVSE, Telltale
from v2g.session.endpoint import Ended

STORE: Any = None  # no car is driven here


def hardware(folder: Path, place: int = 0) -> tuple[SoakedEVSE, Telltale]:
    telltale = Telltale(folder / "telltale", 2)
    return SoakedEVSE(str(folder / "telltale"), place, 2), telltale


def lane(folder: Path, place: int = 0) -> tuple[Lane, Findings]:
    process: Any = None
    station = Station(process, (0, 0), Telltale(folder / "telltale", 2), folder / "lines", folder / "log")
    findings = Findings()
    return Lane(place, station, STORE, 1, findings), findings


def test_what_a_car_does_follows_from_the_seed() -> None:
    plans = [Plan.of(7, number) for number in range(2000)]
    assert plans == [Plan.of(7, number) for number in range(2000)]
    assert plans != [Plan.of(8, number) for number in range(2000)]
    assert {plan.fault for plan in plans} == set(SHARES)
    assert sum(plan.fault in GOOD for plan in plans) < 1000


def test_the_telltale_counts_by_itself(tmp_path: Path) -> None:
    async def scene() -> None:
        evse, telltale = hardware(tmp_path, 1)
        await evse.session_began("WMI")
        assert await evse.close_contactor()
        assert telltale.read(1) == {"closed": 1, "closings": 1, "openings": 0, "began": 1, "ended": 0, "astray": 0}
        assert await evse.open_contactor()
        await evse.session_ended(Ended("Terminate"))
        assert telltale.read(1) == {"closed": 0, "closings": 1, "openings": 1, "began": 1, "ended": 1, "astray": 0}
        assert telltale.read(0) == dict.fromkeys(telltale.read(0), 0)

    asyncio.run(scene())


@pytest.mark.parametrize("late", [True, False])
def test_a_contactor_that_is_closed_without_a_session_goes_astray(late: bool, tmp_path: Path) -> None:
    async def scene() -> None:
        evse, telltale = hardware(tmp_path)
        if late:  # it is still closed when the session is said to be over
            await evse.session_began("WMI")
            await evse.close_contactor()
            await evse.session_ended(Ended("Terminate"))
        else:
            await evse.close_contactor()
        assert telltale.read(0)["astray"] == 1

    asyncio.run(scene())


def test_a_contactor_that_stays_closed_is_found(tmp_path: Path) -> None:
    where, findings = lane(tmp_path)
    where._left = time.monotonic() - OPENS / 2
    telltale = Telltale(tmp_path / "telltale", 2)
    telltale.write(0, telltale.read(0) | {"closed": 1})
    where.look()
    assert not findings.found
    assert not where.free
    where._left = time.monotonic() - OPENS - 1.0
    where.look()
    assert "the contactor of outlet 1 is still closed" in findings.found[0]


def test_an_outlet_that_serves_nobody_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, findings = lane(tmp_path)
    sent: list[int] = []
    monkeypatch.setattr(where, "invite", lambda plan, chance: sent.append(chance))
    plan = Plan.of(1, 1, "none")
    for chance in range(1, CHANCES + 1):
        where._heard(Guest(plan, 0, 0, 0.0, chance), {"well": False, "power": True, "reason": "V2G_EVCC_Msg_Timeout of 2 s ran out"})
    assert sent == list(range(2, CHANCES + 1))
    assert len(findings.found) == 1
    where._heard(Guest(plan, 0, 0, 0.0), {"well": False, "power": False, "reason": "[::1]:1 refuses connections: nothing listens there"})
    where._heard(Guest(Plan.of(1, 1, "reset"), 0, 0, 0.0), {"well": False, "power": False, "reason": "as it should be"})
    where._heard(Guest(plan, 0, 0, 0.0), {"well": True, "power": True, "reason": ""})
    assert len(findings.found) == 2


@pytest.mark.parametrize(("octets", "found"), [(SLOPE * 1.5, 1), (SLOPE * 0.5, 0)])
def test_memory_that_grows_with_the_sessions_is_found(octets: float, found: int) -> None:
    findings = Findings(memory=[(n, int(50_000 + n * octets / 1024 + n % 7)) for n in range(3000)])
    memory(findings, 500)
    assert len(findings.found) == found


def test_a_traceback_in_the_log_and_a_station_that_fails_are_found(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("all is well\nTraceback (most recent call last):\n")
    (tmp_path / "lines").write_text('{"event": "ended", "how": "Terminate"}\n')
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"], env=dict(os.environ))
    process.wait()
    findings = Findings()
    ends = stopped(Station(process, (0,), Telltale(tmp_path / "telltale", 1), tmp_path / "lines", tmp_path / "log"), findings)
    assert ends == {"Terminate": 1}
    assert [text.partition(",")[0] for text in findings.found] == ["the station ended with exit code 3", "1 times 'Traceback' in the log"]
