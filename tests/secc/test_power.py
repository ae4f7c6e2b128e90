"""CableCheck, PreCharge, PowerDelivery, WeldingDetection: the outlet before, while and after it is live."""

from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import EPOCH, Scripted, outlet, r
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.iso20.rational import number
from v2g.iso20.services import SERVICES
from v2g.messages.common_messages import (
    EVPowerProfileEntryListType,
    PowerScheduleEntryType,
    Scheduled_EVPPTControlModeType,
    ServiceDiscoveryReq,
    powerToleranceAcceptanceType,
)
from v2g.messages.common_types import evseNotificationType, processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import StationFailed


def before_cable_check(**changes: Any) -> Scripted:
    car = Scripted(outlet(**changes))
    car.authorized("DC")
    car.select("DC")
    car.parameters("DC")
    car.scheduled()
    return car


def ready(service: str = "DC", control: str = "Scheduled", **changes: Any) -> Scripted:
    car = Scripted(outlet(**changes))
    car.ready(service, control)
    return car


# --- cable check ---


def test_isolation_is_measured_once_at_the_highest_common_voltage() -> None:
    car = before_cable_check()
    car.auto = False
    for _ in range(4):
        assert car.cable_check().EVSEProcessing is processingType.Ongoing
    (want,) = car.wants(words.CheckIsolation)
    assert want.voltage == 450
    car.tell(words.IsolationMeasured(True))
    assert car.cable_check().EVSEProcessing is processingType.Finished


def test_faulty_isolation_ends_the_session() -> None:
    car = before_cable_check()
    car.auto = False
    car.cable_check()
    car.tell(words.IsolationMeasured(False))
    assert car.cable_check().ResponseCode is Code.FAILED
    assert len(car.wants(words.OpenContactor)) == 1


def test_isolation_that_is_never_measured_ends_before_the_car_gives_up() -> None:
    car = before_cable_check()
    car.auto = False
    seconds = 0
    while car.cable_check().ResponseCode is Code.OK:
        assert seconds <= 40, "it is Ongoing for ever"
        car.wait(1)
        seconds += 1
    assert 35 <= seconds <= 40


@pytest.mark.parametrize(("pilot", "code"), [("B", Code.FAILED), ("F", Code.FAILED), ("C", Code.OK), ("D", Code.OK)])
def test_cable_check_wants_a_car_that_asks_for_energy(pilot: Any, code: Code) -> None:
    car = before_cable_check()
    car.tell(words.PilotIs(pilot))
    assert car.cable_check().ResponseCode is code


# --- precharge ---


@pytest.mark.parametrize(("target", "expected"), [(400, 400), (5000, 450), (-100, 0), (0, 0)])
def test_precharge_follows_the_car_within_the_range_of_both(target: float, expected: float) -> None:
    car = before_cable_check()
    car.cable_check()
    car.cable_check()
    assert car.pre_charge(target=target).ResponseCode is Code.OK
    assert number(car.pre_charge(target=target).EVSEPresentVoltage) == expected
    (want,) = car.wants(words.SetOutput)
    assert want.voltage == expected
    assert want.current <= 2


def test_precharge_polls_until_the_car_is_done() -> None:
    car = before_cable_check()
    car.cable_check()
    car.cable_check()
    for _ in range(5):
        assert car.pre_charge().ResponseCode is Code.OK
    car.pre_charge("Finished")
    assert car.pre_charge("Finished").ResponseCode is Code.OK
    assert car.start().ResponseCode is Code.OK


# --- start ---


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_the_answer_to_start_waits_for_the_contactor(service: str) -> None:
    car = ready(service)
    car.auto = False
    car.send(car.power("Start", EVPowerProfile=car.profile()))
    assert car.answers() == []
    assert len(car.wants(words.CloseContactor)) == 1
    car.wait(0.5)
    car.tell(words.MeterRead(words.MeterReading("M", 0, 0, EPOCH)))
    assert car.answers() == []
    car.tell(words.ContactorIs(True))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK
    assert len(car.wants(words.CloseContactor)) == len(car.wants(words.PowerStarted)) == len(car.wants(words.ScheduleChosen)) == 1


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_contactor_that_nobody_closed_is_a_fault_and_no_start(service: str) -> None:
    car = Scripted()
    car.authorized(service)
    car.auto = False
    car.tell(words.ContactorIs(True))
    assert len(car.wants(words.OpenContactor)) == 1
    assert car.ask(ServiceDiscoveryReq).ResponseCode.value.startswith("FAILED")
    assert isinstance(car.session.ended.error, StationFailed)
    assert not car.wants(words.PowerStarted)


