"""Remote control (block F): transactions that the CSMS begins and ends, and messages that it triggers."""

from typing import Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks import authorization, availability, diagnostics, metering, signing, transactions
from ocpp_bridge.blocks.reservation import objection as reserved
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.known_tokens import group_of
from ocpp_bridge.model.mapping import present
from ocpp_bridge.smart import charging
from ocpp_bridge.smart.profiles import TX
from ocpp_bridge.wire.schemas import Payload


def request_start(charger: Charger, payload: Payload, now: float) -> Payload:
    """RequestStartTransaction: let a waiting car charge, or the next one that comes to a free EVSE."""
    free = [evse for evse in charger.evses.values() if evse.operative and evse.remote is None and not (evse.session and evse.session.token)]
    held = {evse.id: reserved(charger, evse, payload["idToken"], group_of(payload)) for evse in free}
    waiting = sorted(free, key=lambda evse: evse.session is None or evse.session.authorization is None)
    fitting = [evse for evse in waiting if payload.get("evseId") in (None, evse.id)]
    asked = [evse for evse in fitting if not held[evse.id]]
    if fitting and not asked:
        return no("InvalidValue", held[fitting[0].id])
    if not asked:
        return no("TxInProgress" if payload.get("evseId") in (None, *charger.evses) else "InvalidValue")
    evse, profile = asked[0], payload.get("chargingProfile")
    if profile is not None and (profile["chargingProfilePurpose"] != TX or "transactionId" in profile):
        return no("InvalidProfile", "a profile that starts a transaction is a TxProfile without transactionId")
    if profile is not None and (rejected := charging.objection(charger, evse, profile, now)) is not None:
        return no(rejected.reason, str(rejected))
    evse.remote, evse.remote_due = payload, now + charger.variables.number("TxCtrlr.EVConnectionTimeOut")
    evse.brought = profile
    charging.bring(charger, evse, now)
    authorization.proceed(charger, evse, now)
    return {"status": "Accepted"} | present({"transactionId": evse.transaction.id if evse.transaction else None})


def request_stop(charger: Charger, payload: Payload, now: float) -> Payload:
    """RequestStopTransaction: end the session of a transaction, then the transaction."""
    evse = charger.of_transaction(payload["transactionId"])
    if evse is None:
        return no("TxNotFound")
    transactions.stop(charger, evse, "Remote", "RemoteStop", "RequestStopTransaction")
    return {"status": "Accepted"}


def trigger_message(charger: Charger, payload: Payload, now: float) -> Payload:
    """TriggerMessage: send the message that is asked for, for one EVSE or all."""
    wanted = payload["requestedMessage"]
    chosen = [evse for evse in charger.evses.values() if payload.get("evse", {}).get("id", 0) in (0, evse.id)]
    if not chosen:
        return no("InvalidValue", "no such EVSE")
    if wanted == "BootNotification":
        if charger.boot.status == "Accepted":
            return no("InvalidValue", "the station is accepted already")
        charger.boot.due, charger.boot.reason = now, "Triggered"
    elif wanted == "Heartbeat":
        charger.call("Heartbeat", {}, solicited=True)
    elif wanted == "StatusNotification":
        for evse in chosen:
            availability.tell_status(charger, evse, evse.status, now, solicited=True)
    elif wanted == "MeterValues":
        metering.trigger(charger, chosen, payload.get("evse", {}).get("id", 0) == 0, now)
    elif wanted == "TransactionEvent":
        for evse in chosen:
            if evse.transaction is not None:
                transactions.event(charger, evse, "Updated", "Trigger", now, context="Trigger")
    elif wanted == "LogStatusNotification":
        diagnostics.tell_present(charger)
    elif wanted == "FirmwareStatusNotification":
        charger.call("FirmwareStatusNotification", {"status": "Idle"}, solicited=True)  # none is ever installed
    elif wanted in signing.TRIGGERS:
        return signing.trigger(charger, wanted, now)
    else:
        return {"status": "NotImplemented"}
    return {"status": "Accepted"}


BLOCK: Final = Block(
    requests={
        "RequestStartTransaction": request_start,
        "RequestStopTransaction": request_stop,
        "TriggerMessage": trigger_message,
    }
)
