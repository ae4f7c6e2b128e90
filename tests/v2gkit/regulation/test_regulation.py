"""`v2g regulation check`: each rule can be met, broken and not verified, and says which by what was handed over."""

import importlib.util
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.v2gkit.revenue.test_revenue import STRANGER, T, trace
from v2gkit.cli.main import main
from v2gkit.regulation.given import given
from v2gkit.regulation.profiles import PROFILES
from v2gkit.regulation.report import report, told
from v2gkit.regulation.rule import State

PROVEN = importlib.util.find_spec("pyocmf") is not None
BENCH = 'tls = false\n[offer]\nauthorizations = ["EIM"]\n'
CSMS = BENCH + '[ocpp]\nurl = "wss://csms.example/ocpp"\npassword_file = "secret"\n'
HOURS = BENCH + '[off_peak]\nprofile = "uk-scp-2021"\n'
FIRMWARE = CSMS + '[ocpp.firmware]\ninstall = ["/usr/bin/install-it"]\nverify = ["/usr/bin/verify-it"]\n'
Change = Callable[[list[dict[str, Any]]], None]


def record(at: float, type_: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "connection": 1, "at": at, "epoch": T + at, **more}


def call(action: str, **payload: Any) -> dict[str, Any]:
    return record(1, "ocpp", kind="call", action=action, payload=payload, direction="sent", id="1", evse="")


def sap(*offered: str, chosen: int) -> list[dict[str, Any]]:
    protocols = [{"ProtocolNamespace": name, "SchemaID": n, "Priority": n} for n, name in enumerate(offered, 1)]
    request = {"supportedAppProtocolReq": {"AppProtocol": protocols}}
    return [
        record(1, "frame", name="supportedAppProtocolReq", message=request),
        record(1, "frame", name="supportedAppProtocolRes", message={"supportedAppProtocolRes": {"SchemaID": chosen}}),
    ]


def power(at: float, watts: float) -> dict[str, Any]:
    return record(at, "event", name="EVReported", facts={"power": watts})


def limit(at: float, **limits: float) -> dict[str, Any]:
    return record(at, "fact", name="LimitsChanged", facts={"limits": limits})


def fact(name: str, **facts: Any) -> dict[str, Any]:
    return record(1, "fact", name=name, facts=facts)


def both(first: Change, second: Change) -> Change:
    def change(records: list[dict[str, Any]]) -> None:
        first(records)
        second(records)

    return change


def adding(*records: dict[str, Any]) -> Change:
    return lambda all: all.extend(records)


def at_hour(hour: int) -> Change:
    """The session moved to an hour (UTC) of Monday 21 September 2026."""
    ahead = datetime(2026, 9, 21, hour, tzinfo=UTC).timestamp() - T

    def change(records: list[dict[str, Any]]) -> None:
        for one in records:
            one["epoch"] += ahead
            if one.get("name") == "MeterRead":
                one["facts"]["reading"]["at"] += ahead
            if one.get("name") == "ScheduleReady":
                for way in ("import_prices", "export_prices"):
                    series = one["facts"]["offer"]["tuples"][0][way]
                    one["facts"]["offer"]["tuples"][0][way] = {**series, "start": series["start"] + ahead}

    return change


