"""The grammar of a class field by field, as the generators of quick code need it: the productions of a field, and what follows it."""

from collections.abc import Iterable

from v2g.exi.grammar import Event, Production, QName, SchemaSet, State
from v2g.exi.schema import Field, Type, fields

Key = tuple[Event, QName | None]


class Crooked(Exception):
    """No quick code can be made for a class: what follows a field depends on more than the field, or fields come again after others."""


class Unclear(Exception):
    """Raised by quick code for a message that it cannot handle: the slow decoder or encoder must take it."""


class Outline:
    """A class in a schema set: its fields in the order of their productions, and the states around them."""

    def __init__(self, schema_set: SchemaSet, cls: type[Type]) -> None:
        self.cls = cls
        grammar = schema_set.grammar(cls)
        if grammar.abstract:
            raise Crooked
        self.start = grammar.start
        self.states = _states(self.start)
        attributes = sorted((f for f in fields(cls) if f.role == "attribute"), key=lambda f: (f.name, f.namespace))
        self.fields = (*attributes, *(f for f in fields(cls) if f.role != "attribute"))
        self._found = [(state, p) for state in self.states for p in state.productions if p.field is not None]
        self._taken = {f.name: _distinct(p for _, p in self._found if p.field is f) for f in self.fields}

    def productions(self, field: Field) -> list[Production]:
        """The productions of a field in the order of their codes: several for a substitution group or a repeated choice."""
        return self._taken[field.name]

    def after(self, field: Field) -> list[State]:
        """The state after one value of a field, after two, and so on until it no longer changes."""
        mine = [(state, p.after) for state, p in self._found if p.field is field]
        after = {id(state): state for _, state in mine}
        if len(after) == 1:
            return [*after.values()]
        onward = {id(state): then for state, then in mine}
        steps = [*{id(then): then for state, then in mine if id(state) not in after}.values()]
        if len(steps) != 1 or not field.repeated:
            raise Crooked
        while (then := onward.get(id(steps[-1]))) is not None and then is not steps[-1]:
            steps.append(then)
        return steps


def key(production: Production) -> Key:
    """What tells one production of a class from another: its event, and the name it reads (None where it yields no field)."""
    return production.event, production.name if production.field is not None else None


def _states(start: State) -> list[State]:
    """Every state that can be reached."""
    queue = [start]
    for state in queue:  # grows while it is walked
        for p in state.productions:
            for then in () if p.field is None else (p.after, p.full) if p.limit else (p.after,):
                if not any(then is known for known in queue):
                    queue.append(then)
    return queue


def _distinct(productions: Iterable[Production]) -> list[Production]:
    found = {key(p): p for p in productions}
    return [found[k] for k in sorted(found, key=lambda k: k[1] or ("", ""))]
