"""`v2g conform capture`: exit codes, lines, and one line of JSON for each breach."""

import json
from pathlib import Path

import pytest

from tests.v2gkit.insight.decode.captures import DIN_SAID, frames, pcapng
from v2gkit.cli.main import main
from v2gkit.conform.capture.rules import RULES
from v2gkit.conform.results import campaign, read
from v2gkit.conform.verdict import Verdict


def test_a_sound_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "capture", str(pcapng(tmp_path / "a.pcapng", frames(DIN_SAID)))]) == 0
    told = capsys.readouterr().out
    assert "DIN SPEC 70121, 5 frames" in told
    assert "no rule is broken" in told


def test_a_broken_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(pcapng(tmp_path / "a.pcapng", frames([*DIN_SAID[:3], *DIN_SAID[4:]])))
    assert main(["conform", "capture", file]) == 1
    assert "broken  C-PAIR-03" in capsys.readouterr().out
    assert main(["conform", "capture", file, "--jsonl"]) == 1
    (breach,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (breach["rule"], breach["by"], breach["frame"], breach["weight"]) == ("C-PAIR-03", "car", 4, "standard")


def test_what_cannot_be_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert main(["conform", "capture", str(tmp_path / "empty")]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith("v2g conform capture: ")


def test_the_judgement_as_the_results_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = pcapng(tmp_path / "a.pcapng", frames([*DIN_SAID[:3], *DIN_SAID[4:]]))
    assert main(["conform", "capture", str(file), "--out", str(tmp_path / "out"), "--device", "Car 7"]) == 1
    found = {each.id: each for each in read(tmp_path / "out")}
    assert set(found) == set(RULES)
    assert found["C-PAIR-03"].verdict is Verdict.FAIL
    assert "frame 4" in found["C-PAIR-03"].seen
    assert found["C-EXI-01"].verdict is Verdict.PASS
    assert found["C-ORDER-01"].verdict is Verdict.PASS
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Car 7" in page
    assert "ServiceDiscoveryReq" in page
    assert campaign(tmp_path / "out").inputs[0].octets == file.stat().st_size
    assert (tmp_path / "out" / "evidence" / "recording.html").exists()
