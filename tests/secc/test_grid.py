"""A limit or a wish of the grid reaches the car: within one loop in Dynamic control, by another schedule in Scheduled, whoever tells it."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from secc.neutral.bounds import bounds
from tests.evcc.test_pair import car as visitor_of
from tests.evcc.test_pair import ended
from tests.evcc.virtual_pair import LIMITS as PAIRED
from tests.evcc.virtual_pair import Pair, night
from tests.secc.scripted import LIMITS, Scripted, outlet, r
from tests.secc.test_backend import HOUR, NEEDS, START, Desk
from v2g.energy.der import EnterService, GridControl
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2g.iso20.rational import number
from v2g.messages.common_types import evseNotificationType as Notification
from v2g.session.endpoint import Event

LOW = replace(LIMITS, charge_power=4_000.0, discharge_power=2_000.0)


def charging(service: str, control: str) -> Scripted:
    car = Scripted(outlet(services=(service,)))
    car.charging(service, control)
    return car


def notified(response: Any) -> Any:
    return None if response.EVSEStatus is None else response.EVSEStatus.EVSENotification


def test_in_dynamic_control_the_next_loop_has_it() -> None:
    for fact, into, out in ((words.LimitsChanged(LOW), 4_000.0, 2_000.0), (words.SetpointChanged(-1_500.0), 0.0, 1_500.0)):
        car = charging("DC_BPT", "Dynamic")
        car.tell(fact)
        said = car.loop("DC_BPT", "Dynamic").CLResControlMode
        assert (said.EVSEMaximumChargePower, said.EVSEMaximumDischargePower) == (r(into), r(out))
        last = car.wants(words.SetOutput)[-1]
        assert -out <= last.power <= into
        car = charging("AC_BPT", "Dynamic")
        car.tell(fact)
        target = car.loop("AC_BPT", "Dynamic").CLResControlMode.EVSETargetActivePower
        assert target == (r(4_000.0) if isinstance(fact, words.LimitsChanged) else r(-1_500.0))
        assert notified(car.loop("AC_BPT", "Dynamic")) is None


@pytest.mark.parametrize("service", ["AC_DER_IEC", "AC_DER_SAE"])
def test_without_leave_to_serve_the_station_asks_for_nothing_back(service: str) -> None:
    """Whatever the setpoint is: the car is told so, and the station's own target is none either."""
    car = Scripted(outlet(services=(service,)))
    car.tell(words.GridControlChanged(GridControl(enter_service=EnterService(permit=False))))
    car.charging(service, "Dynamic")
    car.tell(words.SetpointChanged(-3_000.0))
    said = car.loop(service, "Dynamic").CLResControlMode
    assert number(said.EVSEMaximumDischargePower) == 0.0
    assert car.wants(words.SetPower)[-1].power == 0.0
    car.tell(words.GridControlChanged(GridControl()), words.SetpointChanged(-2_000.0))
    car.loop(service, "Dynamic")
    assert car.wants(words.SetPower)[-1].power == -2_000.0


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_in_scheduled_control_it_holds_at_once_and_the_car_is_asked_for_another_schedule(service: str) -> None:
    car = charging(service, "Scheduled")
    car.tell(words.LimitsChanged(LOW))
    response = car.loop(service)
    assert notified(response) is Notification.ScheduleRenegotiation
    if service == "AC":
        assert response.CLResControlMode.EVSETargetActivePower == r(4_000)
    else:
        assert car.wants(words.SetOutput)[-1].power <= 4_000.0
    car.deliver("ScheduleRenegotiation")
    car.scheduled()  # by a scheduler that knows nothing of the limit
    car.start()
    assert notified(car.loop(service)) is None  # asked once for a limit, not again for what came of it


def test_a_limit_that_leaves_the_schedule_as_it_is_is_no_news_and_one_that_rises_again_is() -> None:
    car = charging("DC", "Scheduled")
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=12_000.0)))  # the schedule has 11 kW at most
    assert notified(car.loop("DC")) is None
    car.tell(words.LimitsChanged(LOW))
    car.deliver("ScheduleRenegotiation")
    car.scheduled()
    car.start()
    car.tell(
        words.LimitsChanged(replace(LOW, voltage=800.0, charge_power=10_990.0))
    )  # within error of the schedule, above what it was made under
    assert notified(car.loop("DC")) is Notification.ScheduleRenegotiation


