"""The long run of the machines: what it counts, that a seed and a number say all of it, and that it can say no."""

import pytest

from fuzz.machines import GENERATIONS, MACHINES, batch, main, parsed, taken, turns_of
from secc.engine import SeccSession


@pytest.mark.parametrize("machine", MACHINES)
def test_a_batch_follows_from_seed_and_number(machine: str) -> None:
    first, again, other = batch(machine, 7, 3, 200), batch(machine, 7, 3, 200), batch(machine, 7, 4, 200)
    assert first == again
    assert first.tally != other.tally
    assert first.failure == ""
    assert {what for _, what, _ in first.tally} >= {"steps", "sessions", "ends"}
    assert 100 <= taken(first.tally) <= 250


def test_it_counts_and_prints_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--steps", "1450", "--of", "100", "--seed", "5", "--processes", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("seed 5\n")
    assert all(f"{machine} {what}:" in said for machine in MACHINES for what in ("steps", "sessions", "refusals", "ends"))
    assert "FAILED_SequenceError" in said
    assert "ChargeLoop" in said


def test_the_generations_take_turns_and_one_may_be_named() -> None:
    def turns(*options: str) -> list[str]:
        return turns_of(parsed([*options]))

    every = turns()
    assert set(every) == set(MACHINES)
    assert every[:3] == ["secc", "secc2", "secc70121"]
    assert set(turns("--generation", "2")) == set(GENERATIONS["2"])
    assert turns("--only", "evcc") == ["evcc"]


def test_two_processes_take_what_one_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--steps", "1", "--seed", "5", "--of", "100", "--only", "secc", "--processes", "2"]) == 0
    said = capsys.readouterr().out
    assert any(f"\n{taken(batch('secc', 5, number, 100).tally)} steps in " in said for number in (0, 1))


def test_what_breaks_is_shown_with_its_steps_and_how_to_take_them_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SeccSession, "deadline", lambda self: None)
    assert main(["--steps", "1000", "--of", "500", "--seed", "9", "--only", "secc", "--processes", "1"]) == 1
    said = capsys.readouterr()
    assert "has no deadline" in said.err
    assert "state.arrive(" in said.err
    assert said.err.rstrip().endswith(
        "FAILED: PYTHONHASHSEED=0 python -m fuzz.machines --seed 9 --only secc --batch 0 --of 500 --steps 1 --processes 1"
    )
