"""Decides whether a frame is a request that may be answered now: its message, its SessionID, its turn."""

from secc.enveloped.words import Words
from secc.neutral.context import NO_SESSION, Context
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.session.endpoint import Relaxed
from v2g.session.errors import PeerMisbehaved, SequenceError, UnknownSession
from v2g.session.generation import Incoming


def decode(words: Words, payload_type: int, exi: bytes, known: Context, now: float) -> tuple[Incoming, tuple[Relaxed, ...]]:
    """The message in a frame. Raises DecodeError or FramingError."""
    return words.generation.read(payload_type, exi), ()


def admit(words: Words, heard: Incoming, payload_type: int, known: Context, now: float) -> tuple[Context, tuple[Relaxed, ...]]:
    """The context in which this request is answered, with what its envelope had. Raises PeerMisbehaved where it may not be answered."""
    kind = type(heard.reading.message)
    if kind not in words.generation.responses:
        raise PeerMisbehaved(f"{kind.__name__} is no request that a station answers", None)
    started = known.state not in (words.state.SUPPORTED_APP_PROTOCOL, words.state.SESSION_SETUP)
    told = heard.session_id or NO_SESSION
    if started and kind not in (words.generation.begins, supportedAppProtocolReq) and told != known.session.id:
        raise UnknownSession(f"{kind.__name__} has SessionID {told.hex()}", words.unknown_session)
    if words.generation.row(known.state, kind) is None:
        if known.session.fault is not None:
            raise known.session.fault.error  # whatever comes now hears why the power went
        allowed = ", ".join(each.__name__ for each in words.generation.accepted(known.state)) or "nothing"
        raise SequenceError(f"{kind.__name__} came, expected is {allowed}", words.out_of_turn)
    return known.with_step(told=told, signature=heard.signature), ()
