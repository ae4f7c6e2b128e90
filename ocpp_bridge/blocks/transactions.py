"""Transactions: when they begin and end, and their TransactionEvents.

A transaction begins with the first true condition of TxStartPoint and ends with the first lost one of TxStopPoint. Its events are numbered
without gaps and are kept until the CSMS has them; what happened while it was away is marked as such.
"""

import base64
from typing import Any, Final

from ocpp_bridge.block import Block
from ocpp_bridge.blocks import billing, fares
from ocpp_bridge.blocks.local_authorization import remember
from ocpp_bridge.charger import Charger, ChargingState, Evse, Transaction
from ocpp_bridge.model import readings
from ocpp_bridge.model.mapping import objection, present
from ocpp_bridge.model.measurands import Metering
from ocpp_bridge.model.transaction_limit import TransactionLimit
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp
from secc.station import MeteringConfirmationAsked, StopAsked

SAMPLING_PAUSE: Final = 0.5  # s of real time between two samples at least, for a wall clock that runs faster


def begin(
    charger: Charger, evse: Evse, conditions: tuple[str, ...], trigger: str, now: float, state: ChargingState | None = None, **extra: Any
) -> None:
    """Note conditions of TxStartPoint that became true: the transaction starts, or goes on; the CSMS is told."""
    fresh = not evse.conditions.issuperset(conditions)
    evse.conditions |= set(conditions)
    starts = set(conditions) & set(charger.variables.words("TxCtrlr.TxStartPoint"))
    if evse.transaction is None and starts:
        asked = evse.session.remote if evse.session is not None else None
        evse.transaction = Transaction(charger.uuid(), charger.wall(now), remote_start_id=asked, own=charger.clock.wall(now))
        evse.metering = Metering(meter_key=evse.metering.meter_key)
        if state is not None:
            evse.transaction.state = state
        arm_sampling(charger, evse, now)
        event(charger, evse, "Started", trigger, now, context="Transaction.Begin", **extra)
        _tell_state(charger, evse)
    elif evse.transaction is not None and (fresh or extra):
        update(charger, evse, trigger, now, state, **extra)


def end(charger: Charger, evse: Evse, conditions: tuple[str, ...], trigger: str, reason: str, now: float, state: ChargingState) -> None:
    """Note conditions that ceased to be true: the transaction ends, or goes on without them; the CSMS is told."""
    lost = [condition for condition in conditions if condition in evse.conditions]
    evse.conditions -= set(conditions)
    tx = evse.transaction
    if tx is None:
        return
    if not any(condition in charger.variables.words("TxCtrlr.TxStopPoint") for condition in lost):
        if lost:
            update(charger, evse, trigger, now, state)
        return
    tx.state = state
    finish(charger, evse, reason, trigger, now)


def finish(charger: Charger, evse: Evse, reason: str, trigger: str, now: float) -> None:
    """End the running transaction, whatever conditions still hold; where an end was asked for before, that is why."""
    tx = evse.transaction
    assert tx is not None, "what ends has begun"
    event(
        charger,
        evse,
        "Ended",
        tx.stop_trigger or trigger,
        now,
        context="Transaction.End",
        info={"stoppedReason": tx.stopping or reason},
    )
    charger.forget_profiles(tx.id)
    evse.account = None
    evse.transaction, evse.sample_due = None, None


def update(charger: Charger, evse: Evse, trigger: str, now: float, state: ChargingState | None = None, **extra: Any) -> None:
    """Send an Updated event for a change in a running transaction; nothing where none runs."""
    if evse.transaction is not None:
        evse.transaction.state = state or evse.transaction.state
        event(charger, evse, "Updated", trigger, now, **extra)
        _tell_state(charger, evse)


def _tell_state(charger: Charger, evse: Evse) -> None:
    state = evse.transaction.state if evse.transaction is not None else ""
    charger.variables["ConnectedEV", "ChargingState", "", evse.id] = state


def sample(charger: Charger, evse: Evse, now: float, trigger: str = "MeterValuePeriodic", context: str = "Sample.Periodic") -> None:
    """Send an Updated event with the meter reading of a running transaction."""
    event(charger, evse, "Updated", trigger, now, context=context)
    if readings.receipt_wanted(charger, evse) and evse.session is not None and evse.session.delivering:
        charger.tell(evse, MeteringConfirmationAsked())
    arm_sampling(charger, evse, now)


def sample_when_due(charger: Charger, evse: Evse, now: float) -> None:
    """Send the sample of a running transaction that is due at `now` (monotonic s), if one is."""
    moment = sample_moment(charger, evse)
    if moment is None or now < moment:
        return
    if _lacks_first(evse):
        event(charger, evse, "Updated", "MeterValuePeriodic", now, context="Transaction.Begin")
    else:
        sample(charger, evse, now)


def sample_moment(charger: Charger, evse: Evse) -> float | None:
    """The moment (monotonic s) of the next sample, by the present speed of the wall clock; None: no sample is to come.

    A transaction that began before the meter was read sends the first reading at once: by that its energy counts, however short it is.
    """
    if evse.transaction is None:
        return None
    if _lacks_first(evse):
        return 0.0
    return None if evse.sample_due is None else max(charger.clock.now(evse.sample_due), evse.sampled + SAMPLING_PAUSE)


def _lacks_first(evse: Evse) -> bool:
    return evse.transaction is not None and not evse.transaction.metered and evse.sample.reading is not None


def arm_sampling(charger: Charger, evse: Evse, now: float) -> None:
    """Begin the interval until the next sample of a running transaction anew, by the present value of the variable."""
    interval = readings.interval(charger, evse, "TxUpdatedInterval")
    evse.sample_due, evse.sampled = charger.clock.wall(now) + interval if interval > 0 else None, now


