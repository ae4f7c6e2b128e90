"""Data transfer (block P): extensions of vendors, of which none is known."""

from typing import Final

from ocpp_bridge.block import Block
from ocpp_bridge.charger import Charger
from ocpp_bridge.wire.schemas import Payload


def data_transfer(charger: Charger, payload: Payload, now: float) -> Payload:
    """DataTransfer: no vendor's extension is known here."""
    return {"status": "UnknownVendorId"}


BLOCK: Final = Block(requests={"DataTransfer": data_transfer})
