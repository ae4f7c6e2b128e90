"""The one thing that a scripted station does wrong, as answers of a play (pure)."""

from typing import Any

import msgspec

from v2gkit.conform.scripted.acts import Enveloped, HangUp, Late
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.good import ISO20
from v2gkit.conform.scripted.play import Answers

SESSION = ISO20.session
STATES = ISO20.states


def timeout_of(name: str) -> float:
    """How long a car of -20 waits for the answer to a request (s), by its name without Req."""
    return ISO20.timeout(name)


def silence(request: Any, desk: Desk) -> None:
    """No answer to the request."""


def late(seconds: float) -> Answers:
    """The good answer, so many seconds late."""
    return lambda request, desk: Late(seconds, desk.good(request))


def closes(request: Any, desk: Desk) -> HangUp:
    """The connection is closed."""
    return HangUp()


def failed(request: Any, desk: Desk) -> Any:
    """The good answer, but FAILED."""
    return with_code("FAILED")(request, desk)


def with_code(name: str) -> Answers:
    """The good answer with the response code of that name."""

    def answer(request: Any, desk: Desk) -> Any:
        made = desk.good(request)
        return msgspec.structs.replace(made, ResponseCode=type(made.ResponseCode)[name])

    return answer


def foreign_session(request: Any, desk: Desk) -> Any:
    """The good answer with the SessionID of nobody."""
    answer = desk.good(request)
    other = bytes(octet ^ 0xA5 for octet in desk.session_id)
    if not hasattr(answer, "Header"):
        return Enveloped(answer, session_id=other)
    return msgspec.structs.replace(answer, Header=msgspec.structs.replace(answer.Header, SessionID=other))


def wrong_type(request: Any, desk: Desk) -> Any:
    """An OK response that answers another request."""
    return desk.speech.other(request, desk)


def with_fields(**fields: Any) -> Answers:
    """The good answer with other fields."""
    return lambda request, desk: msgspec.structs.replace(desk.good(request), **fields)


def octets_of(request: Any, desk: Desk) -> bytes:
    """The good answer as a whole frame, on the main stream."""
    return desk.framed(desk.good(request))
