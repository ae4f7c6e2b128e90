"""Signals from outside that steer a site over time: caps, of which the lowest holds, and setpoints, of which the first in rank holds."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from v2g.energy.series import Series


class Kind(Enum):
    """What the power of a signal is: a cap on one direction, or a setpoint."""

    IMPORT_CAP = "import cap"  # W >= 0, at most this into the EV
    EXPORT_CAP = "export cap"  # W >= 0, at most this out of it
    SETPOINT = "setpoint"  # W, signed: this, as far as the caps and the car allow


class Rank(IntEnum):
    """The priority of setpoints: of two the one of smaller rank holds, of equal rank the first given. Caps need none: the lowest holds."""

    SAFETY = 0
    GRID = 1  # the network operator
    COMMITMENT = 2  # sold flexibility: a dispatch, OCPP CentralSetpoint


@dataclass(frozen=True, slots=True)
class Signal:
    """A limit or setpoint from outside. It holds over its series and nowhere else; plans name it by `id` where it limits their power.

    ValueError for a cap below 0: OCPP's dischargeLimit is negative on the wire, a cap here is a magnitude.
    """

    id: str  # e.g. "ocpp:17", "dso:evening"
    kind: Kind
    power: Series  # W
    rank: Rank = Rank.COMMITMENT

    def __post_init__(self) -> None:
        lowest = min(self.power.values, default=0.0)
        if self.kind is not Kind.SETPOINT and lowest < 0:
            raise ValueError(f"the {self.kind.value} {self.id!r} has {lowest} W; caps are magnitudes, negate a discharge limit")
