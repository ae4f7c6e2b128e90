"""SECC discovery: the datagrams octet by octet, and what neither side may believe."""

import contextlib
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.session import sdp
from v2g.session.errors import FramingError
from v2g.session.sdp import UNKNOWN, Coupling, Diagnosis, Request, Response, Security, Transport, WirelessRequest, WirelessResponse

HERE = IPv6Address("fe80::211:22ff:fe33:4401")
STATION = Response(HERE, 50000)
WIRE = [
    (Request(), "01fe90000000000200 00"),
    (Request(Security.NONE), "01fe90000000000210 00"),
    (STATION, "01fe900100000014 fe800000000000000211 22fffe334401 c350 00 00"),
    (Response(HERE, 50000, Security.NONE), "01fe900100000014 fe800000000000000211 22fffe334401 c350 10 00"),
    (
        WirelessRequest(pairing=0x0102, coupling=3, ev_id="ZZ00000", evse_id="DE*ABC*E1"),
        "01fe90020000003e 00 00 0102 03 5a5a3030303030" + "00" * 13 + "44452a4142432a4531" + "00" * 28,
    ),
    (
        WirelessResponse(HERE, 50000, diagnosis=Diagnosis.ONGOING, coupling=3, evse_id="DE*ABC*E1"),
        "01fe90030000003b fe80000000000000021122fffe334401 c350 00 00 00 03 44452a4142432a4531" + "00" * 28,
    ),
]


@pytest.mark.parametrize(("message", "octets"), WIRE)
def test_messages_and_their_octets(message: sdp.Message, octets: str) -> None:
    datagram = bytes.fromhex(octets)
    assert sdp.encode(message) == datagram
    assert sdp.decode(type(message), datagram) == message


@pytest.mark.parametrize(
    ("datagram", "words"),
    [
        ("fffe9000000000020000", "version"),
        ("01ff9000000000020000", "inverse"),
        ("01fe7000000000020000", "0x7000"),
        ("01fe9001000000020000", "0x9001"),
        ("01fe9000000000000000", "length is 0"),
        ("01fe9000000000010000", "length is 1"),
        ("01fe9000000000030000", "length is 3"),
        ("01fe9000000000ff0000", "length is 255"),
        ("01fe90000000000100", "has 1 octets, must have 2"),
        *((f"01fe9000fffffff{low:x}0000", "length is 42949672") for low in range(8, 16)),
        *((f"01fe900000000002{security:02x}00", "security") for security in (0x01, 0x0F, 0x11, 0x80, 0xFF)),
        ("01fe9000000000020001", "transport"),
    ],
)
def test_hostile_requests_are_named_and_refused(datagram: str, words: str) -> None:
    with pytest.raises(FramingError, match=words):
        sdp.decode(Request, bytes.fromhex(datagram))


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=70).map(lambda o: bytes.fromhex("01fe9000") + len(o).to_bytes(4, "big") + o)))
def test_any_datagram_is_a_message_or_a_framing_error(datagram: bytes) -> None:
    for cls in (Request, Response, WirelessRequest, WirelessResponse):
        try:
            message = sdp.decode(cls, datagram)
        except FramingError:
            continue
        assert sdp.decode(cls, sdp.encode(message)) == message


TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)).map(str.rstrip)
WIRELESS = {WirelessRequest: ("01fe90020000003e", 62), WirelessResponse: ("01fe90030000003b", 59)}


@given(st.sampled_from(list(WIRELESS)), st.data())
def test_any_octets_of_the_right_length_are_a_wireless_message_or_a_framing_error(cls: type[WirelessRequest], data: st.DataObject) -> None:
    header, length = WIRELESS[cls]
    head = st.binary(min_size=length - 37, max_size=length - 37)
    legal = head.map(lambda octets: bytes(5) + b"EV".ljust(20, b"\0") if cls is WirelessRequest else octets[:18] + bytes(4))
    name = TEXT.filter(lambda text: len(text) <= 37).map(lambda text: text.encode().ljust(37, b"\0"))
    tail = st.binary(min_size=37, max_size=37)
    datagram = bytes.fromhex(header) + data.draw(legal | head) + data.draw(name | tail)
    try:
        message = sdp.decode(cls, datagram)
    except FramingError:
        return
    assert sdp.decode(cls, sdp.encode(message)) == message
    assert message.evse_id.isprintable()  # nothing of it can forge a line of the log


@given(
    st.builds(
        WirelessRequest, st.sampled_from(Security), st.sampled_from(Transport), st.integers(0, 0xFFFF), st.integers(0, 0xFF),
        TEXT.filter(lambda text: len(text) <= 20), TEXT.filter(lambda text: len(text) <= 37),
    )
)  # fmt: skip
def test_every_wireless_request_goes_over_the_wire_and_back(request: WirelessRequest) -> None:
    datagram = sdp.encode(request)
    assert len(datagram) == 70
    assert sdp.request_of(datagram, wireless=True) == request
    with pytest.raises(FramingError, match="0x9002"):
        sdp.request_of(datagram)


