"""The generations that a station speaks, the newest first. To add one, make its `Conduct` in a folder of its own and name it here."""

from typing import Final

from secc.conduct import Conduct
from secc.din.conduct import CONDUCT as DIN
from secc.iso2.conduct import CONDUCT as ISO2
from secc.iso20.conduct import CONDUCT as ISO20
from v2g.exi.schema import Type

CONDUCTS: Final[tuple[Conduct, ...]] = (ISO20, ISO2, DIN)


def conduct_named(name: str) -> Conduct:
    """The conduct of the generation of that name; of the newest for no name, as in old records. Raises ValueError for any other."""
    for conduct in CONDUCTS:
        if name in ("", conduct.generation.name):
            return conduct
    raise ValueError(f"{name!r} is no generation that is spoken here")


def conduct_of(request: Type) -> Conduct:
    """The conduct of the generation that a request is of."""
    return next(conduct for conduct in CONDUCTS if type(request) in conduct.generation.responses)
