"""Our station with one fault that was seeded on purpose: `python -m tests.v2gkit.conform.faulty_station FAULT secc ...`.

A fault has the id of the case that finds it.
"""

import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import secc.iso20.setup as setup
import secc.pause as pause
from secc.engine import SeccSession
from secc.lobby import Lobby
from tests.v2gkit.conform import faulty_link as link
from tests.v2gkit.conform import faulty_octets as octets
from tests.v2gkit.conform import faulty_session as session
from tests.v2gkit.conform.faulty_chains import CHAINS
from tests.v2gkit.conform.faulty_ocpp import OCPP
from tests.v2gkit.conform.faulty_trust import TRUST
from tests.v2gkit.conform.seeding import (
    Change,
    Code,
    Seed,
    all_of,
    answers,
    dies,
    dies_of,
    dies_of_error,
    dies_of_header,
    dies_where,
    failing,
    fed,
    framed_as,
    grants,
    grants_where,
    late,
    mute,
    of_iso20,
    put,
    puts,
    refuses,
    responds,
    says,
    sequence,
    stays_where,
    wrong_code,
)
from v2g.iso20.rational import number, rational
from v2g.iso20.sequence import State
from v2g.iso20.services import DC_BPT, SERVICES
from v2g.messages import ac, app_protocol, dc
from v2g.messages import common_messages as cm
from v2g.messages.common_types import processingType
from v2g.session.v2gtp import PayloadType
from v2gkit.cli.main import main

Negotiated = app_protocol.responseCodeType
FINISHED = processingType.Finished


def never_refused(request: Any, response: Any, session: Any) -> Any:
    """Another kind of energy of -20 is told as agreed upon."""
    other = len(request.AppProtocol) == 1 and request.AppProtocol[0].ProtocolNamespace.endswith(":-20:AC")
    if response.ResponseCode is not Negotiated.Failed_NoNegotiation or not other:
        return response
    return put(response, ResponseCode=Negotiated.OK_SuccessfulNegotiation, SchemaID=1)


def by_place(request: Any, response: Any, session: Any) -> Any:
    """Where two generations are offered the first one in the list is taken."""
    older = any("15118:2" in entry.ProtocolNamespace for entry in request.AppProtocol)
    return put(response, SchemaID=request.AppProtocol[0].SchemaID) if older and response.SchemaID is not None else response


def dies_of_twenty(request: Any, response: Any, session: Any) -> Any:
    return dies() if len(request.AppProtocol) == 20 else response


def plain_ok(request: Any, response: Any, session: Any) -> Any:
    return response if any(request.Header.SessionID) or response.ResponseCode is not NEW else put(response, ResponseCode=Code.OK)


def schema_id(wrong: int, other: int) -> Change:
    return lambda response: put(response, SchemaID=other) if response.SchemaID == wrong else response


def moody() -> Change:
    counter = iter(range(10_000))
    return lambda response: put(response, SchemaID=254 + next(counter) % 2) if response.SchemaID == 255 else response


def more_than_stated(response: Any) -> Any:
    mode = response.CLResControlMode
    most = getattr(mode, "EVSEMaximumVoltage", None)
    return response if most is None else put(response, CLResControlMode=put(mode, EVSEMaximumVoltage=rational(2 * number(most))))


def early_stop(request: Any, known: Any, response: Any) -> Any:
    return response if known.agreement.selection is not None else failing(response)


def stop(how: cm.chargingSessionType) -> Seed:
    return answers(cm.SessionStopReq, lambda request, _, response: failing(response) if request.ChargingSession is how else response)


def without_a_parameter(response: Any) -> Any:
    """The sets of the bidirectional service lack one parameter."""
    if response.ServiceID != DC_BPT.id:
        return response
    listed = response.ServiceParameterList
    sets = tuple(put(each, Parameter=tuple(one for one in each.Parameter if one.Name != "GeneratorMode")) for each in listed.ParameterSet)
    return put(response, ServiceParameterList=put(listed, ParameterSet=sets))


