"""The ten lines of docs/secc.md that embed a station in a program: they are run, and a car of another process charges over TLS."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.starved import TIMERS

ROOT = Path(__file__).parents[2]


def test_the_ten_lines_of_the_document_charge_a_car(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same errand is done with the installed wheel by CI, which has nothing of the clone."""
    errand_spec = importlib.util.spec_from_file_location("errand", ROOT / ".ci" / "errand.py")
    assert errand_spec is not None
    assert errand_spec.loader is not None
    errand = importlib.util.module_from_spec(errand_spec)
    errand_spec.loader.exec_module(errand)
    assert errand.TIMERS == TIMERS  # said twice, since the errand runs where there are no tests
    monkeypatch.chdir(tmp_path)
    subprocess.run([Path(sys.executable).with_name("v2g"), "pki", "create", "certs"], check=True, capture_output=True, timeout=300)
    errand.again(errand.embedded, ROOT / "docs" / "secc.md")
