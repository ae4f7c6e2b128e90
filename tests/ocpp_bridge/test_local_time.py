"""Schedules in the local time of the station: what offset they name does not count, and another local time moves them."""

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.smart.charging import SETTLING
from ocpp_bridge.wire.times import of_clock, offset_of, timestamp
from secc.station import LimitsChanged, PowerStarted
from tests.ocpp_bridge.ocpp_stand import WALL
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_profiles import DEFAULT, profile

HOUR = 3600.0


def local_time(p: Played, offset: str) -> Played:
    named = {"component": {"name": "ClockCtrlr"}, "variable": {"name": "TimeOffset"}, "attributeValue": offset}
    (result,) = p.ask("SetVariables", {"setVariableData": [named]})["setVariableResult"]
    assert result["attributeStatus"] == "Accepted"
    return p.run(SETTLING)


def limited(begins: float, written: str = "Z", **more) -> dict:
    """4 kW from that time of day (as s after the beginning, by a clock in UTC) for an hour, with an offset that does not count."""
    text = timestamp(WALL + begins).replace("Z", written)
    schedule = {"startSchedule": text, "duration": 3600, "useLocalTime": True}
    return profile({"startPeriod": 0, "limit": 4_000.0}, **DEFAULT, schedule=schedule, chargingProfileKind="Absolute", **more)


def limit(p: Played) -> float:
    """W that the car may draw now."""
    told = p.facts(LimitsChanged)
    return told[-1].limits.charge_power if told else p.charger.evses[1].limits.charge_power


@pytest.mark.parametrize("written", ["Z", "+05:00", "-11:30"])
def test_a_schedule_in_local_time_begins_by_the_clock_of_the_station(written):
    p = local_time(Played().boot(), "+02:00")
    assert p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": limited(3 * HOUR, written)}) == {"status": "Accepted"}
    outlet, profiles = p.charger.evses[1].outlet, p.charger.profiles
    leads = [profiles.present(outlet, WALL + at).leads for at in (HOUR - 1.0, HOUR + 1.0, 2 * HOUR - 1.0, 2 * HOUR + 1.0)]
    assert [None if each is None else each.limit for each in leads] == [None, 4_000.0, 4_000.0, None]  # 21:00 at the wall is 19:00 UTC


def test_another_local_time_moves_it_at_once_and_over_a_restart():
    p = local_time(Played().boot(), "+02:00").arrive("Dynamic").want(PowerStarted(0.0))
    p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": limited(2 * HOUR)})
    assert limit(p) == 4_000.0
    local_time(p, "+01:00")  # summer is over
    assert limit(p) == 50_000.0
    q = Played()
    q.bridge = Bridge(q.charger)
    q.bridge.restore(p.charger.kept)
    (held,) = q.charger.profiles.held.values()
    assert held.offset == HOUR


def test_a_profile_that_recurs_does_so_by_local_days():
    p = local_time(Played().boot(), "-03:00").arrive("Dynamic").want(PowerStarted(0.0))
    kind = {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}
    p.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": limited(-27 * HOUR) | kind})  # yesterday at 15:00, which is 18:00 UTC
    assert limit(p) == 4_000.0


def test_an_offset_that_is_named_does_not_count():
    assert of_clock("2026-11-22T18:00:00+05:00") == of_clock("2026-11-22T18:00:00z") == WALL
    assert [offset_of(text) for text in ("+00:00", "+05:30", "-11:15")] == [0.0, 5.5 * HOUR, -11.25 * HOUR]
