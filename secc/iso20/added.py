"""The value-added services of an outlet: those offered in messages, and what a selected one means."""

from secc.outlet import Outlet
from secc.station import Added
from v2g.iso20.added import ADDED, INTENDED, INTERNET, INTERNET_SETS, PARKING, PARKING_TYPES
from v2g.messages.common_messages import ParameterSetType, ParameterType
from v2g.session.service import Intended


def added_services(outlet: Outlet) -> tuple[int, ...]:
    """The ServiceIDs that an outlet offers beside energy."""
    return (*((INTERNET.id,) if outlet.internet else ()), *((PARKING.id,) if outlet.parking else ()))


def added_sets(service_id: int, outlet: Outlet) -> tuple[ParameterSetType, ...]:
    """The parameter sets of an offered value-added service: of Internet those whose protocol is configured, of ParkingStatus one for each
    service that is intended.
    """
    if service_id == PARKING.id:
        return tuple(_parking_set(INTENDED[intended], outlet) for intended in outlet.parking)
    return tuple(
        ParameterSetType(
            ParameterSetID=number,
            Parameter=(ParameterType(Name="Protocol", finiteString=protocol), ParameterType(Name="Port", intValue=port)),
        )
        for number, (protocol, port) in INTERNET_SETS.items()
        if protocol in outlet.internet
    )


def _parking_set(intended: int, outlet: Outlet) -> ParameterSetType:
    kind = PARKING_TYPES[outlet.parking_type]
    said = (ParameterType(Name="IntendedService", intValue=intended), ParameterType(Name="ParkingStatusType", intValue=kind))
    return ParameterSetType(ParameterSetID=intended, Parameter=said)


def taken(service_id: int, parameter_set: int) -> Added:
    """The value-added service that a ServiceID and a parameter set of the offer stand for."""
    if service_id == PARKING.id:
        return Added(PARKING.name, intended=next(name for name, number in INTENDED.items() if number == parameter_set))
    protocol, port = INTERNET_SETS[parameter_set]
    return Added(ADDED[service_id].name, protocol, port)


def parking(added: tuple[Added, ...]) -> tuple[Intended, ...]:
    """What a car does by ParkingStatus, of all that it has taken beside energy: each once."""
    return tuple(name for name in INTENDED if any(one.intended == name for one in added))
