"""Our station with one fault that was seeded on purpose: `python -m tests.v2gkit.conform.faulty_station FAULT secc ...`.

A fault has the id of the case that finds it.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import secc.iso20.setup as setup
import secc.pause as pause
import v2g.session.v2gtp as v2gtp
from secc.engine import SeccSession
from tests.v2gkit.conform import faulty_link as link
from tests.v2gkit.conform.faulty_trust import TRUST
from tests.v2gkit.conform.seeding import (
    FOR_EVER,
    Change,
    Code,
    Seed,
    all_of,
    answers,
    dies,
    dies_of,
    dies_of_header,
    failing,
    fed,
    framed_as,
    grants,
    late,
    mute,
    of_iso20,
    put,
    puts,
    refuses,
    says,
    sequence,
    stays,
    wrong_code,
)
from v2g.iso20.rational import number, rational
from v2g.messages import ac, app_protocol, dc
from v2g.messages import common_messages as cm
from v2g.messages.common_types import processingType
from v2g.session.transport.pump import Pump
from v2g.session.v2gtp import FrameReader, PayloadType
from v2gkit.cli.main import main

Negotiated = app_protocol.responseCodeType
FINISHED = processingType.Finished


def any_length() -> None:
    judge = v2gtp._header
    v2gtp._header = lambda octets, types, limit: judge(octets, types, 1 << 31)


def one_at_a_time() -> None:
    following = FrameReader.next

    def changed(self: Any) -> Any:
        found = following(self)
        if found is not None:
            self._buffer.clear()
        return found

    FrameReader.next = changed  # type: ignore[method-assign]


def dies_of_a_cut() -> None:
    for name in ("lost", "receive"):
        step = getattr(SeccSession, name)

        def changed(self: Any, what: Any, now: float, step: Any = step) -> None:
            if self._reader.pending and not (isinstance(what, bytes) and what):
                dies()
            step(self, what, now)

        setattr(SeccSession, name, changed)


def any_type() -> None:
    judge = v2gtp._header

    def changed(*given: Any) -> Any:
        payload_type, length = judge(*given)
        return (PayloadType.COMMON if payload_type == PayloadType.DC and length < 60 else payload_type), length

    v2gtp._header = changed


def counted() -> Callable[..., bytes]:
    ids = iter(range(1, 10_000))
    return lambda *_: next(ids).to_bytes(8, "big")


def never_refused(response: Any) -> Any:
    if response.ResponseCode is not Negotiated.Failed_NoNegotiation:
        return response
    return put(response, ResponseCode=Negotiated.OK_SuccessfulNegotiation, SchemaID=1)


def schema_id(wrong: int, other: int) -> Change:
    return lambda response: put(response, SchemaID=other) if response.SchemaID == wrong else response


def moody() -> Change:
    counter = iter(range(10_000))
    return lambda response: put(response, SchemaID=254 + next(counter) % 2) if response.SchemaID == 255 else response


def joins_anybody(request: Any, known: Any, response: Any) -> Any:
    asked = any(request.Header.SessionID) and response.ResponseCode is Code.OK_NewSessionEstablished
    return put(response, ResponseCode=Code.OK_OldSessionJoined) if asked else response


def every(count: int, change: Change) -> Change:
    """Each `count`-th response is changed."""
    counter = iter(range(1, 1_000_000))
    return lambda response: change(response) if next(counter) % count == 0 else response


def more_than_stated(response: Any) -> Any:
    mode = response.CLResControlMode
    most = getattr(mode, "EVSEMaximumVoltage", None)
    return response if most is None else put(response, CLResControlMode=put(mode, EVSEMaximumVoltage=rational(2 * number(most))))


def early_stop(request: Any, known: Any, response: Any) -> Any:
    return response if known.agreement.selection is not None else failing(response)


def stop(how: cm.chargingSessionType) -> Seed:
    return answers(cm.SessionStopReq, lambda request, _, response: failing(response) if request.ChargingSession is how else response)


def of_nothing(response: Any) -> Any:
    sets = tuple(put(each, Parameter=each.Parameter[:1]) for each in response.ServiceParameterList.ParameterSet)
    return put(response, ServiceParameterList=put(response.ServiceParameterList, ParameterSet=sets))


def one_mode(response: Any) -> Any:
    listed = response.ServiceParameterList
    return put(response, ServiceParameterList=put(listed, ParameterSet=listed.ParameterSet[:1]))


def filtered(request: Any, known: Any, response: Any) -> Any:
    return response if request.SupportedServiceIDs is None else failing(response)


def external(response: Any) -> Any:
    return put(response, AuthorizationServices=(cm.authorizationType.EIM,))


def one_challenge(response: Any) -> Any:
    mode = response.PnC_ASResAuthorizationMode
    return response if mode is None else put(response, PnC_ASResAuthorizationMode=put(mode, GenChallenge=bytes(range(16))))


def other_installation(response: Any) -> Any:
    return put(response, CertificateInstallationService=not response.CertificateInstallationService)


def unwilling(response: Any) -> Any:
    return put(response, ResponseCode=Code.WARNING_EIMAuthorizationFailure) if response.EVSEProcessing is FINISHED else response


def least_beyond_most(response: Any) -> Any:
    mode = response.DC_CPDResEnergyTransferMode
    return put(response, DC_CPDResEnergyTransferMode=put(mode, EVSEMinimumVoltage=rational(2 * number(mode.EVSEMaximumVoltage))))


def whatever_is_asked(request: Any, known: Any, response: Any) -> Any:
    return put(response, EVSEPresentVoltage=request.EVTargetVoltage) if number(request.EVTargetVoltage) > 2000 else response


def all_the_current(request: Any, known: Any, response: Any) -> Any:
    wanted = request.CLReqControlMode.EVTargetCurrent
    return put(response, EVSEPresentCurrent=wanted) if number(wanted) > 500 else response


def with_tuples(change: Change) -> Change:
    """The schedule tuples of a response are changed, where it has any."""

    def changed(response: Any) -> Any:
        mode = response.Scheduled_SEResControlMode
        return response if mode is None else put(response, Scheduled_SEResControlMode=put(mode, ScheduleTuple=change(mode.ScheduleTuple)))

    return changed


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


def patient() -> None:
    begin = Pump.__init__

    def changed(self: Any, *more: Any, **named: Any) -> None:
        begin(self, *more, **named)
        self._limits = replace(self._limits, handshake=FOR_EVER)

    Pump.__init__ = changed  # type: ignore[method-assign]


def confirmed(response: Any) -> Any:
    return put(response, ResponseCode=Code.OK_PowerToleranceConfirmed) if response.ResponseCode is Code.OK else response


def with_a_contract(response: Any) -> Any:
    return put(response, AuthorizationServices=(cm.authorizationType.EIM, cm.authorizationType.PnC))


def impatient(response: Any) -> Any:
    return failing(response) if response.EVSEProcessing is not FINISHED else response


def for_ever(response: Any) -> Any:
    granted = response.ResponseCode is Code.OK and response.EVSEProcessing is FINISHED
    return response if granted else put(response, ResponseCode=Code.OK, EVSEProcessing=processingType.Ongoing)


def in_kilowatts(response: Any) -> Any:
    mode = response.DC_CPDResEnergyTransferMode
    return put(response, DC_CPDResEnergyTransferMode=put(mode, EVSEMaximumChargePower=rational(3000)))


def without_signature(response: Any) -> Any:
    return put(response, Header=put(response.Header, Signature=None))


def confirms_anything(response: Any) -> Any:
    return put(response, ResponseCode=Code.OK)


Sap, Setup, Detail, Loop = app_protocol.supportedAppProtocolRes, cm.SessionSetupRes, cm.ServiceDetailRes, dc.DC_ChargeLoopRes
Way = cm.chargingSessionType
FAULTS: dict[str, Seed] = {
    "S-SAP-01": says(Sap, schema_id(7, 8)),
    "S-SAP-03": says(Sap, never_refused),
    "S-SAP-04": says(Sap, schema_id(2, 1)),
    "S-SAP-05": says(Sap, lambda response: dies() if response.ResponseCode is Negotiated.Failed_NoNegotiation else response),
    "S-SAP-06": says(
        Sap,
        lambda response: put(response, ResponseCode=Negotiated.OK_SuccessfulNegotiation) if response.SchemaID == 3 else response,
    ),
    "S-SAP-08": says(Sap, moody()),
    "S-SAP-09": refuses(app_protocol.supportedAppProtocolReq, mute),
    "S-SSU-01": wrong_code(Setup, Code.OK_NewSessionEstablished, Code.OK),
    "S-SSU-02": puts(setup, "fresh_id", counted()),
    "S-SSU-03": wrong_code(cm.ServiceDiscoveryRes, Code.FAILED_SequenceError),
    "S-SSU-04": of_iso20("station_setup", 4.0),
    "S-SSU-05": answers(cm.SessionSetupReq, joins_anybody),
    "S-SSU-06": wrong_code(cm.AuthorizationSetupRes, Code.FAILED_UnknownSession),
    "S-SSU-07": puts(SeccSession, "_undecodable", dies),
    "S-SSU-08": dies_of(cm.SessionSetupReq, lambda request: len(request.EVCCID) == 255),
    "S-TP-01": framed_as(Setup, PayloadType.DC),
    "S-TP-02": dies_of_header(lambda version, kind, length: length == 0),
    "S-TP-03": dies_of_header(lambda version, kind, length: kind == 0x7001),
    "S-TP-04": dies_of_header(lambda version, kind, length: version != 0x01FE),
    "S-TP-05": dies_of_header(lambda version, kind, length: length > 0xFFFFFF00),
    "S-TP-06": any_length,
    "S-TP-07": fed(lambda reader, octets: octets if len(octets) > 1 else b""),
    "S-TP-08": fed(lambda reader, octets: octets if len(octets) != 8 else b""),
    "S-TP-09": one_at_a_time,
    "S-TP-10": of_iso20("state_limit", lambda state: 4096),
    "S-TP-11": any_type,
    "S-TP-12": sequence(cm.SessionSetupReq, FOR_EVER),
    "S-TP-14": dies_of_a_cut,
    "S-AUS-01": says(cm.AuthorizationSetupRes, external),
    "S-AUS-03": says(cm.AuthorizationSetupRes, one_challenge),
    "S-AUS-04": wrong_code(cm.AuthorizationRes, Code.FAILED_SequenceError),
    "S-AUS-05": says(cm.AuthorizationSetupRes, other_installation),
    "S-AUT-01": says(cm.AuthorizationRes, unwilling),
    "S-AUT-06": grants(cm.AuthorizationRes),
    "S-SVD-01": says(cm.ServiceDiscoveryRes, failing),
    "S-SVD-02": answers(cm.ServiceDiscoveryReq, filtered),
    "S-SVD-03": says(
        cm.ServiceDiscoveryRes, lambda response: put(response, ServiceRenegotiationSupported=not response.ServiceRenegotiationSupported)
    ),
    "S-SVD-04": wrong_code(cm.ServiceDiscoveryRes, Code.FAILED_UnknownSession),
    "S-SVT-01": says(Detail, of_nothing),
    "S-SVT-02": wrong_code(Detail, Code.FAILED_ServiceIDInvalid),
    "S-SVT-03": says(Detail, one_mode),
    "S-SVT-05": says(Detail, every(20, failing)),
    "S-SEL-01": says(cm.ServiceSelectionRes, failing),
    "S-SEL-02": refuses(cm.ServiceSelectionReq, stays),
    "S-SEL-03": grants(cm.ServiceSelectionRes),
    "S-PWD-01": says(cm.PowerDeliveryRes, failing),
    "S-PWD-03": wrong_code(cm.PowerDeliveryRes, Code.FAILED_ScheduleSelectionInvalid),
    "S-PWD-04": grants(cm.PowerDeliveryRes),
    "S-PWD-05": wrong_code(cm.PowerDeliveryRes, Code.WARNING_StandbyNotAllowed, Code.OK),
    "S-PWD-06": grants(cm.PowerDeliveryRes),
    "S-STP-01": of_iso20("close", FOR_EVER),
    "S-STP-02": answers(cm.SessionStopReq, early_stop),
    "S-STP-04": stop(Way.Pause),
    "S-STP-05": stop(Way.ServiceRenegotiation),
    "S-STP-07": wrong_code(Setup, Code.OK_OldSessionJoined, Code.OK_NewSessionEstablished),
    "S-STP-09": answers(cm.SessionSetupReq, joins_anybody),
    "S-GEN-01": wrong_code(cm.ServiceSelectionRes, Code.FAILED_SequenceError),
    "S-GEN-02": wrong_code(cm.ServiceDiscoveryRes, Code.FAILED_UnknownSession),
    "S-GEN-03": sequence(cm.SessionSetupReq, 5.0),
    "S-GEN-04": late(Detail, 3.0),
    "S-GEN-05": refuses(dc.DC_ChargeParameterDiscoveryReq, stays),
    "S-GEN-06": all_of(puts(setup, "fresh_id", lambda *_: bytes(range(8))), puts(setup, "demand_free", lambda known: None)),
    "S-SAP-10": of_iso20("station_setup", 4.0),
    "S-CPD-02": says(dc.DC_ChargeParameterDiscoveryRes, least_beyond_most),
    "S-CPD-03": grants(dc.DC_ChargeParameterDiscoveryRes),
    "S-CPD-04": dies_of(
        dc.DC_ChargeParameterDiscoveryReq, lambda request: request.DC_CPDReqEnergyTransferMode.EVMaximumChargePower.Exponent == 127
    ),
    "S-SCH-01": says(cm.ScheduleExchangeRes, with_tuples(lambda tuples: tuples[:1] * 2)),
    "S-SCH-02": answers(cm.ScheduleExchangeReq, dynamic_fails),
    "S-SCH-03": grants(cm.ScheduleExchangeRes),
    "S-SCH-04": says(cm.ScheduleExchangeRes, with_tuples(many_steps)),
    "S-SCH-05": puts(SeccSession, "_undecodable", dies),
    "S-SCH-06": dies_of(cm.ScheduleExchangeReq, lambda request: getattr(request.Scheduled_SEReqControlMode, "EVEnergyOffer", None)),
    "S-SCH-07": dies_of(cm.ScheduleExchangeReq, lambda request: getattr(request.Dynamic_SEReqControlMode, "MinimumSOC", None) == 90),
    "S-SCH-08": wrong_code(cm.ScheduleExchangeRes, Code.OK, Code.WARNING_StandbyNotAllowed),
    "S-DCS-01": says(dc.DC_CableCheckRes, failing),
    "S-DCS-04": says(dc.DC_PreChargeRes, failing),
    "S-DCS-05": answers(dc.DC_PreChargeReq, whatever_is_asked),
    "S-DCS-06": sequence(dc.DC_CableCheckReq, 5.0),
    "S-EXI-01": puts(SeccSession, "_undecodable", dies),
    "S-EXI-02": grants(Setup),
    "S-EXI-03": puts(SeccSession, "_undecodable", dies),
    "S-EXI-04": puts(SeccSession, "_undecodable", dies),
    "S-EXI-05": puts(SeccSession, "_undecodable", dies),
    "S-EXI-06": all_of(
        dies_of(cm.CertificateInstallationReq, lambda request: any(map(long_serial, request.ListOfRootCertificateIDs.RootCertificateID))),
        puts(SeccSession, "_undecodable", dies),
    ),
    "S-EXI-07": says(cm.AuthorizationSetupRes, every(2, failing)),
    "S-EXI-08": puts(SeccSession, "_undecodable", mute),
    "S-CPD-05": dies_of(dc.DC_ChargeParameterDiscoveryReq, no_discharge),
    "S-TP-13": patient,
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
    "S-LOP-02": late(Loop, 1.35),
    "S-LOP-03": grants(Loop),
    "S-LOP-04": sequence(dc.DC_ChargeLoopReq, 10.0),
    "S-LOP-05": says(Loop, every(9, failing)),
    "S-LOP-07": says(Loop, more_than_stated),
    "S-LOP-09": says(Loop, lambda response: put(response, MeterInfo=None)),
    "S-LOP-10": says(Loop, lambda response: put(response, MeterInfo=None)),
    "S-LOP-12": says(Loop, lambda response: put(response, EVSEPresentCurrent=rational(-50))),
    "S-SAP-02": says(Sap, lambda response: put(response, SchemaID=250) if response.SchemaID is not None else response),
    "S-SAP-07": link.anywhere,
    "S-TLS-24": link.EARLY_DATA,
    "S-TLS-25": link.dies_of_no_hello,
    "S-TLS-26": link.NO_SHORT_RECORDS,
    "S-TLS-09": link.dies_of_no_certificate,
    "S-TLS-12": link.one_chain,
    "S-TLS-13": link.no_staple,
    "S-TLS-14": link.no_staple,
    # at a station that is set up in another way
    "S-AUS-02": says(cm.AuthorizationSetupRes, with_a_contract),
    "S-AUT-02": says(cm.AuthorizationRes, impatient),
    "S-AUT-03": wrong_code(cm.AuthorizationRes, Code.WARNING_EIMAuthorizationFailure),
    "S-AUT-04": says(cm.AuthorizationRes, lambda response: put(response, ResponseCode=Code.OK, EVSEProcessing=FINISHED)),
    "S-AUT-05": says(cm.AuthorizationRes, for_ever),
    "S-CIN-08": dies_of(cm.CertificateInstallationReq, lambda request: True),
    "S-STP-06": grants(cm.SessionStopRes),
    "S-CPD-01": says(ac.AC_ChargeParameterDiscoveryRes, failing),
    "S-LOP-01": says(ac.AC_ChargeLoopRes, failing),
    "S-CPD-06": says(dc.DC_ChargeParameterDiscoveryRes, in_kilowatts),
    "S-MTR-01": says(cm.MeteringConfirmationRes, failing),
    "S-MTR-02": says(cm.MeteringConfirmationRes, confirms_anything),
    "S-MTR-03": grants(cm.MeteringConfirmationRes),
    "S-SCH-09": says(cm.ScheduleExchangeRes, without_signature),
    "S-SEL-04": grants(cm.ServiceSelectionRes),
    "S-SEL-05": grants(cm.ServiceSelectionRes),
    "S-SDP-01": link.ELSEWHERE,
    "S-SDP-02": link.anywhere,
    "S-SDP-03": link.ELSEWHERE,
    "S-SDP-04": link.tired(1000),
    **dict.fromkeys((f"S-SDP-{number:02}" for number in range(5, 12)), link.ANYTHING),
    "S-SDP-13": link.reads_slowly(0.6),
    **TRUST,
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
    "S-TLS-13": "a status for each certificate",
    "S-TLS-14": "a status",
    "S-TLS-06": "certificates on Ed448",
    "S-TLS-12": "two roots",
    **dict.fromkeys((f"S-SDP-{number:02}" for number in (*range(1, 12), 13)), "on a link"),
}

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    FAULTS[fault]()
    sys.exit(main())
