"""`CONDUCT`, by which the car's engine and shell speak ISO 15118-2."""

from typing import Final

from evcc.conduct import Conduct
from evcc.iso2.charge import charge
from evcc.iso2.known import Known, Memory
from evcc.iso2.setup import speakable
from v2g.iso2.generation import ISO2

CONDUCT: Final = Conduct(ISO2, Known, speakable, Memory, charge)
