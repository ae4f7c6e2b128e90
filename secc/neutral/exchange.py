"""An exchange of needs for schedules, as every generation has it: when needs are the same, and how long a car is kept waiting."""

from dataclasses import replace
from typing import Any

from secc.neutral.context import Context, Exchange
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer

MOVING = ("energy_target", "energy_maximum", "energy_minimum", "v2x_maximum", "v2x_minimum")
SAME_DEPARTURE = 60.0  # s by which a wish may move and be the same
SAME_ENERGY, SAME_SHARE = 100.0, 0.01  # Wh, or a share of the energy: what a heater takes while the car polls


def overdue(exchange: Exchange, now: float, limit: float) -> bool:
    """Whether the car has polled as long as `limit` (s), counted from its first request."""
    return exchange.asked is not None and now - exchange.asked >= limit


def waiting_offer(needs: Needs, known: Context) -> Offer | None:
    """The offer that came while another bound the car; None if the car wishes something else by now. Energies move with the charge."""
    if known.service.coming is None:
        return None
    offer, before = known.service.coming
    energies: dict[str, Any] = {name: getattr(needs, name) for name in MOVING}
    return offer if equal_needs(needs, replace(before, **energies), known.wall) else None


def equal_needs(a: Needs, b: Needs | None, wall: float) -> bool:
    """Whether needs are equal but for the departure, which a polling car counts down, and energies, which its own consumption changes.

    Every departure before `wall` (epoch s) is the same: there is no time left.
    """
    if b is None:
        return False
    for name in ("departure", *MOVING):
        one, other = getattr(a, name), getattr(b, name)
        if (one is None) != (other is None):
            return False
        if name == "departure" and one is not None and other is not None:
            one, other = max(one, wall), max(other, wall)
        bound = SAME_DEPARTURE if name == "departure" else max(SAME_ENERGY, SAME_SHARE * abs(other or 0.0))
        if one is not None and abs(one - other) >= bound:
            return False
    if (a.energy_offer and a.energy_offer.terms) != (b.energy_offer and b.energy_offer.terms):
        return False
    without: dict[str, Any] = dict.fromkeys(("departure", "energy_offer", *MOVING))
    return replace(a, **without) == replace(b, **without)
