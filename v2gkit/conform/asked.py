"""The requests of a car that does everything right, made from what the station answered so far (pure)."""

from dataclasses import dataclass
from typing import Any, Literal

from cryptography import x509

from pki import signature
from pki.chains import contract_chain
from pki.provisioning import Held, ask
from v2g.exi.schema import Type
from v2g.iso20.rational import number, rational
from v2g.iso20.services import AC, CONTROL, DC, PROTOCOLS, SERVICES
from v2g.messages import ac, dc, schema_set
from v2g.messages import common_messages as cm
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.common_types import (
    DisplayParametersType,
    ListOfRootCertificateIDsType,
    MessageHeaderType,
    RationalNumberType,
    processingType,
)
from v2g.messages.xmldsig import SignatureType, X509IssuerSerialType
from v2g.session.sap import offer

STAYS = 7200  # s that the car says to stay
NEW_SESSION = bytes(8)
Control = Literal["Scheduled", "Dynamic"]
UNSTAMPED = MessageHeaderType(SessionID=NEW_SESSION, TimeStamp=0)


@dataclass(frozen=True, slots=True)
class Ways:
    """How a car wants its session to be. Voltage in V, power in W."""

    service: str = DC.name
    control: Control = "Scheduled"
    authorization: Literal["EIM", "PnC"] = "EIM"
    voltage: float = 400.0
    power: float = 10_000.0
    tolerance: bool = False  # it accepts the power tolerance in its profile, whether or not it was asked for

    @property
    def dc(self) -> bool:
        """Whether the station converts."""
        return SERVICES[self.service].dc

    @property
    def both(self) -> bool:
        """Whether the car may discharge."""
        return SERVICES[self.service].bidirectional


def kind_of(ways: Ways) -> str:
    """What the messages of the loop are named after: whether the station converts."""
    return DC.name if ways.dc else AC.name


def both_ways(service: str) -> str:
    """The service of the same plug and messages that can discharge as well."""
    row = SERVICES[service]
    return next(
        name for name, each in SERVICES.items() if each.bidirectional and (each.schema_set, each.plug) == (row.schema_set, row.plug)
    )


def signed(message: Type, signature: SignatureType | None) -> Any:
    """A request that is not stamped yet, with a signature in its header."""
    return _with_header(message, MessageHeaderType(SessionID=NEW_SESSION, TimeStamp=0, Signature=signature))


def stamped(message: Any, session_id: bytes, at: float) -> Any:
    """A request with SessionID and TimeStamp (epoch s) in its header; a signature stays."""
    header = getattr(message, "Header", None)
    kept = header.Signature if header is not None else None
    return _with_header(message, MessageHeaderType(SessionID=session_id, TimeStamp=int(at), Signature=kept))


def _with_header(message: Any, header: MessageHeaderType) -> Any:
    values = {name: getattr(message, name) for name in message.__struct_fields__}
    return type(message)(**{**values, "Header": header})


# --- the head of a session ---


def negotiation(ways: Ways) -> supportedAppProtocolReq:
    """The protocol of the wanted service, alone."""
    return offer((PROTOCOLS[SERVICES[ways.service].schema_set],))


def setup(evccid: str) -> cm.SessionSetupReq:
    """The request that begins a session."""
    return cm.SessionSetupReq(Header=UNSTAMPED, EVCCID=evccid)


def authorization_setup() -> cm.AuthorizationSetupReq:
    """The question how one may be authorized."""
    return cm.AuthorizationSetupReq(Header=UNSTAMPED)


def external() -> cm.AuthorizationReq:
    """Authorization by external means."""
    return cm.AuthorizationReq(
        Header=UNSTAMPED,
        SelectedAuthorizationService=cm.authorizationType.EIM,
        EIM_AReqAuthorizationMode=cm.EIM_AReqAuthorizationModeType(),
    )