def one_service(response: Any) -> Any:
    listed = response.EnergyTransferServiceList
    return put(response, EnergyTransferServiceList=put(listed, Service=listed.Service[:1]))


def one_mode(response: Any) -> Any:
    listed = response.ServiceParameterList
    return put(response, ServiceParameterList=put(listed, ParameterSet=listed.ParameterSet[:1]))


def filtered(request: Any, known: Any, response: Any) -> Any:
    return response if request.SupportedServiceIDs is None else failing(response)


def external(response: Any) -> Any:
    return put(response, AuthorizationServices=(cm.authorizationType.EIM,))


def other_installation(response: Any) -> Any:
    return put(response, CertificateInstallationService=not response.CertificateInstallationService)


def unwilling(request: Any, response: Any, session: Any) -> Any:
    granted = response.ResponseCode is Code.OK and response.EVSEProcessing is FINISHED and request.EIM_AReqAuthorizationMode is not None
    return put(response, ResponseCode=Code.WARNING_EIMAuthorizationFailure) if granted else response


def least_beyond_most(response: Any) -> Any:
    mode = response.DC_CPDResEnergyTransferMode
    return put(response, DC_CPDResEnergyTransferMode=put(mode, EVSEMinimumVoltage=rational(2 * number(mode.EVSEMaximumVoltage))))


def whatever_is_asked(request: Any, known: Any, response: Any) -> Any:
    return put(response, EVSEPresentVoltage=request.EVTargetVoltage) if number(request.EVTargetVoltage) > 2000 else response


def all_the_current(request: Any, known: Any, response: Any) -> Any:
    wanted = request.CLReqControlMode.EVTargetCurrent
    return put(response, EVSEPresentCurrent=wanted) if number(wanted) > 500 else response


def with_tuples(change: Change, points: int = 1024) -> Seed:
    """The schedule tuples of a response are changed, where it has any, and the car holds at most so many steps."""

    def changed(request: Any, response: Any, session: Any) -> Any:
        mode = response.Scheduled_SEResControlMode
        if mode is None or request.MaximumSupportingPoints > points:
            return response
        return put(response, Scheduled_SEResControlMode=put(mode, ScheduleTuple=change(mode.ScheduleTuple)))

    return responds(cm.ScheduleExchangeReq, changed)


def many_steps(tuples: Any) -> Any:
    one = tuples[0]
    power = one.ChargingSchedule.PowerSchedule
    entries = put(power.PowerScheduleEntries, PowerScheduleEntry=power.PowerScheduleEntries.PowerScheduleEntry[:1] * 20)
    return (put(one, ChargingSchedule=put(one.ChargingSchedule, PowerSchedule=put(power, PowerScheduleEntries=entries))),)


def needs_by_the_station(response: Any) -> Any:
    listed = response.ServiceParameterList
    first = listed.ParameterSet[0]
    left = tuple(put(one, intValue=2) if one.Name == "MobilityNeedsMode" else one for one in first.Parameter)
    sets = (*listed.ParameterSet, put(first, ParameterSetID=9, Parameter=left))
    return put(response, ServiceParameterList=put(listed, ParameterSet=sets))


def not_while_busy(request: Any, known: Any, response: Any) -> Any:
    return response if request.EVProcessing is FINISHED else failing(response)


def dynamic_fails(request: Any, known: Any, response: Any) -> Any:
    return failing(response) if request.Dynamic_SEReqControlMode is not None else response


def long_serial(listed: Any) -> bool:
    return bool(listed.X509SerialNumber >> 1000)


def no_discharge(request: Any) -> bool:
    most = getattr(request.DC_CPDReqEnergyTransferMode, "EVMaximumDischargePower", None)
    return most is not None and number(most) == 0


def confirmed(response: Any) -> Any:
    return put(response, ResponseCode=Code.OK_PowerToleranceConfirmed) if response.ResponseCode is Code.OK else response


