"""One connection as view lines: its frames, its states and timers, its verdict, its title."""

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from v2g.generations import GENERATIONS
from v2gkit.insight.readings.table import generation_of
from v2gkit.insight.viewer import checks, marks
from v2gkit.insight.viewer.curves import Curves
from v2gkit.insight.viewer.session import Session
from v2gkit.insight.viewer.shapes import Shaped, Shapes
from v2gkit.insight.viewer.told import rounded

Line = dict[str, Any]
Record = Mapping[str, Any]
_TIMES: Final = {  # (generation, name of a request) -> its times
    (generation.name, request.__name__): generation.timing(request) for generation in GENERATIONS for request in generation.responses
}
_FRAMES_BY_US: Final = {"evcc": ("car", "station"), "secc": ("station", "car")}  # who sends what a side has sent, and received


class Connection:
    """What is known of a connection so far. `c` is its number in the viewer, `opening` its first record."""

    def __init__(self, c: int, number: Any, source: str, shapes: Shapes, opening: Record) -> None:
        self.c, self.number, self.source = c, number if isinstance(number, int) else 0, source
        about = opening.get("about")
        self.about: Mapping[str, Any] = rounded(about) if isinstance(about, Mapping) else {}
        self.side = str(opening.get("side", "secc"))
        self.lane = marks.SIDES.get(self.side, "station")
        self.began, self.epoch = _number(opening.get("at")), _number(opening.get("epoch"))
        self.at = self.began  # of the latest record
        self.now = self.epoch
        self.local = self.peer = self.title = ""
        self.frames = 0
        self.over = False
        self._shapes = shapes
        self._asked: dict[str, tuple[int, float]] = {}  # name of a request without its ending -> its frame, when it came
        self._answered: tuple[str, float] | None = None  # the request whose response came last, and when
        self._failure: tuple[int, str, str] | None = None  # the last frame with a code of failure: n, message, code
        self._objection: Mapping[str, Any] | None = None
        self._state = self._timer = ""
        self._spoken = GENERATIONS[0].name  # the generation of its messages: an older one is told by their set
        self._said = False
        self.session = Session()
        self.curves = Curves(metered=self.side == "csms")

    # --- whole lines ---

    def line(self) -> Line:
        """The line that tells of this connection."""
        self._said = True
        return {
            "t": "connection",
            "c": self.c,
            "number": self.number,
            "side": self.side,
            "outlet": self._outlet(),
            "source": self.source,
            "began": self.epoch,
            "local": self.local,
            "peer": self.peer,
            "title": self.title,
            "about": dict(self.about),
        }

    def _outlet(self) -> str:
        """The outlet; at a CSMS, which has many stations, with the station before it."""
        station, evse = self.about.get("station"), str(self.about.get("evse") or "")
        return (f"{station} / EVSE {evse}" if evse else str(station)) if station else evse

    def record(self, record: Record) -> Iterator[Line]:
        """The lines of one of its records. Raises whatever a record leads to that no trace has."""
        at, now = float(record["at"]), float(record["epoch"])
        if not (math.isfinite(at) and math.isfinite(now)):
            raise ValueError("its time is no number")
        self.at, self.now = at, now
        if not self._said:
            yield self.line()
        kind = record["type"]
        if kind == "connected":
            self.local, self.peer = _address(record["local"]), _address(record["peer"])
            yield self.line()
        elif kind == "frame":
            yield from self._frame(record)
        elif kind == "state":
            yield from self._state_entered(record)
        elif kind in marks.KINDS:
            if (mark := marks.mark_of(record, self.lane)) is not None:
                yield self._placed(mark)
            yield from self._beside(record)
        elif kind != "trace":
            yield self.odd(record, "a record of a type that is not known")

    def odd(self, record: Record, why: str) -> Line:
        """The mark of a record that is not understood."""
        text = f"a record that is not understood: {why}"
        return self._placed(marks.note(str(record.get("type", "record"))[:40], text, self.lane, {"record": repr(dict(record))[:2000]}))

    def happening(self, event: Record) -> Iterator[Line]:
        """The lines of what a CSMS logged while this connection stood."""
        self.now = max(self.now, _number(event.get("at")))
        if self.side == "csms":
            self.at = self.now
        yield self._placed(marks.happening(event))
        yield from self._series(self.curves.happening(event, self.now))

    def cut_off(self) -> Iterator[Line]:
        """The lines of a trace that ends here, nothing for a connection that has its end."""
        if not self.over and self._said:
            self.over = True
            if self.side == "csms":
                yield self._verdict(True, "the log ends", "", "", "")
                return
            ended = self.session.ended
            well = bool(ended) and "why" not in ended
            said = str(ended.get("how", "")) if ended else "the trace has no end"
            yield self._verdict(well, said, str(ended.get("why", "")), "", "the trace stops before the connection ends")

    # --- frames ---

    def _frame(self, record: Record) -> Iterator[Line]:
        octets = bytes.fromhex(record["exi"])
        shaped = self._shapes.of(octets, str(record.get("set") or ""))
        if shaped.line is not None:
            yield shaped.line
        name = _name(record, shaped)
        line: Line = {"t": "frame", "c": self.c, "n": self.frames, "at": round(self.at - self.began, 4), "epoch": round(self.now, 3)}
        sent, received = _FRAMES_BY_US.get(self.side, ("station", "car"))
        line |= {"from": sent if record["direction"] == "sent" else received, "type": str(record["payload_type"])}
        line |= {"set": str(record.get("set") or ""), "name": name}
        if shaped.shape is not None:
            line |= {"s": shaped.shape, "v": list(shaped.values)}
        line |= {"exi": base64.b64encode(octets).decode("ascii"), "octets": len(octets)}
        code = _code(shaped.message)
        line |= {"code": code} if code else {}
        spoken = generation_of(record.get("set"))
        self._spoken = spoken.name if spoken is not None else self._spoken
        line |= self._paired(name, record)
        line |= self._found(record, shaped)
        yield line
        if code.startswith("FAILED"):
            self._failure = (self.frames, name, code)
        self.frames += 1
        yield from self._said_in(shaped)

    def _paired(self, name: str, record: Record) -> Line:
        """What this frame answers, how long that took, and how long it might."""
        base, found = name[:-3], dict[str, Any]()
        if name.endswith("Req"):
            self._asked[base] = (self.frames, self.at)
            if self._answered is not None:
                times = _TIMES.get((self._spoken, self._answered[0]))
                found = {"took": _short(self.at - self._answered[1])} | ({"limit": times.evcc_performance} if times else {})
        elif name.endswith("Res") and (asked := self._asked.pop(base, None)) is not None:
            times = _TIMES.get((self._spoken, f"{base}Req"))
            found = {"to": asked[0], "took": _short(self.at - asked[1])} | ({"limit": times.secc_performance} if times else {})
            self._answered = (f"{base}Req", self.at)
        if "limit" not in found and record.get("performance") is not None:
            found["limit"] = _number(record["performance"])
        if record.get("timer"):
            found["timer"] = str(record["timer"])
        if self._state:
            found["state"] = self._state
        return found

    def _found(self, record: Record, shaped: Shaped) -> Line:
        findings = [*map(str, record.get("findings") or ()), *(f for f in shaped.findings if f not in (record.get("findings") or ()))]
        found: Line = {"findings": findings} if findings else {}
        if shaped.error:
            found["error"] = shaped.error
        if shaped.explained is not None:
            found["explained"] = [list(step) for step in shaped.explained]
        return found

    def _said_in(self, shaped: Shaped) -> Iterator[Line]:
        """What follows from a message: curves, title, signatures, the contract's chain."""
        if shaped.message is None:
            return
        if self.session.message(shaped.message):
            self.title = self.session.title
            yield self.line()
        yield from self._series(self.curves.message(shaped.message, self.now))
        for line in checks.of_message(shaped.message, self.session, self.now):
            yield {**line, "c": self.c} | ({"n": self.frames - 1} if line["t"] == "signature" else {})

    def _series(self, lines: Iterator[Line]) -> Iterator[Line]:
        for line in lines:
            yield {"t": "series", "c": self.c, **line}

    # --- beside the frames ---

    def _state_entered(self, record: Record) -> Iterator[Line]:
        state, name, limit = str(record["state"]), str(record.get("timer") or ""), record.get("limit")
        before, self._state = self._state, state
        if self._timer and self._timer != name:
            yield self._placed(marks.timer(self._timer, "stopped", None, self.lane, before))
        if name and (name != self._timer or state != before):
            yield self._placed(marks.timer(name, "armed", None if limit is None else _number(limit), self.lane, state))
        elif state != before:
            yield self._placed({"t": "mark", "lane": self.lane, "kind": "state", "name": state, "facts": {}, "text": f"waits for {state}"})
        self._timer = name

    def _beside(self, record: Record) -> Iterator[Line]:
        """What follows from a record that is no frame: chains, curves, the verdict."""
        kind = record["type"]
        if kind == "event" and record["name"] == "Objected":
            self._objection = record["facts"]["objection"]
        if kind == "tls":
            for line in checks.of_handshake(record, self.side, self.session):
                yield {**line, "c": self.c}
        if kind in ("fact", "event"):
            yield from self._series(self.curves.fact(str(record["name"]), record.get("facts") or {}, self.now))
        if kind == "ocpp":
            yield from self._series(self.curves.ocpp(record, self.now))
        if self.session.record(record):
            yield {"t": "facts", "c": self.c, "facts": [list(fact) for fact in self.session.facts()]}
        if kind == "end":
            yield from self._ended(record)

    def _ended(self, record: Record) -> Iterator[Line]:
        self.over = True
        error, requirement = str(record.get("error") or ""), str(record.get("requirement") or "")
        how = str(record.get("how"))
        timer = error.split(" ", 1)[0] if " s ran out: " in error else ""  # as `TimedOut` writes it
        if timer:
            limit = _number(error.split(" of ", 1)[-1].split(" s ran out", 1)[0])
            yield self._placed(marks.timer(timer, "fired", limit, self.lane, self._state))
        facts = [*self.session.facts(), ("Messages", f"{self.frames} in {self.at - self.began:.2f} s"), *self.curves.energies()]
        yield {"t": "facts", "c": self.c, "facts": [list(fact) for fact in facts]}
        asked = f" (the car was asked to stop: {record['asked']})" if record.get("asked") else ""
        yield self._verdict(bool(record.get("well")), how + asked, error, requirement, self._origin(error, timer))
        self.curves, self.session = Curves(), Session()

    def _origin(self, error: str, timer: str) -> str:
        """Where an end came from, in words."""
        told = []
        if timer:
            told.append(f"{timer} ran out at the {self.lane} in state {self._state or 'before the first message'}")
        if self._failure is not None:
            n, name, code = self._failure
            told.append(f"{name} (message {n}) says {code}")
        if self._objection is not None and self._objection.get("reason"):
            told.append(f"the station objected: {self._objection['reason']}")
        if error and not told:
            told.append(f"after message {self.frames - 1}" if self.frames else "before the first message")
        return "; ".join(told)

    def _verdict(self, well: bool, how: str, reason: str, requirement: str, origin: str) -> Line:
        last = self.frames - 1 if self.frames else None
        n = None if well else self._failure[0] if self._failure is not None else last
        return {
            "t": "verdict",
            "c": self.c,
            "well": well,
            "over": True,
            "ended": how,
            "reason": reason,
            "requirement": requirement,
            "from": origin,
            "n": n,
        }

    def _placed(self, mark: Line) -> Line:
        return {**mark, "c": self.c, "at": round(self.at - self.began, 4), "epoch": round(self.now, 3)}


def _name(record: Record, shaped: Shaped) -> str:
    body = getattr(getattr(shaped.message, "Body", None), "BodyElement", None)  # of -2 and DIN 70121
    if body is not None:
        return type(body).__name__
    return str(record.get("name") or (type(shaped.message).__name__ if shaped.message is not None else "no message"))


def _code(message: Any) -> str:
    body = getattr(getattr(message, "Body", None), "BodyElement", message)
    code = getattr(body, "ResponseCode", None)
    return str(code.value) if code is not None else ""


def _address(pair: Any) -> str:
    host, port = pair[0], pair[1]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _number(value: Any) -> float:
    """A number of a record, 0 for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return 0.0
    return found if math.isfinite(found) else 0.0


def _short(value: float) -> float:
    return round(value, 6)
