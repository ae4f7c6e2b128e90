"""What somebody may have meant by a name that there is not."""

import difflib
from collections.abc import Iterable


def cure(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names, as a question, and all of them: `did you mean DC? there are AC, DC`."""
    names = list(known)
    folded = {each.casefold(): each for each in reversed(names)}
    near = difflib.get_close_matches(name.casefold(), folded, 1)
    choices = f"there are {', '.join(names)}" if names else "there are none"
    return f"did you mean {folded[near[0]]}? {choices}" if near else choices
