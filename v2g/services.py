"""The energy services of all generations, by name: for code that must not depend on one generation (the bridge to a CSMS, a backend).

A service has its row in the table of its generation (`v2g/iso20/services.py`); to add a generation, name its table in TABLES.
"""

from typing import Final

from v2g.iso20.services import DC, DC_BPT
from v2g.iso20.services import SERVICES as ISO20
from v2g.session.service import EnergyService

TABLES: Final = (ISO20,)
SERVICES: Final[dict[str, EnergyService]] = {name: row for table in TABLES for name, row in table.items()}
WANTED: Final = (DC_BPT.name, DC.name)  # by a car that was told nothing, the best first
OFFERED: Final = (DC.name, DC_BPT.name)  # by an outlet that was told nothing
PROTOCOLS: Final = tuple(dict.fromkeys(row.agreed for row in SERVICES.values()))  # that carry them, as OCPP spells them


def services_of(transfer: str) -> tuple[EnergyService, ...]:
    """The services that an energy transfer of OCPP 2.1 (its name) may stand for; none for a name of another generation.

    Names of OCPP 2.0.1 are read in the same way, so a name for charging never stands for a service that discharges.
    """
    return tuple(row for row in SERVICES.values() if transfer in row.ocpp["ocpp2.1"])
