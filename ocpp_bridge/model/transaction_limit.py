"""Limits of a transaction (OCPP 2.1, E16): how much it may cost, take, last and fill the battery, and whether that is reached (pure)."""

from dataclasses import dataclass
from typing import Final

from ocpp_bridge.wire.schemas import Payload

REACHED: Final = {  # limit -> triggerReason, stoppedReason (OCPP names none for the cost)
    "maxCost": ("CostLimitReached", "LocalOutOfCredit"),
    "maxEnergy": ("EnergyLimitReached", "EnergyLimitReached"),
    "maxTime": ("TimeLimitReached", "TimeLimitReached"),
    "maxSoC": ("SoCLimitReached", "SOCLimitReached"),
}


@dataclass(slots=True)
class TransactionLimit:
    """What a transaction is limited to. What is not known yet reaches no limit."""

    transaction: str
    values: Payload  # TransactionLimitType
    told: bool = False  # the CSMS knows that it holds
    over: bool = False  # the session was asked to end

    def reached(self, *, cost: float | None, energy: float | None, time: float, soc: float | None) -> str:
        """The name of a limit that is reached by cost (currency), energy (Wh), time (s) or state of charge (%); empty: none is."""
        for name, value in (("maxTime", time), ("maxEnergy", energy), ("maxCost", cost), ("maxSoC", soc)):
            if name in self.values and value is not None and value >= self.values[name]:
                return name
        return ""
