"""The services of ISO 15118-2: the energy transfer modes of the one charging service, and the value-added services with their parameters.

What a mode charges by is an energy service that other generations have as well, known by its plug: the one row that charges alone by it.
"""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from v2g.messages.iso2.msg_data_types import EnergyTransferModeType
from v2g.session.sap import Protocol
from v2g.session.service import EnergyService, InternetProtocol, Plug

PROTOCOL: Final = Protocol("urn:iso:15118:2:2013:MsgDef", 2, 0, "iso2", secure=False)

# ids of table 105; what a manufacturer adds begins at 60000
CHARGING: Final = 1
CERTIFICATE: Final = 2
INTERNET: Final = 3
USE_CASE: Final = 4


class Mode(NamedTuple):
    """One energy transfer mode, with the plug of the service that it transfers energy by, and how many phases it takes."""

    name: EnergyTransferModeType
    plug: Plug
    phases: int = 1

    @property
    def dc(self) -> bool:
        """Whether it gives direct current, converted by the station."""
        return self.plug == "dc"

    def fits(self, row: EnergyService) -> bool:
        """Whether a car that takes this mode is charged by that service."""
        return row.plug == self.plug and not row.bidirectional


MODES: Final[dict[EnergyTransferModeType, Mode]] = {
    mode.name: mode
    for mode in (
        Mode(EnergyTransferModeType.AC_single_phase_core, "ac"),
        Mode(EnergyTransferModeType.AC_three_phase_core, "ac", phases=3),
        Mode(EnergyTransferModeType.DC_core, "dc"),  # over the core contacts of a combined inlet
        Mode(EnergyTransferModeType.DC_extended, "dc"),  # over the contacts below them: CCS
        Mode(EnergyTransferModeType.DC_combo_core, "dc"),
        Mode(EnergyTransferModeType.DC_unique, "dc"),
    )
}
OFFERED: Final = (  # by stations, the best first: of the modes of DC the one that a CCS plug has
    MODES[EnergyTransferModeType.AC_three_phase_core],
    MODES[EnergyTransferModeType.AC_single_phase_core],
    MODES[EnergyTransferModeType.DC_extended],
)

# parameter sets of the service Certificate [table 106]
Installing = Literal["Installation", "Update"]
CERTIFICATE_SETS: Final[dict[int, Installing]] = {1: "Installation", 2: "Update"}
# parameter sets of the service Internet: protocol and port [table 107]
INTERNET_SETS: Final[dict[int, tuple[InternetProtocol, int]]] = {1: ("ftp", 20), 2: ("ftp", 21), 3: ("http", 80), 4: ("https", 443)}


def offered(rows: Iterable[EnergyService], phases: int) -> tuple[EnergyTransferModeType, ...]:
    """The modes by which an outlet with these services and so many AC phases charges, the best first of each service."""
    return tuple(dict.fromkeys(mode.name for row in rows for mode in OFFERED if mode.fits(row) and mode.phases <= phases))
