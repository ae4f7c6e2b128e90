"""The messages of matching as octets, against values from outside, and against whatever a line may carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.session.errors import FramingError
from v2g.slac.frames import BROADCAST, LAYOUTS, SlacParmReq, ValidateReq, frame, unframe
from v2g.slac.key import fresh, network_id

CAR, STATION = bytes.fromhex("020000000201"), bytes.fromhex("020000000101")
RUN = bytes.fromhex("0102030405060708")
SAMPLES = {  # field -> a value of its length
    "run_id": RUN,
    "forwarding_sta": CAR,
    "pev_mac": CAR,
    "evse_mac": STATION,
    "source_address": CAR,
    "random": bytes(range(16)),
    "groups": bytes(range(58)),
    "nid": bytes.fromhex("026bcba5354e08"),
    "nmk": bytes.fromhex("b59319d7e8157ba001b018669ccee30d"),
    "my_nonce": b"\x00\x00\x00\x07",
    "your_nonce": b"\x00\x00\x00\x08",
}


def sample(message: type) -> object:
    return message(**{name: SAMPLES.get(name, 3) for name in message.__dataclass_fields__})  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("nmk", "nid"),
    [  # the two passwords that open-plc-utils prints its keys for: HomePlugAV and HomePlugAV0123
        ("50d3e4933f855b7040784df815aa8db7", "b0f2e695666b03"),
        ("b59319d7e8157ba001b018669ccee30d", "026bcba5354e08"),
    ],
)
def test_the_id_of_a_network_follows_from_its_key(nmk: str, nid: str) -> None:
    assert network_id(bytes.fromhex(nmk)).hex() == nid


def test_a_fresh_network_has_a_key_from_the_system() -> None:
    asked: list[int] = []
    network = fresh(lambda n: asked.append(n) or bytes(range(n)))  # type: ignore[func-returns-value]
    assert asked == [16]
    assert network.nid == network_id(network.nmk)
    assert network.nid[6] < 16  # two bits of security level, two that are none


@pytest.mark.parametrize("message", LAYOUTS)
def test_a_message_comes_back(message: type) -> None:
    octets = frame(BROADCAST, CAR, sample(message))  # type: ignore[arg-type]
    assert len(octets) >= 60
    assert unframe(octets) == (BROADCAST, CAR, sample(message))
    assert unframe(octets + bytes(40)) == unframe(octets)


@pytest.mark.parametrize("message", LAYOUTS)
def test_a_message_that_is_cut_off_is_none(message: type) -> None:
    whole = frame(BROADCAST, CAR, sample(message))  # type: ignore[arg-type]
    for length in range(len(whole.rstrip(b"\x00"))):
        with pytest.raises(FramingError):
            unframe(whole[:length])


def test_what_asks_for_security_is_refused() -> None:
    octets = bytearray(frame(BROADCAST, CAR, SlacParmReq(RUN)))
    octets[20] = 1
    with pytest.raises(FramingError, match="without security"):
        unframe(bytes(octets))


@pytest.mark.parametrize(
    ("place", "octets", "why"),
    [(12, "86dd", "EtherType"), (14, "00", "version"), (15, "3960", "MMTYPE 0x6039")],
)
def test_what_is_refused_says_why(place: int, octets: str, why: str) -> None:
    whole = bytearray(frame(BROADCAST, CAR, ValidateReq()))
    whole[place : place + len(octets) // 2] = bytes.fromhex(octets)
    with pytest.raises(FramingError, match=why):
        unframe(bytes(whole))


@given(st.binary(max_size=1600))
def test_any_octets_are_a_message_or_a_refusal(octets: bytes) -> None:
    for line in (octets, BROADCAST + CAR + b"\x88\xe1\x01" + octets):
        try:
            unframe(line)
        except FramingError:
            continue
