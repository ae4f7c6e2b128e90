"""What the car's engine and shell take of one generation of the standard; `evcc/iso20/conduct.py` has that of ISO 15118-20."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from evcc.car import Car, Learnt
from evcc.script import Script
from v2g.session.generation import Generation
from v2g.session.sap import Protocol


@dataclass(frozen=True, slots=True)
class Conduct:
    """One generation as a car speaks it. `beginning` makes what a session knows at first, which its scripts find in `car.known`."""

    generation: Generation
    beginning: Callable[[], Learnt]
    protocols: Callable[[Car[Any]], tuple[Protocol, ...]]  # what a car offers for its wishes, on its link, the best first
    memory: type  # of what a car keeps of a paused session
    script: Script  # the usual session
    quirks: Collection[str] = ()  # names of habits that a car may be given