def test_what_is_over_of_a_schedule_is_promised_no_more() -> None:
    car = charging("DC", "Scheduled")  # 11 kW, then nothing, then 7 kW
    car.jump(3600.0)
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=7_000.0)))
    assert notified(car.loop("DC", EVTargetCurrent=r(0))) is None


def test_before_power_and_in_dynamic_control_nobody_is_asked_to_renegotiate() -> None:
    car = Scripted(outlet(services=("DC",)))
    car.ready("DC")
    car.tell(words.LimitsChanged(LOW))
    car.start()
    assert notified(car.loop("DC")) is None
    assert bounds(replace(car.session.context, moment=replace(car.session.context.moment, wall=car.wall))).charge == 4_000.0


# --- both ends ---


class Limited(Pair):
    """A station whose scheduler knows the limits: what is asked for anew is offered within them."""

    def _serve(self, event: Event) -> None:
        if isinstance(event, words.NeedsChanged) and not event.first:
            offer = night(int(self.car.wall))
            (first,) = offer.tuples
            assert first.charging is not None
            capped = replace(first, charging=first.charging.map(lambda power: min(power, 4_000.0)))
            self._after(words.ScheduleReady(replace(offer, tuples=(capped,))))
        else:
            super()._serve(event)


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_our_car_follows_a_new_limit_by_another_schedule(service: str, beside: bool) -> None:
    limit = words.LimitsChanged(replace(PAIRED, charge_power=4_000.0))
    pair = Limited(visitor_of(service, loops=60, beside=beside), facts={10: limit})
    assert ended(pair) == "Terminate"
    first, second = pair.of(words.ScheduleChosen)
    assert max(second.profile.values) <= 4_000.0 < max(first.profile.values)
    assert len(pair.of(words.PowerStarted)) == 1


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_our_car_follows_a_new_limit_in_dynamic_control_in_the_next_loop(service: str) -> None:
    limit = words.LimitsChanged(replace(PAIRED, charge_power=3_000.0))
    pair = Pair(visitor_of(service, "Dynamic", loops=30), facts={10: limit})
    assert ended(pair) == "Terminate"
    reports = [event for event in pair.happened if isinstance(event, words.EVReported)]
    after = [event.power for event in reports if event.at > reports[12].at]
    assert after
    assert max(power or 0.0 for power in after) <= 3_000.0


# --- the built-in backend ---


def signal(power: float) -> Signal:
    return Signal("dso:1", Kind.IMPORT_CAP, Series.constant(START, 3 * HOUR, power))


def planned(control: str) -> Desk:
    desk = Desk()
    desk.hear(words.ServiceSelected(0.0, "DC", control), words.NeedsChanged(0.0, NEEDS, first=True))  # type: ignore[arg-type]
    desk.work()
    desk.hear(words.PowerStarted(0.0))
    return desk


def test_a_signal_steers_the_car_in_dynamic_control_at_once_and_plans_anew_in_scheduled() -> None:
    desk = planned("Dynamic")
    desk.wall = START + HOUR  # the cheapest hour
    desk.pass_time(0.0)
    assert [fact.power for fact in desk.told if isinstance(fact, words.SetpointChanged)][-1] == 11e3
    desk.backend.follow((signal(3_000.0),))
    assert [fact.power for fact in desk.told if isinstance(fact, words.SetpointChanged)][-1] == 3_000.0

    desk = planned("Scheduled")
    desk.backend.follow((signal(3_000.0),))
    desk.work()
    offers = [fact.offer for fact in desk.told if isinstance(fact, words.ScheduleReady)]
    assert len(offers) == 2
    assert max(max(each.charging.values) for each in offers[-1].tuples if each.charging is not None) <= 3_000.0
    car = charging("DC", "Scheduled")
    car.tell(words.ScheduleReady(offers[-1]))
    assert notified(car.loop("DC")) is Notification.ScheduleRenegotiation


def test_the_next_plan_is_within_what_the_outlet_can_by_then() -> None:
    desk = planned("Scheduled")
    desk.hear(words.LimitsChanged(LOW), words.NeedsChanged(0.0, NEEDS, first=False))
    desk.work()
    offer = [fact.offer for fact in desk.told if isinstance(fact, words.ScheduleReady)][-1]
    assert max(max(each.charging.values) for each in offer.tuples if each.charging is not None) <= 4_000.0