def event(
    charger: Charger,
    evse: Evse,
    kind: str,
    trigger: str,
    now: float,
    *,
    context: str = "",
    token: Payload | None = None,
    reservation: int | None = None,
    info: Payload | None = None,
    signed: bytes | None = None,
    wall: float | None = None,
) -> None:
    """Queue one TransactionEvent, kept until delivered. With `context` it carries a meter reading, with `signed` the car's signature.

    `wall` (epoch s) is when it happened, where that is not now.
    """
    tx = evse.transaction
    assert tx is not None, "an event belongs to a transaction"
    kept = evse.metering.for_end if kind == "Ended" and wall is None else []
    wall = charger.wall(now) if wall is None else wall
    if tx.first is None and evse.sample.reading is not None:
        tx.first = evse.sample.reading.imported
    values: list[Payload] = []
    if context:
        tx.metered |= evse.sample.reading is not None
        values = [*kept, *readings.told(charger, evse, context, now, ended=kind == "Ended", wall=wall)]
    if signed is not None and values and not any("signedMeterValue" in each for each in values[0]["sampledValue"]):
        values[0]["sampledValue"][0]["signedMeterValue"] = {
            "signedMeterData": base64.b64encode(signed).decode(),
            "encodingMethod": "EXI",
            "signingMethod": "",
            "publicKey": "",
        }
    payload = {
        "eventType": kind,
        "timestamp": timestamp(wall),
        "triggerReason": trigger,
        "seqNo": tx.seq,
        "transactionInfo": present(
            {"transactionId": tx.id, "chargingState": tx.state, "remoteStartId": tx.remote_start_id, **(info or {})}
        ),
        "evse": {"id": evse.id, "connectorId": 1},
    }
    more = {"offline": not charger.online or None, "meterValue": values or None, "idToken": token, "reservationId": reservation}
    billing.add_cost(charger, evse, payload := payload | present(more), now)
    tx.seq += 1
    charger.call("TransactionEvent", payload, evse=evse.id, kept=True, about=tx.id)
    fares.bill(charger, evse, payload, now)


def take_answer(charger: Charger, call: Call, response: Payload, now: float) -> None:
    """Take a TransactionEventResponse: a cost, or that the token is no longer accepted."""
    fares.take(charger, call, response, now)
    evse = charger.evses.get(call.evse)  # a former run may have had more
    tx = evse.transaction if evse is not None else None
    if evse is None or tx is None or tx.id != call.about:
        return
    tx.cost = response.get("totalCost", tx.cost)
    if "totalCost" in response and evse.account is None:  # what is computed here is not told by halves
        billing.tell(charger, evse, response["totalCost"])
    if "transactionLimit" in response and (evse.limit is None or evse.limit.values != response["transactionLimit"]):
        evse.limit = TransactionLimit(tx.id, response["transactionLimit"])
    info = response.get("idTokenInfo", {"status": "Accepted"})
    if "idTokenInfo" in response and evse.session is not None and evse.session.token is not None:
        remember(charger, evse.session.token, {"idTokenInfo": info}, now)
    if why := objection(info, evse.id):
        _invalid(charger, evse, tx, why, now)
    elif "idTokenInfo" in response:
        tx.unpaid = None


def _invalid(charger: Charger, evse: Evse, tx: Transaction, why: str, now: float) -> None:
    """The CSMS does not accept the token: the transaction ends, or goes on without power once it has what it may have (E05)."""
    if charger.variables.yes("TxCtrlr.StopTxOnInvalidId"):
        stop(charger, evse, "DeAuthorized", "Deauthorized", f"the CSMS does not accept the token: {why}")
    elif tx.unpaid is None:
        reading = evse.sample.reading
        tx.unpaid = (reading.imported if reading is not None else 0.0) + charger.variables.number("TxCtrlr.MaxEnergyOnInvalidId")
        charger.note(f"EVSE {evse.id}: the CSMS does not accept the token ({why}); it may charge up to {tx.unpaid:g} Wh of the meter")
        update(charger, evse, "Deauthorized", now)


def resume(charger: Charger, evse: Evse, now: float) -> None:
    """Tell that the transaction at an EVSE goes on after a restart of the process; no power flows yet."""
    assert evse.transaction is not None
    evse.transaction.state = "EVConnected"
    arm_sampling(charger, evse, now)
    event(charger, evse, "Updated", "TxResumed", now)


def stop(charger: Charger, evse: Evse, reason: str, trigger: str, text: str) -> None:
    """Ask the session to end; its end then ends the transaction, with `reason` as stoppedReason. `text` is for the session."""
    if evse.transaction is not None:
        evse.transaction.stopping, evse.transaction.stop_trigger = reason, trigger
    charger.tell(evse, StopAsked(text))


def cut(charger: Charger, evse: Evse, reason: str, trigger: str, text: str, now: float) -> None:
    """End a transaction by ending its session first; where no session is there that could (a pause, a cable alone), at once."""
    stop(charger, evse, reason, trigger, text)
    if evse.session is None and evse.transaction is not None:
        finish(charger, evse, reason, trigger, now)


def transaction_status(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetTransactionStatus: whether a transaction goes on, and whether messages about it still wait to be sent."""
    id_ = payload.get("transactionId")
    queued = [call for call in charger.outbox.kept if id_ in (None, call.about)]
    ongoing = {} if id_ is None else {"ongoingIndicator": charger.runs(id_)}
    return ongoing | {"messagesInQueue": bool(queued)}


BLOCK: Final = Block(
    requests={"GetTransactionStatus": transaction_status},
    answers={"TransactionEvent": take_answer},
)
