"""What holds for every test: nothing is measured in time, so that a machine under load is no failure."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings

from tests import starved
from v2g.session.endpoint import Ended
from v2gkit.peers.network import Cable, NoNetwork, power_line

ROOT = Path(__file__).parents[1]
AGAIN = "made again"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script started the tests by `&`: what they start would ignore an interrupt, too
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.dont_write_bytecode and not (ROOT / "v2g" / "__pycache__").exists():
    # who wants no bytecode among the sources has it elsewhere: without any, each program that a test starts compiles 200 modules of ours
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT / "build" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def _told(ended: Ended) -> None:
    if starved.missed(ended.error):
        starved.hear(ended.error)


_bare = Ended.__post_init__
setattr(Ended, "__post_init__", lambda ended: (_bare(ended), _told(ended))[0])  # noqa: B010  how each session of this process ended


def _made(item: pytest.Item, nextitem: pytest.Item | None) -> tuple[int, list[pytest.TestReport]]:
    """How often a test was made again, and the reports of its last attempt."""
    own = getattr(getattr(item, "function", None), "made_again", False)  # it looks itself
    for again in range(starved.ATTEMPTS):
        starved.forget()
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        failed = [report.longreprtext for report in reports if report.failed]
        if own or not failed or not starved.heard(*failed):
            return again, reports
    return again, reports


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Make a test again whose failure names a timer of the standard, or in which a session ended by one: see `tests.starved`."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    again, reports = _made(item, nextitem)
    for report in reports:
        if again and report.when == "call":
            report.user_properties.append((AGAIN, again))
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were made again: what a machine had no processor for is told, not hidden."""
    for report in terminalreporter.getreports("passed"):
        for attempts in (value for name, value in report.user_properties if name == AGAIN):
            terminalreporter.write_line(f"made again {attempts} x, a timer of the standard had run out: {report.nodeid}")


@pytest.fixture
def line() -> Iterator[Cable]:
    """A power line of four ends: interfaces in network namespaces of their own."""
    try:
        with power_line(4) as ends:
            yield ends
    except NoNetwork as error:
        pytest.skip(str(error))
