"""Availability (block G): whether an EVSE serves cars, and what its connector tells."""

from typing import Final

from ocpp_bridge.block import Block, failure_at, no
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp


def tell_status(charger: Charger, evse: Evse, status: str, now: float, *, solicited: bool = False) -> None:
    """Send StatusNotification with the present status of an EVSE's connector."""
    evse.status = status
    payload = {"timestamp": timestamp(charger.wall(now)), "connectorStatus": status, "evseId": evse.id, "connectorId": 1}
    if charger.call("StatusNotification", payload, evse=evse.id, solicited=solicited):
        evse.told = status


def change_availability(charger: Charger, payload: Payload, now: float) -> Payload:
    """ChangeAvailability: take EVSEs out of service or back; one with a transaction follows when that ends."""
    id_ = payload.get("evse", {}).get("id", 0)
    chosen = [evse for evse in charger.evses.values() if id_ in (0, evse.id)]
    if not chosen:
        return no("InvalidValue", "no such EVSE")
    for evse in chosen:
        evse.operative = payload["operationalStatus"] == "Operative"
        if evse.session is None and evse.transaction is None:
            tell_status(charger, evse, evse.resting, now)
    return {"status": "Scheduled" if any(evse.transaction for evse in chosen) else "Accepted"}


def untold(charger: Charger, evse: Evse, call: Call, code: str, now: float) -> None:
    """A StatusNotification did not arrive: it is sent once the CSMS is there again."""
    evse.told = ""


BLOCK: Final = Block(
    requests={"ChangeAvailability": change_availability},
    failures={"StatusNotification": failure_at(untold)},
)
