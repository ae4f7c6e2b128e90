"""ParkingStatus of a car: it drives to its place before power, as far as the station says, and leaves when it is let go."""

from dataclasses import replace
from typing import Any

import pytest

from evcc.parking import Parking
from secc import station as words
from secc.pause import PausedSessions
from tests.evcc.test_pair import VERIFIER, car, ended
from tests.evcc.virtual_pair import Pair, outlet
from v2g.messages.common_messages import VehicleCheckInReq, VehicleCheckOutReq
from v2g.session.endpoint import FrameReceived, FrameSent
from v2g.session.errors import TimedOut

BOTH: Any = ("VehicleCheckIn", "VehicleCheckOut")


def visit(service: str = "DC", wish: Parking | None = None, pair: type[Pair] = Pair, **offer: Any) -> Any:
    visitor = car(service, parking=wish or Parking(BOTH))
    return pair(visitor, outlet(**{"parking": BOTH, **offer}))


def sent(pair: Pair, kind: type[Any]) -> list[Any]:
    return [event.message for event in pair.seen if isinstance(event, FrameSent) and isinstance(event.message, kind)]


@pytest.mark.parametrize("service", ["AC", "AC_BPT", "AC_DER_IEC", "DC", "DC_BPT", "MCS", "DC_ACDP"])
def test_a_car_drives_to_its_place_charges_and_is_let_go(service: str) -> None:
    pair = visit(service, Parking(BOTH, "MVGuideManual", frame=-7, offset=9, leaves_after=600))
    assert ended(pair) == "Terminate"
    assert pair.car.known.parked == BOTH
    arrivals = sent(pair, VehicleCheckInReq)
    assert [one.EVCheckInStatus.value for one in arrivals] == ["CheckIn", "Processing", "Processing", "Processing", "Completed"]
    assert [one.VehicleTravel for one in arrivals] == [0, 100, 200, 250, 250]
    assert {(one.ParkingMethod.value, one.VehicleFrame, one.DeviceOffset) for one in arrivals} == {("MVGuideManual", -7, 9)}
    departures = sent(pair, VehicleCheckOutReq)
    assert [one.EVCheckOutStatus.value for one in departures][-2:] == ["CheckOut", "Completed"]
    assert {one.CheckOutTime for one in departures} == {departures[0].Header.TimeStamp + 600}
    order = [
        type(event) for event in pair.happened if isinstance(event, words.CheckInReported | words.PowerStarted | words.CheckOutReported)
    ]
    assert list(dict.fromkeys(order)) == [words.CheckInReported, words.PowerStarted, words.CheckOutReported]
    last = max(event.at for event in pair.of(words.CheckInReported))
    closing = [event.at for event in pair.happened if isinstance(event, words.CloseContactor | words.CheckIsolation | words.ConnectDevice)]
    assert last < min(closing)


@pytest.mark.parametrize(
    ("wanted", "offered", "kind", "taken"),
    [
        (BOTH, BOTH, "ManualInternal", BOTH),
        (("VehicleCheckOut",), BOTH, "ManualInternal", ("VehicleCheckOut",)),
        (BOTH, ("VehicleCheckIn",), "ManualInternal", ("VehicleCheckIn",)),
        (BOTH, BOTH, "AutoInternal", ()),  # it does not park by itself
        (BOTH, (), "ManualInternal", ()),
        ((), BOTH, "ManualInternal", ()),
    ],
)
def test_a_car_takes_what_it_wants_of_what_is_offered(wanted: Any, offered: Any, kind: Any, taken: Any) -> None:
    pair = visit(wish=Parking(wanted), parking=offered, parking_type=kind)
    assert ended(pair) == "Terminate"
    assert pair.car.known.parking == pair.car.known.parked == taken


def test_it_stands_beside_internet() -> None:
    pair = Pair(car("DC", internet=("https",), parking=Parking(BOTH)), outlet(parking=BOTH, internet=("https",)))
    assert ended(pair) == "Terminate"
    (want,) = pair.of(words.ServiceSelected)
    assert [(one.service, one.protocol, one.intended) for one in want.added] == [
        ("Internet", "https", ""),
        ("ParkingStatus", "", "VehicleCheckIn"),
        ("ParkingStatus", "", "VehicleCheckOut"),
    ]


class Far(Pair):
    """A place that no car reaches."""

    lane = 1_000_000

    def _serve(self, event: Any) -> None:
        if isinstance(event, words.CheckInReported):
            self._after(words.PlaceIs(words.ParkingPlace(7, 8, 32_767)))
        else:
            super()._serve(event)


def test_a_car_gives_up_a_place_that_it_does_not_reach() -> None:
    pair = visit(pair=Far)
    assert pair.evcc.ended is not None
    assert isinstance(pair.evcc.ended.error, TimedOut)
    assert "parking" in pair.evcc.ended.reason
    assert not pair.of(words.CheckIsolation)
    assert max(one.VehicleTravel for one in sent(pair, VehicleCheckInReq)) <= 32_767


class Kept(Pair):
    """A station that lets nobody go."""

    def _serve(self, event: Any) -> None:
        if not isinstance(event, words.CheckOutReported):
            super()._serve(event)


def test_a_car_that_is_not_let_go_ends_all_the_same() -> None:
    pair = visit(pair=Kept)
    assert pair.evcc.ended is not None
    assert isinstance(pair.evcc.ended.error, TimedOut)
    assert pair.car.known.parked == ("VehicleCheckIn",)
    assert not pair.car.closed


def test_a_driver_who_leaves_while_the_car_drives_to_its_place_is_heard() -> None:
    visitor = car("DC", parking=Parking(BOTH))
    visitor.stop_asked = None

    class Leaving(Far):
        def _serve(self, event: Any) -> None:
            super()._serve(event)
            if len(self.of(words.CheckInReported)) == 5:
                self.evcc.stop("the driver leaves")

    pair = Leaving(visitor, outlet(parking=BOTH))
    assert ended(pair) == "Terminate"
    assert not pair.of(words.CheckIsolation)


def test_a_car_that_comes_back_after_a_pause_checks_in_again() -> None:

    kept = PausedSessions()
    visitor = car("DC", parking=Parking(BOTH), loops=8)
    visitor.wish = replace(visitor.wish, pause_after=3)
    first = Pair(visitor, outlet(parking=BOTH), given={**VERIFIER, "paused": kept})
    assert ended(first) == "Pause"
    assert first.car.known.parked == ("VehicleCheckIn",)
    assert not sent(first, VehicleCheckOutReq)  # it stays
    back = visitor.anew(visitor.link)
    back.now = first.now + 1
    second = Pair(back, outlet(parking=BOTH), given={**VERIFIER, "paused": kept})
    assert ended(second) == "Terminate"
    assert [one.EVCheckInStatus.value for one in sent(second, VehicleCheckInReq)] == ["CheckIn", "Completed"]
    assert second.car.known.parked == BOTH


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"services": ("VehicleCheckUp",)}, "VehicleCheckUp"),
        ({"frame": 40_000}, "frame is 40000; give -32768 to 32767"),
        ({"offset": -40_000}, "offset is -40000"),
        ({"leaves_after": -1}, "give 0 to 86400"),
    ],
)
def test_a_wish_that_no_message_can_carry_is_refused_by_name(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Parking(**wrong)


def test_what_runs_beside_has_a_payload_type_of_its_own() -> None:
    pair = visit()
    kinds = {e.payload_type for e in pair.seen if isinstance(e, FrameSent | FrameReceived) and "VehicleCheck" in type(e.message).__name__}
    assert kinds == {0x8104}
