"""A plugin of pytest, which it finds by itself once v2gkit is installed: fixtures whose names begin with `v2g_`.

    def test_a_charge(v2g_pair):
        pair = v2g_pair(service="DC", control="Dynamic")
        assert pair.station.ended.well

    def test_my_car(v2g_station):
        station = v2g_station("--auth", "EIM")
        assert my_car.charges_at(station.address)
        assert station.outcome()["ok"]

| fixture | what it is |
|---|---|
| `v2g_clock` | a clock that stands until it is told to go on |
| `v2g_pair` | makes a car and a station in virtual time, and runs them to their end |
| `v2g_pki` | a folder of certificates for stations and cars, made once in a run, or once in each worker of xdist |
| `v2g_station` | starts a station on a free port of the loopback |
| `v2g_car` | sends a car to an address, and says what came of it |

Nothing of v2gkit is imported before a fixture is used. Each station has a port, a process and a folder of its own, so tests may run at
once in many workers.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from v2gkit.testing.clock import VirtualClock
    from v2gkit.testing.pair import Pair
    from v2gkit.testing.programs import Station


@pytest.fixture
def v2g_clock() -> "VirtualClock":
    """A clock that begins at 0 s, and on the wall at 2027-01-15, and goes on when it is told to."""
    from v2gkit.testing.clock import VirtualClock

    return VirtualClock()


@pytest.fixture
def v2g_pair() -> "Callable[..., Pair]":
    """Makes a pair that has run to its end: `v2g_pair(service="AC", control="Dynamic", soc=...)`.

    What it takes besides are the arguments of `v2gkit.testing.pair.car` and, as `outlet`, `script`, `facts` and `given`, those of `Pair`.
    """
    from v2gkit.testing.pair import Pair, car

    def made(**given: Any) -> Pair:
        own = {name: given.pop(name) for name in ("outlet", "script", "facts", "given", "setpoint", "hardware") if name in given}
        return Pair(car(**given), **own)

    return made


@pytest.fixture(scope="session")
def v2g_pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of certificates, as `v2g pki create` makes it: for `--pki` of a station and of a car."""
    from v2gkit.testing.programs import pki

    return pki(tmp_path_factory.mktemp("v2g") / "certs")


@pytest.fixture
def v2g_station() -> "Iterator[Callable[..., Station]]":
    """Starts stations: `v2g_station("--auth", "EIM").address`; the arguments are those of `v2g secc`. They end with the test.

    Without `--pki` a station speaks plain TCP, as a bench does.
    """
    from v2gkit.testing.programs import station

    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(station(*arguments))


@pytest.fixture
def v2g_car() -> Callable[..., dict[str, Any]]:
    """Sends a car to a station: `v2g_car(address, "--service", "DC")["ok"]`; the arguments are those of `v2g ev`.

    What it returns is the object that `v2g ev --json` prints. Without `--pki` it speaks plain TCP, as a bench does.
    """
    from v2gkit.testing.programs import car

    return car
