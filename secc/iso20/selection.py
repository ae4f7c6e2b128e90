"""ServiceDiscovery, ServiceDetail and ServiceSelection: the services offered, and the one the car selects."""

from secc.iso20.ac_parameters import declined
from secc.iso20.added import added_services, added_sets, parking, taken
from secc.iso20.notices import header
from secc.iso20.services import after_selection, parameter_sets, selections
from secc.neutral.context import Context, Reply
from secc.station import ServiceSelected
from v2g.iso20.added import ADDED
from v2g.iso20.sequence import State
from v2g.iso20.services import BY_ID, SERVICES
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
from v2g.reasons import Reason
from v2g.session.errors import Refused


def service_discovery(request: ServiceDiscoveryReq, known: Context) -> Reply:
    """The services of the negotiated protocol. The car's list is a filter [V2G20-1249]; absent it means everything [V2G20-1248].

    Where no energy service passes the filter, all are listed: the list must not be empty, and the car may still find one.
    """
    if known.state is State.AC_DER_SETTLING:
        known = declined(known)
    permitted = known.agreement.permitted or known.outlet.services
    rows = [SERVICES[name] for name in known.outlet.services if name in permitted]
    energy = [row.id for row in rows if row.schema_set == known.session.schema_set]
    if not energy:
        raise Refused(
            Reason.OTHER,
            f"none of the services {', '.join(permitted)} of this authorization exists in the {known.session.schema_set} protocol",
            None,
        )
    wanted = request.SupportedServiceIDs.ServiceID if request.SupportedServiceIDs else None
    energy = [service for service in energy if wanted is None or service in wanted] or energy
    added = [service for service in added_services(known.outlet) if wanted is None or service in wanted]
    response = ServiceDiscoveryRes(
        Header=header(known),
        ResponseCode=Code.OK,
        ServiceRenegotiationSupported=known.outlet.service_renegotiation,
        EnergyTransferServiceList=_listed(energy, known),
        VASList=_listed(added, known) if added else None,
    )
    return Reply(response, State.SERVICE_DETAIL, known.with_service(offered=(*energy, *added), sets=frozenset()))


def _listed(services: list[int], known: Context) -> ServiceListType:
    return ServiceListType(Service=tuple(ServiceType(ServiceID=service, FreeService=known.outlet.free) for service in services))


def service_detail(request: ServiceDetailReq, known: Context) -> Reply:
    """The parameter sets of a service that was offered in this session [V2G20-425] [V2G20-464]."""
    service = request.ServiceID
    if service not in known.service.offered:
        raise Refused(Reason.UNKNOWN_SERVICE, f"service {service} was not offered, offered are {known.service.offered}", "V2G20-464")
    sets = (added_sets if service in ADDED else parameter_sets)(service, known.outlet)
    response = ServiceDetailRes(
        Header=header(known), ResponseCode=Code.OK, ServiceID=service, ServiceParameterList=ServiceParameterListType(ParameterSet=sets)
    )
    seen = known.service.sets | {(service, each.ParameterSetID) for each in sets}
    return Reply(response, State.SERVICE_SELECTION, known.with_service(sets=seen))


def service_selection(request: ServiceSelectionReq, known: Context) -> Reply:
    """Take the car's selection. Raises Refused for a service or parameter set that this session has not shown [V2G20-433] [V2G20-467]."""
    chosen = request.SelectedEnergyTransferService
    added = request.SelectedVASList.SelectedService if request.SelectedVASList else ()
    if chosen.ServiceID in ADDED and chosen.ServiceID in known.service.offered:
        raise Refused(Reason.NO_ENERGY_SERVICE, f"service {chosen.ServiceID} transfers no energy", "V2G20-1618")
    for each in (chosen, *added):
        if (each.ServiceID, each.ParameterSetID) not in known.service.sets:
            why = f"service {each.ServiceID} with parameter set {each.ParameterSetID} was not shown in this session"
            raise Refused(Reason.WRONG_SELECTION, why, "V2G20-467")
    if any(each.ServiceID not in ADDED for each in added):
        raise Refused(Reason.WRONG_SELECTION, "an energy service stands among the value-added services", "V2G20-467")
    beside = tuple(taken(each.ServiceID, each.ParameterSetID) for each in added)
    intended = parking(beside)
    if known.outlet.check_in_required and "VehicleCheckIn" not in intended:
        raise Refused(Reason.WRONG_SELECTION, "a vehicle must check in here: ParkingStatus with VehicleCheckIn is not selected", None)
    selection = selections(BY_ID[chosen.ServiceID].name, known.outlet)[chosen.ParameterSetID]
    selected = known.with_agreement(selection=selection, parking=intended)
    selected = selected.with_service(arrival=None, place_heard=False, departure=None, departure_told=None, released=False)
    want = ServiceSelected(known.now, selection.service, selection.control, selection.mobility, beside)
    return Reply(ServiceSelectionRes(Header=header(known), ResponseCode=Code.OK), after_selection(selection.row), selected, (want,))
