"""The services of DIN SPEC 70121: one, which charges by direct current, and is named after the contacts that carry it."""

from typing import Final

from v2g.messages.din.msg_data_types import EVRequestedEnergyTransferType, EVSESupportedEnergyTransferType
from v2g.session.sap import Protocol
from v2g.session.service import EnergyService

PROTOCOL: Final = Protocol("urn:din:70121:2012:MsgDef", 2, 0, "din", secure=False)
CHARGING: Final = 1  # the id of the charging service

# What a station offers is one type [V2G-DC-397]; of the contacts of a combined inlet those below the core: CCS.
OFFERED: Final = EVSESupportedEnergyTransferType.DC_extended
# What cars ask for: DC_extended or DC_core, and nothing else [V2G-DC-625]. Both are the one outlet of a CCS station.
REQUESTED: Final = (EVRequestedEnergyTransferType.DC_extended, EVRequestedEnergyTransferType.DC_core)


def fits(row: EnergyService) -> bool:
    """Whether a car of this generation is charged by that service: direct current over a CCS plug, and no discharge."""
    return row.plug == "dc" and not row.bidirectional
