"""Data transfer (block P): extensions of vendors, of which none is known; what the owner of a station tells his CSMS goes as it is."""

from collections.abc import Callable
from typing import Any, Final

from ocpp_bridge.block import Block
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.mapping import present
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload, PayloadFault, check


def data_transfer(charger: Charger, payload: Payload, now: float) -> Payload:
    """DataTransfer: no vendor's extension is known here."""
    return {"status": "UnknownVendorId"}


Heard = Callable[[str, Any], None]  # (status of the answer, empty: there is none; its data)


def transfer(charger: Charger, vendor: str, message: str, data: Any, heard: Heard) -> None:
    """Send data of a vendor to the CSMS (P02); `heard` is told what it says. ValueError for what the message cannot carry."""
    payload: Payload = {"vendorId": vendor} | present({"messageId": message or None, "data": data})
    try:
        check("ocpp2.1", "DataTransfer", "Request", payload)
    except PayloadFault as fault:
        raise ValueError(str(fault)) from None
    if not charger.call("DataTransfer", payload, about=heard):
        heard("", None)


def _answered(charger: Charger, call: Call, response: Payload, now: float) -> None:
    call.about(response["status"], response.get("data"))


def _failed(charger: Charger, call: Call, code: str, now: float) -> None:
    charger.note(f"the CSMS does not answer DataTransfer of {call.payload['vendorId']}: {code}")
    call.about("", None)


BLOCK: Final = Block(
    requests={"DataTransfer": data_transfer},
    answers={"DataTransfer": _answered},
    failures={"DataTransfer": _failed},
)
