"""Limits of a transaction (E16 of OCPP 2.1): taken from the CSMS, told when they hold, and the end of the session that reaches one."""

from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block
from ocpp_bridge.blocks import billing, transactions
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.transaction_limit import REACHED, TransactionLimit
from ocpp_bridge.model.variables import LIST, Row
from ocpp_bridge.smart import steering


def _present(charger: Charger, evse: Evse) -> TransactionLimit | None:
    """The limit of the transaction that runs at an EVSE; one of a transaction that is over is forgotten."""
    limit, tx = evse.limit, evse.transaction
    if limit is None or (tx is not None and limit.transaction == tx.id):
        return limit
    if not charger.runs(limit.transaction):  # nor waits for its car after a restart
        evse.limit = None
        charger.keep(f"limit/{evse.id}", None)
    return None


def _withheld(evse: Evse) -> bool:
    """Whether a transaction has had what its token, which is not accepted, may have [E05.FR.03]."""
    tx, reading = evse.transaction, evse.sample.reading
    if tx is None or tx.unpaid is None:
        return False
    return tx.spent or tx.unpaid <= 0.0 if reading is None else reading.imported >= tx.unpaid


def _tick(charger: Charger, now: float) -> None:
    for evse in charger.evses.values():
        if evse.transaction is not None and evse.transaction.spent != (spent := _withheld(evse)):
            evse.transaction.spent = spent
            steering.steer(charger, evse, now)
        limit, moment = _present(charger, evse), _moment(charger, evse)
        if limit is None or moment is None or now < moment:
            continue
        evse.limit_look = now + billing.LOOK  # also a CSMS that says another limit in each answer is told no more often
        if not limit.told:
            limit.told = True
            transactions.update(charger, evse, "LimitSet", now, info={"transactionLimit": limit.values})
        if not limit.over and (name := _reached(charger, evse, limit, now)):
            limit.over = True
            trigger, reason = REACHED[name]
            transactions.update(charger, evse, trigger, now)
            transactions.stop(charger, evse, reason, trigger, f"the transaction has reached its {name} of {limit.values[name]:g}")
        charger.keep(f"limit/{evse.id}", {"transaction": limit.transaction, "values": limit.values, "told": limit.told, "over": limit.over})


def _reached(charger: Charger, evse: Evse, limit: TransactionLimit, now: float) -> str:
    tx, sample = evse.transaction, evse.sample
    assert tx is not None
    billing.settle(charger, evse, now)
    cost = float(evse.account.owed) if evse.account is not None else tx.cost
    energy = None if sample.reading is None or tx.first is None else sample.reading.imported - tx.first
    soc = sample.report.soc if sample.report is not None else None
    return limit.reached(cost=cost, energy=energy, time=charger.clock.wall(now) - billing.begun(charger, tx), soc=soc)


def _moment(charger: Charger, evse: Evse) -> float | None:
    """When the limit of an EVSE is looked at next (monotonic s): the end of its time, and before that the meter now and then."""
    limit, tx = evse.limit, evse.transaction
    if limit is None or tx is None or (limit.over and limit.told):
        return None
    if "maxTime" not in limit.values or limit.over:
        return evse.limit_look
    return min(evse.limit_look, charger.clock.now(billing.begun(charger, tx) + limit.values["maxTime"]))


def _due(charger: Charger) -> float | None:
    moments = [_moment(charger, evse) for evse in charger.evses.values()]
    moments += [0.0 for evse in charger.evses.values() if evse.transaction is not None and evse.transaction.spent != _withheld(evse)]
    return min((moment for moment in moments if moment is not None), default=None)


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    for name, saved in kept.items():
        place = int(name.partition("/")[2])
        if place in charger.evses:
            charger.evses[place].limit = TransactionLimit(**saved)


BLOCK: Final = Block(
    due=_due,
    tick=_tick,
    keeps="limit",
    restore=_restore,
    variables=(Row("TxCtrlr", "SupportedLimits", ",".join(REACHED), LIST, values=tuple(REACHED)),),
)
