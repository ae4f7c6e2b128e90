"""The demo as a user runs it: three processes, a night in seconds, and everything it leaves behind."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from secc.replay import replay
from tests.starved import again, attempts, heed
from v2g.session.endpoint import FrameReceived
from v2gkit.insight.decode import records
from v2gkit.insight.report.page import page
from v2gkit.insight.report.reading import stories, story_of
from v2gkit.lab.demo import Daybreak
from v2gkit.wall import SharedClock


def demo(output: Path, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "v2gkit", "demo", "--json", "--seconds", "9", "--output", str(output), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    heed(done.stdout, done.stderr)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    def attempt(number: int) -> tuple[Path, dict[str, Any]]:
        output = tmp_path_factory.mktemp("demo")
        code, outcome, said = demo(output)
        assert code == 0, (outcome, said)
        return output, outcome

    made: tuple[Path, dict[str, Any]] = attempts(attempt)
    return made


def test_it_charges_and_discharges_and_everybody_saw_it(night: tuple[Path, dict[str, Any]]) -> None:
    _, outcome = night
    assert outcome["well"]
    assert outcome["missed"] == []
    car = outcome["car"]
    assert (car["service"], car["control"], car["auth"], car["tls"]) == ("DC_BPT", "scheduled", "pnc", "TLSv1.3")
    assert car["energy_charged"] > 10_000
    assert car["energy_discharged"] > 5_000


def test_what_the_csms_counted_is_what_the_car_took(night: tuple[Path, dict[str, Any]]) -> None:
    output, outcome = night
    lines = [json.loads(line) for line in (output / "csms.jsonl").read_text().splitlines()]
    last = [line["facts"] for line in lines if line["topic"] == "transaction"][-1]
    assert last["eventType"] == "Ended"
    sampled = {v["measurand"]: v["value"] for v in last["meterValue"][-1]["sampledValue"]}
    (station,) = [line for text in (output / "station.jsonl").read_text().splitlines() if (line := json.loads(text))["event"] == "ended"]
    # to the car a message is on its way for minutes of this night; that both count alike is held in virtual time
    for register, way in (("Import", "charged"), ("Export", "discharged")):
        assert sampled[f"Energy.Active.{register}.Register"] == pytest.approx(station[way], rel=0.01, abs=50)
        assert station[way] == pytest.approx(outcome["car"][f"energy_{way}"], rel=0.3)


def test_the_station_is_played_again_from_its_trace(night: tuple[Path, dict[str, Any]]) -> None:
    output, _ = night
    records = [json.loads(line) for line in (output / "station-trace.jsonl").read_text().splitlines()]
    found = list(replay(records))
    assert [again.differences for again in found] == [()]
    sent = [record["exi"] for record in records if record["type"] == "frame" and record["direction"] == "sent"]
    # how many loops a night has is the machine's to say; the station sends each of its frames again, octet by octet
    assert [record["exi"] for record in found[0].again if record["type"] == "frame"] == sent != []


def test_the_report_tells_the_whole_story_in_one_file(night: tuple[Path, dict[str, Any]]) -> None:
    output, outcome = night
    html = (output / "report.html").read_text()
    for wanted in (
        "DC_BPT",
        "secp521r1",
        "AuthorizationReq (PnC)",
        'class="charge"',
        'class="discharge"',
        "EUR/kWh",
        "chosen",
        "Contract, in AuthorizationReq",
    ):
        assert wanted in html
    assert "src=" not in html  # nothing comes from elsewhere
    assert "http://" not in html
    assert "https://" not in html
    (read,) = stories(output / "trace.jsonl")
    assert read.well
    assert read.energy["charged"] == pytest.approx(outcome["car"]["energy_charged"], rel=0.15)
    assert read.energy["discharged"] == pytest.approx(outcome["car"]["energy_discharged"], rel=0.15)
    assert sum(t.chosen for t in read.offered) == 1
    assert read.profile


def test_the_capture_carries_its_secrets(night: tuple[Path, dict[str, Any]]) -> None:
    capture = (night[0] / "session.pcapng").read_bytes()
    assert capture[:4] == bytes.fromhex("0a0d0d0a")
    assert b"CLIENT_TRAFFIC_SECRET_0" in capture


def test_the_capture_decodes_to_the_frames_of_the_trace(night: tuple[Path, dict[str, Any]]) -> None:
    traced = [json.loads(line) for line in (night[0] / "trace.jsonl").read_text().splitlines()]
    read = list(records(night[0] / "session.pcapng"))
    ours, theirs = ([each for each in told if each["type"] == "frame"] for told in (read, traced))
    assert len(ours) > 100
    fields = ("payload_type", "set", "octets", "exi", "name", "message", "performance")
    assert [[each[field] for field in fields] for each in ours] == [[each[field] for field in fields] for each in theirs]
    assert [each["direction"] for each in ours] == [{"sent": "received", "received": "sent"}[each["direction"]] for each in theirs]
    seen, told = (next(each for each in one if each["type"] == "tls") for one in (read, traced))
    same = ("version", "suite", "group", "server_name", "certificate_requested", "resumed", "staples_asked_for", "profile")
    assert [seen[field] for field in same] == [told[field] for field in same]
    assert (seen["own_chain"], seen["peer_chain"]) == (told["peer_chain"], told["own_chain"])  # the eyes are those of the station
    assert seen["octets_sent"] == told["octets_received"]
    ended, end = (next(each for each in one if each["type"] == "end") for one in (read, traced))
    assert (ended["how"], ended["well"]) == (end["how"], end["well"]) == ("Terminate", True)


@again
def test_another_combination_without_ocpp(tmp_path: Path, night: tuple[Path, dict[str, Any]]) -> None:
    certs = night[0] / "certs"
    code, outcome, said = demo(tmp_path, "--pki", str(certs), "--service", "AC_BPT", "--control", "dynamic", "--auth", "eim", "--no-ocpp")
    assert code == 0, (outcome, said)
    assert outcome["car"]["energy_discharged"] > 1_000


@pytest.mark.parametrize(
    ("service", "way", "more"), [("DC", "pnc", ()), ("AC", "eim", ()), ("DC", "eim", ("--no-ocpp",)), ("AC", "pnc", ("--no-ocpp",))]
)
@again
def test_iso_15118_2_in_every_combination_with_and_without_a_csms(tmp_path: Path, service: str, way: str, more: tuple[str, ...]) -> None:
    code, outcome, said = demo(tmp_path, "--generation", "2", "--service", service, "--auth", way, *more)
    heed(outcome)
    assert code == 0, (outcome, said)
    car = outcome["car"]
    assert (car["service"], car["auth"], car["ended"]) == (service, way, "Terminate")
    assert car["energy_charged"] > 5_000
    assert (tmp_path / "report.html").exists()
    told = story_of([json.loads(line) for line in Path(outcome["files"]["trace"]).read_text().splitlines()])
    if service == "DC":  # a car of AC does not say in -2 what it takes
        assert told.energy["charged"] == pytest.approx(car["energy_charged"], rel=0.1)
        assert {sample.soc for sample in told.samples} > {40}


@pytest.mark.parametrize("more", [["--install"], ["--control", "dynamic"], ["--service", "DC_BPT"]])
def test_what_iso_15118_2_has_not_is_refused(tmp_path: Path, more: list[str]) -> None:
    code, _, said = demo(tmp_path, "--generation", "2", *more)
    assert code == 2
    assert "generation 2 has AC and DC" in said


def test_a_report_of_a_broken_off_session_says_so(night: tuple[Path, dict[str, Any]]) -> None:
    lines = (night[0] / "trace.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    cut = [r for r in records if r["type"] != "end"][:40]
    read = story_of(cut)
    assert not read.well
    assert "the trace has no end" in page(read)
    garbled = [{**r, "exi": "ff" + r["exi"]} if r["type"] == "frame" else r for r in records]
    assert "did not get far" in page(story_of(garbled))


def test_a_report_shows_hostile_text_as_text(night: tuple[Path, dict[str, Any]]) -> None:
    records = [json.loads(line) for line in (night[0] / "trace.jsonl").read_text().splitlines()]
    records.append({"type": "note", "at": records[-1]["at"], "topic": "<script>alert(1)</script>", "facts": {}})
    assert "<script>" not in page(story_of(records))


@again
def test_a_car_that_comes_without_contract_gets_one_and_charges(tmp_path: Path, night: tuple[Path, dict[str, Any]]) -> None:
    certs = night[0] / "certs"
    code, outcome, said = demo(tmp_path, "--pki", str(certs), "--service", "DC", "--install", "--no-ocpp")
    assert code == 0, (outcome, said)
    assert outcome["car"]["installed"] == [outcome["car"]["contract"]]
    assert outcome["car"]["auth"] == "pnc"
    assert list((tmp_path / "car" / "contract").glob("*.chain.pem"))


SLOW = """
import sys, time
if "secc" in sys.argv:
    time.sleep(8)
