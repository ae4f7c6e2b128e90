"""What somebody may have meant by a name that there is not."""

import difflib
from collections.abc import Iterable

MANY = 12  # names: more of them hide the one that was meant


def cure(name: str, known: Iterable[str], within: str = "") -> str:
    """The nearest of the known names, as a question, and all of them: `did you mean DC? there are AC, DC`. `within` stands before it."""
    names = list(known)
    folded = {each.casefold(): each for each in reversed(names)}
    near = difflib.get_close_matches(name.casefold(), folded, 1)
    choices = f"there are {', '.join(names)}" if names else "there are none"
    if not near:
        return choices
    meant = f"did you mean {within}{folded[near[0]]}?"
    return meant if len(names) > MANY else f"{meant} {choices}"
