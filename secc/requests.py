"""Whether a frame is a request that may be answered now: what it says, whose it is, whether it is its turn, on which stream it came."""

from contextlib import suppress
from dataclasses import replace

from secc.answers.power import matched
from secc.context import Context
from v2g.exi.codec import Reading, root
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.messages.common_messages import CertificateInstallationReq, PowerDeliveryReq, SessionSetupReq
from v2g.messages.common_types import V2GRequestType
from v2g.session import frames
from v2g.session.endpoint import Relaxed
from v2g.session.errors import PeerMisbehaved, SequenceError, UnknownSession
from v2g.session.profiles import PRE_CHARGE_UNFINISHED
from v2g.session.sequence import REQUESTS, State, admitted, row
from v2g.session.v2gtp import PayloadType

BY_NAME = {request.__name__: request for request in REQUESTS}


def decoded(payload_type: int, exi: bytes, known: Context, now: float) -> tuple[str, Reading, tuple[Relaxed, ...]]:
    """The schema set, the reading in it, and what was let pass: one public car frames its CertificateInstallationReq like -2.

    Raises DecodeError or FramingError.
    """
    if payload_type == PayloadType.EXI and known.schema_set:
        named = None
        with suppress(DecodeError):
            named = root(exi, schema_set("common")).type
        if named is CertificateInstallationReq:
            relaxed = Relaxed(now, "CertificateInstallationReq under payload type 0x8001", "Table 12")
            return "common", frames.received(payload_type, exi, "common"), (relaxed,)
    return frames.announced(payload_type), frames.received(payload_type, exi), ()


def admit(request: Type, payload_type: int, known: Context, now: float) -> tuple[Context, tuple[Relaxed, ...]]:
    """What is known when this request is answered, and what was let pass. Raises PeerMisbehaved for one that may not be."""
    kind = type(request)
    relaxed: tuple[Relaxed, ...] = ()
    if kind not in BY_NAME.values():
        raise PeerMisbehaved(f"{kind.__name__} is no request that a station answers", None)
    started = known.state not in (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP)
    if started and isinstance(request, V2GRequestType) and kind is not SessionSetupReq and request.Header.SessionID != known.session_id:
        raise UnknownSession(f"{kind.__name__} has SessionID {request.Header.SessionID.hex()}", "V2G20-460")
    if row(known.state, kind) is None:
        if known.fault is not None:
            raise known.fault.error  # whatever comes now hears why the power went
        known, relaxed = _indulged(kind, known, now)
    expected = frames.payload_type_of(kind)
    tolerated = kind is CertificateInstallationReq and payload_type == PayloadType.EXI
    if payload_type != expected and not tolerated:
        raise SequenceError(f"{kind.__name__} came under payload type 0x{payload_type:04X}, its own is 0x{expected:04X}", None)
    return known, relaxed


def _indulged(kind: type[Type], known: Context, now: float) -> tuple[Context, tuple[Relaxed, ...]]:
    """The profile may let a car start power that never called its pre-charge finished. Raises SequenceError for all else."""
    early = known.state is State.DC_PRE_CHARGE and kind is PowerDeliveryReq
    if not (early and matched(known) and known.outlet.puts_up_with(PRE_CHARGE_UNFINISHED)):
        allowed = ", ".join(r.__name__ for r in admitted(known.state)) or "nothing"
        raise SequenceError(f"{kind.__name__} came, expected is {allowed}", "V2G20-459")
    return replace(known, state=State.DC_START), (Relaxed(now, PRE_CHARGE_UNFINISHED.name, PRE_CHARGE_UNFINISHED.requirement),)
