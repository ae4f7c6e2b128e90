"""Which run comes next, what several runs come to, and that a script's fault is never the peer's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from v2gkit.conform.case import Case, Kind
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.controls import with_controls
from v2gkit.conform.pics import Claims, Pics, Pixit, checked, read
from v2gkit.conform.runner import Place, Run, Schedule, divided, result, runs_of
from v2gkit.conform.running import Broken, Unreached, run
from v2gkit.conform.verdict import Outcome, Result, Verdict, failed, gravest, passed


async def well(bench: Any) -> Outcome:
    return passed("as it should be")


CASE = Case(
    id="S-XXX-01",
    role="station",
    kind=Kind.NEGATIVE,
    domain="CMN",
    requirement=("V2G20-1",),
    purpose="p",
    stimulus="s",
    expected=("a", "b"),
    script=well,
)


def test_the_gravest_verdict_holds() -> None:
    assert gravest([Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE]) is Verdict.FAIL
    assert gravest([Verdict.PASS, Verdict.NOT_APPLICABLE]) is Verdict.PASS
    assert gravest([]) is Verdict.NOT_APPLICABLE


def test_claims_switch_cases_on_and_off_with_a_reason() -> None:
    cases = [
        replace(CASE, id="A", condition=("dc",)),
        replace(CASE, id="B", condition=("not dc",)),
        replace(CASE, id="C", condition=("hal",)),
    ]
    applicable, ruled_out = divided(cases, Pics(claims=Claims(dc=True)))
    assert [case.id for case in applicable] == ["A"]
    assert [(each.id, each.seen) for each in ruled_out] == [
        ("B", "claimed: a DC service"),
        ("C", "not claimed: control pilot, contactor and output that a tester drives and measures"),
    ]


def test_a_condition_that_is_no_claim_is_refused_with_its_cure() -> None:
    assert checked(("not pause",)) == ("not pause",)
    with pytest.raises(ValueError, match=r"'puase' is no claim.*pause"):
        checked(("puase",))


@pytest.mark.parametrize(("id_", "generation"), [("E-SAP-01", "20"), ("S2-SAP-01", "2"), ("E2-SAP-01", "2"), ("SD-SAP-01", "DIN")])
def test_an_id_says_the_generation_that_is_judged(id_: str, generation: str) -> None:
    assert replace(CASE, id=id_).generation == generation
    assert replace(CASE, id=id_).family == "SAP"


def test_a_peer_that_is_judged_in_a_generation_counts_as_speaking_it() -> None:
    assert Pics().lacking(("generation_2",)) == "not claimed: ISO 15118-2"
    for generations, lacking in (((), ""), (("2",), ""), (("20", "DIN"), "not claimed: ISO 15118-2")):
        claimed = Pics(claims=Claims(generation_2=not generations)).speaking(generations)
        assert claimed.lacking(("generation_2",)) == lacking
    assert not Pics().speaking(("DIN",)).lacking(("din",))


def test_pics_are_strict() -> None:
    assert read("[claims]\npause = true\n[test]\nrecovery = 3").claims.pause
    with pytest.raises(ValueError, match=r"claims.puase.*pause"):
        read("[claims]\npuase = true")
    with pytest.raises(ValueError, match="recovery is 0 s"):
        read("[test]\nrecovery = 0")


def test_an_outlet_has_one_run_and_connections_run_beside_it() -> None:
    session, beside, alone = CASE, replace(CASE, id="B", claim="connection"), replace(CASE, id="C", claim="station")
    schedule = Schedule([Run(session), Run(session, number=2), Run(beside), Run(beside, number=2), Run(alone)], outlets=1, beside=1)
    assert schedule.next() == (Run(session), Place(0))
    assert schedule.next() == (Run(beside), Place(0, beside=True))
    assert schedule.next() is None
    schedule.done(Run(beside))
    assert schedule.next() == (Run(beside, number=2), Place(0, beside=True))
    schedule.done(Run(session))
    assert schedule.next() == (Run(session, number=2), Place(0))
    schedule.done(Run(session, number=2))
    assert schedule.next() is None  # the whole station, while one is beside
    schedule.done(Run(beside, number=2))
    assert schedule.next() == (Run(alone), Place(0))
    assert schedule.next() is None


def test_one_run_has_the_link_and_the_others_go_on() -> None:
    discovery = [replace(CASE, id=each, claim="link", lasts=1.0) for each in ("L1", "L2")]
    schedule = Schedule(runs_of([replace(CASE, id="Z", lasts=9.0), replace(CASE, lasts=4.0), *discovery]), outlets=3)
    begun = [schedule.next() for _ in range(4)]
    assert [each and (each[0].case.id, each[1].outlet) for each in begun] == [("L1", 0), ("Z", 1), (CASE.id, 2), None]
    schedule.done(Run(replace(CASE, lasts=4.0)))
    assert schedule.next() is None, "the link is taken, though an outlet is free"
    schedule.done(Run(discovery[0]))
    assert schedule.next() == (Run(discovery[1]), Place(0))
    assert Schedule([Run(each) for each in discovery], outlets=3).left() == 2.0


def test_the_longest_come_first_and_the_time_left_is_told() -> None:
    long = replace(CASE, id="Z", lasts=60.0)
    runs = runs_of([CASE, long])
    assert [each.case.id for each in runs] == ["Z", CASE.id]
    assert Schedule(runs, outlets=2).left() == 60.0
    assert Schedule(runs, outlets=1).left() == 62.0
    begun = Schedule(runs, outlets=2)
    assert begun.next(100.0) == (Run(long), Place(0))
    assert begun.left(140.0) == 20.0
    assert begun.left(170.0) == CASE.lasts  # a run that takes longer than usual owes nothing


def test_parts_make_one_result_and_a_flaky_one_is_told() -> None:
    case = replace(CASE, parts=("x", "y"))
    assert result(case, [(Run(case, "x"), passed("fine")), (Run(case, "y"), failed("bad"))]).seen == "y: bad"
    two = [(Run(CASE), passed("fine")), (Run(CASE, number=2), failed("bad"))]
    assert result(CASE, two).seen == "flaky, fail in 1 of 2: bad"


@dataclass
class Stage:
    """Benches that only count: how many at once, and what recovery says."""

    wrong: str = ""
    dead: str = ""  # what is wrong before anything was done
    open: int = 0
    most: int = 0
    told: list[Result] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def bench(self, run: Run, place: Place) -> AsyncIterator[Any]:
        stage = self

        class One:
            part = run.part
            evidence = ()

            async def recovered(self) -> str:
                return stage.wrong

            async def serves(self) -> None:
                if stage.dead:
                    raise Unreached(stage.dead)

        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0)
        yield One()
        self.open -= 1

    def play(self, *cases: Case, **given: Any) -> list[Result]:
        pics = Pics(test=Pixit(connections=0))
        return asyncio.run(run(cases, pics, self.bench, lambda each, *_: self.told.append(each), **given))


def raising(error: Exception) -> Any:
    async def script(bench: Any) -> Outcome:
        raise error

    return script


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(Broken("it lied"), Verdict.FAIL), (Unreached("no answer"), Verdict.INCONCLUSIVE), (KeyError("ours"), Verdict.INCONCLUSIVE)],
)
def test_whose_fault_it_is(error: Exception, verdict: Verdict) -> None:
    (only,) = Stage().play(replace(CASE, script=raising(error)))
    assert only.verdict is verdict


def test_a_hung_peer_costs_only_its_case() -> None:
    async def hangs(bench: Any) -> Outcome:
        await asyncio.Event().wait()
        return passed("never")

    stage = Stage()
    results = stage.play(replace(CASE, id="A", script=hangs, within=0.05), replace(CASE, id="B"))
    assert [(each.id, each.verdict) for each in results] == [("A", Verdict.INCONCLUSIVE), ("B", Verdict.PASS)]
    assert results[0].seen == "the case was not over after 0.05 s"


def test_a_robustness_case_fails_where_the_peer_does_not_come_back() -> None:
    robust = replace(CASE, kind=Kind.ROBUSTNESS)
    assert Stage().play(robust)[0].verdict is Verdict.PASS
    (only,) = Stage(wrong="nobody answers").play(robust)
    assert (only.verdict, only.seen) == (Verdict.FAIL, "as it should be; then nobody answers")
    (only,) = Stage("nobody answers", dead="nor did anybody before").play(robust)  # the case has not begun
    assert (only.verdict, only.seen) == (Verdict.INCONCLUSIVE, "nor did anybody before")


def test_runs_overlap_on_as_many_outlets_as_there_are() -> None:
    for outlets in (1, 3):
        stage = Stage()
        stage.play(*(replace(CASE, id=f"C{number}") for number in range(6)), outlets=outlets)
        assert stage.most == outlets
        assert len(stage.told) == 6


# --- controls ---


def _played(*cases: Case) -> dict[str, Result]:
    stage, told = Stage(), list[Result]()
    found = asyncio.run(run(cases, Pics(), stage.bench, lambda each, *_: told.append(each)))
    assert sorted(told, key=lambda each: each.id) == found, "what is told is what is returned"
    return {each.id: each for each in found}


async def _badly(bench: Any) -> Outcome:
    return failed("nothing is granted")


async def _unreached(bench: Any) -> Outcome:
    raise Unreached("no session")


CONTROL = replace(CASE, id="S-XXX-02", kind=Kind.POSITIVE)
BESIDE = replace(CASE, control=CONTROL.id)
NEXT = replace(CASE, id="S-XXX-03", control=BESIDE.id)


@pytest.mark.parametrize("first", [1.0, 9.0])
@pytest.mark.parametrize("script", [_badly, _unreached])
def test_a_pass_whose_control_does_not_pass_proves_nothing(script: Any, first: float) -> None:
    """Whichever is over first; and what stands on it proves nothing either."""
    found = _played(BESIDE, replace(CONTROL, script=script, lasts=first), NEXT)
    assert [found[each.id].verdict for each in (BESIDE, NEXT)] == [Verdict.INCONCLUSIVE] * 2
    assert found[BESIDE.id].seen.startswith(f"its control {CONTROL.id} came to {found[CONTROL.id].verdict}: ")
    assert found[BESIDE.id].seen.endswith("seen was: as it should be")


def test_a_pass_stands_beside_a_control_that_passed_and_a_failure_beside_any() -> None:
    assert {each.verdict for each in _played(BESIDE, CONTROL, NEXT).values()} == {Verdict.PASS}
    found = _played(replace(BESIDE, script=_badly), replace(CONTROL, script=_unreached))
    assert found[BESIDE.id].verdict is Verdict.FAIL
    assert _played(BESIDE)[BESIDE.id].verdict is Verdict.PASS, "a control that is not played says nothing"


def test_a_control_that_is_slow_was_reached() -> None:
    late = replace(CONTROL, kind=Kind.TIMING, script=_badly)
    assert _played(BESIDE, late)[BESIDE.id].verdict is Verdict.PASS
    assert _played(BESIDE, replace(late, script=_unreached))[BESIDE.id].verdict is Verdict.INCONCLUSIVE


def test_a_case_that_is_asked_for_brings_its_controls() -> None:
    known = {each.id: each for each in (replace(CONTROL, parts=("a", "b")), BESIDE, NEXT)}
    found = with_controls([NEXT], known)
    assert [(each.id, each.parts) for each in found] == [(NEXT.id, ("",)), (BESIDE.id, ("",)), (CONTROL.id, ("a",))]
    assert with_controls(known.values(), known) == tuple(known.values())


UNLIKE = {  # cases whose control does not apply everywhere they do: there a pass stands alone
    *("S-SCH-05", "S-SCH-08", "S2-CPD-05", "S2-SDP-03", "S2-SDP-04", "S2-SDP-05"),
    *(f"S2-SEL-{number:02}" for number in range(4, 10)),
    *(f"S2-STP-{number}" for number in range(11, 17)),
}


def test_what_shall_not_happen_has_a_case_in_which_it_may() -> None:
    known = catalogue()
    assert not [each.id for each in known.values() if not each.control and each.kind in (Kind.NEGATIVE, Kind.ROBUSTNESS)]
    found = {each.id: known[each.control] for each in known.values() if each.control}
    assert {id_ for id_, control in found.items() if not set(control.condition) <= set(known[id_].condition)} == UNLIKE
    assert not [id_ for id_, each in found.items() if (each.role, each.generation) != (known[id_].role, known[id_].generation)]
