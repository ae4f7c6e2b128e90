"""ServiceDiscovery, ServiceDetail and ServiceSelection: what is offered and what the car takes."""

from dataclasses import replace

from secc.context import Context, Reply
from secc.services import IDS, INTERNET, SCHEMA_SETS, named, parameter_sets, selections
from secc.station import ServiceSelected
from v2g.messages.common_messages import (
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServiceListType,
    ServiceParameterListType,
    ServiceSelectionReq,
    ServiceSelectionRes,
    ServiceType,
)
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused
from v2g.session.sequence import State


def service_discovery(request: ServiceDiscoveryReq, known: Context) -> Reply:
    """The services of the negotiated protocol. The car's list is a filter [V2G20-1249]; absent it means everything [V2G20-1248].

    A filter that nothing passes leaves the energy services whole: the list may not be empty, and the car may still read it.
    """
    permitted = known.agreement.permitted or known.outlet.services
    energy = [IDS[s] for s in known.outlet.services if SCHEMA_SETS[s] == known.schema_set and s in permitted]
    if not energy:
        raise Refused(
            Code.FAILED,
            f"none of the services {', '.join(permitted)} of this authorization exists in the {known.schema_set} protocol",
            None,
        )
    wanted = request.SupportedServiceIDs.ServiceID if request.SupportedServiceIDs else None
    energy = [service for service in energy if wanted is None or service in wanted] or energy
    added = [INTERNET] if known.outlet.internet and (wanted is None or INTERNET in wanted) else []
    response = ServiceDiscoveryRes(
        Header=known.header,
        ResponseCode=Code.OK,
        ServiceRenegotiationSupported=known.outlet.service_renegotiation,
        EnergyTransferServiceList=_listed(energy, known),
        VASList=_listed(added, known) if added else None,
    )
    return Reply(response, State.SERVICE_DETAIL, replace(known, services=(*energy, *added), sets=frozenset()))


def _listed(services: list[int], known: Context) -> ServiceListType:
    return ServiceListType(Service=tuple(ServiceType(ServiceID=service, FreeService=known.outlet.free) for service in services))


def service_detail(request: ServiceDetailReq, known: Context) -> Reply:
    """The parameter sets of a service that was offered in this session [V2G20-425] [V2G20-464]."""
    service = request.ServiceID
    if service not in known.services:
        raise Refused(Code.FAILED_ServiceIDInvalid, f"service {service} was not offered, offered are {known.services}", "V2G20-464")
    sets = parameter_sets(service, known.outlet)
    response = ServiceDetailRes(
        Header=known.header, ResponseCode=Code.OK, ServiceID=service, ServiceParameterList=ServiceParameterListType(ParameterSet=sets)
    )
    seen = known.sets | {(service, each.ParameterSetID) for each in sets}
    return Reply(response, State.SERVICE_SELECTION, replace(known, sets=seen))


def service_selection(request: ServiceSelectionReq, known: Context) -> Reply:
    """A selection counts only with what this session has shown to the car [V2G20-433] [V2G20-467]."""
    chosen = request.SelectedEnergyTransferService
    added = request.SelectedVASList.SelectedService if request.SelectedVASList else ()
    if chosen.ServiceID == INTERNET and INTERNET in known.services:
        raise Refused(Code.FAILED_NoEnergyTransferServiceSelected, f"service {INTERNET} transfers no energy", "V2G20-1618")
    for each in (chosen, *added):
        if (each.ServiceID, each.ParameterSetID) not in known.sets:
            why = f"service {each.ServiceID} with parameter set {each.ParameterSetID} was not shown in this session"
            raise Refused(Code.FAILED_ServiceSelectionInvalid, why, "V2G20-467")
    if any(each.ServiceID != INTERNET for each in added):
        raise Refused(Code.FAILED_ServiceSelectionInvalid, "an energy service stands among the value-added services", "V2G20-467")
    selection = selections(named(chosen.ServiceID), known.outlet)[chosen.ParameterSetID]
    selected = replace(known, agreement=replace(known.agreement, selection=selection))
    then = State.DC_PARAMETERS if selection.dc else State.AC_PARAMETERS
    want = ServiceSelected(known.now, selection.service, selection.control, selection.mobility)
    return Reply(ServiceSelectionRes(Header=known.header, ResponseCode=Code.OK), then, selected, (want,))
