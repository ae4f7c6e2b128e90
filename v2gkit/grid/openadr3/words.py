"""The objects of OpenADR 3.1 that a VEN reads, as classes: what is not in them is passed over. A length is bounded before it is read."""

import re
from typing import Annotated, Any, Final, TypeVar

import msgspec

from v2gkit.grid.faults import GridFault, Trouble, quoted

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=128)]
INTERVALS: Final = 4_096  # of an event
VALUES: Final = 4_096  # of a payload: several are told of one interval since 3.1


def _spelt(name: str) -> str:
    """A field as the wire has it: program_id is programID, interval_period intervalPeriod."""
    camel = re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)
    return re.sub(r"Id$", "ID", camel)


class Word(msgspec.Struct, frozen=True, rename=_spelt, kw_only=True):
    """The base of every object."""


class IntervalPeriod(Word, frozen=True):
    """When intervals begin, how long each is, and by how much the start may be shifted either way."""

    start: Text | None = None
    duration: Text | None = None
    randomize_start: Text | None = None


class ValuesMap(Word, frozen=True):
    """Values of one type, e.g. IMPORT_CAPACITY_LIMIT."""

    type: Name
    values: Annotated[list[Any], msgspec.Meta(max_length=VALUES)]


class Interval(Word, frozen=True):
    """What holds for one span of time."""

    id: int = 0
    interval_period: IntervalPeriod | None = None
    payloads: Annotated[list[ValuesMap], msgspec.Meta(max_length=64)] = []


class Descriptor(Word, frozen=True):
    """In which units payloads of a type are."""

    payload_type: Name
    units: Text | None = None


class ReportDescriptor(Word, frozen=True):
    """What a VTN wants to be told of an event: of which type, and after how many intervals; a `frequency` below 1 is after the last."""

    payload_type: Name
    units: Text | None = None
    frequency: int = -1


class Event(Word, frozen=True):
    """An event of a program. A lower `priority` goes first; without one it is last."""

    id: Name
    program_id: Name
    event_name: str | None = None
    created_date_time: Text | None = None
    modification_date_time: Text | None = None
    duration: Text | None = None
    priority: Annotated[int, msgspec.Meta(ge=0)] | None = None
    targets: Annotated[list[Text], msgspec.Meta(max_length=256)] | None = None
    payload_descriptors: Annotated[list[Descriptor], msgspec.Meta(max_length=64)] | None = None
    report_descriptors: Annotated[list[ReportDescriptor], msgspec.Meta(max_length=64)] | None = None
    interval_period: IntervalPeriod | None = None
    intervals: Annotated[list[Interval], msgspec.Meta(max_length=INTERVALS)] | None = None


class Program(Word, frozen=True):
    """A program, by which a VEN knows what events are about."""

    id: Name
    program_name: Name
    payload_descriptors: Annotated[list[Descriptor], msgspec.Meta(max_length=64)] | None = None


class Ven(Word, frozen=True):
    """A VEN as the VTN knows it."""

    id: Name
    ven_name: Name


class Report(Word, frozen=True):
    """A report as the VTN keeps it."""

    id: Name


class Server(Word, frozen=True):
    """Where tokens are to be had."""

    token_url: Annotated[str, msgspec.Meta(max_length=1024)] = msgspec.field(name="tokenURL")


class Token(msgspec.Struct, frozen=True):
    """What the token endpoint gives."""

    access_token: Annotated[str, msgspec.Meta(min_length=1, max_length=16_384)]
    expires_in: float = 3_600.0  # s


class Problem(Word, frozen=True):
    """Why a request is refused (RFC 7807)."""

    title: str = ""
    detail: str = ""


def read(octets: bytes, kind: type[T], what: str) -> T:
    """The object in a JSON text. Raises GridFault, which says what `what` has of wrong."""
    try:
        return msgspec.json.decode(octets, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise GridFault(Trouble.MALFORMED, f"{what}: {quoted(error)}") from None
