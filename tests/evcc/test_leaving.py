"""When a car leaves, waits, or negotiates anew: the driver first, then the goal, then what the station asks for."""

from itertools import pairwise
from typing import Any

import pytest

from evcc.goal import Goal
from evcc.iso20.renegotiation import schedule_renegotiation
from secc import station as words
from tests.evcc.scripted_station import (
    EPOCH,
    STANDARD,
    Answer,
    Code,
    Station,
    discovery,
    loop_ac,
    loop_dc,
    ok,
    power_schedule,
    run,
    schedule_tuple,
)
from tests.evcc.scripted_station import schedule as offer_schedule
from tests.evcc.test_guard import told
from tests.evcc.test_pair import car as paired_car
from tests.evcc.test_session import DC, HEAD, MIDDLE, SAFE, asking, car, error
from tests.evcc.virtual_pair import Pair
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.messages import ac
from v2g.messages import common_messages as cm
from v2g.messages.common_types import EVSEStatusType, evseNotificationType
from v2g.session.endpoint import Noted
from v2g.session.errors import PeerIncompatible

HOUR = 3600


def standard(name: str) -> Answer:
    return SAFE.get(name) or STANDARD.get(name) or (lambda q, s: ok(q, s))


# --- the driver ---


@pytest.mark.parametrize("name", [f"{name}Req" for name in [*HEAD[1:], *MIDDLE, *DC[:5]]])
def test_the_driver_leaves_in_every_state_before_power(name: str) -> None:
    """He asks while the answer to this request is on its way: the next request is SessionStop, however far it was."""
    visitor = car(loops=None)
    station = Station(answers={**SAFE, name: asking(visitor, 1, standard(name))})
    session = run(visitor, station)
    assert session.ended is not None
    assert (session.ended.how, session.ended.error) == ("Terminate", None)
    assert station.names()[-2:] == [name.removesuffix("Req"), "SessionStop"]
    assert station.of(cm.SessionStopReq)[0].EVTerminationExplanation == "the driver asked"
    assert not visitor.closed
    assert visitor.pilot == "B"
    assert visitor.loops == 0


@pytest.mark.parametrize(("name", "service"), [("ScheduleExchangeReq", "AC"), ("ScheduleExchangeReq", "DC"), ("PowerDeliveryReq", "DC")])
def test_the_driver_leaves_in_a_renegotiation_too(name: str, service: str) -> None:
    visitor = car(service, loops=None)
    station = Station(answers={**SAFE, name: asking(visitor, 2, standard(name))})
    session = run(visitor, station, schedule_renegotiation(3))
    assert session.ended is not None
    assert (session.ended.how, session.ended.error) == ("Terminate", None)
    assert station.names()[-2:] == [name.removesuffix("Req"), "SessionStop"]
    assert not visitor.closed


@pytest.mark.parametrize("notification", ["ScheduleRenegotiation", "ServiceRenegotiation", "MeteringConfirmation", "Pause"])
@pytest.mark.parametrize("loops", [None, 5, 9])
def test_no_notification_keeps_a_car_that_wants_to_leave(notification: str, loops: int | None) -> None:
    """Neither its driver nor its number of loops waits for a station that asks for something in every loop."""
    stopped, visitor = loops is None, car("AC", loops=loops)
    station = Station(answers=SAFE, notify=dict.fromkeys(range(5, 3_000), notification))
    station.answers["AC_ChargeLoopReq"] = asking(visitor, 5 if stopped else 10_000, loop_ac)
    session = run(visitor, station, until=2_000.0)
    assert session.ended is not None
    assert session.ended.well
    if notification == "Pause" and not stopped:
        assert (session.ended.how, visitor.loops) == ("Pause", 5)
    else:
        assert (session.ended.how, visitor.loops) == ("Terminate", loops or 5)


