"""The events of a message: its content in schema order, each with its code. Encoding, XML and `explain` all walk a message this way."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from v2g.exi.errors import EncodeError
from v2g.exi.grammar import Event, Production, SchemaSet, State
from v2g.exi.schema import Type, fields


class Occurrence(NamedTuple):
    """One event: its code of `width` bits, the production it takes, and the value it carries (None at the end)."""

    code: int
    width: int
    production: Production
    value: Any


def events(message: Any, cls: type[Type], schema_set: SchemaSet, lenient: bool = False) -> Iterator[Occurrence]:
    """The events of one element of type `cls`: attributes, content, end. Raises EncodeError where the message leaves the grammar.

    `lenient` admits the abstract head of a substitution group in place of a member, for views; no encoder writes it.
    """
    if type(message) is not cls:
        raise EncodeError(f"{message!r} is no {cls.__name__}")
    grammar = schema_set.grammar(cls)
    if grammar.abstract and not lenient:
        raise EncodeError(f"{cls.__name__} is abstract: give one of its extensions")
    waiting = _values(message)
    state, taken = grammar.start, dict.fromkeys(waiting, 0)
    while True:
        code = _choose(state, waiting, taken)
        production = state.productions[code]
        if production.field is None:
            yield Occurrence(code, state.width, production, None)
            return
        name = production.field.name
        value = waiting[name][taken[name]]
        taken[name] += 1
        yield Occurrence(code, state.width, production, value)
        state = production.next(taken[name])


def _values(message: Type) -> dict[str, list[Any]]:
    """Field name -> the values it holds, without the fields that hold none."""
    held: dict[str, list[Any]] = {}
    for field in fields(type(message)):
        value = getattr(message, field.name)
        if field.repeated and not isinstance(value, tuple | list):
            raise EncodeError(f"{field.name} = {value!r} is no tuple")
        if value is not None and not (field.repeated and not value):
            held[field.name] = list(value) if field.repeated else [value]
    return held


def _choose(state: State, waiting: dict[str, list[Any]], taken: dict[str, int]) -> int:
    """The code of the first production for which the message still has a value; of the end once it has none."""
    for code, production in enumerate(state.productions):
        name = production.field.name if production.field else ""
        if name in waiting and taken[name] < len(waiting[name]) and _fits(production, waiting[name][taken[name]]):
            return code
    left = [name for name, held in waiting.items() if taken[name] < len(held)]
    end = next((code for code, p in enumerate(state.productions) if p.event is Event.END), None)
    if left:
        raise EncodeError(f"{left[0]} = {waiting[left[0]][taken[left[0]]]!r} has no place here: {_admitted(state)}")
    if end is None:
        raise EncodeError(f"incomplete: {_admitted(state)}")
    return end


def _fits(production: Production, value: Any) -> bool:
    """A member of a substitution group or of a repeated choice is chosen by the class of the value; anything else by its field."""
    field = production.field
    assert field is not None
    selected = isinstance(field.content, tuple) or (field.reference and isinstance(value, Type))
    return type(value) is production.content if selected else True


def _admitted(state: State) -> str:
    names = (p.name.local if p.name else p.event.name.lower() for p in state.productions if p.field or p.event is not Event.ELEMENT)
    return f"{' or '.join(names)} is expected"
