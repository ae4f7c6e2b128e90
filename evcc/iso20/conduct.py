"""`CONDUCT`, by which the car's engine and shell speak ISO 15118-20."""

from typing import Final

from evcc.conduct import Cites, Conduct
from evcc.iso20.charge import charge
from evcc.iso20.known import Known, Memory
from evcc.iso20.quirks import QUIRKS, quirky
from evcc.iso20.read_soc import read_soc
from evcc.iso20.setup import speakable
from v2g.iso20.generation import ISO20

CITES: Final = Cites(late="V2G20-436", order="V2G20-459", nameless="V2G20-2621", session="V2G20-460")
CONDUCT: Final = Conduct(ISO20, Known, speakable, Memory, quirky(charge), tuple(QUIRKS), CITES, {"read-soc": quirky(read_soc)})
