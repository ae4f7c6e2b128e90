"""The content of an element as terms and groups in the order of the schema, the form of a declaration that grammars are made from."""

import enum

import msgspec

from v2g.exi import schema
from v2g.exi.schema import Field, Particle, Type, Wildcard


class Event(enum.IntEnum):
    """Kinds of events, in the order of their codes within a state."""

    ATTRIBUTE = 0
    ELEMENT = 1
    ANY_ELEMENT = 2
    END = 3
    TEXT = 4
    MIXED_TEXT = 5


class Term(msgspec.Struct, frozen=True, eq=False):
    """One thing that an element may hold: an attribute, an element, its text, or any foreign element (which has no field)."""

    event: Event
    field: Field | None
    minimum: int
    maximum: int | None


class Group(msgspec.Struct, frozen=True, eq=False):
    """Several parts of an element's content: all in sequence, or one of them where they are `alternatives`."""

    alternatives: bool
    parts: tuple["Part", ...]
    minimum: int
    maximum: int | None


Part = Term | Group
Todo = tuple[tuple[Part, int], ...]  # what is left of an element: parts, each with the number of copies already there


def parts(cls: type[Type]) -> tuple[Part, ...]:
    """The content of a class in grammar order: attributes by name, then the text, then the elements of its content model."""
    all_fields = schema.fields(cls)
    named = {f.name: f for f in all_fields}
    attributes = sorted((f for f in all_fields if f.role == "attribute"), key=lambda f: (f.name, f.namespace))
    text = [Term(Event.TEXT, f, 1, 1) for f in all_fields if f.role == "text"]
    content = [_part(p, named, False) for model in schema.model(cls).particles for p in model.particles]  # type: ignore[union-attr]
    return (*(Term(Event.ATTRIBUTE, f, f.minimum, 1) for f in attributes), *text, *content)


def _part(particle: Particle, named: dict[str, Field], grouped: bool) -> Part:
    match particle:
        case str():
            field = named[particle]
            # inside a group a name stands for one element: what is optional there, or repeats, is the group
            return Term(Event.ELEMENT, field, *((1, 1) if grouped else (field.minimum, field.maximum)))
        case Wildcard(minimum, maximum):
            return Term(Event.ANY_ELEMENT, None, minimum, maximum)
    inner = tuple(_part(p, named, True) for p in particle.particles)
    return Group(isinstance(particle, schema.Choice), inner, particle.minimum, particle.maximum)


def optional_after_list(part: Part, rest: Todo) -> bool:
    """Whether a part is an optional list of three or more, and one optional element follows it."""
    several = isinstance(part, Term) and part.event is Event.ELEMENT and part.minimum == 0 and (part.maximum or 0) > 2
    return several and len(rest) == 1 and isinstance(rest[0][0], Term) and (rest[0][0].minimum, rest[0][0].maximum) == (0, 1)
