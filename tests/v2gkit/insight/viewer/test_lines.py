"""Records become lines that say what happened, one by one, and none of them, whatever it holds, stops the one who watches."""

import itertools
import json
import math
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from secc import station as words
from tests.evcc.din.test_pair_din import car as old_car
from tests.evcc.din.test_pair_din import meet
from tests.evcc.test_pair import greedy, hasty
from tests.v2gkit.insight.viewer import traces
from tests.v2gkit.insight.viewer.test_packing import HOSTILE, Line, lines_of
from v2g.session.errors import TimedOut
from v2gkit.insight.report.reading import stories_in
from v2gkit.insight.viewer.lines import Book, Lines

NIGHT = {"scale": 600.0, "loops": 40}


def of(t: str, lines: Iterable[Line], /, **wanted: Any) -> list[Line]:
    return [line for line in lines if line["t"] == t and all(line.get(name) == value for name, value in wanted.items())]


def test_a_session_as_its_station_saw_it() -> None:
    lines = lines_of(traces.of_station(traces.pair()))
    (verdict,) = of("verdict", lines)
    assert (verdict["well"], verdict["over"], verdict["ended"], verdict["n"]) == (True, True, "Terminate", None)
    frames = of("frame", lines)
    assert [frame["n"] for frame in frames] == list(range(len(frames)))
    for frame in frames:
        if frame["name"].endswith("Res"):
            asked = frames[frame["to"]]
            assert (frame["from"], asked["from"], asked["name"]) == ("station", "car", f"{frame['name'][:-3]}Req")
            assert 0 <= frame["took"] < frame["limit"]
    (asked,) = of("mark", lines, name="CheckIsolation")
    assert (asked["lane"], asked["to"], asked["kind"]) == ("station", "hardware", "event")
    closed = of("mark", lines, name="ContactorIs")[0]
    assert (closed["lane"], closed["to"], closed["kind"], closed["facts"]) == ("hardware", "station", "fact", {"closed": True})
    assert of("connection", lines)[-1]["title"] == "DC_BPT, Scheduled, PnC"
    assert of("connection", lines)[-1]["outlet"] == "DE*V2G*E1"


def test_a_car_sees_the_same_frames_from_its_side() -> None:
    done = traces.pair()
    told = [[(f["from"], f["name"], f["v"]) for f in of("frame", lines_of(one(done)))] for one in (traces.of_station, traces.of_car)]
    assert told[0] == told[1]


@pytest.mark.parametrize(("generation", "limit"), [("DIN", 1.5), ("2", 4.5)])
def test_a_frame_is_held_to_the_times_of_its_own_generation(generation: str, limit: float) -> None:
    """All three have a PowerDeliveryReq; a station of -2 has three times as long for it."""
    pair = meet(old_car(), names=[generation])
    for records in (traces.of_station(pair), traces.of_car(pair)):
        answers = of("frame", lines_of(records), name="PowerDeliveryRes")
        assert [line["limit"] for line in answers] == [limit, limit]


def test_timers_are_armed_stopped_and_fired() -> None:
    records = traces.of_station(traces.pair())
    error = TimedOut("V2G_SECC_Sequence_Timeout", 60.0, "the car says nothing", "V2G20-1502")
    records[-1] |= {"well": False, "how": "timeout", "error": str(error), "requirement": error.requirement}
    lines = lines_of(records)
    timers = of("mark", lines, kind="timer")
    assert timers[0]["facts"]["what"] == "armed"
    assert timers[0]["name"] == "V2G_SECC_CommunicationSetup_Timeout"
    assert timers[0]["facts"]["limit"] == pytest.approx(18, abs=1)
    assert of("mark", timers, name="V2G_SECC_CommunicationSetup_Timeout")[1]["facts"]["what"] == "stopped"
    assert (timers[-1]["name"], timers[-1]["facts"]["what"], timers[-1]["facts"]["limit"]) == (error.timer, "fired", 60.0)
    (verdict,) = of("verdict", lines)
    assert verdict["requirement"] == "V2G20-1502"
    assert "ran out at the station" in verdict["from"]
    (requirement,) = of("requirement", lines, id="V2G20-1502")
    assert requirement["where"]


