"""Remote control (block F): transactions that the CSMS begins and ends, messages that it triggers, connectors that it unlocks."""

from functools import partial
from typing import Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks import authorization, diagnostics, metering, payments, reservation, transactions
from ocpp_bridge.blocks.availability import CONNECTOR
from ocpp_bridge.blocks.reservation import objection, reserved_for_another
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.errand import Errand
from ocpp_bridge.model.known_tokens import group_of
from ocpp_bridge.model.mapping import present
from ocpp_bridge.smart import charging
from ocpp_bridge.smart.profiles import TX
from ocpp_bridge.wire.schemas import Payload


def request_start(charger: Charger, payload: Payload, now: float) -> Payload:
    """RequestStartTransaction: let a waiting car charge, or the next one that comes to a free EVSE."""
    if (why := _not_now(charger)) is not None:
        return why
    free = [evse for evse in charger.evses.values() if _takes(evse)]
    reserved = reserved_for_another if "evseId" in payload else objection  # one that is named is what was paid for [C25]
    held = {evse.id: reserved(charger, evse, payload["idToken"], group_of(payload)) for evse in free}
    waiting = sorted(free, key=lambda evse: evse.session is None or evse.session.authorization is None)
    fitting = [evse for evse in waiting if payload.get("evseId") in (None, evse.id)]
    asked = [evse for evse in fitting if not held[evse.id]]
    if fitting and not asked:
        return no("InvalidValue", held[fitting[0].id])
    if not asked:
        return _taken(charger, payload.get("evseId"))
    evse, profile = asked[0], payload.get("chargingProfile")
    if profile is not None and (profile["chargingProfilePurpose"] != TX or "transactionId" in profile):
        return no("InvalidProfile", "a profile that starts a transaction is a TxProfile without transactionId")
    if profile is not None and (rejected := charging.objection(charger, evse, profile, now)) is not None:
        return no(rejected.reason, str(rejected))
    evse.remote, evse.remote_due = payload, now + charger.variables.number("TxCtrlr.EVConnectionTimeOut")
    evse.brought = profile
    payments.let_go(charger, evse.id)
    charging.bring(charger, evse, now)
    authorization.proceed(charger, evse, now)
    return {"status": "Accepted"} | present({"transactionId": evse.transaction.id if evse.transaction else None})


def _not_now(charger: Charger) -> Payload | None:
    """Why nothing is started or stopped from afar now; None: it is."""
    if charger.boot.status == "Pending":  # [B02.FR.05]
        return no("NotEnabled", "the station is not accepted yet (BootNotification: Pending)")
    return no("NotEnabled", f"the station is about to be reset ({charger.reset})") if charger.reset else None


def _takes(evse: Evse) -> bool:
    """Whether an EVSE is free for the car of a RequestStartTransaction, which may stand there already."""
    serves = evse.operative and not (evse.retiring or evse.reset or evse.faulted or evse.closed)
    return serves and evse.remote is None and not (evse.session and evse.session.token) and "Authorized" not in evse.conditions


def _taken(charger: Charger, id_: int | None) -> Payload:
    """The refusal where no EVSE, or not the one that was asked for, is free."""
    if id_ is not None and id_ not in charger.evses:
        return no("InvalidValue", f"there is no EVSE {id_} here")
    places = [charger.evses[id_]] if id_ is not None else list(charger.evses.values())
    if all(not evse.operative or evse.retiring or evse.reset or evse.faulted or evse.closed for evse in places):
        return no("NotEnabled", "out of service: " + "; ".join(evse.faulted or evse.closed or "by the CSMS" for evse in places))
    return no("TxInProgress", "a transaction is authorized there, or a RequestStartTransaction waits for its car")


def give_up(charger: Charger, evse: Evse, now: float) -> None:
    """Forget a RequestStartTransaction for which no car came, and the reservation that it used."""
    assert evse.remote is not None
    asked, evse.remote, evse.brought = evse.remote, None, None
    charger.note(f"EVSE {evse.id}: no car came for RequestStartTransaction")
    reservation.unused(charger, evse, asked["idToken"], group_of(asked), now)


