"""ServiceDiscovery, ServiceDetail and ServiceSelection: energy first, then what is wanted beside it."""

from typing import Any

from evcc.iso20.known import Car
from evcc.iso20.requests import ask
from evcc.iso20.services import fitting, ranked, values
from evcc.script import Part
from v2g.iso20.added import INTENDED, INTERNET, METHODS, PARKING, PARKING_TYPES
from v2g.iso20.services import SERVICES
from v2g.messages.common_messages import (
    SelectedServiceListType,
    SelectedServiceType,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    ServiceSelectionReq,
)
from v2g.services import Selection
from v2g.session.errors import PeerIncompatible, PeerMisbehaved
from v2g.session.service import Intended


def selection(car: Car) -> Part[Selection]:
    """Select the first service in the car's order that is offered with the wanted control mode. Raises PeerIncompatible without one."""
    assert car.protocol is not None
    found: Any = yield ask(ServiceDiscoveryReq)
    car.known.renegotiable = found.ServiceRenegotiationSupported
    offered = [service.ServiceID for service in found.EnergyTransferServiceList.Service]
    wanted_now = [service for service in car.wish.services if service not in car.known.declined]
    for service in ranked(wanted_now, offered, car.protocol.schema_set):
        detail = yield from _detail(SERVICES[service].id)
        fit = fitting(service, car.wish.control, detail.ServiceParameterList.ParameterSet, car.wish.mobility, car.ev.inverter.functions)
        if fit is not None:
            chosen = SelectedServiceType(ServiceID=fit.row.id, ParameterSetID=fit.parameter_set)  # as offered [V2G20-1216]
            beside = [*(yield from _internet(car, found)), *(yield from _parking(car, found))]
            listed = SelectedServiceListType(SelectedService=tuple(beside)) if beside else None
            yield ask(ServiceSelectionReq, SelectedEnergyTransferService=chosen, SelectedVASList=listed)
            car.known.selected = fit
            return fit
    wanted = " or ".join(car.wish.services)
    raise PeerIncompatible(
        f"no {wanted} in {car.wish.control} control among the offered services {offered} over {car.protocol.schema_set.upper()}",
        None,
    )


def _detail(service: int) -> Part[Any]:
    """The ServiceDetailRes of an offered service [V2G20-425]."""
    detail: Any = yield ask(ServiceDetailReq, ServiceID=service)
    if detail.ServiceID != service:
        raise PeerMisbehaved(f"ServiceDetailRes is about service {detail.ServiceID}, asked was {service}", "V2G20-425")
    return detail


def _internet(car: Car, found: Any) -> Part[list[SelectedServiceType]]:
    """The parameter set of Internet with the protocol that is wanted most; empty where none is wanted or offered."""
    car.known.internet = ""
    if not car.wish.internet or not _offers(found, INTERNET.id):
        return []
    detail = yield from _detail(INTERNET.id)
    offered = {str(values(one).get("Protocol")): one.ParameterSetID for one in reversed(detail.ServiceParameterList.ParameterSet)}
    protocol = next((wanted for wanted in car.wish.internet if wanted in offered), None)
    if protocol is None:
        return []
    car.known.internet = protocol
    return [SelectedServiceType(ServiceID=INTERNET.id, ParameterSetID=offered[protocol])]


def _parking(car: Car, found: Any) -> Part[list[SelectedServiceType]]:
    """The parameter sets of ParkingStatus for what is wanted of it, the first that fits of each; empty where there is none."""
    car.known.parking, wish = (), car.wish.parking
    if not wish.services or not _offers(found, PARKING.id):
        return []
    detail = yield from _detail(PARKING.id)
    kinds = {number for name, number in PARKING_TYPES.items() if wish.method in METHODS[name]}
    chosen: dict[Intended, SelectedServiceType] = {}
    for one in detail.ServiceParameterList.ParameterSet:
        said = values(one)
        for intended in wish.services:
            if said.get("IntendedService") == INTENDED[intended] and said.get("ParkingStatusType") in kinds:
                chosen.setdefault(intended, SelectedServiceType(ServiceID=PARKING.id, ParameterSetID=one.ParameterSetID))
    car.known.parking = tuple(chosen)
    return list(chosen.values())


def _offers(found: Any, service: int) -> bool:
    """Whether a value-added service is among those that the station offers."""
    return found.VASList is not None and service in {each.ServiceID for each in found.VASList.Service}
