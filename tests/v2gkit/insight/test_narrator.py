"""The story of a session and its progress, told from sessions of our car and station in virtual time."""

import itertools
import re
from dataclasses import replace

import pytest

from tests.evcc.test_pair import car, ended
from tests.evcc.virtual_pair import Pair, outlet
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import PeerMisbehaved
from v2g.session.link import Connected, Disconnected, HandshakeFailed
from v2gkit.cli.blocks import block, duration, folded, verdict
from v2gkit.insight.narrator import AT_LEAST, Narrator
from v2gkit.insight.progress import Progress


def told(pair: Pair) -> list[tuple[float, str]]:
    """The story of the car of a pair, each line with the time (s) at which it was told."""
    story, now = list[tuple[float, str]](), 0.0
    narrator = Narrator(pair.car.clock, lambda line: story.append((now, line)))
    for event in pair.seen:
        now = event.at
        narrator.event(event)
    return story


def test_somebody_who_watches_hears_something_again_and_again() -> None:
    """In real time a charge of ten minutes, in which two hours of wall time never pass."""
    pair = Pair(car("DC", loops=2400), outlet())
    assert ended(pair) == "Terminate"
    story = told(pair)
    loops = [(at, line) for at, line in story if line.startswith("loop ")]
    assert loops[-1][0] - loops[0][0] > 200
    gaps = [after[0] - before[0] for before, after in itertools.pairwise(story)]
    assert max(gaps) < AT_LEAST + 1
    assert len(loops) < 60
    phases = [line.split()[1] for _, line in story if line.startswith("message")]
    assert list(dict.fromkeys(phases))[:3] == ["supportedAppProtocol", "SessionSetup", "AuthorizationSetup"]


def test_a_turn_of_the_power_is_told_and_progress_knows_which_way() -> None:
    visitor = car("DC_BPT", "Dynamic", loops=200)
    pair = Pair(visitor, outlet(), setpoint=-8_000.0)
    assert ended(pair) == "Terminate"
    assert any(re.search(r"discharges with 8\.\d kW", line) for _, line in told(pair))
    progress, lines = Progress("car", visitor.clock.wall), set[str]()
    for event in pair.seen:
        progress.event(event)
        lines |= {"".join(text for text, _ in line) for line in block(progress, 100)}
    assert any(re.search(r"power \[ *<+\|      \] -8\.\d kW", line) for line in lines)
    assert (progress.service, progress.control, progress.authorization) == ("DC_BPT", "Dynamic", "EIM")
    assert progress.power == 0.0  # no more at its end


def test_the_stay_goes_from_arrival_to_departure_although_the_car_sets_its_clock() -> None:
    visitor = car("DC", loops=50)
    visitor.goal = replace(visitor.goal, departure=visitor.wall + 3600.0)
    pair = Pair(visitor, outlet())
    progress = Progress("car", lambda at: visitor.clock.wall(at))
    for event in pair.seen:
        progress.event(event)
    assert progress.stay == pytest.approx(3600.0, abs=5.0)
    assert 0 < progress.stayed < 3600
    assert progress.left == pytest.approx(3600.0 - progress.stayed, abs=5.0)


LOCAL = ("::1", 1)
OVER = Disconnected(9.0, "peer", True, "it closed")
ENDINGS: list[tuple[list[Event], str, str]] = [
    ([OVER], "failed: it closed", "bold red"),
    ([HandshakeFailed(2.0, "bad certificate", "peer", None, "V2G20-1"), OVER], "failed [V2G20-1]: bad certificate", "bold red"),
    ([replace(OVER, ended=Ended("Terminate"))], "ended well: Terminate", "green"),
    ([replace(OVER, ended=Ended("Terminate", asked="the grid\x1b[2J"))], "ended well: Terminate, asked for: the grid\\u001b[2J", "green"),
    ([replace(OVER, ended=Ended("Error", PeerMisbehaved("x\n\u202ey", "V2G20-7")))], "failed [V2G20-7]: x\\u000a\\u202ey", "bold red"),
]


@pytest.mark.parametrize(("events", "text", "style"), ENDINGS)
def test_every_end_has_its_verdict_and_reason(events: list[Event], text: str, style: str) -> None:
    progress = Progress("E1", lambda at: at)
    parted: list[Progress] = []
    progress.parted = parted.append
    for event in [Connected(1.0, LOCAL, LOCAL), *events]:
        progress.event(event)
    assert parted == [progress]
    assert verdict(progress) == [(text, style)]
    assert text in "".join(piece for piece, _ in folded(progress, 80))


def test_times_are_in_the_unit_that_is_read_best() -> None:
    assert [duration(s) for s in (-1, 0, 59.9, 60, 3599, 3600, 63_600)] == ["0 s", "0 s", "59 s", "1 min", "59 min", "1:00 h", "17:40 h"]
