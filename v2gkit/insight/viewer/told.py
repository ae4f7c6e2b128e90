"""Values of records in a few words, and the requirements that they cite."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

LENGTH: Final = 160  # characters of a line for people; all of it is in the facts
CITED: Final = re.compile(r"\[?(V2G(?:20|2|DC)-\d+[a-z]?)\]?")


def short(name: object, facts: object) -> str:
    """Name and facts in one line, cut where it is longer than a line of people's."""
    text = f"{name} {_value(facts, top=True)}".strip() if facts else str(name)
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"


def rounded(value: Any) -> Any:
    """A value of a record with the digits that people read: six of a float, and the milliseconds of a moment.

    What is no number of JSON (no limit is infinite) becomes its name.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return round(value, 3) if abs(value) >= 1e6 else float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def requirement_in(facts: object) -> str:
    """The requirement that facts name, empty: none."""
    found = facts.get("requirement") if isinstance(facts, Mapping) else None
    return found if isinstance(found, str) else ""


def cited(text: object) -> list[str]:
    """The requirement ids in a text."""
    return CITED.findall(str(text))


def _value(value: Any, *, top: bool = False) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} {_value(each)}" for key, each in list(value.items())[:12] if each is not None)
        return inner if top else f"({inner})"
    if isinstance(value, list):
        return f"{len(value)} of them" if len(value) > 4 else f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value if len(value) <= 48 else f"{value[:45]}..."
    return json.dumps(value)
