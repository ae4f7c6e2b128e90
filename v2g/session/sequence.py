"""The message sequence of ISO 15118-20 on one page, the same for SECC, EVCC and the conformance suite.

A state is *what the SECC waits for*. A row says: in this state the SECC accepts this request, and its response leads to one of these
states. Polling is a row that names its own state. A (state, request) pair without a row is the car's fault and is answered by the paired
response with FAILED_SequenceError [V2G20-459]; a successor that the row does not name is the station's own bug.

    head         SAP > SessionSetup > AuthorizationSetup > Authorization (poll) > ServiceDiscovery > ServiceDetail (1..n)
                 > ServiceSelection > energy > SessionStop
    energy, AC   ChargeParameterDiscovery > ScheduleExchange (poll) > PowerDelivery(Start) > ChargeLoop* > PowerDelivery(Stop)
    energy, DC   ChargeParameterDiscovery > ScheduleExchange (poll) > CableCheck (poll) > PreCharge (poll) > PowerDelivery(Start)
                 > ChargeLoop* > PowerDelivery(Stop) > WeldingDetection (poll, may be left out)

SessionStopReq is accepted in every state after SessionSetup; the station makes the outlet safe first.
"""

import sys
from dataclasses import dataclass
from enum import Enum

from v2g.exi.schema import Type
from v2g.messages import ac, app_protocol, common_messages, dc
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.common_messages import (
    AuthorizationReq,
    AuthorizationSetupReq,
    CertificateInstallationReq,
    MeteringConfirmationReq,
    PowerDeliveryReq,
    ScheduleExchangeReq,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    ServiceSelectionReq,
    SessionSetupReq,
    SessionStopReq,
)


class State(Enum):
    """What the SECC waits for."""

    SUPPORTED_APP_PROTOCOL = "SupportedAppProtocol"
    SESSION_SETUP = "SessionSetup"
    AUTHORIZATION_SETUP = "AuthorizationSetup"
    AUTHORIZATION = "Authorization"
    SERVICE_DISCOVERY = "ServiceDiscovery"
    SERVICE_DETAIL = "ServiceDetail"
    SERVICE_SELECTION = "ServiceSelection"
    AC_PARAMETERS = "AC_ChargeParameterDiscovery"
    AC_SCHEDULE = "ScheduleExchange (AC)"
    AC_START = "PowerDelivery (AC)"
    AC_LOOP = "AC_ChargeLoop"
    DC_PARAMETERS = "DC_ChargeParameterDiscovery"
    DC_SCHEDULE = "ScheduleExchange (DC)"
    DC_CABLE_CHECK = "DC_CableCheck"
    DC_PRE_CHARGE = "DC_PreCharge"
    DC_START = "PowerDelivery (DC)"
    DC_LOOP = "DC_ChargeLoop"
    DC_RENEGOTIATION = "ScheduleExchange (DC, under power)"
    DC_RESTART = "PowerDelivery (DC, under power)"
    DC_WELDING = "DC_WeldingDetection"
    SESSION_STOP = "SessionStop"
    ENDED = "nothing: the session is over"


@dataclass(frozen=True, slots=True)
class Row:
    """In `state` the SECC accepts `request`; its response leads to one of `then`."""

    state: State
    request: type[Type]
    then: tuple[State, ...]