@pytest.mark.parametrize("told", [(), (words.ContactorIs(False),)])
def test_a_contactor_that_does_not_close_is_an_error_in_time(told: tuple[words.Fact, ...]) -> None:
    car = ready("AC")
    car.auto = False
    car.send(car.power("Start", EVPowerProfile=car.profile()))
    car.tell(*told)
    car.wait(1.3)
    assert car.answers() == []
    car.wait(0.2)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_ContactorError
    assert car.wants(words.PowerStarted) == []
    assert car.session.ended is not None


def test_frames_that_come_while_an_answer_waits_are_answered_after_it() -> None:
    from v2g.iso20.frames import framed

    car = ready("AC")
    car.auto = False
    both = framed(car.power("Start", EVPowerProfile=car.profile())) + framed(car.power("Stop"))
    car.octets(both)
    assert car.answers() == []
    car.auto = True
    car.tell(words.ContactorIs(True))
    assert [type(answer).__name__ for answer in car.answers()] == ["PowerDeliveryRes", "PowerDeliveryRes"]


def test_a_car_that_is_not_ready_polls() -> None:
    car = ready("DC")
    for _ in range(5):
        assert car.deliver("Start", EVProcessing=processingType.Ongoing).ResponseCode is Code.OK
    assert car.wants(words.PowerStarted) == []
    assert car.start().ResponseCode is Code.OK


def entries(*given: tuple[int, float]) -> EVPowerProfileEntryListType:
    return EVPowerProfileEntryListType(EVPowerProfileEntry=tuple(PowerScheduleEntryType(Duration=d, Power=r(p)) for d, p in given))


PROFILES = [
    ({}, Code.OK),
    ({"power": 11_000}, Code.OK),
    ({"power": 11_500}, Code.FAILED_EVPowerProfileInvalid),
    ({"power": -500}, Code.FAILED_EVPowerProfileInvalid),  # discharging in an hour that is for charging
    ({"tuple_id": 9}, Code.FAILED_ScheduleSelectionInvalid),
    ({"EVPowerProfileEntries": entries((3600, 5000), (3600, -9000), (3600, 7000))}, Code.OK),
    ({"EVPowerProfileEntries": entries((3600, 5000), (3600, -9500))}, Code.FAILED_EVPowerProfileInvalid),
    ({"EVPowerProfileEntries": entries((0, 5000))}, Code.FAILED_EVPowerProfileInvalid),
    ({"EVPowerProfileEntries": entries((4 * 3600, 500))}, Code.FAILED_EVPowerProfileInvalid),  # beyond the schedule
    ({"EVPowerProfileEntries": entries(*[(1, 5000)] * 2048)}, Code.OK),
    ({"TimeAnchor": 0}, Code.FAILED_EVPowerProfileInvalid),
]


@pytest.mark.parametrize(("changes", "code"), PROFILES)
def test_a_profile_is_held_against_the_schedule_that_was_offered(changes: dict[str, Any], code: Code) -> None:
    car = ready("DC_BPT")
    assert car.deliver("Start", EVPowerProfile=car.profile(**changes)).ResponseCode is code
    assert (car.session.ended is None) == (code is Code.OK)
    assert len(car.wants(words.ScheduleChosen)) == (code is Code.OK)


def test_a_profile_anchored_a_little_late_is_that_schedule() -> None:
    car = ready("DC_BPT")
    profile = car.profile(TimeAnchor=int(EPOCH + car.now) + 5, EVPowerProfileEntries=entries((3600, 11000), (3600, -9000), (3600, 7000)))
    assert car.deliver("Start", EVPowerProfile=profile).ResponseCode is Code.OK


