"""Kinds of faults that a test double of our car is seeded with: each returns what puts the fault into this process.

They change what the car says, what it hears, how long it waits, or one decision; the product knows of none.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.v2gkit.conform.seeding import FOR_EVER, Change, Seed, dies, put
from v2g.exi.errors import DecodeError
from v2g.iso20.generation import ISO20
from v2g.messages.common_types import responseCodeType
from v2g.session.generation import Generation


def says(kind: type, change: Change, *, of: Generation = ISO20) -> Seed:
    """A request of one kind is changed before it is written."""

    def seed() -> None:
        write = of.write
        changed: Any = lambda message, *more, **named: write(change(message) if type(message) is kind else message, *more, **named)  # noqa: E731
        object.__setattr__(of, "write", changed)

    return seed


def hears(kind: type, change: Change, *, of: Generation = ISO20) -> Seed:
    """A response of one kind is changed after it was read."""
    return heard(lambda message, asked: change(message) if type(message) is kind else message, of=of)


def heard(change: Callable[[Any, Any], Any], *, of: Generation = ISO20) -> Seed:
    """Responses are changed after they were read, by what was asked."""

    def seed() -> None:
        read = of.read

        def reads(payload_type: int, exi: bytes, **named: Any) -> Any:
            found = read(payload_type, exi, **named)
            message = change(found.reading.message, named.get("asked"))
            own = getattr(getattr(message, "Header", None), "SessionID", found.session_id)
            return found._replace(reading=put(found.reading, message=message), session_id=own)

        object.__setattr__(of, "read", reads)

    return seed


def waits(kind: type, seconds: float = FOR_EVER, *, of: Generation = ISO20) -> Seed:
    """The answer to a request of one kind is waited for longer."""

    def seed() -> None:
        timing = of.timing
        changed: Any = lambda request: replace(timing(request), msg_timeout=seconds) if request is kind else timing(request)  # noqa: E731
        object.__setattr__(of, "timing", changed)

    return seed


def well(message: Any) -> Any:
    """The response, OK whatever it said."""
    return put(message, ResponseCode=responseCodeType.OK)


def dies_of_octets(fits: Callable[[bytes], bool], *, of: Generation = ISO20) -> Seed:
    """The program dies of octets that are no message, where they fit."""

    def seed() -> None:
        read = of.read

        def reads(payload_type: int, exi: bytes, **named: Any) -> Any:
            try:
                return read(payload_type, exi, **named)
            except DecodeError:
                if fits(exi):
                    dies()
                raise

        object.__setattr__(of, "read", reads)

    return seed
