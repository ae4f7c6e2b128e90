"""What a station of this kind is not: calls that are for a local controller (L03, L04) or a station that swaps batteries (S01 to S04).

They are refused as what OCPP knows and nothing here does, with the reason. What such a station would tell is never told.
"""

from functools import partial
from typing import Final

from ocpp_bridge.block import Block
from ocpp_bridge.charger import Charger
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import Payload

CONTROLLER: Final = "publishes no firmware to others: that is for a local controller, and this is a station without one; use UpdateFirmware"
WHY: Final = {
    "PublishFirmware": f"the station {CONTROLLER}",
    "UnpublishFirmware": f"the station {CONTROLLER}",
    "RequestBatterySwap": "the station charges cars by their connector and has no batteries to swap",
}


def _refuse(action: str, charger: Charger, payload: Payload, now: float) -> Payload:
    raise Refusal("NotSupported", WHY[action])


BLOCK: Final = Block(requests={action: partial(_refuse, action) for action in WHY})
