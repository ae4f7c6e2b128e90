"""Reservations in frames: who is held for, who is refused, what is told, and what is left of them after a kill."""

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.model import reservations
from ocpp_bridge.model.reservations import Reservation, Reservations
from ocpp_bridge.wire.times import timestamp
from secc.station import AuthorizationRefused, AuthorizationWanted, Authorized, PowerStarted, SessionStarted
from tests.ocpp_bridge.ocpp_stand import WALL, charger
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from tests.ocpp_bridge.test_local_authorization import away, card, grouped, reborn, send, setting
from tests.ocpp_bridge.test_local_authorization import item as listed


class Places(Played):
    """A station with several EVSEs."""

    def __init__(self, types: tuple[str, ...]):
        super().__init__()
        self.bridge = Bridge(charger(evses=len(types)))
        for evse, kind in zip(self.charger.evses.values(), types, strict=True):
            evse.connector_type = kind

    def come(self, evse: int, token: str | None = None) -> "Places":
        """A car comes to an EVSE, and its driver shows a card."""
        self.bridge.want(evse, SessionStarted(0.0, bytes(8), EVCCID), self.now)
        self.bridge.want(evse, AuthorizationWanted(0.0, "EIM", EVCCID), self.now)
        if token is not None:
            self.bridge.take_token(evse, card(token), self.now)
        self.run()
        return self.run()  # the shell looks at the bridge anew after each answer

    def reserve(self, id_: int = 7, token: str = "mine", until: float = 600.0, **more) -> dict:
        payload = {"id": id_, "idToken": card(token), "expiryDateTime": timestamp(WALL + self.now + until)}
        answer = self.ask("ReserveNow", payload | more)
        self.run()
        return answer

    @property
    def statuses(self) -> list[tuple[int, str]]:
        return [(told["evseId"], told["connectorStatus"]) for told in self.calls("StatusNotification")]

    @property
    def updates(self) -> list[dict]:
        return self.calls("ReservationStatusUpdate")


def station(*types: str) -> Places:
    p = Places(types or ("cCCS2",))
    p.boot()
    p.sent.clear()
    return p


def test_a_reserved_EVSE_serves_whom_it_is_held_for_and_no_other():
    p = station()
    assert p.reserve(evseId=1) == {"status": "Accepted"}
    assert p.statuses == [(1, "Reserved")]
    p.come(1, "yours")
    assert p.facts(AuthorizationRefused)
    assert "reserved" in p.facts(AuthorizationRefused)[0].reason
    assert not p.facts(Authorized)
    assert not any("idToken" in event for event in p.events)
    p.bridge.unplug(1, p.now)
    p.run()
    assert p.statuses[-1] == (1, "Reserved")
    p.come(1, "MINE")
    assert p.facts(Authorized)
    assert [event["reservationId"] for event in p.events if "idToken" in event] == [7]
    assert [event.get("reservationId") for event in p.events].count(7) == 1
    p.bridge.unplug(1, p.now)
    p.run()
    assert p.statuses[-1] == (1, "Available")
    assert not p.updates  # it was used


def test_a_transaction_that_begins_with_its_token_has_the_reservation_in_Started():
    p = station()
    setting(p, "TxCtrlr.TxStartPoint", "Authorized")
    p.reserve(evseId=1)
    p.come(1, "mine")
    assert [(event["eventType"], event["reservationId"]) for event in p.events] == [("Started", 7)]


def test_a_token_of_the_group_is_served():
    p = station()
    p.reserve(evseId=1, groupIdToken=card("Family", "Central"))
    p.answers["Authorize"] = grouped("Others")
    assert not p.come(1, "son").facts(Authorized)
    p.bridge.unplug(1, p.now)
    p.answers["Authorize"] = grouped("FAMILY")
    assert p.come(1, "son").facts(Authorized)


def test_offline_a_reservation_holds_as_well():
    p = station()
    send(p, 1, listed("yours"), listed("mine"))
    p.reserve(evseId=1)
    away(p)
    assert not p.come(1, "yours").facts(Authorized)
    p.bridge.unplug(1, p.now)
    assert p.come(1, "mine").facts(Authorized)


def test_a_reservation_by_which_a_car_was_called_that_did_not_come_is_over():
    p = station("cCCS2", "cCCS2")
    p.reserve(evseId=1)
    assert p.ask("RequestStartTransaction", {"remoteStartId": 1, "idToken": card("mine"), "evseId": 1})["status"] == "Accepted"
    p.run()
    assert not p.updates
    p.run(p.charger.variables.number("TxCtrlr.EVConnectionTimeOut") + 1)
    assert p.updates == [{"reservationId": 7, "reservationUpdateStatus": "NoTransaction"}]
    assert p.statuses[-1] == (1, "Available")
    assert not p.charger.reservations.held


def test_a_remote_start_goes_round_what_is_held_for_others():
    p = station("cCCS2", "cCCS2")
    p.reserve(evseId=1)
    start = {"remoteStartId": 1, "idToken": card("yours")}
    answer = p.ask("RequestStartTransaction", start | {"evseId": 1})
    assert (answer["status"], answer["statusInfo"]["additionalInfo"]) == ("Rejected", "EVSE 1 is reserved for another token")
    assert p.ask("RequestStartTransaction", start) == {"status": "Accepted"}
    assert p.charger.evses[2].remote
    assert p.ask("RequestStartTransaction", start | {"idToken": card("mine"), "evseId": 1}) == {"status": "Accepted"}
    p.come(1)
    assert [event["reservationId"] for event in p.events if "reservationId" in event] == [7]


