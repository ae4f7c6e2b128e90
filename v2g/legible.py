"""Text from outside, made fit for people: nothing in it can move a cursor, forge a line, turn the reading order or show a password. Pure.

Names, reasons and ids come from cars, certificates and backends, and end on a terminal, in a log or on a page. `legible` is the one door
they pass on the way there. Machines get JSON, which says the same strings with its own escapes (`as_json`).
"""

import json
import logging
import re
import traceback
import unicodedata
from typing import Any, Final

UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, format and bidi, lone surrogates, line and paragraph separators
_USERINFO = re.compile(r"(?<=://)[^/?#@\s\"'<>]*(?=@)")  # of a URL, wherever in a text


def legible(text: object) -> str:
    """A text with every character that is not for reading written as its escape: one line, in one direction."""
    said = str(text)
    return said if said.isprintable() else "".join(escaped(each) if unsafe(each) else each for each in said)


def unsafe(character: str) -> bool:
    """Whether a character does something instead of showing something."""
    return unicodedata.category(character) in UNSAFE


def escaped(character: str) -> str:
    r"""A character as \xNN, \uNNNN or \UNNNNNNNN."""
    return repr(character)[1:-1] if character in "\n\r\t" else _escape(ord(character))


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def as_json(value: Any, *, separators: tuple[str, str] | None = None) -> str:
    """A value as one line of JSON that is safe to look at: the same strings for a machine, escapes where a terminal would act."""
    return in_json(json.dumps(value, ensure_ascii=False, separators=separators))


def in_json(text: str) -> str:
    """A line of JSON with escapes for what json.dumps leaves as it is: DEL, C1, format and bidi characters."""
    if text.isprintable():
        return text
    return "".join(_json_escape(each) if unsafe(each) else each for each in text)


def _json_escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD7C0 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def masked(text: object) -> str:
    """A text with the user and password of every URL in it left out."""
    return _USERINFO.sub("***", str(text))


class Legible(logging.Filter):
    """Makes every record of a logger legible, with its traceback, whoever formats it; passwords in URLs are masked."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass, cleaned."""
        record.msg, record.args = legible(masked(record.getMessage())), None
        if record.exc_info and record.exc_info[1] is not None:
            lines = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
            record.exc_text = "\n".join(f"  | {legible(masked(line))}" for line in lines)  # a forged line stands behind a bar
        return True


def logger(name: str) -> logging.Logger:
    """The logger of a name, with its records made legible."""
    found = logging.getLogger(name)
    if not any(isinstance(each, Legible) for each in found.filters):
        found.addFilter(Legible())
    return found
