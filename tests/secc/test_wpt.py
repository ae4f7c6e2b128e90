"""WPT: no field but for a vehicle that is paired, aligned and in its place; power within every limit; gone as soon as one of it is."""

from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from secc.iso20.wpt import STEP_LIMIT
from secc.neutral import field
from tests.secc.scripted import LIMITS, Scripted, outlet, r
from tests.secc.test_stop import paused, returned
from v2g.iso20.rational import number
from v2g.iso20.sequence import State
from v2g.messages import wpt
from v2g.messages.common_types import evseNotificationType, processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import StateEntered
from v2g.session.errors import Refused, SequenceError, StationFailed
from v2g.session.wireless import GroundDevice, VehicleDevice

Finished, Ongoing = processingType.Finished, processingType.Ongoing
HERE, AWAY = words.PositionIs(words.Position(reachable=True)), words.PositionIs(words.Position(900))
CONTROLS = pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
LOST = {
    "the coils": words.AlignmentIs(words.Alignment(False, reason="the vehicle sank on its springs")),
    "the place": AWAY,
    "the vehicle": words.AssociationLost("another one stands here"),
    "the device": words.GroundDeviceIs("AnomalyDetected"),
    "the transfer": words.GroundDeviceIs("PowerTransferAnomalyDetected"),
    "the contactor": words.ContactorIs(False),
    "the peace": words.EmergencyStop("button"),
}


def selected(auto: bool = True, **changes: Any) -> Scripted:
    car = Scripted(outlet(**changes))
    car.authorized("WPT")
    car.select("WPT")
    car.auto = auto
    return car


def charging(control: str = "Scheduled", **changes: Any) -> Scripted:
    car = Scripted(outlet(**changes))
    car.charging("WPT", control)
    return car


def checking(**changes: Any) -> Scripted:
    """Up to the check of the alignment, whose hardware does nothing by itself."""
    car = selected(**changes)
    car.parameters("WPT")
    car.scheduled()
    car.auto = False
    return car


def last_power(car: Scripted) -> float:
    return float(car.wants(words.SetPower)[-1].power)


def over(car: Scripted) -> str:
    """Why the session ended, whose contactor is open."""
    assert car.session.ended is not None
    assert car.session.ended.reason is not None
    assert not car.session.context.live
    return car.session.ended.reason


# --- the order ---


@CONTROLS
def test_a_session_in_its_order(control: str) -> None:
    car = charging(control)
    assert car.deliver("Stop").ResponseCode is Code.OK
    assert car.stop().ResponseCode is Code.OK
    commands = words.PairVehicle | words.CheckAlignment | words.CloseContactor | words.OpenContactor | words.LockConnector
    done = [type(e).__name__ for e in car.happened if isinstance(e, commands)]
    assert done == ["PairVehicle", "CheckAlignment", "CloseContactor", "OpenContactor"]  # no connector, none to lock
    states = [e.state for e in car.wants(StateEntered)]
    assert [s for s in dict.fromkeys(states) if "WPT" in s] == [
        s.value
        for s in (
            *(State.WPT_SETUP, State.WPT_POSITIONING, State.WPT_PAIRING, State.WPT_PARAMETERS, State.WPT_SCHEDULE, State.WPT_ALIGNMENT),
            *(State.WPT_START, State.WPT_LOOP),
        )
    ]


