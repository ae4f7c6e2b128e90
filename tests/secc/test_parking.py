"""ParkingStatus: a vehicle that checks in gets power only in its place, and drives off only from an outlet that is dead."""

import json
from pathlib import Path
from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import Scripted, outlet, polled
from v2g.iso20 import frames
from v2g.iso20.sequence import State
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    ServiceDetailReq,
    ServiceDiscoveryReq,
    VehicleCheckInReq,
    VehicleCheckOutReq,
    evCheckInStatusType,
    parkingMethodType,
)
from v2g.messages.common_messages import evseCheckOutStatusType as Leaving
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused, SequenceError, StationFailed

BOTH: Any = ("VehicleCheckIn", "VehicleCheckOut")
FREE = words.ParkingPlace(7, 8, 120)
THERE = words.ParkingPlace(7, 8, 0, occupied=True)
GONE = words.ParkingPlace(7, 8, 40)
VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "common.public.jsonl"


def parking(service: str = "DC", taken: tuple[int, ...] = (1, 2), auto: bool = True, **offer: Any) -> Scripted:
    car = Scripted(outlet(**{"parking": BOTH, **offer}))
    car.parks(service, taken)
    car.auto = auto
    return car


def parked(service: str = "DC") -> Scripted:
    car = parking(service)
    car.check_in()
    car.check_in("Completed")
    return car


def prepared(service: str) -> Scripted:
    """A vehicle in its place, and power can start."""
    car = parked(service)
    car.parameters(service)
    car.scheduled()
    if service != "AC":
        car.isolated()
        car.pre_charge()
        car.pre_charge("Finished")
    return car


def charged(service: str) -> Scripted:
    """A vehicle whose power has just ended."""
    car = prepared(service)
    car.start()
    car.loop(service)
    car.deliver("Stop")
    return car


def slowly(car: Scripted, status: str = "CheckIn", method: str = "Manual", **said: Any) -> Any:
    """A check-in at a station that does not answer it: nothing comes at once, and the answer in time."""
    fields = {"EVCheckInStatus": evCheckInStatusType(status), "ParkingMethod": parkingMethodType(method), **said}
    car.send(VehicleCheckInReq(Header=car.header(), **fields))
    assert car.answers() == []
    car.wait(1.39)
    assert car.answers() == []
    car.wait(0.02)
    (answer,) = car.answers()
    return answer


def why(car: Scripted) -> str:
    assert car.session.ended is not None
    return car.session.ended.reason


# --- the offer ---


@pytest.mark.parametrize(("kind", "number"), [("AutoInternal", 1), ("AutoExternal", 2), ("ManualInternal", 3), ("ManualExternal", 4)])
@pytest.mark.parametrize(("intended", "sets"), [(BOTH, {1: 1, 2: 2}), (("VehicleCheckOut",), {2: 2})])
def test_a_parameter_set_for_each_intended_service(intended: Any, sets: dict[int, int], kind: Any, number: int) -> None:
    car = Scripted(outlet(parking=intended, parking_type=kind))
    car.authorized("DC")
    found = car.ask(ServiceDiscoveryReq)
    assert [each.ServiceID for each in found.VASList.Service] == [66]
    detail = car.ask(ServiceDetailReq, ServiceID=66)
    said = {one.ParameterSetID: [(p.Name, p.intValue) for p in one.Parameter] for one in detail.ServiceParameterList.ParameterSet}
    assert said == {one: [("IntendedService", value), ("ParkingStatusType", number)] for one, value in sets.items()}


def test_what_a_vehicle_takes_of_it_is_told_to_the_station() -> None:
    (want,) = parking().wants(words.ServiceSelected)
    assert {one.service for one in want.added} == {"ParkingStatus"}
    assert tuple(one.intended for one in want.added) == BOTH


@pytest.mark.parametrize("taken", [(), (2,)])
def test_an_outlet_that_demands_a_check_in_serves_nobody_without(taken: tuple[int, ...]) -> None:
    car = Scripted(outlet(parking=BOTH, check_in_required=True))
    car.parks("DC", taken)
    assert why(car) == "a vehicle must check in here: ParkingStatus with VehicleCheckIn is not selected"


