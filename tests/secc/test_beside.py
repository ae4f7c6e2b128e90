"""A schedule negotiated beside the charge loop: what is answered, what binds when, and what a car that means no good gets of it."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from secc.iso20.beside import LAPSE, QUESTIONS
from tests.secc.scripted import Scripted, r
from v2g.energy.offer import Offer
from v2g.messages.common_messages import PowerDeliveryReq, ScheduleExchangeReq, ScheduleExchangeRes
from v2g.messages.common_types import evseNotificationType, processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import FrameSent
from v2g.session.errors import SequenceError, TimedOut
from v2g.session.v2gtp import PayloadType

SIDE = PayloadType.SCHEDULE_RENEGOTIATION
SERVICES = ("AC", "DC_BPT")


class Slow(Scripted):
    """A station whose scheduler answers when the test lets it: `pending` are the questions."""

    hold = False

    def grant(self, event: Any) -> words.Fact | None:
        return None if self.hold and isinstance(event, words.NeedsChanged) else super().grant(event)


def charging(service: str = "DC_BPT", control: str = "Scheduled") -> Slow:
    car = Slow()
    car.charging(service, control)
    car.hold = True
    return car


def beside(car: Scripted, control: str = "Scheduled", **changes: Any) -> Any:
    return car.exchange(control, on=SIDE, **{"EVTargetEnergyRequest": r(20e3), **changes})


def ready(car: Scripted, power: float = 11_000.0) -> None:
    """The scheduler has an offer: one power throughout, in the first tuple."""
    made = car.offer(car.wants(words.NeedsChanged)[-1].needs)
    first = made.tuples[0]
    charging = first.charging.map(lambda value: power)
    car.tell(words.ScheduleReady(replace(made, tuples=(replace(first, charging=charging),))))


def looped(car: Scripted, seconds: float, service: str, control: str = "Scheduled") -> Any:
    """Loop so many seconds; the last response."""
    response: Any = None
    for _ in range(max(1, round(seconds / 0.4))):
        car.wait(0.4)
        response = car.loop(service, control)
        assert response.ResponseCode is Code.OK
    return response


def allowed(car: Scripted) -> float:
    from secc.neutral.bounds import schedule_limits

    context = car.session.context
    return schedule_limits(replace(context, moment=replace(context.moment, wall=car.wall)))[0]


@pytest.mark.parametrize("service", SERVICES)
def test_the_loop_goes_on_while_a_schedule_is_negotiated_and_power_delivery_makes_it_bind(service: str) -> None:
    car = charging(service)
    for _ in range(3):
        answer = beside(car)
        assert (answer.ResponseCode, answer.EVSEProcessing) == (Code.OK, processingType.Ongoing)
        looped(car, 1.0, service)
    assert len(car.wants(words.NeedsChanged)) == 2  # one question, however often it polls
    assert car.wants(words.NeedsChanged)[-1].needs.energy_target == 20e3
    ready(car, 6_000.0)
    assert allowed(car) == 11_000.0
    answer = beside(car)
    assert (answer.ResponseCode, answer.EVSEProcessing) == (Code.OK, processingType.Finished)
    power = answer.Scheduled_SEResControlMode.ScheduleTuple[0].ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry[0]
    assert power.Power == r(6_000)
    looped(car, 1.0, service)
    assert allowed(car) == 11_000.0  # shown is not taken over
    started = len(car.wants(words.PowerStarted))
    assert car.deliver("Start", EVPowerProfile=car.profile(power=6_000.0)).ResponseCode is Code.OK
    assert allowed(car) == 6_000.0
    assert car.wants(words.ScheduleChosen)[-1].profile.values[0] == 6_000.0
    assert len(car.wants(words.PowerStarted)) == started  # it never ended
    looped(car, 1.0, service)
    assert not car.wants(words.OpenContactor)
    sent = [event.payload_type for event in car.happened if isinstance(event, FrameSent) and isinstance(event.message, ScheduleExchangeRes)]
    assert sent[-4:] == [SIDE] * 4


def test_either_progress_of_power_delivery_takes_over_what_was_shown_and_without_a_profile_it_begins_anew() -> None:
    for progress, profile, loops in (("Start", True, True), ("ScheduleRenegotiation", True, True), ("ScheduleRenegotiation", False, False)):
        car = charging()
        beside(car)
        ready(car, 6_000.0)
        beside(car)
        fields = {"EVPowerProfile": car.profile(power=6_000.0)} if profile else {}
        assert car.deliver(progress, **fields).ResponseCode is Code.OK
        assert car.session.context.service.aside is None
        if loops:
            assert allowed(car) == 6_000.0
            looped(car, 0.4, "DC_BPT")
        else:
            car.hold = False
            assert car.scheduled().ResponseCode is Code.OK


@pytest.mark.parametrize("service", SERVICES)
def test_a_profile_of_the_old_schedule_is_refused_once_the_new_one_was_shown_and_taken_before(service: str) -> None:
    car = charging(service)
    beside(car)
    assert car.deliver("Start", EVPowerProfile=car.profile(power=10_000.0)).ResponseCode is Code.OK
    assert car.session.context.service.aside is not None
    ready(car, 6_000.0)
    beside(car)
    assert car.deliver("Start", EVPowerProfile=car.profile(power=10_000.0)).ResponseCode is Code.FAILED_EVPowerProfileInvalid
    assert car.wants(words.OpenContactor)


def test_the_station_s_own_offer_is_shown_at_once_and_its_notice_is_gone() -> None:
    car = charging()
    offer: Offer = car.offer(car.wants(words.NeedsChanged)[-1].needs)
    car.tell(words.ScheduleReady(offer))
    response = car.loop("DC_BPT")
    assert response.EVSEStatus.EVSENotification is evseNotificationType.ScheduleRenegotiation
    questions = len(car.wants(words.NeedsChanged))
    assert beside(car, EVTargetEnergyRequest=r(30e3)).EVSEProcessing is processingType.Finished
    assert len(car.wants(words.NeedsChanged)) == questions
    assert car.loop("DC_BPT").EVSEStatus is None


def test_what_the_station_asked_for_and_the_car_does_not_take_over_is_asked_for_again() -> None:
    for shown in (True, False):
        car = charging()
        car.tell(words.RenegotiationAsked("Schedule"))
        assert car.loop("DC_BPT").EVSEStatus is not None
        beside(car)
        if shown:
            ready(car, 6_000.0)
            beside(car)
        assert looped(car, LAPSE - 2.0, "DC_BPT").EVSEStatus is None
        response = looped(car, 4.0, "DC_BPT")
        assert response.EVSEStatus.EVSENotification is evseNotificationType.ScheduleRenegotiation
        assert allowed(car) == 11_000.0
        assert (car.session.context.service.coming is not None) is shown


def test_what_the_car_alone_wished_for_and_forgets_lapses_in_silence() -> None:
    car = charging()
    beside(car)
    assert looped(car, LAPSE + 2.0, "DC_BPT").EVSEStatus is None
    assert car.session.context.service.aside is None


def test_a_car_that_wishes_something_else_with_every_poll_costs_no_plan_each_time() -> None:
    car = charging("AC")
    begun, before = car.now, len(car.wants(words.NeedsChanged))
    for poll in range(60):
        assert beside(car, EVTargetEnergyRequest=r(10e3 + 500 * poll)).EVSEProcessing is processingType.Ongoing
        looped(car, 0.4, "AC")
    assert len(car.wants(words.NeedsChanged)) - before <= (car.now - begun) / QUESTIONS + 1


def test_no_schedule_in_time_ends_no_session_and_the_binding_one_is_said_again() -> None:
    car = charging("AC")
    answer = beside(car)
    for _ in range(90):
        looped(car, 1.0, "AC")
        answer = beside(car)
        if answer.EVSEProcessing is processingType.Finished:
            break
    assert answer.ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    power = answer.Scheduled_SEResControlMode.ScheduleTuple[0].ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry[0]
    assert power.Power == r(11_000)
    looped(car, 1.0, "AC")
    assert car.session.ended is None


@pytest.mark.parametrize("service", SERVICES)
def test_a_session_that_is_to_end_negotiates_nothing_and_a_poll_that_crosses_the_stop_is_answered(service: str) -> None:
    car = charging(service)
    beside(car)
    car.tell(words.StopAsked("the driver's card"))
    assert beside(car).ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    ready(car, 6_000.0)
    assert car.deliver("ScheduleRenegotiation", EVPowerProfile=car.profile()).ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    assert car.loop(service).EVSEStatus.EVSENotification is evseNotificationType.Terminate

    car = charging(service)
    beside(car)
    car.tell(words.StopAsked("the driver's card"))
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert beside(car).ResponseCode is Code.WARNING_ScheduleRenegotiationFailed
    assert car.stop().ResponseCode is Code.OK
    car.octets(b"")
    assert car.session.ended is not None
    assert car.session.ended.well


def _on_the_main_stream(car: Scripted) -> Any:
    return car.exchange()


def _before_power(car: Scripted) -> Any:
    car.deliver("ScheduleRenegotiation")
    return beside(car)


def _after_power(car: Scripted) -> Any:
    car.deliver("Stop")
    return beside(car)


def _another_message(car: Scripted) -> Any:
    return car.ask(PowerDeliveryReq, SIDE, EVProcessing=processingType.Finished, ChargeProgress=car.power("Stop").ChargeProgress)


@pytest.mark.parametrize("order", [_on_the_main_stream, _before_power, _after_power, _another_message])
@pytest.mark.parametrize("service", SERVICES)
def test_an_order_that_makes_no_sense_is_refused_with_its_reason(service: str, order: Any) -> None:
    car = charging(service)
    assert order(car).ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, SequenceError)
    assert car.session.ended.reason
    assert car.wants(words.OpenContactor) or not car.session.context.energised


def test_another_control_than_was_selected_is_refused() -> None:
    car = charging()
    assert beside(car, "Dynamic", EVMaximumEnergyRequest=r(40e3)).ResponseCode is Code.FAILED
    assert car.wants(words.OpenContactor)


def test_polls_beside_a_loop_that_stopped_do_not_keep_the_session_alive() -> None:
    car = charging()
    for _ in range(4):
        car.wait(0.2)
        if car.session.ended is not None:
            break
        car.send(ScheduleExchangeReq(Header=car.header(), MaximumSupportingPoints=1024, **_needs()), SIDE)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, TimedOut)
    assert car.wants(words.OpenContactor)


def _needs() -> dict[str, Any]:
    from v2g.messages.common_messages import Scheduled_SEReqControlModeType

    return {"Scheduled_SEReqControlMode": Scheduled_SEReqControlModeType(DepartureTime=3600)}


def test_it_is_answered_while_the_main_stream_waits() -> None:
    car = charging("AC")
    car.auto = False
    car.send(car.power("Stop"))
    assert car.answers() == []  # for the contactor
    answer = beside(car)
    assert isinstance(answer, ScheduleExchangeRes)
    car.tell(words.ContactorIs(False))
    (stopped,) = car.answers()
    assert stopped.ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK


def test_in_dynamic_control_the_new_needs_count_from_the_question_and_the_profile_from_power_delivery() -> None:
    car = charging("DC_BPT", "Dynamic")
    assert beside(car, "Dynamic").EVSEProcessing is processingType.Ongoing
    ready(car)
    looped(car, 0.4, "DC_BPT", "Dynamic")
    assert beside(car, "Dynamic").EVSEProcessing is processingType.Finished
    assert car.deliver("Start", EVPowerProfile=car.profile("Dynamic", 4_000.0)).ResponseCode is Code.OK
    assert car.session.context.service.exchange.needs.energy_target == 20e3
    looped(car, 0.4, "DC_BPT", "Dynamic")


def test_a_renegotiation_of_the_service_forgets_what_was_begun_beside_the_loop() -> None:
    car = charging()
    beside(car)
    car.deliver("Stop")
    car.stop("ServiceRenegotiation")
    assert car.session.context.service.aside is None
