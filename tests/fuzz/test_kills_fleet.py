"""The harness that kills a fleet, its NATS and its PostgreSQL: it finds nothing in what is sound, and says what is broken."""

import tempfile
from pathlib import Path

import pytest

from fuzz.kills_fleet import LIMIT, PARTS, POSTGRES, Count, Yard, run
from tests.starved import again
from tests.v2gkit.csms.stores import nats


@again
def test_each_part_is_killed_once_and_nothing_is_lost() -> None:
    nats()
    if not POSTGRES:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as folder:  # which PostgreSQL's own user may enter
        count = run(len(PARTS), 3, Path(folder))
    assert dict(count.kills) == dict.fromkeys(PARTS, 1)
    assert not count.broken
    assert count.orders
    assert count.booked


def test_an_order_beyond_every_cap_is_a_fault() -> None:
    count = Count()
    yard = Yard(count)
    yard.take("a0", LIMIT)
    assert not count.broken
    yard.take("a1", 2_000.0)
    assert count.broken
    before = len(count.broken)
    yard.take("a0", 0.0)
    assert len(count.broken) == before  # less is never a fault