def request_stop(charger: Charger, payload: Payload, now: float) -> Payload:
    """RequestStopTransaction: end the session of a transaction, then the transaction."""
    if charger.boot.status == "Pending" and (why := _not_now(charger)) is not None:
        return why
    evse = charger.of_transaction(payload["transactionId"])
    if evse is None:
        return no("TxNotFound")
    transactions.cut(charger, evse, "Remote", "RemoteStop", "RequestStopTransaction", now)
    return {"status": "Accepted"}


def trigger_message(charger: Charger, payload: Payload, now: float) -> Payload:
    """TriggerMessage (F06): send the message that is asked for, for one EVSE or all; NotImplemented where no block has such a one."""
    wanted, place = payload["requestedMessage"], payload.get("evse", {})
    chosen = [evse for evse in charger.evses.values() if place.get("id", 0) in (0, evse.id)]
    if not chosen or place.get("connectorId", CONNECTOR) != CONNECTOR:
        return no("InvalidValue", f"there is no EVSE {place.get('id')} with connector {place.get('connectorId', CONNECTOR)} here")
    trigger = charger.triggers.get(payload.get("customTrigger", "") if wanted == "CustomTrigger" else wanted)
    return {"status": "NotImplemented"} if trigger is None else trigger(charger, chosen, now)


def _boot(charger: Charger, chosen: list[Evse], now: float) -> Payload:
    if charger.boot.status == "Accepted":
        return no("InvalidValue", "the station is accepted already")
    charger.boot.due, charger.boot.reason = now, "Triggered"
    return {"status": "Accepted"}


def _heartbeat(charger: Charger, chosen: list[Evse], now: float) -> Payload:
    charger.call("Heartbeat", {}, solicited=True)
    return {"status": "Accepted"}


def _transaction(charger: Charger, chosen: list[Evse], now: float) -> Payload:
    running = [evse for evse in chosen if evse.transaction is not None]
    for evse in running:
        transactions.event(charger, evse, "Updated", "Trigger", now, context="Trigger")
    return {"status": "Accepted"} if running else no("TxNotFound", "no transaction runs there")


def _meter_values(charger: Charger, chosen: list[Evse], now: float) -> Payload:
    metering.trigger(charger, chosen, len(chosen) == len(charger.evses), now)
    return {"status": "Accepted"}


def _log_status(charger: Charger, chosen: list[Evse], now: float) -> Payload:
    diagnostics.tell_present(charger)
    return {"status": "Accepted"}


def unlock_connector(charger: Charger, payload: Payload, now: float) -> Payload:
    """UnlockConnector (F05): let the hardware unlock a connector; the answer waits for what it says.

    While a session is there the lock is the session's: it unlocks at its end, and a live outlet that is unlocked would be switched off.
    """
    evse = charger.evses.get(payload["evseId"])
    if evse is None or payload["connectorId"] != CONNECTOR:
        return no("InvalidValue", f"there is no EVSE {payload['evseId']} with connector {payload['connectorId']}", "UnknownConnector")
    if "Authorized" in evse.conditions or (evse.session is not None and evse.session.token is not None):
        return no("TxInProgress", "a car is authorized there; end its transaction first", "OngoingAuthorizedTransaction")
    if evse.session is not None:
        return no("TxInProgress", "a car's session is under way there; the connector is unlocked at its end", "UnlockFailed")
    if charger.unlock is None:
        return no("UnsupportedRequest", "nothing here unlocks a connector", "UnlockFailed")
    charger.errands.append(Errand(partial(charger.unlock, evse.id), _unlocked, _still_locked, answers=True))
    return {"status": "Unlocked"}


def _unlocked(nothing: None, now: float) -> None:
    """The answer that waited says so."""


def _still_locked(why: str, now: float) -> Payload:
    return no("HardwareFailure", why, "UnlockFailed")


BLOCK: Final = Block(
    requests={
        "RequestStartTransaction": request_start,
        "RequestStopTransaction": request_stop,
        "TriggerMessage": trigger_message,
        "UnlockConnector": unlock_connector,
    },
    triggers={
        "BootNotification": _boot,
        "Heartbeat": _heartbeat,
        "TransactionEvent": _transaction,
        "MeterValues": _meter_values,
        "LogStatusNotification": _log_status,
    },
)
