"""What is wrong with the layout of a page, as the browser rendered it: text over text, text cut, text too faint, words in pieces."""

from pathlib import Path
from typing import Any

CONTRAST = 4.5  # WCAG 2 AA, for text
LARGE = 3.0  # for text of 24 px, or of 18.66 px in bold
LEAST = 4  # characters of a word on each of its lines, on average: fewer, and it is broken letter by letter
_MEASURE = Path(__file__).with_name("layout.js").read_text()


def faults(page: Any) -> list[str]:
    """Each fault of what the page shows now, in words. Raises AssertionError where there is no text at all to be judged."""
    found = page.evaluate(_MEASURE.partition("\n")[2], [CONTRAST, LARGE, LEAST])
    assert found["lines"] > 3, "the page shows nothing"
    told: list[str] = found["faults"]
    return told
