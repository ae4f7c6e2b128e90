"""The demo in DIN SPEC 70121: three processes beside a CSMS; and what that generation has not."""

import json
from pathlib import Path

import pytest

from tests.starved import again, heed
from tests.v2gkit.lab.test_demo import demo
from v2gkit.insight.report.reading import story_of


@again
def test_din_spec_70121_beside_a_csms(tmp_path: Path) -> None:
    code, outcome, said = demo(tmp_path, "--generation", "DIN")
    heed(outcome)
    assert code == 0, (outcome, said)
    car = outcome["car"]
    assert (car["service"], car["auth"], car["tls"], car["ended"]) == ("DC", "eim", None, "Terminate")
    assert car["energy_charged"] > 1_000
    assert (tmp_path / "report.html").exists()
    told = story_of([json.loads(line) for line in Path(outcome["files"]["trace"]).read_text().splitlines()])
    assert told.energy["charged"] == pytest.approx(car["energy_charged"], rel=0.1)
    assert {sample.soc for sample in told.samples} >= {40}


@pytest.mark.parametrize("more", [["--auth", "pnc"], ["--control", "dynamic"], ["--service", "AC"]])
def test_what_din_spec_70121_has_not_is_refused(tmp_path: Path, more: list[str]) -> None:
    code, _, said = demo(tmp_path, "--generation", "DIN", *more)
    assert code == 2
    assert "generation DIN has DC" in said
