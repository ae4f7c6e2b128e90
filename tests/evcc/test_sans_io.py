"""Both engines without a system: where asyncio, sockets, TLS and processes cannot even be imported, a car charges."""

import json
import subprocess
import sys

import pytest

from v2g.iso20.services import SERVICES

HIDDEN = (
    "asyncio",
    "_socket",
    "socket",
    "_ssl",
    "ssl",
    "select",
    "selectors",
    "subprocess",
    "_posixsubprocess",
    "multiprocessing",
    "concurrent",
)
SESSION = f"""
import sys
import cryptography.x509  # which reads names with email.utils, and that imports socket; nobody opens one
sys.modules.update(dict.fromkeys({HIDDEN!r}))  # importing one of them raises

import json
from evcc.car import Car, Wish
from evcc.ev import Ev
from evcc.goal import Goal
from tests.evcc.virtual_pair import Pair
from v2g.session.clock import Clock
from v2g.session.link import Link

wish = Wish(services=(sys.argv[1],), control=sys.argv[2], authorizations=("EIM",), loops=3, bench_plain=True)
link = Link(("::1", 1), ("::1", 2), None, 0.0)
car = Car(Ev(energy=30_000), Goal(target_soc=50, minimum_soc=20), wish, Clock(1.8e9, 0.0, 1.0), link=link)
pair = Pair(car)
missing = [name for name in {HIDDEN!r} if sys.modules.get(name, 1) is not None]
print(json.dumps([pair.evcc.ended.how, pair.station.ended.how, car.loops, missing]))
"""


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", ["AC_BPT", "DC_BPT"])
def test_a_session_needs_no_system(service: str, control: str) -> None:
    assert service in SERVICES
    done = subprocess.run([sys.executable, "-c", SESSION, service, control], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    how, at_station, loops, missing = json.loads(done.stdout)
    assert (how, at_station, loops) == ("Terminate", "Terminate", 3)
    assert missing == list[str]()
