"""The harness that kills a fleet, its NATS and its PostgreSQL: it finds nothing in what is sound, and says what is broken."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fuzz.kills_fleet import LIMIT, PARTS, POSTGRES, Count, Yard, run
from fuzz.parts import Part
from tests.starved import HANG, again
from tests.v2gkit.csms.stores import nats


@again
def test_each_part_is_killed_once_and_nothing_is_lost() -> None:
    nats()
    if not POSTGRES:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as folder:  # which PostgreSQL's own user may enter
        lines: list[str] = []
        count = run(len(PARTS), 3, Path(folder), lines.append)
    assert dict(count.kills) == dict.fromkeys(PARTS, 1)
    assert not count.broken
    assert count.orders
    assert count.booked
    assert [line.partition(":")[0] for line in lines] == [f"{number + 1} of 3, {name}" for number, name in enumerate(PARTS)]
    assert all(line.endswith("0 faults") for line in lines)


@again
@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_who_is_stopped_judges_what_was_done(word: signal.Signals) -> None:
    nats()
    if not POSTGRES:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    command = [sys.executable, "-m", "fuzz.kills_fleet", "--kills", "500", "--seed", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(word)
        rest = process.communicate(timeout=HANG)[0].splitlines()
    assert first.startswith("1 of 500, fleet: ")
    assert process.returncode == 0
    killed, judged, caught = rest[-3:]
    assert killed.startswith("seed 4: killed 1 x fleet")  # and the one that was at hand
    assert judged.endswith("0 faults")
    assert " 0 transactions" not in judged
    assert caught.startswith("caught up in ")


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


def test_a_part_whose_forerunner_is_not_quite_gone_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(
        "import os, sys, time\n"
        "tries = int(open('tries').read()) if os.path.exists('tries') else 0\n"
        "open('tries', 'w').write(str(tries + 1))\n"
        "sys.exit('in use') if tries < 2 else print('ready', file=sys.stderr, flush=True)\n"
        "time.sleep(600)\n"
    )
    part = Part([sys.executable, "late.py"], "ready", cwd=str(tmp_path))
    try:
        part.begin()
        assert (tmp_path / "tries").read_text() == "3"
        assert part.process is not None
        assert part.process.poll() is None
    finally:
        part.kill()
