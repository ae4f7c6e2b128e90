"""A station's session played again from its trace: the same engine, fed the frames, facts and ticks that were recorded, at their times.

    for again in replay(records):
        again.differences      # empty: it answered, wanted and ended as it did then

What a session is given by others comes from the trace as well: its outlet's offer, random octets, a verifier's verdicts, a paused session,
the signature under its prices. A trace that was cut off is played as far as it goes. Requests came one by one as far as a session can tell,
but for those that were more at once than a station takes: they are given to it together again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from secc import station
from secc.claims import Claim
from secc.conduct import Conduct
from secc.engine import SeccSession
from secc.generations import conduct_named, conduct_of
from secc.pause import PausedSession, PausedSessions
from secc.record import Drawn, Remembered, SessionGiven, Verified
from secc.station import Fact, Objection, SessionStarted, Vehicle
from v2g.generations import GENERATIONS
from v2g.session.clock import Clock
from v2g.session.errors import ConnectionLost, Misuse, Refused
from v2g.session.profiles import PROFILES
from v2g.session.tls import TlsFacts
from v2g.session.trace import Record, Trace
from v2g.session.v2gtp import frame

GIVEN = {kind.__name__: kind for kind in (SessionGiven, Drawn, Verified, Remembered)}
FED = ("tick", "abort", "end of stream", "connection lost", "framing", "too many")  # notes that name what came from outside
DEVIATIONS = {deviation.name: deviation for profile in PROFILES.values() for deviation in profile}
MOMENTS = ("at", "epoch", "connection", "gap", "timer", "limit", "performance", "margin")  # of a record, that depend on the shell
Change = Callable[[Fact], Fact]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One connection of a trace: what its session did when recorded, and what it did `again`. Both are records without their times."""

    connection: int
    recorded: tuple[Record, ...]
    again: tuple[Record, ...]
    latest: int = 0  # how many of `again` came of the last thing that the session was given: a trace may be cut off before them

    @property
    def differences(self) -> tuple[str, ...]:
        """Each difference between the two, in words; empty where there is none."""
        pairs = zip(self.recorded, self.again, strict=False)
        apart = next(((n, was, now) for n, (was, now) in enumerate(pairs) if was != now), None)
        if apart is not None:
            return (f"record {apart[0]} was {apart[1]}, is {apart[2]}",)
        missing = len(self.recorded) - len(self.again)
        if missing == 0 or (-self.latest <= missing < 0 and not any(_ends(record) for record in self.recorded)):
            return ()
        longer = self.recorded if missing > 0 else self.again
        return (f"{abs(missing)} records are {'missing' if missing > 0 else 'new'}, the first is {longer[-abs(missing)]}",)


def replay(records: Iterable[Record], change: Change = lambda fact: fact) -> Iterator[Replayed]:
    """Every connection of a station's trace that had a session, played again; `change` may replace facts before they are told."""
    connections: dict[int, list[Record]] = {}
    for record in records:
        connections.setdefault(record["connection"], []).append(record)
    for number, theirs in connections.items():
        if any(_given(record) is SessionGiven for record in theirs):
            begun = next(n for n, record in enumerate(theirs) if _given(record) is SessionGiven)  # what was before is not the session's
            player = _Player(theirs[begun:], change)
            again = tuple(player.play())
            yield Replayed(number, tuple(filter(None, map(_done, theirs[begun:]))), again, player.latest)