def plug_and_charge(contract: Held, challenge: bytes, identifier: str = "id1") -> cm.AuthorizationReq:
    """Authorization by a contract, which signs the station's challenge."""
    mode = pnc_mode(contract_chain(contract.chain), challenge, identifier)
    return authorized_by(mode, signature.sign([mode], contract.key, schema_set("common")))


def pnc_mode(chain: cm.ContractCertificateChainType, challenge: bytes, identifier: str = "id1") -> cm.PnC_AReqAuthorizationModeType:
    """What a contract signs."""
    return cm.PnC_AReqAuthorizationModeType(Id=identifier, GenChallenge=challenge, ContractCertificateChain=chain)


def authorized_by(mode: cm.PnC_AReqAuthorizationModeType, by: SignatureType | None) -> cm.AuthorizationReq:
    """Authorization of its parts: what is signed, and the signature."""
    request = cm.AuthorizationReq(Header=UNSTAMPED, SelectedAuthorizationService=cm.authorizationType.PnC, PnC_AReqAuthorizationMode=mode)
    return signed(request, by)  # type: ignore[no-any-return]


def installation(held: Held, roots: tuple[x509.Certificate, ...], most: int = 1) -> cm.CertificateInstallationReq:
    """The request for contracts, signed with the provisioning certificate; `roots` are those that the car trusts."""
    chain, by = ask(held)
    request = cm.CertificateInstallationReq(
        Header=UNSTAMPED,
        OEMProvisioningCertificateChain=chain,
        ListOfRootCertificateIDs=ListOfRootCertificateIDsType(
            RootCertificateID=tuple(
                X509IssuerSerialType(X509IssuerName=each.issuer.rfc4514_string(), X509SerialNumber=each.serial_number) for each in roots
            )
        ),
        MaximumContractCertificateChains=most,
    )
    return signed(request, by)  # type: ignore[no-any-return]


def discovery() -> cm.ServiceDiscoveryReq:
    """The question what is offered."""
    return cm.ServiceDiscoveryReq(Header=UNSTAMPED)


def detail(service: int) -> cm.ServiceDetailReq:
    """The question for the parameter sets of a service."""
    return cm.ServiceDetailReq(Header=UNSTAMPED, ServiceID=service)


def value(parameter: Any) -> Any:
    """The value of a parameter of a service, whatever its type."""
    names = ("boolValue", "byteValue", "shortValue", "intValue", "rationalNumber", "finiteString")
    return next((found for name in names if (found := getattr(parameter, name)) is not None), None)


def parameters(one: cm.ParameterSetType) -> dict[str, Any]:
    """The parameters of a set by their names."""
    return {each.Name: value(each) for each in one.Parameter}


def fitting(response: cm.ServiceDetailRes, control: Control) -> int | None:
    """The id of the first parameter set of a control mode in which the car states its needs; None where there is none."""
    for one in response.ServiceParameterList.ParameterSet:
        said = parameters(one)
        if said.get("ControlMode", CONTROL[control]) == CONTROL[control] and said.get("MobilityNeedsMode", 1) == 1:
            return one.ParameterSetID
    return None


def selection(service: int, parameter_set: int) -> cm.ServiceSelectionReq:
    """The choice of one parameter set of one energy service."""
    chosen = cm.SelectedServiceType(ServiceID=service, ParameterSetID=parameter_set)
    return cm.ServiceSelectionReq(Header=UNSTAMPED, SelectedEnergyTransferService=chosen)


# --- energy ---


