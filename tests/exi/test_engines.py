"""The quick engines do what the patient walk does, or leave it to it."""

import random
import sys
import tracemalloc
from typing import Any

import msgspec
import pytest

from v2g.exi import engine
from v2g.exi.decoder import Decoder
from v2g.exi.encoder import Encoder
from v2g.exi.errors import EncodeError
from v2g.exi.grammar import SchemaSet
from v2g.exi.sample import samples
from v2g.exi.schema import Type, fields
from v2g.exi.straight_reader import Readers, source
from v2g.messages import MODULES, schema_set
from v2g.messages.common_types import RationalNumberType, responseCodeType

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
    chance, schemas, taken = random.Random(f"engines {name}"), schema_set(name), 0
    for message in [m for _ in range(4) for m in samples(schemas, chance)]:
        octets = Encoder(schemas).document(message)
        written = engine.ENGINES[quick].write(message, schemas, False)
        assert written in (octets, None)
        reading = engine.ENGINES[quick].read(octets, schemas, False)
        assert reading is None or reading[1] == message == Decoder(octets, schemas).read(False).message
        taken += reading is not None
    assert taken, "the quick way is taken at all"


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