NOTHING: Change = lambda records: None  # noqa: E731
DC20, AC2 = "urn:iso:std:iso:15118:-20:DC", "urn:iso:15118:2:2013:MsgDef"
CASES: list[tuple[str, State, Change, str]] = [  # rule, what it comes to, trace, station file
    ("uk-5", State.MET, adding(limit(0, charge_power=4_000), power(20, 4_050)), ""),
    ("uk-5", State.NOT_MET, adding(limit(0, charge_power=4_000), power(20, 4_500)), ""),
    ("uk-5", State.NOT_VERIFIED, adding(limit(0, charge_power=4_000), power(5, 9_000)), ""),  # it has time to follow
    ("uk-5", State.MET, adding(limit(0, charge_power=0), limit(1), power(20, 9_000)), ""),  # what is left out is the default, 11 kW
    ("uk-7", State.MET, NOTHING, ""),
    ("uk-7", State.NOT_VERIFIED, adding(call("Heartbeat")), CSMS),
    ("uk-7", State.NOT_MET, adding(call("Heartbeat")), CSMS + 'fallback = "zero"\n'),
    ("uk-9a", State.MET, NOTHING, ""),
    ("uk-9c", State.MET, adding(*(power(second, 1.0) for second in range(9))), ""),
    ("uk-9c", State.NOT_VERIFIED, adding(*(power(second, 1.0) for second in range(0, 90, 10))), ""),
    ("uk-10", State.MET, at_hour(12), ""),
    ("uk-10", State.NOT_VERIFIED, at_hour(18), ""),
    ("uk-10", State.MET, both(at_hour(18), adding(fact("DefaultsOverridden", overridden=True))), HOURS),
    ("uk-10", State.NOT_MET, at_hour(18), HOURS),
    ("uk-11", State.NOT_VERIFIED, NOTHING, HOURS),
    ("uk-11", State.MET, adding(*(fact("ChangeDelayed", at=T + 900 * k, seconds=k * 30, why="start") for k in range(21))), HOURS),
    ("uk-11", State.MET, adding(fact("ChangeDelayed", at=T, seconds=7, why="start")), HOURS),
    ("uk-11", State.NOT_MET, adding(fact("ChangeDelayed", at=T, seconds=601, why="start")), HOURS),
    ("uk-11", State.NOT_MET, adding(*(fact("ChangeDelayed", at=T + 900 * k, seconds=7, why="start") for k in range(21))), HOURS),
    ("uk-11", State.NOT_MET, NOTHING, HOURS + "delay = 0\n"),
    ("uk-11", State.NOT_VERIFIED, adding(call("SetChargingProfile", chargingProfile={"chargingSchedule": [{"randomizedDelay": 600}]})), ""),
    ("uk-11", State.NOT_MET, adding(call("SetChargingProfile", chargingProfile={"chargingSchedule": [{"randomizedDelay": 1_801}]})), ""),
    ("uk-s1a", State.MET, NOTHING, CSMS),
    ("uk-s1a", State.NOT_VERIFIED, NOTHING, BENCH),
    ("uk-s1b", State.NOT_MET, NOTHING, CSMS),  # tls = false
    ("uk-s1b", State.NOT_MET, NOTHING, CSMS.replace("wss", "ws")),
    ("uk-s1c", State.MET, NOTHING, FIRMWARE),
    ("uk-s1c", State.NOT_MET, NOTHING, FIRMWARE + "unsigned = true\n"),
    ("uk-s1c", State.NOT_VERIFIED, NOTHING, CSMS),
    ("uk-s1d", State.MET, adding(call("SecurityEventNotification", type="TamperDetectionActivated")), ""),
    ("uk-s1d", State.NOT_VERIFIED, NOTHING, ""),
    ("afir-2", State.MET, NOTHING, BENCH),
    ("afir-2", State.NOT_MET, NOTHING, BENCH + 'generations = ["20"]\n'),
    ("afir-20", State.MET, NOTHING, BENCH),
    ("afir-20", State.NOT_MET, NOTHING, BENCH + 'generations = ["2", "DIN"]\n'),
    ("afir-20a", State.MET, adding(*sap(DC20, AC2, chosen=1)), ""),
    ("afir-20a", State.NOT_MET, adding(*sap(DC20, AC2, chosen=2)), ""),
    ("afir-20a", State.NOT_VERIFIED, adding(*sap(AC2, DC20, chosen=1)), ""),  # the car ranks -2 first
    ("afir-5a", State.MET, adding(call("Heartbeat")), ""),
    ("afir-5a", State.NOT_MET, NOTHING, BENCH),
    ("afir-5b", State.MET, adding(limit(0)), ""),
    ("afir-5b", State.NOT_VERIFIED, NOTHING, ""),
    ("afir-5c", State.MET, NOTHING, ""),
    ("afir-5c", State.NOT_MET, lambda records: records[-1]["facts"]["bill"].update(energy=9_000_000), ""),
]


def stated(folder: Path, profile: str, change: Change = NOTHING, config: str = "", **more: Any) -> dict[str, dict[str, Any]]:
    """Each rule of a profile as the report tells it."""
    file = folder / "station.toml"
    file.write_text(config)
    made = given(UTC, T, file if config else None, [trace(folder, change)], **more)
    return {rule["id"]: rule for rule in told(report(PROFILES[profile], made, T, "0"))["rules"]}


@pytest.mark.parametrize(("rule", "state", "change", "config"), CASES)
def test_a_rule_is_what_was_handed_over(rule: str, state: State, change: Change, config: str, tmp_path: Path) -> None:
    found = stated(tmp_path, {"uk": "uk-scp-2021", "af": "afir"}[rule[:2]], change, config)[rule]
    assert found["state"] == state.value, found
    assert found["said"]
    if state in (State.MET, State.NOT_MET):
        assert found["evidence"]


