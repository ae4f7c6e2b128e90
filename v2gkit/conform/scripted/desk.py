"""One connection of a scripted station, between a request and what is done about it (pure: the time is given)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from v2g.messages.common_types import MessageHeaderType
from v2g.session.generation import MAIN, Outgoing
from v2g.session.v2gtp import frame
from v2gkit.conform.scripted.acts import Enveloped
from v2gkit.conform.scripted.play import ANY, Answers, Play
from v2gkit.conform.scripted.speech import Speech, name_of


@dataclass
class Desk:
    """What a station knows in a session, and how it speaks. `paused` are the sessions that may be resumed; `wall` gives the time (epoch s).

    `told` is the SessionID in the envelope of the request that is answered, `dc` whether direct current is asked for.
    """

    play: Play
    session_id: bytes
    paused: set[bytes]
    wall: Callable[[], float]
    speech: Speech
    loops: int = 0
    voltage: float = 0.0  # V
    current: float = 0.0  # A
    told: bytes | None = None
    dc: bool = True
    asked: Counter[str] = field(default_factory=Counter)

    def now(self) -> int:
        """The time stamp of a header (epoch s)."""
        return int(self.wall())

    def header(self) -> MessageHeaderType:
        """What every response of -20 begins with."""
        return MessageHeaderType(SessionID=self.session_id, TimeStamp=self.now())

    def joins(self, session_id: bytes) -> bool:
        """Whether a car that names this session is let back into it."""
        return self.play.joins and session_id in self.paused

    def status(self) -> Any:
        """The EVSEStatus of the charge loop that is answered; None for none."""
        return self.play.notify.get(self.loops)

    def good(self, request: Any) -> Any:
        """The good answer to a request."""
        return self.speech.good(request, self)

    def chosen(self, request: Any) -> tuple[Answers, bool]:
        """The answer to a request, which is counted, and whether it is the fault."""
        name = name_of(type(request))
        self.asked[name] += 1
        self.asked[ANY] += 1
        fault = self.play.fault
        if fault is not None and fault.request in (name, ANY):
            count = self.asked[fault.request]
            if count == fault.nth or (fault.always and count > fault.nth):
                return fault.answer, True
        return self.play.answers.get(name, self.speech.good), False

    def written(self, response: Any, stream: str = MAIN) -> Outgoing:
        """A response, encoded for a stream, with the SessionID of this session unless its envelope says another. Raises EncodeError."""
        told = response if isinstance(response, Enveloped) else Enveloped(response)
        session_id = self.session_id if told.session_id is None else told.session_id
        return self.speech.generation.write(told.what, session_id, stream, told.signature)

    def framed(self, response: Any, stream: str = MAIN) -> bytes:
        """A response as a whole frame of a stream. Raises EncodeError."""
        made = self.written(response, stream)
        return frame(made.payload_type, made.exi)
