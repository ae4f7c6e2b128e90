"""Decides whether a frame is a request that may be answered now: its message, its SessionID, its turn, its stream."""

from contextlib import suppress

from secc.neutral.context import Context
from secc.neutral.readiness import voltages_match
from v2g.exi.codec import root
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.generation import ISO20, session_id
from v2g.iso20.sequence import State, requests_in, row
from v2g.messages import schema_set
from v2g.messages.common_messages import CertificateInstallationReq, PowerDeliveryReq, SessionSetupReq
from v2g.messages.common_types import V2GRequestType
from v2g.session.endpoint import Relaxed
from v2g.session.errors import PeerMisbehaved, SequenceError, UnknownSession
from v2g.session.generation import MAIN, Incoming
from v2g.session.profiles import INSTALLATION_FRAMED_AS_2, PRE_CHARGE_UNFINISHED
from v2g.session.v2gtp import PayloadType


def decode(payload_type: int, exi: bytes, known: Context, now: float) -> tuple[Incoming, tuple[Relaxed, ...]]:
    """The message in a frame, and the deviations let pass: one public car frames its CertificateInstallationReq as ISO 15118-2 does.

    Raises DecodeError or FramingError.
    """
    if payload_type == PayloadType.EXI and known.session.schema_set:
        named = None
        with suppress(DecodeError):
            named = root(exi, schema_set("common")).type
        if named is CertificateInstallationReq:
            relaxed = known.outlet.let_pass(INSTALLATION_FRAMED_AS_2, now)
            reading = frames.read_bounded(payload_type, exi, "common")
            return Incoming("common", reading, session_id(reading.message)), relaxed
    return ISO20.read(payload_type, exi), ()


def admit(heard: Incoming, payload_type: int, known: Context, now: float) -> tuple[Context, tuple[Relaxed, ...]]:
    """The context in which this request is answered, and the deviations let pass. Raises PeerMisbehaved where it may not be answered."""
    request = heard.reading.message
    kind = type(request)
    relaxed: tuple[Relaxed, ...] = ()
    if kind not in ISO20.responses:
        raise PeerMisbehaved(f"{kind.__name__} is no request that a station answers", None)
    started = known.state not in (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP)
    if started and isinstance(request, V2GRequestType) and kind is not SessionSetupReq and request.Header.SessionID != known.session.id:
        raise UnknownSession(f"{kind.__name__} has SessionID {request.Header.SessionID.hex()}", "V2G20-460")
    found = row(known.state, kind)
    if found is None:
        if known.session.fault is not None:
            raise known.session.fault.error  # whatever comes now hears why the power went
        known, relaxed = _indulged(kind, known, now)
    expected = frames.payload_type_for(request, MAIN if found is None else found.stream)
    tolerated = kind is CertificateInstallationReq and payload_type == PayloadType.EXI
    if payload_type != expected and not tolerated:
        raise SequenceError(f"{kind.__name__} came under payload type 0x{payload_type:04X}, its own is 0x{expected:04X}", "V2G20-459")
    return known, relaxed


def _indulged(kind: type[Type], known: Context, now: float) -> tuple[Context, tuple[Relaxed, ...]]:
    """The profile may let a car start power that never called its pre-charge finished. Raises SequenceError for all else."""
    early = known.state is State.DC_PRE_CHARGE and kind is PowerDeliveryReq
    relaxed = known.outlet.let_pass(PRE_CHARGE_UNFINISHED, now) if early and voltages_match(known) else ()
    if not relaxed:
        allowed = ", ".join(r.__name__ for r in requests_in(known.state)) or "nothing"
        raise SequenceError(f"{kind.__name__} came, expected is {allowed}", "V2G20-459")
    return known.with_step(state=State.DC_START), relaxed
