"""Decides whether a frame is a request that may be answered now: its message, its SessionID, its turn."""

from secc.neutral.context import NO_SESSION, Context
from v2g.iso2 import frames
from v2g.iso2.sequence import REQUESTS, State, requests_in, row
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.iso2.msg_body import SessionSetupReq
from v2g.session.endpoint import Relaxed
from v2g.session.errors import PeerMisbehaved, SequenceError, UnknownSession
from v2g.session.generation import Incoming


def decode(payload_type: int, exi: bytes, known: Context, now: float) -> tuple[Incoming, tuple[Relaxed, ...]]:
    """The message in a frame. Raises DecodeError or FramingError."""
    return frames.read(payload_type, exi), ()


def admit(heard: Incoming, payload_type: int, known: Context, now: float) -> tuple[Context, tuple[Relaxed, ...]]:
    """The context in which this request is answered, with what its envelope had. Raises PeerMisbehaved where it may not be answered."""
    kind = type(heard.reading.message)
    if kind not in REQUESTS:
        raise PeerMisbehaved(f"{kind.__name__} is no request that a station answers", None)
    started = known.state not in (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP)
    told = heard.session_id or NO_SESSION
    if started and kind not in (SessionSetupReq, supportedAppProtocolReq) and told != known.session.id:
        raise UnknownSession(f"{kind.__name__} has SessionID {told.hex()}", "V2G2-460")
    if row(known.state, kind) is None:
        if known.session.fault is not None:
            raise known.session.fault.error  # whatever comes now hears why the power went
        allowed = ", ".join(each.__name__ for each in requests_in(known.state)) or "nothing"
        raise SequenceError(f"{kind.__name__} came, expected is {allowed}", "V2G2-538")
    return known.with_step(told=told, signature=heard.signature), ()
