"""How a station stands with its CSMS: registered, or not yet."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class Boot:
    """The state of the station's registration at its CSMS."""

    status: Literal["", "Pending", "Accepted", "Rejected"] = ""
    reason: str = "PowerUp"
    due: float | None = 0.0  # monotonic s of the next BootNotification
    heartbeat_due: float | None = None
