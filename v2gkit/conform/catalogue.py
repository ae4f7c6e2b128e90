"""Every case of the suite, gathered from the modules of `v2gkit.conform.cases`."""

import importlib
import pkgutil
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from itertools import chain

from v2g.settings import suggestion
from v2gkit.conform import cases
from v2gkit.conform.case import Case, Role
from v2gkit.conform.pics import checked


@cache
def catalogue() -> dict[str, Case]:
    """All cases by their ids, sorted. Raises ValueError where two have one id, a control is no case, or a condition no claim."""
    found: dict[str, Case] = {}
    modules = sorted(each.name for each in pkgutil.iter_modules(cases.__path__))
    declared = (getattr(importlib.import_module(f"{cases.__name__}.{name}"), "CASES", ()) for name in modules)
    for case in chain.from_iterable(declared):
        if case.id in found:
            raise ValueError(f"two cases are called {case.id}")
        checked(case.condition)
        found[case.id] = case
    for case in found.values():
        if case.control and case.control not in found:
            raise ValueError(f"{case.id} names the control {case.control}, which is no case")
        if case.id in (passed := _controls(case, found)):
            raise ValueError(f"{case.id} is a control of itself, by way of {', '.join(passed)}")
    return dict(sorted(found.items()))


def _controls(case: Case, known: Mapping[str, Case]) -> list[str]:
    """The control of a case, and so on, until there is none, or one comes twice."""
    found: list[str] = []
    while case.control and case.control not in found:
        found.append(case.control)
        case = known[case.control]
    return found


def chosen(role: Role, ids: Iterable[str] = (), generations: Collection[str] = ()) -> tuple[Case, ...]:
    """The cases of a role, of these generations (none: of all); with `ids` those alone, where `S-TLS` stands for its family.

    Raises ValueError for an unknown id.
    """
    known = {case.id: case for case in catalogue().values() if case.role == role and (not generations or case.generation in generations)}
    wanted = [each.upper() for each in ids]
    for each in wanted:
        if each not in known and not any(name.startswith(f"{each}-") for name in known):
            raise ValueError(f"there is no case {each} for a {role}; {suggestion.cure(each, known)}")
    matching = (case for case in known.values() if not wanted or any(_is(case.id, each) for each in wanted))
    return tuple(matching)


def _is(id_: str, wanted: str) -> bool:
    return id_ == wanted or id_.startswith(f"{wanted}-")
