"""Why a session ends: whose fault it was, in the words of the standard, and what to answer.

A session never raises these to its shell. It ends with a value (`Ended`, see `endpoint`) that carries one of them; inside, they are raised
where they are found and answered where the frame came from.
"""

from v2g.messages.common_types import responseCodeType


class SessionError(Exception):
    """Base: every reason for which a session ends early.

    `reason` says it in words, `requirement` is the id that the guilty side broke, None where none is known; as text it is both. Whoever
    refuses a peer must say which it is: those classes take the requirement without a default.
    """

    def __init__(self, message: str, requirement: str | None = None):
        super().__init__(f"{message} [{requirement}]" if requirement else message)
        self.reason, self.requirement = message, requirement


class FramingError(SessionError):
    """The octets are no V2GTP frame that this side may receive."""


class PeerMisbehaved(SessionError):
    """The peer broke the protocol; `code` is what a station answers."""

    code = responseCodeType.FAILED

    def __init__(self, message: str, requirement: str | None):
        super().__init__(message, requirement)


class SequenceError(PeerMisbehaved):
    """A message that its state does not admit."""

    code = responseCodeType.FAILED_SequenceError


class UnknownSession(PeerMisbehaved):
    """A SessionID that is not this session's."""

    code = responseCodeType.FAILED_UnknownSession


class PeerUnsafe(PeerMisbehaved):
    """The station does with the car's battery what it may not: the car opens first and talks afterwards."""


class Refused(PeerMisbehaved):
    """A request that the station may not serve, with the response code that says why."""

    def __init__(self, code: responseCodeType, message: str, requirement: str | None):
        super().__init__(f"{code.value}: {message}", requirement)
        self.code = code


class PeerIncompatible(SessionError):
    """Nothing both sides speak: no common protocol, service, authorization or control mode."""

    def __init__(self, message: str, requirement: str | None):
        super().__init__(message, requirement)


class PeerFailed(SessionError):
    """The station answered FAILED, which ends a -20 session."""

    def __init__(self, code: responseCodeType, message: str, requirement: str | None):
        super().__init__(f"{code.value}: {message}", requirement)
        self.code = code


class TimedOut(SessionError):
    """A timer of the standard ran out; `timer` is its name and `limit` its value in seconds."""

    def __init__(self, timer: str, limit: float, message: str, requirement: str | None):
        super().__init__(f"{timer} of {limit:g} s ran out: {message}", requirement)
        self.timer = timer
        self.limit = limit


class ConnectionLost(SessionError):
    """The peer closed or reset the connection before the session was over."""


class StationFailed(SessionError):
    """The station's own hardware or shell ended the session; neither protocol nor peer is to blame. `code` is what the car is answered."""

    def __init__(self, message: str, requirement: str | None, code: responseCodeType = responseCodeType.FAILED):
        super().__init__(message, requirement)
        self.code = code


class Stopped(SessionError):
    """This side was told to leave before the session was over; nobody is to blame."""


class Misuse(SessionError):
    """Our own caller asked for something that cannot be; a bug on this side, not the peer's."""
