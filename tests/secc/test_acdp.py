"""ACDP: the device comes down to a vehicle that stands still, power flows only under it, and it goes home when the outlet is dead."""

from typing import Any

import pytest

from secc import station as words
from secc.iso20.acdp import DEVICE_LIMIT
from tests.secc.scripted import Scripted, outlet, polled
from v2g.iso20.sequence import State
from v2g.messages import acdp
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import StateEntered
from v2g.session.errors import Refused, StationFailed

Mechanical = acdp.mechanicalChargingDeviceStatusType
HERE = words.Position(1, -2, 10, 10, reachable=True)
SERVICES = pytest.mark.parametrize("service", ["DC_ACDP", "DC_ACDP_BPT"])


def selected(service: str = "DC_ACDP", auto: bool = True) -> Scripted:
    car = Scripted()
    car.authorized(service)
    car.select(service)
    car.auto = auto
    return car


def charging(service: str = "DC_ACDP") -> Scripted:
    car = Scripted()
    car.charging(service)
    return car


def status(car: Scripted, **said: Any) -> Any:
    technical = acdp.EVTechnicalStatusType(**{"EVReadyToCharge": True, "EVImmobilizationRequest": False, **said})
    return car.ask(acdp.ACDP_SystemStatusReq, EVTechnicalStatus=technical)


@SERVICES
def test_a_session_in_its_order(service: str) -> None:
    car = charging(service)
    car.deliver("Stop")
    car.welding("Finished")
    assert polled(car.disconnect).EVSEMechanicalChargingDeviceStatus is Mechanical.Home
    assert car.stop().ResponseCode is Code.OK
    commands = words.ConnectDevice | words.CheckIsolation | words.OpenContactor | words.DisconnectDevice
    moves = [type(e).__name__ for e in car.happened if isinstance(e, commands)]
    assert moves == ["ConnectDevice", "CheckIsolation", "OpenContactor", "DisconnectDevice"]
    states = [e.state for e in car.wants(StateEntered)]
    assert [s for s in dict.fromkeys(states) if "ACDP" in s] == [
        s.value for s in (State.ACDP_POSITIONING, State.ACDP_CONNECT, State.ACDP_DISCONNECT)
    ]


def test_positioning_goes_on_until_the_vehicle_is_there_and_stands() -> None:
    car = selected()
    answer = car.positioning()
    assert (answer.EVSEProcessing, answer.EVSEPositioningSupport, answer.EVInChargePosition) == (processingType.Ongoing, False, False)
    car.tell(words.PositionIs(words.Position(120, -7, 10, 12)))
    answer = car.positioning()
    assert (answer.EVRelativeXDeviation, answer.EVRelativeYDeviation, answer.ContactWindowXc, answer.ContactWindowYc) == (120, -7, 10, 12)
    assert answer.EVSEProcessing is processingType.Ongoing
    car.tell(words.PositionIs(HERE))
    assert car.positioning(moving=True).EVSEProcessing is processingType.Ongoing
    answer = car.positioning()
    assert (answer.EVSEProcessing, answer.EVInChargePosition) == (processingType.Finished, True)
    assert not car.wants(words.ConnectDevice)  # nothing moves before the vehicle asks


def test_the_device_is_told_once_and_the_vehicle_waits_for_it() -> None:
    car = selected(auto=False)
    car.tell(words.PositionIs(HERE))
    car.positioning()
    for _ in range(3):
        assert car.connect().EVSEProcessing is processingType.Ongoing
    car.tell(words.DeviceIs("Moving"))
    assert car.connect().EVSEMechanicalChargingDeviceStatus is Mechanical.Moving
    assert len(car.wants(words.ConnectDevice)) == 1
    car.tell(words.DeviceIs("EndPosition"))
    assert car.connect().EVSEProcessing is processingType.Finished


def test_a_device_that_does_not_arrive_ends_the_session_in_time() -> None:
    car = selected(auto=False)
    car.tell(words.PositionIs(HERE))
    car.positioning()
    began = car.now
    while car.session.ended is None and car.now < began + 2 * DEVICE_LIMIT:
        car.connect()
        car.wait(0.5)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, StationFailed)
    assert "did not reach EndPosition" in car.session.ended.reason
    assert DEVICE_LIMIT <= car.now - began <= DEVICE_LIMIT + 2


def test_a_vehicle_that_drives_off_before_the_device_comes_is_not_followed() -> None:
    car = selected(auto=False)
    car.tell(words.PositionIs(HERE))
    car.positioning()
    car.tell(words.PositionIs(words.Position(4000)))
    assert car.connect().ResponseCode is Code.FAILED
    assert not car.wants(words.ConnectDevice)