@pytest.mark.parametrize(("length", "power"), [(30, 1e6), (1, 1e6), (29, 12_000)])
def test_a_profile_in_slices_is_held_as_a_whole(length: int, power: float) -> None:
    car = ready("AC")  # 11 kW were offered
    slices = entries(*[(length, power)] * 120)
    assert car.deliver("Start", EVPowerProfile=car.profile(EVPowerProfileEntries=slices)).ResponseCode is Code.FAILED_EVPowerProfileInvalid
    assert "leaves its schedule" in str(car.session.ended and car.session.ended.error)


@pytest.mark.parametrize(("late", "code"), [(30, Code.OK), (-30, Code.OK), (40, Code.FAILED_EVPowerProfileInvalid)])
def test_a_clock_that_is_off_shifts_every_edge_and_no_more(late: int, code: Code) -> None:
    car = Scripted(outlet())
    car.authorized("AC")
    car.select("AC")
    car.parameters("AC")
    car.auto = False
    car.exchange()
    start = float(int(car.wall)) - 60.0
    steps = [(start + 60 * i, 11_000.0 * (i % 2)) for i in range(120)]  # 60 edges at which being late is too much
    car.tell(words.ScheduleReady(Offer((Tuple(1, Series.from_pairs(steps, start + 7200)),))))
    car.exchange()
    car.auto = True
    whole = entries(*[(60, 11_000 * (i % 2)) for i in range(120)])
    profile = car.profile(TimeAnchor=int(start) + late, EVPowerProfileEntries=whole)
    assert car.deliver("Start", EVPowerProfile=profile).ResponseCode is code


def test_start_without_a_profile_is_invalid() -> None:
    assert ready("AC").deliver("Start").ResponseCode is Code.FAILED_EVPowerProfileInvalid


@pytest.mark.parametrize(("selected", "sent"), [("Scheduled", "Dynamic"), ("Dynamic", "Scheduled")])
def test_a_profile_of_the_other_control_mode_is_invalid(selected: str, sent: str) -> None:
    car = ready("AC", selected)
    assert car.deliver("Start", EVPowerProfile=car.profile(sent)).ResponseCode is Code.FAILED_EVPowerProfileInvalid


@pytest.mark.parametrize(
    ("required", "acceptance", "code"),
    [
        (False, "PowerToleranceConfirmed", Code.OK_PowerToleranceConfirmed),
        (False, "PowerToleranceNotConfirmed", Code.WARNING_PowerToleranceNotConfirmed),
        (True, "PowerToleranceConfirmed", Code.OK_PowerToleranceConfirmed),
        (True, None, Code.FAILED_PowerToleranceNotConfirmed),
    ],
)
def test_a_power_tolerance_is_confirmed_or_not(required: bool, acceptance: str | None, code: Code) -> None:
    car = Scripted(outlet(tolerance_required=required))
    car.authorized("AC")
    car.select("AC")
    car.parameters("AC")
    car.auto = False
    car.exchange()
    start = float(int(EPOCH + car.now))
    car.tell(words.ScheduleReady(Offer((Tuple(1, Series.constant(start, 3 * 3600, 9000.0), tolerance=200.0),))))
    answer = car.exchange()
    assert number(answer.Scheduled_SEResControlMode.ScheduleTuple[0].ChargingSchedule.PowerSchedule.PowerTolerance) == 200
    car.auto = True
    mode = Scheduled_EVPPTControlModeType(
        SelectedScheduleTupleID=1, PowerToleranceAcceptance=powerToleranceAcceptanceType[acceptance] if acceptance else None
    )
    assert car.deliver("Start", EVPowerProfile=car.profile(Scheduled_EVPPTControlMode=mode)).ResponseCode is code
    if car.session.ended is None:
        (chosen,) = car.wants(words.ScheduleChosen)
        assert chosen.tolerance_confirmed is (code is Code.OK_PowerToleranceConfirmed)


def test_a_station_that_stops_applies_no_power() -> None:
    car = ready("AC")
    car.tell(words.StopAsked("emergency stop"))
    assert car.start().ResponseCode is Code.FAILED_PowerDeliveryNotApplied


