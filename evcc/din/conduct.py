"""`CONDUCT`, by which the car's engine and shell speak DIN SPEC 70121."""

from typing import Final

from evcc.conduct import Conduct
from evcc.din.charge import charge, speakable
from evcc.din.known import Known, Memory
from evcc.din.read_soc import read_soc
from v2g.din.generation import DIN

CONDUCT: Final = Conduct(DIN, Known, speakable, Memory, charge, scripts={"read-soc": read_soc})
