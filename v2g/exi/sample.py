"""Arbitrary valid messages, drawn along the grammar: what tests, fuzzers and benchmarks feed the codec with."""

from typing import Any, Protocol, TypeVar

from v2g.exi import schema, values
from v2g.exi.grammar import Event, Production, SchemaSet, State
from v2g.exi.schema import Binary, Integer, String, Type

M = TypeVar("M", bound=Type)
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/# äß€𝄞"
_UNBOUNDED_BITS = 160  # of an integer without bounds: a certificate's serial number


class Entropy(Protocol):
    """The source of random choices: `random.Random`, or anything with these three methods."""

    def random(self) -> float:
        """A random number from 0 up to 1."""

    def randint(self, a: int, b: int, /) -> int:
        """A random integer from a to b, both included."""

    def choice(self, seq: Any, /) -> Any:
        """One member of a sequence at random."""


def sample(cls: type[M], schema_set: SchemaSet, entropy: Entropy, *, longest: int = 4) -> M:
    """A valid instance of a class; lists, strings and octets beyond what is required are about `longest` long."""
    state, held = schema_set.grammar(cls).start, dict[str, Any]()
    while True:
        production = _chosen(state, held, entropy, longest, schema_set)
        field = production.field
        if field is None:
            return cls(**held)
        value = _content(production, schema_set, entropy, longest)
        held[field.name] = (*held.get(field.name, ()), value) if field.repeated else value
        state = production.next(len(held[field.name]) if field.repeated else 1)


def _chosen(state: State, held: dict[str, Any], entropy: Entropy, longest: int, schema_set: SchemaSet) -> Production:
    """One of the productions, none that leads nowhere, and the end sooner when a list is long."""
    possible = [p for p in state.productions if p.event is Event.END or (p.field and _possible(p, schema_set))]
    end = next((p for p in possible if p.event is Event.END), None)
    if end is not None and (len(possible) == 1 or entropy.random() < 0.3):
        return end
    short = [p for p in possible if not (p.field and p.field.repeated and len(held.get(p.field.name, ())) >= max(longest, p.field.minimum))]
    return entropy.choice(short or possible)  # type: ignore[no-any-return]


def _possible(production: Production, schema_set: SchemaSet) -> bool:
    content: Any = production.content
    return not values.is_complex(content) or inhabited(content, schema_set)


def inhabited(cls: type[Type], schema_set: SchemaSet) -> bool:
    """Whether a class can have an instance: not if it is abstract, nor if it must hold a wildcard's element."""
    if cls.__dict__.get("__abstract__") or not _completes(schema_set.grammar(cls).start):
        return False
    return all(_inhabited(f, schema_set) for f in schema.fields(cls) if f.minimum and values.is_complex(f.content))


def _inhabited(field: schema.Field, schema_set: SchemaSet) -> bool:
    content: Any = field.content
    members = [e.type for e in schema_set.substitutes(field.name)] if field.reference else [content]
    return any(inhabited(member, schema_set) for member in members)


def _completes(state: State) -> bool:
    return any(p.event is Event.END or (p.field and (p.event is not Event.ATTRIBUTE or _completes(p.after))) for p in state.productions)


def _content(production: Production, schema_set: SchemaSet, entropy: Entropy, longest: int) -> Any:
    content: Any = production.content
    if values.is_complex(content):
        return sample(content, schema_set, entropy, longest=longest)
    return simple(content, entropy, longest)


def simple(facets: Any, entropy: Entropy, longest: int) -> Any:
    """A value of a simple type, often at one of its limits."""
    match facets:
        case Integer(low, high):
            low = -(1 << _UNBOUNDED_BITS) if low is None else low
            high = 1 << _UNBOUNDED_BITS if high is None else high
            near = [n for n in (low, low + 1, -1, 0, 1, 127, 128, high - 1, high) if low <= n <= high]
            return entropy.choice(near) if entropy.random() < 0.5 else entropy.randint(low, high)
        case String(lexical="ID" | "IDREF"):
            return f"id{entropy.randint(0, 10**9)}"  # XML wants a name
        case String(_, high, "anyURI"):
            return f"urn:{entropy.randint(0, 10**12)}"[:high]
        case String(low, high):
            length = entropy.randint(low, max(low, min(3 * longest, 3 * longest if high is None else high)))
            return "".join(entropy.choice(_ALPHABET) for _ in range(length))
        case Binary(_, low, high):
            length = entropy.randint(low, max(low, min(3 * longest, 3 * longest if high is None else high)))
            return bytes(entropy.randint(0, 255) for _ in range(length))
    return entropy.choice(tuple(facets)) if facets is not bool else entropy.random() < 0.5


def samples(schema_set: SchemaSet, entropy: Entropy) -> list[Type]:
    """One instance of every global element that has any."""
    return [sample(e.type, schema_set, entropy) for e in schema_set.globals if inhabited(e.type, schema_set)]
