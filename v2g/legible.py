r"""Text from strangers, made safe to show: nothing in it can move a cursor, forge a line, turn the reading order or show a password. Pure.

Names, reasons and ids come from cars, certificates and backends, and end on a terminal, in a log or on a page; all of them go through
`legible`. A character that acts instead of showing becomes an escape (\u001b), as JSON writes it, so that a line of JSON stays the same.
"""

import logging
import re
import traceback
import unicodedata
from typing import Final

UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, format and bidi, lone surrogates, line and paragraph separators
OWN: Final = "\n\t"  # what a text of ours may hold that is laid out in lines
_USERINFO = re.compile(r"(?<=://)[^/?#@\s\"'<>]*(?=@)")  # of a URL, wherever in a text


def legible(text: object, *, lines: bool = False) -> str:
    """A text with every character that is not for reading written as its escape: one line, in one direction.

    `lines` lets line feeds and tabs pass: for a whole text of ours, whose parts from outside were made legible before.
    """
    said = str(text)
    if said.isprintable():
        return said
    kept = OWN if lines else ""
    return "".join(_escaped(ord(each)) if each not in kept and unsafe(each) else each for each in said)


def unsafe(character: str) -> bool:
    """Whether a character does something instead of showing something."""
    return unicodedata.category(character) in UNSAFE


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\u{0xD7C0 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def in_xml(text: str) -> str:
    """An XML document with a character reference in place of each character that `legible` would escape; its content stays the same."""
    if text.isprintable():
        return text
    return "".join(f"&#x{ord(each):X};" if each not in "\r\n\t" and ord(each) > 0x1F and unsafe(each) else each for each in text)


def masked(text: object) -> str:
    """A text without the user and password of any URL in it."""
    return _USERINFO.sub("***", str(text))


class Legible(logging.Filter):
    """Makes every record of a logger legible, with its traceback, whoever formats it; passwords in URLs are masked."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Make the record legible, and return True, so that it is logged."""
        record.msg, record.args = legible(masked(record.getMessage())), None
        if record.exc_info and record.exc_info[1] is not None:
            lines = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
            record.exc_text = "\n".join(f"  | {legible(masked(line))}" for line in lines)  # a forged line stands behind a bar
        return True


def logger(name: str) -> logging.Logger:
    """The logger of that name, with a filter that makes its records legible."""
    found = logging.getLogger(name)
    if not any(isinstance(each, Legible) for each in found.filters):
        found.addFilter(Legible())
    return found
