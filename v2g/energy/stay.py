"""A stay: all that the scheduler reads about one car at one site, cut into intervals over which nothing changes."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from v2g.energy.needs import Needs
from v2g.energy.prices import DAY, expected_prices
from v2g.energy.series import SECONDS_PER_HOUR, Series
from v2g.energy.signal import Kind, Signal
from v2g.energy.site import Site

RESOLUTION = 900.0  # s; the market's quarter of an hour. Longer intervals would leave idle what a minimum power or a cap breaks up
HORIZON = 86_400.0  # s; planned for a car that names no departure where no prices tell how far we see
HORIZON_MAXIMUM = 2 * DAY  # s; beyond tomorrow prices are a guess, and a plan is made anew long before. The target is wanted by then
POWER_BOUND = 1e7  # W; above the largest charger (MCS: 3.75 MW). Larger numbers come from nonsense and would only spoil the arithmetic
ENERGY_BOUND = 1e8  # Wh; likewise
TOLERANCE = 1e-3  # W, Wh; closer than this to a limit is at it: rounding must not make a round power crooked


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of time over which caps, prices and setpoint are constant. A cap is a magnitude: 0, or at least the car's minimum power."""

    start: float  # epoch s, whole
    duration: float  # s, whole
    charge_cap: float  # W
    charge_by: tuple[str, ...]  # ids of what makes the cap
    discharge_cap: float  # W
    discharge_by: tuple[str, ...]
    import_price: float  # currency/kWh
    export_price: float  # currency/kWh
    setpoint: float | None = None  # W, signed, within the caps
    setpoint_by: str = ""

    @property
    def hours(self) -> float:
        """Length of the interval in h."""
        return self.duration / SECONDS_PER_HOUR

    def without_discharge(self) -> "Interval":
        """The interval in which the car may only charge."""
        wish = None if self.setpoint is None else max(self.setpoint, 0.0)
        return replace(self, discharge_cap=0.0, discharge_by=("charge only",), setpoint=wish)


