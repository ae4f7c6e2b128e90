"""Batteries at a connection that stations of a CSMS share: no cap is broken by them, or without them, and nobody relies on them."""

import asyncio
from argparse import Namespace
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ocpp_bridge.ocpp_stand import NEEDS, WALL
from tests.v2gkit.csms.test_grounds import HOUR, PRICES, arrives, stations
from v2g.energy.fleet.connection import Connection
from v2g.energy.fleet.ground import Ground
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.pack import Pack
from v2g.energy.fleet.plan import FleetPlan
from v2g.energy.fleet.promises import Party, settled
from v2g.energy.fleet.room import PATIENCE
from v2g.energy.needs import Needs
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Rank, Signal
from v2g.energy.site import Site
from v2g.settings.strict import ConfigError
from v2gkit.cli import csms as csms_command
from v2gkit.csms.batteries import LASTS, METER, Batteries
from v2gkit.csms.grounds import GroundsConfig
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

PACK = Pack("pack", capacity=40e3, charge_power=20e3, discharge_power=20e3, wear_cost=0.01)
CAP, LOAD = 15e3, 2e3
DAY = 86_400.0


@dataclass
class Meadow:
    """A connection with a battery that hears a wall clock, whose cars draw what they are said to."""

    import_cap: float = CAP
    export_cap: float = 0.0
    load: float = LOAD
    signals: tuple[Signal, ...] = ()
    drawn: tuple[float, float] = (0.0, 0.0)
    wall: float = WALL
    asked: int = 0  # times that a plan was wanted

    def __post_init__(self) -> None:
        self.orders: list[float] = []
        self.all = Batteries([PACK], lambda: self.wall, self.ask, self.ground, lambda wall: self.drawn)
        self.all.lead("pack", self.order)

    def ask(self) -> None:
        self.asked += 1

    def order(self, power: float, lasts: float) -> None:
        assert lasts == LASTS
        self.orders.append(power)

    def ground(self, wall: float) -> Ground:
        site = Site(import_prices=Series.from_pairs([(WALL, 0.4), (WALL + 6 * HOUR, 0.1)], WALL + 2 * DAY), export_limit=self.export_cap)
        load = Series.constant(WALL, 2 * DAY, self.load)
        return Ground(Connection("grid", self.import_cap, self.export_cap, load=load), site, self.signals)

    def plan(self, *cars: Party) -> FleetPlan:
        ground = self.all.above(self.ground(self.wall))
        return settled(ground, [*cars, *self.all.parties(self.wall)], self.wall).plan

    def look(self) -> float:
        """The order of the next second."""
        self.wall += 1.0
        self.all.look()
        return self.orders[-1]


def car(target: float, departure: float = WALL + 8 * HOUR) -> Party:
    return Party(Guest("car", Needs(departure=departure, energy_target=target, energy_maximum=target, charge_maximum=22e3), "grid"))


def test_no_car_relies_on_a_battery() -> None:
    """A car that wants more than the connection has gets no more with a battery than without, and what is left is the battery's."""
    meadow = Meadow()
    meadow.all.heard("pack", 90.0)
    made = meadow.plan(car(150e3))
    without = settled(meadow.ground(WALL), [car(150e3)], WALL).plan
    assert without.unmet["car"] > 1e3
    assert made.unmet["car"] == pytest.approx(without.unmet["car"], abs=1.0)
    edges = sorted(set(made.plans["car"].power.edges()) | set(made.plans["pack"].power.edges()))
    flows = [[made.plans[name].power.at(edge) or 0.0 for edge in edges] for name in ("car", "pack")]
    assert max(flows[0]) <= CAP - LOAD + 1e-3
    assert all(-1e-3 <= one + other + LOAD <= CAP + 1e-3 for one, other in zip(*flows, strict=True))
    assert min(flows[1]) < -LOAD, "it serves no car, though a kWh is dear"


def test_a_limit_from_outside_holds_for_the_cars_alone_too() -> None:
    told = Signal("dso", Kind.IMPORT_CAP, Series.constant(WALL, HOUR, 6e3))
    meadow = Meadow(signals=(told, replace(told, id="out", kind=Kind.EXPORT_CAP), Signal("sold", Kind.SETPOINT, told.power, Rank.GRID)))
    meadow.all.heard("pack", 90.0)
    made = meadow.plan(car(60e3, WALL + 2 * HOUR))
    power = made.plans["car"].power
    assert max(power.at(edge) or 0.0 for edge in power.edges() if edge < WALL + HOUR) <= 6e3 - LOAD + 1e-3
    assert power.at(WALL + 1.5 * HOUR) == pytest.approx(CAP - LOAD, abs=1.0)
    meadow.all.planned(made)
    meadow.drawn = (0.0, 4e3)
    assert meadow.look() <= 1e-3  # what the limit leaves is the car's
    # a setpoint of the meter bounds nobody
    names = [one.name for one in meadow.all.above(meadow.ground(WALL)).connection.all()]
    assert names == [METER, f"{METER} out 1", f"{METER} out 0", f"{METER} in 0", "grid"]


