"""Every command of the guides does what the guide says; and no document shows a command that nobody runs."""

import re
from pathlib import Path

import pytest

from tests import starved
from tests.guides import ROOT, Guide

GUIDES = (
    "README.md",
    "docs/start.md",
    "docs/guides/charger.md",
    "docs/guides/test-charger.md",
    "docs/guides/test-car.md",
    "docs/guides/capture.md",
    "docs/secc.md",
    "docs/evcc.md",
    "docs/ocpp.md",
    "docs/csms.md",
    "docs/fleet.md",
    "docs/energy.md",
    "docs/grid.md",
    "docs/viewer.md",
    "docs/conform.md",
    "docs/revenue.md",
    "docs/regulation.md",
)
ELSEWHERE = {  # what needs more than an empty folder, and the test that has it
    "docs/pki.md": "tests/v2gkit/authorities/test_pki_cookbook.py",  # a foreign signature
    "docs/slac.md": "tests/v2gkit/station/test_matching.py",  # two modems
}


@pytest.mark.parametrize("name", GUIDES)
@starved.again
def test_every_command_of_a_guide_does_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    guide = Guide((ROOT / name).read_text())
    assert guide.commands
    try:
        guide.follow()
    except AssertionError as error:
        raise AssertionError("\n".join((str(error), *capfd.readouterr()))) from error


def test_a_guide_that_lies_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError):
        Guide("```console\n$ v2g exi decode 80400040        # refused\n```\n").follow()
    with pytest.raises(AssertionError):
        Guide("```console\n$ v2g exi decode --set dc 8041\n```\n").follow()


def test_every_document_with_commands_is_run() -> None:
    documents = {str(path.relative_to(ROOT)): path.read_text() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]}
    assert {name for name, text in documents.items() if Guide(text).commands} == {*GUIDES, *ELSEWHERE}
    assert all((ROOT / test).is_file() for test in ELSEWHERE.values())
    for name, text in documents.items():
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            stray = [line for line in block.splitlines() if re.match(r"(\$ )?v2g ", line)]
            assert language == "console" or not stray, f"{name}: {stray} stands in a block that no test runs; make it a block `console`"
