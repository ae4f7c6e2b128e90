"""What the owner of a payment terminal tells a station and hears of it (C18 to C23 of OCPP 2.1)."""

from ocpp_bridge.blocks import payments
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.payments import Judged, Settlement


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
