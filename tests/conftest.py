"""What holds for every test: nothing is measured in time, so that a machine under load is no failure."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from v2gkit.peers.network import Cable, NoNetwork, power_line

ROOT = Path(__file__).parents[1]
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script started the tests by `&`: what they start would ignore an interrupt, too
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.dont_write_bytecode and not (ROOT / "v2g" / "__pycache__").exists():
    # who wants no bytecode among the sources has it elsewhere: without any, each program that a test starts compiles 200 modules of ours
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT / "build" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture
def line() -> Iterator[Cable]:
    """A power line of four ends: interfaces in network namespaces of their own."""
    try:
        with power_line(4) as ends:
            yield ends
    except NoNetwork as error:
        pytest.skip(str(error))
