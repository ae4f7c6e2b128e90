"""What hostile octets cost: `python -m fuzz.bounds`. Memory and time for each octet of input, the worst of each kind, with every engine.

The inputs are as expensive as the schemas allow: the longest lists of the smallest things, the longest strings and octets, integers without
end, values that all have something to report, damaged frames. Exit code 1 if one of the limits below does not hold.
"""

import argparse
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from fuzz.mutations import Work, suffered
from v2g.exi import engine, values
from v2g.exi.codec import DecodeError, encode_fragment, read
from v2g.exi.derive import least
from v2g.exi.encoder import Encoder
from v2g.exi.errors import EncodeError
from v2g.exi.grammar import QName, SchemaSet
from v2g.exi.sample import inhabited, simple
from v2g.exi.schema import Field, Type, fields
from v2g.messages import MODULES, schema_set
from v2g.messages.din.msg_data_types import ChargingProfileType, ProfileEntryType
from v2g.messages.xmldsig import CanonicalizationMethodType, SignatureValueType

MEMORY = 120.0  # octets of memory for each octet of input, beyond FIXED
FIXED = 20_000  # octets: error, path and findings of a small input
TIME = 50.0  # microseconds for each octet of input


@dataclass(frozen=True, slots=True)
class Case:
    """Octets, and what they are made of."""

    kind: str
    what: str
    name: str
    octets: bytes
    fragment: bool = True


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one case with one engine: octets of memory and microseconds for each octet of input."""

    case: Case
    engine: str
    memory: float
    time: float


def measured(case: Case, name: str) -> Cost:
    """Memory is the peak while decoding in `interop` mode, which keeps most; time is that of a second run without measuring memory."""
    engine.use(name)
    schemas, size = schema_set(case.name), max(1, len(case.octets))
    _decode(case, schemas)
    began = time.thread_time()
    _decode(case, schemas)
    spent = time.thread_time() - began
    tracemalloc.start()
    _decode(case, schemas)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Cost(case, name, max(0, peak - FIXED) / size, max(0.0, spent - 0.005) * 1e6 / size)


def _decode(case: Case, schemas: SchemaSet) -> None:
    try:
        read(case.octets, schemas, fragment=case.fragment, mode="interop")
    except DecodeError:
        return


# --- the inputs ---


def cases(size: int) -> Iterator[Case]:
    """All of them, of about `size` octets."""
    yield from lists(size)
    yield from values_without_end(size)
    yield from all_reported(size)
    for name in MODULES:
        for seed, octets in suffered(Work(name, 1, 0, 50)):
            yield Case("damaged frame", seed.name, name, octets, seed.fragment)


def lists(size: int) -> Iterator[Case]:
    """Of every class every list, as long as it may be and `size` allows, of the smallest items there are."""
    met = set()
    for name in MODULES:
        schemas = schema_set(name)
        for element, cls in schemas.roots(fragment=True):
            if cls in met or schemas.fragment_content(element) is not cls or not inhabited(cls, schemas):
                continue
            met.add(cls)
            for field in fields(cls):
                for item in _items(field, schemas) if field.repeated else ():
                    if octets := _filled(cls, element, field, item, schemas, size):
                        yield Case("list", f"{cls.__name__}.{field.name} of {type(item).__name__}", name, octets)


def _items(field: Field, schemas: SchemaSet) -> Iterator[object]:
    """The smallest items that a list may consist of."""
    for content in field.content if isinstance(field.content, tuple) else (field.content,):
        if not values.is_complex(content):
            yield simple(content, random.Random(0), 0)
        elif inhabited(content, schemas):  # type: ignore[arg-type]
            yield least(content)  # type: ignore[type-var,arg-type]


def _filled(cls: type[Type], element: QName, field: Field, item: object, schemas: SchemaSet, size: int) -> bytes | None:
    """An instance with so many items that it has `size` octets, or as many as the list holds."""

    def of(count: int) -> bytes:
        return encode_fragment(least(cls, **{field.name: (item,) * count}), schemas, element)

    try:
        some, more = len(of(field.minimum + 16)), len(of(field.minimum + 16 + 800))
        return of(size * 800 // max(1, more - some))
    except EncodeError:  # the list ends earlier, or another member of a choice is wanted
        return of(field.maximum) if field.maximum and field.maximum > 100 else None


def values_without_end(size: int) -> Iterator[Case]:
    """Long strings and octets, and lengths and numbers that go on and on."""
    schemas = schema_set("xmldsig")
    for what, character in (("ASCII", "x"), ("two octets each", "ß"), ("three octets each", "𝄞")):
        octets = encode_fragment(CanonicalizationMethodType(Algorithm=character * (size // len(character.encode()))), schemas)
        yield Case("string", what, "xmldsig", octets)
        yield Case("string cut short", what, "xmldsig", octets[:-9])
    octets = encode_fragment(SignatureValueType(value=bytes(size)), schemas)
    yield Case("octets", "", "xmldsig", octets)
    yield Case("octets cut short", "", "xmldsig", octets[:-9])
    yield Case("octets after the end", "", "xmldsig", encode_fragment(SignatureValueType(value=b""), schemas) + bytes(size))
    for kept in (2, 3, 4):
        yield Case("integer without end", f"after {kept} octets", "xmldsig", octets[:kept] + b"\xff" * size)
        yield Case("integer without end", f"after {kept} octets", "app", b"\x80" * kept + b"\xff" * size)


class _Reckless(Encoder):
    """Does not ask whether a value is allowed."""

    def _value(self, content: object, value: object) -> None:
        values.write(self.bits, values.representation(content), value)


def all_reported(size: int) -> Iterator[Case]:
    """A list of which every item is out of range."""
    schemas = schema_set("din")
    wrong = msgspec.structs.replace(least(ProfileEntryType), ChargingProfileEntryMaxPower=2**40)
    profile = least(ChargingProfileType, ProfileEntry=(wrong,) * (size // 8))
    yield Case("every item reported", "ChargingProfile", "din", _Reckless(schemas).fragment(profile, None))


# --- the answer ---


Worst = dict[tuple[str, str], tuple[Cost, Cost]]


def costs(size: int) -> tuple[int, Worst]:
    """How many measurements, and for each kind and engine the one that took most memory and the one that took longest."""
    worst: Worst = {}
    count, usual = 0, engine.used()
    for case in cases(size):
        for name in engine.names():
            cost = measured(case, name)
            memory, slow = worst.get((case.kind, name), (cost, cost))
            worst[case.kind, name] = max(memory, cost, key=lambda c: c.memory), max(slow, cost, key=lambda c: c.time)
            count += 1
    engine.use(usual)
    return count, worst


def table(worst: Worst) -> Iterator[str]:
    """A line for each kind and engine: octets of memory and microseconds for each octet, each with the input that took most."""
    yield f"{'kind':<22}{'engine':<10}{'memory':>8}  {'of':<50}{'us':>8}  of"
    for (kind, name), (memory, slow) in worst.items():
        told = [f"{len(c.case.octets)} octets {c.case.name} {c.case.what}"[:48] for c in (memory, slow)]
        yield f"{kind:<22}{name:<10}{memory.memory:>8.1f}  {told[0]:<50}{slow.time:>8.2f}  {told[1]}".rstrip()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m fuzz.bounds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=65_536, help="octets of an input, about (default 65536)")
    count, worst = costs(parser.parse_args(argv).size)
    print("\n".join(table(worst)))
    memory, slowest = max(m.memory for m, _ in worst.values()), max(s.time for _, s in worst.values())
    print(
        f"{count} measurements: at most {memory:.0f} octets of memory and {slowest:.1f} us for each octet, beyond {FIXED} octets and 5 ms"
    )
    return int(memory > MEMORY or slowest > TIME)


if __name__ == "__main__":
    sys.exit(main())
