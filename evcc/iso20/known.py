"""What a session of ISO 15118-20 has learnt, and what a car keeps of it over a pause."""

from dataclasses import dataclass
from typing import Any

from evcc import car as any_car
from evcc.car import Authorization, Outcome
from evcc.choice import Choice
from evcc.iso20.conditions import Owed, sums_of
from evcc.offers import Conditions, Offered
from v2g.messages.common_types import MeterInfoType, ReceiptType
from v2g.services import Selection
from v2g.session.errors import Misuse
from v2g.session.service import Intended


@dataclass(slots=True)
class Known:
    """What the session has learnt from its station: services, schedules, prices, meter."""

    renegotiable: bool = False  # the station can change the service
    selected: Selection | None = None
    declined: tuple[str, ...] = ()  # services whose grid codes this car's inverter cannot follow
    offers: tuple[Offered, ...] = ()
    choice: Choice | None = None
    internet: str = ""  # the protocol of the value-added service Internet that was selected
    parking: tuple[Intended, ...] = ()  # what was selected of the value-added service ParkingStatus
    parked: tuple[Intended, ...] = ()  # what of it was completed
    meter: MeterInfoType | None = None
    sold: Conditions | None = None  # what the station sells under
    receipt: ReceiptType | None = None  # the last that it gave
    renegotiated: float | None = None  # wall time of the last renegotiation
    postponed: Any = None  # a renegotiation that the station asked for too soon after the last
    fruitless: int = 0  # schedules in a row that brought no power

    @property
    def service(self) -> Selection:
        """The selected service. Raises Misuse before one is selected."""
        if self.selected is None:
            raise Misuse("the script speaks of its service before it has selected one")
        return self.selected

    @property
    def owed(self) -> Owed | None:
        """The sums of the last receipt; None before there is one."""
        return None if self.receipt is None else sums_of(self.receipt, self.sold)

    @property
    def tuple_id(self) -> int | None:
        """The id of the ScheduleTuple that is followed; None in Dynamic control, and before there is a choice."""
        return self.choice.tuple_id if self.choice else None

    def outcome(self) -> Outcome:
        """What the session came to, for the result of a visit."""
        chosen, owed = self.selected, self.owed
        service, control = (chosen.service, chosen.control) if chosen else (None, None)
        cost, currency = (owed.total, owed.currency or None) if owed else (None, None)
        return Outcome(service, control, self.internet or None, self.tuple_id, cost, currency, self.parked)


Car = any_car.Car[Known]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a car keeps of a paused session, to resume it. `station` is the station's certificate (DER), None on a bench without TLS."""

    session_id: bytes
    selection: Selection
    authorization: Authorization
    station: bytes | None = None
    renegotiable: bool = False
    tuple_id: int | None = None
    parking: tuple[Intended, ...] = ()


def memory_of(car: Car) -> Memory:
    """What to keep of this session when it pauses."""
    known = car.known
    way = car.authorization or "EIM"
    return Memory(car.session_id, known.service, way, car.station, known.renegotiable, known.tuple_id, known.parking)


def forget(car: Car) -> None:
    """Delete what was kept of a paused session, authorization included [V2G20-2613] [V2G20-2617]."""
    car.memory = car.authorization = car.known.selected = car.known.choice = None