@pytest.mark.parametrize("notification", ["ScheduleRenegotiation", "ServiceRenegotiation"])
def test_a_station_that_asks_in_every_loop_gets_one_renegotiation_a_minute(notification: str) -> None:
    visitor = car("AC", loops=1_800)
    station = Station(answers=SAFE, notify=dict.fromkeys(range(1, 10_000), notification))
    session = run(visitor, station, until=2_000.0)
    assert session.ended is not None
    assert session.ended.well
    exchanges = station.of(cm.ScheduleExchangeReq)
    minutes = (visitor.wall - EPOCH) / 60
    assert minutes > 3
    assert minutes - 2 <= len(exchanges) - 1 <= minutes + 1
    times = [request.Header.TimeStamp for request in exchanges[1:]]
    assert all(later - earlier >= 59 for earlier, later in pairwise(times))


def test_what_was_asked_for_once_and_too_soon_is_done_when_it_is_time() -> None:
    visitor = car("AC", loops=1_500)
    station = Station(answers=SAFE, notify={5: "ScheduleRenegotiation", 9: "ScheduleRenegotiation"})
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well
    first, second, third = (request.Header.TimeStamp for request in station.of(cm.ScheduleExchangeReq))
    assert second - first <= 2
    assert 59 <= third - second <= 62


# --- service renegotiation that was not announced ---


def test_a_service_renegotiation_that_was_not_announced_is_not_obeyed() -> None:
    announced = lambda q, s: ok(  # noqa: E731
        q, s, ServiceRenegotiationSupported=False, EnergyTransferServiceList=discovery(q, s).EnergyTransferServiceList
    )
    station = Station(answers={**SAFE, "ServiceDiscoveryReq": announced}, notify={3: "ServiceRenegotiation"})
    session = run(car(loops=9), station)
    assert session.ended is not None
    assert session.ended.well
    assert station.names().count("ServiceDiscovery") == 1
    assert [q.ChargingSession.value for q in station.of(cm.SessionStopReq)] == ["Terminate"]
    assert any(isinstance(event, Noted) and event.facts.get("requirement") == "V2G20-1477" for event in session.events())


@pytest.mark.parametrize(("notification", "how"), [("Terminate", "Terminate"), ("Pause", "Pause")])
def test_what_the_answer_to_the_start_asks_for_is_heard(notification: str, how: str) -> None:
    def start(q: Any, s: Station) -> Any:
        asked = EVSEStatusType(NotificationMaxDelay=0, EVSENotification=evseNotificationType(notification))
        return ok(q, s, EVSEStatus=asked if q.ChargeProgress is cm.chargeProgressType.Start else None)

    station = Station(answers={**SAFE, "PowerDeliveryReq": start})
    session = run(car(loops=9), station)
    assert session.ended is not None
    assert (session.ended.how, session.ended.error) == (how, None)
    assert station.loops == 0


# --- a station without power ---


def without_power(until: float) -> Answer:
    """Schedules of nothing until a time (epoch s), of 40 kW from then."""

    def answer(q: Any, s: Station) -> Any:
        now = q.Header.TimeStamp
        s.tuples = (schedule_tuple(3, power_schedule(now, (8 * HOUR, 0.0 if now < until else 40e3))),)
        return offer_schedule(q, s)

    return answer


@pytest.mark.parametrize("departure", [None, EPOCH + 24 * HOUR])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_car_without_power_waits_and_asks_ever_less_often(service: str, departure: float | None) -> None:
    """Not in its first loop: after a minute, two, four and so on, at most every quarter of an hour; and it charges when there is power."""
    visitor = car(service, scale=30.0, loops=None, goal=Goal(target_soc=25, departure=departure))
    station = Station(answers={**SAFE, "ScheduleExchangeReq": without_power(EPOCH + 2 * HOUR)})
    session = run(visitor, station)
    assert session.ended is not None
    assert session.ended.well, session.ended
    assert visitor.ev.soc == pytest.approx(25.0, abs=0.2)
    asked = [request.Header.TimeStamp - EPOCH for request in station.of(cm.ScheduleExchangeReq)]
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    for gap, wanted in zip(gaps, (60, 120, 240, 480, 900, 900, 900), strict=False):
        assert wanted - 1 <= gap <= wanted + 30
    assert 8 <= len(asked) <= 13
    assert sum(request.ChargeProgress.value == "Stop" for request in station.of(cm.PowerDeliveryReq)) == 1