SUN = Series.from_pairs([(WALL, -9e3), (WALL + HOUR, 3e3), (WALL + 2 * HOUR, -1e3)], WALL + 3 * HOUR)


@pytest.mark.parametrize("limit", [None, 2e3])
def test_what_the_sun_gives_beyond_what_may_go_out_is_the_batterys(limit: float | None) -> None:
    """It charges from what would be lost, and no car that could give does."""
    cap = 4e3 if limit is None else limit
    told = () if limit is None else (Signal("dso", Kind.EXPORT_CAP, Series.constant(WALL, DAY, limit)),)
    meadow = Meadow(export_cap=4e3, signals=told)
    ground = meadow.ground(WALL)
    prices = Series.constant(WALL, DAY, 0.2)
    below = (Connection("F1", load=SUN.map(lambda power: power / 2)),)
    connection = replace(ground.connection, load=SUN.map(lambda power: power / 2), below=below)
    ground = replace(ground, connection=connection, site=replace(ground.site, import_prices=prices, export_prices=prices))
    meadow.all.heard("pack", 30.0)
    gives = Needs(departure=WALL + 3 * HOUR, energy_target=0.0, energy_minimum=-20e3, energy_maximum=0.0, charge_maximum=22e3,
                  discharge_maximum=22e3, bidirectional=True)  # fmt: skip
    made = settled(meadow.all.above(ground), [Party(Guest("car", gives, "F1")), *meadow.all.parties(WALL)], WALL).plan
    car_, pack = made.plans["car"].power, made.plans["pack"].power
    assert min(pack.at(WALL + 900 * quarter) or 0.0 for quarter in range(4)) >= 9e3 - cap - 1.0
    for at in (WALL + 900 * quarter for quarter in range(12)):
        load, gave = SUN.at(at) or 0.0, car_.at(at) or 0.0
        assert gave >= -max(cap + load, 0.0) - 1e-3, "it relies on the battery"
        assert -cap - 1e-3 <= load + gave + (pack.at(at) or 0.0) <= CAP + 1e-3


@given(
    st.floats(0, 30e3), st.floats(0, 30e3), st.floats(-5e3, 20e3), st.floats(-20e3, 20e3), st.floats(-20e3, 20e3),
    st.floats(0, 100), st.none() | st.floats(0, 20e3), st.booleans(),
)  # fmt: skip
def test_an_order_breaks_no_cap_whatever_the_cars_do_within_what_is_known(
    into: float, out: float, load: float, one: float, other: float, soc: float, limit: float | None, exports: bool
) -> None:
    """Wherever the cars are between the least and the most that they may draw, the battery is not what breaks a cap."""
    kind = Kind.EXPORT_CAP if exports else Kind.IMPORT_CAP
    signals = () if limit is None else (Signal("dso", kind, Series.constant(WALL, DAY, limit)),)
    meadow = Meadow(into, out, load, signals, (min(one, other), max(one, other)))
    meadow.all.heard("pack", soc)
    meadow.all.planned(meadow.plan(car(20e3)))
    meadow.all.told()
    power = meadow.look()
    into = min(into, limit) if limit is not None and not exports else into
    out = min(out, limit) if limit is not None and exports else out
    if power > 0:
        assert load + meadow.drawn[1] + power <= into + 1e-6
    if power < 0:
        assert load + meadow.drawn[0] + power >= -out - 1e-6
    assert -PACK.discharge_power <= power <= PACK.charge_power


