"""Reservation (block H): EVSEs that are held for a token until it comes, or its time is over."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks.availability import tell_status
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.known_tokens import name_of
from ocpp_bridge.model.reservations import Reservation
from ocpp_bridge.model.variables import BOOLEAN, FLAG, Row
from ocpp_bridge.wire.schemas import Payload


def objection(charger: Charger, evse: Evse, shown: Payload, group: str) -> str:
    """Why a token must not use an EVSE now, because it is held for another; empty where it may."""
    if evse.id in charger.payments.held:
        return f"EVSE {evse.id} is held for who pays for it by a web page"
    return reserved_for_another(charger, evse, shown, group)


def reserved_for_another(charger: Charger, evse: Evse, shown: Payload, group: str) -> str:
    """Why a token must not use an EVSE now, because it is reserved; empty where it may."""
    if not charger.reservations.held or evse.id not in charger.reservations.reserved(_serving(charger)):
        return ""
    if charger.reservations.for_token(evse.id, evse.connector_type, name_of(shown), group) is not None:
        return ""
    return f"EVSE {evse.id} is reserved for another token"


def redeem(charger: Charger, evse: Evse, shown: Payload, group: str) -> Reservation | None:
    """Use up the reservation of a token that begins to charge at an EVSE, and return it; None: it has none."""
    mine = charger.reservations.for_token(evse.id, evse.connector_type, name_of(shown), group)
    if mine is None:
        return None
    _drop(charger, mine)
    return mine


def unused(charger: Charger, evse: Evse, shown: Payload, group: str, now: float) -> None:
    """Give up the reservation of a token that was to begin a transaction at an EVSE and has not; tell the CSMS NoTransaction."""
    mine = redeem(charger, evse, shown, group)
    if mine is not None:
        charger.call("ReservationStatusUpdate", {"reservationId": mine.id, "reservationUpdateStatus": "NoTransaction"})
        charger.note(f"reservation {mine.id}: NoTransaction")
        _tell(charger, now)


def reserve_now(charger: Charger, payload: Payload, now: float) -> Payload:
    """ReserveNow (H01): hold an EVSE, or one of a kind, for a token; one of the same id is replaced."""
    wanted = Reservation.of(payload, charger.wall(now))
    if (refusal := _refusal(charger, wanted, now)) is not None:
        return refusal
    free = {evse.id: evse.connector_type for evse in charger.evses.values() if _free(evse)}
    if wanted.evse is not None and not _free(charger.evses[wanted.evse]):
        return {"status": _obstacle(charger.evses[wanted.evse])}
    if not charger.reservations.room_for(wanted, free):
        return {"status": _why_full(charger, wanted)}
    charger.reservations.held[wanted.id] = wanted
    charger.keep(f"reservation/{wanted.id}", {"asked": payload, "since": wanted.since})
    _tell(charger, now)
    return {"status": "Accepted"}


def cancel(charger: Charger, payload: Payload, now: float) -> Payload:
    """CancelReservation (H02): the EVSE is free for everybody again."""
    held = charger.reservations.held.get(payload["reservationId"])
    if held is None:
        return no("InvalidValue", f"there is no reservation {payload['reservationId']}")
    _drop(charger, held)
    _tell(charger, now)
    return {"status": "Accepted"}


def _refusal(charger: Charger, wanted: Reservation, now: float) -> Payload | None:
    if not charger.variables.yes("ReservationCtrlr.Enabled"):
        return no("NotEnabled", "ReservationCtrlr.Enabled is false")
    if not charger.variables.yes("AuthCtrlr.Enabled"):
        return no("NotEnabled", "AuthCtrlr.Enabled is false: everybody charges here, and nobody could be told from another")
    if wanted.expiry <= charger.wall(now):
        return no("InvalidValue", "expiryDateTime is over")
    if wanted.evse is not None and wanted.evse not in charger.evses:
        return no("InvalidValue", f"there is no EVSE {wanted.evse}")
    if wanted.connector_type and not any(wanted.connector_type == evse.connector_type for evse in _places(charger, wanted)):
        return no("InvalidValue", f"there is no connector of type {wanted.connector_type}")
    return None


def _places(charger: Charger, wanted: Reservation) -> list[Evse]:
    return [evse for evse in charger.evses.values() if wanted.evse in (None, evse.id)]


def _why_full(charger: Charger, wanted: Reservation) -> str:
    """The status that says best why no EVSE can be held."""
    found = {
        _obstacle(evse) for evse in _places(charger, wanted) if not wanted.connector_type or evse.connector_type == wanted.connector_type
    }
    return next(status for status in ("Occupied", "Faulted", "Unavailable") if status in found)


def _obstacle(evse: Evse) -> str:
    return "Faulted" if evse.faulted else "Occupied" if evse.operative and not evse.closed else "Unavailable"


def _usable(evse: Evse) -> bool:
    return evse.operative and not evse.faulted


def _free(evse: Evse) -> bool:
    return _usable(evse) and not evse.closed and evse.session is None and evse.transaction is None and evse.remote is None


def _serving(charger: Charger) -> dict[int, str]:
    """The EVSEs that can still serve who has reserved, a car that nobody has authorized yet or not, with their types of connector."""
    places = [evse for evse in charger.evses.values() if _usable(evse) and not (evse.session and evse.session.token)]
    return {evse.id: evse.connector_type for evse in places}


def _drop(charger: Charger, held: Reservation) -> None:
    del charger.reservations.held[held.id]
    charger.keep(f"reservation/{held.id}", None)


def _tell(charger: Charger, now: float) -> None:
    """Say Reserved and Available of the EVSEs at which no car is, where that has changed."""
    reserved = charger.reservations.reserved(_serving(charger)) if charger.reservations.held else set()
    for evse in charger.evses.values():
        before, evse.reserved = evse.reserved, evse.id in reserved
        if before != evse.reserved and evse.session is None and evse.transaction is None and evse.status in ("Available", "Reserved"):
            tell_status(charger, evse, evse.resting, now)


def _over(charger: Charger, held: Reservation, wall: float) -> str:
    """Why a reservation cannot be kept any longer: reservationUpdateStatus; empty while it can."""
    if wall >= held.expiry:
        return "Expired"
    return "" if any(_usable(evse) for evse in _places(charger, held)) else "Removed"


def _tick(charger: Charger, now: float) -> None:
    wall = charger.wall(now)
    for held in list(charger.reservations.held.values()):
        if status := _over(charger, held, wall):
            _drop(charger, held)
            charger.call("ReservationStatusUpdate", {"reservationId": held.id, "reservationUpdateStatus": status})
            charger.note(f"reservation {held.id}: {status}")
    _tell(charger, now)


def _due(charger: Charger) -> float | None:
    edge = charger.reservations.due()
    return None if edge is None else charger.moment(edge)


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    held = [Reservation.of(each["asked"], each["since"]) for each in kept.values()]
    charger.reservations.held = {each.id: each for each in held}


BLOCK: Final = Block(
    requests={"ReserveNow": reserve_now, "CancelReservation": cancel},
    due=_due,
    tick=_tick,
    keeps="reservation",
    restore=_restore,
    variables=(
        Row("ReservationCtrlr", "Available", "true", FLAG),
        Row("ReservationCtrlr", "Enabled", "true", FLAG, BOOLEAN),
        Row("ReservationCtrlr", "NonEvseSpecific", "true", FLAG),
    ),
)
