"""The shell by which the owner of a payment terminal speaks to a station: `ChargePoint` has its words."""

import asyncio
from typing import Protocol

from ocpp_bridge.model.payments import Settlement, VatVerdict
from ocpp_bridge.payment_terminal import PaymentTerminal


class Shell(Protocol):
    """What runs a bridge."""

    @property
    def bridge(self) -> PaymentTerminal:
        """The bridge that it runs."""

    def now(self) -> float:
        """The monotonic time (s) of the bridge."""

    def wake(self) -> None:
        """Look at the bridge at once."""


class Cashier:
    """The part of a shell by which it does."""

    def pay(self: Shell, evse: int, reference: str, amount: float | None = None) -> str:
        """Let a car charge by a payment that the terminal let through, for `amount` in all. Why not; empty: it may."""
        why = self.bridge.pay(evse, reference, self.now(), amount)
        self.wake()
        return why

    def cover(self: Shell, evse: int, amount: float) -> bool:
        """Let the transaction at an EVSE cost as much as `amount` in all; False: none runs there."""
        covered = self.bridge.cover(evse, amount, self.now())
        self.wake()
        return covered

    def settle(self: Shell, settlement: Settlement) -> None:
        """Tell the CSMS what became of a payment, once it is there. ValueError for what cannot be told."""
        self.bridge.settle(settlement)
        self.wake()

    async def validate_vat(self: Shell, number: str, evse: int | None = None) -> VatVerdict | None:
        """What the CSMS says of a VAT number; None: nothing. ValueError for what is no number."""
        told: asyncio.Future[VatVerdict | None] = asyncio.get_running_loop().create_future()
        self.bridge.validate_vat(number, lambda verdict: None if told.done() else told.set_result(verdict), evse)
        self.wake()
        return await told
