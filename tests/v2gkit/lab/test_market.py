"""A day of the market over real sockets: every promise kept, and an exit code that says so."""

import json
from pathlib import Path

import pytest

from tests.starved import again
from v2gkit.cli.main import main
from v2gkit.lab.market.judgement import Judged, _limits
from v2gkit.lab.market.scene import Scene
from v2gkit.lab.market.seen import Seen


@again
def test_a_day_of_the_market(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["market", "demo", "--stations", "2", "--seconds", "45", "--json", "--output", str(tmp_path)])
    said = json.loads(capsys.readouterr().out)
    assert not said["broken"]
    assert code == 0
    assert said["figures"]["first_lower_s"] <= 3.0
    assert any("of openadr3, sep2" in what for what in said["kept"])
    assert set(said["bills"]) == {"metro", "shop"}
    assert all(abs(sum(bill.values())) < 1e-6 for bill in said["bills"].values())


def test_a_limit_that_was_passed_is_a_broken_promise(tmp_path: Path) -> None:
    scene, found = Scene.of(tmp_path, 4), Judged()
    seen = Seen(first=1.0, whole=2.0, given=1_000.0, fallback=scene.limits["metro"], passed={"metro": 2_000.0, "shop": 0.0})
    seen.curbed, seen.answers = 1.0, {"C": [1, 2, 3]}
    _limits(scene, seen, found)
    assert [what.partition(":")[0] for what in found.broken] == ["metro", "the lost link"]
    late = Judged()
    _limits(scene, Seen(first=3.5, whole=4.0, given=1.0, fallback=0.0, answers={"C": [1, 2]}), late)
    assert [what.partition(":")[0].partition(" was told")[0] for what in late.broken] == [
        "the VTN's call",
        "the utility's control",
        "the utility",
    ]