"""


@again
def test_a_machine_that_is_slow_to_begin_has_the_whole_day(tmp_path: Path, night: tuple[Path, dict[str, Any]]) -> None:
    """The day begins with the first power: a station that takes as long to start as the stay lasts costs none of it."""
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    arguments = ("--pki", str(night[0] / "certs"), "--service", "AC_DER_SAE", "--auth", "eim", "--no-ocpp")
    code, outcome, said = demo(tmp_path / "out", *arguments, environment={**os.environ, "PYTHONPATH": path})
    assert code == 0, (outcome, said)
    records = [json.loads(line) for line in (tmp_path / "out" / "trace.jsonl").read_text().splitlines()]
    loops = [record["epoch"] for record in records if "ChargeLoopRes" in json.dumps(record) and record["type"] == "frame"]
    assert datetime.fromtimestamp(loops[0], UTC).hour in (9, 10)  # a car arrives at 9:30
    assert loops[-1] - loops[0] > 3600


# --- stopped on the way ---


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create(tmp_path_factory.mktemp("stopped") / "certs", [build(Plan(), "secp521r1", datetime.now(UTC))]).path


@pytest.mark.parametrize(("number", "code", "service"), [(signal.SIGINT, 130, "WPT"), (signal.SIGTERM, 143, "DC_ACDP_BPT")])
@again
def test_a_signal_stops_the_demo_in_order(tmp_path: Path, certs: Path, number: signal.Signals, code: int, service: str) -> None:
    """The car leaves as it should, the station ends, and nobody sees a traceback."""
    command = [sys.executable, "-m", "v2gkit", "demo", "--pki", str(certs), "--seconds", "600", "--output", str(tmp_path)]
    command += ["--service", service]
    running = subprocess.Popen([*command, "--json", "--no-ocpp"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    assert running.stderr is not None
    for line in running.stderr:
        said.append(line)
        if line.startswith("loop "):
            break
    running.send_signal(number)
    _, rest = running.communicate(timeout=300)
    text = "".join(said) + rest
    heed(text, (tmp_path / "station.jsonl").read_text())
    assert running.returncode == code, text
    assert "Traceback" not in text
    assert "SessionStopReq" in (tmp_path / "trace.jsonl").read_text()
    station = [json.loads(line) for line in (tmp_path / "station.jsonl").read_text().splitlines()]
    assert any(line.get("event") == "ended" and line.get("ok") for line in station)
    own = tmp_path / "car"  # the car's, which holds neither the station's key nor what it keeps to staple
    assert (own / "vehicle").is_dir()
    assert (own / "contract").is_dir()
    assert not (own / "secc").exists()
    assert not (own / "responses").exists()


def test_what_a_machine_skips_of_the_stay_counts_behind_the_last_loop_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A car that is not given the processor while it renegotiates has no loop any more, and its stay is over."""
    monkeypatch.setattr("v2gkit.lab.demo.LOOPS", (str,))
    clock = SharedClock(1_790_000_000.0, 100.0, 3_600.0)
    daybreak = Daybreak(clock, 36_000.0)
    for at, message in ((101.0, None), (101.5, "loop"), (101.75, "loop"), (102.0, "loop")):
        daybreak.event(FrameReceived(at, 0x8001, "DC", b"", message))  # type: ignore[arg-type]
    assert daybreak.skipped == pytest.approx(clock.wall(102.0) - clock.wall(101.75))
    daybreak.event(FrameReceived(104.0, 0x8001, "common", b"", None))
    assert daybreak.skipped == pytest.approx(clock.wall(104.0) - clock.wall(102.0))
    assert daybreak.skipped > 3_600
