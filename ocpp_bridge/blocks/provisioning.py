"""Provisioning (block B): the device model, its reports, and resets."""

import math
from typing import Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks import transactions
from ocpp_bridge.charger import Charger
from ocpp_bridge.wire.schemas import Payload
from ocpp_bridge.wire.times import timestamp

REPORT_ITEMS: Final = 100  # reportData in one NotifyReport: about 25 kB


def get_variables(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetVariables: the values of variables of the device model."""
    return {"getVariableResult": [charger.variables.read(asked) for asked in payload["getVariableData"]]}


def set_variables(charger: Charger, payload: Payload, now: float) -> Payload:
    """SetVariables: write variables of the device model, and take what they change into use."""
    results = [charger.variables.write(asked) for asked in payload["setVariableData"]]
    charger.configure()
    return {"setVariableResult": results}


def get_base_report(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetBaseReport: send the device model as reports of a page each."""
    if payload["reportBase"] == "SummaryInventory":
        return {"status": "NotSupported"}
    data = list(charger.variables.report(settable_only=payload["reportBase"] == "ConfigurationInventory"))
    pages = math.ceil(len(data) / REPORT_ITEMS)
    for page in range(pages):
        report = {
            "requestId": payload["requestId"],
            "generatedAt": timestamp(charger.wall(now)),
            "seqNo": page,
            "tbc": page < pages - 1,
            "reportData": data[page * REPORT_ITEMS : (page + 1) * REPORT_ITEMS],
        }
        charger.call("NotifyReport", report, solicited=True)
    return {"status": "Accepted"}


def reset(charger: Charger, payload: Payload, now: float) -> Payload:
    """Reset of the whole station: every session is asked to end; the shell starts anew once all transactions are over."""
    if payload.get("evseId"):
        return no("UnsupportedParam", "only the station as a whole can be reset")
    if payload["type"] == "ImmediateAndResume":
        return no("UnsupportedParam", "transactions are not resumed after a reset")
    busy = [evse for evse in charger.evses.values() if evse.transaction is not None]
    charger.reset = payload["type"]
    if payload["type"] == "Immediate":
        for evse in busy:
            transactions.stop(charger, evse, "ImmediateReset", "ResetCommand", "the CSMS resets the station")
    return {"status": "Scheduled" if busy and charger.reset == "OnIdle" else "Accepted"}


BLOCK: Final = Block(
    requests={
        "GetVariables": get_variables,
        "SetVariables": set_variables,
        "GetBaseReport": get_base_report,
        "Reset": reset,
    }
)
