"""MeteringReceipt: the car confirms the reading of the station's meter, where it is asked to."""

from typing import Any

from evcc.early.delivery import Leave, notified
from evcc.early.mode import Mode
from evcc.iso2.known import Car
from evcc.script import Part, Signed
from pki import signature as xmldsig
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import MeteringReceiptReq


def receipt(car: Car, mode: Mode, response: Any) -> Part[Leave]:
    """Keep the meter of a response, and confirm its reading where that is asked for, signed with the contract where the car pays by one.

    Returns what the station wants then. A car that has nothing to confirm ends the session.
    """
    car.known.meter = response.MeterInfo or car.known.meter
    if not response.ReceiptRequired:
        return None
    if response.MeterInfo is None:
        car.note("meter reading not confirmed", why="no MeterInfo in the response")
        return "Terminate"
    request = MeteringReceiptReq(Id="id1", SessionID=car.session_id, SAScheduleTupleID=car.known.tuple_id, MeterInfo=response.MeterInfo)
    if car.authorization == "PnC" and car.contract is not None:
        signature = xmldsig.sign([request], car.contract.key, schema_set("iso2"), grammar=car.contract.grammar)
        answer = yield Signed(request, signature)
    else:
        answer = yield request
    car.note("meter reading confirmed", wh=response.MeterInfo.MeterReading)
    return notified(car, mode, answer)
