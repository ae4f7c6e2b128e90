"""Why a session ends: whose fault it was, in the words of the standard, and what to answer.

A session never raises these to its shell. It ends with a value (`Ended`, see `endpoint`) that carries one of them; inside, they are raised
where they are found and answered where the frame came from.
"""

from enum import Enum
from typing import TypeVar

from v2g.reasons import Reason

E = TypeVar("E", bound=BaseException)


def bare(error: E) -> E:
    """The error without its traceback and the errors behind it: kept, their frames would keep all that was at work, and that them."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


class SessionError(Exception):
    """Base: every reason for which a session ends early.

    `reason` says why in words, `requirement` is the id of the requirement that the guilty side broke, None where none is known; `str()`
    gives both. Classes that blame the peer have no default for `requirement`: whoever raises one states it, or states None.
    """

    def __init__(self, message: str, requirement: str | None = None):
        super().__init__(f"{message} [{requirement}]" if requirement else message)
        self.reason, self.requirement = message, requirement

    def __reduce__(self) -> tuple[object, ...]:
        """Copies and processes that share it make it anew by what it is, not by the arguments of its class."""
        return remade, (type(self), self.args, self.__dict__)


def remade(kind: type[SessionError], args: tuple[object, ...], said: dict[str, object]) -> SessionError:
    """The error of a class that has these `args` and attributes."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(said)
    return error


class FramingError(SessionError):
    """The octets are no V2GTP frame that this side may receive."""


class PeerMisbehaved(SessionError):
    """The peer broke the protocol. `kind` is the reason that a station turns into its response code."""

    kind = Reason.OTHER

    def __init__(self, message: str, requirement: str | None):
        super().__init__(message, requirement)


class SequenceError(PeerMisbehaved):
    """A message came that the state of the session does not accept."""

    kind = Reason.OUT_OF_TURN


class UnknownSession(PeerMisbehaved):
    """A message came with a SessionID other than this session's."""

    kind = Reason.UNKNOWN_SESSION


class PeerUnsafe(PeerMisbehaved):
    """The station endangers the car's battery: the car opens its contactors first and sends messages afterwards.

    `measured` is what was beyond what the car takes: "voltage" or "current"; empty where the station itself says a fault.
    """

    def __init__(self, reason: str, requirement: str | None = None, measured: str = ""):
        super().__init__(reason, requirement)
        self.measured = measured


class Refused(PeerMisbehaved):
    """A request came that the station must not grant; `kind` says why."""

    def __init__(self, kind: Reason, message: str, requirement: str | None):
        super().__init__(message, requirement)
        self.kind = kind


class PeerIncompatible(SessionError):
    """The two sides have no protocol, service, authorization or control mode in common."""

    def __init__(self, message: str, requirement: str | None):
        super().__init__(message, requirement)


class PeerFailed(SessionError):
    """The station answered FAILED, which ends a -20 session."""

    def __init__(self, code: Enum, message: str, requirement: str | None):
        super().__init__(f"{code.value}: {message}", requirement)
        self.code = code


class TimedOut(SessionError):
    """A timer of the standard ran out; `timer` is its name and `limit` its value in seconds."""

    def __init__(self, timer: str, limit: float, message: str, requirement: str | None):
        super().__init__(f"{timer} of {limit:g} s ran out: {message}", requirement)
        self.timer = timer
        self.limit = limit


class ConnectionLost(SessionError):
    """The connection was closed, reset or given up before the session was over."""


class StationFailed(SessionError):
    """The station's own hardware or process ended the session; the peer is not to blame. `kind` becomes the response code to the car."""

    def __init__(self, message: str, requirement: str | None, kind: Reason = Reason.OTHER):
        super().__init__(message, requirement)
        self.kind = kind


class Stopped(SessionError):
    """This side was told to leave before the session was over; nobody is to blame."""


class Misuse(SessionError):
    """Our own caller asked for something that cannot be; a bug on this side, not the peer's."""
