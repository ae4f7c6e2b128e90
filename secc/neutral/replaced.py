"""Another value of an immutable part of a context, for which `dataclasses.replace` asks each field by its name, at every call."""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any


def replaced(part: Any, changes: dict[str, Any]) -> Any:
    """The part with other values in these fields; forty are made in each turn of a charge loop. TypeError for a field that it has not."""
    kind: Any = type(part)
    names, read = _fields_of(kind)
    return kind(**{**dict(zip(names, read(part), strict=True)), **changes})


@cache
def _fields_of(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The names of a class's fields, of which every one is an argument, and what reads all of them."""
    names = tuple(each.name for each in fields(kind))
    assert len(names) > 1, f"{kind.__name__} has one field: attrgetter gives no tuple of it"
    return names, attrgetter(*names)
