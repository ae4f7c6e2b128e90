"""Dynamic profiles that want to be asked for anew (K28): when, and what becomes of the answer."""

from ocpp_bridge import requests
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.outbox import Call
from ocpp_bridge.schemas import Payload


def due(charger: Charger, evse: Evse) -> float | None:
    """When the dynamic profile that leads at an EVSE wants to be asked for anew (epoch s); None: never."""
    if not charger.accepted or evse.transaction is None:
        return None
    every = [
        max(held.updated, held.pulled) + held.profile["dynUpdateInterval"]
        for held in charger.profiles.select(evse=evse.id)
        if held.profile.get("dynUpdateInterval", 0) > 0
    ]
    return min(every, default=None)


def pull(charger: Charger, evse: Evse, wall: float) -> None:
    """Ask for every profile of an EVSE that is due at `wall` (epoch s)."""
    for held in charger.profiles.select(evse=evse.id):
        every = held.profile.get("dynUpdateInterval", 0)
        if every > 0 and wall >= max(held.updated, held.pulled) + every:
            held.pulled = wall
            charger.call("PullDynamicScheduleUpdate", {"chargingProfileId": held.profile["id"]}, evse=evse.id)


def take_pulled(charger: Charger, call: Call, response: Payload, now: float) -> None:
    """Take the new values of a profile that was asked for."""
    if response["status"] == "Accepted":
        change = {"chargingProfileId": call.payload["chargingProfileId"], "scheduleUpdate": response.get("scheduleUpdate", {})}
        requests.update_dynamic_schedule(charger, change, now)
