"""Departure and SOC from the station, for a car that leaves them to it (MobilityNeedsMode 2): heard with schedule and loop, and obeyed."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from evcc.ev import Ev
from secc import station as words
from secc.backend import Stay
from tests.evcc.scripted_station import Station, finished, ok, parameter_set, run
from tests.evcc.test_pair import VERIFIER, car, ended
from tests.evcc.test_session import car as visiting
from tests.evcc.virtual_pair import Pair, outlet
from v2g.messages import common_messages as cm
from v2g.session.endpoint import Noted
from v2g.session.errors import PeerMisbehaved

SERVICES = pytest.mark.parametrize("service", ["DC_BPT", "AC_BPT", "AC_DER_IEC", "AC_DER_SAE", "DC", "AC"])


@dataclass
class Told(Pair):
    """A pair whose station says when the car leaves, and how full."""

    needs: words.MobilityNeedsSet = field(default_factory=words.MobilityNeedsSet)

    def _serve(self, event: Any) -> None:
        if isinstance(event, words.SessionStarted):
            self._after(self.needs)
        super()._serve(event)


def told(service: str, needs: words.MobilityNeedsSet, mobility: str = "SECC", **given: Any) -> Told:
    visitor = car(service, "Dynamic", mobility=mobility, loops=given.pop("loops", 8))
    visitor.ev = Ev(energy=30_000)
    return Told(visitor, outlet=outlet(mobility_by_station=True), given=VERIFIER, needs=needs, **given)


@SERVICES
def test_the_car_leaves_when_and_as_full_as_the_station_says(service: str) -> None:
    start = car(service, "Dynamic").wall
    pair = told(service, words.MobilityNeedsSet(start + 7_200.0, 30.0, 70.0))
    assert ended(pair) == "Terminate"
    (selected,) = pair.of(words.ServiceSelected)
    assert selected.mobility_needs == "SECC"
    assert (pair.car.goal.minimum_soc, pair.car.goal.target_soc) == (30.0, 70.0)
    assert pair.car.goal.departure == pytest.approx(start + 7_200.0, abs=2)
    assert len([one for one in pair.seen if isinstance(one, Noted) and one.topic == "the station sets the needs"]) == 1


@SERVICES
def test_a_change_reaches_the_car_with_the_next_loop_and_ends_its_stay(service: str) -> None:
    start = car(service, "Dynamic").wall
    soon = words.MobilityNeedsSet(start + 4.0, 30.0, 75.0)
    pair = told(service, words.MobilityNeedsSet(start + 7_200.0, 30.0, 70.0), facts={5: soon}, loops=1_000)
    assert ended(pair) == "Terminate"
    assert pair.car.goal.target_soc == 75.0
    assert pair.car.wall == pytest.approx(start + 4.0, abs=1.5)


def test_a_departure_that_is_reached_is_the_station_s_word_for_the_schedule_too() -> None:
    start = car("DC_BPT", "Dynamic").wall
    pair = told("DC_BPT", words.MobilityNeedsSet(start + 7_200.0))
    assert pair.of(words.NeedsChanged)[0].needs.departure == start + 7_200.0


@SERVICES
def test_a_car_that_keeps_its_needs_hears_nothing_of_them(service: str) -> None:
    pair = told(service, words.MobilityNeedsSet(car(service, "Dynamic").wall + 7_200.0, 30.0, 70.0), mobility="EVCC")
    assert ended(pair) == "Terminate"
    assert pair.of(words.ServiceSelected)[0].mobility_needs == "EVCC"
    assert (pair.car.goal.minimum_soc, pair.car.goal.target_soc, pair.car.goal.departure) == (20.0, 50.0, None)


def test_a_car_is_never_filled_beyond_its_own_maximum() -> None:
    pair = told("DC_BPT", words.MobilityNeedsSet(None, 95.0, 100.0))
    assert ended(pair) == "Terminate"
    assert pair.car.goal.target_soc == pair.car.goal.maximum_soc == 90.0
    assert pair.car.goal.minimum_soc == 90.0


def by_station(request: Any, station: Station) -> Any:
    sets = (parameter_set(4, Connector=2, ControlMode=2, MobilityNeedsMode=2, Pricing=0),)
    return ok(request, station, ServiceID=request.ServiceID, ServiceParameterList=cm.ServiceParameterListType(ParameterSet=sets))


def test_a_foreign_station_s_needs_are_judged() -> None:
    wrong = cm.Dynamic_SEResControlModeType(MinimumSOC=80, TargetSOC=60)
    answers = {
        "AuthorizationReq": finished,
        "ServiceDetailReq": by_station,
        "ScheduleExchangeReq": lambda q, s: ok(q, s, EVSEProcessing=cm.processingType.Finished, Dynamic_SEResControlMode=wrong),
    }
    session = run(visiting("DC_BPT", "Dynamic"), Station(answers=answers))
    assert session.ended is not None
    assert isinstance(session.ended.error, PeerMisbehaved)
    assert session.ended.error.requirement == "V2G20-1640"


@pytest.mark.parametrize("wrong", [{"target_soc": 101.0}, {"minimum_soc": -1.0}, {"minimum_soc": 60.0, "target_soc": 50.0}])
def test_needs_that_cannot_be_meant_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="target_soc"):
        words.MobilityNeedsSet(**wrong)
    with pytest.raises(ValueError, match="target_soc"):
        replace(Stay(), **wrong)
