"""What the engines of both sides read of one generation of the standard: its order, its times, its words on the wire (pure).

    generation.row(state, type(request))         whether it may come, and where its response may lead
    generation.write(message, session_id, MAIN)  payload type, schema set and octets
    generation.read(payload_type, octets)        the message, within its limits

An engine names no state, no message and no code: it runs whatever table it is given. A generation is made in a room of its own
(`v2g.iso20`) and stands in `v2g.generations`; its messages may come as they are, or wrapped with a header of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Protocol

from v2g.exi.codec import Reading
from v2g.exi.schema import Type

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Row:
    """In `state` the station accepts `request`, and its response leads to one of `then`.

    `stream` names the side stream of V2GTP that the request runs on, beside the main one.
    """

    state: Enum
    request: type[Type]
    then: tuple[Enum, ...]
    stream: str = MAIN


@dataclass(frozen=True, slots=True)
class Timing:
    """The four times of one request/response pair, in seconds; `sequence_timeout` counts from the response."""

    msg_timeout: float
    secc_performance: float
    sequence_timeout: float
    evcc_performance: float


class Outgoing(NamedTuple):
    """An encoded message that is ready for a frame: payload type, name of its schema set, and the octets of one EXI document."""

    payload_type: int
    schema_set: str
    exi: bytes


class Incoming(NamedTuple):
    """A decoded message with the schema set that its payload type announced and the SessionID that came with it.

    `signature` is what stood in the envelope, for a generation that has one; in any other it is in the message.
    """

    schema_set: str
    reading: Reading
    session_id: bytes | None  # None: a message that carries none
    signature: Any = None


class Writer(Protocol):
    """Encodes a message for a frame of a stream."""

    def __call__(self, message: Type, session_id: bytes, stream: str = MAIN, signature: Any = None) -> Outgoing:
        """The message as octets; SessionID and `signature` go into its envelope, where the generation has one. Raises EncodeError."""


class Reader(Protocol):
    """Decodes the payload of a frame."""

    def __call__(self, payload_type: int, exi: bytes, *, by_car: bool = False, asked: type[Type] | None = None) -> Incoming:
        """The message in `exi`. `by_car` allows the larger bounds of a car, which reads the response to its request `asked`.

        Raises DecodeError for octets that are no message within the limits, FramingError for a payload type that carries no message.
        """


@dataclass(frozen=True, slots=True)
class Generation:
    """The tables of one generation of the standard, which the engines of both sides read. Times are in s, sizes in octets of EXI."""

    name: str
    first: Enum  # what a station waits for when the connection stands
    over: Enum
    rows: Mapping[tuple[Enum, type[Type]], Row]
    responses: Mapping[type[Type], type[Type]]  # request -> its response
    timing: Callable[[type[Type]], Timing]
    station_setup: float  # from the connection to the first request
    car_setup: float
    ongoing: float  # for which a station may put a car off
    close: float  # from the last response to the end of the connection
    state_limit: Callable[[Enum], int]  # of the largest request that may come in a state
    answer_limit: Callable[[type[Type]], int]  # of the largest response to a request
    other_limit: int  # of what nobody asked for
    at_once: int  # requests that may wait in the buffer of a station
    write: Writer
    read: Reader
    stream: Callable[[int], str]  # of a payload type
    begins: type[Type]  # the request that makes a session, whose response says its id
    codes: type[Enum]  # of every response
    loops: tuple[type[Type], ...]  # the requests that come again and again while power flows
    stays: Callable[[Type, Type], bool]  # (request, response): the station is still where it was
    leads: Callable[[Type, Enum], bool] = lambda request, state: True  # whether a request may lead there, by what it says

    def failure(self, response: Type) -> Enum | None:
        """The response code of a response where it ends the session, as every FAILED code does [V2G2-539] [V2G-DC-665]; else None."""
        code = getattr(response, "ResponseCode", None)
        return code if isinstance(code, self.codes) and str(code.value).startswith("FAILED") else None

    def row(self, state: Enum, request: type[Type]) -> Row | None:
        """The row for a request in a state, None where the request is out of sequence."""
        return self.rows.get((state, request))

    def beside(self, state: Enum, request: type[Type]) -> Row | None:
        """The row for a request on its side stream in a state; None where it may not come there."""
        found = self.row(state, request)
        return None if found is None or found.stream == MAIN else found

    def accepted(self, state: Enum) -> tuple[type[Type], ...]:
        """The requests that a state accepts, in the order of the table."""
        return tuple(request for at, request in self.rows if at is state)

    def awaited(self, state: Enum) -> str:
        """The names of the requests that a state accepts, in words."""
        return " or ".join(each.__name__ for each in self.accepted(state))

    def times(self, message: type[Type]) -> tuple[type[Type], Timing] | None:
        """The request that is answered by a response class, and the times of that pair; None for a class that is no response."""
        for request, response in self.responses.items():
            if response is message:
                return request, self.timing(request)
        return None

    def request_named(self, name: str) -> type[Type] | None:
        """The request class of that name; None where the generation has none."""
        return next((request for request in self.responses if request.__name__ == name), None)
