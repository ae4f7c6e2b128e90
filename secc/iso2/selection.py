"""ServiceDiscovery, ServiceDetail and PaymentServiceSelection: what is offered, and how the car pays."""

from collections.abc import Iterable

from secc.iso2.ways import ways
from secc.neutral.context import Context, Reply
from secc.station import Added, Authorization
from v2g.iso2.sequence import State
from v2g.iso2.services import CERTIFICATE, CERTIFICATE_SETS, CHARGING, INTERNET, INTERNET_SETS, offered
from v2g.messages.iso2.msg_body import (
    PaymentServiceSelectionReq,
    PaymentServiceSelectionRes,
    ServiceDetailReq,
    ServiceDetailRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
)
from v2g.messages.iso2.msg_data_types import (
    ChargeServiceType,
    EnergyTransferModeType,
    ParameterSetType,
    ParameterType,
    PaymentOptionListType,
    SelectedServiceType,
    ServiceListType,
    ServiceParameterListType,
    ServiceType,
    SupportedEnergyTransferModeType,
    paymentOptionType,
    serviceCategoryType,
)
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.services import SERVICES
from v2g.session.errors import Refused

NAMES = {CERTIFICATE: "Certificate", INTERNET: "InternetAccess"}
OPTIONS: dict[Authorization, paymentOptionType] = {"EIM": paymentOptionType.ExternalPayment, "PnC": paymentOptionType.Contract}


def modes(known: Context) -> tuple[EnergyTransferModeType, ...]:
    """The energy transfer modes that the outlet offers this car."""
    permitted = known.agreement.permitted or known.outlet.services
    rows = (SERVICES[name] for name in known.outlet.services if name in permitted)
    return offered(rows, known.outlet.limits.phases)


def service_discovery(request: ServiceDiscoveryReq, known: Context) -> Reply:
    """The charging service with its modes, the ways to pay, and the value-added services, of the category that the car asks for."""
    found = modes(known)
    if not found:
        raise Refused(Reason.NO_ENERGY_SERVICE, "the outlet has no service that this generation knows", None)
    added = tuple(each for each in _added(known) if request.ServiceCategory in (None, each.ServiceCategory))
    response = ServiceDiscoveryRes(
        ResponseCode=Code.OK,
        PaymentOptionList=PaymentOptionListType(PaymentOption=tuple(OPTIONS[way] for way in ways(known))),
        ChargeService=ChargeServiceType(
            ServiceID=CHARGING,
            ServiceName="AC_DC_Charging",
            ServiceCategory=serviceCategoryType.EVCharging,
            FreeService=known.outlet.free,
            SupportedEnergyTransferMode=SupportedEnergyTransferModeType(EnergyTransferMode=found),
        ),
        ServiceList=ServiceListType(Service=added) if added else None,
    )
    return Reply(response, State.SERVICE_SELECTION, known.with_service(offered=(CHARGING, *(each.ServiceID for each in added))))


def _added(known: Context) -> tuple[ServiceType, ...]:
    """The value-added services of the outlet: contracts for cars that may pay by one, the Internet, those of its owner."""
    contracts = known.outlet.certificate_installation and "PnC" in ways(known)
    rows = (
        (contracts, CERTIFICATE, NAMES[CERTIFICATE], serviceCategoryType.ContractCertificate),
        (bool(known.outlet.internet), INTERNET, NAMES[INTERNET], serviceCategoryType.Internet),
    )
    listed = tuple(
        ServiceType(ServiceID=number, ServiceName=name, ServiceCategory=category, FreeService=True)
        for there, number, name, category in rows
        if there
    )
    return listed + tuple(
        ServiceType(
            ServiceID=own.id,
            ServiceName=own.name,
            ServiceCategory=serviceCategoryType.OtherCustom,
            ServiceScope=own.scope or None,
            FreeService=own.free,
        )
        for own in known.outlet.value_added
    )


