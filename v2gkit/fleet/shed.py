"""From what holds and what cars need to an order for each asset of a site, ranked by tenant, contract and driver's need. Pure.

    answer = answered(question)

Who is shed first is who has most time: of two tenants that of larger rank, of their contracts that of larger rank, of two cars of one
contract the one that can wait. A car that has to charge all the time that is left to it goes before all others of its contract.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.dispatch import Dispatch, dispatch
from v2g.energy.fleet.feeders import TOP, Feeder, Place, tree
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.room import Demand, Memory, Reading
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2gkit.fleet.decision import Answer, Car, Decision, Held, Question, Remembered, Shed, digest

SHORT: Final = 100.0  # W less than wanted, from which on somebody counts as shed
MUST, SOON, LATER = 0, 1, 2  # classes of drivers' needs
SLACK: Final = 1.5  # times the time that is needed: below it a car is served soon
HOUR: Final = 3_600.0


def need(car: Car, at: float) -> int:
    """How urgent a car's need is at `at` (epoch s): MUST charge at full power until it leaves, SOON, or LATER."""
    if car.departure is None or car.missing <= 0 or car.most <= 0:
        return LATER
    needed, left = car.missing / car.most * HOUR, max(car.departure - at, 1.0)
    return MUST if needed >= left else SOON if SLACK * needed >= left else LATER


def ranks(cars: Iterable[Car], at: float) -> dict[str, int]:
    """The rank of each asset: of two the smaller is shed last."""
    keys = {car.asset: (car.tenant_rank, car.contract_rank, need(car, at)) for car in cars}
    order = {key: place for place, key in enumerate(sorted(set(keys.values())))}
    return {asset: order[key] for asset, key in keys.items()}


def answered(question: Question) -> Answer:
    """The orders for a site. The same question has the same answer, on every machine and in every version that says so."""
    place = ranks(question.cars, question.at)
    demands = [
        Demand(
            car.asset,
            car.at,
            car.wanted,
            car.most,
            car.give,
            car.least,
            phases=car.phases,
            rank=place[car.asset],
            measured=None if car.drawn is None else Reading(car.drawn, car.drawn_at),
        )
        for car in question.cars
    ]
    made, memory = dispatch(_ground(question), demands, {}, question.before.memory, question.tick)
    shed = tuple(_shed(question, made))
    return Answer(dict(made.commands), shed, dict(made.over), _remembered(memory))


def decided(question: Question, cause: str) -> Decision:
    """A question with its answer, to be kept."""
    return Decision(digest(question), cause, question, answered(question))


def replayed(decision: Decision) -> bool:
    """Whether the question of a decision has still the answer that was kept."""
    return decision.id == digest(decision.question) and answered(decision.question) == decision.answer


def _ground(question: Question) -> Ground:
    site, tick, held = question.site, question.tick, question.held

    def load(one: Place) -> Series | None:
        name = one.name if isinstance(one, Feeder) else TOP
        power = one.base_load + question.deaf.get(name, 0.0)
        return Series.constant(tick - 1.0, HOUR, power) if power else None

    top: Connection = tree(site, site.feeder, load)
    caps = ((Kind.IMPORT_CAP, held.import_cap), (Kind.EXPORT_CAP, held.export_cap), (Kind.SETPOINT, held.setpoint))
    signals = (Signal(kind.value, kind, Series.constant(tick - 1.0, HOUR, power)) for kind, power in caps if power is not None)
    return Ground(top, signals=tuple(signals))


def _shed(question: Question, made: Dispatch) -> Iterable[Shed]:
    held = question.held
    for car in question.cars:
        given = made.commands[car.asset]
        if given >= car.wanted - SHORT:
            continue
        names = made.bound.get(car.asset, ())
        reasons = [f"limit of {name}" for name in names]
        if held.import_cap is not None and any(name == "grid" for name in names):
            reasons = [f"signal {name}" for name in held.import_by] + reasons[1:]
        if held.setpoint is not None and not names:
            reasons = [f"signal {held.setpoint_by}"]
        yield Shed(car.asset, car.wanted, given, ", ".join(reasons) or "others have not given way yet")


def _remembered(memory: Memory) -> Remembered:
    return Remembered(dict(memory.told), dict(memory.since), dict(memory.turns), tuple(memory.queue), dict(memory.left))


# --- several sites under one limit ---


def allotted(cap: float, wanted: Mapping[str, float], holding: Mapping[str, float]) -> dict[str, float]:
    """The part (W) of an import cap for each site: in proportion to what each would draw; at no time more in all than the cap.

    `wanted` are W by site, its base load with it; `holding` the most that its assets may draw by what they were told. Who shall draw less
    is told so at once; who may draw more gets it as far as the others hold no more than their parts.
    """
    total = math.fsum(max(each, 0.0) for each in wanted.values())
    count = len(wanted)
    parts = {site: cap * (max(each, 0.0) / total if total > 0 else 1.0 / count) for site, each in wanted.items()}
    kept = {site: max(parts[site], holding.get(site, 0.0)) for site in parts}
    whole = math.fsum(kept.values())
    return {
        site: part if holding.get(site, 0.0) >= part else max(min(part, cap - (whole - kept[site])), 0.0) for site, part in parts.items()
    }


def shared_setpoint(setpoint: float, flows: Mapping[str, float], spans: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """The setpoint (W) of each site whose sum is `setpoint`: what lacks to what flows is shared by what each can give or take.

    `spans` are, by site, W that it can draw less and W that it can draw more.
    """
    lacking = setpoint - math.fsum(flows.values())
    room = {site: spans[site][0 if lacking < 0 else 1] for site in flows}
    total = math.fsum(room.values())
    return {site: flow + (lacking * room[site] / total if total > 0 else 0.0) for site, flow in flows.items()}


# --- after a limit ---


class Rebound:
    """How power comes back after a limit is over: not at once, but within `seconds`, so that there is no second peak."""

    STEPS: Final = 12

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: float | None = None  # W of the cap that held last
        self._since: tuple[float, float] | None = None  # epoch s, W from which it rises

    def cap(self, held: float | None, most: float, now: float) -> float | None:
        """The cap (W) that holds at `now` (epoch s) where signals say `held` and the connection admits `most`; None: none but that."""
        wanted = most if held is None else min(held, most)
        before = self._now(now)
        if before is None and self._last is not None and wanted > self._last + 1.0:
            self._since = now, self._last
            before = self._now(now)
        self._last = held
        if before is None or wanted <= before:
            if before is not None:
                self._since = None
            return held
        begun, low = self._since if self._since is not None else (now, before)
        done = math.floor((now - begun) / self._seconds * self.STEPS) / self.STEPS
        return low + (wanted - low) * done

    def _now(self, now: float) -> float | None:
        """W to which the cap has risen by itself at least; None: nothing rises."""
        if self._since is None:
            return None
        if self._seconds <= 0 or now >= self._since[0] + self._seconds:
            self._since = None
            return None
        return self._since[1]


def wanted_now(car: Car, at: float) -> float:
    """W that a car without a plan draws: all it can while it misses anything."""
    return car.most if car.missing > 0 or need(car, at) is MUST else 0.0


def held_by(standing_caps: tuple[float, float], by: tuple[tuple[str, ...], tuple[str, ...]], setpoint: float | None, asked_by: str) -> Held:
    """What holds, of caps that may be infinite."""
    import_cap, export_cap = (cap if math.isfinite(cap) else None for cap in standing_caps)
    return Held(import_cap, by[0], export_cap, by[1], setpoint, asked_by)
