"""What the owner of a payment terminal tells a station and hears of it (C18 to C23 of OCPP 2.1)."""

import asyncio
from typing import Protocol

from ocpp_bridge.blocks import payments
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.payments import Judged, Settlement, VatVerdict


class PaymentTerminal:
    """The part of a bridge that it speaks to; `now` is monotonic s. `Charger.payments` has what its owner hears."""

    charger: Charger

    def pay(self, evse: int, reference: str, now: float, amount: float | None = None) -> str:
        """Let a car charge by a payment that the terminal let through, for `amount` in all. Why not; empty: it may."""
        return payments.pay(self.charger, self.charger.evses[evse], reference, now, amount)

    def cover(self, evse: int, amount: float, now: float) -> bool:
        """Let the transaction at an EVSE cost as much as `amount` in all (incremental authorization); False: none runs there."""
        return payments.cover(self.charger, self.charger.evses[evse], amount, now)

    def settle(self, settlement: Settlement) -> None:
        """Tell the CSMS what became of a payment; it is kept until the CSMS has it. ValueError for what cannot be told."""
        payments.settle(self.charger, settlement)

    def validate_vat(self, number: str, judged: Judged, evse: int | None = None) -> None:
        """Ask the CSMS about a VAT number; `judged` hears the `VatVerdict`, or None where it gives none. ValueError: that is no number."""
        payments.validate_vat(self.charger, number, evse, judged)


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