def test_the_methods_and_the_geometry_are_told() -> None:
    device = GroundDevice(positioning=("LPE", "Manual"), natural_offset=7, clearance=210, clearance_minimum=140, power_class="MF-WPT2")
    car = selected(ground_device=device)
    answer = car.wpt_setup("Ongoing")
    assert [m.value for m in answer.PrimaryDeviceFinePositioningMethodList.WPT_FinePositioningMethod] == ["LPE", "Manual"]
    assert [m.value for m in answer.PrimaryDevicePairingMethodList.WPT_PairingMethod] == ["External confirmation"]
    assert answer.NaturalOffset == 7
    assert car.session.context.state is State.WPT_SETUP  # the vehicle was not ready
    told = car.parameters("WPT")
    assert (told.PDInputPowerClass.value, told.SDMaxGroundClearanceSupport, told.SDMinGroundClearanceSupport) == ("MF-WPT2", 210, 140)
    assert number(told.SDMaxOutputPower) == LIMITS.charge_power
    assert number(told.PDMaxCoilCurrent) == LIMITS.charge_current


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("EVDeviceFinePositioningMethodList", "LF_TxEV"),
        ("EVDevicePairingMethodList", "Optical"),
        ("EVDeviceAlignmentCheckMethodList", "Proprietary"),
    ],
)
def test_a_vehicle_without_a_method_in_common_is_refused_with_both_lists(name: str, method: str) -> None:
    car = selected()
    kind = {"Fine": "FinePositioning", "Pair": "Pairing", "Alig": "AlignmentCheck"}[name[8:12]]
    enumeration, listed = getattr(wpt, f"WPT_{kind}MethodType"), getattr(wpt, f"WPT_{kind}MethodListType")
    answer = car.wpt_setup(**{name: listed(**{f"WPT_{kind}Method": (enumeration(method),)})})
    assert answer.ResponseCode is Code.FAILED
    assert f"in common: the vehicle has {method}, the ground device" in over(car)


def test_positioning_goes_on_until_the_vehicle_is_there_and_both_have_finished() -> None:
    car = selected()
    car.wpt_setup()
    assert car.fine_positioning().EVSEProcessing is Ongoing  # nothing is observed yet
    car.tell(AWAY)
    assert car.fine_positioning().EVSEProcessing is Ongoing
    car.tell(HERE)
    assert car.fine_positioning("Ongoing", "Unknown").EVSEProcessing is Finished
    assert car.session.context.state is State.WPT_POSITIONING
    car.fine_positioning()
    assert car.session.context.state is State.WPT_PAIRING
    assert not car.wants(words.PairVehicle)  # nothing is done before the vehicle asks


@pytest.mark.parametrize(
    ("step", "code"),
    [("fine_positioning", Code.FAILED), ("pairing", Code.FAILED_AssociationError), ("alignment", Code.FAILED)],
)
def test_a_vehicle_that_says_a_step_has_failed_is_believed(step: str, code: Code) -> None:
    car = checking() if step == "alignment" else selected()
    if step != "alignment":
        car.wpt_setup()
    if step == "pairing":
        car.tell(HERE)
        car.fine_positioning()
    assert getattr(car, step)(result="Failed").ResponseCode is code
    assert "has failed" in over(car)
    assert not car.wants(words.CloseContactor)


# --- pairing ---


def pairing(auto: bool = False) -> Scripted:
    car = selected(auto=auto)
    car.wpt_setup()
    car.tell(HERE)
    car.fine_positioning()
    return car


def test_pairing_is_asked_for_once_and_waited_for() -> None:
    car = pairing()
    for _ in range(3):
        assert car.pairing().EVSEProcessing is Ongoing
    assert car.wants(words.PairVehicle) == [words.PairVehicle(car.now, None)]
    car.tell(words.PairingIs(words.Paired(True, code=42)))
    answer = car.pairing("Ongoing")
    assert (answer.EVSEProcessing, answer.ObservedIDCode) == (Finished, 42)
    assert car.session.context.state is State.WPT_PAIRING
    car.pairing()
    assert car.session.context.state is State.WPT_PARAMETERS


def test_a_code_that_the_vehicle_observes_later_is_told_and_only_the_answer_about_it_counts() -> None:
    car = pairing()
    car.pairing("Ongoing")
    car.pairing("Ongoing", code=7)
    assert [each.observed for each in car.wants(words.PairVehicle)] == [None, 7]
    car.tell(words.PairingIs(words.Paired(False, reason="no code came"), None))
    assert car.pairing("Ongoing", code=7).EVSEProcessing is Ongoing
    car.tell(words.PairingIs(words.Paired(True), 7))
    assert car.pairing(code=7).EVSEProcessing is Finished
    assert car.session.context.state is State.WPT_PARAMETERS


