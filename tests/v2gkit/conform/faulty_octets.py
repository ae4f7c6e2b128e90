"""Faults of a station in its frames and documents: octets that it takes for something else, bears badly, or waits for too long."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import v2g.session.v2gtp as v2gtp
from secc.engine import SEQUENCE, SeccSession
from tests.v2gkit.conform.seeding import FOR_EVER, Change, Seed, dies, of_iso20
from v2g.exi.codec import encode
from v2g.exi.errors import DecodeError
from v2g.iso20.generation import ISO20
from v2g.iso20.sequence import State
from v2g.messages import common_messages as cm
from v2g.messages import schema_set
from v2g.session.transport.pump import Pump
from v2g.session.v2gtp import FrameReader, PayloadType


def any_length() -> None:
    """Frames may be 2 GiB long."""
    judge = v2gtp._header
    v2gtp._header = lambda octets, types, limit: judge(octets, types, 1 << 31)


def _frames(change: Change) -> Seed:
    """Frames are changed as they are cut from the stream: change(reader, frame)."""

    def seed() -> None:
        following = FrameReader.next

        def changed(self: Any) -> Any:
            found = following(self)
            return None if found is None else change(self, found)  # type: ignore[call-arg]

        FrameReader.next = changed  # type: ignore[method-assign]

    return seed


def _alone(reader: Any, frame: Any) -> Any:
    reader._buffer.clear()
    return frame


def _setup_of_any_type(_: Any, frame: Any) -> Any:
    """SessionSetupReq counts under the payload type of DC messages."""
    if frame.payload_type == PayloadType.DC:
        with suppress(DecodeError):
            if type(ISO20.read(PayloadType.COMMON, frame.payload).reading.message) is cm.SessionSetupReq:
                return frame._replace(payload_type=PayloadType.COMMON)
    return frame


one_at_a_time = _frames(_alone)  # type: ignore[arg-type]
any_type = _frames(_setup_of_any_type)  # type: ignore[arg-type]


def dies_of_a_cut() -> None:
    """The program dies where a connection ends within a frame."""
    for name in ("lost", "receive"):
        step = getattr(SeccSession, name)

        def changed(self: Any, what: Any, now: float, step: Any = step) -> None:
            if self._reader.pending and not (isinstance(what, bytes) and what):
                dies()
            step(self, what, now)

        setattr(SeccSession, name, changed)


def waits_for_more() -> None:
    """Each octet of a frame begins the sequence timeout anew."""
    receive = SeccSession.receive

    def changed(self: Any, octets: bytes, now: float) -> None:
        receive(self, octets, now)
        if self.ended is None and self._reader.pending and self._timer is not None:
            self._arm(SEQUENCE, 60.0, now, self._timer.what)

    SeccSession.receive = changed  # type: ignore[method-assign]


def narrow(octets: int) -> Seed:
    """What may come while a car is authorized has at most so many octets."""
    own = ISO20.state_limit
    return of_iso20("state_limit", lambda state: min(own(state), octets) if state is State.AUTHORIZATION else own(state))


def patient() -> None:
    """A handshake is waited for without end."""
    begin = Pump.__init__

    def changed(self: Any, *more: Any, **named: Any) -> None:
        begin(self, *more, **named)
        self._limits = replace(self._limits, handshake=FOR_EVER)

    Pump.__init__ = changed  # type: ignore[method-assign]


def moody_of_a_tail() -> None:
    """Every second AuthorizationSetupReq with octets behind it is refused."""
    read, turn = ISO20.read, [False]

    def reads(payload_type: int, exi: bytes, **named: Any) -> Any:
        found = read(payload_type, exi, **named)
        message = found.reading.message
        if type(message) is cm.AuthorizationSetupReq and len(exi) > len(encode(message, schema_set("common"))):
            turn[0] = not turn[0]
            if not turn[0]:
                raise DecodeError("octets follow the end")
        return found

    object.__setattr__(ISO20, "read", reads)
