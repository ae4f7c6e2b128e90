"""The reason for every refusal and every early end is said where it arises, with its requirement, and reaches everybody who looks."""

import ast
import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from secc.station import AuthorizationRefused, Authorized, EmergencyStop, IsolationMeasured, Objected, Objection
from tests.ocpp_bridge.ocpp_stand import WALL, Stand, stand
from tests.starved import again, heed
from tests.unrequired import UNREQUIRED
from v2g.messages.common_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.endpoint import Ended
from v2g.session.errors import (
    PeerFailed,
    PeerIncompatible,
    PeerMisbehaved,
    Refused,
    SequenceError,
    StationFailed,
    TimedOut,
    UnknownSession,
)
from v2gkit.cli.main import main
from v2gkit.csms.server import Csms

ROOT = Path(__file__).parents[1]
V2G = (sys.executable, "-m", "v2g")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
TIME = 300.0  # s, generous: a loaded machine starts an interpreter in many

# how many arguments come before the requirement
ENDINGS = {
    "PeerMisbehaved": 1, "SequenceError": 1, "UnknownSession": 1, "PeerUnsafe": 1, "PeerIncompatible": 1, "StationFailed": 1,
    "Refused": 2, "PeerFailed": 2, "Objection": 2, "TimedOut": 3,
}  # fmt: skip


def endings() -> list[tuple[str, str, ast.Call]]:
    """Every place where station or car refuses or ends: file and line, name, call."""
    found = []
    for room in ("secc", "evcc"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ENDINGS:
                    found += [(f"{path.relative_to(ROOT)}:{node.lineno}", node.func.id, node)]
    return found


# who refuses, in whatever room: how many arguments come before the requirement, and which of them is the reason
REFUSALS = {name: (before, before - 1) for name, before in ENDINGS.items()} | {
    "AuthorizationRefused": (2, 1), "CertificateRefused": (2, 1), "TurnedAway": (3, 2), "ConnectionLost": (1, 0), "FramingError": (1, 0),
    "TlsError": (3, 0), "CertificateError": (9, 1), "SignatureError": (9, 1),
}  # fmt: skip


def beginning(said: ast.expr) -> str:
    """The reason as the table writes it."""
    if isinstance(said, ast.Constant):
        return str(said.value)
    if isinstance(said, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in said.values)
    return f"<{ast.unparse(said)}>"


def without_requirement(room: str) -> list[tuple[str, int, str]]:
    """File, line and reason of every refusal there that cites no requirement."""
    found = []
    for path in sorted((ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := ast.unparse(node.func).rpartition(".")[2]) in REFUSALS:
                before, at = REFUSALS[name]
                named = {keyword.arg: keyword.value for keyword in node.keywords}
                cited = node.args[before] if len(node.args) > before else named.get("requirement")
                if cited is None or (isinstance(cited, ast.Constant) and cited.value is None):
                    said = node.args[at] if len(node.args) > at else named.get("reason", named.get("message"))
                    assert said is not None, f"{path}:{node.lineno}: no reason"
                    found.append((path.relative_to(ROOT).as_posix(), node.lineno, beginning(said)))
    return found


def fits(row: tuple[str, str], file: str, reason: str) -> bool:
    return file == row[0] and (row[1] == "*" or reason.startswith(row[1]))


ROWS = [row for rows in UNREQUIRED.values() for row in rows]
BARE = [each for room in ("secc", "evcc", "ocpp_bridge", "v2g", "pki") for each in without_requirement(room)]


@pytest.mark.parametrize(("file", "line", "reason"), BARE, ids=[f"{file}:{line}" for file, line, _ in BARE])
def test_a_refusal_without_a_requirement_says_why_no_text_has_one(file: str, line: int, reason: str) -> None:
    assert any(fits(row, file, reason) for row in ROWS), (
        f"{file}:{line} cites no requirement: {reason!r}. Name the one that was broken, or give it a row in tests/unrequired.py"
    )


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row) for row in ROWS])
def test_a_row_without_a_requirement_is_of_a_refusal_that_is_there(row: tuple[str, str]) -> None:
    assert any(fits(row, file, reason) for file, _, reason in BARE), "strike it from tests/unrequired.py"


def test_no_row_is_there_twice_and_every_reason_says_something() -> None:
    assert len(ROWS) == len(set(ROWS))
    assert all(len(why) > 20 for why in UNREQUIRED)