@dataclass(frozen=True, slots=True)
class Stay:
    """A car's stay at a site. Energies are in Wh in the battery, counted from the state at `start`."""

    start: float  # epoch s
    intervals: tuple[Interval, ...]
    target: float  # at the end; infinite: as much as possible
    ceiling: float  # >= 0
    lower: float  # <= 0, never crossed
    floor: float  # where > 0: to be reached as fast as possible and kept from then on
    v2x_lower: float  # the car discharges only above this; -inf where `lower` is the stricter limit
    v2x_upper: float  # the car discharges only below this; inf where that is a full battery, so that an overfull one may discharge
    charge_minimum: float  # W; with this or not at all
    discharge_minimum: float  # W
    efficiency_charge: float
    efficiency_discharge: float
    wear_cost: float  # currency per kWh metered out
    currency: str
    priced_until: float  # epoch s; from here on prices are assumed

    @property
    def until(self) -> float:
        """The end of the stay (epoch s)."""
        return self.intervals[-1].start + self.intervals[-1].duration if self.intervals else self.start

    def stored(self, power: float, hours: float) -> float:
        """The Wh that the battery gains (negative: loses) in `hours` (h) at a metered power (W, signed)."""
        return power * hours * (self.efficiency_charge if power > 0 else 1.0 / self.efficiency_discharge)

    def metered(self, gain: float, hours: float) -> float:
        """The metered power (W, signed) at which the battery gains `gain` (Wh) in `hours` (h)."""
        return gain / hours / (self.efficiency_charge if gain > 0 else 1.0 / self.efficiency_discharge)

    def fastest(self) -> list[float]:
        """The Wh stored at the start and after each interval when the car charges with all that the caps allow."""
        energy, reached, ceiling, kept = 0.0, [0.0], self.ceiling, self.efficiency_charge
        for interval in self.intervals:
            energy = min(energy + interval.charge_cap * (interval.duration / SECONDS_PER_HOUR) * kept, ceiling)
            reached.append(energy)
        return reached

    def lowest(self) -> list[float]:
        """The least Wh that the battery must hold at the start and after each interval; below the floor, what fastest charging reaches."""
        return [min(self.floor, energy) for energy in self.fastest()] if self.floor > 0 else [self.lower] * (len(self.intervals) + 1)

    def followed(self, powers: Sequence[float]) -> tuple[list[float], list[float]]:
        """The powers (W, signed) as far as caps, minimum powers and battery allow, and the Wh stored at the start and after each
        interval.

        A solver keeps bounds within its tolerance; what leaves this function keeps those of power exactly, of the battery to `TOLERANCE`.
        """
        energy, energies, kept, ceiling = 0.0, [0.0], [], self.ceiling
        into, out = self.efficiency_charge, 1.0 / self.efficiency_discharge  # as in `metered` and `stored`: this is the loop of all plans
        least_powers = self.charge_minimum > 0 or self.discharge_minimum > 0
        for interval, low, power in zip(self.intervals, self.lowest()[1:], powers, strict=True):
            hours = interval.duration / SECONDS_PER_HOUR
            most = min(interval.charge_cap, (max(ceiling - energy, 0.0) + TOLERANCE) / hours / into)
            least = max(-interval.discharge_cap, (min(low - energy, 0.0) - TOLERANCE) / hours / out)
            power = min(max(power, least), most)
            if least_powers:
                power = self.feasible(power, least, most)
            elif -TOLERANCE <= power <= TOLERANCE:
                power = 0.0
            energy = min(energy + power * hours * (into if power > 0 else out), ceiling)
            energies.append(energy)
            kept.append(power)
        return kept, energies

    def feasible(self, power: float, least: float, most: float) -> float:
        """A power (W, signed) that the car can draw: 0, or at least its minimum power.

        One that just misses the minimum is raised to it if `most` (for discharging, `least`) leaves room.
        """
        if abs(power) <= TOLERANCE:
            return 0.0
        minimum = self.charge_minimum if power > 0 else self.discharge_minimum
        if abs(power) >= minimum:
            return power
        room = most if power > 0 else -least
        return math.copysign(minimum, power) if minimum - abs(power) <= TOLERANCE * minimum and minimum <= room else 0.0

    def without_discharge(self) -> "Stay":
        """The stay in which the car may only charge."""
        return replace(self, intervals=tuple(interval.without_discharge() for interval in self.intervals))

    def coarsened(self, cuts: Sequence[int]) -> "Stay":
        """The stay in fewer intervals: each reaches from one of `cuts` to the next (indices; the first is 0, the last the number of all).

        A cap is the lowest of the intervals joined. A price is their mean over time, so the cash of a constant power stays exact.
        """
        return replace(self, intervals=tuple(_joined(self.intervals[a:b]) for a, b in pairwise(cuts)))


def _joined(parts: Sequence[Interval]) -> Interval:
    if len(parts) == 1:
        return parts[0]
    duration = math.fsum(part.duration for part in parts)
    charge, discharge = min(p.charge_cap for p in parts), min(p.discharge_cap for p in parts)
    told = all(part.setpoint is not None for part in parts)
    mean = math.fsum((part.setpoint or 0.0) * part.duration for part in parts) / duration
    return Interval(
        start=parts[0].start,
        duration=duration,
        charge_cap=charge,
        charge_by=_unique(name for part in parts if part.charge_cap == charge for name in part.charge_by),
        discharge_cap=discharge,
        discharge_by=_unique(name for part in parts if part.discharge_cap == discharge for name in part.discharge_by),
        import_price=math.fsum(part.import_price * part.duration for part in parts) / duration,
        export_price=math.fsum(part.export_price * part.duration for part in parts) / duration,
        setpoint=min(max(mean, -discharge), charge) if told else None,
        setpoint_by=parts[0].setpoint_by if told else "",
    )


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


# --- from needs, site and signals ---