# --- standby, stop, renegotiation ---


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_standby_is_a_warning_and_the_session_goes_on(service: str) -> None:
    car = ready(service)
    assert car.deliver("Standby").ResponseCode is Code.WARNING_StandbyNotAllowed
    assert car.start().ResponseCode is Code.OK
    assert car.deliver("Standby").ResponseCode is Code.WARNING_StandbyNotAllowed
    assert car.loop(service).ResponseCode is Code.OK


@pytest.mark.parametrize("progress", ["Stop", "ScheduleRenegotiation"])
@pytest.mark.parametrize("service", ["AC", "DC"])
def test_what_ends_power_before_it_started_is_out_of_sequence(service: str, progress: str) -> None:
    car = ready(service)
    assert car.deliver(progress).ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None


def test_start_before_the_isolation_was_checked_is_out_of_sequence() -> None:
    car = before_cable_check()
    assert car.deliver("Start", EVPowerProfile=car.profile()).ResponseCode is Code.FAILED_SequenceError


def test_ac_stop_opens_the_contactor_before_it_is_answered() -> None:
    car = ready("AC")
    car.start()
    car.loop("AC")
    car.auto = False
    car.send(car.power("Stop"))
    assert car.answers() == []
    assert len(car.wants(words.OpenContactor)) == 1
    car.tell(words.ContactorIs(False))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK
    assert len(car.wants(words.PowerStopped)) == 1


def test_ac_stop_with_a_welded_contactor_is_an_error() -> None:
    car = ready("AC")
    car.start()
    car.auto = False
    car.send(car.power("Stop"))
    car.wait(1.5)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_ContactorError


def test_dc_stop_takes_the_output_away_and_leaves_the_contactor_for_the_welding_detection() -> None:
    car = ready("DC")
    car.start()
    car.loop("DC")
    assert car.deliver("Stop").ResponseCode is Code.OK
    last = car.wants(words.SetOutput)[-1]
    assert (last.voltage, last.current) == (0, 0)
    assert car.wants(words.OpenContactor) == []
    for _ in range(3):
        assert number(car.welding().EVSEPresentVoltage) == 0
    car.welding("Finished")
    assert car.stop().ResponseCode is Code.OK
    assert len(car.wants(words.OpenContactor)) == 1


@pytest.mark.parametrize(("pilot", "code"), [("B", Code.OK), ("C", Code.FAILED)])
def test_welding_detection_wants_a_car_that_asks_for_no_energy(pilot: Any, code: Code) -> None:
    car = ready("DC")
    car.start()
    car.deliver("Stop")
    car.tell(words.PilotIs(pilot))
    assert car.welding().ResponseCode is code


def test_dc_may_leave_the_welding_detection_out() -> None:
    car = ready("DC")
    car.start()
    car.deliver("Stop")
    assert car.stop().ResponseCode is Code.OK


@pytest.mark.parametrize("service", ["AC_BPT", "DC_BPT"])
def test_a_schedule_is_renegotiated_under_power(service: str) -> None:
    car = ready(service)
    car.start()
    car.loop(service)
    assert car.deliver("ScheduleRenegotiation").ResponseCode is Code.OK
    if SERVICES[service].dc:
        assert car.wants(words.SetOutput)[-1].current == 0
    car.scheduled()
    again = car.wants(words.NeedsChanged)[-1]
    assert not again.first
    assert car.start().ResponseCode is Code.OK
    assert car.loop(service).ResponseCode is Code.OK
    assert len(car.wants(words.PowerStarted)) == 1
    assert car.wants(words.OpenContactor) == []


def test_a_renegotiation_that_was_asked_for_is_told_and_then_forgotten() -> None:
    car = ready("DC")
    car.start()
    car.loop("DC")
    car.tell(words.RenegotiationAsked("Schedule"))
    status = car.loop("DC").EVSEStatus
    assert status.EVSENotification is evseNotificationType.ScheduleRenegotiation
    car.deliver("ScheduleRenegotiation")
    car.scheduled()
    car.start()
    assert car.loop("DC").EVSEStatus is None