def test_a_vehicle_that_changes_its_code_is_refused() -> None:
    car = pairing()
    car.pairing(code=7)
    assert car.pairing(code=8).ResponseCode is Code.FAILED_AssociationError
    assert "the code 8 after 7" in over(car)
    assert len(car.wants(words.PairVehicle)) == 1


def test_pairing_that_fails_gives_its_reason_to_vehicle_and_trace() -> None:
    car = pairing()
    car.pairing()
    car.tell(words.PairingIs(words.Paired(False, reason="another vehicle stands here")))
    assert car.pairing().ResponseCode is Code.FAILED_AssociationError
    assert over(car) == "the ground device is not paired with the vehicle: another vehicle stands here"
    assert isinstance(car.session.ended.error, Refused)  # type: ignore[union-attr]


@pytest.mark.parametrize("step", ["pairing", "alignment"])
def test_a_device_that_does_not_finish_ends_the_session_in_time(step: str) -> None:
    car = pairing() if step == "pairing" else checking()
    began = car.now
    while car.session.ended is None and car.now < began + 2 * STEP_LIMIT:
        getattr(car, step)()
        car.wait(0.5)
    assert f"within {STEP_LIMIT:g} s" in over(car)
    assert STEP_LIMIT <= car.now - began <= STEP_LIMIT + 2


def test_a_vehicle_that_leaves_is_not_paired() -> None:
    car = pairing()
    car.tell(AWAY)
    assert car.pairing().ResponseCode is Code.FAILED_AssociationError
    assert "has left the place" in over(car)
    assert not car.wants(words.PairVehicle)


