"""The harness that kills a station and its CSMS: it finds nothing in what is sound, and says what is broken."""

import json

from fuzz.kills_ocpp import Count, event_least, judge, run


def test_a_station_and_a_csms_that_are_killed_lose_and_double_nothing(tmp_path):
    count = run(12, 15118, tmp_path)
    assert (count.lost, count.doubled) == ([], [])
    assert count.transactions
    assert count.kills["station"]


def event(kind: str, number: int, register: float, trigger: str = "Trigger") -> dict:
    value = {"value": register, "measurand": "Energy.Active.Import.Register"}
    sampled = {"timestamp": "2026-11-22T18:00:00Z", "sampledValue": [value]}
    return event_least() | {"eventType": kind, "seqNo": number, "triggerReason": trigger, "meterValue": [sampled]}


def judged(tmp_path, *events: dict) -> Count:
    (tmp_path / "heard").write_text("".join(json.dumps({"event": each}) + "\n" for each in events))
    judge(tmp_path, count := Count())
    return count


def test_what_is_lost_or_doubled_is_said(tmp_path):
    sound = event("Started", 0, 1.0), event("Updated", 1, 2.0), event("Ended", 2, 3.0)
    count = judged(tmp_path, sound[0], sound[0], *sound[1:])
    assert (count.lost, count.doubled, count.repeated) == ([], [], 1)
    assert judged(tmp_path, sound[0], sound[2]).lost
    assert judged(tmp_path, *sound[:2]).lost
    assert judged(tmp_path, sound[0], event("Updated", 1, 0.5), sound[2]).lost
    assert judged(tmp_path, *sound[:2], event("Updated", 1, 2.5), sound[2]).doubled
