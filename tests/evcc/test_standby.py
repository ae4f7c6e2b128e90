"""Our car stands by: with our station in one virtual time, whatever its contactor does, and with stations that have no standby."""

import itertools
from typing import Any

import pytest

from evcc.iso20.standby import standby
from secc import station as words
from tests.evcc.scripted_station import STANDARD, Station, code, finished, ok
from tests.evcc.test_pair import car, ended
from tests.evcc.test_session import SAFE, run
from tests.evcc.test_session import car as visitor_of
from tests.evcc.virtual_pair import Pair, outlet
from v2g.iso20.rational import rational
from v2g.messages import dc
from v2g.messages.common_messages import PowerDeliveryReq
from v2g.messages.common_messages import chargeProgressType as Progress
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import FrameSent, Noted, StateEntered

PLACES = list(itertools.product(("AC", "DC_BPT"), ("Scheduled", "Dynamic"), ("closed", "open")))


def progress(pair: Pair) -> list[Progress]:
    return [e.message.ChargeProgress for e in pair.seen if isinstance(e, FrameSent) and isinstance(e.message, PowerDeliveryReq)]


@pytest.mark.parametrize(("service", "control", "policy"), PLACES)
def test_it_takes_nothing_for_its_time_and_comes_back_to_power(service: str, control: str, policy: str) -> None:
    visitor = car(service, control, loops=120)
    pair = Pair(visitor, outlet(standby=policy), script=standby(10, 5.0))
    assert ended(pair) == "Terminate"
    assert progress(pair) == [Progress.Start, Progress.Standby, Progress.Start, Progress.Stop]
    began, over = [e.at for e in pair.of(words.StoodBy)], [e.at for e in pair.of(words.PowerStarted)]
    assert len(began) == 1
    assert over[1] - began[0] == pytest.approx(5.0, abs=1.5)
    during = [e for e in pair.happened if began[0] < e.at < over[1] and isinstance(e, words.SetOutput)]
    assert all(want.current == 0.0 or want.voltage == 0.0 or want.current <= 2.0 for want in during)  # a pre-charge, if any
    checks = len(pair.of(words.CheckIsolation))
    found = policy == "closed" and control == "Scheduled"  # in Dynamic control the test's hardware shows the most that the car bears
    assert checks == (0 if service == "AC" else 1 if found else 2)
    assert visitor.loops == 120
    assert visitor.ev.charged == pytest.approx(pair.imported, rel=0.02)
    assert visitor.ev.charged > 0


@pytest.mark.parametrize(("service", "policy"), [("AC", "open"), ("DC_BPT", "closed")])
def test_the_station_asks_it_back_and_a_stop_ends_it(service: str, policy: str) -> None:
    visitor = car(service, loops=80)
    pair = Pair(visitor, outlet(standby=policy), script=standby(10, 1e6), facts={20: words.ExitStandbyAsked()})
    assert ended(pair) == "Terminate"
    assert progress(pair) == [Progress.Start, Progress.Standby, Progress.Start, Progress.Stop]
    assert visitor.loops == 80

    visitor = car(service, loops=80)
    pair = Pair(visitor, outlet(standby=policy), script=standby(10, 1e6), facts={20: words.StopAsked("the grid")})
    assert ended(pair) == "Terminate"
    assert progress(pair) == [Progress.Start, Progress.Standby, Progress.Stop]
    assert visitor.loops < 25


def test_a_pause_in_standby_is_obeyed() -> None:
    visitor = car("DC_BPT", loops=80)
    pair = Pair(visitor, outlet(standby="closed"), script=standby(10, 1e6), facts={20: words.PauseAsked()})
    assert ended(pair) == "Pause"


@pytest.mark.parametrize("service", ["AC", "DC_BPT"])
def test_a_station_without_standby_is_charged_from_all_along(service: str) -> None:
    visitor = car(service, loops=60)
    pair = Pair(visitor, outlet(), script=standby(10, 2.0))
    assert ended(pair) == "Terminate"
    assert progress(pair) == [Progress.Start, Progress.Standby, Progress.Stop]
    assert len(pair.of(words.PowerStarted)) == 1
    assert visitor.ev.charged == pytest.approx(pair.imported, rel=0.02)
    states = [e.state for e in pair.seen if isinstance(e, StateEntered)]
    assert not any("standby" in state for state in states)  # where it is after a no, it knows


def test_the_states_of_a_car_that_never_stands_by_name_no_standby() -> None:
    pair = Pair(car("DC_BPT"))
    assert ended(pair) == "Terminate"
    assert not any("standby" in e.state for e in pair.seen if isinstance(e, StateEntered))


def test_the_contactors_open_before_a_station_without_voltage_is_asked_for_power_again() -> None:
    """A station of another make has opened its contactor: the car is open through the isolation test, and closes after the pre-charge."""
    visitor = visitor_of("DC", loops=60)
    usual, r0 = STANDARD["DC_ChargeLoopReq"], rational(0)

    def dead(q: Any, s: Station) -> Any:
        response = usual(q, s)
        stands = [each.ChargeProgress for each in s.of(PowerDeliveryReq)][-1] is Progress.Standby
        return ok(q, s, EVSEPresentVoltage=r0, EVSEPresentCurrent=r0, CLResControlMode=response.CLResControlMode) if stands else response

    seen: list[bool] = []

    def check(q: Any, s: Station) -> Any:
        seen.append(visitor.closed)
        return finished(q, s)

    station = Station(answers=SAFE | {"AuthorizationReq": finished, "DC_ChargeLoopReq": dead, "DC_CableCheckReq": check})
    session = run(visitor, station, standby(5, 2.0))
    assert session.ended is not None
    assert session.ended.well, session.ended
    assert seen == [False, False]
    assert len(station.of(dc.DC_CableCheckReq)) == 2


def test_a_car_told_that_its_standby_is_not_allowed_says_so_once() -> None:
    visitor = visitor_of("DC", loops=30)
    answers = SAFE | {"AuthorizationReq": finished}
    plain = code(Code.OK)
    answers["PowerDeliveryReq"] = lambda q, s: (code(Code.WARNING_StandbyNotAllowed) if q.ChargeProgress is Progress.Standby else plain)(
        q, s
    )
    session = run(visitor, Station(answers=answers), standby(5, 1.0))
    assert session.ended is not None
    assert session.ended.well
    warned = [e for e in session.events() if isinstance(e, Noted) and e.topic == "warned"]
    assert [e.facts["code"] for e in warned] == ["WARNING_StandbyNotAllowed"]


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_station_that_refuses_a_standby_that_nobody_asked_for_is_taken_for_one_that_warns(service: str, control: str) -> None:
    """Start and Stop have been answered: where the session stands is not where a standby would have been."""
    visitor = visitor_of(service, control, loops=5)
    answers = {**SAFE, "PowerDeliveryReq": code(Code.WARNING_StandbyNotAllowed)}
    session = run(visitor, Station(answers=answers))
    assert session.ended is not None
    assert (session.ended.how, session.ended.error) == ("Terminate", None)
    assert visitor.loops == 5
    assert [e.facts["code"] for e in session.events() if isinstance(e, Noted) and e.topic == "warned"] == ["WARNING_StandbyNotAllowed"]
