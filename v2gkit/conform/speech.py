"""What a bench says and hears in the words of a generation: messages as whole frames, and frames as messages (pure)."""

from typing import Any

from v2g.exi.schema import Type
from v2g.session.generation import MAIN, Generation, Incoming
from v2g.session.v2gtp import frame


def framed(generation: Generation, message: Type, session_id: bytes = b"", stream: str = MAIN, signature: Any = None) -> bytes:
    """A message as a whole V2GTP frame, as the generation writes it. Raises EncodeError.

    SessionID and signature go into the envelope, where the generation has one; elsewhere they are in the message.
    """
    written = generation.write(message, session_id, stream, signature)
    return frame(written.payload_type, written.exi)


def understood(generation: Generation, payload_type: int, exi: bytes) -> Incoming:
    """The message in a frame, within the limits of a car. Raises DecodeError or FramingError where there is none."""
    return generation.read(payload_type, exi, by_car=True)
