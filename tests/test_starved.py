"""What is made again when a machine is starved, and what is not."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.starved import ATTEMPTS, HANG, again, hear, heed

ROOT = Path(__file__).parents[1]
MISSED = "V2G_EVCC_Msg_Timeout of 0.5 s ran out: no answer to DC_ChargeLoopReq [V2G20-436]"


def test_a_timer_that_was_missed_is_tried_again_in_a_folder_of_its_own(tmp_path: Path) -> None:
    seen: list[Path] = []

    @again
    def session(tmp_path: Path) -> None:
        seen.append(tmp_path)
        heed("loop 1", MISSED if len(seen) < 3 else "all went well")

    session(tmp_path=tmp_path)
    assert seen == [tmp_path, tmp_path / "again1", tmp_path / "again2"]


@pytest.mark.parametrize(("said", "times"), [(MISSED, ATTEMPTS), ("V2G_SECC_CommunicationSetup_Timeout", 1), ("a contactor is closed", 1)])
def test_nothing_else_is_forgiven_and_nothing_for_ever(said: str, times: int) -> None:
    made: list[str] = []

    @again
    def session() -> None:
        made.append(said)
        heed(said)
        raise AssertionError(said)

    with pytest.raises(AssertionError, match=said.split(" ")[0]):
        session()
    assert len(made) == times


def test_an_exception_is_no_missed_timer() -> None:
    made: list[int] = []

    @again
    def session() -> None:
        made.append(1)
        raise ValueError(MISSED)

    with pytest.raises(ValueError):
        session()
    assert made == [1]


@pytest.mark.parametrize("failure", [AssertionError("the station closed the connection"), IndexError("no line")])
def test_what_the_other_party_said_of_a_timer_counts_in_its_own_attempt_alone(failure: Exception) -> None:
    made: list[int] = []

    @again
    def session() -> None:
        made.append(1)
        hear(MISSED if len(made) < 3 else "ended: refused")
        raise failure

    with pytest.raises(type(failure)):
        session()
    assert len(made) == 3


def test_no_example_of_hypothesis_has_a_deadline() -> None:
    """Its default is 200 ms for an example, which a starved machine passes with the first."""
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check


def test_a_program_that_a_test_starts_finds_the_bytecode_of_our_modules() -> None:
    """Also where the environment wants none among the sources: else it compiles 200 of them, each time."""
    code = "import v2g.reasons; print(v2g.reasons.__cached__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True).stdout
    assert Path(told.strip()).is_file()


GUEST = """
from v2g.session.endpoint import Ended
from v2g.session.errors import PeerMisbehaved

made = []

def test_of_a_session(tmp_path):
    made.append(tmp_path)
    assert len(set(made)) == len(made)
    if len(made) < 3:
        ended = Ended("aborted", PeerMisbehaved({said!r}, None))
    assert len(made) >= 3, "it ended"
"""


@pytest.mark.parametrize(("said", "verdict"), [(MISSED, "1 passed"), ("the car unplugged", "1 failed")])
def test_any_test_is_made_again_whose_session_ended_by_a_timer(said: str, verdict: str, tmp_path: Path) -> None:
    """Also one that knows nothing of it; and it is told, beside what passed."""
    (tmp_path / "test_guest.py").write_text(GUEST.format(said=said))
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG)
    assert verdict in run.stdout, run.stdout + run.stderr
    assert ("made again 2 x" in run.stdout) == (said == MISSED)
