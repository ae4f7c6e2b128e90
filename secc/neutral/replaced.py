"""Another value of an immutable part of a context, for which `dataclasses.replace` asks each field by its name, at every call.

A part without slots and without a judgement of its own (`__post_init__`) is copied as the one dictionary that it is.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any


def replaced(part: Any, changes: dict[str, Any]) -> Any:
    """The part with other values in these fields, itself where they are the same objects or numbers. TypeError for a field that it has not.

    Some thirty are asked for in each turn of a charge loop, most of which change little.
    """
    kind: Any = type(part)
    return copying(kind)(part, changes)


@cache
def copying(kind: Any) -> Callable[[Any, dict[str, Any]], Any]:
    """`replaced` for the parts of one class. Every field of it is an argument."""
    names = tuple(each.name for each in fields(kind))
    return _as_made(kind, names) if hasattr(kind, "__slots__") or hasattr(kind, "__post_init__") else _as_held(kind, frozenset(names))


def _as_held(kind: Any, names: frozenset[str]) -> Callable[[Any, dict[str, Any]], Any]:
    def copied(part: Any, changes: dict[str, Any]) -> Any:
        before, differs = part.__dict__, False
        for name in changes:
            if name not in names:
                raise TypeError(f"{kind.__name__} has no {', '.join(sorted(changes.keys() - names))}")
            value = changes[name]
            if before[name] is not value and not (type(value) is float and before[name] == value):
                differs = True
        if not differs:
            return part
        made = new(kind)
        held = made.__dict__
        held |= before
        held |= changes
        return made

    new = object.__new__
    return copied


def _as_made(kind: Any, names: tuple[str, ...]) -> Callable[[Any, dict[str, Any]], Any]:
    assert len(names) > 1, f"{kind.__name__} has one field: attrgetter gives no tuple of it"
    read = attrgetter(*names)
    return lambda part, changes: kind(**{**dict(zip(names, read(part), strict=True)), **changes})
