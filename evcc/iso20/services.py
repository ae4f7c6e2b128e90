"""Which service and parameter set a car takes: by its own order of preference, whatever the station's order is."""

from collections.abc import Iterable

from v2g.iso20.der import named
from v2g.iso20.rational import number
from v2g.iso20.services import CONTROL, MOBILITY, SERVICES, Control, Mobility
from v2g.messages.common_messages import ParameterSetType, ParameterType
from v2g.services import Selection

SINGLE_PHASE = 1  # of the Connector of AC


def ranked(wanted: Iterable[str], offered_ids: Iterable[int], schema_set: str) -> list[str]:
    """The offered services that the car wants and that the negotiated message set carries, best first."""
    there = set(offered_ids)
    return [service for service in wanted if SERVICES[service].id in there and SERVICES[service].schema_set == schema_set]


def values(parameters: ParameterSetType) -> dict[str, int | float | str | bool]:
    """The values of a parameter set by name, in whatever type the station sent them."""
    return {parameter.Name: _value(parameter) for parameter in parameters.Parameter}


def _value(parameter: ParameterType) -> int | float | str | bool:
    if parameter.rationalNumber is not None:
        return number(parameter.rationalNumber)
    stated = (parameter.boolValue, parameter.byteValue, parameter.shortValue, parameter.intValue, parameter.finiteString)
    return next(value for value in stated if value is not None)


def fitting(
    service: str,
    control: Control,
    sets: Iterable[ParameterSetType],
    needs: Mobility = "EVCC",
    able: frozenset[str] = frozenset(),
) -> Selection | None:
    """The selection of the parameter set with the wanted control mode, None without one.

    Of several, one in which `needs` (the car or the station) states departure and SOC is preferred. `able` names what the car's inverter
    can do for a grid; a set that asks for more does not fit.
    """
    fit: list[tuple[bool, bool, int, Selection]] = []
    for offer in sets:
        said = values(offer)
        mobility = said.get("MobilityNeedsMode", MOBILITY["EVCC"])
        if said.get("ControlMode") != CONTROL[control] or said.get("Connector", 1) not in SERVICES[service].inlets:
            continue
        if mobility == MOBILITY["SECC"] and control == "Scheduled":
            continue  # [V2G20-2663]
        if not named(int(said.get("DERControlFunctions", 0))) <= able:
            continue
        by: Mobility = "SECC" if mobility == MOBILITY["SECC"] else "EVCC"
        phases = 1 if said.get("Connector") == SINGLE_PHASE else 3
        selection = Selection(service, offer.ParameterSetID, control, by, phases)
        fit.append((by != needs, said.get("Pricing", 0) == 0, len(fit), selection))
    return min(fit, key=lambda one: one[:3])[3] if fit else None
