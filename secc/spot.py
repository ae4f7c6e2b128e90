"""The place of an outlet in a yard, and what is known of the car there."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Protocol

from secc.station import MeterReading
from v2g.energy.fleet.connection import ALL_PHASES
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.promises import Party
from v2g.energy.fleet.room import PATIENCE, Demand, Reading
from v2g.energy.fleet.shares import Contract, contract_of, place_of
from v2g.energy.forecast import Visit
from v2g.energy.market.hours import Hours
from v2g.energy.market.off_peak import Delayed
from v2g.energy.needs import Needs
from v2g.energy.offer import Offer
from v2g.energy.patience import Patience
from v2g.energy.plan import Plan
from v2g.energy.series import Series
from v2g.energy.setpoint import limits, setpoint
from v2g.energy.signal import Signal
from v2g.energy.site import Site
from v2g.energy.stay import POWER_BOUND

WAITING: Final = 8.0  # s that a car waits for its offer: ISO 15118-20 gives it 60 s, in messages answered Ongoing
USUAL: Final = 22_000.0  # W of an outlet that says nothing of itself: AC on three phases of 32 A


class Around(Protocol):
    """What a yard needs of its shell: the time, a later call, and a place for what computes."""

    @property
    def wall(self) -> Callable[[], float]:
        """The present time (epoch s)."""

    @property
    def later(self) -> Callable[[float, Callable[[], None]], Callable[[], None]]:
        """(real s, call) -> cancel."""

    @property
    def plan(self) -> Callable[[Hashable, Callable[[Patience], Any], Callable[[Any], None]], None]:
        """(owner, job, done): compute off the event loop, then call `done` on it with the result, or the exception."""


class Occupant(Protocol):
    """A backend with a car: whom a yard plans for."""

    def settle(self, plan: Plan | None, shown: Offer | None) -> None:
        """Go by another plan; `shown` is for the car, where it waits for an offer or gets another one."""

    def delayed(self, change: Delayed) -> None:
        """Take down that a change of power comes later by a random delay."""

    def overridden(self, overridden: bool) -> None:
        """Take down that default hours and delays hold for this car no more, or again."""

    def hold(self, power: float) -> None:
        """Draw this power (W, signed) in Dynamic control; in Scheduled control at most this of what was promised."""


class Home(Protocol):
    """The yard of a spot."""

    around: Around
    contracts: tuple[Contract, ...]
    hours: Hours | None

    def plan(self) -> None:
        """Make a plan for all who are here."""

    def look(self) -> None:
        """Tell every outlet under power what it may draw."""

    def give_up(self, spot: "Spot", visit: int) -> None:
        """Offer a car its share of the connection, where it waits still."""

    def came(self, visit: Visit) -> None:
        """A car has come and is gone."""


@dataclass(slots=True)
class Spot:
    """The place of an outlet in a yard, and what is known of the car there."""

    yard: Home
    name: str
    at: str
    phases: tuple[int, ...] = ALL_PHASES
    rank: int = 0
    tenant: str = ""
    contract: Contract | None = None  # of the car that is here
    occupant: Occupant | None = None
    needs: Needs | None = None  # of the car that is here; None: there is none, or it has not said
    scheduled: bool = False
    powered: bool = False
    asks: bool = False
    plan: Plan | None = None
    offered: Series | None = None  # W, signed: what was offered last to a car in Scheduled control
    promise: Series | None = None  # W, signed: what it has chosen, and goes by
    measured: Reading | None = None
    free: bool = False  # of default hours and delays, until it leaves
    noted: set[float] = field(default_factory=set)  # epoch s of edges whose delay was taken down
    urgent: bool = False  # somebody asks for priority
    signals: tuple[Signal, ...] = ()
    visit: int = 0
    most: float = USUAL  # W that a car draws here at most
    came: float = 0.0  # epoch s
    gained: float = 0.0  # Wh that were measured into the car since then
    meter: MeterReading | None = None  # as it was read last, whoever was here

    def wants(self, needs: Needs, scheduled: bool, occupant: Occupant) -> None:
        """A car asks for a schedule: everybody is planned for, and it gets an offer."""
        if self.needs is None:
            self.came, self.gained = self.yard.around.wall(), 0.0
        self.needs, self.scheduled, self.occupant, self.asks = needs, scheduled, occupant, True
        self.yard.plan()
        visit = self.visit
        self.yard.around.later(WAITING, lambda: self.yard.give_up(self, visit))

    def signs(self, identity: str) -> None:
        """The car shows a contract (eMAID): it is served by the rank and tenant of that, until it leaves."""
        self.contract = contract_of(self.yard.contracts, identity)

    def reports(self, needs: Needs) -> None:
        """The car says anew what it needs."""
        self.needs = needs

    def drew(self, power: float) -> None:
        """W, signed, are measured at the outlet now."""
        before, wall = self.measured, self.yard.around.wall()
        self.measured = Reading(power, wall) if isfinite(power) else None
        if before is not None and 0.0 <= wall - before.at <= PATIENCE:
            self.gained += max(before.power, 0.0) * (wall - before.at) / 3600.0

    def powers(self, powered: bool) -> None:
        """Power flows from now on, or does no more."""
        self.powered = powered
        self.yard.look()

    def chooses(self) -> None:
        """The car goes by what it was offered last."""
        self.promise = self.offered

    def leaves(self) -> None:
        """There is no car here any more."""
        here = self.needs is not None
        if here and self.yard.around.wall() > self.came:
            self.yard.came(Visit(self.came, self.yard.around.wall(), self.gained))
        self.occupant = self.needs = self.plan = self.promise = self.offered = self.contract = None
        self.powered = self.asks = self.scheduled = self.free = False
        self.noted = set()
        self.measured, self.visit = None, self.visit + 1
        if here:
            self.yard.plan()

    def due(self, wall: float) -> float:
        """W, signed, that the plan wants now; without one, and for who has overridden default hours, charging at once."""
        if self.needs is None:
            return 0.0
        site = Site(export_limit=POWER_BOUND)
        source = self.promise if self.scheduled and self.promise is not None else None if self.free else self.plan
        return setpoint(source, self.needs, site, wall, self.led(wall))

    def override(self, overridden: bool) -> None:
        """Charge this car in peak hours too, and without delays, until it leaves; or no more."""
        self.free = overridden
        if self.occupant is not None:
            self.occupant.overridden(overridden)
        self.yard.plan()
        self.yard.look()

    def led(self, wall: float) -> tuple[Signal, ...]:
        """The signals for this car alone, with default hours unless they are overridden."""
        hours = self.yard.hours
        return self.signals if hours is None or self.free else (*self.signals, *hours.signals(wall))

    @property
    def place(self) -> tuple[int, str]:
        """Rank and tenant of the car: those of its contract, else of the outlet; who asks for priority is one rank before."""
        rank, tenant = place_of(self.contract, self.rank, self.tenant)
        return rank - self.urgent, tenant

    def demand(self, wall: float) -> Demand:
        """What the dispatcher is asked for."""
        assert self.needs is not None
        most = limits(self.needs, Site(export_limit=POWER_BOUND), wall, self.led(wall))
        needs, (rank, tenant) = self.needs, self.place
        return Demand(
            self.name,
            self.at,
            self.due(wall),
            most.charge,
            most.discharge,
            min(needs.charge_minimum, needs.charge_maximum),
            min(needs.discharge_minimum, needs.discharge_maximum),
            self.phases,
            rank,
            tenant,
            self.measured,
        )

    def party(self, wall: float) -> Party:
        """What the plan is asked for."""
        assert self.needs is not None
        guest = Guest(self.name, self.needs, self.at, self.phases, *self.place, signals=self.led(wall))
        return Party(guest, self.offered if self.scheduled and not self.asks else None, self.asks)
