"""A car of ISO 15118-2 under a CSMS: its profiles reach the car, whatever changes while it charges."""

from typing import Any

import pytest

from ocpp_bridge.wire.times import timestamp
from tests.evcc.iso2.test_pair2 import SCRIPT
from tests.evcc.iso2.test_pair2 import car as car2
from tests.evcc.test_pair import EPOCH
from tests.ocpp_bridge.test_bridge import ANSWERS
from tests.ocpp_bridge.test_profiles import caps, profile
from tests.ocpp_bridge.whole_chain import Chain
from v2g.iso2.physical import number
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryRes, ChargingStatusRes, CurrentDemandRes
from v2g.messages.iso2.msg_data_types import EVSENotificationType

ASKED = EVSENotificationType.ReNegotiation


@pytest.fixture(autouse=True)
def any_transfer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CSMS allows every energy transfer."""
    monkeypatch.setitem(ANSWERS, "Authorize", {"idTokenInfo": {"status": "Accepted"}})


def first(limit: float = 9_000.0) -> dict[str, Any]:
    return profile({"startPeriod": 0, "limit": limit})


def run2(service: str, scene: Any) -> Chain:
    """A session of 12 charge loops under a profile of 9 kW, in the fourth of which the scene happens."""
    chain = Chain(car2(service, loops=12), script=SCRIPT, service=service, profile=first(), scenes={4: scene})
    assert all(answer == {"status": "Accepted"} for answer in chain.received)
    assert chain.evcc.ended is not None
    assert chain.evcc.ended.well, chain.evcc.ended
    return chain


def told(chain: Chain) -> list[tuple[float, bool]]:
    """The power (W) that each loop allows, and whether it asks for another schedule."""
    dc = [(number(each.EVSEMaximumPowerLimit), each.DC_EVSEStatus.EVSENotification is ASKED) for each in chain.frames(CurrentDemandRes)]
    volts = chain.outlet.limits.nominal_voltage
    phases = chain.car.known.service.phases if chain.frames(ChargingStatusRes) else 1
    return dc + [
        (number(each.EVSEMaxCurrent) * volts * phases, each.AC_EVSEStatus.EVSENotification is ASKED)
        for each in chain.frames(ChargingStatusRes)
    ]


def replaced(limit: float) -> Any:
    """Another TxProfile above the first."""
    return lambda chain: chain.install(first(limit) | {"id": 9, "stackLevel": 1})


def capped(limit: float) -> Any:
    """A limit for the whole station."""
    at = {"startSchedule": timestamp(EPOCH)}
    return lambda chain: chain.install(caps(limit, kind="Absolute", schedule=at), evse=0)


@pytest.mark.parametrize("change", [replaced, capped], ids=["another profile", "a limit of the station"])
@pytest.mark.parametrize("service", ["DC", "AC"])
def test_a_limit_that_falls_reaches_the_car_with_the_next_loop_and_by_another_schedule(service: str, change: Any) -> None:
    chain = run2(service, change(4_000.0))
    loops = told(chain)
    assert loops[3][0] == pytest.approx(9_000.0, rel=0.01)
    fallen = next(place for place, (power, _) in enumerate(loops) if power < 8_900.0)
    assert fallen <= 6  # it was set in the fourth, and takes effect within a tenth of a second
    assert all(power <= 4_000.0 * 1.01 for power, _ in loops[fallen:])
    assert [place for place, (_, asked) in enumerate(loops) if asked] == [fallen]
    negotiated = [each for each in chain.frames(ChargeParameterDiscoveryRes) if each.SASchedules is not None]
    assert len(negotiated) == 2
    offers = [each.SASchedules.SAScheduleTuple[0].PMaxSchedule.PMaxScheduleEntry for each in negotiated]
    assert [number(entries[0].PMax) for entries in offers] == [pytest.approx(9_000.0), pytest.approx(4_000.0)]
    assert max(power for loop, power in chain.powers if loop > fallen + 1) <= 4_000.0 * 1.01
    assert len(chain.calls("NotifyEVChargingSchedule")) == 2


def test_a_limit_that_rises_is_offered_by_another_schedule() -> None:
    chain = run2("DC", replaced(20_000.0))
    loops = told(chain)
    assert [asked for _, asked in loops].count(True) == 1
    assert loops[-1][0] == pytest.approx(20_000.0, rel=0.01)
    assert chain.powers[-1][1] > 9_500.0
