"""Requests of -20 as steps of a script: asked once, or polled until the station has finished.

response = yield ask(SessionSetupReq, EVCCID="...")
response = yield from poll(car, ask(DC_CableCheckReq), CABLE_CHECK)
"""

from collections.abc import Callable
from typing import Any

from evcc.script import POLL_PACE, Limit, Part, Timed, repeat
from v2g.exi.schema import Type
from v2g.iso20.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT
from v2g.messages.common_types import MessageHeaderType, processingType

UNSTAMPED = MessageHeaderType(SessionID=bytes(8), TimeStamp=0)  # the engine writes SessionID and TimeStamp when it sends
ONGOING = Limit("V2G_EVCC_Ongoing_Timeout", EVCC_ONGOING_TIMEOUT)
CABLE_CHECK = Limit("V2G_EVCC_CableCheck_Timeout", EVCC_CABLE_CHECK_TIMEOUT)
PRE_CHARGE = Limit("V2G_EVCC_PreCharge_Timeout", EVCC_PRE_CHARGE_TIMEOUT)


def ask(request: type[Type], **fields: Any) -> Type:
    """A request of class `request` with these fields; its header is filled in when it is sent."""
    return request(Header=UNSTAMPED, **fields)


def finished(response: Any) -> bool:
    """Whether a response says that the station has finished (EVSEProcessing)."""
    return bool(response.EVSEProcessing is processingType.Finished)


def poll(
    car: Timed,
    request: Type | Callable[[Any], Type],
    limit: Limit = ONGOING,
    until: Callable[[Any], bool] = finished,
    pace: float = POLL_PACE,
) -> Part[Any]:
    """Repeat a request, the same message every time [V2G20-1582], until `until(response)` is true; see `evcc.script.repeat`."""
    return (yield from repeat(car, request, limit, until, pace))
