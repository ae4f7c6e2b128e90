"""What others ask of a site over time: caps, which combine by minimum, and setpoints, of which the first in rank holds."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from energy.series import Series


class Kind(Enum):
    """What the power of a signal means."""

    IMPORT_CAP = "import cap"  # W >= 0, at most this into the EV
    EXPORT_CAP = "export cap"  # W >= 0, at most this out of it
    SETPOINT = "setpoint"  # W, signed: this, as far as the caps and the car allow


class Rank(IntEnum):
    """Who is heard first. Caps need no rank, the lowest binds; of two setpoints the smaller rank holds, of equal ones the first given."""

    SAFETY = 0
    GRID = 1  # the network operator
    COMMITMENT = 2  # sold flexibility: a dispatch, OCPP CentralSetpoint


@dataclass(frozen=True, slots=True)
class Signal:
    """A wish or limit from outside, known by `id` in whatever it binds. Before and after its series it says nothing.

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