def rebuild(kind: Any, value: Any) -> Any:
    """The value of type `kind` from its JSON form in a trace: octets are hexadecimal, a missing field has its default."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{f.name: rebuild(hints[f.name], value[f.name]) for f in fields(kind) if f.name in value})
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return None if value is None else rebuild(next(a for a in arguments if a is not type(None)), value)
    if get_origin(kind) is tuple:
        each = [arguments[0]] * len(value) if arguments[1:] == (...,) else arguments
        return tuple(rebuild(one, v) for one, v in zip(each, value, strict=True))
    if kind is bytes:
        return bytes.fromhex(value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    return float(value) if kind is float else value if get_origin(kind) is not Literal or value in arguments else _unknown(kind, value)


def _unknown(kind: Any, value: Any) -> Any:
    raise ValueError(f"the trace has {value!r} where one of {get_args(kind)} is due")


def _given(record: Record) -> type | None:
    return GIVEN.get(record["name"]) if record["type"] == "event" else None


def _shown(records: list[Record]) -> tuple[bytes, ...]:
    """The certificates of the car, as its session told its station of them."""
    told = (record["facts"] for record in records if record["type"] == "event" and record["name"] == SessionStarted.__name__)
    vehicle = rebuild(Vehicle, next((facts.get("vehicle", {}) for facts in told), {}))
    assert isinstance(vehicle, Vehicle)
    return vehicle.chain


def _ends(record: Record) -> bool:
    return bool(record["type"] == "note" and record["topic"] == "ended")


def _done(record: Record) -> Record | None:
    """A record without its times, if it is something that a session did; None for what came to it."""
    kind = record["type"]
    done = (
        (kind == "frame" and record["direction"] == "sent")
        or (kind == "event" and _given(record) is None)
        or (kind == "note" and record["topic"] not in FED)
        or kind in ("state", "relaxed")
    )
    return {name: value for name, value in record.items() if name not in MOMENTS and name != "message"} if done else None


@dataclass(frozen=True)
class _Heard(Clock):
    """The wall clock that the trace heard: that of the record which is played."""

    said: list[float] = field(default_factory=lambda: [0.0])

    def wall(self, now: float) -> float:
        return self.said[-1]


class _Player:
    """A fresh session for one connection, surrounded by what the trace has of its surroundings."""

    def __init__(self, records: list[Record], change: Change):
        self._records, self._change = records, change
        self._clock = _Heard()
        found = [(kind, record) for record in records if (kind := _given(record)) is not None]
        self._drawn = [bytes.fromhex(record["facts"]["octets"]) for kind, record in found if kind is Drawn]
        self._verdicts = [_event(Verified, record) for kind, record in found if kind is Verified]
        self._remembered = [_event(Remembered, record) for kind, record in found if kind is Remembered]
        self._session: SeccSession | None = None
        self._together = dict(_bursts(records))
        self._given: SessionGiven = next(_event(SessionGiven, record) for kind, record in found if kind is SessionGiven)
        self._chain = _shown(records)
        self._signatures: Iterator[Any] | None = None  # under prices, once the session has chosen its generation

    def play(self) -> Iterator[Record]:
        """What the session does, record by record."""
        self.latest = 0
        trace = Trace("secc", self._clock.wall, GENERATIONS)
        for place, record in enumerate(self._records):
            self._clock.said[-1] = record["epoch"]
            session = self._session
            if _given(record) is SessionGiven:
                session = self._session = self._begun()
            elif session is not None and place in self._together:
                if together := self._together[place]:  # else it came with those before it
                    session.receive(together, record["at"])
            elif session is not None:
                self._feed(session, record)
            fresh = [done for event in session.events() if (done := _done(trace.record(event)))] if session is not None else []
            self.latest = len(fresh) or self.latest
            yield from fresh

    def _begun(self) -> SeccSession:
        given = self._given
        secure = bool(given.negotiable) and not given.insecure
        version = ("TLSv1.3" if secure else "none" if given.certificate else "") if given.tls is None else given.tls
        tls = TlsFacts(
            "conformance", version, "", "", None, None, (), (b"",) if given.certificate else (), object() if secure else None,
            certificate_requested=True,
        )  # fmt: skip
        return SeccSession(
            given.outlet,
            self._clock,
            given.at,
            entropy=self._draw,
            tls=tls if version else None,
            verifier=_Verdicts(self._verdicts) if given.verifier else None,
            prices=self._sign if given.prices_signed else None,
            paused=_Remembering(self._remembered),
            insecure=given.insecure,
            identity=given.identity,
            let_pass=tuple(DEVIATIONS[name] for name in given.let_pass),
            chain=self._chain,
        )

    def _draw(self, length: int) -> bytes:
        return self._drawn.pop(0) if self._drawn else bytes([length]) * length

    def _sign(self, _: Any, __: bytes) -> Any:
        if self._signatures is None:
            assert self._session is not None
            self._signatures = _signatures(self._records, conduct_named(self._session.generation.name))
        for signature in self._signatures:
            return signature
        raise Misuse("the trace has no signature for these prices")

    def _feed(self, session: SeccSession, record: Record) -> None:
        at = record["at"]
        match record:
            case {"type": "frame", "direction": "received"}:
                session.receive(_octets(record), at)
            case {"type": "fact"}:
                session.tell(self._change(rebuild(_fact(record["name"]), record["facts"])), at)
            case {"type": "note", "topic": "tick"}:
                session.tick(at)
            case {"type": "note", "topic": "abort"}:
                session.abort(record["facts"]["why"], at)
            case {"type": "note", "topic": "end of stream"}:
                session.receive(b"", at)
            case {"type": "note", "topic": "connection lost", "facts": {"why": why, "requirement": requirement}}:
                session.lost(ConnectionLost(why, requirement), at)
            case {"type": "note", "topic": "framing", "facts": {"header": header}}:
                session.receive(bytes.fromhex(header), at)
            case {"type": "note", "topic": "framing", "facts": {"waiting": waiting}}:
                session.receive(bytes(waiting), at)


def _fact(name: str) -> type[Fact]:
    kind = getattr(station, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Fact)):
        raise ValueError(f"{name!r} is no fact that a station tells")
    return kind


def _octets(record: Record) -> bytes:
    """The frame of a record, or of the facts of one."""
    return frame(int(record["payload_type"], 16), bytes.fromhex(record["exi"]))


def _bursts(records: list[Record]) -> Iterator[tuple[int, bytes]]:
    """By place: the octets to be received there. Of the frames that were too many at once all come in place of the first."""
    for place, record in enumerate(records):
        if record["type"] == "note" and record["topic"] == "too many":
            facts = record["facts"]
            heard = [n for n in range(place) if records[n]["type"] == "frame" and records[n]["direction"] == "received"]
            first, *others = heard[-facts["taken"] :]
            yield first, b"".join(_octets(each) for each in (*(records[n] for n in (first, *others)), facts))
            yield from ((n, b"") for n in others)


def _event(kind: Any, record: Record) -> Any:
    return rebuild(kind, {**record["facts"], "at": record["at"]})


def _signatures(records: list[Record], conduct: Conduct) -> Iterator[Any]:
    """The signatures under the prices of the schedules that were sent, in their order."""
    asked = {response.__name__: request for request, response in conduct.generation.responses.items()}
    for record in records:
        if record["type"] == "frame" and record["direction"] == "sent":
            octets, request = bytes.fromhex(record["exi"]), asked.get(record["name"])
            sent = conduct.generation.read(int(record["payload_type"], 16), octets, by_car=True, asked=request)
            yield from conduct.signatures(sent)


class _Remembering(PausedSessions):
    """The paused sessions that were found, in their order."""

    def __init__(self, found: list[Remembered]):
        super().__init__()
        self._found = found

    def look(self, session_id: bytes, vehicle_certificate: bytes, generation: str, wall: float) -> PausedSession | None:
        if not self._found or self._found[0].session_id != session_id:
            return None
        one = self._found.pop(0)
        conduct = conduct_named(one.generation)
        agreement = rebuild(conduct.agreement, one.agreement)
        return PausedSession(one.session_id, b"", conduct.generation.name, agreement, one.until, one.evse_id)


class _Verdicts:
    """A verifier that says what it said."""

    def __init__(self, verdicts: list[Verified]):
        self._verdicts = verdicts

    def contract(self, request: Any, challenge: bytes, wall: float) -> Claim:
        said = self._next("contract")
        relaxed = tuple(DEVIATIONS[name] for name in said.relaxed)
        return Claim("PnC", None, said.emaid, conduct_of(request).contract_chain(request), said.objection, said.expires_soon, relaxed)

    def provisioning(self, request: Any, wall: float) -> Objection | None:
        return self._next("provisioning").objection

    def metering(self, request: Any, contract: bytes) -> None:
        self._next("metering")

    def _next(self, what: str) -> Verified:
        if not self._verdicts or self._verdicts[0].what != what:
            raise Misuse(f"the trace has no verdict on what is signed: {what}")
        said = self._verdicts.pop(0)
        if said.refused is not None:
            raise Refused(said.refused, said.why, said.requirement)
        return said
