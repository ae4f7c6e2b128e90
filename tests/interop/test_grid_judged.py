"""The utility server of our tests (`sep2_server.py`), judged by `cactus-client`, which others wrote, over mutual TLS with AES-CCM.

What plays the procedures for clients against our client is thereby held to the procedures for servers. Each group of them is played in a
foreign interpreter by `sep2_judge.py`; every answer is held to the schema of CSIP-AUS, and a warning counts as a failure.
"""

import json
import subprocess
from pathlib import Path

import pytest

from v2gkit.peers.grid_setup import csip_of

ROOT = Path(__file__).parents[2]
JUDGE = csip_of(ROOT / ".interop")
SITE = next(iter(JUDGE.parents[1].glob("lib/*/site-packages")), None)
THERE = SITE is not None and (SITE / "cactus_client").exists() and (SITE / "cactus_client_notifications").exists()
pytestmark = pytest.mark.skipif(not THERE, reason="cactus-client and its notifications are not in .interop/csip (they want Python 3.12)")
TIME = 1_200.0  # s for a group, generous
GROUP = 8
SLOW = {
    "S-ALL-41": "waits for eleven minutes",
    "S-ALL-42": "waits for a minute and a half",
    "S-ALL-46": "waits for six minutes",
    "S-ALL-50": "lasts three days",
}
"""For `sep2_judge.py` by hand; what came of it stands in docs/grid.md."""


def ids() -> list[str]:
    assert SITE is not None
    return sorted(path.stem for path in (SITE / "cactus_test_definitions" / "server" / "procedures").glob("*.yaml"))


def groups() -> list[list[str]]:
    quick = [each for each in ids() if each not in SLOW] if THERE else []
    return [quick[first : first + GROUP] for first in range(0, len(quick), GROUP)]


@pytest.mark.parametrize("group", groups(), ids=lambda group: f"{group[0]}-to-{group[-1]}")
def test_the_server_passes_the_procedures_for_servers(group: list[str], tmp_path: Path) -> None:
    program = Path(__file__).parent / "sep2_judge.py"
    done = subprocess.run([JUDGE, program, tmp_path, *group], capture_output=True, text=True, timeout=TIME, check=False)
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [each["id"] for each in said] == group, done.stderr[-2_000:]
    assert not [each for each in said if not each["passed"]]


def test_what_takes_long_is_named() -> None:
    assert SLOW.keys() <= set(ids())
    assert len(ids()) == 61
