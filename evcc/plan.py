"""The cheapest plan for one battery within limits and prices over time: exact, without a solver.

The least cost of holding an energy at the end of a slot is a convex polyline over energy. A slot adds two pieces to it (charging at its
buying price, discharging at its selling price) and keeps them sorted by slope; the bounds of the battery cut it at both ends. What lies
left of the final energy on that line is what every slot does. Where selling is dearer than buying in the same slot the pieces would not
be convex (and a battery cannot do both at once): there both count with their mean, which keeps the plan feasible and its cost close to
the best.
"""

from bisect import insort
from dataclasses import dataclass, replace

from evcc.ev import SECONDS_PER_HOUR, Battery

SUBSTEP = 300.0  # s; the taper is integrated in steps of at most this
REFINEMENTS = 4  # each moves energy out of slots that the taper shortens; more change less than a per mille


@dataclass(frozen=True, slots=True)
class Slot:
    """A span of time with constant limits (W, magnitudes) and prices (currency/kWh)."""

    start: float  # epoch s
    until: float
    charge: float
    discharge: float = 0.0
    buy: float = 0.0
    sell: float = 0.0

    @property
    def seconds(self) -> float:
        """The length of the slot (s)."""
        return self.until - self.start


@dataclass(frozen=True, slots=True)
class Bounds:
    """The energies (Wh in the battery) between which a plan stays, and the one at which it should end."""

    bottom: float
    top: float
    target: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The power of each slot (W, negative discharges), the cost of all, and the energy (Wh in the battery) at the end."""

    powers: tuple[float, ...]
    cost: float  # currency
    energy: float


class _Polyline:
    """Pieces (slope, slot, length in Wh) by ascending slope, from the energy `left` on. `taken` are pieces cut off at the left end."""

    def __init__(self, energy: float):
        self.left = self.right = energy
        self._pieces: list[tuple[float, int, float]] = []
        self.taken: dict[int, float] = {}  # slot -> Wh

    def add(self, slope: float, slot: int, length: float, below: bool) -> None:
        """A slot may add (or, `below`, take away) up to `length` at this slope."""
        if length > 0:
            insort(self._pieces, (slope, slot, length))
        self.left -= length if below else 0.0
        self.right += 0.0 if below else length

    def cut(self, lowest: float, highest: float) -> None:
        """Keep the energies from `lowest` to `highest`."""
        self.take(lowest - self.left)
        over = self.right - highest
        while over > 0 and self._pieces:
            slope, slot, length = self._pieces.pop()
            self.right -= min(over, length)
            if length > over:
                self._pieces.append((slope, slot, length - over))
            over -= length

    def take(self, under: float) -> None:
        """Commit to the cheapest `under` Wh: energies to the left of them are given up."""
        while under > 0 and self._pieces:
            slope, slot, length = self._pieces.pop(0)
            part = min(under, length)
            self.taken[slot] = self.taken.get(slot, 0.0) + part
            self.left += part
            if length > under:
                self._pieces.insert(0, (slope, slot, length - under))
            under -= length

    def cheapest(self, target: float) -> float:
        """The energy at or above `target` from which another Wh costs money."""
        free = sum(length for slope, _, length in self._pieces if slope < 0)
        return min(max(self.left + free, target), self.right)


def plan(slots: list[Slot], battery: Battery, energy: float, bounds: Bounds, wear: float = 0.0) -> Plan:
    """The cheapest plan from `energy` (Wh in the battery) to the target, or as near to it as the slots allow.

    Below `bounds.bottom` the battery is charged as fast as the slots allow. `wear` is the cost of a kWh discharged.
    """
    limited = slots
    for _ in range(REFINEMENTS):
        powers = _flat(limited, battery, energy, bounds, wear)
        shortened = _shortened(limited, powers, battery, energy)
        if shortened == limited:
            break
        limited = shortened
    return _tapered(slots, limited, powers, battery, energy, wear)


def _slopes(slot: Slot, battery: Battery, wear: float) -> tuple[float, float]:
    """What a Wh in the battery costs to charge and earns when discharged."""
    charge, discharge = slot.buy / battery.charge_efficiency, (slot.sell - wear) * battery.discharge_efficiency
    both = slot.charge > 0 and slot.discharge > 0
    return ((charge + discharge) / 2,) * 2 if both and discharge > charge else (charge, discharge)


def _flat(slots: list[Slot], battery: Battery, energy: float, bounds: Bounds, wear: float) -> list[float]:
    """The optimum when the limits do not depend on the energy held."""
    line, reach = _Polyline(energy), energy
    room = [(battery.moved(s.charge, s.seconds), -battery.moved(-s.discharge, s.seconds)) for s in slots]
    for index, (slot, (inward, outward)) in enumerate(zip(slots, room, strict=True)):
        charge, discharge = _slopes(slot, battery, wear)
        line.add(charge, index, inward, below=False)
        line.add(discharge, index, outward, below=True)
        reach = min(reach + inward, max(bounds.top, energy))
        line.cut(min(bounds.bottom, reach), max(bounds.top, energy))
    line.take(line.cheapest(bounds.target) - line.left)
    return [_power(line.taken.get(index, 0.0) - room[index][1], slot.seconds, battery) for index, slot in enumerate(slots)]


def _power(moved: float, seconds: float, battery: Battery) -> float:
    """W at the plug that move so many Wh in the battery."""
    return battery.power_to(0.0, moved, seconds) if abs(moved) > 1e-6 else 0.0


def _through(slot: Slot, power: float, battery: Battery, energy: float) -> tuple[float, float]:
    """(energy after the slot, mean power) when the battery limits the power as it fills."""
    steps = max(1, round(slot.seconds / SUBSTEP + 0.499))
    moved = 0.0
    for _ in range(steps):
        now = min(power, battery.ceiling(energy)) if power > 0 else power
        energy = battery.after(energy, now, slot.seconds / steps)
        moved += now / steps
    return energy, moved


def _shortened(slots: list[Slot], powers: list[float], battery: Battery, energy: float) -> list[Slot]:
    """The slots with the charge that the taper leaves of them, where the plan wants more."""
    result = []
    for slot, power in zip(slots, powers, strict=True):
        energy, mean = _through(slot, power, battery, energy)
        result.append(replace(slot, charge=mean) if power - mean > 1.0 else slot)
    return result


def _tapered(slots: list[Slot], limited: list[Slot], powers: list[float], battery: Battery, energy: float, wear: float) -> Plan:
    """The plan as the battery will follow it: a shortened slot starts with the power it can, and fades by itself."""
    shown, cost = [], 0.0
    for slot, short, power in zip(slots, limited, powers, strict=True):
        asked = min(slot.charge, battery.ceiling(energy)) if short != slot and power >= short.charge - 1.0 else power
        energy, mean = _through(slot, asked, battery, energy)
        price = slot.buy if mean > 0 else slot.sell - wear
        cost += mean * slot.seconds / SECONDS_PER_HOUR / 1000.0 * price
        shown.append(asked)
    return Plan(tuple(shown), cost, energy)
