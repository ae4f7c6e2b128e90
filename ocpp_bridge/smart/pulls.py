"""Dynamic profiles that want to be asked for anew (K28): when, and what becomes of the answer."""

from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.smart import charging
from ocpp_bridge.smart.profiles import Held, Rejected
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload


def _due(charger: Charger, evse: Evse) -> list[tuple[float, Held]]:
    """When (epoch s) which dynamic profile of a transaction at an EVSE wants to be asked for anew."""
    if not charger.accepted or evse.transaction is None:
        return []
    return [
        (max(held.updated, held.pulled) + held.profile["dynUpdateInterval"], held)
        for held in charger.profiles.select(evse=evse.id)
        if held.profile.get("dynUpdateInterval", 0) > 0
    ]


def moment(charger: Charger) -> float | None:
    """When (monotonic s) a dynamic profile wants to be asked for anew; None: never."""
    every = [charger.moment(wall) for evse in charger.evses.values() for wall, _ in _due(charger, evse)]
    return min(every, default=None)


def pull(charger: Charger, now: float) -> None:
    """Ask for every dynamic profile that is due at `now` (monotonic s)."""
    wall = charger.wall(now)
    for evse in charger.evses.values():
        for due, held in _due(charger, evse):
            if wall >= due:
                held.pulled = wall
                charger.call("PullDynamicScheduleUpdate", {"chargingProfileId": held.profile["id"]}, evse=evse.id)


def take_pulled(charger: Charger, call: Call, response: Payload, now: float) -> None:
    """Take the new values of a profile that was asked for."""
    if response["status"] == "Accepted":
        change = {"chargingProfileId": call.payload["chargingProfileId"], "scheduleUpdate": response.get("scheduleUpdate", {})}
        try:
            charging.update(charger, change, now)
        except Rejected as rejected:
            charger.note(f"PullDynamicScheduleUpdate: {rejected}")