@given(st.binary(max_size=100))
def test_any_datagram_is_a_request_or_a_framing_error(datagram: bytes) -> None:
    for wireless in (False, True):
        with contextlib.suppress(FramingError):
            sdp.request_of(datagram, wireless=wireless)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("01fe90020000003d" + "00" * 61, "has 61 octets, must have 62"),
        ("01fe90020000003f" + "00" * 63, "has 63 octets, must have 62"),
        ("01fe90020000003e" + "00" * 61, "length is 62 octets, the datagram holds 61"),
        ("01fe90020000003e" + "01" + "00" * 61, "security"),
        ("01fe90020000003e" + "0001" + "00" * 60, "transport"),
        ("01fe90020000003e" + "00" * 5 + "0a" + "00" * 56, "ev_id .* printable"),
        ("01fe90020000003e" + "00" * 25 + "4100" + "42" + "00" * 34, "evse_id .* printable"),
        ("01fe9002fffffffe" + "00" * 62, "length is 4294967294"),
    ],
)
def test_hostile_requests_over_wlan_are_named_and_refused(octets: str, words: str) -> None:
    with pytest.raises(FramingError, match=words):
        sdp.request_of(bytes.fromhex(octets), wireless=True)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, None),
        ({"evse_id": ""}, None),
        ({"evse_id": UNKNOWN}, None),
        ({"diagnosis": Diagnosis.FINISHED_WITHOUT_EVSE, "evse_id": ""}, None),
        ({"diagnosis": Diagnosis.ONGOING}, "not found out yet"),
        ({"diagnosis": Diagnosis.ERROR}, "no place"),
        ({"coupling": Coupling.WPT}, "coupling 0x10, asked was 0x02"),
        ({"evse_id": "DE*ABC*E2"}, "the car stands at DE*ABC*E1"),
        ({"port": 0}, "port 0"),
        ({"security": Security.NONE}, "downgrade"),
    ],
)
def test_a_car_goes_to_no_place_where_it_does_not_stand(said: dict[str, Any], why: str | None) -> None:
    asked = WirelessRequest(coupling=Coupling.DOME, evse_id="DE*ABC*E1")
    answer = replace(WirelessResponse(HERE, 50000, coupling=Coupling.DOME, evse_id="DE*ABC*E1"), **said)
    reason = sdp.unusable(answer, asked)
    assert reason is None if why is None else why in str(reason)


def test_text_that_fits_no_field_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="at most 20 printable ASCII"):
        sdp.encode(WirelessRequest(ev_id="X" * 21))
    with pytest.raises(FramingError, match="no printable ASCII"):
        sdp.decode(WirelessRequest, sdp.encode(WirelessRequest())[:-37] + b"\xff" * 37)


@pytest.mark.parametrize("asked", list(Security))
@pytest.mark.parametrize("real", list(Security))
def test_a_station_answers_with_what_it_has(asked: Security, real: Security) -> None:
    station = Response(HERE, 50000, real)
    assert sdp.answer(Request(asked), station) == station
    assert sdp.answer(Request(asked, Transport.UDP), station) is None


@pytest.mark.parametrize(
    ("address", "port", "security", "why"),
    [
        ("fe80::1", 0, Security.TLS, "port 0"),
        ("2001:db8::1", 50000, Security.TLS, "not link-local"),
        ("ff02::1", 50000, Security.TLS, "not link-local"),
        ("::1", 50000, Security.TLS, "not link-local"),
        ("::", 50000, Security.TLS, "not link-local"),
        ("fe80::1", 50000, Security.NONE, "downgrade"),
        ("fe80::1", 50000, Security.TLS, None),
    ],
)
def test_a_car_does_not_connect_to_anything(address: str, port: int, security: Security, why: str | None) -> None:
    reason = sdp.unusable(Response(IPv6Address(address), port, security), Request())
    assert reason is None if why is None else why in str(reason)


def test_a_bench_on_one_machine_may_admit_loopback_and_a_plain_car_plain_answers() -> None:
    assert sdp.unusable(Response(IPv6Address("::1"), 50000), Request(), loopback=True) is None
    assert sdp.unusable(Response(HERE, 50000, Security.NONE), Request(Security.NONE)) is None
    assert sdp.unusable(Response(HERE, 50000, Security.TLS), Request(Security.NONE)) is None
    assert "UDP" in str(sdp.unusable(Response(HERE, 50000, transport=Transport.UDP), Request()))
