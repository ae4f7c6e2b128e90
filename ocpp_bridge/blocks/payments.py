"""Payments at the station (C18 to C25 of OCPP 2.1): an EVSE that is held for who pays by a web page, and what a payment terminal tells.

The terminal is its owner's: he tells what it let through (`pay`), that it covers more (`cover`), what became of it (`settle`).
"""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block
from ocpp_bridge.blocks import authorization, reservation
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.payments import HELD_MAXIMUM, Judged, Settlement, VatVerdict, vat_question
from ocpp_bridge.model.transaction_limit import TransactionLimit
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload

# --- by a web page ---


def web_payment_started(charger: Charger, payload: Payload, now: float) -> Payload:
    """NotifyWebPaymentStarted (C25): hold an EVSE for who pays for it, until RequestStartTransaction or the time is over.

    0 s lets it go. Raises ValueError for an EVSE that is not there: the answer has no words for it.
    """
    evse = charger.evses.get(payload["evseId"])
    if evse is None or payload["timeout"] < 0:
        raise ValueError(
            f"EVSE {payload['evseId']} for {payload['timeout']} s: there are {', '.join(map(str, charger.evses))}, times from 0 s"
        )
    if not (seconds := min(payload["timeout"], HELD_MAXIMUM)):
        let_go(charger, evse.id)
        return {}
    charger.payments.held[evse.id] = now + seconds
    charger.keep(f"payment/{evse.id}", charger.wall(now) + seconds)
    charger.note(f"EVSE {evse.id}: held for {seconds} s for who pays by a web page")
    return {}


def let_go(charger: Charger, evse: int) -> None:
    """Hold an EVSE for no payment any more; nothing where it is not held."""
    if charger.payments.held.pop(evse, None) is not None:
        charger.keep(f"payment/{evse}", None)
        charger.note(f"EVSE {evse}: not held for a payment any more")


# --- by a terminal ---


def pay(charger: Charger, evse: Evse, reference: str, now: float, amount: float | None = None) -> str:
    """Let the next car at an EVSE, or the one that waits there, charge by a payment that a terminal let through (C18).

    `amount` is the most that it may cost. Returns why the EVSE takes no payment now; empty: it has taken it. ValueError for no reference.
    """
    if not 1 <= len(reference) <= 255:
        raise ValueError(f"a payment reference of {len(reference)} characters: give 1 to 255")
    token: Payload = {"idToken": reference, "type": "DirectPayment"}
    if why := reservation.objection(charger, evse, token, ""):
        return why
    if evse.presented is not None or evse.remote is not None or "Authorized" in evse.conditions or not evse.operative:
        return f"EVSE {evse.id} is out of service, in use, or waits for the car of another"
    charger.payments.taken[evse.id] = reference, amount
    evse.presented, evse.presented_due = token, now + charger.variables.number("TxCtrlr.EVConnectionTimeOut")
    authorization.proceed(charger, evse, now)
    return ""


def cover(charger: Charger, evse: Evse, amount: float, now: float) -> bool:
    """Let the transaction at an EVSE cost as much as `amount` in all, because the terminal was granted more (C23). False: none runs."""
    tx = evse.transaction
    if tx is None or evse.session is None or evse.session.token is None or not 0 <= amount < float("inf"):
        return False
    values = evse.limit.values if evse.limit is not None and evse.limit.transaction == tx.id else {}
    evse.limit, evse.limit_look = TransactionLimit(tx.id, values | {"maxCost": amount}), 0.0
    return True


def settle(charger: Charger, settlement: Settlement) -> None:
    """Tell the CSMS what became of a payment (C19 to C22), however long it is away. ValueError for what cannot be told."""
    charger.call("NotifySettlement", settlement.payload(charger.skew), kept=True, about=settlement.reference)


def validate_vat(charger: Charger, number: str, evse: int | None, judged: Judged) -> None:
    """Ask the CSMS whose VAT number that is; `judged` hears its verdict, or None where it gives none. ValueError for what is no number."""
    if not charger.call("VatNumberValidation", vat_question(number, evse), about=judged, urgent=True):
        judged(None)


def _settled(charger: Charger, call: Call, response: Payload, now: float) -> None:
    told: Payload = {name: response[name] for name in ("receiptId", "receiptUrl") if name in response}
    charger.note(f"the CSMS has the settlement of {call.about}" + (f", receipt {' '.join(told.values())}" if told else ""))
    if charger.payments.receipt is not None:
        charger.payments.receipt(str(call.about), told)


def _judged(charger: Charger, call: Call, response: Payload, now: float) -> None:
    call.about(VatVerdict.of(response))


def _unjudged(charger: Charger, call: Call, code: str, now: float) -> None:
    charger.note(f"the CSMS says nothing of a VAT number: {code}")
    call.about(None)


# --- time ---


def _begun(evse: Evse, reference: str) -> bool:
    """Whether a car charges by that payment."""
    token = evse.session.token if evse.session is not None else None
    return token is not None and token["idToken"] == reference


def _ripe(charger: Charger) -> list[int]:
    """The EVSEs whose payment is used, or whose car did not come."""
    waiting = charger.payments.taken.items()
    return [id_ for id_, (reference, _) in waiting if charger.evses[id_].presented is None or _begun(charger.evses[id_], reference)]


def _tick(charger: Charger, now: float) -> None:
    for id_ in [id_ for id_, until in charger.payments.held.items() if now >= until]:
        let_go(charger, id_)
    for id_ in _ripe(charger):
        evse, (reference, amount) = charger.evses[id_], charger.payments.taken[id_]
        if evse.session is not None and evse.session.authorization is not None and not _begun(evse, reference):
            continue  # it is about to be judged
        del charger.payments.taken[id_]
        if not _begun(evse, reference):
            charger.note(f"EVSE {id_}: nothing was charged by payment {reference}")
            if charger.payments.given_up is not None:
                charger.payments.given_up(reference)
        elif amount is not None:
            cover(charger, evse, amount, now)


def _due(charger: Charger) -> float | None:
    return 0.0 if _ripe(charger) else min(charger.payments.held.values(), default=None)


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    for name, until in kept.items():
        if (id_ := int(name.partition("/")[2])) in charger.evses:
            charger.payments.held[id_] = charger.moment(until)


BLOCK: Final = Block(
    requests={"NotifyWebPaymentStarted": web_payment_started},
    answers={"NotifySettlement": _settled, "VatNumberValidation": _judged},
    failures={"VatNumberValidation": _unjudged},
    due=_due,
    tick=_tick,
    keeps="payment",
    restore=_restore,
)