# --- parameters ---


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"EVPCMaxReceivablePower": r(0)}, "takes and gives no power"),
        ({"EVPCMaxReceivablePower": r(-3000)}, "below zero"),
        ({"EVPCMaxReceivablePower": r(500)}, "the outlet's is 1000 to"),
        ({"SDMaxGroundClearence": 90, "SDMinGroundClearence": 50}, "ground clearance is 50 to 90, the ground device's is 100 to 250"),
        ({"SDMaxGroundClearence": 400, "SDMinGroundClearence": 251}, "ground clearance is 251 to 400"),
        ({"SDMaxGroundClearence": 100, "SDMinGroundClearence": 200}, "ground clearance is 200 to 100"),
        ({"EVPCNaturalFrequency": r(0)}, "EVPCNaturalFrequency is 0 Hz"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(said: dict[str, Any], why: str) -> None:
    car = selected(limits=replace(LIMITS, charge_power_minimum=1000))
    assert car.parameters("WPT", **said).ResponseCode is Code.FAILED_WrongChargeParameter
    assert why in over(car)


# --- the alignment ---


def test_the_check_is_commanded_once_within_the_coil_and_both_must_have_finished() -> None:
    car = checking()
    for _ in range(3):
        answer = car.alignment("Ongoing", "Unknown", current=5000.0)
        assert (answer.EVSEProcessing, answer.PowerTransmitted) == (Ongoing, None)
    assert car.wants(words.CheckAlignment) == [words.CheckAlignment(car.now, LIMITS.charge_current)]
    car.tell(words.AlignmentIs(words.Alignment(True, 40.0, 6.0)))
    answer = car.alignment("Ongoing", "Unknown")
    assert (number(answer.PowerTransmitted), number(answer.SupplyDeviceCurrent)) == (40.0, 6.0)
    assert car.session.context.state is State.WPT_ALIGNMENT
    assert car.alignment().EVSEProcessing is Finished
    assert car.session.context.state is State.WPT_START


def test_an_alignment_that_the_outlet_does_not_find_ends_the_session_with_its_reason() -> None:
    car = checking()
    car.alignment()
    car.tell(words.AlignmentIs(words.Alignment(False, reason="31% of the power arrive")))
    assert len(car.wants(words.OpenContactor)) == 1  # the coil may be live from the check on
    assert car.alignment().ResponseCode is Code.FAILED
    assert "the coils are not aligned: 31% of the power arrive" in over(car)


def test_an_alignment_that_the_check_does_not_find_is_refused_even_where_nothing_is_live() -> None:
    car = checking()
    car.alignment()
    car.tell(words.ContactorIs(False), words.AlignmentIs(words.Alignment(False)))
    assert not car.session.context.live
    assert car.alignment().ResponseCode is Code.FAILED
    assert over(car) == "the coils are not aligned: the outlet gives no reason"


def test_power_without_a_check_stays_away_whatever_led_there() -> None:
    car = checking()
    car.session.context = car.session.context.with_step(state=State.WPT_START)
    car.auto = True
    assert car.start().ResponseCode is Code.FAILED_PowerDeliveryNotApplied
    assert "the alignment of the coils is not checked" in over(car)
    assert not car.wants(words.CloseContactor)


def test_a_vehicle_that_does_not_call_it_a_success_gets_no_power() -> None:
    car = checking()
    car.alignment("Ongoing", "Unknown")
    car.tell(words.AlignmentIs(words.Alignment(True)))
    assert car.alignment("Finished", "Unknown").ResponseCode is Code.FAILED
    assert "does not say that it has succeeded" in over(car)


def test_nothing_is_excited_over_a_foreign_object_and_what_comes_during_the_check_ends_it() -> None:
    car = checking()
    car.tell(words.GroundDeviceIs("FODDetected"))
    assert car.alignment("Ongoing", "Unknown").EVSEProcessing is Ongoing
    assert not car.wants(words.CheckAlignment)
    car.tell(words.GroundDeviceIs("NoIssue"))
    car.alignment("Ongoing", "Unknown")
    assert len(car.wants(words.CheckAlignment)) == 1
    car.tell(words.GroundDeviceIs("LOPDetected"))
    assert len(car.wants(words.OpenContactor)) == 1
    assert car.alignment("Ongoing", "Unknown").ResponseCode is Code.FAILED
    assert over(car) == "the ground device reports LOPDetected"


def test_a_vehicle_that_checks_in_is_not_found_before_it_has() -> None:
    car = Scripted(outlet(parking=("VehicleCheckIn",)))
    car.parks("WPT", parking=(1,))
    car.wpt_setup()
    car.tell(HERE)
    assert car.fine_positioning().EVSEProcessing is Ongoing
    car.check_in()
    car.check_in("Completed")
    assert car.fine_positioning().EVSEProcessing is Finished


def test_an_alignment_of_before_is_none_of_now() -> None:
    car = checking()
    car.tell(words.AlignmentIs(words.Alignment(True)))
    for _ in range(2):
        assert car.alignment().EVSEProcessing is Ongoing


def test_power_before_the_check_is_out_of_turn() -> None:
    car = checking()
    assert car.deliver("Start", EVPowerProfile=car.profile()).ResponseCode is Code.FAILED_SequenceError
    assert "before the alignment was checked" in over(car)
    assert isinstance(car.session.ended.error, SequenceError)  # type: ignore[union-attr]
    assert not car.wants(words.CloseContactor)


@pytest.mark.parametrize("lost", ["the coils", "the place", "the vehicle"])
def test_what_is_lost_between_the_check_and_the_start_keeps_the_contactor_open(lost: str) -> None:
    car = Scripted()
    car.ready("WPT")
    car.tell(words.ContactorIs(False))  # after the check
    car.tell(LOST[lost])
    assert car.start().ResponseCode is Code.FAILED_PowerDeliveryNotApplied
    assert not car.wants(words.CloseContactor)


def test_nothing_begins_on_a_foreign_object_and_it_does_once_it_is_gone() -> None:
    car = Scripted()
    car.ready("WPT")
    car.tell(words.GroundDeviceIs("FODDetected"))
    car.send(car.power("Start", EVPowerProfile=car.profile()))
    assert car.answers() == []
    assert not car.wants(words.CloseContactor)
    car.tell(words.GroundDeviceIs("NoIssue"))
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.OK


# --- under power ---


@CONTROLS
@pytest.mark.parametrize("lost", sorted(LOST))
def test_power_goes_with_what_it_rests_on_at_once_and_the_vehicle_hears_why(lost: str, control: str) -> None:
    car = charging(control)
    car.tell(LOST[lost])
    assert len(car.wants(words.OpenContactor)) == (lost != "the contactor") or not car.session.context.live
    assert len(car.wants(words.PowerStopped)) == 1
    assert not car.session.context.live
    answer = car.loop("WPT", control)
    expected = {"the vehicle": Code.FAILED_AssociationError, "the contactor": Code.FAILED_ContactorError}.get(lost, Code.FAILED)
    assert answer.ResponseCode is expected
    assert isinstance(car.session.ended.error, StationFailed)  # type: ignore[union-attr]
    assert over(car)


@pytest.mark.parametrize("lost", sorted(LOST))
def test_power_goes_in_a_renegotiation_too(lost: str) -> None:
    car = charging()
    car.deliver("ScheduleRenegotiation")
    car.tell(LOST[lost])
    assert not car.session.context.live


@pytest.mark.parametrize("condition", ["FODDetected", "LOPDetected", "TempOverheatDetected"])
def test_what_passes_takes_the_power_away_warns_once_and_lets_it_come_back(condition: Any) -> None:
    car = charging("Dynamic")
    car.loop("WPT", asked=5000.0)
    assert last_power(car) == 5000.0
    car.tell(words.GroundDeviceIs(condition))
    assert last_power(car) == 0.0  # at once, not with the next loop
    for _ in range(3):
        answer = car.loop("WPT", asked=5000.0)
        assert answer.ResponseCode is Code.WARNING_WPT
        assert answer.SPCChargeDiagnostics.value == f"SPC{condition}"
        assert number(answer.EVPCPowerRequest) == 0.0
        car.wait(0.2)
    assert last_power(car) == 0.0
    assert len(car.wants(words.Objected)) == 1
    car.tell(words.GroundDeviceIs("NoIssue"))
    answer = car.loop("WPT", asked=5000.0)
    assert (answer.ResponseCode, number(answer.EVPCPowerRequest)) == (Code.OK, 5000.0)
    assert last_power(car) == 5000.0


def test_what_does_not_pass_within_a_minute_ends_the_power() -> None:
    car = charging()
    car.tell(words.GroundDeviceIs("LOPDetected"))
    began = car.now
    while car.session.context.live and car.now < began + 100:
        car.loop("WPT")
        car.wait(0.3)
    assert field.OBSTRUCTED_LIMIT <= car.now - began <= field.OBSTRUCTED_LIMIT + 1
    assert car.loop("WPT").ResponseCode is Code.FAILED
    assert over(car) == "the ground device reports LOPDetected for 60 s"


def test_a_field_that_does_not_go_off_over_what_lies_there_opens_the_contactor() -> None:
    car = charging()
    car.tell(words.OutputMeasured(0.0, 0.0, 5000.0))
    car.tell(words.GroundDeviceIs("FODDetected"))
    car.wait(0.4)
    car.loop("WPT")
    assert car.session.context.live
    for _ in range(5):
        car.wait(0.4)
        if not car.session.context.live:
            break
        car.loop("WPT")
    assert not car.session.context.live
    assert len(car.wants(words.OpenContactor)) == 1
    assert car.loop("WPT").ResponseCode is Code.FAILED
    assert "5000 W flow" in over(car)


@pytest.mark.parametrize("issue", ["TempOverheatDetected", "PowerTransferAnomalyDetected", "AnomalyDetected"])
def test_a_vehicle_that_is_not_well_is_left_without_power(issue: str) -> None:
    car = charging()
    answer = car.loop("WPT", EVPCChargeDiagnostics=wpt.WPT_EVPCChargeDiagnosticsType(f"EVPC{issue}"))
    assert answer.ResponseCode is Code.FAILED
    assert issue in over(car)
    assert len(car.wants(words.OpenContactor)) == 1


@pytest.mark.parametrize("name", ["EVPCPowerRequest", "EVPCPowerOutput"])
def test_a_vehicle_that_would_give_back_is_refused(name: str) -> None:
    car = charging()
    assert car.loop("WPT", **{name: r(-100)}).ResponseCode is Code.FAILED
    assert "only charges" in over(car)
    assert all(each.power >= 0 for each in car.wants(words.SetPower))


@CONTROLS
def test_the_power_is_the_least_of_what_is_asked_and_every_limit(control: str) -> None:
    car = charging(control)  # the profile of the scripted car: 5 kW; it takes 11 kW at most, the outlet gives 50
    assert number(car.loop("WPT", asked=3000.0).EVPCPowerRequest) == last_power(car) == 3000.0
    most = 5000.0 if control == "Scheduled" else 11_000.0
    answer = car.loop("WPT", asked=40e3)
    assert number(answer.EVPCPowerRequest) == last_power(car) == most
    if control == "Dynamic":
        car.tell(words.SetpointChanged(2500.0))
        answer = car.loop("WPT", asked=40e3)
        assert last_power(car) == 2500.0
        assert number(answer.SPCMaxOutputPowerLimit) == 2500.0
        car.tell(words.SetpointChanged(-4000.0))  # there is no way back
        car.loop("WPT", asked=40e3)
        assert last_power(car) == 0.0


@CONTROLS
def test_a_limit_that_falls_cuts_the_field_at_once_and_one_that_rises_is_no_more_than_was_said(control: str) -> None:
    car = charging(control)
    car.loop("WPT", asked=5000.0)
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=1200.0)))
    assert last_power(car) == 1200.0  # before any loop
    told = len(car.wants(words.SetPower))
    answer = car.loop("WPT", asked=5000.0)
    assert number(answer.SPCMaxOutputPowerLimit) == number(answer.EVPCPowerRequest) == 1200.0
    assert not car.wants(words.SetPower)[told:]  # not even for a moment
    car.tell(words.LimitsChanged(replace(LIMITS, charge_power=1e6)))
    answer = car.loop("WPT", asked=5000.0)
    assert number(answer.SPCMaxOutputPowerLimit) <= LIMITS.charge_power
    assert last_power(car) == 5000.0


