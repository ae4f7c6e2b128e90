"""What a car does about the value-added service ParkingStatus: how it comes to its place, and when it leaves."""

from dataclasses import dataclass
from typing import Literal, get_args

from v2g.session.service import Intended
from v2g.settings import suggestion

ParkingMethod = Literal["AutoParking", "MVGuideManual", "Manual"]


@dataclass(frozen=True, slots=True)
class Parking:
    """The driver's wish of ParkingStatus, and what the car says of itself there.

    `frame` and `offset` are passed to the station as they are, whole and signed, each within 16 bits. ValueError for what no message
    can carry.
    """

    services: tuple[Intended, ...] = ()  # taken where they are offered
    method: ParkingMethod = "Manual"
    frame: int | None = None  # VehicleFrame
    offset: int | None = None  # DeviceOffset
    leaves_after: float = 0.0  # s from the first VehicleCheckOutReq to its CheckOutTime

    def __post_init__(self) -> None:
        suggestion.demand("services", self.services, get_args(Intended))
        for name in ("frame", "offset"):
            if not -32_768 <= (getattr(self, name) or 0) <= 32_767:
                raise ValueError(f"{name} is {getattr(self, name)}; give -32768 to 32767")
        if not 0 <= self.leaves_after <= 86_400:
            raise ValueError(f"leaves_after is {self.leaves_after}; give 0 to 86400 (s)")