@pytest.mark.parametrize(
    ("script", "code", "requirement"),
    [(hasty, "FAILED_SequenceError", "V2G20-459"), (greedy, "FAILED_EVPowerProfileInvalid", "V2G20-1864")],
)
def test_a_refusal_says_where_it_came_from(script: Any, code: str, requirement: str) -> None:
    lines = lines_of(traces.of_station(traces.pair(script=script)))
    (verdict,) = of("verdict", lines)
    frame = of("frame", lines)[verdict["n"]]
    assert (verdict["well"], verdict["requirement"], frame["code"]) == (False, requirement, code)
    assert code in verdict["from"]
    assert len(of("requirement", lines, id=requirement)) == 1


def test_what_ends_without_end_says_so() -> None:
    records = traces.of_station(traces.pair())
    (verdict,) = of("verdict", lines_of(records[:30]))
    assert (verdict["well"], verdict["ended"]) == (False, "the trace has no end")
    live = Lines("live")
    assert not of("verdict", [line for record in records[:30] for line in live.record(record)])  # it runs


# --- curves ---


def curve(lines: list[Line], name: str) -> list[list[Any]]:
    found: list[list[Any]] = []
    for line in of("series", lines, name=name):
        found = [] if line.get("replace") else [point for point in found if point[0] < line.get("from", math.inf)]
        found += line["points"]
    return found


@pytest.mark.parametrize("service", ["DC_BPT", "AC_BPT", "WPT"])
def test_the_curve_of_power_is_what_the_report_counts(service: str) -> None:
    records = traces.of_station(traces.pair(service, "Scheduled", "EIM", wish=NIGHT))
    (story,) = stories_in(records, Path("trace"))
    lines = lines_of(records)
    points = curve(lines, "power")
    counted = {"charged": 0.0, "discharged": 0.0}
    for (a, power), (b, _) in itertools.pairwise(points):
        counted["charged" if power > 0 else "discharged"] += abs(power) * (b - a) / 3600
    assert story.energy["charged"] + story.energy["discharged"] > 1_000
    assert counted == {name: pytest.approx(energy, rel=0.005, abs=5) for name, energy in story.energy.items()}
    facts = dict(of("facts", lines)[-1]["facts"])
    assert facts["Energy into the EV"] == f"{story.energy['charged'] / 1000:.2f} kWh"
    for name in {line["name"] for line in of("series", lines)}:
        at = [point[0] for point in curve(lines, name)]
        assert at == sorted(at), name


def test_every_offer_is_a_curve_and_the_one_that_was_taken_says_so() -> None:
    lines = lines_of(traces.of_station(traces.pair()))
    offers = {line["name"] for line in of("series", lines, role="offer")}
    assert offers == {"offer 11 charging", "offer 11 discharging"}
    assert [value for _, value in curve(lines, "offer 11 charging")] == [20_000, 0, 0]
    assert [value for _, value in curve(lines, "offer 11 discharging")] == [0, -10_000, -10_000]
    assert {line["name"] for line in of("series", lines, chosen=True)} == offers
    assert [value for _, value in curve(lines, "import-price")] == [0.1, 0.5, 0.5]
    assert curve(lines, "profile")
    assert curve(lines, "asked charging")  # what the station was asked for: ScheduleReady


def test_limits_and_who_limits_whom() -> None:
    lower = words.LimitsChanged(words.Limits(charge_power=5_000))
    lines = lines_of(traces.of_station(traces.pair("DC", "Dynamic", "EIM", wish={"loops": 30}, facts={10: lower})))
    assert curve(lines, "limit car charging")
    assert curve(lines, "limit station charging")
    assert [value for _, value in curve(lines, "limit outlet charging")] == [5_000]
    told = [value for _, value in curve(lines, "limited-by")]
    assert "csms" in told
    assert set(told) <= {"car", "station", "csms", "schedule", "full"}


def test_a_charging_profile_in_ocpp_is_what_the_csms_asked() -> None:
    records = traces.of_station(traces.pair())
    place = next(i for i, record in enumerate(records) if record["type"] == "fact")
    schedule = {
        "id": 1,
        "startSchedule": "2026-06-01T13:00:00Z",
        "duration": 7200,
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "setpoint": 7_000}, {"startPeriod": 3600, "limit": 3_000}],
    }
    common = {name: records[place][name] for name in ("connection", "at", "epoch")}
    frame = {**common, "type": "ocpp", "direction": "received", "kind": "call", "action": "SetChargingProfile", "id": "7", "evse": 1}
    records.insert(place, {**frame, "payload": {"evseId": 1, "chargingProfile": {"id": 1, "chargingSchedule": [schedule]}}})
    records.insert(place + 1, {**frame, "direction": "sent", "kind": "result", "payload": {"status": "Accepted"}})
    lines = lines_of(records)
    call, result = of("mark", lines, kind="ocpp")
    assert (call["lane"], call["to"], call["call"], call["id"], call["name"]) == ("csms", "station", "call", "7", "SetChargingProfile")
    assert (result["lane"], result["to"], result["call"], result["facts"]) == ("station", "csms", "result", {"status": "Accepted"})
    assert [value for _, value in curve(lines, "asked by CSMS")] == [7_000, 3_000, 3_000]