def test_what_a_ground_device_cannot_give_so_weakly_is_not_given() -> None:
    car = charging("Dynamic", limits=replace(LIMITS, charge_power_minimum=1000.0))
    car.loop("WPT", asked=999.0)
    assert last_power(car) == 0.0
    car.loop("WPT", asked=1000.0)
    assert last_power(car) == 1000.0


def test_a_vehicle_beyond_its_profile_is_warned_then_refused() -> None:
    car = charging()
    codes = []
    while car.session.ended is None and len(codes) < 400:
        codes.append(car.loop("WPT", asked=8000.0, output=20e3).ResponseCode)
        car.wait(0.3)
    assert Code.WARNING_EVPowerProfileViolation in codes
    assert codes[-1] is Code.FAILED_EVPowerProfileViolation
    assert not car.session.context.live


@pytest.mark.parametrize("fact", [*(words.PilotIs(state) for state in "ABEF"), words.ConnectorLock(False)], ids=str)  # type: ignore[arg-type]
def test_a_plug_beside_the_ground_device_says_nothing_of_a_field(fact: words.Fact) -> None:
    """An outlet that has a cable too: that hangs there, with nobody at its end."""
    car = Scripted()
    car.tell(fact)
    car.charging("WPT")
    car.tell(fact)
    assert car.session.context.live
    assert car.loop("WPT").ResponseCode is Code.OK
    assert car.deliver("Stop").ResponseCode is Code.OK


