"""`CONDUCT`, by which the car's engine and shell speak ISO 15118-2."""

from typing import Final

from evcc.conduct import Cites, Conduct
from evcc.iso2.charge import charge
from evcc.iso2.known import Known, Memory
from evcc.iso2.read_soc import read_soc
from evcc.iso2.setup import speakable
from v2g.iso2.generation import ISO2

CITES: Final = Cites(order="V2G2-538", session="V2G2-460")  # of the rest no text here has the number
CONDUCT: Final = Conduct(ISO2, Known, speakable, Memory, charge, cites=CITES, scripts={"read-soc": read_soc})
