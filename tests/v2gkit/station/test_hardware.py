"""Hardware of one's own: found beside its configuration, made with its options, and the car hears its name."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secc.backend import LocalBackend
from secc.bay import Place
from secc.evse import EVSE
from secc.outlet import Outlet
from tests.starved import again

DRIVER = """
from bus import NAME
from secc.evse import EVSE
from secc.station import Limits


class Charger(EVSE):
    evse_id = "DE*ABC*E7"

    async def limits(self):
        return Limits(charge_power=3_000, phases=1, charge_current=16, voltage=230)


class Nameless(EVSE):
    def __init__(self, relay, cards=()):
        super().__init__()
        self.relay, self.cards = relay, cards
        print(f"made with {relay} and {cards}")

    async def limits(self):
        return Limits(charge_power=3_000, phases=1, charge_current=16, voltage=230)


class Chosen(Nameless):
    def __init__(self, name, **rest):
        super().__init__(**rest)
        self.evse_id = name


class Broken(EVSE):
    def __init__(self):
        raise RuntimeError("no bus")
"""
STATION = """
tls = false
port = 0
[offer]
services = ["AC"]
authorizations = ["EIM"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "charger.py").write_text(DRIVER)
    (folder / "bus.py").write_text("NAME = 'the bus'\nclass Stranger: pass\n")  # beside it, as a firmware has several modules
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "inner.py").write_text("from charger import Charger\n")
    (folder / "leaves.py").write_text("raise SystemExit('no relay card')\n")
    (folder / "platform.py").write_text("raise SystemExit('it stands before the module of Python')\n")
    return folder


@contextlib.contextmanager
def station(site: Path, text: str) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, Any]]]]:
    """A station in another folder than that of its configuration; the lines about its outlets."""
    (site / "station.toml").write_text(STATION + text)
    command = [sys.executable, "-m", "v2g", "secc", "--config", str(site / "station.toml"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            outlets = max(1, text.count("[[outlet]]"))
            yield process, [json.loads(process.stdout.readline()) for _ in range(outlets)]
        except AssertionError as error:  # what the station says of it belongs to it
            process.terminate()
            raise AssertionError(f"{error}\n{process.communicate(timeout=300)}") from error
        finally:
            process.terminate()
            process.communicate(timeout=300)
        assert process.returncode == 0


def heard(address: str) -> dict[str, Any]:
    """What a car says of its visit."""
    command = [
        sys.executable,
        "-m",
        "v2g",
        "ev",
        "--connect",
        address,
        "--no-tls",
        "--service",
        "AC",
        "--auth",
        "eim",
        "--loops",
        "2",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    said = json.loads(done.stdout)
    assert said["ok"], said
    return said  # type: ignore[no-any-return]


@pytest.mark.parametrize("driver", ["charger:Charger", "package.inner:Charger"])
@again
def test_a_driver_beside_its_configuration_names_the_outlet(driver: str, site: Path) -> None:
    with station(site, f"[hardware]\ndriver = '{driver}'\n") as (_, (listening,)):
        assert listening["evse"] == "DE*ABC*E7"
        assert heard(listening["address"])["evse_id"] == "DE*ABC*E7"


@again
def test_options_go_to_the_constructor_and_outlets_are_told_apart(site: Path) -> None:
    outlets = """
[[outlet]]
evse_id = "DE*ABC*E1"
hardware = { driver = "charger:Nameless", options = { relay = "K1", cards = ["a", "b"] } }
[[outlet]]
hardware = { driver = "charger:Chosen", options = { relay = "K2", name = "DE*ABC*E2" } }
[[outlet]]
hardware = { driver = "charger:Chosen", options = { relay = "K3", name = "DE*ABC*E3" } }
"""
    with station(site, outlets) as (_, listening):
        assert [each["evse"] for each in listening] == ["DE*ABC*E1", "DE*ABC*E2", "DE*ABC*E3"]
        assert [heard(each["address"])["evse_id"] for each in listening] == ["DE*ABC*E1", "DE*ABC*E2", "DE*ABC*E3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[hardware]\ndriver = 'charger:Charger'\noptions = { relay = 'K1' }", "[hardware.options] relay: TypeError:"),
        ("[hardware]\ndriver = 'charger:Nameless'", "with no [hardware.options]: TypeError: "),
        ("[hardware]\ndriver = 'charger:Broken'", "RuntimeError: no bus"),
        ("[hardware]\ndriver = 'charger:Missing'", "has no attribute 'Missing'"),
        ("[hardware]\ndriver = 'nowhere:Charger'", "No module named 'nowhere'; give package.module:Class"),
        ("[hardware]\ndriver = 'bus:NAME'", "is 'the bus', no class of secc.evse.EVSE"),
        ("[hardware]\ndriver = 'bus:Stranger'", "is class Stranger, no class of secc.evse.EVSE"),
        ("[hardware]\ndriver = 'leaves:Charger'", "SystemExit: no relay card; give package.module:Class"),
        ("[hardware]\ndriver = 'platform:Charger'", "has the name of a module that is in use"),
        ("[hardware]\noptions = { relay = 'K1' }", "are for a driver of your own"),
        (
            "[hardware]\ndriver = 'charger:Charger'\n[[outlet]]\nevse_id = 'DE*ABC*E8'",
            "DE*ABC*E8 in the configuration and DE*ABC*E7 in its driver",
        ),
        ("[hardware]\ndriver = 'charger:Charger'\n[[outlet]]\n[[outlet]]\nport = 1", "2 outlets are DE*ABC*E7; give each"),
        ("[[outlet]]\n[[outlet]]\nport = 1", "2 outlets have evse_id"),
    ],
)
def test_what_cannot_be_meant_is_one_line(text: str, said: str, site: Path) -> None:
    (site / "station.toml").write_text(STATION + text)
    command = [sys.executable, "-m", "v2g", "secc", "--config", str(site / "station.toml"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith("made with")]) == 1, done.stderr


def test_in_a_program_of_ones_own_it_is_the_same() -> None:
    class Charger(EVSE):
        evse_id = "DE*ABC*E7"

    backend: LocalBackend = None  # type: ignore[assignment]
    assert Place(Charger(), Outlet(), backend).outlet.evse_id == "DE*ABC*E7"
    assert Place(Charger(), Outlet(evse_id="DE*ABC*E8"), backend).outlet.evse_id == "DE*ABC*E8"
    assert Place(EVSE(), Outlet(), backend).outlet.evse_id == "DE*V2G*E1"
