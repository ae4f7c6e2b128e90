"""The readings of all generations, and which of them reads a message."""

from typing import Any, Final

from v2g.din.generation import DIN
from v2g.exi.schema import Type
from v2g.iso2.generation import ISO2
from v2g.session.generation import Generation
from v2gkit.insight.readings.early import Early
from v2gkit.insight.readings.iso20 import Iso20
from v2gkit.insight.readings.reading import Reading

READINGS: Final[tuple[Reading, ...]] = (Iso20(), Early(ISO2), Early(DIN))  # in the order of `v2g.generations`
REQUESTS: Final = tuple(kind for each in READINGS for kind in each.generation.loops)  # of charge loops
RESPONSES: Final = tuple(each.generation.responses[kind] for each in READINGS for kind in each.generation.loops)
_BY_CLASS: Final[dict[type[Type], Reading]] = {
    kind: each for each in reversed(READINGS) for pair in each.generation.responses.items() for kind in pair
}
_ASKED: Final = {response: request for each in READINGS for request, response in each.generation.responses.items()}


def reading_of(message: Any) -> Reading:
    """The reading of a message's generation; that of the newest for a message of none."""
    return _BY_CLASS.get(type(message), READINGS[0])


def request_of(response: type[Type]) -> type[Type] | None:
    """The class of request that a class of response answers; None for a class that is no response."""
    return _ASKED.get(response)


def generation_of(schema_set: object) -> Generation | None:
    """The generation whose every message is of one schema set, by that set's name; None for a set of another."""
    return next((each.generation for each in READINGS if isinstance(each, Early) and each.set == schema_set), None)
