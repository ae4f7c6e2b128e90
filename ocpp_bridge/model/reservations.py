"""Reservations of EVSEs: which are held for whom, and whether one more can be kept (pure).

A reservation is for one EVSE, or for any EVSE with a type of connector, or for any at all. Those that name no EVSE hold one of the free
EVSEs each, and which one is open for as long as there is a choice.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ocpp_bridge.model.known_tokens import name_of
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch

OPEN_MAXIMUM: Final = 32  # reservations without EVSE: a station has no more free EVSEs. One beyond is refused


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reservation until `expiry` (epoch s) for a token, or its group."""

    id: int
    expiry: float  # epoch s
    token: str  # `known_tokens.name_of`
    group: str = ""
    evse: int | None = None
    connector_type: str = ""
    since: float = 0.0  # epoch s

    @classmethod
    def of(cls, payload: Payload, since: float = 0.0) -> "Reservation":
        """The reservation that a ReserveNow asks for, from `since` (epoch s) on. ValueError for a time that cannot be read."""
        group = name_of(payload["groupIdToken"]) if "groupIdToken" in payload else ""
        where = payload.get("evseId"), payload.get("connectorType", "")
        return cls(payload["id"], epoch(payload["expiryDateTime"]), name_of(payload["idToken"]), group, *where, since)

    def fits(self, token: str, group: str) -> bool:
        """Whether it is for a token of that name, in that group."""
        return token == self.token or (bool(group) and group == self.group)


@dataclass(slots=True)
class Reservations:
    """The reservations of a station, by id. `types` of an argument is the type of connector of each EVSE that can serve a car now."""

    held: dict[int, Reservation] = field(default_factory=dict)

    def room_for(self, wanted: Reservation, types: Mapping[int, str]) -> bool:
        """Whether a reservation can be kept beside all others at EVSEs of these types; one of the same id makes room."""
        others = [each for each in self.held.values() if each.id != wanted.id]
        open_ = [each for each in [*others, wanted] if each.evse is None]
        if wanted.evse is not None and any(each.evse == wanted.evse for each in others):
            return False
        taken = {each.evse for each in [*others, wanted] if each.evse is not None}
        return len(open_) <= OPEN_MAXIMUM and len(_seated(open_, _without(types, taken))) == len(open_)

    def reserved(self, types: Mapping[int, str]) -> set[int]:
        """The EVSEs that are held for somebody: named by a reservation, or needed by those that name none."""
        named = {each.evse for each in self.held.values() if each.evse is not None}
        open_ = [each for each in self.held.values() if each.evse is None]
        places = _without(types, named)
        seats = _seated(open_, places)
        needed = {evse for evse in seats if not _moved(seats[evse], open_, places, dict(seats), {evse})}
        return {evse for evse in types if evse in named} | needed

    def for_token(self, evse: int, kind: str, token: str, group: str) -> Reservation | None:
        """The reservation by which a token may use an EVSE with that type of connector: one that names the EVSE goes first."""
        mine = [each for each in self.held.values() if each.fits(token, group) and _serves(each, evse, kind)]
        return min(mine, key=lambda each: (each.evse is None, each.expiry), default=None)

    def due(self) -> float | None:
        """When the next one ends (epoch s)."""
        return min((each.expiry for each in self.held.values()), default=None)


def _without(types: Mapping[int, str], taken: Collection[int | None]) -> dict[int, str]:
    return {evse: kind for evse, kind in types.items() if evse not in taken}


def _serves(wanted: Reservation, evse: int, kind: str) -> bool:
    return wanted.evse in (None, evse) and wanted.connector_type in ("", kind)


def _seated(wanted: Iterable[Reservation], places: Mapping[int, str]) -> dict[int, int]:
    """As many reservations as possible at an EVSE each: the place in `wanted` by EVSE."""
    all_ = list(wanted)
    seats: dict[int, int] = {}
    for number in range(len(all_)):
        _moved(number, all_, places, seats, set())
    return seats


def _moved(number: int, wanted: list[Reservation], places: Mapping[int, str], seats: dict[int, int], tried: set[int]) -> bool:
    """Seat a reservation at an EVSE that was not tried, if need be by moving others; whether that was possible."""
    for evse, kind in places.items():
        if evse in tried or not _serves(wanted[number], evse, kind):
            continue
        tried.add(evse)
        if evse not in seats or _moved(seats[evse], wanted, places, seats, tried):
            seats[evse] = number
            return True
    return False