@pytest.mark.parametrize(
    ("offer", "said"),
    [
        ({"parking": ("VehicleCheckUp",)}, "VehicleCheckUp"),
        ({"parking": ("VehicleCheckIn",) * 2}, "none twice"),
        ({"check_in_required": True}, "name VehicleCheckIn there"),
    ],
)
def test_an_offer_that_cannot_be_is_refused_by_name(offer: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        outlet(**offer)


def test_numbers_fit_their_messages() -> None:
    with pytest.raises(ValueError, match="parking place distance is 40000; give -32768 to 32767"):
        words.ParkingPlace(distance=40_000)


# --- check-in ---


def test_both_hear_all_that_the_other_says() -> None:
    car = parking(auto=False)
    answer = slowly(car, VehicleFrame=-32_768, DeviceOffset=32_767, VehicleTravel=0)
    assert (answer.ParkingSpace, answer.DeviceLocation, answer.TargetDistance) == (None, None, None)  # nobody has said yet
    (want,) = car.wants(words.CheckInReported)
    assert want.arrival == words.Arrival("CheckIn", "Manual", -32_768, 32_767, 0)
    request = {"EVCheckInStatus": evCheckInStatusType.Processing, "ParkingMethod": parkingMethodType.MVGuideManual, "VehicleTravel": 100}
    car.send(VehicleCheckInReq(Header=car.header(), **request))
    assert car.answers() == []
    car.tell(words.PlaceIs(FREE))
    (answer,) = car.answers()  # as soon as the station has said
    assert (answer.ResponseCode, answer.ParkingSpace, answer.DeviceLocation, answer.TargetDistance) == (Code.OK, 7, 8, 120)
    car.check_in("Processing", "MVGuideManual", VehicleTravel=100)
    assert [want.arrival.travel for want in car.wants(words.CheckInReported)] == [0, 100]  # what is not new is not told again


@pytest.mark.parametrize("seen", [None, FREE])
@pytest.mark.parametrize("status", [None, "CheckIn", "Processing", "Completed"])
def test_no_contactor_closes_before_the_vehicle_stands_where_the_station_sees_it(status: str | None, seen: Any) -> None:
    for service in ("AC", "DC"):
        car = parking(service, auto=False)
        for one in ("CheckIn", "Processing", "Completed"):
            if status is not None:
                slowly(car, one)
            if one == status:
                break
        if seen is not None:
            car.tell(words.PlaceIs(THERE if status in (None, "CheckIn") else seen))  # one that is seen and has not said so waits, too
        car.parameters(service)
        car.exchange()
        (asked,) = car.wants(words.NeedsChanged)
        car.tell(words.ScheduleReady(car.offer(asked.needs)))
        for _ in range(3):
            assert car.exchange().EVSEProcessing is processingType.Ongoing
        assert not car.wants(words.CheckIsolation)
        assert not car.wants(words.CloseContactor)


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_vehicle_that_leaves_its_place_before_power_gets_none(service: str) -> None:
    car = prepared(service)
    car.tell(words.PlaceIs(GONE))
    if service == "DC":
        assert len(car.wants(words.OpenContactor)) == 1  # the isolation test has closed it
    car.send(car.power("Start", EVPowerProfile=car.profile()))
    car.wait(1.5)
    (answer,) = car.answers()
    assert answer.ResponseCode.value.startswith("FAILED")
    assert not car.wants(words.CloseContactor)
    assert "does not see the vehicle in its place" in why(car)


def test_the_cable_check_waits_for_a_vehicle_that_drives_on() -> None:
    car = parked()
    car.parameters()
    car.scheduled()
    car.tell(words.PlaceIs(GONE))
    assert car.cable_check().EVSEProcessing is processingType.Ongoing
    assert not car.wants(words.CheckIsolation)
    assert car.check_in("Processing").ResponseCode is Code.OK
    car.check_in("Completed")
    assert polled(car.cable_check).EVSEProcessing is processingType.Finished


def test_a_pre_charge_without_the_vehicle_is_refused() -> None:
    car = parked()
    car.parameters()
    car.scheduled()
    car.isolated()
    car.tell(words.ContactorIs(False), words.PlaceIs(GONE))
    assert car.pre_charge().ResponseCode is Code.FAILED


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_power_goes_when_the_vehicle_leaves_its_place(service: str) -> None:
    car = prepared(service)
    car.start()
    car.loop(service)
    before = len(car.wants(words.OpenContactor))
    car.tell(words.PlaceIs(GONE))
    assert len(car.wants(words.OpenContactor)) == before + 1  # at once
    assert car.loop(service).ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, StationFailed)


def test_a_device_does_not_come_down_before_the_check_in_has_ended() -> None:
    car = parking("DC_ACDP")
    car.tell(words.PositionIs(words.Position(reachable=True)))
    car.check_in()
    assert car.positioning().EVSEProcessing is processingType.Ongoing
    car.check_in("Completed")
    assert car.positioning().EVSEProcessing is processingType.Finished
    car.tell(words.PlaceIs(GONE))
    assert car.connect().ResponseCode is Code.FAILED
    assert not car.wants(words.ConnectDevice)


