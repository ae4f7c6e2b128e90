"""The generations that are spoken here, the newest first. To add one, make its value in a room of its own and name it here."""

from typing import Final

from v2g.din.generation import DIN
from v2g.iso2.generation import ISO2
from v2g.iso20.generation import ISO20
from v2g.session.generation import Generation

GENERATIONS: Final[tuple[Generation, ...]] = (ISO20, ISO2, DIN)