def stay_of(needs: Needs, site: Site, now: float, signals: Sequence[Signal] = ()) -> Stay:
    """The stay from `now` (epoch s, cut down to a whole second) to the departure, in whole seconds as schedules on the wire are.

    No departure: as far as the import prices reach, else `HORIZON`; never further than `HORIZON_MAXIMUM`. A departure that is over gives a
    stay of no intervals. Prices are needed on both sides: without import prices neither counts, and money decides nothing.
    """
    start = float(math.floor(now))
    full = needs.v2x_maximum is not None and needs.energy_maximum is not None and needs.v2x_maximum >= needs.energy_maximum
    imports = site.import_prices or Series(start)
    exports = site.export_prices if site.import_prices and site.export_prices else Series(start)
    until = _end(needs, imports, start)
    edges = _edges((imports, exports), (site.import_limit, site.export_limit, *_own(needs), *(s.power for s in signals)), start, until)
    return Stay(
        start=start,
        intervals=_intervals(needs, site, signals, edges, (imports.map(lambda price: price * site.tariff.energy_tax), exports)),
        target=needs.target if math.isinf(needs.target) else _bounded(needs.target),
        ceiling=_bounded(needs.ceiling),
        lower=_bounded(needs.lower),
        floor=_bounded(needs.floor),
        v2x_lower=_bounded(needs.v2x_minimum) if needs.v2x_minimum is not None and needs.v2x_minimum > 0 else -math.inf,
        v2x_upper=_bounded(needs.v2x_maximum) if needs.v2x_maximum is not None and not full else math.inf,
        charge_minimum=max(needs.charge_minimum, 0.0),
        discharge_minimum=max(needs.discharge_minimum, 0.0),
        efficiency_charge=site.efficiency_charge,
        efficiency_discharge=site.efficiency_discharge,
        wear_cost=site.wear_cost,
        currency=site.currency,
        priced_until=min(max(imports.until, start), until),
    )


def _own(needs: Needs) -> tuple[Series, ...]:
    """The series of the car's own that bound its power."""
    return (needs.energy_offer.power, needs.energy_offer.price) if needs.energy_offer is not None else ()


def _bounded(energy: float) -> float:
    return min(max(energy, -ENERGY_BOUND), ENERGY_BOUND)


def _end(needs: Needs, imports: Series, start: float) -> float:
    if needs.departure is not None:
        until = max(float(math.floor(needs.departure)), start)
    else:
        until = float(math.floor(imports.until)) if imports.until >= start + RESOLUTION else start + HORIZON
    return min(until, start + HORIZON_MAXIMUM)


def _edges(prices: Iterable[Series], limits: Iterable[Series | float], start: float, until: float) -> list[float]:
    """Whole seconds between which nothing changes, but for changes within a second, which get that second to themselves."""
    days = range(math.ceil(-HORIZON_MAXIMUM / DAY), math.ceil(HORIZON_MAXIMUM / DAY) + 1)  # assumed prices change when known ones did
    changes = {edge + day * DAY for series in prices for edge in series.edges() if series.steps for day in days}
    changes |= {edge for limit in limits if isinstance(limit, Series) for edge in limit.edges()}
    whole = {float(side(change)) for change in changes for side in (math.floor, math.ceil)}
    first = math.floor(start / RESOLUTION) + 1
    quarters = (i * RESOLUTION for i in range(first, math.ceil(until / RESOLUTION)))
    return sorted({start, until, *quarters, *(edge for edge in whole if start < edge < until)})


Cap = tuple[float, tuple[str, ...]]  # W, and the ids of those who set it
Wish = tuple[float | None, str]  # W, and whose it is


def _intervals(
    needs: Needs, site: Site, signals: Sequence[Signal], edges: Sequence[float], prices: tuple[Series, Series]
) -> tuple[Interval, ...]:
    starts, ends = edges[:-1], [edge - 0.001 for edge in edges[1:]]
    own = (_bound_power(needs.charge_maximum), "ev.charge_maximum")
    own_out = (_bound_power(needs.discharge_maximum), "ev.discharge_maximum") if needs.bidirectional else (0.0, "ev.bidirectional")
    charge = _caps(Kind.IMPORT_CAP, own, site.import_limit, signals, starts, ends)
    discharge = _caps(Kind.EXPORT_CAP, own_out, site.export_limit, signals, starts, ends)
    costs, gains = (expected_prices(series, starts) for series in prices)
    if needs.energy_offer is not None:
        asked = needs.energy_offer.asked(site.currency, starts, ends)
        discharge = [_given(cap, gain, *ask) for cap, gain, ask in zip(discharge, gains, asked, strict=True)]
    flows = (_steered(needs, *each) for each in zip(charge, discharge, setpoints(signals, starts), strict=True))
    return tuple(
        Interval(start, end - start, *into, *out, cost, gain, *wish)
        for (start, end), (into, out, wish), cost, gain in zip(pairwise(edges), flows, costs, gains, strict=True)
    )


