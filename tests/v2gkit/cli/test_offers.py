"""`v2g market offers`: bids out of a history, and in words what keeps them from being made."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from v2gkit.cli.main import main

DAY, HOUR = 86_400.0, 3_600.0
MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()


def written(folder: Path, days: int = 8) -> list[str]:
    """A site, a tender and a history of so many working days with three cars each; the arguments that name them."""
    (folder / "site.toml").write_text("import_limit = 40_000\nexport_limit = 20_000\n")
    product = 'name = "relief"\ndirection = "up"\nlasts = 3600\nleast = 3_000\ncertainty = 0.9\navailability = 0.02'
    (folder / "tender.toml").write_text(f"[[product]]\n{product}\n")
    starts = [MONDAY - back * DAY for back in range(1, 40) if datetime.fromtimestamp(MONDAY - back * DAY, UTC).weekday() < 5][:days]
    rows = [{"arrival": at + k * HOUR, "departure": at + (k + 9) * HOUR, "energy": 12_000.0} for at in starts for k in (7, 8, 8.5)]
    (folder / "visits.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows) + '{"arrival": 17')
    return ["market", "offers", "--site", str(folder / "site.toml"), "--visits", str(folder / "visits.jsonl"), "--day", "2026-03-02"]


def test_bids_are_listed_for_people_and_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*written(tmp_path), "--products", str(tmp_path / "tender.toml"), "--lend", "6"]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[:3] == ["from", "product", "kW"]
    assert main([*words, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == len(said) - 1
    best = max(found, key=lambda bid: bid["power"])
    assert best["power"] >= 3_000
    assert best["certainty"] >= 0.9
    assert best["worth"] == pytest.approx(0.02 * best["power"] / 1_000)


def test_what_no_site_of_that_size_can_sell_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '[[product]]\nname = "FCR"\ndirection = "both"\nlasts = 14400\nleast = 1_000_000\nstep = 1_000_000\n'
    words = written(tmp_path)
    (tmp_path / "tender.toml").write_text(text)
    assert main([*words, "--products", str(tmp_path / "tender.toml"), "--json"]) == 1
    said = capsys.readouterr()
    assert all(json.loads(line)["lacking"] > 900_000 for line in said.out.splitlines())
    assert "a pool of sites may have it" in said.err


def test_what_keeps_bids_from_being_made_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(written(tmp_path, days=3)) == 2
    assert "at least five are needed" in capsys.readouterr().err
    words = written(tmp_path)
    (tmp_path / "visits.jsonl").write_text("\n")
    assert main(words) == 2
    assert "no visit in it" in capsys.readouterr().err
    assert main([*words[:3], str(tmp_path / "nowhere.toml"), *words[4:]]) == 2
    written(tmp_path)
    (tmp_path / "tender.toml").write_text('[[product]]\nname = "x"\ndirection = "sideways"\nlasts = 900\n')
    assert main([*words, "--products", str(tmp_path / "tender.toml")]) == 2
    assert "sideways" in capsys.readouterr().err
