"""What the car's engine and shell take of one generation of the standard; `evcc/iso20/conduct.py` has that of ISO 15118-20."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from evcc.car import Car, Learnt
from evcc.script import Script
from v2g.session.generation import Generation
from v2g.session.sap import Protocol


class Cites(NamedTuple):
    """The requirements that a car's engine cites: of a late answer, a request out of turn, a session without id, a foreign id."""

    late: str | None = None
    order: str | None = None
    nameless: str | None = None
    session: str | None = None


UNCITED: Final = Cites()


@dataclass(frozen=True, slots=True)
class Conduct:
    """One generation as a car speaks it. `beginning` makes what a session knows at first, which its scripts find in `car.known`."""

    generation: Generation
    beginning: Callable[[], Learnt]
    protocols: Callable[[Car[Any]], tuple[Protocol, ...]]  # what a car offers for its wishes, on its link, the best first
    memory: type  # of what a car keeps of a paused session
    script: Script  # the usual session
    quirks: Collection[str] = ()  # names of habits that a car may be given
    cites: Cites = UNCITED
    scripts: Mapping[str, Script] = field(default_factory=dict)  # other sessions that any generation may have, by name