def _given(cap: Cap, gain: float, power: float, price: float) -> Cap:
    """The cap on what the car gives back: what it offers, and nothing for less than it asks."""
    most = power if gain >= price else 0.0
    return (most, ("ev.energy_offer",)) if most < cap[0] else cap


def _steered(needs: Needs, charge: Cap, discharge: Cap, wish: Wish) -> tuple[Cap, Cap, Wish]:
    """The caps beside a setpoint, and the setpoint within the caps.

    What falls short of a setpoint lies between 0 and it: nobody gets the contrary of what he asked for now so as to serve him better later.
    Only a reserve may be charged past it. A cap below the car's minimum power is none it can use: 0.
    """
    power, who = wish
    if power is not None:
        power = min(max(power, -discharge[0]), charge[0])
        if needs.floor <= 0 and power < charge[0]:
            charge = (max(power, 0.0), (who,))
        if -power < discharge[0]:
            discharge = (max(-power, 0.0), (who,))
    if charge[0] < needs.charge_minimum:
        charge = (0.0, (*charge[1], "ev.charge_minimum"))
    if discharge[0] < needs.discharge_minimum:
        discharge = (0.0, (*discharge[1], "ev.discharge_minimum"))
    return charge, discharge, (power, who)


def _bound_power(power: float) -> float:
    return min(max(power, 0.0), POWER_BOUND)


def _caps(
    kind: Kind,
    own: tuple[float, str],
    limit: Series | float,
    signals: Sequence[Signal],
    starts: Sequence[float],
    ends: Sequence[float],
) -> list[Cap]:
    """The lowest cap of each interval and all who set it. A limit of the site holds on beyond its series, a signal does not."""
    name = "site.import_limit" if kind is Kind.IMPORT_CAP else "site.export_limit"
    sources = [(name, _held(limit, starts, ends))] if isinstance(limit, Series) else [(name, [limit] * len(starts))]
    sources += [(s.id, _lower(s.power.sample(starts), s.power.sample(ends))) for s in signals if s.kind is kind]
    if len(sources) == 1 and not isinstance(limit, Series):
        lowest = min(own[0], limit)
        return [(lowest, tuple(source for value, source in (own, (limit, name)) if value == lowest))] * len(starts)
    caps = []
    for place in range(len(starts)):
        named = [(own[0], own[1]), *((values[place], source) for source, values in sources)]
        lowest = min(value for value, _ in named)
        caps.append((lowest, tuple(source for value, source in named if value == lowest)))
    return caps


def _lower(a: Iterable[float | None], b: Iterable[float | None]) -> list[float]:
    return [min(math.inf if x is None else x, math.inf if y is None else y) for x, y in zip(a, b, strict=True)]


def _held(limit: Series, starts: Sequence[float], ends: Sequence[float]) -> list[float]:
    if not limit.steps:
        return [math.inf] * len(starts)
    last = limit.until - limit.steps[-1].duration / 2
    inside = [[min(max(t, limit.start), last) for t in times] for times in (starts, ends)]
    return _lower(limit.sample(inside[0]), limit.sample(inside[1]))


def setpoints(signals: Sequence[Signal], starts: Sequence[float]) -> list[Wish]:
    """The setpoint of each interval and whose it is: of those that speak, the first in rank."""
    wishes: list[Wish] = [(None, "")] * len(starts)
    for signal in sorted((s for s in reversed(signals) if s.kind is Kind.SETPOINT), key=lambda s: s.rank, reverse=True):
        heard = zip(signal.power.sample(starts), wishes, strict=True)
        wishes = [(value, signal.id) if value is not None else before for value, before in heard]
    return wishes
