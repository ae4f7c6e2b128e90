"""What a bench says and hears in the words of a generation: messages as whole frames, and frames as messages (pure)."""

from contextlib import suppress
from typing import Any

from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.session.endpoint import Event, FrameSent
from v2g.session.errors import FramingError
from v2g.session.generation import MAIN, Generation, Incoming
from v2g.session.v2gtp import PAYLOADS, frame


def framed(generation: Generation, message: Type, session_id: bytes = b"", stream: str = MAIN, signature: Any = None) -> bytes:
    """A message as a whole V2GTP frame, as the generation writes it. Raises EncodeError.

    SessionID and signature go into the envelope, where the generation has one; elsewhere they are in the message.
    """
    written = generation.write(message, session_id, stream, signature)
    return frame(written.payload_type, written.exi)


def understood(generation: Generation, payload_type: int, exi: bytes) -> Incoming:
    """The message in a frame, within the limits of a car. Raises DecodeError or FramingError where there is none."""
    return generation.read(payload_type, exi, by_car=True)


def set_of(payload_type: int) -> str:
    """The schema set by which octets that are no message are to be looked at; empty where there is none."""
    row = next((row for each, row in PAYLOADS.items() if each == payload_type), None)
    return row.schema_sets[0] if row is not None and row.schema_sets else ""


def sent(generation: Generation, now: float, octets: bytes) -> Event:
    """The record of octets that leave at `now` (monotonic s), decoded as far as they can be."""
    payload_type, payload = int.from_bytes(octets[2:4], "big"), octets[8:]
    name, message = set_of(payload_type), None
    with suppress(DecodeError, FramingError):
        heard = understood(generation, payload_type, payload)
        name, message = heard.schema_set, heard.reading.message
    return FrameSent(now, payload_type, name, payload, message)  # type: ignore[arg-type]