def limits(ways: Ways) -> Type:
    """The limits of the car, in the type of the selected service."""
    zero, power = rational(0), rational(ways.power)
    if not ways.dc:
        plain = {"EVMaximumChargePower": power, "EVMinimumChargePower": zero}
        both = {"EVMaximumDischargePower": power, "EVMinimumDischargePower": zero}
        kind: Any = ac.BPT_AC_CPDReqEnergyTransferModeType if ways.both else ac.AC_CPDReqEnergyTransferModeType
        return kind(**plain, **(both if ways.both else {}))  # type: ignore[no-any-return]
    current = rational(2 * ways.power / ways.voltage)
    plain = {"EVMaximumChargePower": rational(2 * ways.power), "EVMinimumChargePower": zero}
    plain |= {"EVMaximumChargeCurrent": current, "EVMinimumChargeCurrent": zero}
    plain |= {"EVMaximumVoltage": rational(1.1 * ways.voltage), "EVMinimumVoltage": rational(0.6 * ways.voltage)}
    both = {"EVMaximumDischargePower": power, "EVMinimumDischargePower": zero}
    both |= {"EVMaximumDischargeCurrent": current, "EVMinimumDischargeCurrent": zero}
    kind = dc.BPT_DC_CPDReqEnergyTransferModeType if ways.both else dc.DC_CPDReqEnergyTransferModeType
    return kind(**plain, **(both if ways.both else {}), TargetSOC=80)  # type: ignore[no-any-return]


def charge_parameters(ways: Ways, said: Any = None) -> Any:
    """ChargeParameterDiscovery with the car's limits, or with others."""
    said = said or limits(ways)
    if ways.dc:
        return dc.DC_ChargeParameterDiscoveryReq(Header=UNSTAMPED, DC_CPDReqEnergyTransferMode=said)
    return ac.AC_ChargeParameterDiscoveryReq(Header=UNSTAMPED, AC_CPDReqEnergyTransferMode=said)


def energies() -> dict[str, RationalNumberType]:
    """What the car still wants (Wh)."""
    wanted = {"Target": 10_000.0, "Maximum": 20_000.0, "Minimum": 0.0}
    return {f"EV{name}EnergyRequest": rational(each) for name, each in wanted.items()}


def schedule(ways: Ways, points: int = 1024, **other: Any) -> cm.ScheduleExchangeReq:
    """The needs of the car in its control mode; `other` fields replace those of the mode."""
    if ways.control == "Scheduled":
        needs = cm.Scheduled_SEReqControlModeType(**{"DepartureTime": STAYS, **energies(), **other})
        return cm.ScheduleExchangeReq(Header=UNSTAMPED, MaximumSupportingPoints=points, Scheduled_SEReqControlMode=needs)
    stated = {"DepartureTime": STAYS, "MinimumSOC": 30, "TargetSOC": 80, **energies(), **other}
    dynamic = cm.Dynamic_SEReqControlModeType(**stated)
    return cm.ScheduleExchangeReq(Header=UNSTAMPED, MaximumSupportingPoints=points, Dynamic_SEReqControlMode=dynamic)


def cable_check() -> dc.DC_CableCheckReq:
    """The question whether the cable is sound."""
    return dc.DC_CableCheckReq(Header=UNSTAMPED)


def pre_charge(target: float, present: float, finished: bool) -> dc.DC_PreChargeReq:
    """Pre-charge to the battery's voltage (V)."""
    processing = processingType.Finished if finished else processingType.Ongoing
    return dc.DC_PreChargeReq(
        Header=UNSTAMPED, EVProcessing=processing, EVPresentVoltage=rational(present), EVTargetVoltage=rational(target)
    )


def power(entry: cm.PowerScheduleEntryType) -> float:
    """The power of an entry of a schedule over all its phases (W)."""
    return sum(number(each) for each in (entry.Power, entry.Power_L2, entry.Power_L3) if each is not None)