# --- checks ---


def test_the_contract_and_its_signature_are_checked_again() -> None:
    records = traces.of_station(traces.pair())
    lines = lines_of(records)
    (chain,) = of("chain", lines, of="contract")
    assert [each["subject"].rpartition("CN=")[2] for each in chain["certificates"]] == ["DEV2GC00000001G", "MO Sub-CA 2", "MO Sub-CA 1"]
    assert all(check["well"] for check in chain["checks"])
    assert any("trusted root" in check["what"] and "MO Root" in check["said"] for check in chain["checks"])
    signature = of("signature", lines)[0]
    assert of("frame", lines)[signature["n"]]["name"] == "AuthorizationReq"
    assert [step["what"] for step in signature["steps"]][-1] == "signature"
    assert {"fragment", "digest", "SignedInfo"} <= {step["what"] for step in signature["steps"]}
    assert all(step["well"] for step in signature["steps"])


def test_a_signature_that_does_not_hold_says_at_which_step() -> None:
    from v2g.exi.codec import encode
    from v2g.exi.json import from_json
    from v2g.messages import schema_set

    records = traces.of_station(traces.pair())
    for record in records:
        if record["type"] == "frame" and record["name"] == "AuthorizationReq":
            record["message"]["AuthorizationReq"]["PnC_AReqAuthorizationMode"]["GenChallenge"] = "A" * 22 + "=="
            record["exi"] = encode(from_json(json.dumps(record["message"]), schema_set("common"))[0], schema_set("common")).hex()
    lines = lines_of(records)
    steps = of("signature", lines)[0]["steps"]
    assert not steps[-1]["well"]
    assert "digest" in steps[-1]["said"].lower()
    assert "signature" not in [step["what"] for step in steps if step["well"]]


# --- whatever comes ---


def test_no_record_stops_it() -> None:
    """Each field of each record, exchanged for whatever somebody may write there: JSON that the page can read comes of it."""
    entropy = random.Random(1)
    records = [*traces.of_station(traces.pair()), *traces.of_car(traces.emergency())]
    junk: list[Any] = [None, True, -1, 1e400, math.nan, "x", [], {}, [[]], {"requirement": 3}, "00", *HOSTILE]
    lines = Lines("hostile")
    count = 0
    for _ in range(6):
        for record in records:
            name = entropy.choice(list(record))
            for line in lines.record({**record, name: entropy.choice(junk)}):
                json.dumps(line, allow_nan=False)
                count += 1
    for record in junk:
        for line in lines.record(record):
            json.dumps(line, allow_nan=False)
            assert line["t"] in ("connection", "mark")
    list(lines.close())
    assert count > 1_000


def test_deep_junk_in_facts_is_json_too() -> None:
    lines = Lines("hostile")
    records = traces.of_station(traces.pair())
    for record in records:
        if record["type"] in ("fact", "event", "note") and record["facts"]:
            key = next(iter(record["facts"]))
            record["facts"][key] = {"deep": [math.inf, -math.inf, math.nan, {"x": [math.nan]}]}
        for line in lines.record(record):
            json.dumps(line, allow_nan=False)


def test_a_record_that_is_not_understood_is_a_note_and_the_session_goes_on() -> None:
    records = traces.of_station(traces.pair())
    records.insert(20, {**records[20], "type": "of a later version"})
    lines = lines_of(records)
    (odd,) = [mark for mark in of("mark", lines, kind="note") if "not understood" in mark["text"]]
    assert odd["name"] == "of a later version"
    assert of("verdict", lines)[0]["well"]


def test_the_end_of_one_connection_lets_go_of_what_it_knew() -> None:
    book, records = Book(), traces.of_station(traces.pair())
    lines = Lines("live", book)
    for number in range(3):
        for record in records:
            list(lines.record({**record, "connection": number}))
    assert all(not each.session.shown and not each.curves.energies() for each in lines.connections.values())