# --- stop, pause, renegotiation, standby ---


def test_a_stop_is_told_and_enforced() -> None:
    car = charging()
    car.tell(words.StopAsked("the depot closes"))
    assert car.loop("WPT").EVSEStatus.EVSENotification is evseNotificationType.Terminate
    for _ in range(40):
        car.wait(0.3)
        if not car.session.context.live:
            break
        car.loop("WPT")
    assert not car.session.context.live


def test_a_session_that_pauses_goes_on_with_its_parameters_and_another_check_of_the_alignment() -> None:
    store, session_id = paused("WPT")
    car, answer = returned(store, session_id, "WPT")
    assert answer.ResponseCode is Code.OK_OldSessionJoined
    assert car.session.context.state is State.WPT_PARAMETERS
    car.parameters("WPT")
    car.scheduled()
    car.aligned()
    assert len(car.wants(words.CheckAlignment)) == 1
    assert car.start().ResponseCode is Code.OK


def test_a_renegotiated_schedule_is_without_power_and_without_another_check() -> None:
    car = charging()
    car.loop("WPT", asked=5000.0)
    assert car.deliver("ScheduleRenegotiation").ResponseCode is Code.OK
    assert last_power(car) == 0.0
    car.scheduled()
    assert car.session.context.state is State.WPT_RESTART
    assert car.start().ResponseCode is Code.OK
    car.loop("WPT", asked=5000.0)
    assert last_power(car) == 5000.0
    assert len(car.wants(words.CheckAlignment)) == len(car.wants(words.PowerStarted)) == 1


