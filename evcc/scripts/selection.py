"""ServiceDiscovery, ServiceDetail and ServiceSelection."""

from typing import Any

from evcc.car import Car
from evcc.script import Part, ask
from evcc.services import IDS, Selection, fitting, ranked
from v2g.messages.common_messages import SelectedServiceType, ServiceDetailReq, ServiceDiscoveryReq, ServiceSelectionReq
from v2g.session.errors import PeerIncompatible, PeerMisbehaved


def selection(car: Car) -> Part[Selection]:
    """Look at the offered services in the car's order and select the first that has a parameter set with the wanted control mode."""
    assert car.protocol is not None
    found: Any = yield ask(ServiceDiscoveryReq)
    car.renegotiable = found.ServiceRenegotiationSupported
    offered = [service.ServiceID for service in found.EnergyTransferServiceList.Service]
    for service in ranked(car.wish.services, offered, car.protocol.schema_set):
        detail: Any = yield ask(ServiceDetailReq, ServiceID=IDS[service])
        if detail.ServiceID != IDS[service]:
            raise PeerMisbehaved(f"ServiceDetailRes is about service {detail.ServiceID}, asked was {IDS[service]}", "V2G20-425")
        fit = fitting(service, car.wish.control, detail.ServiceParameterList.ParameterSet)
        if fit is not None:
            chosen = SelectedServiceType(ServiceID=fit.service_id, ParameterSetID=fit.parameter_set)  # as offered [V2G20-1216]
            yield ask(ServiceSelectionReq, SelectedEnergyTransferService=chosen)
            car.selected = fit
            return fit
    wanted = " or ".join(car.wish.services)
    raise PeerIncompatible(
        f"no {wanted} in {car.wish.control} control among the offered services {offered} over {car.protocol.schema_set.upper()}",
        None,
    )
