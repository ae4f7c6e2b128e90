"""What holds, in the words that a station takes from its energy management (docs/site.schema.json), for one of several stations. Pure."""

import math
from collections.abc import Iterable
from typing import Any, Final

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
