"""What was seen of one session, as records of the trace format: the eyes are those of the station, so what the car sent was received.

    session = Telling(number, wall)
    session.frame(by_car, payload_type, octets, at) -> the record of a frame

A capture says nothing of states and wants. What a record has nevertheless comes from the tables of the standard: the timer that ran at the
station while it waited, and the time that each side had.
"""

import contextlib
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from v2g.exi.errors import EncodeError
from v2g.exi.json import plain
from v2g.exi.schema import Type
from v2g.generations import GENERATIONS
from v2g.messages import schema_set
from v2g.session.endpoint import Ended, Event, FrameReceived, FrameSent, Noted, StateEntered
from v2g.session.errors import SessionError
from v2g.session.link import Disconnected
from v2g.session.trace import Record, Trace
from v2gkit.insight.decode.meaning import ENVELOPES, Indulgence, Interpreter, Meaning

_SEQUENCE, _SETUP = "V2G_SECC_Sequence_Timeout", "V2G_SECC_CommunicationSetup_Timeout"
# A message with what was tolerated is spelled here, without the count of elements by which others are left out: few octets, few elements.
_SPELLED: Final = 4 * 1024  # octets


class Sessions:
    """The sessions of one file, which are counted from 1. `wall` gives epoch seconds for the times (s) at which things were seen.

    `timed` says whether times mean something, `decoded` whether messages are spelled out in records.
    """

    def __init__(self, wall: Callable[[float], float], *, timed: bool = True, decoded: bool = True):
        self.wall, self.timed, self.decoded = wall, timed, decoded
        self.indulgence = Indulgence()
        self._numbers = count(1)

    def another(self) -> "Telling":
        """The records of the next session."""
        return Telling(next(self._numbers), self)


class Telling:
    """The records of one session."""

    def __init__(self, number: int, sessions: Sessions):
        self.interpreter = Interpreter(sessions.indulgence)
        self._timed, self._decoded = sessions.timed, sessions.decoded
        self._trace = Trace("secc", sessions.wall, GENERATIONS, connection=number, decoded=sessions.decoded)
        self._last: dict[bool, float] = {}  # by the car or not -> when its last frame was seen
        self._began = 0.0
        self._request = self._response = None  # type: Meaning | None
        self.frames = 0
        self._reached = ""  # name of what came last
        self._refused = ""  # the first answer that ended the session, in words

    def opening(self, at: float, about: Mapping[str, Any]) -> Record:
        """The record that a trace of this session begins with; `about` says where it is from."""
        self._began = at
        return self._trace.opening(at, about)

    def event(self, event: Event) -> Record:
        """The record of something that happened to the connection."""
        return self._trace.record(event)

    def note(self, at: float, topic: str, facts: dict[str, Any]) -> Record:
        """The record of something a reader wants to know."""
        return self._trace.record(Noted(at, topic, facts))

    def frame(self, by_car: bool | None, payload_type: int, octets: bytes, at: float, meaning: Meaning | None = None) -> Record:
        """The record of a frame, with `error` where it is no message. `by_car` None: as the message says, the car if it says nothing."""
        found = self.interpreter.read(payload_type, octets) if meaning is None else meaning
        if by_car is None:
            by_car = found.by_car is not False
        before = self._last.get(not by_car) if self._timed else None
        gap = None if before is None else max(0.0, at - before)
        event: Event
        if by_car or found.message is None:
            self._wait(at, found)
            event = FrameReceived(at, payload_type, found.set, octets, found.message, gap, found.findings)
        else:
            event = FrameSent(at, payload_type, found.set, octets, found.message, gap)
        record = self._trace.record(event)
        record["direction"] = "received" if by_car else "sent"
        self._correct(record, found, by_car)
        self._last[by_car] = at
        self._remember(found, by_car)
        self.frames += 1
        return record

    def _wait(self, at: float, found: Meaning) -> None:
        """Let the trace know which timer ran at the station while it waited."""
        response = self._response.message if self._response is not None else None
        times = GENERATIONS[0].times(type(response)) if isinstance(response, Type) else None
        timer, limit = "", None
        if self._response is not None and self._response.set == "app":
            timer, limit = _SETUP, round(max(0.0, GENERATIONS[0].station_setup - (at - self._began)), 3)
        elif times is not None:
            timer, limit = _SEQUENCE, times[1].sequence_timeout
        if timer and self._timed and not self.interpreter.protocol:
            self._trace.record(StateEntered(at, "", timer, limit))

    def _correct(self, record: Record, found: Meaning, by_car: bool) -> None:
        """What a trace of a session has otherwise: names within envelopes, errors, times of other generations."""
        record["name"], record["findings"] = found.name, list(found.findings)
        if not by_car or found.set in ENVELOPES:
            record["timer"], record["limit"] = "", None
        if found.set in ENVELOPES or not self._timed:
            record["performance"] = record["margin"] = None
        if found.error:
            record["error"] = found.error
        if self._decoded and record["message"] is None and found.reading is not None and record["octets"] <= _SPELLED:
            with contextlib.suppress(EncodeError, KeyError):  # the octets are in the record
                record["message"] = plain(found.reading.message, schema_set(found.set), found.reading.name, lenient=True)

    def _remember(self, found: Meaning, by_car: bool) -> None:
        if found.name is None:
            self._reached = ""
            return
        self._reached, code = found.name, code_of(found.message)
        if code.upper().startswith("FAILED") and not self._refused:
            self._refused = f"the station answered {code} in {found.name}"
        elif found.set == "app" and by_car:
            self._refused = ""  # it offers something else
        if by_car:
            self._request = found
        else:
            self._response = found

    def end(self, at: float, by: str, clean: bool, reason: str) -> Record:
        """The last record. `by` is "us" (the station) or "peer", whoever closed first."""
        return self._trace.record(Disconnected(at, by, clean, reason, self._ended(reason)))

    def _ended(self, reason: str) -> Ended | None:
        if not self.frames:
            return None
        if self._refused:
            return Ended("Failed", SessionError(self._refused))
        if self._reached == "SessionStopRes":
            return Ended(self._stopped())
        return Ended("Broken off", SessionError(f"{reason} after {self._reached or 'a frame that is no message'}, without SessionStop"))

    def _stopped(self) -> str:
        """How a session that was stopped in order has ended: Terminate or Pause."""
        asked: Any = self._request.message if self._request is not None else None
        asked = getattr(getattr(asked, "Body", None), "BodyElement", None) or asked
        wanted = getattr(asked, "ChargingSession", None)
        return str(getattr(wanted, "value", wanted or "Terminate")).capitalize()


def code_of(message: Any) -> str:
    """The response code of a message of any generation; empty where it has none."""
    body = getattr(getattr(message, "Body", None), "BodyElement", None) or message
    code = getattr(body, "ResponseCode", None)
    return str(getattr(code, "value", code or ""))
