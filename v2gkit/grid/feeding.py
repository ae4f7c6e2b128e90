"""What holds, in the words that a station takes from its energy management (docs/site.schema.json), for one of several stations; and what
it says to its batteries. Pure."""

import math
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from v2gkit.grid.modbus.storage import Storage
from v2gkit.grid.standing import Standing

LASTS: Final = 60.0  # s for which a setpoint is told: a station whose energy management falls silent goes its own way then
SOURCE: Final = "EMS"  # whose limit it is, in OCPP's ChargingLimitSourceEnumType


def words_of(held: Standing, stations: int, outlets: int = 1) -> Iterable[dict[str, Any]]:
    """The lines for each of so many stations, of so many outlets: an equal share of what holds, so that none has to know of the others.

    A station shares a limit among its outlets by itself, and takes a setpoint for each of them: that is divided here.

    A limit stands until another one is told, so that a station keeps it when we are gone. A setpoint has to be told again before `LASTS` s.
    """
    limit: dict[str, Any] = {"type": "limit", "source": SOURCE}
    for name, cap in (("charge", held.import_cap), ("discharge", held.export_cap)):
        if math.isfinite(cap):
            limit[name] = cap / stations
    yield limit
    setpoint = held.setpoint
    yield {"type": "setpoint", "power": None if setpoint is None else setpoint / (stations * outlets), "lasts": LASTS}


class Order(msgspec.Struct, tag="order", tag_field="type"):
    """What a station tells a battery of its site: a power, W, + is drawn, for so many s."""

    name: str
    power: float
    lasts: float


def battery_word(storage: Storage) -> dict[str, Any]:
    """The line of what a battery said last."""
    assert storage.said is not None
    soc, power = storage.said
    return {"type": "battery", "name": storage.pack, "soc": soc, "power": power}


def order_of(line: bytes) -> Order | None:
    """The order in a line of a station; None for any other line."""
    try:
        return msgspec.json.decode(line, type=Order)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
