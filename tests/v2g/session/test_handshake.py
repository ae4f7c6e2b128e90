"""Reading TLS handshake messages: any octets give facts or a framing error, never more work than they are worth."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.profiles import Role
from tests.v2g.session.peers import car_tls, credential, hierarchy, judge
from v2g.session import handshake
from v2g.session.errors import FramingError
from v2g.session.handshake import HELLO_LIMIT, HelloReader, certificate, certificate_request, client_hello, server_hello
from v2g.session.tls import CONFORMANCE, ISO2
from v2g.session.transport.openssl import Context


def records() -> bytes:
    """The first octets of a car of ours."""
    channel = car_tls(check_staples=lambda *_: None).channel()
    channel.start()
    return channel.octets_to_send()


HELLO = records()
MESSAGE = HELLO[5:]


def hello_with(*extensions: tuple[int, bytes]) -> bytes:
    """A hello of one suite and these extensions."""
    fields = b"".join(code.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body for code, body in extensions)
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x02" + b"\x01\0" + len(fields).to_bytes(2, "big") + fields
    return b"\x01" + len(body).to_bytes(3, "big") + body


@pytest.mark.parametrize("size", [1, 2, 5, 7, 100, 1000])
def test_a_hello_is_gathered_from_segments_of_any_size(size: int) -> None:
    reader, found = HelloReader(), None
    for at in range(0, len(HELLO), size):
        assert found is None
        found = reader.feed(HELLO[at : at + size])
    assert found == client_hello(MESSAGE)
    assert bytes(reader.octets) == HELLO


def test_a_hello_is_gathered_from_records_of_one_octet() -> None:
    pieces = b"".join(b"\x16\x03\x01\x00\x01" + MESSAGE[i : i + 1] for i in range(len(MESSAGE)))
    reader = HelloReader()
    begin = time.process_time()
    found = [reader.feed(pieces[i : i + 1]) for i in range(len(pieces))]
    assert found[-1] == client_hello(MESSAGE)
    assert not any(found[:-1])
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x28", "no TLS record"),
        (b"\x16\x02\x00\x00\x01\x01", "no TLS record"),
        (b"\x16\x03\x01\x00\x00\x01", "no TLS record"),
        (b"\x16\x03\x01\x00\x01\x02", "handshake message 2"),
        (b"\x16\x03\x01\x00\x04\x01\x01\x00\x00", "65540 octets, at most 16384"),
        (bytes.fromhex("01fe800100000001"), "plain V2GTP"),
        (bytes.fromhex("16030140f0") + b"\x01\x00\x3f\xf0" + bytes(HELLO_LIMIT), "does not end within 16384 octets"),
    ],
)
def test_what_is_no_hello_is_named(octets: bytes, words: str) -> None:
    with pytest.raises(FramingError, match=words):
        HelloReader().feed(octets)


@given(st.data())
def test_any_octets_are_a_hello_or_a_framing_error(data: st.DataObject) -> None:
    octets = bytearray(HELLO)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(octets) - 1), st.integers(0, 255)), max_size=6)):
        octets[place] = value
    cut = data.draw(st.integers(0, len(octets)))
    try:
        HelloReader().feed(bytes(octets[:cut]))
    except FramingError:
        return


@given(st.sampled_from([1, 2, 11, 12, 13, 15]), st.binary(max_size=200), st.sampled_from([0x0303, 0x0304]))
def test_any_message_is_facts_or_a_framing_error(kind: int, body: bytes, version: int) -> None:
    message = bytes((kind,)) + len(body).to_bytes(3, "big") + body
    for read in (
        lambda m: client_hello(m),
        lambda m: server_hello(m),
        lambda m: certificate(m, version),
        lambda m: certificate_request(m, version),
        lambda m: handshake.server_key_exchange(m),
        lambda m: handshake.certificate_verify(m),
    ):
        try:
            read(message)
        except FramingError:
            continue


def test_what_a_car_names_is_read() -> None:
    names = (b"\x30\x03ABC", b"\x30\x00")
    listed = b"".join(len(n).to_bytes(2, "big") + n for n in names)
    sha1 = bytes(range(20))
    keys = b"\x03" + sha1 + b"\x02\0\x01x" + b"\x01" + sha1 + b"\0"
    found = client_hello(
        hello_with(
            (0, b"\0\x09\0\0\x06a.test"),
            (1, b"\x02"),
            (3, len(keys).to_bytes(2, "big") + keys),
            (5, bytes.fromhex("0100000000")),
            (43, b"\x04\x03\x04\x03\x03"),
            (47, len(listed).to_bytes(2, "big") + listed),
        )
    )
    assert found.server_name == "a.test"
    assert found.max_fragment_length == 1024
    assert found.trusted_ca_keys == (sha1,)
    assert found.certificate_authorities == names
    assert found.versions == (0x0304, 0x0303)
    assert found.extensions == (0, 1, 3, 5, 43, 47)
    assert not client_hello(hello_with()).tls13


@pytest.mark.parametrize(
    "extensions",
    [
        ((43, b"\x03\x03\x04"),),
        ((43, b"\x02\x03\x04"), (43, b"\x02\x03\x04")),
        ((3, b"\0\x01\x09"),),
        ((3, b"\0\x05\x03abcd"),),
        ((47, b"\0\x09\0\x08abc"),),
    ],
    ids=["odd", "twice", "unknown identifier", "short hash", "short name"],
)
def test_a_hello_that_contradicts_itself_is_refused(extensions: tuple[tuple[int, bytes], ...]) -> None:
    with pytest.raises(FramingError):
        client_hello(hello_with(*extensions))


def test_a_whole_handshake_is_summed_up_on_both_sides() -> None:
    own = hierarchy()
    station = Context(CONFORMANCE, server=True, credential=credential(own[Role.SECC])).channel(judge(Role.VEHICLE, own))
    car = Context(CONFORMANCE, server=False, credential=credential(own[Role.VEHICLE])).channel(judge(Role.SECC, own))
    car.start()
    while station.facts is None or car.facts is None:
        station.receive(car.octets_to_send())
        car.receive(station.octets_to_send())
    assert station.facts.own_chain == car.facts.peer_chain
    assert station.facts.peer_chain == car.facts.own_chain
    assert station.facts.own_scheme == car.facts.peer_scheme
    assert station.facts.octets_sent >= car.facts.octets_received - 200
    assert ISO2.version == "TLSv1.2"
