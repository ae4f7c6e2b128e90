"""OpenADR 2.0b without a network: messages, events as signals, and VTNs that lie."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.energy.signal import Kind, Rank
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Response
from v2gkit.grid.openadr2 import messages
from v2gkit.grid.openadr2.events import Event, Reader, events_of, signals_of
from v2gkit.grid.openadr2.ven import Session, opening, polling
from v2gkit.grid.received import YEAR
from v2gkit.grid.times import written

NOW = 1_800_000_000.0
READER = Reader("utility", "depot", "ven_1", (float("inf"), 20_000.0, 5_000.0, 0.0))
SPACES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in messages.NS.items())


def payload(body: str) -> bytes:
    return f"<oadr:oadrPayload {SPACES}><oadr:oadrSignedObject>{body}</oadr:oadrSignedObject></oadr:oadrPayload>".encode()


def interval(lasts: str, value: float) -> str:
    body = f"<ei:signalPayload><ei:payloadFloat><ei:value>{value}</ei:value></ei:payloadFloat></ei:signalPayload>"
    return f"<ei:interval><xcal:duration><xcal:duration>{lasts}</xcal:duration></xcal:duration>{body}</ei:interval>"


def event(*intervals: str, **said: str) -> Event:
    """An event with one signal; `said` overrules what it says."""
    given_ = {
        "status": "far", "number": "0", "lasts": "PT30M", "name": "SIMPLE", "type": "level", "item": "", "more": "", "target": "",
        "tolerance": "", "start": written(NOW), "priority": "",
    } | said  # fmt: skip
    descriptor = (
        f"<ei:eventDescriptor><ei:eventID>e1</ei:eventID><ei:modificationNumber>{given_['number']}</ei:modificationNumber>"
        f"{given_['priority']}<ei:eventStatus>{given_['status']}</ei:eventStatus>{given_['more']}</ei:eventDescriptor>"
    )
    period = (
        f"<ei:eiActivePeriod><xcal:properties><xcal:dtstart><xcal:date-time>{given_['start']}</xcal:date-time></xcal:dtstart><xcal:duration>"
        f"<xcal:duration>{given_['lasts']}</xcal:duration></xcal:duration>{given_['tolerance']}</xcal:properties></ei:eiActivePeriod>"
    )
    signal = (
        f"<ei:eiEventSignals><ei:eiEventSignal><strm:intervals>{''.join(intervals)}</strm:intervals><ei:signalName>{given_['name']}"
        f"</ei:signalName><ei:signalType>{given_['type']}</ei:signalType>{given_['item']}</ei:eiEventSignal></ei:eiEventSignals>"
    )
    whole = f"<oadr:oadrEvent><ei:eiEvent>{descriptor}{period}{signal}{given_['target']}</ei:eiEvent></oadr:oadrEvent>"
    message = messages.read(payload(f"<oadr:oadrDistributeEvent><pyld:requestID>r7</pyld:requestID>{whole}</oadr:oadrDistributeEvent>"))
    request, (found,) = events_of(message)
    assert request == "r7"
    return found


DISPATCH = {
    "name": "LOAD_DISPATCH",
    "type": "setpoint",
    "item": '<p:powerReal xmlns:p="urn:p"><p:itemUnits>W</p:itemUnits><scale:siScaleCode>k</scale:siScaleCode></p:powerReal>',
}


def powers(given_: Event) -> list[tuple[float, float, float]]:
    (told,) = signals_of(given_, READER, NOW)
    return [(start - NOW, end - NOW, value) for start, end, value in told.signal.power.spans()]


def test_levels_are_caps_and_a_dispatch_is_a_setpoint() -> None:
    (told,) = signals_of(event(interval("PT15M", 1), interval("PT15M", 2), number="3"), READER, NOW)
    assert (told.signal.id, told.signal.kind, told.signal.rank, told.version) == ("utility:e1:0", Kind.IMPORT_CAP, Rank.GRID, 3.0)
    assert powers(event(interval("PT15M", 1), interval("PT15M", 2))) == [(0, 900, 20_000), (900, 1_800, 5_000)]
    (told,) = signals_of(event(interval("PT30M", -3.5), **DISPATCH), READER, NOW)
    assert (told.signal.kind, told.signal.rank, told.signal.power.values) == (Kind.SETPOINT, Rank.COMMITMENT, (-3_500.0,))
    assert powers(event(interval("PT1H", 3))) == [(0, 1_800, 0)]  # cut by the active period
    assert powers(event(interval("PT0S", 3), lasts="PT0S")) == [(0, YEAR, 0)]
    assert signals_of(event(interval("PT15M", 3.2), name="ELECTRICITY_PRICE", type="price"), READER, NOW) == ()


def test_what_is_over_or_a_test_is_no_signal() -> None:
    for said in ({"status": "cancelled"}, {"status": "completed"}, {"more": "<ei:testEvent>true</ei:testEvent>"}):
        assert signals_of(event(interval("PT15M", 3), **said), READER, NOW) == ()


def test_a_start_that_may_come_later_is_drawn_once() -> None:
    tolerance = "<xcal:tolerance><xcal:tolerate><xcal:startafter>PT10M</xcal:startafter></xcal:tolerate></xcal:tolerance>"
    late = event(interval("PT15M", 3), tolerance=tolerance)
    shifts = {signals_of(late, Reader("u", f"v{n}", "ven_1", READER.levels), NOW)[0].signal.power.start - NOW for n in range(100)}
    assert len(shifts) == 100
    assert 0 <= min(shifts) < 60 < 540 < max(shifts) <= 600


@pytest.mark.parametrize(
    ("intervals", "said", "trouble", "text"),
    [
        ([interval("PT15M", 9)], {}, Trouble.MALFORMED, "levels 0 to 3"),
        ([interval("PT15M", 1.5)], {}, Trouble.MALFORMED, "SIMPLE is 1.5"),
        ([interval("PT15M", float("nan"))], DISPATCH, Trouble.MALFORMED, "is no power"),
        ([interval("15", 1)], {}, Trouble.MALFORMED, "no duration"),
        ([], {}, Trouble.MALFORMED, "0 intervals"),
        ([interval("PT1S", 1)] * 4_097, {}, Trouble.HUGE, "4097 intervals"),
        ([interval("PT15M", 1)], {"start": "yesterday"}, Trouble.MALFORMED, "yesterday"),
        ([interval("PT15M", 1)], DISPATCH | {"item": ""}, Trouble.MALFORMED, "without powerReal"),
        ([interval("PT15M", 1)], {"target": "<ei:eiTarget><ei:venID>other</ei:venID></ei:eiTarget>"}, Trouble.FOREIGN, "is for 'other'"),
    ],
)
def test_an_event_that_cannot_be_meant_is_one_clear_error(intervals: list[str], said: dict[str, str], trouble: Trouble, text: str) -> None:
    with pytest.raises(GridFault, match=f"^utility: event 'e1'.*{text}") as caught:
        signals_of(event(*intervals, **said), READER, NOW)
    assert caught.value.trouble is trouble


BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("octets", "trouble"),
    [
        (BOMB, Trouble.MALFORMED),
        (BOMB.decode().encode("utf-16"), Trouble.MALFORMED),
        (b"<a>" * 100_000, Trouble.MALFORMED),
        (b"x" * (messages.LARGEST + 1), Trouble.HUGE),
        (b"<a/>", Trouble.MALFORMED),
        (payload("<oadr:a/><oadr:b/>"), Trouble.MALFORMED),
    ],
)
def test_what_is_no_message_is_told(octets: bytes, trouble: Trouble) -> None:
    with pytest.raises(GridFault) as caught:
        messages.read(octets)
    assert caught.value.trouble is trouble
    assert len(str(caught.value)) < 400


def test_a_message_with_entities_is_refused_for_them() -> None:
    with pytest.raises(GridFault, match="declares a document type"):
        messages.read(BOMB)


@given(st.binary(max_size=100))
def test_any_octets_are_a_message_or_one_clear_error(octets: bytes) -> None:
    with pytest.raises(GridFault):
        messages.read(octets)


def answered(script: Any, *answers: bytes) -> Any:
    next(script)
    for body in answers:
        script.send(Response(200, body))


def well(kind: str, more: str = "", code: str = "200") -> bytes:
    response = f"<ei:eiResponse><ei:responseCode>{code}</ei:responseCode></ei:eiResponse>"
    return payload(f"<oadr:{kind}>{response}{more}</oadr:{kind}>")


def test_a_vtn_that_does_not_want_us_is_told() -> None:
    with pytest.raises(GridFault, match="says '452'") as caught:
        answered(opening("http://v", "depot", lambda: "r"), well("oadrCreatedPartyRegistration", code="452"))
    assert caught.value.trouble is Trouble.DENIED
    with pytest.raises(GridFault, match="has no venID"):
        answered(opening("http://v", "depot", lambda: "r"), well("oadrCreatedPartyRegistration"))
    with pytest.raises(GridFault, match="'oadrPoll' came where"):
        answered(opening("http://v", "depot", lambda: "r"), well("oadrPoll"))
    with pytest.raises(GridFault, match="registers anew"):
        answered(polling(Session("http://v", "ven_1"), lambda: "r"), well("oadrRequestReregistration"))
    endless = [well("oadrCreateReport")] * 16 + [well("oadrPoll")]
    with pytest.raises(GridFault, match="'oadrPoll' came where"):  # a VTN that always has more does not keep us from its events
        answered(polling(Session("http://v", "ven_1"), lambda: "r"), *endless)
