"""The energy reserve that a car keeps for itself: below it a session discharges nothing, whatever plan or setpoint says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reserve:
    """The reserve as a car stated it last; None where it stated nothing. Energies (Wh) are those still requested; negative: may be taken.

    `counted` is the meter (Wh, net into the car) at that time: energy that has flowed since is subtracted, so that the reserve holds also
    for a car that states it once, as Scheduled control allows. The losses between battery and meter are the car's own margin.
    """

    energy: float | None = None  # EVMinimumEnergyRequest
    v2x_minimum: float | None = None  # EVMinimumV2XEnergyRequest
    v2x_maximum: float | None = None  # EVMaximumV2XEnergyRequest
    soc: float | None = None  # %
    minimum_soc: float | None = None  # %
    counted: float | None = None  # None: there was no reading yet

    def heard(
        self,
        net: float | None,
        *,
        energy: float | None = None,
        v2x_minimum: float | None = None,
        v2x_maximum: float | None = None,
        soc: float | None = None,
        minimum_soc: float | None = None,
    ) -> "Reserve":
        """The reserve after the car stated new values; None keeps the former one. `net` (Wh) is the meter now, None without a meter."""
        gone = 0.0 if net is None or self.counted is None else net - self.counted
        return Reserve(
            _newer(energy, self.energy, gone),
            _newer(v2x_minimum, self.v2x_minimum, gone),
            _newer(v2x_maximum, self.v2x_maximum, gone),
            self.soc if soc is None else soc,
            self.minimum_soc if minimum_soc is None else minimum_soc,
            self.counted if net is None else net,
        )

    def bars(self, net: float | None) -> bool:
        """Whether the reserve forbids to discharge; `net` (Wh) is the meter now, None without a meter."""
        now = self if net == self.counted else self.heard(net)
        if now.energy is not None and now.energy >= 0:
            return True
        if (now.v2x_minimum is not None and now.v2x_minimum >= 0) or (now.v2x_maximum is not None and now.v2x_maximum < 0):
            return True
        if now.soc is None or now.minimum_soc is None:
            return False
        # whole percents: where the car has told its energy to the watt hour, that decides on the last of them
        return now.soc < now.minimum_soc or (now.energy is None and now.soc <= now.minimum_soc)


def _newer(said: float | None, before: float | None, gone: float) -> float | None:
    return said if said is not None else before - gone if before is not None else None