@pytest.mark.parametrize(("place", "name", "call"), endings(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_refusal_names_its_reason_and_its_requirement(place: str, name: str, call: ast.Call) -> None:
    before = ENDINGS[name]
    said = call.args[before - 1 : before] + [k.value for k in call.keywords if k.arg in ("message", "reason")]
    assert said, f"{place}: no reason"
    assert not (isinstance(said[0], ast.Constant) and not said[0].value), f"{place}: an empty reason"
    cited = call.args[before : before + 1] + [k.value for k in call.keywords if k.arg == "requirement"]
    assert cited, f"{place}: the requirement is not said; None says that there is none"


def test_the_walk_sees_them() -> None:
    places = [place for place, *_ in endings()]
    assert len(places) > 90
    assert {place.split(":")[0] for place in places} >= {
        "secc/iso20/power.py",
        "secc/iso20/authorization.py",
        "secc/iso20/verifier.py",
        "secc/neutral/supervision.py",
        "secc/engine.py",
        "evcc/engine.py",
        "evcc/iso20/setup.py",
    }


def test_every_warning_of_the_station_goes_with_its_objection() -> None:
    """A WARNING that is put into a response by hand is one whose reason is dropped."""
    for room in ("secc/iso20", "secc", "ocpp_bridge"):
        for path in (ROOT / room).glob("*.py"):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("AuthorizationRefused", "CertificateRefused"):
                    reasoned = len(node.args) > 1 or any(k.arg == "reason" for k in node.keywords)
                    assert reasoned, f"{path.name}:{node.lineno}: {ast.unparse(node)} does not say why"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PeerMisbehaved("a", "V2G20-1"), "a"),
        (SequenceError("a", "V2G20-1"), "a"),
        (UnknownSession("a", "V2G20-1"), "a"),
        (Refused(Reason.OTHER, "a", "V2G20-1"), "a"),
        (PeerFailed(Code.FAILED, "a", "V2G20-1"), "FAILED: a"),
        (PeerIncompatible("a", "V2G20-1"), "a"),
        (StationFailed("a", "V2G20-1"), "a"),
        (TimedOut("T", 2.0, "a", "V2G20-1"), "T of 2 s ran out: a"),
    ],
)
def test_reason_and_requirement_are_fields_and_the_text_is_both(error: Any, reason: str) -> None:
    ended = Ended("refused", error)
    assert (ended.reason, ended.requirement) == (reason, "V2G20-1")
    assert str(error) == f"{reason} [V2G20-1]"


# --- the CSMS ---


def run(scene: Any) -> None:
    asyncio.run(asyncio.wait_for(scene(), TIME))


class Heard(Csms):
    """A CSMS that remembers what it says of its stations."""

    def __init__(self, **given: Any) -> None:
        self.story: list[Any] = []
        super().__init__(say=self.story.append, wall=lambda: WALL, **given)


def events(at: Stand) -> list[Any]:
    """What the CSMS was told went wrong."""
    assert isinstance(at.csms, Heard)
    return [entry.facts for entry in at.csms.story if entry.topic == "event"]


def test_a_csms_hears_why_a_car_was_answered_with_a_warning() -> None:
    async def scene() -> None:
        async with stand(Heard()) as at:
            await at.until(lambda: at.point.bridge.charger.accepted)
            at.arrive()
            code = "WARNING_CertificateRevoked"
            at.hear(Objected(0.0, "AuthorizationReq", code, Objection(Reason.CERTIFICATE_REVOKED, "the contract is revoked", "V2G20-2407")))
            (said,) = await at.until(lambda: events(at))
            assert said["techCode"] == code
            assert said["techInfo"] == "AuthorizationReq: the contract is revoked [V2G20-2407]"
            assert said["component"] == {"name": "ISO15118Ctrlr", "evse": {"id": 1}}

    run(scene)


@pytest.mark.parametrize(
    ("fact", "ended", "stopped"),
    [
        (None, Ended("timed out", TimedOut("V2G_SECC_Sequence_Timeout", 60.0, "no DC_ChargeLoopReq", "V2G20-443")), "Timeout"),
        (EmergencyStop("the button"), Ended("failed", StationFailed("emergency stop: the button", None)), "EmergencyStop"),
        (IsolationMeasured(False), Ended("failed", StationFailed("the isolation is faulty", None)), "GroundFault"),
        (None, Ended("refused", Refused(Reason.OTHER, "x" * 700, "V2G20-459")), "Other"),
    ],
)
def test_a_csms_hears_why_a_session_ended_before_its_time(fact: Any, ended: Ended, stopped: str) -> None:
    async def scene() -> None:
        async with stand(Heard()) as at:
            await at.until(lambda: at.point.bridge.charger.accepted)
            at.arrive()
            at.pnc()
            await at.fact(Authorized)
            await at.until(lambda: at.station.transactions)
            if fact is not None:
                at.hear(fact)
            at.backend.ended(ended)
            await at.until(lambda: at.transaction.ended)
            last = max(at.transaction.events, key=lambda event: event["seqNo"])
            assert last["transactionInfo"]["stoppedReason"] == stopped
            (said,) = await at.until(lambda: events(at))
            assert said["techCode"] == ended.how
            assert said["techInfo"].startswith((ended.reason or "")[:400])
            assert len(said["techInfo"]) <= 500
            assert said["transactionId"] == at.transaction.id

    run(scene)