def with_a_contract(response: Any) -> Any:
    return put(response, AuthorizationServices=(cm.authorizationType.EIM, cm.authorizationType.PnC))


def impatient(response: Any) -> Any:
    return failing(response) if response.EVSEProcessing is not FINISHED else response


def for_ever(request: Any, response: Any, session: Any) -> Any:
    """Who waits for a word on his card, and gets none, is told to wait."""
    waits = request.SelectedAuthorizationService is EIM and request.PnC_AReqAuthorizationMode is None and in_kind(request, response)
    granted = response.ResponseCode is Code.OK and response.EVSEProcessing is FINISHED
    return put(response, ResponseCode=Code.OK, EVSEProcessing=processingType.Ongoing) if waits and not granted else response


def any_contract(request: Any, response: Any, session: Any) -> Any:
    """A contract counts where none are taken."""
    none = "PnC" not in session.context.outlet.authorizations and request.PnC_AReqAuthorizationMode is not None
    return put(response, ResponseCode=Code.OK, EVSEProcessing=FINISHED) if none else response


def in_two_hundred_seconds(response: Any) -> Any:
    status = response.EVSEStatus
    return response if status is None else put(response, EVSEStatus=put(status, NotificationMaxDelay=200))


def no_word_before_its_setup(request: Any, response: Any, session: Any) -> Any:
    early = session.context.state is State.AUTHORIZATION_SETUP and response.ResponseCode is Code.FAILED_SequenceError
    return failing(response) if early else response


def in_kilowatts(response: Any) -> Any:
    mode = response.DC_CPDResEnergyTransferMode
    return put(response, DC_CPDResEnergyTransferMode=put(mode, EVSEMaximumChargePower=rational(3000)))


def without_signature(response: Any) -> Any:
    return put(response, Header=put(response.Header, Signature=None))


def half_a_voltage(response: Any) -> Any:
    return put(response, EVSEPresentVoltage=rational(number(response.EVSEPresentVoltage) / 2))


def of_one_direction(response: Any) -> Any:
    """Dynamic control of both directions is answered as one of charging alone."""
    mode = response.CLResControlMode
    if type(mode) is not dc.BPT_Dynamic_DC_CLResControlModeType:
        return response
    kept = {name: getattr(mode, name) for name in dc.Dynamic_DC_CLResControlModeType.__struct_fields__}
    return put(response, CLResControlMode=dc.Dynamic_DC_CLResControlModeType(**kept))


def without_reading(asked_for: bool) -> Seed:
    """Responses lack MeterInfo where it was asked for, or where it was not."""
    return responds(
        dc.DC_ChargeLoopReq,
        lambda request, response, session: put(response, MeterInfo=None) if request.MeterInfoRequested is asked_for else response,
    )


def flows_back(request: Any, response: Any, session: Any) -> Any:
    wanted = getattr(request.CLReqControlMode, "EVTargetCurrent", None)
    return put(response, EVSEPresentCurrent=rational(-50)) if wanted is not None and number(wanted) < 0 else response


def never_begins() -> Seed:
    """Power does not begin for a car that is ready at once and says nothing of tolerances."""
    polled: WeakSet[Any] = WeakSet()

    def changed(request: Any, response: Any, session: Any) -> Any:
        if request.EVProcessing is not FINISHED:
            polled.add(session)
        mode = getattr(request.EVPowerProfile, "Scheduled_EVPPTControlMode", None)
        tells = mode is not None and mode.PowerToleranceAcceptance is not None
        starts = request.ChargeProgress is cm.chargeProgressType.Start and response.ResponseCode is Code.OK
        return failing(response) if starts and not tells and session not in polled else response

    return responds(cm.PowerDeliveryReq, changed)


def selects(fits: Callable[[Any], bool]) -> Callable[[Any, Any], bool]:
    """Fits requests whose selection fits and is refused as such: fits(request)."""
    return lambda request, response: response.ResponseCode not in (Code.FAILED_SequenceError, Code.FAILED_UnknownSession) and fits(request)


