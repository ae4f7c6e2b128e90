"""Outlets behind one connection: one plan for the cars at them, and watts that keep the cap whatever the plan, the meter or a car does."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

import secc.yard
from secc import station as words
from secc.backend import Surroundings
from secc.neighbour import Neighbour
from secc.spot import WAITING
from secc.yard import ROLL, Yard
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.room import PATIENCE
from v2g.energy.fleet.shares import Contract, Tenant
from v2g.energy.needs import Needs
from v2g.energy.patience import ENDLESS, Patience
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2g.energy.site import Site
from v2g.session.endpoint import Ended

START = 1_790_000_000.0
HOUR = 3600.0
PRICES = Series.from_pairs([(START, 0.30), (START + HOUR, 0.10), (START + 2 * HOUR, 0.50)], START + 3 * HOUR)
LIMITS = words.Limits(charge_power=11e3, discharge_power=0.0)


def needs(wanted: float = 10e3, hours: float = 3.0) -> Needs:
    return Needs(
        departure=START + hours * HOUR, energy_target=wanted, energy_maximum=40e3, energy_minimum=-10e3, charge_maximum=11e3
    )  # fmt: skip


@dataclass
class Depot:
    """A yard and its outlets, with surroundings of their own: jobs, later calls and time run when the test says so."""

    connection: Connection
    count: int = 2
    signals: tuple[Signal, ...] = ()
    told: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wall, self.jobs, self.calls = START, [], []  # type: ignore[var-annotated]
        around = Surroundings(lambda: self.wall, self.later, lambda *errand: None, self.compute)
        site = Site(import_prices=PRICES, export_prices=PRICES)
        self.yard = Yard(around, lambda wall: Ground(self.connection, site, self.signals))
        self.outlets: dict[str, Neighbour] = {}
        for name in (f"E{k}" for k in range(1, self.count + 1)):
            self.yard.spot(name)
            self.outlets[name] = Neighbour(around, site, spot=self.yard.spots[name])
            self.told[name] = []

    def later(self, delay: float, call: Callable[[], None]) -> Callable[[], None]:
        entry = (self.wall + delay, call)
        self.calls.append(entry)
        return lambda: self.calls.remove(entry) if entry in self.calls else None

    def compute(self, owner: Any, job: Callable[[Patience], Any], done: Callable[[Any], None]) -> None:
        self.jobs.append((job, done))

    def work(self) -> None:
        while self.jobs:
            job, done = self.jobs.pop(0)
            finish(job, done)

    def pass_time(self, seconds: float) -> None:
        """Second by second; cars in Dynamic control draw what they were told."""
        until = self.wall + seconds
        while self.wall < until:
            self.wall += 1.0
            for name in self.outlets:
                if (power := self.power(name)) is not None:
                    self.outlets[name].heard(words.OutputMeasured(400.0, power / 400.0))
            for entry in [each for each in self.calls if each[0] <= self.wall]:
                self.calls.remove(entry)
                entry[1]()

    def arrive(self, name: str, control: str = "Dynamic", **wants: float) -> None:
        outlet = self.outlets[name]
        outlet.began(self.told[name].append)
        outlet.heard(words.LimitsChanged(LIMITS))
        outlet.heard(words.ServiceSelected(self.wall, "DC", control))  # type: ignore[call-arg,arg-type]
        outlet.heard(words.NeedsChanged(self.wall, needs(**wants), True))

    def start(self, name: str) -> None:
        self.choose(name)
        self.outlets[name].heard(words.OutputMeasured(400.0, 0.0))
        self.outlets[name].heard(words.PowerStarted(self.wall))

    def choose(self, name: str) -> None:
        self.outlets[name].heard(words.ScheduleChosen(self.wall, self.offered(name), 1))

    def last(self, name: str, kind: type) -> Any:
        return next((fact for fact in reversed(self.told[name]) if isinstance(fact, kind)), None)

    def power(self, name: str) -> float | None:
        fact = self.last(name, words.SetpointChanged)
        return None if fact is None else fact.power

    def offered(self, name: str) -> Series:
        return self.last(name, words.ScheduleReady).offer.tuples[0].power


def finish(job: Callable[[Patience], Any], done: Callable[[Any], None]) -> None:
    try:
        result = job(ENDLESS)
    except Exception as error:
        result = error
    done(result)


def total(depot: Depot) -> float:
    return sum(depot.power(name) or 0.0 for name in depot.outlets)


def test_two_cars_are_planned_together_and_hold_the_cap_they_share() -> None:
    depot = Depot(Connection("grid", 12e3))
    for name in depot.outlets:
        depot.arrive(name, wanted=15e3)
        depot.work()
        depot.start(name)
    offers = [depot.offered(name) for name in depot.outlets]
    for at in range(0, 10_800, 60):
        assert sum(offer.at(START + at) or 0.0 for offer in offers[1:]) <= 12e3
    depot.pass_time(3.0)
    assert 0 < total(depot) <= 12e3 + 0.01  # the first hour is dear, but all of it cannot be had in the second


def test_who_leaves_leaves_its_power_to_the_others() -> None:
    depot = Depot(Connection("grid", 11e3))
    for name in depot.outlets:
        depot.arrive(name, wanted=28e3)
        depot.work()
        depot.start(name)
    depot.pass_time(3.0)
    assert total(depot) == pytest.approx(11e3)
    depot.outlets["E1"].ended(Ended("Terminate"))
    depot.told["E1"].clear()
    depot.work()
    depot.pass_time(3.0)
    assert depot.power("E2") == pytest.approx(11e3, rel=0.02)


def test_a_plan_that_fails_costs_nobody_its_charge(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> None:
        raise RuntimeError("no plan today")

    monkeypatch.setattr(secc.yard, "settled", broken)
    depot = Depot(Connection("grid", 12e3))
    depot.arrive("E1")
    depot.arrive("E2", "Scheduled")
    depot.work()
    assert max(depot.offered("E2").values) == pytest.approx(6e3)  # its share
    depot.start("E1")
    depot.pass_time(2.0)
    assert 6e3 <= total(depot) <= 12e3 + 0.01


def test_a_planner_that_hangs_keeps_no_car_waiting() -> None:
    depot = Depot(Connection("grid", 12e3), 3)
    depot.arrive("E1", "Scheduled")
    jobs, depot.jobs = depot.jobs, []
    depot.pass_time(WAITING + 1)
    assert max(depot.offered("E1").values) == pytest.approx(4e3)
    for job, done in jobs:
        finish(job, done)  # late
    assert max(depot.offered("E1").values) > 4e3  # the better one, for which the car is asked again


def test_a_load_at_the_meter_takes_power_from_the_cars_within_one_look() -> None:
    depot = Depot(Connection("grid", 20e3, metered=True), 1)
    depot.yard.meter(0.0)
    depot.arrive("E1", wanted=30e3)
    depot.work()
    depot.start("E1")
    depot.yard.meter(0.0)
    depot.pass_time(2.0)
    assert depot.power("E1") == pytest.approx(11e3)
    depot.yard.meter(11e3 + 14e3)
    assert depot.power("E1") == pytest.approx(6e3)
    depot.pass_time(1.0)
    depot.yard.meter(6e3 + 25e3)
    assert depot.power("E1") == 0.0


def test_a_meter_that_goes_silent_leaves_what_was_set_down_for_it() -> None:
    depot = Depot(Connection("grid", 20e3, metered=True, blind=3e3), 1)
    depot.yard.meter(0.0)
    depot.arrive("E1", wanted=30e3)
    depot.work()
    depot.start("E1")
    depot.pass_time(2.0)
    assert depot.power("E1") == pytest.approx(11e3)
    depot.pass_time(PATIENCE + 2)
    assert depot.power("E1") == pytest.approx(3e3)
    depot.yard.meter(3e3)
    depot.pass_time(1.0)
    assert depot.power("E1") == pytest.approx(11e3)


def test_a_car_in_scheduled_control_is_cut_at_once_and_then_asked_for_another_schedule() -> None:
    depot = Depot(Connection("grid", 20e3, metered=True), 1)
    depot.yard.meter(0.0)
    depot.arrive("E1", "Scheduled", wanted=30e3)
    depot.work()
    depot.start("E1")
    depot.pass_time(1.0)
    offers = len([fact for fact in depot.told["E1"] if isinstance(fact, words.ScheduleReady)])
    drawn = depot.offered("E1").at(depot.wall) or 0.0
    assert drawn > 5e3
    for _ in range(90):
        depot.outlets["E1"].heard(words.OutputMeasured(400.0, drawn / 400.0))
        depot.yard.meter(drawn + 16e3)
        depot.pass_time(1.0)
        depot.work()
    cut = depot.last("E1", words.LimitsChanged)
    assert cut.limits.charge_power == pytest.approx(4e3)
    found = [fact for fact in depot.told["E1"] if isinstance(fact, words.ScheduleReady)]
    assert len(found) > offers
    assert (found[-1].offer.tuples[0].power.at(depot.wall) or 0.0) <= 4e3 + 1.0
    depot.choose("E1")
    drawn = depot.offered("E1").at(depot.wall) or 0.0
    depot.outlets["E1"].heard(words.OutputMeasured(400.0, drawn / 400.0))
    depot.yard.meter(drawn + 16e3)
    depot.pass_time(1.0)
    assert depot.last("E1", words.LimitsChanged).limits.charge_power == LIMITS.charge_power  # its schedule keeps the cap now


def test_a_signal_at_the_meter_holds_for_all() -> None:
    depot = Depot(Connection("grid", 20e3))
    for name in depot.outlets:
        depot.arrive(name, wanted=28e3)
        depot.work()
        depot.start(name)
    depot.pass_time(3.0)
    assert total(depot) > 15e3
    depot.yard.follow([Signal("dso", Kind.IMPORT_CAP, Series.constant(depot.wall, HOUR, 4_200.0))])
    assert total(depot) <= 4_200.0 + 0.01
    depot.work()
    depot.pass_time(3.0)
    assert total(depot) == pytest.approx(4_200.0)


def test_a_plan_is_made_anew_every_quarter_of_an_hour() -> None:
    depot = Depot(Connection("grid", 20e3), 1)
    depot.arrive("E1", wanted=28e3)
    depot.work()
    depot.start("E1")
    depot.pass_time(ROLL - 10)
    assert not depot.jobs
    depot.pass_time(20.0)
    assert len(depot.jobs) == 1


def test_an_outlet_at_no_connection_and_a_meter_that_is_not_foreseen_are_named() -> None:
    depot = Depot(Connection("grid", 20e3), 1)
    with pytest.raises(ValueError, match="the connections are grid"):
        depot.yard.spot("E9", "F7")
    with pytest.raises(ValueError, match="metered = true"):
        depot.yard.meter(0.0)
    with pytest.raises(ValueError, match="no spot"):
        replace(depot.outlets["E1"], spot=None).follow([])


@pytest.mark.parametrize("control", ["Dynamic", "Scheduled"])
def test_where_nothing_can_be_worked_out_nothing_is_drawn_until_it_can(control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    depot = Depot(Connection("grid", 11e3))
    for name in depot.outlets:
        depot.arrive(name, control, wanted=28e3)
        depot.work()
        depot.start(name)
    depot.pass_time(3.0)
    with monkeypatch.context() as broken:
        broken.setattr(secc.yard, "dispatch", lambda *_: 1 / 0)
        depot.pass_time(3.0)
        if control == "Dynamic":
            assert total(depot) == 0.0
        else:
            due = [name for name in depot.outlets if depot.yard.spots[name].due(depot.wall) > 1e3]
            assert due
            assert [depot.last(name, words.LimitsChanged).limits.charge_power for name in due] == [0.0] * len(due)
    depot.pass_time(5.0)
    assert depot.yard.told.commands
    if control == "Dynamic":
        assert total(depot) == pytest.approx(11e3)


def contracted(tenants: tuple[Tenant, ...], contracts: tuple[Contract, ...]) -> Depot:
    """Two outlets behind 11 kW, whose cars want more than that."""
    depot = Depot(Connection("grid", 11e3))
    site = Site(import_prices=PRICES, export_prices=PRICES)
    depot.yard._ground = lambda wall: Ground(depot.connection, site, tenants=tenants)
    depot.yard.contracts = contracts
    return depot


def shows(depot: Depot, name: str, emaid: str) -> None:
    depot.outlets[name].began(depot.told[name].append)
    depot.outlets[name].heard(words.AuthorizationWanted(depot.wall, "PnC", "EVCC", emaid))  # type: ignore[call-arg,arg-type]


def charges(depot: Depot, name: str, hours: float = 1.0) -> None:
    outlet = depot.outlets[name]
    outlet.heard(words.LimitsChanged(LIMITS))
    outlet.heard(words.ServiceSelected(depot.wall, "DC", "Dynamic"))  # type: ignore[call-arg,arg-type]
    outlet.heard(words.NeedsChanged(depot.wall, needs(30e3, hours), True))
    depot.work()
    depot.start(name)


def test_a_contract_of_a_group_is_served_first_and_only_while_it_is_here() -> None:
    depot = contracted((), (Contract("DE-ABC", rank=-1),))
    depot.arrive("E1", wanted=30e3, hours=1.0)
    depot.work()
    depot.start("E1")
    depot.pass_time(3.0)
    assert depot.power("E1") == pytest.approx(11e3)
    shows(depot, "E2", "DEABCC00123456")
    charges(depot, "E2")
    assert depot.yard.spots["E2"].place == (-1, "")
    depot.pass_time(5.0)
    assert depot.power("E2") == pytest.approx(11e3, rel=0.02)
    assert total(depot) <= 11e3 + 0.01
    depot.outlets["E2"].ended(Ended("Terminate"))
    shows(depot, "E2", "GBXYZC00123456")
    assert depot.yard.spots["E2"].place == (0, "")


def test_a_tenants_car_gets_its_share_beside_one_that_ranks_first() -> None:
    """Both want more than there is until they leave; the second comes later, and has half of what is there from then on."""
    depot = contracted((Tenant("acme", share=0.5),), (Contract("DE-ACM", tenant="acme", rank=5),))
    depot.arrive("E1", wanted=30e3, hours=1.0)
    depot.work()
    depot.start("E1")
    depot.pass_time(3.0)
    assert depot.power("E1") == pytest.approx(11e3)
    shows(depot, "E2", "DE-ACM-C00123456-7")
    charges(depot, "E2", hours=0.5)
    energy = dict.fromkeys(depot.outlets, 0.0)
    for _ in range(1_790):
        depot.pass_time(1.0)
        depot.work()
        assert total(depot) <= 11e3 + 0.01
        energy = {name: energy[name] + (depot.power(name) or 0.0) / 3600.0 for name in energy}
    assert energy["E2"] >= 0.98 * 5.5e3 * 1_790 / 3600
