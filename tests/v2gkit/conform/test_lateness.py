"""A bench that is late blames nobody: by what was sent when, and by when this process was scheduled. On a clock of the test's own."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.v2gkit.conform.test_runner import CASE
from v2g.exi.derive import least
from v2g.messages import common_messages as cm
from v2g.messages import dc
from v2g.session.endpoint import FrameReceived, FrameSent
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.lateness import BEAT, Stalls, late_request, punctual, stalled
from v2gkit.conform.pics import Pics
from v2gkit.conform.runner import Place, Run
from v2gkit.conform.running import AGAIN, run
from v2gkit.conform.verdict import Evidence, Outcome, Verdict, blocked, failed, inconclusive, passed

LOOP, SETUP = (dc.DC_ChargeLoopReq, dc.DC_ChargeLoopRes), (cm.SessionSetupReq, cm.SessionSetupRes)


def exchange(pair: tuple[Any, Any], sent: float, heard: float, connection: int = 1) -> Evidence:
    asked, answered = pair
    return (
        (connection, FrameSent(sent, 0x8004, "dc", b"", least(asked))),
        (connection, FrameReceived(heard, 0x8004, "dc", b"", least(answered), heard - sent)),
    )


def well(until: float) -> Stalls:
    """A process that gave every sign of life in time."""
    return stalls(*(BEAT * number for number in range(int(until / BEAT) + 1)))


def stalls(*beats: float) -> Stalls:
    found = Stalls(beats[0])
    for at in beats[1:]:
        found.beat(at)
    return found


@pytest.mark.parametrize(
    ("pair", "pause", "late"),
    [
        (LOOP, 0.2, ""),
        (LOOP, 0.49, ""),
        (LOOP, 1.01, "this side was late: a request 1.01 s after DC_ChargeLoopRes, the station waits 0.5 s"),
        (SETUP, 1.01, ""),
        (SETUP, 61.0, "this side was late: a request 61.00 s after SessionSetupRes, the station waits 60 s"),
    ],
)
def test_a_request_is_late_by_the_time_that_the_station_waits(pair: Any, pause: float, late: str) -> None:
    evidence = (*exchange(pair, 0.0, 0.1), *exchange(pair, 0.1 + pause, 0.2 + pause))
    assert late_request(evidence, well(70.0)) == late


def test_another_connection_and_a_silence_on_purpose_are_no_lateness() -> None:
    assert not late_request((*exchange(LOOP, 0.0, 0.1), *exchange(LOOP, 2.0, 2.1, connection=2)), well(3.0))
    assert not late_request(exchange(LOOP, 0.0, 0.1), well(3.0))


def test_an_answer_that_nobody_was_there_to_hear_came_before_it_was_heard() -> None:
    evidence = (*exchange(LOOP, 0.0, 0.4), *exchange(LOOP, 0.7, 0.8))
    assert not late_request(evidence, well(1.0))
    assert "0.65 s after" in late_request(evidence, stalls(0.0, 0.4, *(0.4 + BEAT * each for each in range(1, 9))))


def test_a_spell_counts_within_its_time_and_while_it_lasts() -> None:
    found = stalls(0.0, BEAT, 2.0)
    assert found.between(0.0, 2.0) == [pytest.approx(2.0 - 2 * BEAT)]
    assert found.between(1.5, 2.0) == [pytest.approx(0.5)]
    assert found.between(2.0, 2.0 + BEAT) == []
    assert found.between(2.0, 3.0) == [pytest.approx(1.0 - BEAT)]  # its end is not told yet


@pytest.mark.parametrize(("pair", "spell", "limit"), [(SETUP, 0.9, ""), (SETUP, 1.2, "1 s"), (LOOP, 0.2, ""), (LOOP, 0.4, "0.25 s")])
def test_what_is_borne_is_the_slack_and_less_in_the_loop(pair: Any, spell: float, limit: str) -> None:
    told = stalled(exchange(pair, 0.0, 0.1), stalls(0.0, BEAT + spell), 0.0, BEAT + spell, slack=1.0)
    assert told == (f"this side was late: not scheduled for {spell:.2f} s, at most {limit} are borne" if limit else "")


@pytest.mark.parametrize(
    ("outcome", "late", "stood", "verdict"),
    [
        (failed("closed"), "", "", Verdict.FAIL),
        (failed("closed"), "late", "", Verdict.INCONCLUSIVE),
        (failed("after 3 s"), "", "stood", Verdict.INCONCLUSIVE),
        (inconclusive("closed"), "", "stood", Verdict.INCONCLUSIVE),
        (passed("closed"), "late", "", Verdict.INCONCLUSIVE),  # never a pass by accident
        (passed("in time"), "", "stood", Verdict.PASS),
        (blocked("no contract"), "late", "stood", Verdict.BLOCKED),
    ],
)
def test_what_lateness_makes_of_a_verdict(outcome: Outcome, late: str, stood: str, verdict: Verdict) -> None:
    found = punctual(outcome, late, stood)
    assert found.verdict is verdict
    assert found.seen.endswith(outcome.seen)
    assert (found == outcome) is not found.late


class Late:
    """A bench whose first visits are late."""

    def __init__(self, visits: Sequence[bool]):
        self.visits, self.count = visits, 0

    @contextlib.asynccontextmanager
    async def bench(self, run: Run, place: Place) -> AsyncIterator[Any]:
        pause = 1.01 if self.visits[min(self.count, len(self.visits) - 1)] else 0.2
        self.count += 1

        class One:
            part = run.part
            evidence = (*exchange(LOOP, -9.0, -8.9), *exchange(LOOP, -8.9 + pause, -8.0))

        yield One()


@pytest.mark.parametrize(
    ("visits", "count", "verdict"),
    [((False,), 1, Verdict.FAIL), ((True, True, False), 3, Verdict.FAIL), ((True,), 1 + AGAIN, "inconclusive")],
)
def test_a_late_run_is_made_again_before_it_is_reported(visits: Sequence[bool], count: int, verdict: Verdict) -> None:
    async def closed(bench: Any) -> Outcome:
        return failed("closed after 0.00 s")

    late = Late(visits)
    (only,) = asyncio.run(run([replace(CASE, script=closed)], Pics(), late.bench, lambda *_: None))
    assert (late.count, only.verdict) == (count, verdict)
    assert ("1.01 s after DC_ChargeLoopRes" in only.seen) is (verdict == "inconclusive")


def test_a_case_that_leaves_less_time_than_the_pixit_bears_less() -> None:
    async def closed(bench: Any) -> Outcome:
        time.sleep(0.3)  # noqa: ASYNC251 - this process stands, as it does on a machine with other work
        return failed("closed after 0.00 s")

    late = Late((False,))
    (only,) = asyncio.run(run([replace(CASE, script=closed, slack=0.05)], Pics(), late.bench, lambda *_: None))
    assert (late.count, only.verdict) == (1 + AGAIN, "inconclusive")
    assert "at most 0.05 s are borne" in only.seen


def test_a_case_that_answers_at_the_last_moment_says_how_late_it_may() -> None:
    cases, usual = catalogue().values(), Pics().test.slack
    assert (
        {each.id for each in cases if each.slack < usual}
        == {each.id for each in cases if "tenth of the timeout early" in each.stimulus}
        != set()
    )
