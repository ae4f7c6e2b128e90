"""Faults of a station in frames, documents and what comes before services: protocol, session, authorization."""

from typing import Any

import secc.iso20.setup as setup
from secc.engine import SeccSession
from tests.v2gkit.conform import faulty_octets as octets
from tests.v2gkit.conform import faulty_session as session
from tests.v2gkit.conform.seeding import (
    FINISHED,
    Change,
    Code,
    Seed,
    all_of,
    dies,
    dies_of,
    dies_of_error,
    dies_of_header,
    failing,
    fed,
    framed_as,
    grants,
    grants_where,
    in_kind,
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
from v2g.iso20.sequence import State
from v2g.messages import app_protocol, dc
from v2g.messages import common_messages as cm
from v2g.messages.common_types import processingType
from v2g.session.v2gtp import PayloadType

Negotiated = app_protocol.responseCodeType
Sap, Setup, Detail = app_protocol.supportedAppProtocolRes, cm.SessionSetupRes, cm.ServiceDetailRes
NEW, EIM = Code.OK_NewSessionEstablished, cm.authorizationType.EIM


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


def external(response: Any) -> Any:
    return put(response, AuthorizationServices=(cm.authorizationType.EIM,))


def other_installation(response: Any) -> Any:
    return put(response, CertificateInstallationService=not response.CertificateInstallationService)


def unwilling(request: Any, response: Any, session: Any) -> Any:
    granted = response.ResponseCode is Code.OK and response.EVSEProcessing is FINISHED and request.EIM_AReqAuthorizationMode is not None
    return put(response, ResponseCode=Code.WARNING_EIMAuthorizationFailure) if granted else response


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


def no_word_before_its_setup(request: Any, response: Any, session: Any) -> Any:
    early = session.context.state is State.AUTHORIZATION_SETUP and response.ResponseCode is Code.FAILED_SequenceError
    return put(response, ResponseCode=Code.FAILED) if early else response


def long_serial(listed: Any) -> bool:
    return bool(listed.X509SerialNumber >> 1000)


SETUP: dict[str, Seed] = {
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
    "S-GEN-01": wrong_code(cm.ServiceSelectionRes, Code.FAILED_SequenceError),
    "S-GEN-02": wrong_code(Detail, Code.FAILED_UnknownSession),
    "S-GEN-03": sequence(cm.SessionSetupReq, 5.0),
    "S-GEN-04": late(Detail, 3.0),
    "S-GEN-05": stays_where(dc.DC_ChargeParameterDiscoveryReq, lambda _, session: session.context.state is State.SERVICE_DISCOVERY, 2.0),
    "S-GEN-06": session.second_ends_first,
    "S-SAP-10": all_of(of_iso20("station_setup", 4.0), session.after_the_negotiation(lambda due, now: due + 14.0)),
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
    "S-TP-13": octets.patient,
    "S-SAP-02": responds(app_protocol.supportedAppProtocolReq, by_place),
    "S-AUS-02": says(cm.AuthorizationSetupRes, with_a_contract),
    "S-AUT-02": session.often(cm.AuthorizationReq, impatient, 20),
    "S-AUT-03": wrong_code(cm.AuthorizationRes, Code.WARNING_EIMAuthorizationFailure),
    "S-AUT-04": responds(cm.AuthorizationReq, any_contract),
    "S-AUT-05": responds(cm.AuthorizationReq, for_ever),
}
