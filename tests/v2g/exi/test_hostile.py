"""Any octets give a message or a DecodeError, in bounded time and memory. `fuzz.promise` says in full what is held against what."""

import json
import os
import random
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fuzz.mutations import Work, judged, stock
from fuzz.promise import VERDICTS, judge
from fuzz.seeds import Seed, seeds
from tests.v2g.exi.conftest import Count
from v2g.exi import engine
from v2g.exi.codec import DecodeError, decode, decode_fragment, encode_fragment, read
from v2g.exi.encoder import Encoder
from v2g.exi.explain import explain
from v2g.exi.json import to_json
from v2g.exi.reading import Step
from v2g.exi.schema import Type, fields
from v2g.messages import MODULES, schema_set
from v2g.messages.xmldsig import (
    CanonicalizationMethodType,
    DigestMethodType,
    ReferenceType,
    SignatureMethodType,
    SignedInfoType,
    TransformsType,
    TransformType,
)

FRAMES = int(os.environ.get("V2GKIT_MUTATIONS", "20000"))  # over all sets; CI has a million more judged by fuzz.mutations
SEED = int(os.environ.get("V2GKIT_SEED", "15118"))
REGRESSIONS = Path(__file__).with_name("regressions")
each_set = pytest.mark.parametrize("name", MODULES)


# --- damage ---


