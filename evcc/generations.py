"""The generations that a car speaks, the newest first. To add one, make its `Conduct` in a folder of its own and name it here."""

from collections.abc import Iterable
from typing import Final, Literal, get_args

from evcc.conduct import Conduct
from evcc.din.conduct import CONDUCT as DIN
from evcc.iso2.conduct import CONDUCT as ISO2
from evcc.iso20.conduct import CONDUCT as ISO20

CONDUCTS: Final[tuple[Conduct, ...]] = (ISO20, ISO2, DIN)
Name = Literal["20", "2", "DIN"]  # as people say it, in the order of CONDUCTS
NAMED: Final[dict[str, Conduct]] = dict(zip(get_args(Name), CONDUCTS, strict=True))
USUAL: Final[tuple[Conduct, ...]] = (ISO20,)  # what is offered by a car that was told nothing


def conducts_named(names: Iterable[str]) -> tuple[Conduct, ...]:
    """The conducts of the generations with these names, in their order."""
    return tuple(NAMED[name] for name in dict.fromkeys(names))
