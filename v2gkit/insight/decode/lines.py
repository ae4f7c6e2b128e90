"""The records of sessions as lines: for machines one for each V2GTP frame, for people one for whatever happened."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from v2g.exi.codec import DecodeError, read
from v2g.messages import schema_set
from v2g.session.link import address_text
from v2g.session.trace import Record
from v2gkit.insight.decode.telling import code_of

# Notes about what could not be read, each in one sentence; a trace has many others.
TROUBLES: Final = (
    "capture gap",
    "framing",
    "secrets missing",
    "unreadable",
    "early data",
    "TLS records",
    "TLS suite",
    "TLS version",
    "TLS handshake",
)
_SPEAKERS: Final = {("secc", "received"): "car", ("secc", "sent"): "station", ("evcc", "received"): "station", ("evcc", "sent"): "car"}
_SAID: Final = 400  # characters of a frame of OCPP
_LEFT_OUT: Final = ("state", "fact", "event")  # of a trace of ours: what `v2g report` shows


class Lines:
    """Turns records into lines; keeps of each connection whose eyes saw it."""

    def __init__(self) -> None:
        self.troubled = False  # something could not be read
        self._sides: dict[int, str] = {}
        self._began: dict[int, float] = {}
        self._frames = 0

    def frame(self, record: Record) -> Iterator[dict[str, Any]]:
        """The line for machines of a frame; none for other records."""
        self._note_side(record)
        if record["type"] != "frame":
            return
        self._frames += 1
        shown = {
            "frame": self._frames,
            "connection": record["connection"],
            "from": self._speaker(record),
            "type": record["payload_type"],
            "set": record["set"],
        }
        if record["name"] is None:
            yield {**shown, "error": _error(record), "exi": record["exi"]}
        else:
            yield {**shown, "message": record["name"], "exi": record["exi"]}

    def text(self, record: Record) -> Iterator[str]:
        """The lines for people of a record: those of a connection begin with s since its beginning."""
        self._note_side(record)
        kind = record["type"]
        if kind in _LEFT_OUT:
            return
        if kind == "trace":
            yield f"connection {record['connection']}  {_time(record['epoch'])}  {_about(record['about'])}".rstrip()
            return
        since = f"{record['at'] - self._began.get(record['connection'], record['at']):10.3f}  "
        if kind == "frame":
            yield since + self._told(record)
        elif kind == "connected":
            ends = [address_text(tuple(record[end])) for end in ("local", "peer")]
            yield f"{since}TCP      {' to '.join(ends if self._side(record) == 'evcc' else ends[::-1])}"
        elif kind in _MADE:
            yield since + _MADE[kind](record)

    def trouble(self, record: Record) -> Iterator[str]:
        """What could not be read, for people who see the lines of machines; remembered as `troubled`."""
        where = f"connection {record['connection']}"
        if record["type"] == "note" and (record["topic"] in TROUBLES or (record["topic"] == "capture" and "reason" in record["facts"])):
            self.troubled = True
            yield f"{where}: {record['topic']}: {_facts(record['facts'])}"
        elif record["type"] == "frame" and record["name"] is None:
            self.troubled = True

    def _note_side(self, record: Record) -> None:
        if record["type"] == "trace":
            self._sides[record["connection"]] = record["side"]
            self._began[record["connection"]] = record["at"]

    def _speaker(self, record: Record) -> str:
        return _SPEAKERS.get((self._side(record), record["direction"]), "car")

    def _side(self, record: Record) -> str:
        return self._sides.get(record["connection"], "secc")

    def _told(self, record: Record) -> str:
        code = _code(record)
        took = "" if record["gap"] is None else f"{record['gap'] * 1000:9.1f} ms"
        late = "" if record["margin"] is None or record["margin"] >= 0 else f"  late, {record['performance']} s are given"
        name = record["name"] or f"no message: {_error(record)}"
        head = f"{self._speaker(record):7}  {record['payload_type']} {record['set'] or '-':10}"
        found = "".join(f"  ({finding})" for finding in record["findings"])
        return f"{head}  {took:12}  {name}  {code}{late}{found}".rstrip()


def _code(record: Record) -> str:
    """The response code of a frame; empty where it has none. Only answers are looked at, and read again: to spell them out takes longer."""
    if not str(record["name"]).endswith("Res"):
        return ""
    try:
        return code_of(read(bytes.fromhex(record["exi"]), schema_set(record["set"]), mode="interop").message)
    except (DecodeError, KeyError, ValueError):
        return ""


def _error(record: Record) -> str:
    return str(record.get("error") or "it could not be decoded")


def _time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"


def _about(about: Any) -> str:
    return "  ".join(f"{key} {value}" for key, value in about.items()) if isinstance(about, dict) else ""


def _facts(facts: Any) -> str:
    """Facts in one line; the reason, where there is one, in the end."""
    if not isinstance(facts, dict):
        return str(facts)
    words = [f"{key} {value if isinstance(value, str) else json.dumps(value)}" for key, value in facts.items() if key != "reason"]
    return ", ".join([*words, *([str(facts["reason"])] if "reason" in facts else [])])


def _tls(record: Record) -> str:
    limits = "".join(f"; {limit}" for limit in record["limits"])
    return f"{record['version']}, {record['suite']}, {record['group']}{limits}"


def _ocpp(record: Record) -> str:
    """A frame between station and CSMS: who said it, of which call, and what, cut where it is long."""
    by = "station" if record["direction"] == "sent" else "CSMS"
    said = json.dumps(record["payload"], ensure_ascii=False)
    return f"{by}: {record['action']} {record['kind']} {said if len(said) <= _SAID else said[:_SAID] + ' ...'}"


_MADE: Final = {
    "plain": lambda record: "plain    without TLS" + (f", against {record['requirement']}" if record["requirement"] else ""),
    "tls": lambda record: f"TLS      {_tls(record)}",
    "handshake-failed": lambda record: f"TLS      failed: {record['reason']}",
    "note": lambda record: f"note     {record['topic']}: {_facts(record['facts'])}",
    "relaxed": lambda record: f"relaxed  {record['relaxation']}",
    "ocpp": lambda record: f"OCPP     {_ocpp(record)}",
    "end": lambda record: f"end      {record['how']}" + (f": {record['error']}" if record["error"] else f": {record['reason']}"),
}
