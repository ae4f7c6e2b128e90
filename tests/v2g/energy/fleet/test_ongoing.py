"""A connection as it goes on: cars come, leave, change their minds, limits fall and rise, and every plan is made while the last one runs.

Whatever happens, what all were promised keeps every limit at every instant, within what each car and its battery can; who waits for nothing
and could keep its schedule is not asked again. `HYPOTHESIS_PROFILE=long` looks longer.
"""

import itertools
import os
from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.v2g.energy.fleet.test_joint import HOUR, NOON, car, site
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.promises import OFF, Party, settled
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal

MOST = 4  # cars at once
SLACK = 1.0  # W: what a schedule rounds to
WORN = 30.0  # Wh that rounding of schedules and of readings may come to in a stay
STEPS, EXAMPLES = (40, 400) if os.environ.get("HYPOTHESIS_PROFILE") == "long" else (8, 8)


@dataclass
class Stay:
    """A car that is there: as it came, what its battery has gained since, and what it was promised."""

    guest: Guest
    promise: Series
    gained: float = 0.0  # Wh

    def needs(self) -> Needs:
        """What it still needs."""
        told = self.guest.needs
        left = {name: getattr(told, name) - self.gained for name in ("energy_target", "energy_maximum", "energy_minimum")}
        return replace(told, **left)

    def live(self, now: float, until: float) -> None:
        """Follow the promise for a while."""
        for start, end, power in self.promise.clip(now, until).spans():
            self.gained += power * (end - start) / HOUR * (0.95 if power > 0 else 1.0 / 0.95)


