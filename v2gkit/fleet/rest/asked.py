"""What is asked behind the door, and what refuses it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec


class Refused(Exception):
    """A request is not answered as it was meant: status of HTTP, words."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


class Asked(NamedTuple):
    """A request behind the door: parameters of path and query, body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""


def body_of(octets: bytes, kind: Any) -> Any:
    """The body of a request as what it has to be. Raises Refused."""
    try:
        return msgspec.json.decode(octets or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"the body cannot be read: {error}") from None