def test_what_the_csms_itself_says_is_the_reason() -> None:
    async def scene() -> None:
        async with stand(Heard(blocked=frozenset({"DE8AA1A2B3C4D5"}))) as at:
            await at.until(lambda: at.point.bridge.charger.accepted)
            at.arrive()
            at.pnc()
            refused = await at.fact(AuthorizationRefused)
            assert "the CSMS answers Blocked" in refused.reason

    run(scene)


# --- whole commands ---


def visit(tmp_path: Path, at_station: list[str], at_car: list[str]) -> tuple[list[dict[str, Any]], dict[str, Any], list[dict[str, Any]]]:
    """The lines of a station, the account of its car, and the station's trace."""
    trace = tmp_path / "trace.jsonl"
    command = [*V2G, "secc", "--port", "0", "--json", "--trace", str(trace), *at_station]
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        asked = [*V2G, "ev", "--connect", first["address"], "--json", "--service", "DC", "--loops", "1", *at_car]
        done = subprocess.run(asked, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=TIME, check=False)
        process.terminate()
        out, _ = process.communicate(timeout=TIME)
    finally:
        process.kill()
        process.wait()
        log.close()
    heed(out, done.stdout)
    lines = [json.loads(line) for line in out.splitlines()]
    return lines, json.loads(done.stdout), [json.loads(line) for line in trace.read_text().splitlines()]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki") / "certs"
    assert main(["pki", "create", str(folder), "--json"]) == 0
    return folder


def stranger(pki: Path, folder: Path, roots: str) -> Path:
    """The same certificates without the roots of one kind."""
    shutil.copytree(pki, folder)
    shutil.rmtree(folder / "roots" / roots)
    (folder / "roots" / roots).mkdir()
    return folder


@again
def test_why_a_contract_was_refused_is_told_by_line_trace_and_page(pki: Path, tmp_path: Path) -> None:
    from v2gkit.insight.report.page import page
    from v2gkit.insight.report.reading import stories

    other = stranger(pki, tmp_path / "other", "mo")
    lines, car, records = visit(tmp_path, ["--pki", str(other)], ["--pki", str(pki), "--auth", "pnc"])
    assert not car["ok"]
    (objected,) = [line for line in lines if line["event"] == "objected"]
    assert objected["request"] == "AuthorizationReq"
    assert objected["code"].startswith("WARNING_")
    assert "root" in objected["reason"]
    assert objected["requirement"]
    assert objected["requirement"] not in objected["reason"]
    ended = [line for line in lines if line["event"] == "ended"][-1]
    assert [each["reason"] for each in ended["objected"]] == [objected["reason"]]
    (kept,) = [r["facts"]["objection"] for r in records if r["type"] == "event" and r["name"] == "Objected"]
    assert (kept["reason"], kept["requirement"]) == (objected["reason"], objected["requirement"])
    assert (
        f"DE*V2G*E1: AuthorizationReq was answered {objected['code']}: {objected['reason']} [{objected['requirement']}]"
        in (tmp_path / "log").read_text()
    )
    html = page(*stories(tmp_path / "trace.jsonl"))
    assert objected["requirement"] in html
    assert "root" in html


@again
def test_why_a_vehicle_was_refused_has_its_requirement_as_a_field(pki: Path, tmp_path: Path) -> None:
    other = stranger(pki, tmp_path / "other", "oem")
    lines, car, records = visit(tmp_path, ["--pki", str(other)], ["--pki", str(pki), "--auth", "eim"])
    assert not car["ok"]
    (failed,) = [line for line in lines if line["event"] == "handshake-failed"]
    assert failed["requirement"] == "V2G20-2331"
    assert "[V2G20" not in failed["reason"]
    by_type = {record["type"]: record for record in records}
    assert by_type["handshake-failed"]["requirement"] == by_type["end"]["requirement"] == "V2G20-2331"


@again
def test_why_a_station_was_refused_has_its_requirement_as_a_field(pki: Path, tmp_path: Path) -> None:
    other = stranger(pki, tmp_path / "other", "v2g")
    _, car, _ = visit(tmp_path, ["--pki", str(pki)], ["--pki", str(other), "--auth", "eim"])
    assert (car["ok"], car["requirement"]) == (False, "V2G20-2331")


@again
def test_why_a_car_without_contract_was_refused_is_said(tmp_path: Path) -> None:
    lines, _, _ = visit(tmp_path, ["--no-tls", "--eim", "refuse"], ["--no-tls", "--auth", "eim"])
    (objected,) = [line for line in lines if line["event"] == "objected"]
    assert objected["reason"] in (tmp_path / "log").read_text()
    assert "by rule" in objected["reason"]
    assert objected["evse"] == "DE*V2G*E1"
