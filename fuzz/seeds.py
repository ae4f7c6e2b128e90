"""Valid frames to start from: of every set every element that can be a document or a fragment, and every message of every envelope."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import msgspec

from v2g.exi.codec import encode, encode_fragment
from v2g.exi.decoder import Decoder
from v2g.exi.derive import least
from v2g.exi.grammar import QName, SchemaSet
from v2g.exi.reading import Step
from v2g.exi.sample import inhabited, sample
from v2g.exi.schema import Type, fields
from v2g.messages import schema_set

ENVELOPE, BODY = "V2G_Message", "BodyElement"  # the older generations send one element, whose body is the message


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid frame. `name` is its message; `marks` are the bits at which something begins or ends in it."""

    name: str
    octets: bytes
    fragment: bool
    marks: tuple[int, ...]

    @property
    def is_message(self) -> bool:
        """Whether it is what one says to the other, not a part of that."""
        return not self.fragment and self.name.endswith(("Req", "Res"))


def messages(schemas: SchemaSet, chance: random.Random) -> Iterator[tuple[str, Type]]:
    """Of each global element that has any the smallest message and an arbitrary one; of an envelope one with each possible body."""
    for element in schemas.globals:
        if not inhabited(element.type, schemas):
            continue
        yield element.name, least(element.type)
        yield element.name, sample(element.type, schemas, chance)
        if element.name == ENVELOPE:
            yield from _enveloped(element.type, schemas, chance)


def _enveloped(envelope: type[Type], schemas: SchemaSet, chance: random.Random) -> Iterator[tuple[str, Type]]:
    body = next(f.content for f in fields(envelope) if f.name == "Body")
    assert isinstance(body, type)
    for element in schemas.substitutes(BODY):
        if inhabited(element.type, schemas):
            for content in (least(element.type), sample(element.type, schemas, chance)):
                around = sample(envelope, schemas, chance)
                yield element.name, msgspec.structs.replace(around, Body=body(**{BODY: content}))


def fragments(schemas: SchemaSet, chance: random.Random) -> Iterator[tuple[QName, Type]]:
    """One arbitrary instance of every element of complex type, global or local, that can be a fragment."""
    for name, cls in schemas.roots(fragment=True):
        typed = schemas.fragment_content(name)
        if inhabited(cls, schemas) and (typed is cls or (typed is None and _has_text(cls))):
            yield name, sample(cls, schemas, chance)


def _has_text(cls: type[Type]) -> bool:
    """Whether an element with several types can be a fragment by this one: see `v2g.exi.relaxed`."""
    return any(f.role == "text" for f in fields(cls))


@cache
def seeds(name: str, seed: int | str = 15118) -> tuple[Seed, ...]:
    """The frames of a schema set, the same for the same seed: documents first, then fragments."""
    chance, schemas = random.Random(f"{seed} {name}"), schema_set(name)
    documents = [_seed(local, encode(m, schemas), schemas, False) for local, m in messages(schemas, chance)]
    parts = [_seed(n.local, encode_fragment(m, schemas, n), schemas, True) for n, m in fragments(schemas, chance)]
    return (*documents, *parts)


def _seed(name: str, octets: bytes, schemas: SchemaSet, fragment: bool) -> Seed:
    steps: list[Step] = []
    Decoder(octets, schemas, steps=steps).read(fragment)
    marks = {step.bit for step in steps} | {step.bit + step.width for step in steps}
    return Seed(name, octets, fragment, tuple(sorted(marks)))