@pytest.mark.parametrize("standby", ["closed", "open"])
def test_in_standby_nothing_is_given_and_an_alignment_that_was_lost_does_not_come_back(standby: Any) -> None:
    car = charging(standby=standby)
    car.loop("WPT", asked=5000.0)
    assert car.deliver("Standby").ResponseCode is Code.OK
    assert last_power(car) == 0.0
    assert car.session.context.live == (standby == "closed")
    car.loop("WPT", asked=5000.0)
    assert last_power(car) == 0.0
    car.tell(LOST["the coils"])
    assert not car.session.context.live
    assert car.start().ResponseCode.value.startswith("FAILED")
    assert not car.session.context.live


def test_there_is_no_standby_before_the_alignment_is_checked() -> None:
    car = checking(standby="closed")
    assert car.deliver("Standby").ResponseCode is Code.WARNING_StandbyNotAllowed
    assert car.session.ended is None


def test_a_contactor_that_the_check_has_closed_is_opened_at_the_end() -> None:
    car = checking()
    car.alignment("Ongoing", "Unknown")
    assert car.session.context.live
    car.octets(b"")
    assert len(car.wants(words.OpenContactor)) == 1


def test_polls_before_power_have_an_end() -> None:
    for step in ("wpt_setup", "fine_positioning", "pairing"):
        car = selected()
        if step != "wpt_setup":
            car.wpt_setup()
        if step == "pairing":
            car.tell(HERE)
            car.fine_positioning()
        began = car.now
        while car.session.ended is None and car.now < began + 100:
            getattr(car, step)("Ongoing")
            car.wait(1.0)
        assert "did not finish" in over(car)
        assert car.now - began <= 62.0


# --- the devices ---


@pytest.mark.parametrize("kind", [GroundDevice, VehicleDevice])
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"positioning": ()}, "positioning is"),
        ({"pairing": ("LPE", "LPE")}, "none twice"),
        ({"alignment_check": ("LF_TxEV",)}, "name at least one of PowerCheck, LPE"),
        ({"clearance": 70_000}, "clearance is 70000"),
        ({"clearance": 90}, "clearance_minimum is 100; give at most 90"),
        ({"natural_offset": -1}, "natural_offset is -1"),
    ],
)
def test_a_device_that_no_message_can_carry_is_refused(kind: Any, said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        kind(**said)


def test_a_frequency_of_a_vehicle_is_above_zero() -> None:
    with pytest.raises(ValueError, match="frequency is 0"):
        VehicleDevice(frequency=0)
