"""One connection of a scripted station, between a request and what is done about it (pure: the time is given)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from v2g.exi.codec import encode
from v2g.iso20.frames import SETS, payload_type_for
from v2g.iso20.generation import ISO20
from v2g.messages import schema_set
from v2g.messages.common_types import MessageHeaderType
from v2g.session.v2gtp import frame
from v2gkit.conform.scripted.play import ANY, Answers, Play


@dataclass
class Desk:
    """What a station knows in a session. `paused` are the sessions that may be resumed; `wall` gives the time (epoch s)."""

    play: Play
    session_id: bytes
    paused: set[bytes]
    wall: Callable[[], float]
    loops: int = 0
    voltage: float = 0.0  # V
    current: float = 0.0  # A
    asked: Counter[str] = field(default_factory=Counter)

    def now(self) -> int:
        """The time stamp of a header (epoch s)."""
        return int(self.wall())

    def header(self) -> MessageHeaderType:
        """What every response begins with."""
        return MessageHeaderType(SessionID=self.session_id, TimeStamp=self.now())

    def joins(self, session_id: bytes) -> bool:
        """Whether a car that names this session is let back into it."""
        return self.play.joins and session_id in self.paused

    def status(self) -> Any:
        """The EVSEStatus of the charge loop that is answered; None for none."""
        return self.play.notify.get(self.loops)

    def chosen(self, request: Any, good: Answers) -> tuple[Answers, bool]:
        """The answer to a request, which is counted, and whether it is the fault."""
        name = type(request).__name__
        self.asked[name] += 1
        self.asked[ANY] += 1
        fault = self.play.fault
        if fault is not None and fault.request in (name, ANY):
            count = self.asked[fault.request]
            if count == fault.nth or (fault.always and count > fault.nth):
                return fault.answer, True
        return self.play.answers.get(name, good), False


def framed(response: Any, payload_type: int) -> bytes:
    """A response as a whole frame, on the stream of the request that came with `payload_type`. Raises EncodeError."""
    kind = payload_type_for(response, ISO20.stream(payload_type))
    return frame(kind, encode(response, schema_set(SETS[kind])))
