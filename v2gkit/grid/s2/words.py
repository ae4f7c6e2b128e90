"""The messages of S2 that a resource manager hears, as classes; what is not in them is passed over. Lengths are bounded."""

from typing import Annotated, Final

import msgspec

from v2gkit.grid.faults import GridFault, Trouble, quoted

Id = Annotated[str, msgspec.Meta(min_length=2, max_length=64, pattern=r"^[a-zA-Z0-9\-_:]+$")]
Text = Annotated[str, msgspec.Meta(max_length=256)]
Time = Annotated[str, msgspec.Meta(max_length=40)]
Power = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]
ELEMENTS: Final = 288  # of an envelope
ENVELOPE: Final = "POWER_ENVELOPE_BASED_CONTROL"
MODES: Final = "OPERATION_MODE_BASED_CONTROL"
NONE: Final = ("NOT_CONTROLABLE", "NO_SELECTION")  # the spelling is the standard's
NOBODY: Final = "00000000-0000-0000-0000-000000000000"  # of a message that has no id


class Word(msgspec.Struct, frozen=True, kw_only=True, tag_field="message_type"):
    """The base of every message."""


class Handshake(Word, frozen=True, tag="Handshake"):
    """The first message of either side."""

    message_id: Id
    role: Text
    supported_protocol_versions: Annotated[list[Text], msgspec.Meta(max_length=32)] | None = None


class HandshakeResponse(Word, frozen=True, tag="HandshakeResponse"):
    """The version that the CEM has chosen."""

    message_id: Id
    selected_protocol_version: Text


class SelectControlType(Word, frozen=True, tag="SelectControlType"):
    """In which way the CEM steers from now on."""

    message_id: Id
    control_type: Text


class EnvelopeElement(msgspec.Struct, frozen=True):
    """A span of an envelope: ms, W."""

    duration: Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400_000)]
    upper_limit: Power
    lower_limit: Power


class PowerEnvelope(msgspec.Struct, frozen=True):
    """The limits of one quantity, span after span."""

    id: Id
    commodity_quantity: Text
    power_envelope_elements: Annotated[list[EnvelopeElement], msgspec.Meta(min_length=1, max_length=ELEMENTS)]


class EnvelopeInstruction(Word, frozen=True, tag="PEBC.Instruction"):
    """Keep to these envelopes from a time on."""

    message_id: Id
    id: Id
    execution_time: Time
    power_constraints_id: Id
    power_envelopes: Annotated[list[PowerEnvelope], msgspec.Meta(min_length=1, max_length=10)]
    abnormal_condition: bool = False


class ModeInstruction(Word, frozen=True, tag="OMBC.Instruction"):
    """Go into an operation mode at a time, at a factor within its powers."""

    message_id: Id
    id: Id
    execution_time: Time
    operation_mode_id: Id
    operation_mode_factor: Annotated[float, msgspec.Meta(ge=0, le=1)]
    abnormal_condition: bool = False


class RevokeObject(Word, frozen=True, tag="RevokeObject"):
    """Take back what was said before."""

    message_id: Id
    object_type: Text
    object_id: Id


class SessionRequest(Word, frozen=True, tag="SessionRequest"):
    """Hang up, or come again."""

    message_id: Id
    request: Text


class ReceptionStatus(Word, frozen=True, tag="ReceptionStatus"):
    """How a message of ours was received."""

    subject_message_id: Id
    status: Text
    diagnostic_label: Text | None = None


Heard = (
    Handshake
    | HandshakeResponse
    | SelectControlType
    | EnvelopeInstruction
    | ModeInstruction
    | RevokeObject
    | SessionRequest
    | ReceptionStatus
)


class _Named(msgspec.Struct):
    message_id: Id | None = None


def read(text: str | bytes) -> Heard:
    """The message in a JSON text. Raises GridFault."""
    try:
        return msgspec.json.decode(text, type=Heard)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise GridFault(Trouble.MALFORMED, f"a message: {quoted(error)}") from None


def id_of(text: str | bytes) -> str | None:
    """The id of a message that could not be read; None where it is no JSON or has none."""
    try:
        return msgspec.json.decode(text, type=_Named).message_id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
