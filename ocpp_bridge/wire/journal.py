"""The journal: events that the CSMS does not have yet, as lines of JSON that survive a restart.

    {"call": 7, "action": "TransactionEvent", "evse": 1, "about": "<transaction>", "payload": {...}}      to be delivered
    {"over": 7}                                                                                          delivered, or given up

A transaction without an Ended event was cut off by the restart; its Ended event is made on coming back, with the next number.
"""

from typing import Any, Final

import msgspec

from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp

SHAPES: Final = ({"over"}, {"call", "action", "evse", "about", "payload"})


def lines(news: list[Call | int]) -> bytes:
    """The lines of the journal for new calls, and for numbers of calls that are over."""
    return b"".join(msgspec.json.encode(_line(each)) + b"\n" for each in news)


def _line(each: Call | int) -> dict[str, Any]:
    if isinstance(each, int):
        return {"over": each}
    return {"call": each.number, "action": each.action, "evse": each.evse, "about": each.about, "payload": each.payload}


def undelivered(octets: bytes, wall: float) -> list[Call]:
    """The calls that are still to be delivered, and an Ended event for each transaction that was cut off, in order.

    `octets` is the journal, `wall` the present time (epoch s). A last line that a power loss cut off is ignored. ValueError for no journal.
    """
    left, events = _open(_read(octets))
    cut = [line for line in events if line["payload"]["eventType"] != "Ended"]
    calls = [Call(line["action"], line["payload"], line["evse"], line["about"], kept=True) for line in left]
    return calls + [Call("TransactionEvent", _ended(line["payload"], wall), line["evse"], line["about"], kept=True) for line in cut]


def compacted(octets: bytes) -> bytes:
    """The journal without calls that are over; the last event of an open transaction stays, because it has the next number."""
    said = _read(octets)
    left, events = _open(said)
    owed, ours = {line["call"] for line in left}, {line["about"] for line in left}
    told = {line["call"] for line in events if line["payload"]["eventType"] != "Ended" or line["about"] in ours} - owed
    wanted = told | owed
    kept = [line for line in said if line.get("call") in wanted] + [{"over": number} for number in sorted(told)]
    return b"".join(msgspec.json.encode(line) + b"\n" for line in kept)


def _open(said: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The calls that are not over, and the last event of each transaction."""
    over = {line["over"] for line in said if "over" in line}
    calls = [line for line in said if "call" in line]
    events = {line["about"]: line for line in calls if line["action"] == "TransactionEvent"}
    return [line for line in calls if line["call"] not in over], sorted(events.values(), key=lambda line: int(line["call"]))


def _read(octets: bytes) -> list[dict[str, Any]]:
    whole = octets[: octets.rfind(b"\n") + 1]
    try:
        said = [msgspec.json.decode(line, type=dict[str, Any]) for line in whole.splitlines()]
        assert all(line.keys() in SHAPES for line in said)
    except (msgspec.DecodeError, AssertionError) as error:
        raise ValueError(f"a line is no line of a journal: {error}") from None
    return said


def _ended(last: Payload, wall: float) -> Payload:
    return {
        "eventType": "Ended",
        "timestamp": timestamp(wall),
        "triggerReason": "AbnormalCondition",
        "seqNo": last["seqNo"] + 1,
        "offline": True,
        "transactionInfo": {"transactionId": last["transactionInfo"]["transactionId"], "stoppedReason": "PowerLoss"},
        "evse": last["evse"],
    }