def test_what_is_reserved_for_any_EVSE_is_held_once_there_is_no_choice():
    p = station("cCCS2", "cCCS2", "sType2")
    assert p.reserve(connectorType="cCCS2") == {"status": "Accepted"}
    assert p.statuses == []
    p.come(1, "yours")
    assert p.facts(Authorized)
    assert p.statuses[-1] == (2, "Reserved")
    p.told.clear()
    assert p.come(2, "hers").facts(AuthorizationRefused)
    p.bridge.unplug(2, p.now)
    assert p.come(3, "hers").facts(Authorized)
    p.told.clear()
    assert p.come(2, "mine").facts(Authorized)
    assert not p.charger.reservations.held


@pytest.mark.parametrize("kind", ["Expired", "Cancelled"])
def test_a_reservation_ends_with_its_time_or_by_the_csms(kind):
    p = station()
    p.reserve(evseId=1, until=60.0)
    if kind == "Expired":
        p.run(59.0)
        assert p.statuses == [(1, "Reserved")]
        p.run(1.0)
        assert p.updates == [{"reservationId": 7, "reservationUpdateStatus": "Expired"}]
    else:
        assert p.ask("CancelReservation", {"reservationId": 7}) == {"status": "Accepted"}
        assert p.ask("CancelReservation", {"reservationId": 7})["status"] == "Rejected"
        assert p.updates == []
    assert p.statuses == [(1, "Reserved"), (1, "Available")]
    assert p.come(1, "yours").facts(Authorized)


def test_an_outlet_that_fails_gives_up_its_reservation_and_says_so():
    p = station()
    p.reserve(evseId=1)
    p.bridge.out_of_service(1, "no contact", p.now)
    p.run()
    assert p.updates == [{"reservationId": 7, "reservationUpdateStatus": "Removed"}]
    assert p.statuses[-1] == (1, "Faulted")
    assert p.reserve(evseId=1) == {"status": "Faulted"}


def test_who_comes_too_late_is_told_why():
    p = station("cCCS2", "cCCS2", "sType2")
    p.charger.evses[2].operative = False
    p.come(1)
    assert p.reserve(evseId=1) == {"status": "Occupied"}
    assert p.reserve(evseId=2) == {"status": "Unavailable"}
    assert p.reserve(connectorType="cCCS2") == {"status": "Occupied"}
    assert p.reserve(1, evseId=3) == {"status": "Accepted"}
    assert p.reserve(2, evseId=3) == {"status": "Occupied"}
    assert p.reserve(2) == {"status": "Occupied"}
    assert p.reserve(1, "other", evseId=3) == {"status": "Accepted"}  # the same reservation anew
    for refused in (
        p.reserve(3, until=-1.0),
        p.reserve(3, evseId=9),
        p.reserve(3, connectorType="cG105"),
        p.reserve(3, evseId=3, connectorType="cCCS2"),
    ):
        assert (refused["status"], refused["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidValue")


@pytest.mark.parametrize("name", ["ReservationCtrlr.Enabled", "AuthCtrlr.Enabled"])
def test_nothing_is_reserved_where_that_could_not_be_kept(name):
    p = station()
    setting(p, name, "false")
    assert p.reserve(evseId=1)["statusInfo"]["reasonCode"] == "NotEnabled"


def test_a_reservation_survives_a_kill_and_is_told_anew():
    p = station()
    p.reserve(evseId=1)
    p.reserve(8, evseId=1)  # refused
    q = reborn(p)
    q.boot()
    assert list(q.charger.reservations.held) == [7]
    assert [call["connectorStatus"] for call in q.calls("StatusNotification")][-1] == "Reserved"
    q.want(SessionStarted(0.0, bytes(8), EVCCID), AuthorizationWanted(0.0, "EIM", EVCCID), PowerStarted(0.0))
    q.bridge.take_token(1, card("yours"), q.now)
    assert q.run().facts(AuthorizationRefused)
    q.run(601.0)
    assert not reborn(q).charger.reservations.held


# --- the pure rules ---


def open_(id_: int, kind: str = "") -> Reservation:
    return Reservation(id_, 0.0, f"t{id_}", connector_type=kind)


@pytest.mark.parametrize(
    ("held", "types", "reserved"),
    [
        ([], {1: "a", 2: "b"}, set()),
        ([open_(1)], {1: "a", 2: "b"}, set()),
        ([open_(1), open_(2)], {1: "a", 2: "b"}, {1, 2}),
        ([open_(1, "a")], {1: "a", 2: "b"}, {1}),
        ([open_(1, "a"), open_(2)], {1: "a", 2: "a", 3: "b"}, set()),
        ([open_(1, "a"), open_(2), open_(3)], {1: "a", 2: "a", 3: "b"}, {1, 2, 3}),
        ([open_(1), open_(2, "a")], {1: "a", 2: "b"}, {1, 2}),  # the first sits where the second must, and moves
        ([Reservation(1, 0.0, "t", evse=2), open_(2, "a")], {1: "a", 2: "a", 3: "a"}, {2}),
        ([open_(1, "c")], {1: "a"}, set()),
    ],
)
def test_held_is_what_is_named_and_what_those_who_may_choose_cannot_do_without(held, types, reserved):
    assert Reservations({each.id: each for each in held}).reserved(types) == reserved


def test_reservations_without_EVSE_are_bounded():
    many = {n: open_(n) for n in range(reservations.OPEN_MAXIMUM)}
    places = dict.fromkeys(range(1000), "a")
    assert not Reservations(many).room_for(open_(999), places)
    assert Reservations(many).room_for(open_(0), places)