# --- another offer while one binds ---


def other(car: Scripted, power: float = 3_000.0, tuple_id: int = 7) -> words.ScheduleReady:
    """An offer of one tuple, under an id that the first offer has not."""
    return words.ScheduleReady(Offer((Tuple(tuple_id, Series.constant(float(int(car.wall)), 3 * 3600, power)),)))


def commanded(car: Scripted, service: str) -> float:
    """W that may flow now."""
    car.loop(service)
    return car.wants(words.SetOutput if SERVICES[service].dc else words.SetPower)[-1].power


@pytest.mark.parametrize("service", SERVICES)
def test_an_offer_in_the_loop_waits_for_a_renegotiation(service: str) -> None:
    car = ready(service)
    car.start()
    before = commanded(car, service)
    assert before > 0
    questions = len(car.wants(words.NeedsChanged))
    car.tell(other(car, 9_000.0), other(car))
    answer = car.loop(service)
    assert answer.EVSEStatus.EVSENotification is evseNotificationType.ScheduleRenegotiation
    assert commanded(car, service) == before  # neither nothing, nor what nobody agreed to
    car.now += 50
    assert car.deliver("ScheduleRenegotiation").ResponseCode is Code.OK
    answer = car.exchange(EVTargetEnergyRequest=r(20e3), DepartureTime=3 * 3600 - 50)  # it has charged meanwhile, and leaves when it said
    assert answer.EVSEProcessing is processingType.Finished
    (offered,) = answer.Scheduled_SEResControlMode.ScheduleTuple
    assert offered.ScheduleTupleID == 7
    assert number(offered.ChargingSchedule.PowerSchedule.PowerScheduleEntries.PowerScheduleEntry[0].Power) == 3_000
    assert len(car.wants(words.NeedsChanged)) == questions  # the station has said what it wants
    assert car.deliver("Start", EVPowerProfile=car.profile(power=3_000.0, tuple_id=7)).ResponseCode is Code.OK
    assert car.loop(service).EVSEStatus is None
    assert 0 < commanded(car, service) <= 3_000


@pytest.mark.parametrize("service", ["AC_BPT", "DC_BPT"])
def test_an_offer_between_exchange_and_start_does_not_replace_the_one_that_was_shown(service: str) -> None:
    car = ready(service)
    car.tell(other(car))
    assert car.start().ResponseCode is Code.OK
    assert car.loop(service).EVSEStatus.EVSENotification is evseNotificationType.ScheduleRenegotiation
    car.deliver("ScheduleRenegotiation")
    (offered,) = car.scheduled().Scheduled_SEResControlMode.ScheduleTuple
    assert offered.ScheduleTupleID == 7


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_the_newest_offer_counts_until_a_renegotiation_names_its_needs(service: str) -> None:
    car = ready(service)
    car.start()
    car.loop(service)
    car.tell(other(car))
    car.deliver("ScheduleRenegotiation")
    car.tell(other(car, tuple_id=8))
    (offered,) = car.exchange().Scheduled_SEResControlMode.ScheduleTuple
    assert offered.ScheduleTupleID == 8


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_an_offer_that_waits_is_not_for_a_car_that_wishes_something_else(service: str) -> None:
    car = ready(service)
    car.start()
    car.loop(service)
    car.tell(other(car))
    car.deliver("ScheduleRenegotiation")
    questions = len(car.wants(words.NeedsChanged))
    assert car.exchange(DepartureTime=3600).EVSEProcessing is processingType.Ongoing
    assert len(car.wants(words.NeedsChanged)) == questions + 1
    (offered,) = car.exchange(DepartureTime=3600).Scheduled_SEResControlMode.ScheduleTuple
    assert offered.ScheduleTupleID == 1


@pytest.mark.parametrize("service", ["AC_BPT", "DC_BPT"])
def test_an_offer_in_a_dynamic_loop_asks_the_car_nothing(service: str) -> None:
    car = ready(service, "Dynamic")
    car.start("Dynamic")
    car.tell(other(car))
    assert car.loop(service, "Dynamic").EVSEStatus is None
