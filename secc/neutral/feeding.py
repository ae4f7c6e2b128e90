"""A car that feeds the grid under its codes (AC_DER): what was said of them in one service."""

from dataclasses import dataclass

from v2g.energy.der import Alarm, GridControl, InverterRating


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """What the car was told, and what it told back."""

    rated: float = (
        0.0  # W that the car can give at most, as it said before power: what shares of its power are of, however it is limited now
    )
    inverter: InverterRating | None = None  # its rating, by the car's word
    told: GridControl | None = None  # what ChargeParameterDiscoveryRes said
    settling: bool = False  # the car has not said yet that it has taken it over
    amended: bool = False  # the grid has asked otherwise since: a loop that can say so goes on saying all of it
    alarms: tuple[Alarm, ...] = ()  # that stand, as the car told last
    connected: bool = True  # the inverter, as the car told last