def test_a_car_waits_for_power_no_longer_than_its_stay() -> None:
    departure = EPOCH + 3 * HOUR
    visitor = car("DC", scale=60.0, loops=None, goal=Goal(target_soc=80, departure=departure))
    session = run(visitor, Station(answers={**SAFE, "ScheduleExchangeReq": without_power(EPOCH + 24 * HOUR)}))
    assert session.ended is not None
    assert session.ended.well, session.ended
    assert visitor.ev.charged == 0.0
    assert departure <= visitor.wall <= departure + 120


def test_our_own_station_without_power_is_waited_for() -> None:
    """Both ends: the car renegotiates with our station until it offers power."""
    visitor = paired_car("AC", scale=60.0, loops=None)
    visitor.goal = Goal(target_soc=42, minimum_soc=20)
    began = visitor.wall

    class Late(Pair):
        def _serve(self, event: Any) -> None:
            if isinstance(event, words.NeedsChanged):
                watts = 0.0 if self.car.wall < began + HOUR else 20_000.0
                self._after(words.ScheduleReady(Offer((Tuple(11, Series.constant(int(self.car.wall), 4 * HOUR, watts)),))))
            else:
                super()._serve(event)

    pair = Late(visitor)
    assert pair.evcc.ended is not None
    assert pair.evcc.ended.well, pair.evcc.ended
    assert visitor.ev.soc == pytest.approx(42.0, abs=0.2)
    assert 4 <= len(pair.of(words.ScheduleChosen)) <= 9


# --- a renegotiation that is refused ---


@pytest.mark.parametrize("progress", ["ScheduleRenegotiation", "Start"])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_refused_renegotiation_leaves_in_order(service: str, progress: str) -> None:
    def refused(q: Any, s: Station) -> Any:
        again = q.ChargeProgress.value == progress and len(s.of(cm.PowerDeliveryReq)) > 1
        return ok(q, s, ResponseCode=Code.WARNING_ScheduleRenegotiationFailed if again else Code.OK)

    station = Station(answers={**SAFE, "PowerDeliveryReq": refused})
    session = run(car(service, loops=20), station, schedule_renegotiation(3))
    assert session.ended is not None
    assert (session.ended.how, session.ended.error) == ("Terminate", None)
    assert station.loops == 3
    assert [q.ChargeProgress.value for q in station.of(cm.PowerDeliveryReq)][-1] == "Stop"
    assert station.names()[-1] == "SessionStop"


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_renegotiation_without_a_usable_schedule_leaves_in_order(service: str) -> None:
    def past(q: Any, s: Station) -> Any:
        s.tuples = () if s.loops == 0 else (schedule_tuple(3, power_schedule(EPOCH - 2 * HOUR, (HOUR, 40e3))),)
        return offer_schedule(q, s)

    station = Station(answers={**SAFE, "ScheduleExchangeReq": past})
    session = run(car(service, loops=20), station, schedule_renegotiation(3))
    assert session.ended is not None
    assert session.ended.well
    assert [q.ChargeProgress.value for q in station.of(cm.PowerDeliveryReq)] == ["Start", "ScheduleRenegotiation", "Stop"]


def test_no_schedule_at_the_start_opens_what_the_pre_charge_closed() -> None:
    past = lambda q, s: offer_schedule(q, s)  # noqa: E731
    station = Station(answers={**SAFE, "ScheduleExchangeReq": past})
    station.tuples = (schedule_tuple(3, power_schedule(EPOCH - 2 * HOUR, (HOUR, 40e3))),)
    visitor = car()
    session = run(visitor, station)
    assert isinstance(error(session), PeerIncompatible)
    assert told(session.events())[-3:] == ["contactors False", "SessionStop", "control pilot B"]  # open before it is said
    assert not visitor.closed
    assert not station.of(ac.AC_ChargeLoopReq)


def test_a_bidirectional_car_still_leaves_when_the_driver_asks() -> None:
    visitor = car("DC_BPT", loops=None, goal=Goal(departure=EPOCH + 10 * HOUR))
    session = run(visitor, Station(answers={**SAFE, "DC_ChargeLoopReq": asking(visitor, 4, loop_dc)}))
    assert session.ended is not None
    assert session.ended.well
    assert visitor.loops == 4
