"""Any octets give a message or a DecodeError, in bounded time and memory."""

import os
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from v2g.exi import engine
from v2g.exi.codec import DecodeError, decode, decode_fragment, encode, encode_fragment
from v2g.exi.decoder import Decoder
from v2g.exi.grammar import SchemaSet
from v2g.exi.sample import samples
from v2g.messages import MODULES, schema_set

MUTATIONS = int(os.environ.get("V2GKIT_MUTATIONS", "200000")) // len(MODULES) + 1  # frames of each set; CI runs a million
SEED = int(os.environ.get("V2GKIT_SEED", "15118"))


def accepted(octets: bytes, name: str, fragment: bool = False) -> Any:
    """The message, or None for a DecodeError; anything else raised fails the test."""
    schemas, refusal, reading = schema_set(name), None, None
    try:
        reading = Decoder(octets, schemas, "interop").read(fragment)
    except DecodeError as error:
        refusal = error
    for quick in quick_readings(octets, schemas, fragment):
        assert reading is not None, "a quick engine takes nothing that the patient walk refuses"
        assert quick == (reading.name, reading.message)
        assert not reading.findings
    if refusal or reading is None:
        assert refusal
        assert refusal.reason
        assert 0 <= refusal.bit <= len(octets) * 8
        return None
    if not reading.findings:  # what is accepted without a finding has one spelling only
        again = encode_fragment(reading.message, schemas, reading.name) if fragment else encode(reading.message, schemas)
        assert again == octets
    return reading.message


def quick_readings(octets: bytes, schemas: SchemaSet, fragment: bool) -> Iterator[Any]:
    """What every quick engine makes of octets, as far as it does."""
    for quick in engine.ENGINES.values():
        if (reading := quick.read(octets, schemas, fragment)) is not None:
            yield reading


def mutated(octets: bytes, chance: random.Random) -> bytes:
    """One to three small accidents."""
    changed = bytearray(octets)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed)) if changed else 0
        match chance.randrange(6):
            case 0 if changed:
                changed[at] ^= 1 << chance.randrange(8)
            case 1 if changed:
                changed[at] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            case 2 if changed:
                del changed[at : at + chance.randint(1, 4)]
            case 3:
                changed[at:at] = chance.randbytes(chance.randint(1, 4))
            case 4 if changed:
                changed[at : at + 8] = changed[at : at + 8][::-1]
            case _:
                changed[at:at] = b"\xff" * chance.randint(1, 12)
    return bytes(changed)


@pytest.mark.parametrize("name", MODULES)
def test_mutated_frames(name: str) -> None:
    chance = random.Random(f"{SEED} {name}")
    schemas, messages = schema_set(name), 0
    frames = [encode(m, schemas) for _ in range(3) for m in samples(schemas, chance)]
    for _ in range(MUTATIONS):
        messages += accepted(mutated(chance.choice(frames), chance), name) is not None
    print(f"{name}: {MUTATIONS} mutated frames, {messages} still messages")
    assert messages < MUTATIONS


@pytest.mark.parametrize("name", ["xmldsig", "common", "iso2"])
def test_mutated_fragments(name: str) -> None:
    chance = random.Random(f"{SEED} fragment {name}")
    schemas = schema_set(name)
    frames = [encode_fragment(m, schemas) for m in samples(schemas, chance)]
    for _ in range(MUTATIONS // 2):
        accepted(mutated(chance.choice(frames), chance), name, fragment=True)


@pytest.mark.parametrize("name", MODULES)
def test_noise(name: str) -> None:
    chance = random.Random(f"{SEED} noise {name}")
    for _ in range(MUTATIONS // 4):
        accepted(b"\x80" + chance.randbytes(chance.randint(0, 60)), name)


@pytest.mark.parametrize("name", MODULES)
def test_truncation_at_every_bit(name: str) -> None:
    schemas = schema_set(name)
    for message in samples(schemas, random.Random(f"{SEED} truncation")):
        octets = encode(message, schemas)
        used = len(octets) * 8 - 7  # the end of the document lies somewhere in the last octet
        for bit in range(0, used, 1 if len(octets) < 64 else 7):
            cut = octets[: bit // 8] + (bytes([octets[bit // 8] & (0xFF00 >> bit % 8) & 0xFF]) if bit % 8 else b"")
            try:
                assert decode(cut, schemas) != message
            except DecodeError:
                continue


def sap(body: str) -> bytes:
    """A supportedAppProtocolReq whose bits after the header and the document code are given."""
    bits = "10000000" + "00" + body.replace(" ", "")
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


BOMBS = {
    "a string of 2**31 characters": sap("0 0 0" + f"{0xFF:08b}" * 4 + "00000111"),
    "a length of endless groups": sap("0 0 0" + f"{0xFF:08b}" * 4000),
    "a character of endless groups": sap("0 0 0 00000011" + f"{0xFF:08b}" * 4000),
    "a surrogate": sap("0 0 0 00000011 10000000 10110000 00000011" + "0" * 200),
    "a character beyond Unicode": sap("0 0 0 00000011 11111111 11111111 11111111 00000001" + "0" * 200),
    "a string referring to none": sap("0 0 0 00000000" + "0" * 200),
    "a string referring to none anywhere": sap("0 0 0 00000001" + "0" * 200),
}


@pytest.mark.parametrize("octets", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_before_they_cost_memory(octets: bytes) -> None:
    schemas = schema_set("app")
    with pytest.raises(DecodeError):
        decode(octets, schemas)
    tracemalloc.start()
    with pytest.raises(DecodeError):
        decode(octets, schemas)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000 + 10 * len(octets)


def test_a_binary_of_4_gigabytes_is_refused() -> None:
    schemas = schema_set("common")
    octets = encode(samples(schemas, random.Random(1))[0], schemas)[:2] + b"\xff" * 40
    tracemalloc.start()
    with pytest.raises(DecodeError):
        decode(octets, schemas)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_an_integer_without_bounds_is_bounded() -> None:
    schemas = schema_set("xmldsig")
    from v2g.messages.xmldsig import SignatureMethodType

    octets = encode(SignatureMethodType(Algorithm="a", HMACOutputLength=-(2**200)), schemas)
    assert decode(octets, schemas) == SignatureMethodType(Algorithm="a", HMACOutputLength=-(2**200))
    start = octets.find(b"\xff")
    with pytest.raises(DecodeError, match="longer than"):
        decode(octets[:start] + b"\xff" * 100_000, schemas)


def test_time_and_memory_grow_with_the_input_only() -> None:
    """A list as long as the octets allow: half a megabyte of the shortest elements there are."""
    from v2g.messages.xmldsig import TransformsType, TransformType

    schemas = schema_set("xmldsig")
    octets = encode(TransformsType(Transform=(TransformType(Algorithm=""),) * 40_000), schemas)
    tracemalloc.start()
    message = decode(octets, schemas)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(message, TransformsType)
    assert len(message.Transform) == 40_000
    assert peak < 100 * len(octets)


@pytest.mark.parametrize("octets", [b"", b"\x80", b"\x00", b"$EXI\x80", b"\xa0" + b"\0" * 20, b"\x80\xff", b"\x80" + b"\xff" * 100])
def test_what_is_no_exi(octets: bytes) -> None:
    for name in MODULES:
        with pytest.raises(DecodeError):
            decode(octets, schema_set(name))
        with pytest.raises(DecodeError):
            decode_fragment(octets, schema_set(name))
