"""One TCP connection of a capture, from its octets to records: plain or TLS, V2GTP or something else, and which end is the car.

Nothing is told before it is known that V2GTP is spoken there, or TLS that nobody can read; of what is neither, nothing is told at all.
"""

from collections.abc import Iterator
from typing import Any, Final

from v2g.session.link import Connected, HandshakeFailed, Secured, Unprotected
from v2g.session.trace import Record
from v2g.session.v2gtp import CAR_RECEIVES, Frame
from v2gkit.insight.decode import records as tls_records
from v2gkit.insight.decode.framing import Astray, Cutter
from v2gkit.insight.decode.keylog import KeyLog
from v2gkit.insight.decode.streams import Closed, Opened
from v2gkit.insight.decode.telling import Sessions, Telling
from v2gkit.insight.decode.tls import Agreed, Alert, Data, Tls, Told

# Of a connection whose beginning is missing: octets in which a V2GTP header or a record of TLS must be found; the longest frame of a car
# has 115 KB.
_SOUGHT: Final = 128 * 1024
# Records that wait for the first frame, which says what generations are meant, and so whether TLS had to be there.
_HELD: Final = 256
_FEW: Final = 64  # octets, up to which a beginning is looked at whenever it grows
_PLAIN: Final = "V2G20-2356"

Note = tuple[float, str, dict[str, Any]]


