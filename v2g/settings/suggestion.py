"""The cure for an unknown name: the known name that was probably meant, and all known ones."""

import difflib
from collections.abc import Iterable

MANY = 12  # names: more of them hide the one that was meant


def cure(name: str, known: Iterable[str], within: str = "") -> str:
    """The text of a cure for an unknown `name`, such as `did you mean DC? there are AC, DC`; `within` stands before each known name."""
    names = list(known)
    folded = {each.casefold(): each for each in reversed(names)}
    near = difflib.get_close_matches(name.casefold(), folded, 1)
    choices = f"there are {', '.join(names)}" if names else "there are none"
    if not near:
        return choices
    meant = f"did you mean {within}{folded[near[0]]}?"
    return meant if len(names) > MANY else f"{meant} {choices}"


class Unknown(ValueError):
    """A field holds an unknown name; the message begins with the field and ends with the cure."""


def demand(field: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise Unknown for the first of the `given` names of a field that is not a known one."""
    names, choices = list(given), list(known)
    for name in names:
        if name not in choices:
            raise Unknown(f"{field} is {names}: {name!r} is none of the choices; {cure(name, choices)}")
