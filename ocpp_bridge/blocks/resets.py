"""Resets (B11, B12; ImmediateAndResume of 2.1): of the station, whose connection and registration begin anew, or of one EVSE."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks import availability, transactions
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.firmware import UNTOUCHABLE
from ocpp_bridge.wire.schemas import Payload

REASONS: Final = {"Immediate": "RemoteReset", "OnIdle": "ScheduledReset", "ImmediateAndResume": "RemoteReset"}  # type -> BootReason


def reset(charger: Charger, payload: Payload, now: float) -> Payload:
    """Reset: Immediate ends transactions first, OnIdle waits for their end and serves no new car meanwhile, ImmediateAndResume leaves them:
    they go on beside it, and the CSMS is told so (TxResumed) once it has accepted the station anew."""
    kind, id_ = payload["type"], payload.get("evseId", 0)
    if id_ and id_ not in charger.evses:
        return no("InvalidValue", f"there is no EVSE {id_} here")
    if charger.firmware.running is not None and charger.firmware.running.status in UNTOUCHABLE:  # [B11.FR.06] [B12.FR.10]
        return no("FwUpdateInProgress", "firmware is being installed")
    if id_ and kind == "ImmediateAndResume":
        return no("UnsupportedParam", "an EVSE that is reset by itself does not resume its transaction; the station does")
    busy = [evse for evse in charger.evses.values() if id_ in (0, evse.id) and evse.transaction is not None]
    if id_:
        charger.evses[id_].reset = kind
    else:
        charger.reset = kind
        charger.boot.reason = REASONS[kind]
        charger.keep("reset/reason", charger.boot.reason)  # whoever restarts, it is a reset by the CSMS
    if kind == "Immediate":
        for evse in busy:
            transactions.cut(charger, evse, "ImmediateReset", "ResetCommand", "the CSMS resets the outlet", now)
    return {"status": "Scheduled" if busy and kind == "OnIdle" else "Accepted"}


def due(charger: Charger) -> float | None:
    """At once, where an EVSE is to be reset and nothing stands in the way."""
    return 0.0 if any(_ready(evse) for evse in charger.evses.values()) else None


def _ready(evse: Evse) -> bool:
    return bool(evse.reset) and evse.transaction is None and evse.session is None


def tick(charger: Charger, now: float) -> None:
    """Reset the EVSEs whose transactions are over: what was meant for the car before counts no more, and the CSMS sees it go and come."""
    for evse in charger.evses.values():
        if _ready(evse):
            evse.reset = ""
            evse.remote = evse.brought = evse.presented = None
            evse.conditions.clear()
            availability.tell_status(charger, evse, "Unavailable", now)
            availability.tell_status(charger, evse, evse.resting, now)
            evse.unwelcome = evse.plugged


def ready(charger: Charger) -> bool:
    """Whether the station is to be reset now: the CSMS asked for it, and no transaction is left that it would cut off."""
    running = any(evse.transaction is not None for evse in charger.evses.values())
    return charger.reset == "ImmediateAndResume" or (bool(charger.reset) and not running)


def begin_anew(charger: Charger, now: float) -> None:
    """Note that the station is reset: it registers anew, what was set for then is in use, cars whose cables are in are served again."""
    charger.resuming, charger.reset = charger.reset == "ImmediateAndResume", ""
    charger.boot.status, charger.boot.due = "", now
    charger.variables.written += charger.variables.restart()
    for evse in charger.evses.values():
        evse.unwelcome = evse.plugged


def resumed(charger: Charger, now: float) -> None:
    """Tell the CSMS, which has accepted the station after a reset, of the transactions that went on through it."""
    if charger.resuming:
        charger.resuming = False
        for evse in charger.evses.values():
            transactions.update(charger, evse, "TxResumed", now)


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """The process ended while a reset was on its way: that is why the station boots."""
    charger.boot.reason = kept.get("reset/reason", charger.boot.reason)


BLOCK: Final = Block(requests={"Reset": reset}, due=due, tick=tick, keeps="reset", restore=restore)
