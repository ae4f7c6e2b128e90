"""A battery behind the connection of outlets: the cap holds whatever it does, and whoever owns the site pays less with it."""

from dataclasses import dataclass, field, replace

import pytest

from secc import station as words
from secc.simulated_storage import SimulatedStorage
from secc.storage import Storage
from tests.secc.test_yard import HOUR, START, Depot
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.pack import Pack
from v2g.energy.fleet.room import PATIENCE, SETTLE
from v2g.energy.series import Series
from v2g.energy.site import Site

PACK = Pack("pack", capacity=40e3, charge_power=20e3, discharge_power=20e3, wear_cost=0.01)
CAP, LOAD = 20e3, 4e3


@dataclass
class Shed:
    """A battery, for better or worse: `lies` does nothing and says that it obeys, `dead` does nothing and says so, `wild` draws 9 kW."""

    depot: Depot
    storage: Storage
    soc: float = 80.0
    manner: str = "good"
    power: float = 0.0  # W that flow
    told: float = 0.0
    worst: float = 0.0  # W above the cap, in the worst second
    flows: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.storage.tell = self.tell
        self.report()

    def tell(self, power: float) -> None:
        self.told = power

    def report(self) -> None:
        if self.manner != "silent":
            self.storage.reports(self.soc, self.told if self.manner == "lies" else self.power)

    def second(self) -> None:
        """Everybody does what he was told a moment ago, the meter is read, and all are told anew."""
        self.power = {"good": self.told, "wild": 9e3}.get(self.manner, 0.0)
        self.soc -= self.power / -3600.0 / PACK.capacity * 100.0
        self.depot.wall += 1.0
        for name, outlet in self.depot.outlets.items():
            if (power := self.depot.power(name)) is not None:
                outlet.heard(words.OutputMeasured(400.0, power / 400.0))
        cars = sum(self.depot.power(name) or 0.0 for name in self.depot.outlets)
        self.flows.append(cars + self.power + LOAD)
        self.report()
        self.depot.yard.meter(self.flows[-1])
        self.depot.work()

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            self.second()
            for entry in [each for each in self.depot.calls if each[0] <= self.depot.wall]:
                self.depot.calls.remove(entry)
                entry[1]()


def shed(cap: float = CAP, export: float = 5e3) -> Shed:
    depot = Depot(Connection("grid", cap, export, load=Series.constant(START, 48 * HOUR, LOAD), metered=True, blind=2e3), 2)
    depot.yard.meter(LOAD)
    made = Shed(depot, depot.yard.storage(PACK))
    depot.work()
    for name in depot.outlets:
        depot.arrive(name, wanted=10e3, hours=1.0)
        depot.work()
        depot.start(name)
    return made


def test_a_battery_helps_cars_beyond_what_the_connection_gives() -> None:
    made = shed()
    made.live(200)
    cars = made.flows[-1] - made.power - LOAD
    assert made.power < -1e3
    assert cars > CAP - LOAD + 1e3
    assert max(made.flows[5:]) <= CAP + 1.0


@pytest.mark.parametrize("manner", ["lies", "dead", "wild", "silent"])
def test_the_cap_holds_whatever_a_battery_does_instead(manner: str) -> None:
    made = shed()
    made.live(200)
    assert made.power < -1e3
    made.manner, before = manner, len(made.flows)
    made.live(int(PATIENCE + SETTLE) + 40)
    # the second in which it changes nobody can foresee; from the next look on its power is missed. Who draws what it was not told
    # has as long to follow as a car, before the others make room
    late = int(SETTLE) + 2 if manner == "wild" else 2
    assert max(made.flows[before + late :]) <= CAP + 1.0
    if manner == "silent":
        assert made.told == 0.0
        assert made.storage.plan is None
        made.manner = "good"
        made.live(60)
        assert made.storage.plan is not None


