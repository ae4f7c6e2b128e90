"""What follows from a declaration alone: the smallest valid instance, the leaves of a message, a description for people."""

from collections.abc import Iterator
from typing import Any, TypeVar

from v2g.exi import schema
from v2g.exi.schema import Binary, Choice, Field, Integer, Sequence, String, Type, Wildcard

M = TypeVar("M", bound=Type)


# --- least ---


def least(cls: type[M], /, **given: Any) -> M:
    """The smallest valid instance of a class: what is required and not given is filled with the least value its type allows.

        least(DC_CableCheckRes, Header=header, ResponseCode=responseCodeType.FAILED_SequenceError)

    Nobody writes refusals by hand. A substitution group is filled with the smallest concrete member that the module of the class declares.
    """
    named = {f.name: f for f in schema.fields(cls)}
    if unknown := set(given) - set(named):
        raise TypeError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
    for field in named.values():
        if field.role != "element" and field.minimum and field.name not in given:
            given[field.name] = _least_value(field, cls)
    for part in schema.model(cls).particles:
        _fill(part, named, given, cls)
    return cls(**given)


def _fill(group: Any, named: dict[str, Field], given: dict[str, Any], cls: type[Type]) -> None:
    """Fill what a required group lacks."""
    for particle in group.particles:
        match particle:
            case str() if particle not in given and named[particle].minimum:
                given[particle] = _least_of(named[particle], cls)
            case Choice(alternatives, minimum) if minimum and not any(name in given for name in _names(particle)):
                first = next(a for a in alternatives if not isinstance(a, Wildcard))
                for name in [first] if isinstance(first, str) else _names(first):
                    given[name] = _least_of(named[name], cls)
            case Sequence(_, minimum) if minimum:
                _fill(particle, named, given, cls)


def _names(particle: Any) -> list[str]:
    """The names of the fields in a particle."""
    if isinstance(particle, str):
        return [particle]
    return [] if isinstance(particle, Wildcard) else [name for p in particle.particles for name in _names(p)]


def _least_of(field: Field, owner: type[Type]) -> Any:
    value = _least_value(field, owner)
    return (value,) * max(field.minimum, 1) if field.repeated else value


def _least_value(field: Field, owner: type[Type]) -> Any:
    match field.content:
        case Integer(low, high):
            return 0 if (low is None or low <= 0) and (high is None or high >= 0) else low
        case String(minimum):
            return "x" * minimum
        case Binary(_, minimum):
            return bytes(minimum)
        case tuple() as classes:
            return least(classes[0])
    kind: Any = field.content
    if kind is bool:
        return False
    if issubclass(kind, Type):
        return least(_concrete(kind, owner))
    return next(iter(kind))


def _concrete(cls: type[Type], owner: type[Type]) -> type[Type]:
    """The class itself, or for an abstract one the smallest concrete extension, preferably from the module of the owner."""
    if not cls.__dict__.get("__abstract__"):
        return cls
    found = [c for c in _extensions(cls) if not c.__dict__.get("__abstract__") and schema.declared_elements(c)]
    if not found:
        raise TypeError(f"{cls.__name__} is abstract and has no concrete extension")
    return min(found, key=lambda c: (c.__module__ != owner.__module__, *_size(c), c.__name__))


def _size(cls: type[Type]) -> tuple[int, int]:
    """How many elements a class requires, and how many it has."""
    return sum(f.minimum for f in schema.fields(cls)), len(schema.fields(cls))


def _extensions(cls: type[Type]) -> list[type[Type]]:
    direct = cls.__subclasses__()
    return [*direct, *(c for d in direct for c in _extensions(d))]


# --- walk ---


def walk(message: Type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field, Any]]:
    """Every simple value in a message, in the order of the declarations: (path, field, value). Items of a list are numbered."""
    for field in schema.fields(type(message)):
        value = getattr(message, field.name)
        if value is None:
            continue
        items = [((*path, f"{field.name}[{i}]"), v) for i, v in enumerate(value)] if field.repeated else [((*path, field.name), value)]
        for at, item in items:
            if isinstance(item, Type):
                yield from walk(item, at)
            else:
                yield at, field, item


# --- describe ---


def describe(cls: type[Type]) -> str:
    """The declaration of a class as a table for people: name, occurrence, type and limits of every field, inherited ones first."""
    kind = "abstract type" if cls.__dict__.get("__abstract__") else "type"
    elements = ", ".join(f"<{e.name}>" + (f" for <{e.substitutes}>" if e.substitutes else "") for e in schema.declared_elements(cls))
    head = f"{cls.__name__}: {kind} of {schema.namespace_of(cls)}" + (f", element {elements}" if elements else "")
    rows = [(_label(f), _occurrence(f), _type_name(f.content), _limits(f.content)) for f in schema.fields(cls)]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    lines = ["  " + "  ".join((*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3])).rstrip() for row in rows]
    groups = [f"  {_spelled(p)}" for part in schema.model(cls).particles for p in part.particles if not isinstance(p, str)]  # type: ignore[union-attr]
    return "\n".join([head, *(lines or ["  (empty)"]), *(["content:", *groups] if groups else [])])


def _label(field: Field) -> str:
    return {"attribute": "@", "text": "text ", "element": ""}[field.role] + field.name


def _occurrence(field: Field) -> str:
    high = "*" if field.maximum is None else field.maximum
    return f"{field.minimum}" if field.minimum == high else f"{field.minimum}..{high}"


def _type_name(content: Any) -> str:
    match content:
        case Integer():
            return "integer"
        case String(lexical=name) | Binary(lexical=name):
            return name
        case tuple():
            return " or ".join(c.__name__ for c in content)
    return "boolean" if content is bool else str(content.__name__)


def _limits(content: Any) -> str:
    match content:
        case Integer(low, high):
            return f"{'' if low is None else low}..{'' if high is None else high}"
        case String(_, None) | Binary(_, _, None):
            return ""
        case String(low, high) | Binary(_, low, high):
            span = f"{high}" if low == high else f"{low}..{high}"
            return f"{span} {'octets' if isinstance(content, Binary) else 'characters'}"
    if isinstance(content, tuple) or content is bool or issubclass(content, Type):
        return ""
    return " | ".join(str(m.value) for m in content)


def _spelled(particle: Any) -> str:
    """A particle in the notation of regular expressions."""
    match particle:
        case str():
            return particle
        case Wildcard(low, high):
            inner = "any"
        case Choice(parts, low, high):
            inner = f"({' | '.join(_spelled(p) for p in parts)})"
        case Sequence(parts, low, high):
            inner = f"({', '.join(_spelled(p) for p in parts)})"
    return inner + {(1, 1): "", (0, 1): "?", (0, None): "*", (1, None): "+"}.get((low, high), f"{{{low},{high}}}")
