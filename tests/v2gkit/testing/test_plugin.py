"""The plugin of pytest: what the page shows runs in a fresh folder, in workers too; without a fixture of it nothing of ours is imported."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.starved import again, heed
from v2gkit.testing.clock import EPOCH, VirtualClock
from v2gkit.testing.pair import Pair, car
from v2gkit.testing.programs import station

ROOT = Path(__file__).parents[3]


# an installation that is older than the plugin has no entry point for it
NAMED = [] if "v2gkit" in entry_points(group="pytest11").names else ["-p", "v2gkit.testing.plugin"]


def example() -> str:
    """The example of the page."""
    (found,) = re.findall(r"^```python\n(# test_mine\.py\n.*?)^```$", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A pytest of its own, in a folder that knows nothing of ours but what is installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", *NAMED, "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment, check=False)


@again
def test_the_example_of_the_page_runs_in_a_fresh_folder_and_in_two_workers(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(example())
    done = run(tmp_path, "-q", "-n", "2")
    heed(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{example().count('def test_')} passed" in done.stdout


def test_a_test_that_must_fail_fails(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_it(v2g_pair):\n    assert v2g_pair(service='DC').station.ended.how == 'Pause'\n")
    done = run(tmp_path, "-q")
    assert done.returncode == 1
    assert "'Terminate' == 'Pause'" in done.stdout


def test_nothing_is_imported_before_a_fixture_is_used(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import sys\n\ndef test_it():\n    found = {each for each in sys.modules if each.split('.')[0] in ('v2g', 'secc', 'evcc', 'pki')}\n"
        "    assert not found\n    assert {e for e in sys.modules if e.startswith('v2gkit')} == "
        "{'v2gkit', 'v2gkit.testing', 'v2gkit.testing.plugin'}\n"
    )
    done = run(tmp_path, "-q")
    assert done.returncode == 0, done.stdout


def test_pytest_finds_it_by_its_entry_point() -> None:
    name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]["v2gkit"]
    plugin = import_module(name)
    page = (ROOT / "docs" / "testing.md").read_text()
    fixtures = [each for each in vars(plugin) if each.startswith("v2g_")]
    assert fixtures
    assert all(f"| `{each}` |" in page for each in fixtures)
    assert all(f"| `{each}` |" in str(plugin.__doc__) for each in fixtures)


def test_a_pair_of_every_service() -> None:
    for service in ("AC", "DC", "DC_BPT", "MCS"):
        pair = Pair(car(service, "Dynamic"))
        assert pair.station.ended is not None
        assert pair.station.ended.well, service


def test_a_clock_stands_until_it_is_told_to_go_on() -> None:
    clock = VirtualClock(scale=60.0)
    assert (clock.now, clock.wall) == (0.0, EPOCH)
    assert clock.advance(2.0) == 2.0
    assert clock.wall == EPOCH + 120.0
    assert clock.until(5.0) == 5.0
    assert clock.until(1.0) == clock.until(None) == 5.0
    with pytest.raises(ValueError, match="back in time"):
        clock.advance(-1.0)


def test_a_station_that_cannot_begin_says_why() -> None:
    with pytest.raises(AssertionError, match="no-such-folder"), station("--pki", "/no-such-folder"):
        pass
