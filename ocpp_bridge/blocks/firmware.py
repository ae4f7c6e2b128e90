"""Firmware (block L): this station has no way to install one, and says so."""

from typing import Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.wire.schemas import Payload


def update(charger: Charger, payload: Payload, now: float) -> Payload:
    """UpdateFirmware: refused, and nothing is fetched: the software of the station is installed by whoever runs its computer."""
    return no("UnsupportedRequest", "this station does not install firmware by OCPP; its software is a package of its operating system")


def _idle(charger: Charger, chosen: list[Evse], now: float) -> Payload:
    """TriggerMessage: nothing is being installed, ever."""
    charger.call("FirmwareStatusNotification", {"status": "Idle"}, solicited=True)
    return {"status": "Accepted"}


BLOCK: Final = Block(requests={"UpdateFirmware": update}, triggers={"FirmwareStatusNotification": _idle})