class Ongoing(RuleBasedStateMachine):
    """A top with a feeder, prices, and who is there."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.cap, self.feeder, self.number = NOON, 24_000.0, 12_000.0, 0
        self.signals: tuple[Signal, ...] = ()
        self.here: dict[str, Stay] = {}
        self.plan: FleetPlan | None = None

    @property
    def ground(self) -> Ground:
        """The connection as it is now."""
        feeder = Connection("F1", self.feeder, self.feeder, phase_import_cap=self.feeder / 2)
        return Ground(Connection("grid", self.cap, self.cap, below=(feeder,)), site(), self.signals)

    def settle(self, *asking: Guest) -> None:
        """Plan anew, with those who wait for an offer; whoever gets one goes by it from now on."""
        asks = {guest.name for guest in asking}
        parties = [
            Party(replace(stay.guest, needs=stay.needs()), None if name in asks else stay.promise, name in asks)
            for name, stay in self.here.items()
        ]
        made = settled(self.ground, parties, self.now, before=self.plan)
        self.plan = made.plan
        assert asks <= made.offers.keys() | {name for name in asks if name not in made.plan.plans}
        for name, offer in made.offers.items():
            self.keeps(self.here[name], offer)
            self.here[name].promise = offer.tuples[0].power

    def keeps(self, stay: Stay, offer: Offer) -> None:
        """An offer is within what its car can: directions, minimum powers, reserve and battery."""
        needs, stored = stay.needs(), 0.0
        for start, end, power in offer.tuples[0].power.spans():
            assert -needs.discharge_maximum - SLACK <= power <= needs.charge_maximum + SLACK
            least = needs.charge_minimum if power > 0 else needs.discharge_minimum
            assert abs(power) <= SLACK or abs(power) >= least - SLACK
            stored += power * (end - start) / HOUR * (0.95 if power > 0 else 1.0 / 0.95)
            assert stored <= needs.ceiling + WORN
            assert power >= 0 or stored >= min(needs.lower, 0.0) - WORN

    @precondition(lambda self: len(self.here) < MOST)
    @rule(
        hours=st.sampled_from((0.5, 2.0, 4.5)),
        wanted=st.sampled_from((0.0, 4_000.0, 18_000.0)),
        back=st.sampled_from((0.0, 11_000.0)),
        least=st.sampled_from((0.0, 1_380.0)),
        at=st.sampled_from(("grid", "F1")),
        phases=st.sampled_from(((1,), (1, 2, 3))),
        rank=st.integers(0, 1),
    )
    def come(self, hours: float, wanted: float, back: float, least: float, at: str, phases: tuple[int, ...], rank: int) -> None:
        """A car comes."""
        self.number += 1
        needs = replace(car(hours, wanted, 11_000.0, back, least), departure=self.now + hours * HOUR)
        guest = Guest(f"car {self.number}", needs, at, phases, rank, arrival=self.now)
        self.here[guest.name] = Stay(guest, Series(self.now))
        self.settle(guest)

    @precondition(lambda self: self.here)
    @rule(which=st.integers(0, MOST - 1))
    def go(self, which: int) -> None:
        """A car leaves before its time."""
        self.here.pop(list(self.here)[which % len(self.here)])
        self.settle()

    @precondition(lambda self: self.here)
    @rule(which=st.integers(0, MOST - 1), more=st.sampled_from((-3_000.0, 6_000.0)), later=st.sampled_from((-0.5, 0.0, 1.0)))
    def change(self, which: int, more: float, later: float) -> None:
        """A car asks anew: for more or less, until earlier or later."""
        stay = self.here[list(self.here)[which % len(self.here)]]
        told = stay.guest.needs
        assert told.departure is not None
        assert told.energy_target is not None
        assert told.energy_maximum is not None
        target = min(max(told.energy_target + more, 0.0), told.energy_maximum)
        needs = replace(told, energy_target=target, departure=max(told.departure + later * HOUR, self.now + 300.0))
        stay.guest = replace(stay.guest, needs=needs)
        self.settle(stay.guest)

    @rule(top=st.sampled_from((6_000.0, 11_000.0, 24_000.0)), feeder=st.sampled_from((3_000.0, 7_400.0, 12_000.0)))
    def limit(self, top: float, feeder: float) -> None:
        """Limits fall or rise."""
        self.cap, self.feeder = top, feeder
        self.settle()

    @rule(
        kind=st.sampled_from((Kind.IMPORT_CAP, Kind.EXPORT_CAP, Kind.SETPOINT)), power=st.sampled_from((0.0, 5_000.0)), soon=st.booleans()
    )
    def call(self, kind: Kind, power: float, soon: bool) -> None:
        """The grid calls, or takes its call back."""
        start = self.now if soon else self.now + HOUR
        self.signals = (Signal("dso", kind, Series.constant(start, HOUR, power)),) if not self.signals else ()
        self.settle()

    @rule(seconds=st.sampled_from((60, 840, 2_000)))
    def live(self, seconds: int) -> None:
        """Time goes by; whoever's time is over leaves; sometimes all is planned anew."""
        until = self.now + seconds
        for stay in self.here.values():
            stay.live(self.now, until)
        self.now = until
        self.here = {name: stay for name, stay in self.here.items() if (stay.guest.needs.departure or 0.0) > self.now + 1.0}
        self.settle()

    @invariant()
    def limits_hold(self) -> None:
        """What all were promised, at every instant from now on, is within every limit."""
        edges = sorted({self.now, *(edge for stay in self.here.values() for edge in stay.promise.edges() if edge > self.now)})
        slack = OFF * len(self.here) + SLACK
        for start, end in itertools.pairwise(edges):
            at = (start + end) / 2
            flows = [(stay.guest, stay.promise.at(at) or 0.0) for stay in self.here.values()]
            caps = [
                min([self.cap, *(s.power.at(at) or 0.0 for s in self.signals if s.kind is kind and s.power.at(at) is not None)])
                for kind in (Kind.IMPORT_CAP, Kind.EXPORT_CAP)
            ]
            total, below = sum(power for _, power in flows), sum(power for guest, power in flows if guest.at == "F1")
            assert -caps[1] - slack <= total <= caps[0] + slack
            assert -self.feeder - slack <= below <= self.feeder + slack
            for phase in (1, 2, 3):
                drawn = sum(power / len(guest.phases) for guest, power in flows if guest.at == "F1" and phase in guest.phases)
                assert drawn <= self.feeder / 2 + slack

    @invariant()
    def batteries_hold(self) -> None:
        """No car was charged above what it takes, or given back below what it keeps."""
        for stay in self.here.values():
            told = stay.guest.needs
            assert min(told.lower, 0.0) - WORN <= stay.gained <= told.ceiling + WORN


Ongoing.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
TestOngoing = Ongoing.TestCase
