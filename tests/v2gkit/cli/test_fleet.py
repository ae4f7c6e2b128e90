"""`v2g fleet`: what its file says, what it lacks, and a fleet that runs."""

from pathlib import Path

import pytest

from tests.v2gkit.fleet.depot import written
from v2gkit.cli.main import main


def test_a_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", str(written(tmp_path)), "--check"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "metro: 1 sites, 6 assets, 2 contracts, 1 programs"
    assert said[1] == "  depot: 6 assets below 60000 W; by themselves they keep to 24000 W"


def test_what_lacks_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    assert main(["fleet", str(file)]) == 2
    assert "give --state DIR or --store URL" in capsys.readouterr().err
    file.write_text(file.read_text().replace('tenant = "metro"', 'tenant = "metr"', 1))
    assert main(["fleet", str(file), "--check"]) == 2
    assert "metro, shop" in capsys.readouterr().err
    (tmp_path / "shop-grid.toml").write_text("")
    written(tmp_path)
    assert main(["fleet", str(file), "--state", str(tmp_path), "--port", "0"]) == 2
    assert "metro-grid.toml" in capsys.readouterr().err
