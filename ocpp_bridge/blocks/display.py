"""Display messages (block O): what the CSMS wants people to read. What an EVSE shows now is `Evse.shown`, told with each change."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.display import FORMATS, MESSAGES_MAXIMUM, PRIORITIES, STATES
from ocpp_bridge.model.variables import FLAG, LIST, NUMBER, Row
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import epoch

PAGE: Final = 10  # messages in one NotifyDisplayMessages: 60 kB with the longest of all


def set_message(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetDisplayMessage (O01, O02, O06): show a message; one with the same id is replaced."""
    message, messages = payload["message"], charger.messages
    times = [epoch(message[name]) for name in ("startDateTime", "endDateTime") if name in message]
    if any(each["format"] not in FORMATS for each in (message["message"], *message.get("messageExtra", ()))):
        return no("UnsupportedParam", f"text is shown here: {', '.join(FORMATS)}", status="NotSupportedMessageFormat")
    if "transactionId" in message and charger.of_transaction(message["transactionId"]) is None:
        return no("TxNotFound", status="UnknownTransaction")
    if message.get("display", {}).get("evse", {}).get("id", next(iter(charger.evses))) not in charger.evses:
        return no("InvalidValue", "there is no such EVSE")
    if ("endDateTime" in message and times[-1] <= charger.wall(now)) or times != sorted(times):
        return no("InvalidValue", "the time of the message is over")
    if message["id"] not in messages.held and len(messages.held) >= MESSAGES_MAXIMUM:
        return no("TooManyElements", f"there are {MESSAGES_MAXIMUM} messages")
    messages.put(message)
    charger.keep(f"display/{message['id']}", {"number": charger.number(), "message": message})
    _count(charger)
    return {"status": "Accepted"}


def get_messages(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetDisplayMessages (O03, O04): send the messages that fit in pages."""
    found = [
        each
        for each in charger.messages.held.values()
        if each["id"] in payload.get("id", (each["id"],))
        and each["priority"] == payload.get("priority", each["priority"])
        and payload.get("state", each.get("state")) == each.get("state")
    ]
    for first in range(0, len(found), PAGE):
        page = {"requestId": payload["requestId"], "messageInfo": found[first : first + PAGE], "tbc": first + PAGE < len(found)}
        charger.call("NotifyDisplayMessages", page, solicited=True)
    return {"status": "Accepted" if found else "Unknown"}


def clear_message(charger: Charger, payload: Payload, now: float) -> Payload:
    """ClearDisplayMessage (O05): show a message no more."""
    if payload["id"] not in charger.messages.held:
        return {"status": "Unknown"}
    _drop(charger, payload["id"])
    return {"status": "Accepted"}


def state_of(evse: Evse) -> str:
    """The state of an EVSE in the words of a message."""
    tx = evse.transaction
    if evse.faulted or evse.closed or not evse.operative:
        return "Faulted" if evse.faulted else "Unavailable"
    if tx is None or tx.state in ("Idle", "EVConnected"):
        return "Idle"
    if tx.state != "Charging":
        return "Suspended"
    return "Discharging" if (evse.sample.power or 0.0) < 0 else "Charging"


def _drop(charger: Charger, id_: int) -> None:
    del charger.messages.held[id_]
    charger.keep(f"display/{id_}", None)
    _count(charger)


def _count(charger: Charger) -> None:
    charger.variables["DisplayMessageCtrlr.DisplayMessages"] = str(len(charger.messages.held))


def _tick(charger: Charger, now: float) -> None:
    """Forget what is over, and tell of each EVSE whose display is another now."""
    wall = charger.messages.seen = charger.wall(now)
    running = [evse.transaction.id for evse in charger.evses.values() if evse.transaction is not None]
    for id_ in charger.messages.over(wall, running):
        _drop(charger, id_)
    for evse in charger.evses.values():
        shown = charger.messages.shown(evse.id, state_of(evse), evse.transaction.id if evse.transaction else "", wall)
        if shown != evse.shown:
            evse.shown = shown
            text = " / ".join(each["message"]["content"] for each in shown)
            charger.note(f"EVSE {evse.id} shows: {text}" if shown else f"EVSE {evse.id} shows no message")


def _due(charger: Charger) -> float | None:
    if not charger.messages.held:
        return None
    edge = charger.messages.edge(charger.messages.seen)
    return None if edge is None else charger.moment(edge)


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    saved = sorted(kept.values(), key=lambda each: int(each["number"]))
    charger.messages.held = {each["message"]["id"]: each["message"] for each in saved}
    charger.numbers = max([charger.numbers, *(int(each["number"]) for each in saved)])
    _count(charger)


BLOCK: Final = Block(
    requests={"SetDisplayMessage": set_message, "GetDisplayMessages": get_messages, "ClearDisplayMessage": clear_message},
    due=_due,
    tick=_tick,
    keeps="display",
    restore=_restore,
    variables=(
        Row("DisplayMessageCtrlr", "Available", "true", FLAG),
        Row("DisplayMessageCtrlr", "DisplayMessages", "0", NUMBER, high=MESSAGES_MAXIMUM, required="O01"),
        Row("DisplayMessageCtrlr", "SupportedFormats", ",".join(FORMATS), LIST, values=FORMATS, required="O01"),
        Row("DisplayMessageCtrlr", "SupportedPriorities", ",".join(PRIORITIES), LIST, values=PRIORITIES, required="O01"),
        Row("DisplayMessageCtrlr", "SupportedStates", ",".join(STATES), LIST, values=STATES),
    ),
)