def service_detail(request: ServiceDetailReq, known: Context) -> Reply:
    """The parameter sets of a service that was offered in this session [V2G2-425]; the charging service has none."""
    service = request.ServiceID
    if service not in known.service.offered:
        raise Refused(Reason.UNKNOWN_SERVICE, f"service {service} was not offered, offered are {known.service.offered}", "V2G2-464")
    sets = parameter_sets(service, known)
    listed = ServiceParameterListType(ParameterSet=sets) if sets else None
    response = ServiceDetailRes(ResponseCode=Code.OK, ServiceID=service, ServiceParameterList=listed)
    return Reply(response, State.SERVICE_SELECTION, known)


def parameter_sets(service: int, known: Context) -> tuple[ParameterSetType, ...]:
    """The parameter sets of a service; none where it has no parameters."""
    if service == CERTIFICATE:
        return tuple(
            ParameterSetType(ParameterSetID=number, Parameter=(ParameterType(Name="Service", stringValue=what),))
            for number, what in CERTIFICATE_SETS.items()
        )
    if service == INTERNET:
        return tuple(
            ParameterSetType(
                ParameterSetID=number,
                Parameter=(ParameterType(Name="Protocol", stringValue=protocol), ParameterType(Name="Port", intValue=port)),
            )
            for number, (protocol, port) in INTERNET_SETS.items()
            if protocol in known.outlet.internet
        )
    sets = (one for own in known.outlet.value_added if own.id == service for one in own.sets)
    return tuple(ParameterSetType(ParameterSetID=one.id, Parameter=tuple(map(_parameter, one.parameters.items()))) for one in sets)


def _parameter(said: tuple[str, bool | int | str]) -> ParameterType:
    """A parameter in the kind that its value has; a whole number in 32 bits."""
    name, value = said
    if isinstance(value, bool):
        return ParameterType(Name=name, boolValue=value)
    return ParameterType(Name=name, intValue=value) if isinstance(value, int) else ParameterType(Name=name, stringValue=value)


def _taken(chosen: Iterable[SelectedServiceType], known: Context) -> tuple[Added, ...]:
    """The value-added services among those that a car has selected, by name."""
    names = NAMES | {own.id: own.name for own in known.outlet.value_added}
    found = []
    for each in chosen:
        if each.ServiceID == CHARGING:
            continue
        protocol, port = INTERNET_SETS.get(each.ParameterSetID or 0, ("", None)) if each.ServiceID == INTERNET else ("", None)
        own = each.ParameterSetID if each.ServiceID not in NAMES else None
        found.append(Added(names[each.ServiceID], protocol, port, parameter_set=own))
    return tuple(found)


def payment_service_selection(request: PaymentServiceSelectionReq, known: Context) -> Reply:
    """Take the car's services and its way to pay. Raises Refused for what was not offered."""
    way = next((way for way in ways(known) if OPTIONS[way] is request.SelectedPaymentOption), None)
    if way is None:
        offers = ", ".join(OPTIONS[each].value for each in ways(known))
        why = f"{request.SelectedPaymentOption.value} was selected, offered is {offers}"
        raise Refused(Reason.WRONG_AUTHORIZATION, why, "V2G2-465")
    chosen = request.SelectedServiceList.SelectedService
    for each in chosen:
        if each.ServiceID not in known.service.offered:
            why = f"service {each.ServiceID} was not offered, offered are {known.service.offered}"
            raise Refused(Reason.WRONG_SELECTION, why, "V2G2-467")
        sets = [found.ParameterSetID for found in parameter_sets(each.ServiceID, known)]
        if sets and each.ParameterSetID is not None and each.ParameterSetID not in sets:
            why = f"service {each.ServiceID} has no parameter set {each.ParameterSetID}"
            raise Refused(Reason.WRONG_SELECTION, why, "V2G2-467")
    if not any(each.ServiceID == CHARGING for each in chosen):
        raise Refused(Reason.NO_ENERGY_SERVICE, "the charging service is not among those selected", "V2G2-804")
    then = State.CONTRACT if way == "PnC" else State.AUTHORIZATION
    learnt = known.with_agreement(authorization=way).with_service(added=_taken(chosen, known))
    return Reply(PaymentServiceSelectionRes(ResponseCode=Code.OK), then, learnt)
