"""Simple values in the spelling of XML Schema, for the views people read."""

import base64
import binascii
import re
from typing import Any

from v2g.exi import values
from v2g.exi.errors import EncodeError
from v2g.exi.schema import Binary, Facets, Integer, String

BLANK = " \t\r\n"
UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 has no place for
_NUMBER = re.compile(r"[+-]?[0-9]{1,1300}")  # digits of the longest integer the codec reads; more would cost quadratic time
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def spell(content: Any, value: Any, lenient: bool = False) -> str:
    """A simple value as text. Raises EncodeError for one of another type, and, unless `lenient`, for one beyond its facets."""
    values.demand_fit(content, value, lenient)
    if content is bool:
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex().upper() if content.lexical == "hexBinary" else base64.b64encode(value).decode("ascii")
    return str(value if isinstance(content, Integer | String) else value.value)


def parse(content: Facets, text: str) -> Any:
    """The simple value that a text stands for. Raises EncodeError if it is no value of the type `content`."""
    bare = text.strip(BLANK)
    value: Any = None
    match content:
        case String():
            value = text
        case Integer():
            value = int(bare) if _NUMBER.fullmatch(bare) else None
        case Binary(lexical):
            value = _octets(lexical, bare)
        case _ if content is bool:
            value = _BOOLEANS.get(bare)
        case _:
            value = next((m for m in content if m.value == bare), None)
    if value is None:
        raise EncodeError(f"{text!r} is no {values.expected(content)}")
    values.demand_fit(content, value)
    return value


def _octets(lexical: str, text: str) -> bytes | None:
    try:
        if lexical == "hexBinary":
            return binascii.unhexlify(text)
        return base64.b64decode(re.sub(f"[{BLANK}]", "", text), validate=True)
    except ValueError:
        return None