@each_set
def test_mutated_frames(name: str, count: Count) -> None:
    """Every message of the set, and every other element, suffers accidents as often as any other."""
    outcome = judged(Work(name, SEED, 0, -(-FRAMES // len(MODULES))))
    frames = outcome.verdicts.total()
    count("damaged frames judged", name, frames)
    count("elements of which they were made", name, len({(s.name, s.fragment) for s in stock(name, SEED, False)}))
    assert not outcome.broken
    assert frames >= FRAMES / len(MODULES)
    assert all(outcome.verdicts[v] for v in VERDICTS), "the accidents are neither harmless nor all deadly"


@each_set
def test_noise(name: str) -> None:
    chance, schemas = random.Random(f"{SEED} noise {name}"), schema_set(name)
    for _ in range(FRAMES // 100):
        judge(b"\x80" + chance.randbytes(chance.randint(0, 60)), schemas, chance.random() < 0.3)


@pytest.mark.parametrize("file", sorted(REGRESSIONS.glob("*.jsonl")), ids=lambda f: f.stem)
def test_what_once_broke_the_promise(file: Path) -> None:
    for line in file.read_text().splitlines():
        found = json.loads(line)
        assert judge(bytes.fromhex(found["exi"]), schema_set(found["set"]), found["fragment"], views=True) == found["verdict"], found["why"]


@each_set
def test_truncation_at_every_bit(name: str) -> None:
    """What lacks octets is no message. Where only bits are lacking, zeros stand for them, and nobody sees the whole message."""
    schemas, cuts, smallest = schema_set(name), 0, _smallest(name)
    for seed in seeds(name):
        whole, end = _message(seed, name, seed.octets), seed.marks[-1]
        for length in range(0, (end - 1) // 8, 1 if end < 300 or seed in smallest else 7):
            with pytest.raises(DecodeError):
                read(seed.octets[:length], schemas, fragment=seed.fragment, mode="interop")
        for bit in range(8, end, 1 if end < 300 else 101):
            octets = seed.octets[: bit // 8] + bytes([seed.octets[bit // 8] & 0xFF00 >> bit % 8 & 0xFF])
            cuts += 1
            assert octets == seed.octets or _message(seed, name, octets) != whole
    assert cuts > 150


def _smallest(name: str) -> list[Seed]:
    """Of every document of a set the smallest frame, and a few fragments."""
    found = {(s.name, s.fragment): s for s in sorted(seeds(name), key=lambda s: -len(s.octets))}
    return [*(s for s in found.values() if not s.fragment), *[s for s in found.values() if s.fragment][-5:]]


def _message(seed: Seed, name: str, octets: bytes) -> Type | None:
    try:
        return read(octets, schema_set(name), fragment=seed.fragment).message
    except DecodeError:
        return None


@each_set
def test_garbage_after_the_end(name: str) -> None:
    for seed in _smallest(name):
        schemas = schema_set(name)
        assert judge(seed.octets, schemas, seed.fragment) == "message"
        for zeros in (1, 2, 100):
            assert judge(seed.octets + bytes(zeros), schemas, seed.fragment) == "tolerated"
        for garbage in (b"\0\x01", b"\x01", b"\x80", b"\xff" * 100, seed.octets):
            assert judge(seed.octets + garbage, schemas, seed.fragment) == "interop"


@pytest.mark.parametrize("octets", [b"", b"\x80", b"\x00", b"$EXI\x80", b"\xa0" + b"\0" * 20, b"\x80\xff", b"\x80" + b"\xff" * 100])
def test_what_is_no_exi(octets: bytes) -> None:
    for name in MODULES:
        with pytest.raises(DecodeError):
            decode(octets, schema_set(name))
        with pytest.raises(DecodeError):
            decode_fragment(octets, schema_set(name))


# --- bombs: something outrageous in the place of every value of a frame ---


def unsigned(value: int) -> str:
    """An Unsigned Integer in bits: 7 at a time, the least significant first, and a bit that says whether more follow."""
    groups = []
    while True:
        groups.append(f"{value >> 7 > 0:b}{value & 0x7F:07b}")
        value >>= 7
        if not value:
            return "".join(groups)


ENDLESS = "1" * 8 * 4000  # groups, of which each says that more follow
CHARACTERS = 3  # so many are announced, the outrageous one is the first
BOMBS = {
    "a string of 2**31 characters": ("string", unsigned(2**31 + 2)),
    "a string of 2**32 characters": ("string", unsigned(2**32 + 2)),
    "a string of endless length": ("string", ENDLESS),
    "a string longer than the rest": ("string", unsigned(300)),
    "a string that refers to none here": ("first string", unsigned(0)),
    "a string that refers to none anywhere": ("first string", unsigned(1)),
    "a character of endless groups": ("string", unsigned(CHARACTERS + 2) + ENDLESS),
    "the first surrogate": ("string", unsigned(CHARACTERS + 2) + unsigned(0xD800)),
    "the last surrogate": ("string", unsigned(CHARACTERS + 2) + unsigned(0xDFFF)),
    "a character beyond Unicode": ("string", unsigned(CHARACTERS + 2) + unsigned(0x110000)),
    "a character of 32 bits": ("string", unsigned(CHARACTERS + 2) + unsigned(2**32)),
    "a binary of 2**31 octets": ("binary", unsigned(2**31)),
    "a binary of -1 octets": ("binary", unsigned(2**32 - 1)),  # as a signed number of 32 bits
    "a binary of -1 octets in 64 bits": ("binary", unsigned(2**64 - 1)),
    "a binary of endless length": ("binary", ENDLESS),
    "a binary longer than the rest": ("binary", unsigned(300)),
    "an unsigned integer of 65 bits": ("unsigned", unsigned(2**64)),
    "an unsigned integer of 4097 bits": ("unsigned", unsigned(2**4096)),
    "an endless unsigned integer": ("unsigned", ENDLESS),
    "an integer of 65 bits": ("signed", "0" + unsigned(2**64)),
    "a negative integer of 65 bits": ("signed", "1" + unsigned(2**64)),
    "a negative integer of 4097 bits": ("signed", "1" + unsigned(2**4096)),
    "an endless integer": ("signed", "0" + ENDLESS),
}
REST = "0" * 8 * 40  # what follows the bomb: enough for short values, too little for long ones


UNBOUNDED = ("X509SerialNumber", "HMACOutputLength")


def steps_of(octets: bytes, name: str, fragment: bool) -> list[Step]:
    """What is read, one after the other."""
    return explain(octets, schema_set(name), fragment=fragment)[0]


def _places(kind: str) -> Iterator[tuple[str, Seed, Step]]:
    """In every message or fragment of every set one place for each element or attribute that holds a value of that kind."""
    for name in MODULES:
        met = set()
        for seed in sorted(seeds(name), key=lambda s: len(s.octets)):
            steps, holder = steps_of(seed.octets, name, seed.fragment), ""
            first = next((step for step in steps if step.what == "string"), None)
            for step in steps:
                if step.what.startswith(("SE ", "AT ")):
                    holder = step.what[3:]
                elif (
                    (step.what == kind or (kind == "first string" and step is first))
                    and (seed.name, holder) not in met
                    and holder not in UNBOUNDED
                ):
                    met.add((seed.name, holder))
                    yield name, seed, step


PLACES = {kind: list(_places(kind)) for kind in ("string", "first string", "binary", "unsigned", "signed")}


def planted(octets: bytes, bit: int, bomb: str) -> bytes:
    """The frame up to a bit, and then a bomb."""
    bits = f"{int.from_bytes(octets, 'big'):0{len(octets) * 8}b}"[:bit] + bomb + REST
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


@contextmanager
def weighing(most: int | None) -> Iterator[None]:
    """Fails if the block takes more memory (octets) at any time; without a bound nothing is weighed, which costs twice the time."""
    if most is None:
        yield
        return
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield
        assert tracemalloc.get_traced_memory()[1] - before < most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("kind", "bomb"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_in_the_place_of_every_value(kind: str, bomb: str) -> None:
    """It is refused at the value, in either mode, before it costs memory (measured in the smallest and largest frame of each set)."""
    names = [name for name, *_ in PLACES[kind]]
    weighed = {names.index(name) for name in names} | {len(names) - 1 - names[::-1].index(name) for name in names}
    for number, (name, seed, step) in enumerate(PLACES[kind]):
        octets, schemas = planted(seed.octets, step.bit, bomb), schema_set(name)
        for mode in ("conformance", "interop"):
            with weighing(40_000 + 10 * len(octets) if number in weighed else None), pytest.raises(DecodeError) as raised:
                read(octets, schemas, fragment=seed.fragment, mode=mode)  # type: ignore[arg-type]
            assert step.bit <= raised.value.bit <= step.bit + len(bomb)


def test_there_is_a_place_for_every_bomb(count: Count) -> None:
    for kind, places in PLACES.items():
        count("places of values at which bombs were planted", kind, len(places))
    assert all(len({name for name, *_ in PLACES[kind]}) >= len(MODULES) - 2 for kind in PLACES)


# --- what has no place in the grammar, however often it is tried ---


@each_set
def test_nesting_is_as_deep_as_the_schema(name: str) -> None:
    """No type contains itself, so nothing nests deeper than the declarations. Wildcards, where XML could, are refused."""
    schemas = schema_set(name)

    def depth(cls: Any, above: tuple[Any, ...] = ()) -> int:
        assert cls not in above, f"{cls} contains itself"
        if not (isinstance(cls, type) and issubclass(cls, Type)):
            return 1
        return 1 + max((depth(c, (*above, cls)) for f in fields(cls) for c in contents(f)), default=0)

    def contents(field: Any) -> tuple[Any, ...]:
        if field.reference and isinstance(field.content, type) and issubclass(field.content, Type):
            return tuple(e.type for e in schemas.substitutes(field.name))
        return field.content if isinstance(field.content, tuple) else (field.content,)

    assert max(depth(e.type) for e in schemas.globals) <= 11


@pytest.mark.parametrize("levels", [1, 100, 100_000])
def test_elements_within_a_wildcard(levels: int) -> None:
    """Transform offers SE(*): behind it would come elements within elements without end."""
    octets = encode_fragment(TransformType(Algorithm="a"), schema_set("xmldsig"))
    (content,) = (step for step in steps_of(octets, "xmldsig", True) if step.what == "EE" and step.width == 3)
    for mode in ("conformance", "interop"):
        with pytest.raises(DecodeError, match="element: EXI admits it here, no message has it"):
            read(planted(octets, content.bit, "001" * levels), schema_set("xmldsig"), fragment=True, mode=mode)  # type: ignore[arg-type]


def test_an_endless_list_costs_what_it_weighs() -> None:
    """Half a megabyte of the shortest elements there are, in a list without maximum."""
    schemas = schema_set("xmldsig")
    octets = encode_fragment(TransformsType(Transform=(TransformType(Algorithm=""),) * 40_000), schemas)
    tracemalloc.start()
    message = decode_fragment(octets, schemas)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(message, TransformsType)
    assert len(message.Transform) == 40_000
    assert peak < 100 * len(octets)
    with pytest.raises(DecodeError):  # it never ends
        decode_fragment(octets[:-3], schemas)


@each_set
def test_an_integer_without_bounds_is_bounded(name: str) -> None:
    """Certificate serial numbers have no bounds in the schema: as long as a very long key, and no longer."""
    if "v2g.messages.xmldsig" not in {m.__name__ for m in schema_set(name).modules}:
        pytest.skip("has no such integer")
    schemas = schema_set(name)
    longest = SignatureMethodType(Algorithm="a", HMACOutputLength=-(2**4096))
    octets = encode_fragment(longest, schemas)
    assert decode_fragment(octets, schemas) == longest
    (value,) = (step for step in steps_of(octets, name, True) if step.what == "signed")
    for longer in ("1" + unsigned(2**4096), "0" + unsigned(2**4096), "0" + ENDLESS):
        with pytest.raises(DecodeError, match="longer than 4096 bits"):
            decode_fragment(planted(octets, value.bit, longer), schemas)


@pytest.mark.parametrize("quick", engine.ENGINES)
def test_an_endless_integer_takes_no_longer_than_it_is_long(quick: str) -> None:
    """As much as a station takes, without end: where each group costs a look at the whole stream, one must not look far."""
    for places in PLACES.values():
        name, seed, step = places[-1]
        engine.ENGINES[quick].read(seed.octets, schema_set(name), seed.fragment)  # what is made on first use
        octets = planted(seed.octets, step.bit, "1" * 8 * 262_144)
        began = time.thread_time()
        assert engine.ENGINES[quick].read(octets, schema_set(name), seed.fragment) is None
        assert time.thread_time() - began < 0.5


class _Reference(str):
    """Written as a reference to the third earlier value of the same attribute."""

    __slots__ = ()


class _Referring(Encoder):
    def _value(self, content: Any, value: Any) -> None:
        if isinstance(value, _Reference):
            self.bits.unsigned(0)
            self.bits.bits(2, 2)  # of three known values
        else:
            super()._value(content, value)


def _signed(references: int, length: int) -> bytes:
    """A signature with one long string, and many references to it: three octets each."""
    transforms = (TransformType(Algorithm="x" * length), *(TransformType(Algorithm=_Reference("")),) * references)
    reference = ReferenceType(
        Transforms=TransformsType(Transform=transforms), DigestMethod=DigestMethodType(Algorithm="d"), DigestValue=b""
    )
    signed = SignedInfoType(
        CanonicalizationMethod=CanonicalizationMethodType(Algorithm="c"),
        SignatureMethod=SignatureMethodType(Algorithm="s"),
        Reference=(reference,),
    )
    return _Referring(schema_set("xmldsig")).fragment(signed, None)


def test_references_to_a_long_string_do_not_multiply_it_without_end() -> None:
    """A message of 54 kB must not become 360 MB of JSON in a trace."""
    reading = read(_signed(40, 60), schema_set("xmldsig"), fragment=True)
    assert to_json(reading.message, schema_set("xmldsig")).count("x" * 60) == 41
    assert "40 references" in reading.findings[0].reason
    for mode in ("conformance", "interop"):
        with pytest.raises(DecodeError, match="references to earlier strings stand for more than 16 characters for each octet"):
            read(_signed(12_000, 30_000), schema_set("xmldsig"), fragment=True, mode=mode)  # type: ignore[arg-type]