def test_while_cars_are_told_a_plan_the_battery_does_what_both_allow() -> None:
    """What another plan gives it, it takes only once the cars that have less for it were told; of opposite plans it does neither."""
    meadow = Meadow(CAP, 9e3)

    def wants(power: float) -> FleetPlan:
        meadow.all.heard("pack", 50.0)
        made = meadow.plan()
        plan = made.plans["pack"]
        return replace(made, plans={"pack": replace(plan, power=Series.constant(WALL, DAY, power))})

    orders = []
    for before, after in pairwise((4e3, 6e3, 1e3, -3e3, -1e3, -8e3, 2e3)):
        meadow.all.planned(wants(before))
        meadow.all.told()
        meadow.all.planned(wants(after))
        during = meadow.look()
        meadow.all.told()
        orders.append((during, meadow.look()))
    assert orders == [(4e3, 6e3), (1e3, 1e3), (0.0, -3e3), (-1e3, -1e3), (-1e3, -8e3), (0.0, 2e3)]
    meadow.all.planned(replace(wants(1e3), plans={}))  # one that knows it no more
    assert meadow.look() == 0.0


def test_a_battery_that_falls_silent_is_ordered_nothing_and_planned_for_no_more() -> None:
    meadow = Meadow()
    meadow.all.heard("pack", 50.0)
    assert meadow.asked == 1
    meadow.all.planned(meadow.plan())
    meadow.all.told()
    assert meadow.look() == pytest.approx(-LOAD, abs=1.0)
    meadow.wall += PATIENCE
    count = len(meadow.orders)
    meadow.all.look()
    assert (meadow.asked, len(meadow.orders)) == (2, count)
    assert meadow.all.parties(meadow.wall) == []
    meadow.all.heard("pack", 49.0)
    assert meadow.asked == 3
    assert meadow.look() == 0.0, "it goes by a plan of before"
    for soc in (-1.0, 101.0, float("nan")):
        with pytest.raises(ValueError, match="give 0 to 100"):
            meadow.all.heard("pack", soc)


def test_a_battery_takes_what_cars_leave_and_serves_them_over_ocpp() -> None:
    """A station's car charges in dear hours within its profile; the battery gives no more than what the car draws by its meter."""

    async def scene() -> None:
        config = GroundsConfig(import_limit=15_000.0, export_limit=0.0, base_load=1_000.0, battery=(PACK,))
        async with stations(1, config) as (csms, stands):
            assert csms.grounds is not None
            orders: list[float] = []
            csms.grounds.batteries.lead("pack", lambda power, lasts: orders.append(power))
            csms.grounds.batteries.heard("pack", 80.0)
            await arrives(stands[0], replace(NEEDS, departure=WALL + HOUR, energy_target=10_000.0, bidirectional=False))
            await stands[0].until(lambda: bool(csms.grounds.members) and not any(m.asks for m in csms.grounds.members.values()))  # type: ignore[union-attr]
            tx = csms.stations["CS-1"].running()
            assert tx is not None
            await stands[0].until(lambda: bool(orders))
            tx.power = 0.0  # it draws nothing yet, whatever it was sent
            csms.grounds.batteries.heard("pack", 80.0)
            csms.grounds.batteries.look()
            assert -1_000.0 - 1e-3 <= orders[-1] <= 15_000.0
            csms.grounds.limit(1_000.0)  # all of it is the base load's
            csms.grounds.batteries.heard("pack", 80.0)
            csms.grounds.batteries.look()
            assert orders[-1] <= 0.0

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"battery": (replace(PACK, driver="simulated"),), "export_limit": 0.0}, "leave driver out"),
        ({"battery": (replace(PACK, feeder="F1"),), "export_limit": 0.0}, "there are grid"),
        ({"battery": (PACK,)}, "no export_limit"),
        ({"battery": (PACK, PACK), "export_limit": 0.0}, "2 batteries are named"),
    ],
)
def test_what_cannot_be_led_is_refused_with_the_cure(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        GroundsConfig(**said)


@pytest.mark.parametrize(
    ("names", "pack", "words"),
    [
        (("pack",), None, "give --grid"),
        (("pack",), "other", "no inverter leads the battery pack; give pack = 'pack'"),
        ((), "pack", "there are none: name it in"),
    ],
)
def test_each_battery_has_an_inverter_and_each_inverter_a_battery(
    names: tuple[str, ...], pack: str | None, words: str, tmp_path: Path
) -> None:
    csms = Csms(Strategy("prices", PRICES))
    csms.share(GroundsConfig(export_limit=0.0, battery=tuple(replace(PACK, name=name) for name in names)))
    text = f'[[modbus]]\nname = "inverter"\nrole = "battery"\naddress = "127.0.0.1:1"\nsunspec = true\npack = "{pack}"\n'
    (tmp_path / "grid.toml").write_text(text)
    options = Namespace(grid=tmp_path / "grid.toml" if pack else None, nats=None)
    with pytest.raises(ValueError, match=words):
        asyncio.run(csms_command._heeding(options, csms).__aenter__())
