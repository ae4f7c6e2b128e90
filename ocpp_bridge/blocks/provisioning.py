"""Provisioning (block B): the device model and its reports."""

import json
from collections.abc import Mapping
from typing import Any, Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks import transactions
from ocpp_bridge.charger import Charger
from ocpp_bridge.model import inventory
from ocpp_bridge.model.device_model import DeviceModel
from ocpp_bridge.model.variables import Key
from ocpp_bridge.wire.rpc import Refusal
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp

REPORT_ITEMS: Final = 100  # reportData in one NotifyReport: about 25 kB
# A report of everything is some ten messages. A CSMS that asks for more before it has taken those fills our memory: four times that wait.
REPORTS_WAITING: Final = 40
HEARTBEAT, SAMPLING = DeviceModel.key("OCPPCommCtrlr.HeartbeatInterval"), DeviceModel.key("SampledDataCtrlr.TxUpdatedInterval")


def get_variables(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetVariables (B06): the values of variables of the device model."""
    bounded(charger, "GetVariables", payload, "getVariableData")
    charger.variables["ClockCtrlr.DateTime"] = timestamp(charger.wall(now))
    return {"getVariableResult": [charger.variables.read(asked) for asked in payload["getVariableData"]]}


def set_variables(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetVariables (B05): write variables of the device model; what they change is taken into use by the blocks that read them."""
    bounded(charger, "SetVariables", payload, "setVariableData")
    return {"setVariableResult": [charger.variables.write(asked) for asked in payload["setVariableData"]]}


def bounded(charger: Charger, action: str, payload: Payload, items: str, where: str = "DeviceDataCtrlr") -> None:
    """Refuse (`Refusal`) a request that is larger than the device model, in its component `where`, says it may be."""
    count, size = len(payload.get(items, ())), len(json.dumps(payload, separators=(",", ":")).encode())
    most, largest = (int(charger.variables.number(f"{where}.{name}[{action}]")) for name in ("ItemsPerMessage", "BytesPerMessage"))
    if count > most:
        raise Refusal("OccurrenceConstraintViolation", f"{action} with {count} entries: {most} at most ({where}.ItemsPerMessage)")
    if size > largest:
        raise Refusal("FormatViolation", f"{action} of {size} octets: {largest} at most ({where}.BytesPerMessage)")


def get_base_report(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetBaseReport (B07): send the device model, what of it can be set, or how the station is, as reports of a page each."""
    return _send(charger, payload["requestId"], inventory.of_base(charger.variables, payload["reportBase"]), now)


def get_report(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetReport (B08): send what of the device model fits criteria and names, as reports of a page each."""
    bounded(charger, "GetReport", payload, "componentVariable")
    found = inventory.chosen(charger.variables, payload.get("componentCriteria", ()), payload.get("componentVariable", ()))
    return _send(charger, payload["requestId"], found, now)


def _send(charger: Charger, request: int, data: list[Payload], now: float) -> Payload:
    if not data:
        return {"status": "EmptyResultSet"}
    if sum(call.action == "NotifyReport" for call in charger.outbox.waiting) > REPORTS_WAITING:
        return no("TooManyElements", f"more than {REPORTS_WAITING} reports still wait to be sent; take those first")
    pages = [data[place : place + REPORT_ITEMS] for place in range(0, len(data), REPORT_ITEMS)]
    moment = timestamp(charger.wall(now))
    for number, page in enumerate(pages):
        report = {"requestId": request, "generatedAt": moment, "seqNo": number, "tbc": number < len(pages) - 1, "reportData": page}
        charger.call("NotifyReport", report, solicited=True)
    return {"status": "Accepted"}


def begin(charger: Charger) -> None:
    """Fill in who the station is."""
    identity = charger.identity
    said = {"Model": identity.model, "VendorName": identity.vendor, "SerialNumber": identity.serial, "FirmwareVersion": identity.firmware}
    for name, value in said.items():
        charger.variables["ChargingStation", name, "", 0] = value
    for evse in charger.evses.values():
        for text, value in (
            ("V2XChargingCtrlr.Available", "true" if evse.gives_back else "false"),
            ("EVSE.ISO15118EvseId", evse.evse_id),
            ("EVSE.SupplyPhases", str(evse.limits.phases)),
            ("Connector.ConnectorType", evse.connector_type),
            ("Connector.SupplyPhases", str(evse.limits.phases)),
        ):
            charger.variables[DeviceModel.key(text, evse.id)] = value
        for name, most in (("Power", evse.limits.charge_power), ("DischargePower", evse.limits.discharge_power)):
            charger.variables.attribute(("EVSE", name, "", evse.id), "MaxSet", f"{most if name == 'Power' or evse.gives_back else 0.0:.0f}")


def changed(charger: Charger, key: Key, now: float) -> None:
    """Keep a variable that was set over restarts, and use it where a timer already runs by it."""
    if not charger.variables.rows[key].secret:
        charger.keep(*charger.variables.kept(key))
    charger.configure()
    if key == HEARTBEAT and charger.boot.heartbeat_due is not None:
        charger.boot.heartbeat_due = now + charger.variables.number("OCPPCommCtrlr.HeartbeatInterval")
    if key == SAMPLING:
        for evse in charger.evses.values():
            if evse.transaction is not None:
                transactions.arm_sampling(charger, evse, now)


def restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    """Take the variables that were set before a restart back into use."""
    for complaint in charger.variables.recall(kept):
        charger.note(complaint)


BLOCK: Final = Block(
    requests={
        "GetVariables": get_variables,
        "SetVariables": set_variables,
        "GetBaseReport": get_base_report,
        "GetReport": get_report,
    },
    keeps="variable",
    restore=restore,
    changed=changed,
    begin=begin,
)
