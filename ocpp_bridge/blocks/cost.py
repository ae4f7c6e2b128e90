"""Tariff and cost (block I): what a transaction costs."""

from typing import Final

from ocpp_bridge.block import Block
from ocpp_bridge.charger import Charger
from ocpp_bridge.wire.schemas import Payload


def cost_updated(charger: Charger, payload: Payload, now: float) -> Payload:
    """CostUpdated: keep what a transaction has cost so far, and tell people."""
    evse = charger.of_transaction(payload["transactionId"])
    if evse is not None and evse.transaction is not None:
        evse.transaction.cost = payload["totalCost"]
        charger.note(f"EVSE {evse.id}: {payload['totalCost']:.2f} so far")
    return {}


BLOCK: Final = Block(requests={"CostUpdated": cost_updated})
