"""The connection that outlets share, from the file of a station to the yard, and what is told it beside the cars."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ocpp_bridge.smart.feeds import Limit
from secc.backend import Surroundings
from secc.config import Config, parse
from secc.yard import Yard
from v2g.energy.fleet.guest import Guest
from v2g.energy.fleet.joint import joint
from v2g.energy.forecast import Visit
from v2g.energy.loads import parse_loads
from v2g.energy.needs import Needs
from v2g.energy.signal import Kind
from v2g.settings.strict import ConfigError
from v2gkit.station.backends import site_of
from v2gkit.station.site import VISITS, past_of, yard_of
from v2gkit.station.told import Told

NOW = 1_790_000_000.0
BATTERY = "[[site.battery]]\nname = 'pack'\ncapacity = 9000\ncharge_power = 3000\ndischarge_power = 3000\n"
OUTLETS = """
[[outlet]]
evse_id = "A"
feeder = "F1"
phases = [2]
[[outlet]]
evse_id = "B"
rank = 1
"""
FILE = f"""tls = false
[site]
import_limit = 40000
metered = true
blind = 5000
base_load = 2000
[[site.feeder]]
name = "F1"
phase_import_limit = 7400
metered = true
[[site.feeder]]
name = "F2"
below = "F1"
import_limit = 11000
{OUTLETS}"""


def yard(text: str) -> Yard:
    config = parse(text)
    assert config.shares

    def later(delay: float, call: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    made = yard_of(config, Surroundings(lambda: NOW, later, lambda *errand: None, lambda *job: None), site_of(config, NOW))
    for each in config.outlets():
        made.spot(each.evse_id, each.feeder, each.phases, each.rank)
    return made


def test_the_file_of_a_station_becomes_a_tree_of_connections() -> None:
    made = yard(FILE)
    top = made.ground(NOW).connection
    assert top.ways() == {"grid": ("grid",), "F1": ("grid", "F1"), "F2": ("grid", "F1", "F2")}
    assert (top.import_cap, top.metered, top.blind) == (40_000.0, True, 5_000.0)
    assert top.export_cap == float("inf")  # as much as the outlets give back
    assert top.load is not None
    assert top.load.at(NOW + 3600) == 2_000.0
    assert top.below[0].phase_import_cap == 7_400.0
    assert [(spot.at, spot.phases, spot.rank) for spot in made.spots.values()] == [("F1", (2,), 0), ("grid", (1, 2, 3), 1)]


def test_outlets_are_planned_for_together_where_they_have_something_in_common() -> None:
    assert not parse("tls = false\n[site]\nimport_limit = 40000").shares  # one outlet: the limit is its own
    assert parse(f"tls = false\n[site]\nimport_limit = 40000\n[[site.feeder]]\nname = 'F1'{OUTLETS}").shares
    assert parse("tls = false\n[site]\nbase_load = 100").shares
    assert not parse("tls = false\nocpp = 'ws://x/'\n[site]\nbase_load = 100").shares


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[site.feeder]]\nname = "grid"', "other than 'grid'"),
        ('[[site.feeder]]\nname = "a"\nbelow = "b"', "there are grid, a"),
        ('[[site.feeder]]\nname = "a"\nbelow = "b"\n[[site.feeder]]\nname = "b"\nbelow = "a"', "below each other"),
        ('[[site.feeder]]\nname = "a"\n[[site.feeder]]\nname = "a"', "named 'a'"),
        ("[site]\nblind = -1", "blind of grid is -1"),
        ("[off_peak]\ndelay = 0", "off_peak says nothing"),
        ('read_soc = true\n[off_peak]\nprofile = "uk-scp-2021"', "given beside ocpp or read_soc"),
        ("[off_peak]\ndelay = 5\n[[off_peak.peak]]\nweekdays = [7]", "0 (Monday) to 6"),
        ('[[site.tenant]]\nname = "a"', "or neither"),
        ('[[site.tenant]]\nname = "a"\nshare = 0.7\n[[site.tenant]]\nname = "b"\nshare = 0.7', "come to 1.4"),
        ('[[site.contract]]\ngroup = "DE"\ntenant = "a"', "'a' is not there"),
        ('[[outlet]]\ntenant = "a"', "'a' is not there"),
        ('[[site.battery]]\nname = "grid"', "other than 'grid'"),
        (f"{BATTERY}", "and no export_limit"),
        (f"[site]\nexport_limit = 0\n{BATTERY}", "tells its state by [feed]"),
        (f"[site]\nexport_limit = 0\n{BATTERY}minimum_soc = 99", "minimum_soc < maximum_soc"),
        (f"[site]\nexport_limit = 0\n{BATTERY}feeder = 'F9'", "is at the feeder 'F9'; there are grid"),
        (f"[site]\nexport_limit = 0\n{BATTERY}{BATTERY}", "2 batteries are named 'pack'"),
        (f"read_soc = true\n[site]\nexport_limit = 0\n{BATTERY}", "leave it out beside ocpp and read_soc"),
        (f"[site]\nexport_limit = 0\n{BATTERY}[[outlet]]\nevse_id = 'pack'", "an outlet and a battery are 'pack'"),
        ('[[outlet]]\nfeeder = "F9"', "at the feeder 'F9'; there are grid"),
        ("[[outlet]]\nphases = [4]", "give some of [1, 2, 3]"),
    ],
)
def test_a_tree_that_cannot_be_meant_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(f"tls = false\n{text}")
    assert said in str(refused.value)


def test_what_is_foreseen_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    file.write_text("start,power\n00:00,1000\n06:00,9000\n22:00,-500\n")
    made = yard(FILE.replace("base_load = 2000", f'base_load = 100\nload = "{file}"'))
    load = made.ground(NOW).connection.load
    assert load is not None
    assert set(load.values) == {1_100.0, 9_100.0, -400.0}
    assert load.until - NOW > 48 * 3600
    file.write_text("start,power\n06:00,9000\n05:00,1\n")
    with pytest.raises(ConfigError, match=r"load\.csv: the starts of the file of loads do not ascend"):
        yard(FILE.replace("blind = 5000", f'load = "{file}"'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its header is start,power"),
        ("start,power\n", "no rows"),
        ("start,power\n2026-11-30T18:00,1", "has no offset"),
        ("start,power\n18:00,x", "row 1 of the file of loads, 18:00,x"),
        ("start,power\n18:00,1\n2026-11-30T18:00Z,1", "mixes"),
        ("start,power\n25:00,1", "no time of day"),
        ("start,power\n18:00,nan", "the power of no connection"),
    ],
)
def test_a_file_of_loads_that_is_none_says_why(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_loads(text)


def test_meters_limits_and_setpoints_come_by_the_feed() -> None:
    made = yard(FILE)
    told = Told(made, ["A", "B"], lambda: NOW)
    told.take_upstream(30_000.0)
    told.take_upstream(4_000.0, "F1")
    assert made.ground(NOW).connection.below[0].load.at(NOW) == 4_000.0  # type: ignore[union-attr]
    assert made.ground(NOW).connection.load.at(NOW) == 26_000.0  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no meter is foreseen at 'F2'"):
        told.take_upstream(1.0, "F2")
    told.take_limit(Limit("SO", 0, charge=9_000.0))
    told.take_limit(Limit("EMS", 2, charge=3_000.0, discharge=0.0))
    assert [(signal.kind, signal.power.at(NOW)) for signal in made.ground(NOW).signals] == [(Kind.IMPORT_CAP, 9_000.0)]
    assert [signal.kind for signal in made.spots["B"].signals] == [Kind.IMPORT_CAP, Kind.EXPORT_CAP]
    told.take_setpoint(0, -2_000.0, 60.0)
    assert made.spots["A"].signals[0].power.at(NOW + 59) == -2_000.0
    told.take_setpoint(0, None)
    told.drop_limit("EMS", 2)
    told.drop_limit("SO")
    assert not made.spots["B"].signals
    assert not made.ground(NOW).signals
    told.take_priority(2, True)
    told.take_priority(2, True)
    assert made.spots["B"].place == (0, "")
    told.take_priority(2, False)
    assert made.spots["B"].place == (1, "")


def test_a_feed_is_heard_by_a_station_that_shares_its_connection() -> None:
    read: Config = parse(f'{FILE}\n[feed]\nsocket = "site.sock"')
    assert read.feed is not None
    assert parse('tls = false\n[feed]\nsocket = "site.sock"').shares  # a single outlet follows it as one connection
    with pytest.raises(ConfigError, match="nothing follows it"):
        parse('tls = false\nread_soc = true\n[feed]\nsocket = "site.sock"')


def test_what_the_grid_emits_moves_charge_to_where_it_emits_less(tmp_path: Path) -> None:
    """At one price for the whole day only the carbon tells the hours apart, and it is on no bill."""
    file = tmp_path / "carbon.csv"
    clean = datetime.fromtimestamp(NOW + 2 * 3600, tz=UTC)
    file.write_text(f"start,carbon\n{(clean - timedelta(hours=3)).isoformat()},500\n{clean.isoformat()},20\n")
    text = FILE.replace("blind = 5000", f'blind = 5000\ncarbon = "{file}"\ncarbon_price = 0.1')
    needs = Needs(departure=NOW + 4 * 3600, energy_target=10_000.0, energy_maximum=20_000.0, charge_maximum=7_000.0)
    made = {}
    for name, said in (("counted", text), ("not", text.replace("carbon_price = 0.1", "carbon_price = 0"))):
        ground = replace(yard(said).ground(NOW), outlets=())
        made[name] = joint(ground, [Guest("A", needs, "grid")], NOW)
    assert made["not"].plans["A"].power.at(NOW) > 6_000.0  # money says nothing: early
    assert made["counted"].plans["A"].power.clip(NOW, NOW + 2 * 3600).integral() == pytest.approx(0.0)
    assert made["counted"].cash == pytest.approx(made["not"].cash)
    with pytest.raises(ConfigError, match="carbon_price is -1"):
        yard(FILE.replace("blind = 5000", "carbon_price = -1"))
    file.write_text("start,power\n00:00,1\n")
    with pytest.raises(ConfigError, match="its header is start,carbon"):
        yard(text)


def test_visits_outlive_the_station_and_a_file_that_is_torn_costs_nothing_else(tmp_path: Path) -> None:
    past = past_of(str(tmp_path))
    for day in range(1, 10):
        past.add(Visit(NOW - day * 86_400.0, NOW - day * 86_400.0 + 3_600.0, 7_000.0))
    assert past.crowd(NOW - 7_200.0, 7_000.0) is None  # few days tell nothing
    for day in range(10, 90):
        past.add(Visit(NOW - day * 86_400.0, NOW - day * 86_400.0 + 3_600.0, 7_000.0))
    file = tmp_path / VISITS
    file.write_bytes(file.read_bytes() + b'{"arrival": 1')
    again = past_of(str(tmp_path)).crowd(NOW - 7_200.0, 7_000.0)
    assert again is not None
    assert again.at(NOW + 600.0) > 7_000.0
    past_of(str(tmp_path)).add(late := Visit(NOW, NOW + 60.0, 1.0))
    assert msgspec.json.decode(file.read_bytes().splitlines()[-1], type=Visit) == late  # it has a line of its own
    file.unlink()
    file.mkdir()  # neither to be read nor written
    past_of(str(tmp_path)).add(Visit(NOW, NOW + 60.0, 1.0))
