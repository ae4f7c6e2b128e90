"""Our station with one fault that was seeded on purpose: `python -m tests.v2gkit.conform.faulty_station FAULT secc ...`.

A fault has the id of the case that finds it. Each changes what the station says, what it takes, or one decision; the product knows of none.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

import secc.iso20.setup as setup
import v2g.session.v2gtp as v2gtp
from secc.engine import SeccSession
from secc.iso20.answers import ANSWERS
from v2g.iso20.generation import ISO20
from v2g.iso20.rational import number, rational
from v2g.messages import app_protocol, dc
from v2g.messages import common_messages as cm
from v2g.messages.common_types import processingType, responseCodeType
from v2g.session.v2gtp import FrameReader, PayloadType
from v2gkit.cli.main import main

Change = Callable[[Any], Any]
Seed = Callable[[], None]
Code, Negotiated = responseCodeType, app_protocol.responseCodeType
FOR_EVER = 600.0  # s
put = msgspec.structs.replace


# --- kinds of faults ---


def says(kind: type, change: Change) -> Seed:
    """A response of one kind is changed before it is written."""

    def seed() -> None:
        write = ISO20.write
        changed: Any = lambda message, *more, **named: write(change(message) if type(message) is kind else message, *more, **named)  # noqa: E731
        object.__setattr__(ISO20, "write", changed)

    return seed


def wrong_code(kind: type, code: responseCodeType, other: responseCodeType = Code.FAILED) -> Seed:
    """One code of a response is another one."""
    return says(kind, lambda response: put(response, ResponseCode=other) if response.ResponseCode is code else response)


def grants(kind: type) -> Seed:
    """What is refused is told as granted; the session ends all the same."""
    return says(kind, lambda response: response if response.ResponseCode.value.startswith("OK") else put(response, ResponseCode=Code.OK))


def late(kind: type, seconds: float) -> Seed:
    """A response of one kind comes late."""

    def slept(response: Any) -> Any:
        time.sleep(seconds)
        return response

    return says(kind, slept)


def framed_as(kind: type, payload_type: PayloadType) -> Seed:
    """A response of one kind goes out under another payload type."""

    def seed() -> None:
        write = ISO20.write

        def changed(message: Any, *more: Any, **named: Any) -> Any:
            written = write(message, *more, **named)
            return written._replace(payload_type=payload_type) if type(message) is kind else written

        object.__setattr__(ISO20, "write", changed)

    return seed


def answers(kind: type, change: Callable[[Any, Any, Any], Any]) -> Seed:
    """The response to a request of one kind is changed, by the request and what the session knows."""

    def seed() -> None:
        answer = ANSWERS[kind]

        def changed(request: Any, known: Any) -> Any:
            reply: Any = answer(request, known)
            response = getattr(reply, "response", None)
            return reply if response is None else replace(reply, response=change(request, known, response))

        ANSWERS[kind] = changed

    return seed


def refuses(kind: type, refuse: Callable[[Any, Any], None]) -> Seed:
    """A refusal of a request of one kind is something else: `refuse(session, end)`, where `end()` is the whole of it."""

    def seed() -> None:
        refused = SeccSession._refuse

        def changed(self: Any, request: type, *more: Any) -> None:
            if request is kind:
                refuse(self, lambda: refused(self, request, *more))
            else:
                refused(self, request, *more)

        SeccSession._refuse = changed  # type: ignore[method-assign, assignment]

    return seed


def stays(session: Any, refusal: Any) -> None:
    """The refusal goes out, and the session does not end."""
    end = session._end
    session._end = lambda *_: None
    try:
        refusal()
    finally:
        session._end = end


def mute(*_: Any) -> None:
    """No answer, and no end."""


def sequence(request: type, seconds: float) -> Seed:
    """What follows the response to a request is waited for that long."""

    def seed() -> None:
        timing = ISO20.timing
        changed: Any = lambda each: replace(timing(each), sequence_timeout=seconds) if each is request else timing(each)  # noqa: E731
        object.__setattr__(ISO20, "timing", changed)

    return seed


def of_iso20(name: str, value: Any) -> Seed:
    """A value of the generation is another one."""
    return lambda: object.__setattr__(ISO20, name, value)


def puts(module: Any, name: str, value: Any) -> Seed:
    """Something else stands under a name of a module or class."""
    return lambda: setattr(module, name, value)


def dies(*_: object, **__: object) -> Any:
    """The program ends as by a fault of memory."""
    os.abort()


def dies_of(kind: type, fits: Change) -> Seed:
    """The program dies of requests of one kind."""
    return answers(kind, lambda request, known, response: dies() if fits(request) else response)


def dies_of_header(fits: Callable[[int, int, int], bool]) -> Seed:
    """The program dies of a header of V2GTP: (its first two octets, payload type, length)."""

    def seed() -> None:
        judge = v2gtp._header

        def changed(octets: Any, *more: Any) -> Any:
            if fits(*(int.from_bytes(octets[begin:end], "big") for begin, end in ((0, 2), (2, 4), (4, 8)))):
                dies()
            return judge(octets, *more)

        v2gtp._header = changed

    return seed


def fed(change: Callable[[Any, bytes], bytes]) -> Seed:
    """A reader of frames is fed with something else."""

    def seed() -> None:
        feed = FrameReader.feed
        changed: Any = lambda self, octets: feed(self, change(self, octets))  # noqa: E731
        FrameReader.feed = changed  # type: ignore[method-assign]

    return seed


# --- single ones ---


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


def failing(response: Any) -> Any:
    return put(response, ResponseCode=Code.FAILED)


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


def busy(response: Any) -> Any:
    return put(response, EVSEProcessing=processingType.Ongoing)


def unwilling(response: Any) -> Any:
    finished = response.EVSEProcessing is processingType.Finished
    return put(response, ResponseCode=Code.WARNING_EIMAuthorizationFailure) if finished else response


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
    "S-GEN-06": puts(setup, "fresh_id", lambda *_: bytes(range(8))),
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
}

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    FAULTS[fault]()
    sys.exit(main())
