"""What a car tolerates of a ground device (WPT): what it says it gives and takes is compared with what the car asked for, and can take."""

from evcc.ev import Inlet
from v2g.session.errors import PeerUnsafe

SHARE, POWER = 0.05, 500.0  # of a power, and W: below this it is control and metering error
LEAST_EFFICIENCY = 0.6  # of a transfer: where more than its reciprocal is put in, not all of it goes to the car
REACTION = 2.0  # s beyond what was asked for, ramp included, until it is no delay any more


class FieldGuard:
    """Checks the powers of one session of WPT (W, positive into the car)."""

    def __init__(self, own: Inlet):
        self.own = own
        self._beyond: float | None = None  # s, since when more is given than was asked for

    def given(self, asked: float, given: float, put_in: float | None, now: float) -> None:
        """Check at `now` (s) what the station says that it gives, where `asked` was asked for, and what its device takes from the mains.

        PeerUnsafe for a power out of the car, for one beyond what the car can take, and for one too long beyond what it asked for.
        """
        for power in (given, put_in or 0.0):
            if power < -POWER:
                raise PeerUnsafe(f"{power:.0f} W flow out of the car in a service that only charges", None)
        most = self.own.charge_power
        if self._more(given, put_in, most):
            raise PeerUnsafe(f"the station gives {given:.0f} W to a device of {most:.0f} W{_by(put_in)}", None)
        if not self._more(given, put_in, asked):
            self._beyond = None
            return
        self._beyond = now if self._beyond is None else self._beyond
        if now - self._beyond >= REACTION:
            over = now - self._beyond
            raise PeerUnsafe(f"the station gives {given:.0f} W, asked for were {asked:.0f} W, for {over:.1f} s{_by(put_in)}", None)

    @staticmethod
    def _more(given: float, put_in: float | None, most: float) -> bool:
        return given > most * (1 + SHARE) + POWER or (put_in or 0.0) > most / LEAST_EFFICIENCY + POWER


def _by(put_in: float | None) -> str:
    return "" if put_in is None else f", and puts in {put_in:.0f} W"
