"""The quick engines do what the patient walk does, or leave it to it."""

import random
import sys
import tracemalloc
from itertools import product
from typing import Any

import msgspec
import pytest

from v2g.exi import engine
from v2g.exi.codec import Bounds, DecodeError, receive, root
from v2g.exi.decoder import Decoder
from v2g.exi.derive import least
from v2g.exi.encoder import Encoder
from v2g.exi.errors import EncodeError
from v2g.exi.grammar import SchemaSet
from v2g.exi.sample import samples
from v2g.exi.schema import Type, fields
from v2g.exi.straight_reader import Readers, source
from v2g.messages import MODULES, schema_set
from v2g.messages.common_messages import SessionStopReq
from v2g.messages.common_types import ListOfRootCertificateIDsType, MessageHeaderType, RationalNumberType, responseCodeType
from v2g.messages.xmldsig import X509IssuerSerialType

WRONG: tuple[Any, ...] = (None, -1, 0, 2**70, -(2**70), True, "text", "ß", "x" * 300, b"", b"\0" * 300, (), (None,), 1.5, object())
QUICK = [name for name in engine.ENGINES if name != "patient"]


def encoded(message: Type, name: str) -> bytes | None:
    try:
        return Encoder(schema_set(name)).document(message)
    except EncodeError:
        return None


@pytest.mark.parametrize("quick", QUICK)
@pytest.mark.parametrize("name", MODULES)
def test_same_octets_and_same_message(name: str, quick: str) -> None:
    chance, schemas = random.Random(f"engines {name}"), schema_set(name)
    for message in [m for _ in range(4) for m in samples(schemas, chance)]:
        octets = Encoder(schemas).document(message)
        written = engine.ENGINES[quick].write(message, schemas, False)
        assert written in (octets, None)
        reading = engine.ENGINES[quick].read(octets, schemas, False)
        if reading is None:  # nothing valid goes the slow way, but for what neither has a straight way nor a place in a message
            assert quick == "straight"
            assert "PGPDataType(" in repr(message)
        else:
            assert reading[1] == message == Decoder(octets, schemas).read(False).message


SERIALS = [0, 1, -1, 127, 128, -(2**63), 2**63, 2**64 - 1, 2**160 + 1, -(2**160), 2**4096 - 1, -(2**4096)]
TEXTS = ["", "x", "ß", "x\u20ac\U0001f50cx" * 300, "\0", "\x7f\x80", "\U0010ffff", "\ud7ff\ue000"]


@pytest.mark.parametrize("quick", QUICK)
def test_every_integer_and_every_character_has_a_quick_way(quick: str) -> None:
    common, app = schema_set("common"), schema_set("app")
    for serial, text in product(SERIALS, TEXTS):
        issuer = X509IssuerSerialType(X509IssuerName=text, X509SerialNumber=serial)
        octets = Encoder(common).fragment(least(ListOfRootCertificateIDsType, RootCertificateID=(issuer, issuer)), None)
        reading = engine.ENGINES[quick].read(octets, common, True)
        assert reading is not None
        assert reading[1] == Decoder(octets, common).read(True).message
    for stamp in (2**63 - 1, 2**63, 2**64 - 1):
        header = MessageHeaderType(SessionID=bytes(8), TimeStamp=stamp)
        octets = Encoder(common).document(least(SessionStopReq, Header=header))
        reading = engine.ENGINES[quick].read(octets, common, False)
        assert reading is not None
        assert reading[1].Header == header  # type: ignore[attr-defined]
    assert engine.ENGINES[quick].read(b"\x80\xff", app, False) is None


@pytest.mark.parametrize("quick", engine.ENGINES)
def test_items_are_counted_alike_and_none_is_made_beyond_the_last(quick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements of complex type and items of lists that are none: so many are a message, one less is none."""
    monkeypatch.setattr(engine, "_used", quick)
    bounds, chance = Bounds({}, unusual=2**20, patience=2**20), random.Random(8)
    for name in ("app", "common", "dc", "iso2"):
        schemas = schema_set(name)
        for message in samples(schemas, chance):
            octets, items = Encoder(schemas).document(message), counted(message)
            assert receive(octets, schemas, bounds, items).message == message
            with pytest.raises(DecodeError, match=f"more than {items - 1} elements") as refused:
                receive(octets, schemas, bounds, items - 1)
            assert refused.value.path == (root(octets, schemas).name,)


def counted(message: Any) -> int:
    """What a message has of elements with elements or attributes in them, and of items of lists that have none."""
    found = 1
    for field in fields(type(message)):
        value = getattr(message, field.name)
        held = value if field.repeated else (value,)
        found += sum(counted(one) if isinstance(one, Type) else field.repeated for one in held if one is not None)
    return found


def damaged(message: Any, chance: random.Random) -> Any:
    """The message with one value replaced by something that is probably none."""
    field = chance.choice(fields(type(message)))
    value = getattr(message, field.name)
    if isinstance(value, Type) and fields(type(value)) and chance.random() < 0.8:
        changed = damaged(value, chance)
    elif isinstance(value, tuple) and value and isinstance(value[0], Type) and fields(type(value[0])) and chance.random() < 0.5:
        changed = (damaged(value[0], chance), *value[1:])
    elif isinstance(value, tuple) and value and chance.random() < 0.5:
        changed = value * chance.choice((2, 30, 1100))
    else:
        changed = chance.choice(WRONG)
    return msgspec.structs.replace(message, **{field.name: changed})


@pytest.mark.parametrize("name", MODULES)
def test_what_the_patient_walk_refuses_no_engine_writes(name: str) -> None:
    chance, schemas, refused = random.Random(f"damage {name}"), schema_set(name), 0
    whole = [m for m in samples(schemas, chance) if fields(type(m))]
    for _ in range(300):
        message = damaged(chance.choice(whole), chance)
        octets = encoded(message, name)
        refused += octets is None
        for quick in QUICK:
            assert engine.ENGINES[quick].write(message, schemas, False) in (octets, None)
    assert refused > 100


@pytest.mark.parametrize("quick", QUICK)
def test_nothing_is_kept(quick: str) -> None:
    """Instances are filled in place, so every reference has to be counted by hand."""
    schemas, chance = schema_set("common"), random.Random(5)
    frames = [encode_all(m, schemas) for m in samples(schemas, chance)]

    def once() -> None:
        for message, octets in frames:
            engine.ENGINES[quick].write(message, schemas, False)
            for cut in (len(octets), len(octets) // 2, len(octets) * 3 // 4):
                engine.ENGINES[quick].read(octets[:cut], schemas, False)

    once()
    watched = [None, True, False, (), *responseCodeType, RationalNumberType, *(m for m, _ in frames)]
    tracemalloc.start()
    once()
    before, counts = tracemalloc.get_traced_memory()[0], [sys.getrefcount(w) for w in watched]
    for _ in range(20):
        once()
    after, again = tracemalloc.get_traced_memory()[0], [sys.getrefcount(w) for w in watched]
    tracemalloc.stop()
    assert after - before < 20_000
    assert max(abs(a - b) for a, b in zip(again, counts, strict=True)) < 20


def encode_all(message: Type, schemas: SchemaSet) -> tuple[Type, bytes]:
    return message, Encoder(schemas).document(message)


def test_the_text_of_a_reader_is_short_and_straight() -> None:
    text = source(Readers(schema_set("dc")), RationalNumberType)
    assert text.count("x >> p") <= 2
    assert "while" not in text


def test_an_engine_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no engine 'quantum'"):
        engine.use("quantum")
    assert engine.used() in engine.ENGINES
