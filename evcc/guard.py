"""What a car tolerates of a DC station: every measurement is compared with the car's limits, its reserve, and what it asked for.

Beyond the car's limits, or in reverse in a service that only charges, nothing is tolerated but the error of an instrument. A current above
the one asked for is tolerated for the time of a ramp; a station may always give less, as its limits and schedule demand.
"""

from evcc.ev import Inlet
from v2g.session.errors import PeerUnsafe

# A station's instruments and control err by 2.5 A, by 5 % of larger currents, and by 2 % of a voltage. One beyond, and it is no error.
CURRENT_ERROR, CURRENT_SHARE, VOLTAGE_SHARE, POWER_SHARE = 2.5, 0.05, 0.02, 0.10
RAMP = 20.0  # A/s; slower than any station takes current back
REACTION = 2.0  # s beyond what was asked for, ramp included, until it is no delay any more
RESERVE_SHARE = 0.01  # of the capacity; as far below its reserve a battery may come by a late loop
RESERVE_LOOPS = 3  # in a row; the first two may show what flowed before the car said that it gives nothing


class Guard:
    """Checks the measurements of one DC energy service. Currents in A, positive into the car."""

    def __init__(self, own: Inlet, bidirectional: bool):
        self.own, self.bidirectional = own, bidirectional
        self.lowest = self.highest = 0.0  # A, what may flow: as asked for, and what a ramp has left of what was asked for before
        self._asked = (0.0, 0.0)
        self._at: float | None = None  # s, last measurement
        self._beyond: float | None = None  # s, since when the current is not what was asked for
        self._drained = 0  # loops in a row in which a battery below its reserve was discharged

    def ask(self, lowest: float, highest: float) -> None:
        """Note that from now on the station may give currents (A) from `lowest` to `highest`."""
        self._asked = min(lowest, 0.0), max(highest, 0.0)
        self.lowest, self.highest = min(self.lowest, self._asked[0]), max(self.highest, self._asked[1])

    def voltage(self, volts: float) -> None:
        """Raise PeerUnsafe for a voltage (V) that is too high for the inlet."""
        if not -VOLTAGE_SHARE * self.own.voltage <= volts <= (1 + VOLTAGE_SHARE) * self.own.voltage:
            raise PeerUnsafe(f"the station puts {volts:g} V on an inlet of {self.own.voltage:g} V", None, "voltage")

    def measured(self, volts: float, amperes: float, now: float, below_reserve: float) -> None:
        """Check a measurement at `now` (s). Raises PeerUnsafe where the station gives too much, or too long what the car did not ask for.

        `below_reserve` is how far the battery is below its reserve, as a share of its capacity.
        """
        self.voltage(volts)
        self._within_own(volts, amperes)
        self._drained = self._drained + 1 if amperes < -CURRENT_ERROR and below_reserve > RESERVE_SHARE else 0
        if self._drained >= RESERVE_LOOPS:
            raise PeerUnsafe(f"the station discharges with {-amperes:g} A a battery that is below its reserve", None, "current")
        self._as_asked(amperes, now)

    def _within_own(self, volts: float, amperes: float) -> None:
        own, back = self.own, amperes < 0
        if back and not self.bidirectional:
            if amperes < -CURRENT_ERROR:
                raise PeerUnsafe(f"the station discharges with {-amperes:g} A in a service that only charges", None, "current")
            return
        most, power = (own.discharge_current, own.discharge_power) if back else (own.charge_current, own.charge_power)
        if abs(amperes) > most + slack(most):
            raise PeerUnsafe(f"{amperes:g} A flow through an inlet of {'-' if back else ''}{most:g} A", None, "current")
        if abs(amperes) > CURRENT_ERROR and abs(volts * amperes) > power * (1 + POWER_SHARE) + CURRENT_ERROR * own.voltage:
            raise PeerUnsafe(f"{volts * amperes:.0f} W flow through an inlet of {'-' if back else ''}{power:g} W", None, "current")

    def _as_asked(self, amperes: float, now: float) -> None:
        fallen = RAMP * (now - self._at) if self._at is not None else 0.0
        self._at = now
        self.lowest = min(self._asked[0], self.lowest + fallen)
        self.highest = max(self._asked[1], self.highest - fallen)
        if self.lowest - slack(self.lowest) <= amperes <= self.highest + slack(self.highest):
            self._beyond = None
            return
        self._beyond = now if self._beyond is None else self._beyond
        if now - self._beyond >= REACTION:
            lowest, highest = self._asked
            raise PeerUnsafe(
                f"{amperes:g} A flow, asked for were {lowest:g} to {highest:g} A, for {now - self._beyond:.1f} s", None, "current"
            )


def slack(amperes: float) -> float:
    """The error (A) that is allowed between a measured current and the one that was meant."""
    return max(CURRENT_ERROR, CURRENT_SHARE * abs(amperes))
