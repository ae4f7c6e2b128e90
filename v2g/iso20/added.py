"""The value-added services of ISO 15118-20: what a station may offer a car beside energy, one row each.

    Internet 65         Protocol, Port                       the standard numbers the parameter sets itself
    ParkingStatus 66    IntendedService, ParkingStatusType   one parameter set for each intended service, by its number

What stands behind an offer is the operator's: a gateway, a bay that parks by itself. The messages only carry what was offered and taken.
"""

from dataclasses import dataclass
from typing import Final

from v2g.session.service import Intended, InternetProtocol, ParkingType


@dataclass(frozen=True, slots=True)
class AddedService:
    """One value-added service, by the name and the ServiceID of the standard."""

    name: str
    id: int


INTERNET: Final = AddedService("Internet", 65)
PARKING: Final = AddedService("ParkingStatus", 66)
ADDED: Final = {row.id: row for row in (INTERNET, PARKING)}
INTERNET_SETS: Final[dict[int, tuple[InternetProtocol, int]]] = {
    1: ("ftp", 20),
    2: ("ftp", 21),
    3: ("http", 80),
    4: ("https", 443),
}  # id -> port
INTENDED: Final[dict[Intended, int]] = {"VehicleCheckIn": 1, "VehicleCheckOut": 2}  # values of the parameter IntendedService
PARKING_TYPES: Final[dict[ParkingType, int]] = {"AutoInternal": 1, "AutoExternal": 2, "ManualInternal": 3, "ManualExternal": 4}
_AUTO, _MANUAL = ("AutoParking",), ("MVGuideManual", "Manual")
METHODS: Final[dict[ParkingType, tuple[str, ...]]] = {  # values of ParkingMethod that fit
    "AutoInternal": _AUTO,
    "AutoExternal": _AUTO,
    "ManualInternal": _MANUAL,
    "ManualExternal": _MANUAL,
}