S = State
SEQUENCE: tuple[Row, ...] = (
    # head, the same for every service
    Row(S.SUPPORTED_APP_PROTOCOL, supportedAppProtocolReq, (S.SESSION_SETUP, S.ENDED)),
    Row(
        S.SESSION_SETUP, SessionSetupReq, (S.AUTHORIZATION_SETUP, S.AC_PARAMETERS, S.DC_PARAMETERS)
    ),  # a resumed session goes on with parameters [V2G20-1032]
    Row(S.AUTHORIZATION_SETUP, AuthorizationSetupReq, (S.AUTHORIZATION,)),
    Row(S.AUTHORIZATION, CertificateInstallationReq, (S.AUTHORIZATION,)),
    Row(S.AUTHORIZATION, AuthorizationReq, (S.AUTHORIZATION, S.SERVICE_DISCOVERY)),  # again while Ongoing or after a WARNING [V2G20-2230]
    Row(S.SERVICE_DISCOVERY, ServiceDiscoveryReq, (S.SERVICE_DETAIL,)),
    Row(S.SERVICE_DETAIL, ServiceDetailReq, (S.SERVICE_SELECTION,)),
    Row(S.SERVICE_SELECTION, ServiceDetailReq, (S.SERVICE_SELECTION,)),
    Row(S.SERVICE_SELECTION, ServiceSelectionReq, (S.AC_PARAMETERS, S.DC_PARAMETERS)),
    # AC
    Row(S.AC_PARAMETERS, ac.AC_ChargeParameterDiscoveryReq, (S.AC_SCHEDULE,)),
    Row(S.AC_SCHEDULE, ScheduleExchangeReq, (S.AC_SCHEDULE, S.AC_START)),
    Row(S.AC_START, PowerDeliveryReq, (S.AC_START, S.AC_LOOP, S.SESSION_STOP)),
    Row(S.AC_LOOP, ac.AC_ChargeLoopReq, (S.AC_LOOP,)),
    Row(S.AC_LOOP, MeteringConfirmationReq, (S.AC_LOOP,)),
    Row(S.AC_LOOP, PowerDeliveryReq, (S.AC_LOOP, S.AC_SCHEDULE, S.SESSION_STOP)),
    # DC
    Row(S.DC_PARAMETERS, dc.DC_ChargeParameterDiscoveryReq, (S.DC_SCHEDULE,)),
    Row(S.DC_SCHEDULE, ScheduleExchangeReq, (S.DC_SCHEDULE, S.DC_CABLE_CHECK)),
    Row(S.DC_CABLE_CHECK, dc.DC_CableCheckReq, (S.DC_CABLE_CHECK, S.DC_PRE_CHARGE)),
    Row(S.DC_CABLE_CHECK, PowerDeliveryReq, (S.DC_CABLE_CHECK, S.SESSION_STOP)),  # to pause or stand by before power [V2G20-2122]
    Row(S.DC_PRE_CHARGE, dc.DC_PreChargeReq, (S.DC_PRE_CHARGE, S.DC_START)),
    Row(S.DC_START, dc.DC_PreChargeReq, (S.DC_START,)),
    Row(S.DC_START, PowerDeliveryReq, (S.DC_START, S.DC_LOOP, S.DC_WELDING)),
    Row(S.DC_LOOP, dc.DC_ChargeLoopReq, (S.DC_LOOP,)),
    Row(S.DC_LOOP, MeteringConfirmationReq, (S.DC_LOOP,)),
    Row(S.DC_LOOP, PowerDeliveryReq, (S.DC_LOOP, S.DC_RENEGOTIATION, S.DC_WELDING)),
    Row(S.DC_RENEGOTIATION, ScheduleExchangeReq, (S.DC_RENEGOTIATION, S.DC_RESTART)),
    Row(S.DC_RESTART, PowerDeliveryReq, (S.DC_RESTART, S.DC_LOOP, S.DC_WELDING)),
    Row(S.DC_WELDING, dc.DC_WeldingDetectionReq, (S.DC_WELDING,)),
)
SEQUENCE += tuple(
    Row(s, MeteringConfirmationReq, (s,)) for s in (S.SESSION_STOP, S.DC_WELDING)
)  # what was asked for in the loop crosses PowerDelivery(Stop): it has a stream of its own
OPEN_STATES = tuple(s for s in State if s not in (S.SUPPORTED_APP_PROTOCOL, S.SESSION_SETUP, S.ENDED))
SEQUENCE += tuple(
    Row(s, SessionStopReq, (S.ENDED, S.SERVICE_DISCOVERY)) for s in OPEN_STATES
)  # ServiceRenegotiation goes back [V2G20-1477]

ROWS: dict[tuple[State, type[Type]], Row] = {(row.state, row.request): row for row in SEQUENCE}
REQUESTS: tuple[type[Type], ...] = tuple(
    cls
    for module in (app_protocol, common_messages, ac, dc)
    for name, cls in vars(module).items()
    if name.endswith("Req") and isinstance(cls, type) and cls.__module__ == module.__name__
)


def row(state: State, request: type[Type]) -> Row | None:
    """The row for a request in a state, or None: the request is out of sequence."""
    return ROWS.get((state, request))


def response_to(request: type[Type]) -> type[Type]:
    """The response class that is paired with a request class."""
    paired: type[Type] = getattr(sys.modules[request.__module__], request.__name__.removesuffix("Req") + "Res")
    return paired


RESPONSES: dict[type[Type], type[Type]] = {response_to(request): request for request in REQUESTS}
"""The request class of each response class."""


def admitted(state: State) -> tuple[type[Type], ...]:
    """The requests that a state admits, in table order."""
    return tuple(r.request for r in SEQUENCE if r.state is state)