def profile(ways: Ways, offered: Any, at: float) -> cm.EVPowerProfileType:
    """The profile that the car follows: within the first schedule offered, or in Dynamic control what it can take, from `at` (epoch s)."""
    scheduled = offered.Scheduled_SEResControlMode
    if scheduled is None:
        most = cm.PowerScheduleEntryType(Duration=STAYS, Power=rational(ways.power))
        listed = cm.EVPowerProfileEntryListType(EVPowerProfileEntry=(most,))
        return cm.EVPowerProfileType(
            TimeAnchor=int(at), Dynamic_EVPPTControlMode=cm.Dynamic_EVPPTControlModeType(), EVPowerProfileEntries=listed
        )
    first = scheduled.ScheduleTuple[0]
    plan = first.ChargingSchedule.PowerSchedule
    steps = plan.PowerScheduleEntries.PowerScheduleEntry
    entries = tuple(
        cm.PowerScheduleEntryType(Duration=each.Duration, Power=rational(min(ways.power, max(0.0, power(each))), "down")) for each in steps
    )
    return cm.EVPowerProfileType(
        TimeAnchor=plan.TimeAnchor,
        Scheduled_EVPPTControlMode=cm.Scheduled_EVPPTControlModeType(
            SelectedScheduleTupleID=first.ScheduleTupleID,
            PowerToleranceAcceptance=cm.powerToleranceAcceptanceType.PowerToleranceConfirmed if ways.tolerance else None,
        ),
        EVPowerProfileEntries=cm.EVPowerProfileEntryListType(EVPowerProfileEntry=entries),
    )


def delivery(progress: cm.chargeProgressType, said: cm.EVPowerProfileType | None = None, finished: bool = True) -> cm.PowerDeliveryReq:
    """Begin, end or change power."""
    processing = processingType.Finished if finished else processingType.Ongoing
    return cm.PowerDeliveryReq(Header=UNSTAMPED, EVProcessing=processing, ChargeProgress=progress, EVPowerProfile=said)


def loop(ways: Ways, *, meter: bool = False, display: DisplayParametersType | None = None, **other: Any) -> Any:
    """One request of the charge loop in the selected service and control mode; `other` fields replace those of the mode."""
    said = loop_mode(ways, **other)
    given: dict[str, Any] = {"Header": UNSTAMPED, "DisplayParameters": display, "MeterInfoRequested": meter, "CLReqControlMode": said}
    if ways.dc:
        return dc.DC_ChargeLoopReq(**given, EVPresentVoltage=rational(ways.voltage))
    return ac.AC_ChargeLoopReq(**given)


def loop_mode(ways: Ways, **other: Any) -> Any:
    """The control mode of a request of the charge loop."""
    name = f"{'BPT_' if ways.both else ''}{ways.control}_{kind_of(ways)}_CLReqControlModeType"
    power, zero = rational(ways.power), rational(0)
    fields: dict[str, Any] = {}
    if ways.control == "Dynamic":
        fields |= {"DepartureTime": STAYS, **energies(), "EVMaximumChargePower": power, "EVMinimumChargePower": zero}
        if ways.both:
            fields |= {"EVMaximumDischargePower": power, "EVMinimumDischargePower": zero}
    if ways.dc:
        fields |= _dc(ways)
    else:
        fields |= {"EVPresentActivePower": zero} | ({"EVPresentReactivePower": zero} if ways.control == "Dynamic" else {})
    return getattr(dc if ways.dc else ac, name)(**{**fields, **other})


def _dc(ways: Ways) -> dict[str, Any]:
    current = rational(ways.power / ways.voltage)
    if ways.control == "Scheduled":
        return {"EVTargetCurrent": current, "EVTargetVoltage": rational(ways.voltage)}
    volts = {"EVMaximumVoltage": rational(1.1 * ways.voltage), "EVMinimumVoltage": rational(0.6 * ways.voltage)}
    return {"EVMaximumChargeCurrent": current, **volts} | ({"EVMaximumDischargeCurrent": current} if ways.both else {})


def welding(finished: bool = False) -> dc.DC_WeldingDetectionReq:
    """The question for the voltage at the outlet after power."""
    return dc.DC_WeldingDetectionReq(Header=UNSTAMPED, EVProcessing=processingType.Finished if finished else processingType.Ongoing)


def stop(how: cm.chargingSessionType = cm.chargingSessionType.Terminate) -> cm.SessionStopReq:
    """The end of a session, or its pause."""
    return cm.SessionStopReq(Header=UNSTAMPED, ChargingSession=how)