def not_told(request: Any) -> bool:
    return request.SelectedEnergyTransferService.ParameterSetID >= 40_000 and request.SelectedVASList is None


def in_kind(request: Any, response: Any) -> bool:
    """Whether a request is refused for what it says, not for its turn or its session."""
    return response.ResponseCode not in (Code.FAILED_SequenceError, Code.FAILED_UnknownSession)


Sap, Setup, Detail, Loop = app_protocol.supportedAppProtocolRes, cm.SessionSetupRes, cm.ServiceDetailRes, dc.DC_ChargeLoopRes
Way = cm.chargingSessionType
NEW, EIM = Code.OK_NewSessionEstablished, cm.authorizationType.EIM
ENERGY = [each.id for each in SERVICES.values()]
FAULTS: dict[str, Seed] = {
    "S-SAP-01": says(Sap, schema_id(7, 8)),
    "S-SAP-03": responds(app_protocol.supportedAppProtocolReq, never_refused),
    "S-SAP-04": says(Sap, schema_id(2, 1)),
    "S-SAP-05": responds(app_protocol.supportedAppProtocolReq, dies_of_twenty),
    "S-SAP-06": says(
        Sap,
        lambda response: put(response, ResponseCode=Negotiated.OK_SuccessfulNegotiation) if response.SchemaID == 3 else response,
    ),
    "S-SAP-08": says(Sap, moody()),
    "S-SAP-09": refuses(app_protocol.supportedAppProtocolReq, mute),
    "S-SSU-01": responds(cm.SessionSetupReq, plain_ok),
    "S-SSU-02": puts(setup, "fresh_id", session.counted()),
    "S-SSU-03": wrong_code(cm.ServiceDiscoveryRes, Code.FAILED_SequenceError),
    "S-SSU-04": session.after_the_negotiation(lambda due, now: now + 4.0),
    "S-SSU-05": session.JOINS_STRANGERS,
    "S-SSU-06": session.NEAR_ENOUGH,
    "S-SSU-07": dies_of_error("fewer than the 8 required", "more than the 8 allowed"),
    "S-SSU-08": dies_of(cm.SessionSetupReq, lambda request: len(request.EVCCID) == 255),
    "S-TP-01": framed_as(Setup, PayloadType.DC),
    "S-TP-02": dies_of_header(lambda version, kind, length: length == 0),
    "S-TP-03": dies_of_header(lambda version, kind, length: kind == 0x7001),
    "S-TP-04": dies_of_header(lambda version, kind, length: version != 0x01FE),
    "S-TP-05": dies_of_header(lambda version, kind, length: length > 0xFFFFFF00),
    "S-TP-06": octets.any_length,
    "S-TP-07": fed(lambda reader, octets: octets if len(octets) > 1 else b""),
    "S-TP-08": fed(lambda reader, octets: octets if len(octets) != 8 else b""),
    "S-TP-09": octets.one_at_a_time,
    "S-TP-10": octets.narrow(6_000),
    "S-TP-11": octets.any_type,
    "S-TP-12": octets.waits_for_more,
    "S-TP-14": octets.dies_of_a_cut,
    "S-AUS-01": says(cm.AuthorizationSetupRes, external),
    "S-AUS-03": session.half_a_challenge,
    "S-AUS-04": responds(cm.AuthorizationReq, no_word_before_its_setup),
    "S-AUS-05": says(cm.AuthorizationSetupRes, other_installation),
    "S-AUT-01": responds(cm.AuthorizationReq, unwilling),
    "S-AUT-06": grants_where(
        cm.AuthorizationReq,
        lambda request, response: request.SelectedAuthorizationService is EIM and request.PnC_AReqAuthorizationMode is not None,
    ),
    "S-SVD-01": says(cm.ServiceDiscoveryRes, one_service),
    "S-SVD-02": answers(cm.ServiceDiscoveryReq, filtered),
    "S-SVD-03": says(
        cm.ServiceDiscoveryRes, lambda response: put(response, ServiceRenegotiationSupported=not response.ServiceRenegotiationSupported)
    ),
    "S-SVD-04": wrong_code(cm.ServiceDiscoveryRes, Code.FAILED_UnknownSession),
    "S-SVT-01": says(Detail, without_a_parameter),
    "S-SVT-02": wrong_code(Detail, Code.FAILED_ServiceIDInvalid),
    "S-SVT-03": says(Detail, one_mode),
    "S-SVT-05": session.often(cm.ServiceDetailReq, failing, 20),
    "S-SEL-01": says(cm.ServiceSelectionRes, failing),
    "S-SEL-02": stays_where(cm.ServiceSelectionReq, lambda request, _: not_told(request)),
    "S-SEL-03": grants_where(cm.ServiceSelectionReq, selects(lambda request: request.SelectedVASList is None and not not_told(request))),
    "S-PWD-01": never_begins(),
    "S-PWD-03": wrong_code(cm.PowerDeliveryRes, Code.FAILED_ScheduleSelectionInvalid),
    "S-PWD-04": wrong_code(cm.PowerDeliveryRes, Code.FAILED_EVPowerProfileInvalid, Code.OK),
    "S-PWD-05": wrong_code(cm.PowerDeliveryRes, Code.WARNING_StandbyNotAllowed, Code.OK),
    "S-PWD-06": grants_where(cm.PowerDeliveryReq, lambda request, _: request.ChargeProgress is not cm.chargeProgressType.Start),
    "S-STP-01": session.stands_after_power,
    "S-STP-02": answers(cm.SessionStopReq, early_stop),
    "S-STP-04": stop(Way.Pause),
    "S-STP-05": stop(Way.ServiceRenegotiation),
    "S-STP-07": wrong_code(Setup, Code.OK_OldSessionJoined, Code.OK_NewSessionEstablished),
    "S-STP-09": session.JOINS_WHAT_IS_OVER,
    "S-GEN-01": wrong_code(cm.ServiceSelectionRes, Code.FAILED_SequenceError),
    "S-GEN-02": wrong_code(Detail, Code.FAILED_UnknownSession),
    "S-GEN-03": sequence(cm.SessionSetupReq, 5.0),
    "S-GEN-04": late(Detail, 3.0),
    "S-GEN-05": stays_where(dc.DC_ChargeParameterDiscoveryReq, lambda _, session: session.context.state is State.SERVICE_DISCOVERY, 2.0),
    "S-GEN-06": session.second_ends_first,
    "S-SAP-10": all_of(of_iso20("station_setup", 4.0), session.after_the_negotiation(lambda due, now: due + 14.0)),
    "S-CPD-02": says(dc.DC_ChargeParameterDiscoveryRes, least_beyond_most),
    "S-CPD-03": wrong_code(dc.DC_ChargeParameterDiscoveryRes, Code.FAILED_WrongChargeParameter, Code.OK),
    "S-CPD-04": dies_of(
        dc.DC_ChargeParameterDiscoveryReq, lambda request: request.DC_CPDReqEnergyTransferMode.EVMaximumChargePower.Exponent == 127
    ),
    "S-SCH-01": with_tuples(lambda tuples: tuples[:1] * 2),
    "S-SCH-02": answers(cm.ScheduleExchangeReq, dynamic_fails),
    "S-SCH-03": grants_where(cm.ScheduleExchangeReq, in_kind),
    "S-SCH-04": with_tuples(many_steps, 12),
    "S-SCH-05": dies_of_error("above the maximum 1024"),
    "S-SCH-06": dies_of(cm.ScheduleExchangeReq, lambda request: getattr(request.Scheduled_SEReqControlMode, "EVEnergyOffer", None)),
    "S-SCH-07": dies_of(cm.ScheduleExchangeReq, lambda request: getattr(request.Dynamic_SEReqControlMode, "MinimumSOC", None) == 90),
    "S-SCH-08": wrong_code(cm.ScheduleExchangeRes, Code.OK, Code.WARNING_StandbyNotAllowed),
    "S-DCS-01": wrong_code(dc.DC_CableCheckRes, Code.OK),
    "S-DCS-04": says(dc.DC_PreChargeRes, half_a_voltage),
    "S-DCS-05": answers(dc.DC_PreChargeReq, whatever_is_asked),
    "S-DCS-06": sequence(dc.DC_CableCheckReq, 5.0),
    "S-EXI-01": dies_of_error("EXI header without options"),
    "S-EXI-02": grants(Setup),
    "S-EXI-03": dies_of_error("octets are wanted", "is announced"),
    "S-EXI-04": dies_of_error("longer than 32 bits"),
    "S-EXI-05": dies_of_error("octet follows the end"),
    "S-EXI-06": all_of(
        dies_of(cm.CertificateInstallationReq, lambda request: any(map(long_serial, request.ListOfRootCertificateIDs.RootCertificateID))),
        puts(SeccSession, "_undecodable", dies),
    ),
    "S-EXI-07": octets.moody_of_a_tail,
    "S-EXI-08": puts(SeccSession, "_undecodable", mute),
    "S-CPD-05": dies_of(dc.DC_ChargeParameterDiscoveryReq, no_discharge),
    "S-TP-13": octets.patient,
    "S-PWD-07": says(cm.PowerDeliveryRes, confirmed),
    "S-PWD-08": answers(cm.PowerDeliveryReq, not_while_busy),
    "S-STP-08": all_of(puts(setup, "binding", lambda *_: bytes(64)), puts(pause, "binding", lambda *_: bytes(64))),
    "S-SVT-04": says(Detail, needs_by_the_station),
    "S-LOP-06": answers(dc.DC_ChargeLoopReq, all_the_current),
    "S-LOP-08": dies_of(dc.DC_ChargeLoopReq, lambda request: request.CLReqControlMode.EVTargetCurrent.Exponent == 127),
    "S-LOP-11": dies_of(dc.DC_ChargeLoopReq, lambda request: getattr(request.DisplayParameters, "ChargingComplete", None)),
    "S-LOP-13": refuses(Loop, dies),
    "S-CPD-07": wrong_code(dc.DC_ChargeParameterDiscoveryRes, Code.FAILED_UnknownSession),
    "S-DCS-03": wrong_code(dc.DC_CableCheckRes, Code.FAILED_UnknownSession),
    "S-LOP-02": says(Loop, of_one_direction),
    "S-LOP-03": grants_where(dc.DC_ChargeLoopReq, in_kind),
    "S-LOP-04": sequence(dc.DC_ChargeLoopReq, 10.0),
    "S-LOP-05": session.often(dc.DC_ChargeLoopReq, failing, 22),
    "S-LOP-07": says(Loop, more_than_stated),
    "S-LOP-09": without_reading(True),
    "S-LOP-10": without_reading(False),
    "S-LOP-12": responds(dc.DC_ChargeLoopReq, flows_back),
    "S-SAP-02": responds(app_protocol.supportedAppProtocolReq, by_place),
    "S-SAP-07": link.over_tcp,
    "S-TLS-24": link.EARLY_DATA,
    "S-TLS-25": link.dies_of_no_hello,
    "S-TLS-26": link.NO_SHORT_RECORDS,
    "S-TLS-09": link.dies_of_no_certificate,
    "S-TLS-12": link.one_chain,
    "S-TLS-13": link.no_staple,
    "S-TLS-14": link.no_staple,
    # at a station that is set up in another way
    "S-AUS-02": says(cm.AuthorizationSetupRes, with_a_contract),
    "S-AUT-02": session.often(cm.AuthorizationReq, impatient, 20),
    "S-AUT-03": wrong_code(cm.AuthorizationRes, Code.WARNING_EIMAuthorizationFailure),
    "S-AUT-04": responds(cm.AuthorizationReq, any_contract),
    "S-AUT-05": responds(cm.AuthorizationReq, for_ever),
    "S-CIN-08": dies_where(cm.CertificateInstallationReq, lambda known: not known.outlet.certificate_installation),
    "S-STP-06": grants(cm.SessionStopRes),
    "S-CPD-01": wrong_code(ac.AC_ChargeParameterDiscoveryRes, Code.OK),
    "S-LOP-01": wrong_code(ac.AC_ChargeLoopRes, Code.OK),
    "S-CPD-06": says(dc.DC_ChargeParameterDiscoveryRes, in_kilowatts),
    "S-MTR-01": wrong_code(cm.MeteringConfirmationRes, Code.OK),
    "S-MTR-02": wrong_code(cm.MeteringConfirmationRes, Code.FAILED_MeteringSignatureNotValid, Code.OK),
    "S-MTR-03": grants_where(
        cm.MeteringConfirmationReq, lambda _, response: response.ResponseCode is not Code.FAILED_MeteringSignatureNotValid
    ),
    "S-SCH-09": says(cm.ScheduleExchangeRes, without_signature),
    "S-SEL-04": grants_where(
        cm.ServiceSelectionReq, selects(lambda request: request.SelectedEnergyTransferService.ServiceID not in ENERGY)
    ),
    "S-SEL-05": grants_where(cm.ServiceSelectionReq, selects(lambda request: request.SelectedVASList is not None)),
    "S-SDP-01": link.ELSEWHERE,
    "S-SDP-02": link.lures,
    "S-SDP-03": link.moves_house,
    "S-SDP-04": link.tired(1000),
    **link.MALFORMED,
    "S-SDP-13": link.reads_slowly(0.6),
    # at one whose hardware somebody drives
    "S-DCS-02": grants_where(dc.DC_CableCheckReq, in_kind),
    "S-LOP-14": says(Loop, in_two_hundred_seconds),
    "S-PWD-02": wrong_code(cm.PowerDeliveryRes, Code.FAILED_ContactorError),
    "S-SDP-12": puts(Lobby, "late", lambda *_: False),
    "S-STP-03": grants_where(dc.DC_WeldingDetectionReq, in_kind),
    **TRUST,
    **CHAINS,
    **{f"S-OCP-{number:02}": seed for number, seed in OCPP.items()},
}
PLACES = {  # fault -> the setting of the station that has it, where that is not the usual one
    **dict.fromkeys(("S-AUS-02", "S-AUT-04", "S-CIN-08", "S-STP-06"), "no contracts"),
    **dict.fromkeys(("S-AUT-02", "S-AUT-05"), "nobody decides"),
    "S-AUT-03": "nobody may",
    **dict.fromkeys(("S-CPD-01", "S-LOP-01"), "alternating current"),
    "S-CPD-06": "megawatts",
    **dict.fromkeys(("S-MTR-01", "S-MTR-02", "S-MTR-03"), "readings are confirmed"),
    **dict.fromkeys(("S-SAP-02", "S-TLS-07"), "both generations"),
    "S-SCH-09": "prices",
    **dict.fromkeys(("S-SEL-04", "S-SEL-05"), "value added"),
    "S-CIN-04": "cars that are known",
    "S-TLS-16": "a vehicle is revoked",
    **dict.fromkeys(("S-DCS-02", "S-LOP-14", "S-PWD-02", "S-SDP-12", "S-STP-03"), "driven"),
    "S-TLS-13": "a status for each certificate",
    "S-TLS-14": "a status",
    "S-TLS-06": "certificates on Ed448",
    "S-TLS-12": "two roots",
    **dict.fromkeys((f"S-SDP-{number:02}" for number in (*range(1, 12), 13)), "on a link"),
    **dict.fromkeys((f"S-OCP-{number:02}" for number in OCPP), "at a CSMS"),
}

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    FAULTS[fault]()
    sys.exit(main())