@pytest.mark.parametrize("where", ["Moving", "Home"])
@pytest.mark.parametrize("when", ["parameters", "isolation", "pre-charge", "start", "loop"])
def test_nothing_is_live_but_under_the_device(when: str, where: words.Device) -> None:
    car = selected()
    car.docked()
    steps = {
        "parameters": lambda: (car.parameters("DC_ACDP"), car.scheduled()),
        "isolation": car.isolated,
        "pre-charge": lambda: (car.pre_charge(), car.pre_charge("Finished")),
        "start": car.start,
        "loop": lambda: car.loop("DC_ACDP"),
    }
    for name, step in steps.items():
        step()
        if name == when:
            break
    live = when != "parameters"
    car.tell(words.DeviceIs(where))
    assert len(car.wants(words.OpenContactor)) == live  # at once, whatever the vehicle does
    following = {"parameters": car.cable_check, "isolation": car.pre_charge, "pre-charge": car.start}.get(when, lambda: car.loop("DC_ACDP"))
    assert following().ResponseCode.value.startswith("FAILED")
    assert car.session.ended is not None
    assert "not in its end position" in car.session.ended.reason


def test_the_contactor_opens_before_the_device_moves() -> None:
    car = charging()
    car.deliver("Stop")
    car.auto = False
    assert car.disconnect().EVSEProcessing is processingType.Ongoing
    assert len(car.wants(words.OpenContactor)) == 1
    car.disconnect()
    assert not car.wants(words.DisconnectDevice)
    assert len(car.wants(words.OpenContactor)) == 1
    car.tell(words.ContactorIs(False))
    assert car.disconnect().EVSEProcessing is processingType.Ongoing
    assert len(car.wants(words.DisconnectDevice)) == 1
    car.tell(words.DeviceIs("Home"))
    assert car.disconnect().EVSEProcessing is processingType.Finished
    assert car.stop().ResponseCode is Code.OK


def test_a_contactor_that_does_not_open_leaves_the_device_where_it_is() -> None:
    car = charging()
    car.deliver("Stop")
    car.auto = False
    car.disconnect()
    car.tell(words.ContactorIs(True))
    assert car.session.ended is not None or car.disconnect().ResponseCode.value.startswith("FAILED")
    assert not car.wants(words.DisconnectDevice)


def test_a_contactor_that_was_never_reported_holds_the_device_too() -> None:
    """The isolation test closes it by itself: until it is reported open it may be closed, however often the vehicle asks."""
    car = selected()
    car.docked()
    car.parameters("DC_ACDP")
    car.scheduled()
    car.isolated()
    car.session.context = car.session.context.with_step(state=State.DC_WELDING)
    assert car.session.context.station.contactor is None
    car.auto = False
    for _ in range(3):
        assert car.disconnect().EVSEProcessing is processingType.Ongoing
    assert len(car.wants(words.OpenContactor)) == 1
    assert not car.wants(words.DisconnectDevice)
    car.tell(words.ContactorIs(False))
    car.disconnect()
    assert len(car.wants(words.DisconnectDevice)) == 1


def test_there_is_no_pause_under_a_device() -> None:
    car = charging()
    car.deliver("Stop")
    assert car.stop("Pause").ResponseCode is Code.FAILED_PauseNotAllowed


@pytest.mark.parametrize("message", ["positioning", "connect", "disconnect", "status"])
def test_a_session_of_dc_knows_no_device(message: str) -> None:
    car = Scripted()
    car.charging("DC")
    if message == "disconnect":
        car.deliver("Stop")
    response = status(car) if message == "status" else getattr(car, message)()
    assert response.ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None
    assert car.session.ended.requirement == "V2G20-459"


# --- system status ---


def test_both_tell_the_state_of_their_machinery_while_the_loop_runs() -> None:
    car = charging()
    answer = status(car, EVImmobilized=True)
    assert answer.ResponseCode is Code.OK
    assert answer.EVSEMechanicalChargingDeviceStatus is Mechanical.EndPosition
    assert answer.EVSEIsolationStatus is acdp.isolationStatusType.Safe
    assert (answer.EVSEReadyToCharge, answer.EVSEMalfunction, answer.EVSEEmergencyShutdown, answer.EVInChargePosition) == (
        True,
        False,
        False,
        True,
    )
    assert car.loop("DC_ACDP").ResponseCode is Code.OK
    car.tell(words.StopAsked("the depot closes"))
    assert status(car).EVSEReadyToCharge is False


@pytest.mark.parametrize(
    ("said", "why"),
    [({"EVErrorCode": code}, code.value) for code in acdp.errorCodeType if code is not acdp.errorCodeType.OK_NoEVError]
    + [({"EVImmobilized": False}, "not immobilized")],
)
def test_a_vehicle_that_is_not_well_has_its_power_taken_away(said: Any, why: str) -> None:
    car = charging()
    status(car, **said)
    assert len(car.wants(words.OpenContactor)) == 1
    assert car.loop("DC_ACDP").ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, Refused)
    assert why in car.session.ended.reason


def test_status_has_a_stream_of_its_own() -> None:
    car = charging()
    technical = acdp.EVTechnicalStatusType(EVReadyToCharge=True, EVImmobilizationRequest=False)
    car.send(acdp.ACDP_SystemStatusReq(Header=car.header(), EVTechnicalStatus=technical), payload_type=0x8005)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_SequenceError


def test_a_position_fits_its_message() -> None:
    with pytest.raises(ValueError, match="position x is 40000; give -32768 to 32767"):
        words.Position(40_000)
    assert outlet(services=("DC_ACDP",)).services == ("DC_ACDP",)
