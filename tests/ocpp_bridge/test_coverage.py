"""The table of actions is whole, and what it calls answered is called by a test."""

import re

from docs import coverage
from ocpp_bridge.table import REQUESTS


def test_every_action_has_a_row_a_direction_and_a_block() -> None:
    rows = list(coverage.rows())
    assert (len(coverage.known()["2.1"]), len(coverage.known()["2.0.1"])) == (91, 64)
    assert {row[0] for row in rows} == coverage.known()["2.1"] | coverage.known()["2.0.1"]
    assert {row[0] for row in rows} > coverage.STATION
    assert {row[4] for row in rows} <= {"answered", "NotSupported", "sent", "not sent"}
    listed = [word for words in coverage.CASES.values() for word in re.sub(r"\([^)]*\)", "", words).split()]
    assert len(listed) == len(set(listed)) == 91, "an action has two functional blocks, or none"


def test_nothing_is_answered_that_a_station_asks() -> None:
    assert not set(REQUESTS) & coverage.STATION


def test_every_action_is_named_by_a_test() -> None:
    assert not coverage.unproven(), f"no test names them: {coverage.unproven()}"
