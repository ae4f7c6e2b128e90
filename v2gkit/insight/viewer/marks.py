"""What happened beside the messages, as marks on the lanes car, station, hardware and CSMS."""

from collections.abc import Mapping
from typing import Any, Final

from v2gkit.insight.viewer.told import requirement_in, rounded, short

Mark = dict[str, Any]
Record = Mapping[str, Any]
SIDES: Final = {"evcc": "car", "secc": "station", "csms": "csms"}
ASKED_OF_HARDWARE: Final = frozenset(  # wants of a session that its outlet carries out; the others are for whoever decides
    {
        "CheckAlignment",
        "CheckIsolation",
        "CloseContactor",
        "ConnectDevice",
        "DisconnectDevice",
        "LockConnector",
        "OpenContactor",
        "PairVehicle",
        "SetOutput",
        "SetPower",
    }
)
TOLD_BY_HARDWARE: Final = frozenset(
    {
        "AlignmentIs",
        "AssociationLost",
        "ConnectorLock",
        "ContactorIs",
        "DeviceIs",
        "EmergencyStop",
        "GroundDeviceIs",
        "IsolationMeasured",
        "MeterRead",
        "OutputMeasured",
        "PairingIs",
        "PilotIs",
        "PositionIs",
    }
)
FROM_CSMS: Final = frozenset({"profile", "sampling", "limit", "stop", "start", "reset", "availability", "variables", "cleared", "schedule"})


NOT_SHOWN: Final = ("EVReported",)  # it repeats the request that the car sent


def mark_of(record: Record, lane: str) -> Mark | None:
    """The mark of a record of one of `KINDS`, from the trace of that side; None where it says nothing that is not seen elsewhere."""
    return None if record.get("name") in NOT_SHOWN else _MAKERS[record["type"]](record, lane)


def note(name: str, text: str, lane: str, facts: Any = None) -> Mark:
    """A mark that says something to people."""
    return _mark("note", lane, name, facts or {}, text)


def timer(name: str, what: str, limit: float | None, lane: str, state: str) -> Mark:
    """A timer that was armed, stopped or fired."""
    bounded = f" of {limit:g} s" if limit is not None else ""
    return _mark("timer", lane, name, {"limit": limit, "what": what, "state": state}, f"{name}{bounded} {what}")


def happening(event: Record) -> Mark:
    """The mark of a line that a CSMS logged: who sent it follows from its topic."""
    topic, facts = str(event.get("topic", "")), event.get("facts") or {}
    lane, to = ("csms", "station") if topic in FROM_CSMS else ("station", "csms")
    return {**_mark("ocpp", lane, topic, facts, str(event.get("text") or topic)), "to": to, "id": "", "call": "call"}


def _mark(kind: str, lane: str, name: str, facts: Any, text: str, requirement: str | None = "", to: str = "") -> Mark:
    found: Mark = {"t": "mark", "lane": lane, "kind": kind, "name": name, "facts": rounded(facts), "text": text}
    if to:
        found["to"] = to
    if requirement:
        found["requirement"] = requirement
    return found


def _event(record: Record, lane: str) -> Mark:
    name, facts = str(record["name"]), record.get("facts") or {}
    if name == "Objected":
        objection = facts["objection"]
        told = f"{facts['request']} is answered {facts['code']}: {objection['reason']}"
        return _mark("event", lane, name, facts, told, objection.get("requirement"))
    return _mark("event", lane, name, facts, short(name, facts), facts.get("requirement"), "hardware" if name in ASKED_OF_HARDWARE else "")


def _fact(record: Record, lane: str) -> Mark:
    name, facts = str(record["name"]), record.get("facts") or {}
    hardware = name in TOLD_BY_HARDWARE
    return _mark(
        "fact",
        "hardware" if hardware else lane,
        name,
        facts,
        short(name, facts),
        facts.get("requirement") if isinstance(facts, Mapping) else None,
        lane if hardware else "",
    )


def _note(record: Record, lane: str) -> Mark:
    facts = record.get("facts") or {}
    return _mark("note", lane, str(record["topic"]), facts, short(record["topic"], facts), requirement_in(facts))


def _relaxed(record: Record, lane: str) -> Mark:
    text = f"relaxed: {record['relaxation']}"
    return _mark("relaxed", lane, "relaxed", {"relaxation": record["relaxation"]}, text, record.get("requirement"))


def _plain(record: Record, lane: str) -> Mark:
    return _mark("tls", lane, "plain TCP", {}, "no TLS: a bench override says so", record.get("requirement"))


def _tls(record: Record, lane: str) -> Mark:
    shown = {key: value for key, value in record.items() if key not in _HEAVY}
    text = f"{record.get('version')} {record.get('suite')}, {record.get('group')}, peer verified"
    return _mark("tls", lane, "TLS", shown, text)


_HEAVY: Final = (
    "type",
    "connection",
    "at",
    "epoch",
    "own_chain",
    "peer_chain",
    "staples",
    "authorities_named",
    "authorities_named_by_peer",
)


def _failed(record: Record, lane: str) -> Mark:
    alert = f", alert {record['alert']}" if record.get("alert") else ""
    text = f"no TLS connection: {record['reason']} (ended by {record['by']}{alert})"
    return _mark("tls", lane, "handshake failed", {"by": record["by"], "alert": record.get("alert")}, text, record.get("requirement"))


def _end(record: Record, lane: str) -> Mark:
    why = f": {record['error']}" if record.get("error") else ""
    facts = {key: record.get(key) for key in ("asked", "closed_by", "clean", "reason")}
    return _mark("end", lane, str(record.get("how")), facts, f"{record.get('how')}{why}", record.get("requirement"))


def _ocpp(record: Record, lane: str) -> Mark:
    """An OCPP frame as that side saw it: a station, or its CSMS."""
    own, other = ("csms", "station") if lane == "csms" else ("station", "csms")
    origin, to = (own, other) if record.get("direction") == "sent" else (other, own)
    action, call = str(record.get("action") or ""), str(record.get("kind") or "call")
    found = _mark("ocpp", origin, action, record.get("payload"), short(call, _brief(record.get("payload"))), to=to)
    return {**found, "id": str(record.get("id") or ""), "call": call, "evse": record.get("evse")}


def _brief(payload: Any) -> Any:
    """What of an OCPP payload is one word, as event and reason are: the rest is in its facts."""
    return (
        {key: each for key, each in payload.items() if isinstance(each, str | bool | int) and key != "timestamp"}
        if isinstance(payload, Mapping)
        else payload
    )


_MAKERS: Final = {
    "event": _event,
    "fact": _fact,
    "note": _note,
    "relaxed": _relaxed,
    "plain": _plain,
    "tls": _tls,
    "handshake-failed": _failed,
    "end": _end,
    "ocpp": _ocpp,
}
KINDS: Final = frozenset(_MAKERS)
