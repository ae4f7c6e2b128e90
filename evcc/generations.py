"""The generations that a car speaks, the newest first. To add one, make its `Conduct` in a folder of its own and name it here."""

from typing import Final

from evcc.conduct import Conduct
from evcc.iso20.conduct import CONDUCT

CONDUCTS: Final[tuple[Conduct, ...]] = (CONDUCT,)