def test_a_silent_battery_counts_with_what_it_drew_and_relieves_nobody() -> None:
    made = shed()
    made.storage.reports(20.0, 9e3)
    made.storage.tell = lambda power: None
    made.manner = "silent"
    made.depot.wall += PATIENCE + 1
    demand = made.storage.demand(made.depot.wall)
    assert (demand.wanted, demand.most, demand.give) == (0.0, 0.0, 0.0)
    made.depot.yard.meter(LOAD)
    assert made.depot.yard.told.commands["pack"] == 0.0
    assert "pack" in made.depot.yard.told.silent


def test_a_battery_feeds_no_more_into_the_grid_than_the_site_may() -> None:
    made = shed(export=1e3)
    for name in made.depot.outlets:
        made.depot.yard.spots[name].leaves()
        made.depot.told[name].clear()
    made.live(120)
    assert min(made.flows[3:]) >= -1e3 - 1.0


def test_without_cars_a_battery_earns_by_the_hours_of_the_day_and_a_plan_that_fails_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of the simulated battery, minute by minute: what the meter counts is what the best use of it costs.

    It is filled at 0.1, feeds the load while a kWh costs 0.4, and the rest of what it holds in the last hours before the next cheap
    night, in which it is filled again: so what is missing at the end of the day costs 0.1 and the losses.
    """
    prices = Series.from_pairs([(START, 0.1), (START + 6 * HOUR, 0.4), (START + 10 * HOUR, 0.15)], START + 24 * HOUR)
    bill = {}
    for used in (True, False):
        depot = Depot(Connection("grid", CAP, 0.0, load=Series.constant(START, 72 * HOUR, LOAD)), 1)
        site = Site(import_prices=prices, export_prices=prices.map(lambda price: price - 0.1))
        depot.yard._ground = lambda wall, depot=depot, site=site: Ground(depot.connection, site)  # type: ignore[misc]
        battery = SimulatedStorage(depot.yard.storage(PACK), lambda depot=depot: depot.wall)  # type: ignore[misc]
        cost = 0.0
        for minute in range(24 * 60):
            depot.work()
            depot.wall = START + 60.0 * minute
            if minute % 15 == 0:
                depot.yard.plan()
                depot.work()
            depot.yard.look()
            power = battery.power if used else 0.0
            assert -1.0 <= LOAD + power <= CAP + 1.0  # the export of this site is 0
            cost += (LOAD + power) / 60.0 / 1000.0 * (prices.at(depot.wall) or 0.0)
        if used:
            left = battery.soc
            cost += (50.0 - left) / 100.0 * PACK.capacity / 1000.0 * 0.1 / PACK.efficiency_charge
        bill[used] = cost
    assert left == pytest.approx(PACK.minimum_soc, abs=1.0)
    filled = 0.45 * PACK.capacity / PACK.efficiency_charge * 0.1  # from 50 to 95 %, paid at 0.1
    fed = LOAD * (4 * 0.4 + (0.85 * PACK.capacity * PACK.efficiency_discharge / LOAD - 4) * 0.15)  # what the load no longer draws
    again = 0.40 * PACK.capacity / PACK.efficiency_charge * 0.1  # from 10 to 50 %
    assert bill[True] == pytest.approx(bill[False] + (filled - fed + again) / 1000.0, rel=0.005)
    assert bill[True] < 0.7 * bill[False]

    battery.storage.plan = None
    depot.yard.look()
    assert depot.yard.told.commands["pack"] == 0.0


def test_what_no_battery_says_is_refused() -> None:
    depot = Depot(Connection("grid", CAP, 0.0), 1)
    storage = depot.yard.storage(PACK)
    for soc, power in ((101.0, 0.0), (-1.0, 0.0), (50.0, float("nan")), (50.0, 1e9)):
        with pytest.raises(ValueError, match="the battery pack says"):
            storage.reports(soc, power)
    with pytest.raises(ValueError, match="is at 'F7'; there are grid"):
        depot.yard.storage(replace(PACK, feeder="F7"))
