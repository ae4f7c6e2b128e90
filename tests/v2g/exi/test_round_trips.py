"""Any valid message survives octets, XML and JSON."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.exi.bits import BitReader, BitWriter
from v2g.exi.codec import DecodeError, decode, encode, encode_fragment, read
from v2g.exi.json import from_json, to_json
from v2g.exi.sample import inhabited, sample
from v2g.exi.xml import from_xml, to_xml
from v2g.messages import MODULES, schema_set

pytestmark = pytest.mark.usefixtures("each_engine")

SETS = st.sampled_from(sorted(MODULES)).map(schema_set)


@st.composite
def messages(draw: st.DrawFn) -> tuple[object, object]:
    """A schema set and a message of it."""
    schemas = draw(SETS)
    cls = draw(st.sampled_from([e.type for e in schemas.globals if inhabited(e.type, schemas)]))
    return schemas, sample(cls, schemas, draw(st.randoms(use_true_random=False)))


@settings(max_examples=300, deadline=None)
@given(messages())
def test_document(case: tuple) -> None:  # type: ignore[type-arg]
    schemas, message = case
    reading = read(encode(message, schemas), schemas)
    assert reading.message == message
    assert not reading.findings


@settings(max_examples=150, deadline=None)
@given(messages())
def test_fragment(case: tuple) -> None:  # type: ignore[type-arg]
    schemas, message = case
    assert read(encode_fragment(message, schemas), schemas, fragment=True).message == message


@settings(max_examples=150, deadline=None)
@given(messages())
def test_views(case: tuple) -> None:  # type: ignore[type-arg]
    schemas, message = case
    assert from_xml(to_xml(message, schemas), schemas)[0] == message
    assert from_json(to_json(message, schemas), schemas)[0] == message


@settings(max_examples=300, deadline=None)
@given(SETS, st.binary(max_size=80))
def test_any_octets_are_a_message_or_a_decode_error(schemas, octets: bytes) -> None:  # type: ignore[no-untyped-def]
    for candidate in (octets, b"\x80" + octets):
        try:
            decode(candidate, schemas)
        except DecodeError:
            continue


@given(st.lists(st.tuples(st.integers(0, 2**20 - 1), st.just(20)) | st.tuples(st.integers(0, 1), st.just(1)) | st.binary(max_size=400)))
def test_bits_and_blocks(parts: list) -> None:  # type: ignore[type-arg]
    writer = BitWriter()
    for part in parts:
        if isinstance(part, bytes):
            writer.block(part)
        else:
            writer.bits(*part)
    reader = BitReader(writer.octets())
    for part in parts:
        assert (reader.block(len(part)) == part) if isinstance(part, bytes) else (reader.bits(part[1]) == part[0])
    assert reader.size - reader.position < 8


@given(st.integers(0, 2**200))
def test_unsigned_integers(value: int) -> None:
    writer = BitWriter()
    writer.bits(1, 3)
    writer.unsigned(value)
    reader = BitReader(writer.octets(), 3)
    assert reader.unsigned(256) == value
    assert not reader.overlong


def test_more_bits_than_there_are() -> None:
    with pytest.raises(DecodeError, match="9 bits are wanted, 8 are left"):
        BitReader(b"\xff").bits(9)
    with pytest.raises(DecodeError, match="2 octets are wanted, 1 are left"):
        BitReader(b"\xff\xff", 1).block(2)
