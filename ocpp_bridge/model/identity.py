"""Who a station is to its CSMS."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """The station's model, vendor, serial number and firmware, for BootNotification."""

    model: str = "v2gkit"
    vendor: str = "v2gkit"
    serial: str = ""
    firmware: str = ""
