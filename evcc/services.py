"""Which service a car takes: its own ranking over what is offered, never the station's order, never a position in a list."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from v2g.messages.common_messages import ParameterSetType, ParameterType
from v2g.session.rational import number

IDS = {"AC": 1, "DC": 2, "AC_BPT": 5, "DC_BPT": 6}
SCHEMA_SETS = {"AC": "ac", "AC_BPT": "ac", "DC": "dc", "DC_BPT": "dc"}
CONTROL = {"Scheduled": 1, "Dynamic": 2}
MOBILITY_BY_CAR, MOBILITY_BY_STATION = 1, 2
# Connector values that fit this car's inlet. Three-phase AC is 2 for some stacks and 3 for others; such a car fits a single phase too.
CONNECTORS = {"ac": (1, 2, 3), "dc": (1, 2)}


@dataclass(frozen=True, slots=True)
class Selection:
    """One parameter set of one energy service."""

    service: str
    parameter_set: int
    control: Literal["Scheduled", "Dynamic"]

    @property
    def service_id(self) -> int:
        """The number of the service."""
        return IDS[self.service]

    @property
    def bidirectional(self) -> bool:
        """True for a BPT service, whose messages carry BPT types."""
        return self.service.endswith("_BPT")

    @property
    def dc(self) -> bool:
        """True when the station converts."""
        return SCHEMA_SETS[self.service] == "dc"


def ranked(wanted: Iterable[str], offered_ids: Iterable[int], schema_set: str) -> list[str]:
    """The offered services that the car wants and that the negotiated message set carries, best first."""
    there = set(offered_ids)
    return [service for service in wanted if IDS[service] in there and SCHEMA_SETS[service] == schema_set]


def values(parameters: ParameterSetType) -> dict[str, int | float | str | bool]:
    """Name -> value of a parameter set; the type of the value is the station's business."""
    return {parameter.Name: _value(parameter) for parameter in parameters.Parameter}


def _value(parameter: ParameterType) -> int | float | str | bool:
    if parameter.rationalNumber is not None:
        return number(parameter.rationalNumber)
    stated = (parameter.boolValue, parameter.byteValue, parameter.shortValue, parameter.intValue, parameter.finiteString)
    return next(value for value in stated if value is not None)


def fitting(service: str, control: Literal["Scheduled", "Dynamic"], sets: Iterable[ParameterSetType]) -> Selection | None:
    """The parameter set with the wanted control mode, or None. Needs stay with the car where the station leaves it the choice."""
    fit: list[tuple[bool, bool, int, int]] = []
    for offer in sets:
        said = values(offer)
        mobility = said.get("MobilityNeedsMode", MOBILITY_BY_CAR)
        if said.get("ControlMode") != CONTROL[control] or said.get("Connector", 1) not in CONNECTORS[SCHEMA_SETS[service]]:
            continue
        if mobility == MOBILITY_BY_STATION and control == "Scheduled":
            continue  # [V2G20-2663]
        fit.append((mobility != MOBILITY_BY_CAR, said.get("Pricing", 0) == 0, len(fit), offer.ParameterSetID))
    return Selection(service, min(fit)[3], control) if fit else None
