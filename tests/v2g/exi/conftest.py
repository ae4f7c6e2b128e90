"""The codec's tests run with every engine that is there, and what they have counted is printed at the end."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from v2g.exi import engine

COUNTED = "counted "
Count = Callable[[str, str, int], None]


@pytest.fixture(scope="module", params=engine.ENGINES)
def each_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    usual = engine.used()
    engine.use(request.param)
    yield
    engine.use(usual)


@pytest.fixture
def count(record_property: Callable[[str, Any], None]) -> Count:
    """Count things of a schema set for the summary: `count("damaged frames judged", "dc", 18_182)`."""
    return lambda what, name, number: record_property(COUNTED + what, [name, number])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    totals: dict[str, Counter[str]] = {}
    for report in terminalreporter.getreports("passed"):
        for key, value in report.user_properties if report.when == "call" else ():
            if key.startswith(COUNTED):
                totals.setdefault(key.removeprefix(COUNTED), Counter())[value[0]] += value[1]
    for what, counts in totals.items():
        terminalreporter.write_line(f"{counts.total()} {what}: {', '.join(f'{name} {number}' for name, number in counts.items())}")
