"""Limits of a transaction in frames: told when they hold, kept over a kill, and the end of the session that reaches one."""

import pytest

from secc.station import EVReported, MeterReading, StopAsked
from tests.ocpp_bridge.ocpp_stand import WALL
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_cost import arrive, put, read
from tests.ocpp_bridge.test_local_authorization import reborn


def limited(**limit) -> Played:
    p = Played().boot()
    put(p)
    p.answers["TransactionEvent"] = {"transactionLimit": limit} if limit else {}
    arrive(p)
    p.answers["TransactionEvent"] = {}
    return p.run(2.0)


def triggers(p: Played) -> list[str]:
    return [event["triggerReason"] for event in p.events]


def test_a_limit_is_told_once_when_it_holds():
    p = limited(maxEnergy=5000.0, maxTime=7200)
    p.run(100.0)
    [event] = [event for event in p.events if event["triggerReason"] == "LimitSet"]
    assert event["transactionInfo"]["transactionLimit"] == {"maxEnergy": 5000.0, "maxTime": 7200}
    assert not p.facts(StopAsked)


@pytest.mark.parametrize(
    ("limit", "trigger", "reason"),
    [
        ({"maxEnergy": 5000.0}, "EnergyLimitReached", "EnergyLimitReached"),
        ({"maxTime": 1800}, "TimeLimitReached", "TimeLimitReached"),
        ({"maxSoC": 80}, "SoCLimitReached", "SOCLimitReached"),
        ({"maxCost": 4.0}, "CostLimitReached", "LocalOutOfCredit"),
    ],
)
def test_a_session_that_reaches_a_limit_ends_with_it_as_its_reason(limit, trigger, reason):
    p = limited(**limit)
    p.run(1000.0)
    read(p, 102.0)
    p.want(EVReported(0.0, power=1.0, soc=79.0))
    p.run(100.0)
    assert trigger not in triggers(p)
    p.run(1798.0 - p.now)
    assert trigger not in triggers(p)
    p.run(2.0)
    read(p, 105.0)
    p.want(EVReported(0.0, power=1.0, soc=80.0))
    p.run(2.0)
    assert triggers(p).count(trigger) == 1
    [asked] = p.facts(StopAsked)
    assert next(iter(limit)) in asked.reason
    p.bridge.end_session(1, p.now)
    p.run()
    assert (p.events[-1]["eventType"], p.events[-1]["triggerReason"]) == ("Ended", trigger)
    assert p.events[-1]["transactionInfo"]["stoppedReason"] == reason


def test_energy_counts_from_the_beginning_of_the_transaction_not_of_the_limit():
    p = limited()
    p.run(100.0)
    read(p, 104.0)
    p.answers["TransactionEvent"] = {"transactionLimit": {"maxEnergy": 5000.0}}
    p.run(100.0)
    p.answers["TransactionEvent"] = {}
    assert not p.facts(StopAsked)
    read(p, 105.0)
    assert p.run(2.0).facts(StopAsked)


def test_a_limit_that_is_reached_already_ends_the_session_and_another_replaces_it():
    assert limited(maxTime=0).facts(StopAsked)
    p = limited(maxTime=1000)
    p.answers["TransactionEvent"] = {"transactionLimit": {"maxTime": 3000}}
    p.run(60.0)
    p.answers["TransactionEvent"] = {}
    p.run(2000.0)
    assert triggers(p).count("LimitSet") == 2
    assert not p.facts(StopAsked)


def test_a_csms_that_sets_the_clock_reaches_no_limit_and_makes_no_cost():
    p = limited(maxTime=600)
    p.ahead = 365 * 86400.0
    p.bridge.restart(p.now)
    p.run(100.0)
    assert p.charger.skew > 86400.0
    assert not p.facts(StopAsked)
    assert p.charger.evses[1].account.charging_time <= 103_000
    p.run(500.0)
    assert p.facts(StopAsked)


def test_a_limit_survives_a_kill_and_ends_with_its_transaction():
    p = limited(maxTime=1000)
    assert reborn(p).charger.evses[1].limit.values == {"maxTime": 1000}
    p.bridge.unplug(1, p.now)
    p.run(3000.0)
    assert p.charger.evses[1].limit is None
    p.bridge.take_reading(1, MeterReading("M", 1.0, 0.0, WALL))
    assert reborn(p).charger.evses[1].limit is None