def test_a_check_in_begins_no_poll_of_the_main_stream() -> None:
    car = parking("DC_ACDP")
    car.check_in()
    car.wait(30)
    car.check_in("Processing")
    car.wait(29)
    car.positioning()
    car.wait(59)
    assert car.session.ended is None  # the minute for positioning counts from its first request
    assert car.positioning().ResponseCode is Code.OK


@pytest.mark.parametrize(
    ("said", "last", "named"),
    [
        ((), "Processing", "before it was CheckIn"),
        ((), "Completed", "before it was CheckIn"),
        (("CheckIn", "Processing"), "CheckIn", "goes back from Processing"),
        (("CheckIn", "Completed"), "CheckIn", "goes back from Completed"),
        (("CheckIn", "Completed"), "Processing", "after the check-in has ended"),
    ],
)
def test_a_check_in_out_of_its_order_is_refused(said: tuple[str, ...], last: str, named: str) -> None:
    car = parking()
    for status in said:
        assert car.check_in(status).ResponseCode is Code.OK
    assert car.check_in(last).ResponseCode is Code.FAILED_SequenceError
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, SequenceError)
    assert named in why(car)


@pytest.mark.parametrize(
    ("kind", "method", "fits"),
    [
        ("AutoInternal", "AutoParking", True),
        ("AutoExternal", "Manual", False),
        ("ManualInternal", "MVGuideManual", True),
        ("ManualExternal", "Manual", True),
        ("ManualInternal", "AutoParking", False),
    ],
)
def test_a_vehicle_parks_as_was_agreed(kind: Any, method: str, fits: bool) -> None:
    car = parking(parking_type=kind)
    assert (car.check_in("CheckIn", method).ResponseCode is Code.OK) == fits
    assert fits or f"ParkingMethod is {method}, under {kind}" in why(car)


@pytest.mark.parametrize("taken", [(), (2,)])
def test_what_was_not_selected_is_out_of_sequence(taken: tuple[int, ...]) -> None:
    car = parking(taken=taken)
    assert car.check_in().ResponseCode is Code.FAILED_SequenceError
    assert "ParkingStatus was not selected" in why(car)
    car = parking("AC", taken=tuple({1} if taken else ()))
    if taken:
        car.check_in()
        car.check_in("Completed")
    car.parameters("AC")
    car.scheduled()
    car.start()
    car.deliver("Stop")
    assert car.check_out().ResponseCode is Code.FAILED_SequenceError


def test_a_station_that_stops_lets_nobody_in() -> None:
    car = parking()
    car.tell(words.StopAsked("the car park closes"))
    assert car.check_in().ResponseCode is Code.FAILED
    assert why(car) == "the car park closes"


@pytest.mark.parametrize("kind", [VehicleCheckInReq, VehicleCheckOutReq])
def test_neither_runs_on_the_main_stream(kind: Any) -> None:
    car = charged("AC") if kind is VehicleCheckOutReq else parking()
    ask = car.check_out if kind is VehicleCheckOutReq else car.check_in
    sent: list[Any] = []
    car.ask = lambda cls, **fields: sent.append(cls(Header=car.header(), **fields))  # type: ignore[method-assign]
    ask()
    car.send(sent[0], payload_type=0x8002)
    (answer,) = car.answers()
    assert answer.ResponseCode is Code.FAILED_SequenceError
    assert "0x8002, its own is 0x8104" in why(car)


# --- check-out ---


def test_an_outlet_that_may_be_live_is_opened_before_the_vehicle_is_let_go() -> None:
    car = charged("DC")
    assert car.session.context.state is State.DC_WELDING
    car.auto = False
    for _ in range(3):
        assert car.check_out().EVSECheckOutStatus is Leaving.Scheduled
    assert len(car.wants(words.OpenContactor)) == 1
    assert not car.wants(words.CheckOutReported)
    car.tell(words.ContactorIs(False))
    assert car.check_out(time=2**64 - 1).EVSECheckOutStatus is Leaving.Scheduled
    (want,) = car.wants(words.CheckOutReported)
    assert want.departure == words.Departure("CheckOut", 2**64 - 1)
    car.tell(words.CheckedOut())
    assert car.check_out(time=2**64 - 1).EVSECheckOutStatus is Leaving.Completed
    assert car.check_out("Completed").EVSECheckOutStatus is Leaving.Completed
    assert car.stop().ResponseCode is Code.OK


