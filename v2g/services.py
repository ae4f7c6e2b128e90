"""The energy services of all generations, by name: for code that must not depend on one generation (the bridge to a CSMS, a backend).

A service has its row in the table of its generation (`v2g/iso20/services.py`); to add a generation, name its table in TABLES.
"""

from dataclasses import dataclass
from typing import Final

from v2g.iso20.services import DC, DC_BPT, Control, Mobility
from v2g.iso20.services import SERVICES as ISO20
from v2g.session.service import EnergyService

TABLES: Final = (ISO20,)
SERVICES: Final[dict[str, EnergyService]] = {name: row for table in TABLES for name, row in table.items()}
WANTED: Final = (DC_BPT.name, DC.name)  # by a car that was told nothing, the best first
OFFERED: Final = (DC.name, DC_BPT.name)  # by an outlet that was told nothing
PROTOCOLS: Final = tuple(dict.fromkeys(row.protocol.spelt for row in SERVICES.values()))  # that carry them, as OCPP spells them


def services_of(transfer: str) -> tuple[EnergyService, ...]:
    """The services that an energy transfer of OCPP 2.1 (its name) may stand for; none for a name of another generation.

    Names of OCPP 2.0.1 are read in the same way, so a name for charging never stands for a service that discharges.
    """
    return tuple(row for row in SERVICES.values() if transfer in row.ocpp["ocpp2.1"])


@dataclass(frozen=True, slots=True)
class Selection:
    """One parameter set of one energy service, which a station offers and a car selects."""

    service: str
    parameter_set: int
    control: Control
    mobility: Mobility = "EVCC"
    phases: int = 3  # of an AC outlet, as its connector says; a car asks

    @property
    def row(self) -> EnergyService:
        """The row of the services' table for the selected service."""
        return SERVICES[self.service]

    @property
    def bidirectional(self) -> bool:
        """Whether the selected service may discharge; its messages then carry BPT types."""
        return self.row.bidirectional

    @property
    def dc(self) -> bool:
        """Whether the selected service gives direct current, converted by the station."""
        return self.row.dc
