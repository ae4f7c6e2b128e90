"""Requests and the attributes an enrolment server asks for; DER of our own against two other readers."""

from contextlib import suppress
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pki.der import OID, elements, integer, oid, read_oid, wrap
from pki.errors import CertificateError, Kind
from pki.keys import ALGORITHMS
from pki.plan import Names
from pki.profiles import PROFILES, Role
from pki.request import MAX_REQUEST, Wanted, attributes, demand_sound, read_attributes, read_request, renewal, request
from tests.pki.sample_pki import hierarchy

CURVES = list(ALGORITHMS)
SECC = PROFILES[Role.SECC]
MODULE = """
CsrAttributes DEFINITIONS EXPLICIT TAGS ::= BEGIN
    CsrAttrs ::= SEQUENCE OF AttrOrOID
    AttrOrOID ::= CHOICE { oid OBJECT IDENTIFIER, attribute Attribute }
    Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF OBJECT IDENTIFIER }
END
"""


@pytest.mark.parametrize("curve", CURVES)
def test_a_request_is_sound_for_its_authority(curve: str) -> None:
    key: Any = ALGORITHMS[curve].generate()
    csr = request(SECC, Names(evse_id="DEABCE1"), key)
    for octets in (csr.public_bytes(Encoding.PEM), csr.public_bytes(Encoding.DER)):
        assert demand_sound(read_request(octets), SECC, ALGORITHMS[curve].generate()) == key.public_key()
        assert len(octets) < MAX_REQUEST


def test_a_renewal_keeps_the_name() -> None:
    old = hierarchy()[Role.SECC].certificate
    assert renewal(old, ALGORITHMS["secp521r1"].generate()).subject == old.subject


def kind_of(csr: x509.CertificateSigningRequest, role: Role = Role.SECC) -> Kind:
    with pytest.raises(CertificateError) as caught:
        demand_sound(csr, PROFILES[role], ALGORITHMS["secp521r1"].generate())
    return caught.value.kind


def test_what_is_not_sound() -> None:
    key: Any = ALGORITHMS["secp521r1"].generate()
    nameless = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, ALGORITHMS["secp521r1"].hash)
    assert kind_of(nameless) is Kind.WRONG_PROFILE
    assert kind_of(request(PROFILES[Role.CPS], Names(), key)) is Kind.WRONG_PROFILE
    assert kind_of(request(SECC, Names(), ALGORITHMS["secp256r1"].generate())) is Kind.WEAK_ALGORITHM


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_any_octets_are_a_request_or_an_error(octets: bytes) -> None:
    with pytest.raises(CertificateError):
        read_request(octets)
    with pytest.raises(CertificateError):
        read_request(b"-----BEGIN CERTIFICATE REQUEST-----\n" + octets)


# --- attributes ---


@pytest.mark.parametrize("curve", CURVES)
def test_attributes_name_the_curve(curve: str) -> None:
    assert read_attributes(attributes(curve)).curve == curve


@pytest.mark.parametrize("curve", CURVES)
def test_another_codec_reads_the_same_attributes(curve: str) -> None:
    asn1tools = pytest.importorskip("asn1tools")
    codec = asn1tools.compile_string(MODULE, "der")
    read = codec.decode("CsrAttrs", attributes(curve))
    assert codec.encode("CsrAttrs", read) == attributes(curve)
    assert tuple(value for kind, value in read if kind == "oid") == read_attributes(attributes(curve)).oids


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_octets_are_attributes_or_an_error(octets: bytes) -> None:
    for wrapped in (octets, wrap(0x30, octets)):
        with suppress(CertificateError):
            assert isinstance(read_attributes(wrapped), Wanted)


def test_what_is_in_them_that_is_neither() -> None:
    """One of these sends a general decoder into an endless loop."""
    for octets in ("30020500", "3100", "30", "3080", "300130"):
        with pytest.raises(CertificateError):
            read_attributes(bytes.fromhex(octets))


# --- DER ---


@given(st.lists(st.tuples(st.sampled_from([0x02, 0x04, 0x30, 0xA3]), st.binary(max_size=300)), max_size=5))
def test_elements_come_out_as_they_went_in(parts: list[tuple[int, bytes]]) -> None:
    assert list(elements(b"".join(wrap(tag, content) for tag, content in parts))) == parts


@given(st.sampled_from([0, 1, 2]), st.integers(0, 39), st.lists(st.integers(0, 2**64), max_size=6))
def test_object_identifiers_come_out_as_they_went_in(first: int, second: int, arcs: list[int]) -> None:
    dotted = ".".join(str(arc) for arc in (first, second, *arcs))
    ((tag, content),) = elements(oid(dotted))
    assert (tag, read_oid(content)) == (OID, dotted)
    assert oid("1.2.840.10045.4.3.4").hex() == "06082a8648ce3d040304"


@example(-128)
@example(-32768)
@example(127)
@example(128)
@given(st.integers(-(2**70), 2**70))
def test_integers_are_twos_complement(number: int) -> None:
    ((_, content),) = elements(integer(number))
    assert int.from_bytes(content, "big", signed=True) == number
    assert len(content) == 1 or content[:1] not in (b"\x00", b"\xff") or (content[0] ^ content[1]) & 0x80