@pytest.mark.parametrize("status", ["Processing", "Completed"])
def test_a_vehicle_that_drives_off_from_a_live_outlet_is_refused(status: str) -> None:
    car = charged("DC")
    car.auto = False
    car.check_out()
    assert car.check_out(status).ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, Refused)
    assert why(car) == "the vehicle drives off while the outlet may be live"


def test_a_vehicle_does_not_leave_from_under_a_device() -> None:
    car = charged("DC_ACDP")
    assert car.check_out().EVSECheckOutStatus is Leaving.Scheduled  # opens
    for _ in range(3):
        assert car.check_out().EVSECheckOutStatus is Leaving.Scheduled
    assert not car.wants(words.CheckOutReported)
    polled(car.disconnect)
    car.check_out()
    assert car.check_out().EVSECheckOutStatus is Leaving.Completed
    other = charged("DC_ACDP")
    other.check_out()
    assert other.check_out("Completed").ResponseCode is Code.FAILED
    assert why(other) == "the vehicle drives off while the device is EndPosition, not Home"


@pytest.mark.parametrize("state", ["parameters", "start", "loop"])
def test_there_is_no_check_out_before_the_end_of_power(state: str) -> None:
    car = parked() if state == "parameters" else prepared("DC")
    if state == "loop":
        car.start()
    live = state != "parameters"
    before = len(car.wants(words.OpenContactor))
    assert car.check_out().ResponseCode is Code.FAILED_SequenceError
    assert len(car.wants(words.OpenContactor)) == before + live


@pytest.mark.parametrize(
    ("said", "last", "named"),
    [
        ((), "Processing", "before it was CheckOut"),
        ((), "Completed", "before it was CheckOut"),
        (("CheckOut", "Processing"), "CheckOut", "goes back from Processing"),
        (("CheckOut", "Completed"), "CheckOut", "goes back from Completed"),
    ],
)
def test_a_check_out_out_of_its_order_is_refused(said: tuple[str, ...], last: str, named: str) -> None:
    car = charged("AC")
    for status in said:
        assert car.check_out(status).ResponseCode is Code.OK
    assert car.check_out(last).ResponseCode is Code.FAILED_SequenceError
    assert named in why(car)


def test_another_service_begins_with_another_check_in() -> None:
    car = charged("AC")
    car.stop("ServiceRenegotiation")
    car.ask(ServiceDiscoveryReq)
    for service in (1, 66):
        car.ask(ServiceDetailReq, ServiceID=service)
    car.choose("AC", parking=(1,))
    assert car.session.context.unparked == "the vehicle has not completed its check-in"
    assert car.check_in().ResponseCode is Code.OK


# --- octets of an independent encoder ---


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not at hand")
@pytest.mark.parametrize("root", ["VehicleCheckInReq", "VehicleCheckOutReq"])
def test_foreign_octets_are_heard_with_all_that_they_say(root: str) -> None:
    """Each request of the vectors that begins a check-in or check-out, as its first, under its own SessionID."""
    from v2g.exi.codec import decode
    from v2g.session.v2gtp import frame

    lines = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines() if f'"root": "{root}"' in line]
    first = [one for one in lines if "Status>Check" in one["xml"] and "Signature" not in one["xml"]]
    assert first
    for one in first:
        octets = bytes.fromhex(one["exi"])
        message: Any = decode(octets, schema_set("common"))
        kind = "AutoInternal" if "Auto" in one["xml"] else "ManualInternal"
        car = charged("AC") if root == "VehicleCheckOutReq" else parking(parking_type=kind)
        car.session.context = car.session.context.with_session(id=message.Header.SessionID)
        car.octets(frame(0x8104, octets))
        (answer,) = car.answers()
        assert answer.ResponseCode is Code.OK
        if root == "VehicleCheckOutReq":
            (out,) = car.wants(words.CheckOutReported)
            assert out.departure == words.Departure("CheckOut", message.CheckOutTime)
            assert f"<cm:CheckOutTime>{out.departure.time}<" in one["xml"]
        else:
            (told,) = car.wants(words.CheckInReported)
            said = told.arrival
            for name, value in {"VehicleFrame": said.frame, "DeviceOffset": said.offset, "VehicleTravel": said.travel}.items():
                assert (f"<cm:{name}>{value}<" in one["xml"]) == (value is not None)
                assert value is not None or f"<cm:{name}>" not in one["xml"]
        assert frames.exi(answer)
