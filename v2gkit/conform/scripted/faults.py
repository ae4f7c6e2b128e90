"""The one thing that a scripted station does wrong, as answers of a play (pure)."""

from typing import Any

import msgspec

from v2g.exi.derive import least
from v2g.iso20.sequence import REQUESTS
from v2g.iso20.timing import timing
from v2g.messages import common_messages as cm
from v2g.messages.common_types import responseCodeType
from v2g.session.v2gtp import PayloadType
from v2gkit.conform.scripted.acts import HangUp, Late
from v2gkit.conform.scripted.desk import Desk, framed
from v2gkit.conform.scripted.good import good
from v2gkit.conform.scripted.play import Answers

_REQUESTS = {each.__name__: each for each in REQUESTS}
# every state of a DC session and what comes before it, by the request that the station answers in it
SESSION = (
    "SessionSetup",
    "AuthorizationSetup",
    "Authorization",
    "ServiceDiscovery",
    "ServiceDetail",
    "ServiceSelection",
    "DC_ChargeParameterDiscovery",
    "ScheduleExchange",
    "DC_CableCheck",
    "DC_PreCharge",
    "PowerDelivery",
    "DC_ChargeLoop",
    "DC_WeldingDetection",
    "SessionStop",
)
STATES = ("supportedAppProtocol", *SESSION)


def timeout_of(name: str) -> float:
    """How long a car waits for the answer to a request (s), by its name without Req."""
    return timing(_REQUESTS[f"{name}Req"]).msg_timeout


def silence(request: Any, desk: Desk) -> None:
    """No answer to the request."""


def late(seconds: float) -> Answers:
    """The good answer, so many seconds late."""
    return lambda request, desk: Late(seconds, good(request, desk))


def closes(request: Any, desk: Desk) -> HangUp:
    """The connection is closed."""
    return HangUp()


def failed(request: Any, desk: Desk) -> Any:
    """The good answer, but FAILED."""
    return msgspec.structs.replace(good(request, desk), ResponseCode=responseCodeType.FAILED)


def foreign_session(request: Any, desk: Desk) -> Any:
    """The good answer with the SessionID of nobody."""
    answer = good(request, desk)
    other = bytes(octet ^ 0xA5 for octet in desk.session_id)
    return msgspec.structs.replace(answer, Header=msgspec.structs.replace(answer.Header, SessionID=other))


def wrong_type(request: Any, desk: Desk) -> Any:
    """An OK response that answers another request."""
    kind = cm.ServiceSelectionRes if not isinstance(request, cm.ServiceSelectionReq) else cm.AuthorizationSetupRes
    if kind is cm.ServiceSelectionRes:
        return least(kind, Header=desk.header(), ResponseCode=responseCodeType.OK)
    return least(
        kind,
        Header=desk.header(),
        ResponseCode=responseCodeType.OK,
        AuthorizationServices=(cm.authorizationType.EIM,),
        EIM_ASResAuthorizationMode=cm.EIM_ASResAuthorizationModeType(),
    )


def with_fields(**fields: Any) -> Answers:
    """The good answer with other fields."""
    return lambda request, desk: msgspec.structs.replace(good(request, desk), **fields)


def octets_of(request: Any, desk: Desk) -> bytes:
    """The good answer as a whole frame, on the main stream."""
    return framed(good(request, desk), PayloadType.COMMON)