def test_nothing_handed_over_meets_nothing_and_breaks_nothing() -> None:
    empty = given(UTC, T)
    for profile in PROFILES.values():
        made = report(profile, empty, T, "0")
        assert {finding.state for _, finding in made.findings} == {State.NOT_VERIFIED}
        assert all(rule.source and rule.wants and rule.looks_at for rule, _ in made.findings)
        assert len({rule.id for rule, _ in made.findings}) == len(made.findings)


def test_a_document_is_met_by_being_there_and_is_hashed(tmp_path: Path) -> None:
    (tmp_path / "statement.pdf").write_bytes(b"%PDF we comply")
    (tmp_path / "documents.toml").write_text('statement_of_compliance = "statement.pdf"\ndsr_agreement = "statement.pdf"\n')
    found = stated(tmp_path, "uk-scp-2021", at_hour(18), papers=tmp_path / "documents.toml")
    assert found["uk-13"]["state"] == "met"
    assert "was not read" in found["uk-13"]["said"]
    assert "sha256" in found["uk-13"]["evidence"][0]
    assert found["uk-10"]["state"] == "not applicable"
    assert found["uk-14"]["state"] == "not verified"


def test_the_books_show_activations_with_their_evidence_and_a_gap_in_it(tmp_path: Path) -> None:
    path, books = trace(tmp_path), tmp_path / "books.sqlite"
    assert main(["revenue", str(path), "--terms", str(tmp_path / "terms.toml"), "--books", str(books), "--json"]) == 0
    found = stated(tmp_path, "ncdr", books=books)
    assert {rule: one["state"] for rule, one in found.items() if rule < "nc-4"} == {"nc-1": "met", "nc-2": "met", "nc-3": "met"}
    text = (tmp_path / "terms.toml").read_text().replace('signal = "event.json"', "").replace('tenant = "cpo"', 'tenant = "forgetful"')
    (tmp_path / "terms.toml").write_text(text)
    assert main(["revenue", str(path), "--terms", str(tmp_path / "terms.toml"), "--books", str(books), "--json"]) == 0
    found = stated(tmp_path, "ncdr", books=books)
    assert found["nc-1"]["state"] == "not met"
    assert "has no signal" in found["nc-1"]["said"]
    with pytest.raises(ValueError, match="no tenant 'nobody'"):
        stated(tmp_path, "ncdr", books=books, tenant="nobody")


@pytest.mark.skipif(not PROVEN, reason="pyocmf is not installed: pip install v2gkit[ocmf]")
def test_every_signed_value_must_hold(tmp_path: Path) -> None:
    assert stated(tmp_path, "eichrecht")["eich-1"]["state"] == "met"

    def swapped(records: list[dict[str, Any]]) -> None:
        reading = next(one for one in records if one.get("name") == "MeterRead")["facts"]["reading"]
        reading["signed"]["record"] = reading["signed"]["record"].replace("3130302e30", "3130312e30")

    assert stated(tmp_path, "eichrecht", swapped)["eich-1"]["state"] == "not met"
    assert STRANGER is not None


def test_rules_say_from_which_day_they_hold(tmp_path: Path) -> None:
    rules = {rule.id: rule for profile in PROFILES.values() for rule in profile.rules}
    assert rules["afir-20"].since == date(2027, 1, 1)
    assert stated(tmp_path, "afir")["afir-20"]["in_force"] is False
    assert stated(tmp_path, "afir")["afir-2"]["in_force"] is True


def test_the_command_tells_files_and_ends_as_the_rules_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, page = trace(tmp_path, adding(*sap("<script>alert(1)</script>" + DC20, chosen=1))), tmp_path / "page.html"
    (tmp_path / "station.toml").write_text(BENCH)
    common = ["regulation", "check", "--profile", "afir", "--trace", str(path), "--out", str(page)]
    assert main([*common, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["traces"][0]["sha256"]
    assert sum(answer["counts"].values()) == len(answer["rules"])
    assert main([*common, "--config", str(tmp_path / "station.toml")]) == 1  # no CSMS
    out = capsys.readouterr().out
    assert "afir-5a" in out
    assert "not met" in out
    text = page.read_text()
    assert "<script" not in text
    assert all(rule.id in text for rule in PROFILES["afir"].rules)
    assert main(["regulation", "check", "--profile", "afir", "--config", str(tmp_path / "none.toml")]) == 2
    assert main(["regulation", "check", "--profile", "ncdr", "--books", str(tmp_path / "none.sqlite")]) == 2
    assert not (tmp_path / "none.sqlite").exists()
