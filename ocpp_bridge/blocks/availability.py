"""Availability (block G): whether station, EVSEs and connectors serve cars, and what is told of it; what was set outlives a restart."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, failure_at, no
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.variables import BOOLEAN, FLAG, Row
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp
from secc.station import StopAsked

CONNECTOR: Final = 1  # the one that each EVSE has
STATES: Final = ("Available", "Occupied", "Reserved", "Faulted", "Unavailable")  # of the station: the first that any EVSE is in
WHY: Final = "the CSMS has taken it out of service (ChangeAvailability)"


def tell_status(charger: Charger, evse: Evse, status: str, now: float, *, solicited: bool = False) -> None:
    """Send StatusNotification with the present status of an EVSE's connector."""
    evse.status = status
    for component in ("EVSE", "Connector"):
        charger.variables[component, "AvailabilityState", "", evse.id] = status
    states = {each.status for each in charger.evses.values()}
    charger.variables["ChargingStation.AvailabilityState"] = next(each for each in STATES if each in states)
    payload = {"timestamp": timestamp(charger.wall(now)), "connectorStatus": status, "evseId": evse.id, "connectorId": CONNECTOR}
    if charger.call("StatusNotification", payload, evse=evse.id, solicited=solicited):
        evse.told = status


def untold(charger: Charger, evse: Evse, call: Call, code: str, now: float) -> None:
    """A StatusNotification did not arrive: it is sent once the CSMS is there again."""
    evse.told = ""


def refusal(charger: Charger, evse: Evse) -> str:
    """Why an EVSE serves no new car, by the will of the CSMS or for what the station does for it; empty: it serves."""
    if not evse.operative:
        return WHY
    if evse.transaction is not None:
        return ""  # what has begun is served to its end
    if evse.closed:
        return evse.closed
    if charger.boot.status != "Accepted" and not charger.variables.yes("TxCtrlr.TxBeforeAcceptedEnabled"):
        return "the CSMS has not accepted the station yet, and before that there are to be no transactions (TxBeforeAcceptedEnabled)"
    waits = evse.reset or (charger.reset if charger.reset != "ImmediateAndResume" else "")
    return f"the CSMS resets it once nobody charges any more ({waits})" if waits else ""


def fault(charger: Charger, evse: Evse, reason: str, now: float) -> None:
    """Tell at once why an outlet serves nobody (Faulted), whether a car is there or not; empty: it serves again."""
    evse.faulted = reason
    for component in ("EVSE", "Connector"):
        charger.variables[component, "Problem", "", evse.id] = "true" if reason else "false"
    anything = any(each.faulted for each in charger.evses.values())
    charger.variables["ChargingStation.Problem"] = "true" if anything else "false"
    free = evse.session is None and evse.transaction is None
    tell_status(charger, evse, evse.resting if reason or free else "Occupied", now)


def change_availability(charger: Charger, payload: Payload, now: float) -> Payload:
    """ChangeAvailability (G03, G04): take the station, an EVSE or a connector out of service, or back into it.

    The three are independent: an EVSE serves while none of those it belongs to is out of service. A transaction is not cut off by it:
    what it stands in the way of follows when it ends.
    """
    place = payload.get("evse", {})
    id_, connector = place.get("id", 0), place.get("connectorId", 0)
    chosen = [evse for evse in charger.evses.values() if id_ in (0, evse.id)]
    if not chosen or connector not in (0, CONNECTOR) or (connector and not id_):
        return no("InvalidValue", f"there is no EVSE {id_} with connector {connector} here")
    name = f"availability/{id_}/{connector}"
    charger.keep(name, True if payload["operationalStatus"] == "Inoperative" else None)
    waits = [evse for evse in chosen if not apply(charger, evse, now)]
    return {"status": "Scheduled" if waits else "Accepted"}


def apply(charger: Charger, evse: Evse, now: float) -> bool:
    """Let an EVSE serve, or not, as the CSMS wants. False: a transaction stands in the way; once it is over that is done."""
    out = any(f"availability/{place}" in charger.kept for place in ("0/0", f"{evse.id}/0", f"{evse.id}/{CONNECTOR}"))
    if out and evse.transaction is not None:
        evse.retiring = True
        return False
    evse.retiring, before, evse.operative = False, evse.operative, not out
    for component in ("EVSE", "Connector"):
        charger.variables[component, "Available", "", evse.id] = "false" if out else "true"
    charger.variables["ChargingStation.Available"] = "true" if any(each.operative for each in charger.evses.values()) else "false"
    if before == evse.operative:
        return True
    if out and evse.session is not None:
        charger.tell(evse, StopAsked(WHY))
    tell_status(charger, evse, evse.resting, now)
    evse.unwelcome = evse.plugged  # what a cable that is in begins is begun with the next tick
    return True


def due(charger: Charger) -> float | None:
    """At once, where a transaction is over that stood in the way of taking its EVSE out of service."""
    return 0.0 if any(evse.retiring and evse.transaction is None for evse in charger.evses.values()) else None


def tick(charger: Charger, now: float) -> None:
    """Take EVSEs out of service whose last transaction is over."""
    for evse in charger.evses.values():
        if evse.retiring and evse.transaction is None:
            apply(charger, evse, now)


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """Keep out of service what the CSMS had taken out of it before a restart."""
    if kept:
        for evse in charger.evses.values():
            apply(charger, evse, 0.0)


def _status_wanted(charger: Charger, chosen: list[Evse], now: float) -> Payload:
    for evse in chosen:
        tell_status(charger, evse, evse.status, now, solicited=True)
    return {"status": "Accepted"}


BLOCK: Final = Block(
    requests={"ChangeAvailability": change_availability},
    failures={"StatusNotification": failure_at(untold)},
    triggers={"StatusNotification": _status_wanted},
    due=due,
    tick=tick,
    keeps="availability",
    variables=(Row("TxCtrlr", "TxBeforeAcceptedEnabled", "true", FLAG, BOOLEAN, required="B02"),),
    restore=restore,
)
