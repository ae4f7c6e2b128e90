"""Generates the Python lines by which the readers of `straight_reader` read many bits of a stream at once and take them apart.

In such a line `x` is the stream as one integer, `p` how many bits of it are still to be read, and `w` the bits of the window.
"""

from collections.abc import Iterator
from typing import Any

WINDOW = 90  # bits read at once: a few machine words


class Window:
    """A row of bits that is read in one step, and the lines of Python that take it apart."""

    def __init__(self) -> None:
        self.width = 0
        self._parts: list[tuple[str, int, Any]] = []
        self._last: list[str] = []

    def constant(self, width: int, value: int = 0) -> None:
        """Add `width` bits that must have this value."""
        self._add("constant", width, value)

    def take(self, width: int, *lines: str) -> None:
        """Add `width` bits, and lines of Python in which {} stands for their value."""
        self._add("take", width, lines)

    def group(self, name: str, check: str | None) -> None:
        """Add the first group of an Unsigned Integer named `name`; `check` is the condition under which a longer one is refused."""
        self._add("group", 8, (name, check))

    def finally_(self, line: str) -> None:
        """Add a line of Python that runs after everything has been taken out of the window."""
        self._last.append(line)

    def _add(self, kind: str, width: int, detail: Any) -> None:
        self._parts.append((kind, width, detail))
        self.width += width

    def lines(self) -> Iterator[str]:
        """The lines of Python that read the window and refuse wrong constants."""
        if not self._parts:
            return
        yield f"p -= {self.width}"
        yield f"w = x >> p & {(1 << self.width) - 1}"
        right, mask, expected = self.width, 0, 0
        for kind, width, detail in self._parts:
            right -= width
            if kind == "constant":
                mask |= ((1 << width) - 1) << right
                expected |= detail << right
            elif kind == "take":
                yield from (line.format(_bits(right, width, self.width)) for line in detail)
            else:
                yield from _check(mask, expected)
                mask = expected = 0
                name, check = detail
                yield from _group(name, check, right)
        yield from _check(mask, expected)
        yield from self._last


def _bits(right: int, width: int, whole: int) -> str:
    """The bits of a window that stand `right` bits from its end."""
    shifted = f"w >> {right}" if right else "w"
    return shifted if right + width == whole else f"{shifted} & {(1 << width) - 1}"


def _check(mask: int, expected: int) -> Iterator[str]:
    if mask:
        yield f"if w & {mask} != {expected}: raise Unclear" if expected else f"if w & {mask}: raise Unclear"


def _group(name: str, check: str | None, right: int) -> Iterator[str]:
    """The first group of an integer; if more follow, what stands to the right of it in the window is read anew behind them."""
    yield f"{name} = {_bits(right, 7, 0)}"
    yield f"if w & {128 << right}:"
    yield f"    {name}, p = more(x, p + {right}, {name})" if right else f"    {name}, p = more(x, p, {name})"
    if check:
        yield f"    if {check}: raise Unclear"
    if right:
        yield f"    p -= {right}"
        yield f"    w = x >> p & {(1 << right) - 1}"
