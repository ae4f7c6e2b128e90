"""What holds for every test: nothing is measured in time, so that a machine under load is no failure."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from v2gkit.peers.network import Cable, NoNetwork, power_line

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script started the tests by `&`: what they start would ignore an interrupt, too
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