class Conversation:
    """One connection, which becomes one of the `sessions` once it is known that it has to."""

    def __init__(self, sessions: Sessions, opened: Opened, at: float, keys: KeyLog, file: str):
        self.ends, self._whole = opened.ends, opened.whole
        self._sessions = sessions
        self._before: list[Note] = []  # to be told once there is a number
        self._told_of: Telling | None = None
        self._keys, self._file, self._began = keys, file, at
        self._kind = ""  # plain, tls, other; empty: not known yet
        self._car: int | None = 0 if opened.whole else None
        self._tls: Tls | None = None
        self._first = (bytearray(), bytearray())  # while the kind is not known
        self._judged = [0, 0]  # octets of them that have been looked at
        self._cutters = (Cutter(CAR_RECEIVES, not opened.whole), Cutter(CAR_RECEIVES, not opened.whole))
        self._held: list[Record] | None = []  # None: all has been told
        self._plain_at = at
        self._secured = False
        self._farewell: set[int] = set()  # ends that closed TLS in order
        self._failed = False  # the handshake

    @property
    def is_shown(self) -> bool:
        """Whether records of it have been told, or will be: what names protocols above TLS and carries no V2GTP is somebody else's."""
        return self._told_of is not None and (self._tls is None or not self._tls.names_protocols or bool(self._told_of.frames))

    def note(self, at: float, topic: str, facts: dict[str, Any]) -> Iterator[Record]:
        """The record of something about the connection."""
        if self._told_of is not None:
            yield from self._tell(self._told_of.note(at, topic, facts))
        elif len(self._before) < _HELD:
            self._before.append((at, topic, facts))

    def octets(self, end: int, octets: bytes, at: float) -> Iterator[Record]:
        """What more octets of one end bring."""
        if self._kind:
            yield from self._octets(end, octets, at)
            return
        self._first[end].extend(octets)
        self._classify(at)
        yield from self._begun(at, (end, 1 - end))

    def _begun(self, at: float, order: tuple[int, int]) -> Iterator[Record]:
        """What has waited until it was known what is spoken."""
        for end in order if self._kind else ():
            waiting = bytes(self._first[end])
            self._first[end].clear()
            if waiting:
                yield from self._octets(end, waiting, at)

    @property
    def _telling(self) -> Telling:
        """The records of the session, with a number, once there is one."""
        if self._told_of is None:
            self._told_of = self._sessions.another()
            if self._held is not None:
                self._held += [self._told_of.note(*each) for each in self._before]
        return self._told_of

    def lost(self, end: int, octets: int, at: float) -> Iterator[Record]:
        """Octets of one end are missing in the capture."""
        if self._kind == "other":
            return
        if not self._kind:
            self._whole = False
            self._cutters = (Cutter(CAR_RECEIVES, True), Cutter(CAR_RECEIVES, True))
            self._first[end].clear()
        yield from self.note(
            at, "capture gap", {"from": self._who(end), "octets": octets, "reason": "not in the capture, though the other end has them"}
        )
        if self._tls is not None:
            self._tls.lost(end)
        if self._kind:
            self._cutters[end].lost(octets)

    def over(self, closed: Closed, at: float) -> Iterator[Record]:
        """The connection is over, or the file says nothing more of it."""
        if not self._kind:
            self._classify(at, last=True)
            yield from self._begun(at, (0, 1))
        if not self.is_shown:
            return
        for end in (0, 1):
            for found in self._cutters[end].end():
                yield from self._astray(end, found, at)
        if closed.repeated or closed.reordered:
            yield from self.note(at, "capture", {"repeated": closed.repeated, "reordered": closed.reordered})
        yield from self._release()
        station = closed.end is not None and self._car is not None and closed.end != self._car
        by = "us" if station else "peer"
        clean = closed.how == "closed" and (self._kind == "plain" or bool(self._farewell))
        yield self._telling.end(at, by, clean, self._reason(closed, station))

    def _reason(self, closed: Closed, station: bool) -> str:
        if closed.how == "cut":
            return "the capture ends"
        who = "one end" if self._car is None or closed.end is None else "the station" if station else "the car"
        return f"{who} {'closed the connection' if closed.how == 'closed' else 'reset the connection'}"

    # --- what is spoken ---

    def _classify(self, at: float, last: bool = False) -> None:
        """Find out what is spoken, as soon as there are octets enough; each is looked at a few times at most."""
        self._plain_at = at
        for end, first in enumerate(self._first):
            if not first or (len(first) < 2 * self._judged[end] and len(first) > _FEW and not last):
                continue
            self._judged[end] = len(first)
            self._kind = _kind(first, self._whole)
            if self._kind in ("plain", "tls"):
                assert self._telling is not None
                break
        if self._kind == "tls":
            self._tls = Tls(self._keys, self._sessions.wall, self._whole)

    def _octets(self, end: int, octets: bytes, at: float) -> Iterator[Record]:
        if self._kind == "plain":
            yield from self._data(end, octets, at)
        elif self._tls is not None and self._kind == "tls":
            for found in self._tls.feed(end, octets, at):
                if self._tls.car is not None:
                    self._car = self._tls.car
                if isinstance(found, Data):
                    yield from self._data(found.end, found.octets, at)
                elif isinstance(found, Agreed):
                    self._secured = True
                    yield from self._tell(self._telling.event(Secured(at, found.facts)))
                elif isinstance(found, Alert):
                    yield from self._alert(found, at)
                else:
                    yield from self._told(found, at)

    def _alert(self, alert: Alert, at: float) -> Iterator[Record]:
        by_car = alert.end == self._car
        if alert.name == "close_notify":
            self._farewell.add(alert.end)
        elif alert.fatal and not self._telling.frames and not self._failed:
            self._failed = True
            reason = f"{'the car' if by_car else 'the station'} ended it with the alert {alert.name}"
            yield from self._tell(self._telling.event(HandshakeFailed(at, reason, "peer" if by_car else "us", alert.name)))
        else:
            yield from self.note(at, "alert", {"from": self._who(alert.end), "alert": alert.name, "fatal": alert.fatal})

    def _told(self, told: Told, at: float) -> Iterator[Record]:
        yield from self.note(at, told.topic, told.facts)

    def _who(self, end: int) -> str:
        return "one end" if self._car is None else "the car" if end == self._car else "the station"

    def _data(self, end: int, octets: bytes, at: float) -> Iterator[Record]:
        """Octets of the session itself."""
        for found in self._cutters[end].feed(octets):
            if isinstance(found, Astray):
                yield from self._astray(end, found, at)
            else:
                yield from self._frame(end, found, at)

    def _astray(self, end: int, found: Astray, at: float) -> Iterator[Record]:
        yield from self.note(at, "framing", {"from": self._who(end), "reason": found.reason, "octets": found.octets})

    def _frame(self, end: int, frame: Frame, at: float) -> Iterator[Record]:
        meaning = self._telling.interpreter.read(frame.payload_type, frame.payload)
        if self._car is None and meaning.by_car is not None:
            self._car = end if meaning.by_car else 1 - end
        if self._car is None:  # nobody said so far who is who: a station listens on the lower port, as a rule
            self._car = 0 if self.ends[0].port >= self.ends[1].port else 1
        record = self._telling.frame(end == self._car, frame.payload_type, frame.payload, at, meaning)
        yield from self._tell(record)
        yield from self._release()

    # --- records ---

    def _tell(self, record: Record) -> Iterator[Record]:
        if self._held is None:
            yield record
            return
        self._held.append(record)
        if len(self._held) > _HELD:
            yield from self._release()

    def _release(self) -> Iterator[Record]:
        """All that waited, behind the records with which a connection begins."""
        if self._held is None:
            return
        held, self._held = self._held, None
        station, car = (self.ends[1], self.ends[0]) if self._car in (0, None) else (self.ends[0], self.ends[1])
        about: dict[str, Any] = {"capture": self._file}
        if not self._whole:
            about["beginning"] = "not in the capture"
        yield self._telling.opening(self._began, about)
        yield self._telling.event(Connected(self._began, (station.host, station.port), (car.host, car.port)))
        if self._kind == "plain":
            yield self._telling.event(Unprotected(self._plain_at, _PLAIN if self._telling.interpreter.needs_tls else ""))
        yield from held


def _kind(first: bytearray, whole: bool) -> str:
    """What begins so: plain V2GTP, TLS, something other; empty while that is not known."""
    if len(first) < 3:
        return ""
    if first[:2] == b"\x01\xfe":
        return "plain"
    if first[0] == tls_records.HANDSHAKE and first[1] == 3:
        return "tls"
    if whole:
        return "other"
    if len(first) >= tls_records.HEADER and tls_records.plausible(first):
        return "tls"
    if any(True for _ in Cutter(CAR_RECEIVES, True).feed(bytes(first))):
        return "plain"
    if any(True for _ in tls_records.Cutter(adrift=True).feed(bytes(first))):
        return "tls"
    return "other" if len(first) > _SOUGHT else ""
