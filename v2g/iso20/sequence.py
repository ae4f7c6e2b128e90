"""The message sequence of ISO 15118-20 on one page, the same for SECC, EVCC and the conformance suite.

A state is *what the SECC waits for*. A row says: in this state the SECC accepts this request, and its response leads to one of these
states. Polling is a row that names its own state. A (state, request) pair without a row is the car's fault and is answered by the paired
response with FAILED_SequenceError [V2G20-459]; a successor that the row does not name is the station's own bug.

    head         SAP > SessionSetup > AuthorizationSetup > Authorization (poll) > ServiceDiscovery > ServiceDetail (1..n)
                 > ServiceSelection > energy > SessionStop
    energy, AC   ChargeParameterDiscovery > ScheduleExchange (poll) > PowerDelivery(Start) > ChargeLoop* > PowerDelivery(Stop)
    energy, DER  ChargeParameterDiscovery (poll) > as AC, or back to ServiceDiscovery
    energy, DC   ChargeParameterDiscovery > ScheduleExchange (poll) > CableCheck (poll) > PreCharge (poll) > PowerDelivery(Start)
                 > ChargeLoop* > PowerDelivery(Stop) > WeldingDetection (poll, may be left out)
    energy, ACDP VehiclePositioning (poll) > Connect (poll) > as DC > Disconnect (poll); the order is inferred from the messages' fields
    energy, WPT  FinePositioningSetup (poll) > FinePositioning (poll) > Pairing (poll) > ChargeParameterDiscovery > ScheduleExchange (poll)
                 > AlignmentCheck (poll) > PowerDelivery(Start) > ChargeLoop* > PowerDelivery(Stop); that positioning and pairing come
                 before the parameters is inferred
    beside       VehicleCheckIn before power, VehicleCheckOut after it, on a stream of their own

A car may stand by: it stays in the loop and takes nothing, from PowerDelivery(Standby) to PowerDelivery(Start) or (Stop).
SessionStopReq is accepted in every state after SessionSetup; the station makes the outlet safe first.
"""

import sys
from enum import Enum
from typing import Final

from v2g.exi.schema import Type
from v2g.messages import ac, acdp, app_protocol, common_messages, dc, wpt
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
    VehicleCheckInReq,
    VehicleCheckOutReq,
)
from v2g.session.generation import Row


class State(Enum):
    """The states of a session, each named after what the SECC waits for in it."""

    __hash__ = object.__hash__  # a member is equal to itself alone; that of `Enum` hashes its name at every look into a table

    SUPPORTED_APP_PROTOCOL = "SupportedAppProtocol"
    SESSION_SETUP = "SessionSetup"
    AUTHORIZATION_SETUP = "AuthorizationSetup"
    AUTHORIZATION = "Authorization"
    SERVICE_DISCOVERY = "ServiceDiscovery"
    SERVICE_DETAIL = "ServiceDetail"
    SERVICE_SELECTION = "ServiceSelection"
    AC_PARAMETERS = "AC_ChargeParameterDiscovery"
    AC_DER_PARAMETERS = "AC_ChargeParameterDiscovery (DER)"
    AC_DER_SETTLING = "AC_ChargeParameterDiscovery or ScheduleExchange (DER)"
    AC_SCHEDULE = "ScheduleExchange (AC)"
    AC_START = "PowerDelivery (AC)"
    AC_LOOP = "AC_ChargeLoop"
    AC_STANDBY = "AC_ChargeLoop (standby)"
    DC_PARAMETERS = "DC_ChargeParameterDiscovery"
    DC_SCHEDULE = "ScheduleExchange (DC)"
    DC_CABLE_CHECK = "DC_CableCheck"
    DC_PRE_CHARGE = "DC_PreCharge"
    DC_START = "PowerDelivery (DC)"
    DC_LOOP = "DC_ChargeLoop"
    DC_STANDBY = "DC_ChargeLoop (standby)"
    DC_RENEGOTIATION = "ScheduleExchange (DC, under power)"
    DC_RESTART = "PowerDelivery (DC, under power)"
    DC_WELDING = "DC_WeldingDetection"
    ACDP_POSITIONING = "ACDP_VehiclePositioning"
    ACDP_CONNECT = "ACDP_Connect"
    ACDP_DISCONNECT = "ACDP_Disconnect"
    WPT_SETUP = "WPT_FinePositioningSetup"
    WPT_POSITIONING = "WPT_FinePositioning"
    WPT_PAIRING = "WPT_Pairing"
    WPT_PARAMETERS = "WPT_ChargeParameterDiscovery"
    WPT_SCHEDULE = "ScheduleExchange (WPT)"
    WPT_ALIGNMENT = "WPT_AlignmentCheck"
    WPT_START = "PowerDelivery (WPT)"
    WPT_LOOP = "WPT_ChargeLoop"
    WPT_STANDBY = "WPT_ChargeLoop (standby)"
    WPT_RENEGOTIATION = "ScheduleExchange (WPT, under power)"
    WPT_RESTART = "PowerDelivery (WPT, under power)"
    SESSION_STOP = "SessionStop"
    ENDED = "nothing: the session is over"


S = State
METERING = "metering confirmation"  # a stream: what a car signs beside the loop
SCHEDULES = "schedule renegotiation"  # a stream: the schedule that is to follow, while the loop goes on
SYSTEM_STATUS = "ACDP system status"  # a stream: what both sides know of their machinery
PARKING_STATUS = "parking status"  # a stream: how a vehicle comes to its place, and leaves it
SEQUENCE: tuple[Row, ...] = (
    # head, the same for every service
    Row(S.SUPPORTED_APP_PROTOCOL, supportedAppProtocolReq, (S.SESSION_SETUP, S.ENDED)),
    Row(
        S.SESSION_SETUP,
        SessionSetupReq,
        (S.AUTHORIZATION_SETUP, S.AC_PARAMETERS, S.AC_DER_PARAMETERS, S.DC_PARAMETERS, S.WPT_PARAMETERS),
    ),  # a resumed session goes on with parameters [V2G20-1032] [V2G20-5046]
    Row(S.AUTHORIZATION_SETUP, AuthorizationSetupReq, (S.AUTHORIZATION,)),
    Row(S.AUTHORIZATION, CertificateInstallationReq, (S.AUTHORIZATION,)),
    Row(S.AUTHORIZATION, AuthorizationReq, (S.AUTHORIZATION, S.SERVICE_DISCOVERY)),  # again while Ongoing or after a WARNING [V2G20-2230]
    Row(S.SERVICE_DISCOVERY, ServiceDiscoveryReq, (S.SERVICE_DETAIL,)),
    Row(S.SERVICE_DETAIL, ServiceDetailReq, (S.SERVICE_SELECTION,)),
    Row(S.SERVICE_SELECTION, ServiceDetailReq, (S.SERVICE_SELECTION,)),
    Row(
        S.SERVICE_SELECTION,
        ServiceSelectionReq,
        (S.AC_PARAMETERS, S.AC_DER_PARAMETERS, S.DC_PARAMETERS, S.ACDP_POSITIONING, S.WPT_SETUP),
    ),
    # AC
    Row(S.AC_PARAMETERS, ac.AC_ChargeParameterDiscoveryReq, (S.AC_SCHEDULE,)),
    # AC of a car that feeds the grid: it looks at what the grid asks of it, and says when it has taken it over, or chooses anew
    Row(S.AC_DER_PARAMETERS, ac.AC_ChargeParameterDiscoveryReq, (S.AC_DER_SETTLING,)),
    Row(S.AC_DER_SETTLING, ac.AC_ChargeParameterDiscoveryReq, (S.AC_DER_SETTLING,)),  # while EVProcessing is Ongoing [V2G20-3150]
    Row(S.AC_DER_SETTLING, ScheduleExchangeReq, (S.AC_DER_SETTLING, S.AC_START)),  # [V2G20-3151]
    Row(S.AC_DER_SETTLING, ServiceDiscoveryReq, (S.SERVICE_DETAIL,)),  # a car that does not take the settings [V2G20-3154]
    # AC, whatever was said of parameters
    Row(S.AC_SCHEDULE, ScheduleExchangeReq, (S.AC_SCHEDULE, S.AC_START)),
    Row(S.AC_START, PowerDeliveryReq, (S.AC_START, S.AC_LOOP, S.AC_STANDBY, S.SESSION_STOP)),
    Row(S.AC_LOOP, ac.AC_ChargeLoopReq, (S.AC_LOOP,)),
    Row(S.AC_LOOP, MeteringConfirmationReq, (S.AC_LOOP,), METERING),
    Row(S.AC_LOOP, ScheduleExchangeReq, (S.AC_LOOP,), SCHEDULES),
    Row(S.AC_LOOP, PowerDeliveryReq, (S.AC_LOOP, S.AC_STANDBY, S.AC_SCHEDULE, S.SESSION_STOP)),
    Row(S.AC_STANDBY, ac.AC_ChargeLoopReq, (S.AC_STANDBY,)),
    Row(S.AC_STANDBY, PowerDeliveryReq, (S.AC_STANDBY, S.AC_LOOP, S.SESSION_STOP)),
    # DC
    Row(S.DC_PARAMETERS, dc.DC_ChargeParameterDiscoveryReq, (S.DC_SCHEDULE,)),
    Row(S.DC_SCHEDULE, ScheduleExchangeReq, (S.DC_SCHEDULE, S.DC_CABLE_CHECK)),
    Row(S.DC_CABLE_CHECK, dc.DC_CableCheckReq, (S.DC_CABLE_CHECK, S.DC_PRE_CHARGE)),
    Row(
        S.DC_CABLE_CHECK, PowerDeliveryReq, (S.DC_CABLE_CHECK, S.DC_STANDBY, S.SESSION_STOP)
    ),  # to pause or stand by before power [V2G20-2122]
    Row(S.DC_PRE_CHARGE, dc.DC_PreChargeReq, (S.DC_PRE_CHARGE, S.DC_START)),
    Row(S.DC_START, dc.DC_PreChargeReq, (S.DC_START,)),
    Row(S.DC_START, PowerDeliveryReq, (S.DC_START, S.DC_LOOP, S.DC_STANDBY, S.DC_WELDING)),
    Row(S.DC_LOOP, dc.DC_ChargeLoopReq, (S.DC_LOOP,)),
    Row(S.DC_LOOP, MeteringConfirmationReq, (S.DC_LOOP,), METERING),
    Row(S.DC_LOOP, ScheduleExchangeReq, (S.DC_LOOP,), SCHEDULES),
    Row(S.DC_LOOP, PowerDeliveryReq, (S.DC_LOOP, S.DC_STANDBY, S.DC_RENEGOTIATION, S.DC_WELDING)),
    Row(S.DC_STANDBY, dc.DC_ChargeLoopReq, (S.DC_STANDBY,)),
    Row(S.DC_STANDBY, dc.DC_CableCheckReq, (S.DC_CABLE_CHECK, S.DC_PRE_CHARGE)),  # back to power, where the contactor has opened
    Row(S.DC_STANDBY, PowerDeliveryReq, (S.DC_STANDBY, S.DC_LOOP, S.DC_WELDING)),
    Row(S.DC_RENEGOTIATION, ScheduleExchangeReq, (S.DC_RENEGOTIATION, S.DC_RESTART)),
    Row(S.DC_RESTART, PowerDeliveryReq, (S.DC_RESTART, S.DC_LOOP, S.DC_STANDBY, S.DC_WELDING)),
    Row(S.DC_WELDING, dc.DC_WeldingDetectionReq, (S.DC_WELDING,)),
    # ACDP, around DC
    Row(S.ACDP_POSITIONING, acdp.ACDP_VehiclePositioningReq, (S.ACDP_POSITIONING, S.ACDP_CONNECT)),
    Row(S.ACDP_CONNECT, acdp.ACDP_ConnectReq, (S.ACDP_CONNECT, S.DC_PARAMETERS)),
    Row(S.DC_WELDING, acdp.ACDP_DisconnectReq, (S.ACDP_DISCONNECT, S.SESSION_STOP)),
    Row(S.ACDP_DISCONNECT, acdp.ACDP_DisconnectReq, (S.ACDP_DISCONNECT, S.SESSION_STOP)),
    # WPT
    Row(S.WPT_SETUP, wpt.WPT_FinePositioningSetupReq, (S.WPT_SETUP, S.WPT_POSITIONING)),
    Row(S.WPT_POSITIONING, wpt.WPT_FinePositioningReq, (S.WPT_POSITIONING, S.WPT_PAIRING)),
    Row(S.WPT_PAIRING, wpt.WPT_PairingReq, (S.WPT_PAIRING, S.WPT_PARAMETERS)),
    Row(S.WPT_PARAMETERS, wpt.WPT_ChargeParameterDiscoveryReq, (S.WPT_SCHEDULE,)),
    Row(S.WPT_SCHEDULE, ScheduleExchangeReq, (S.WPT_SCHEDULE, S.WPT_ALIGNMENT)),
    Row(S.WPT_ALIGNMENT, wpt.WPT_AlignmentCheckReq, (S.WPT_ALIGNMENT, S.WPT_START)),
    Row(S.WPT_ALIGNMENT, PowerDeliveryReq, (S.WPT_ALIGNMENT, S.SESSION_STOP)),  # to pause before power, as in DC [V2G20-2122]
    Row(S.WPT_START, PowerDeliveryReq, (S.WPT_START, S.WPT_LOOP, S.WPT_STANDBY, S.SESSION_STOP)),
    Row(S.WPT_LOOP, wpt.WPT_ChargeLoopReq, (S.WPT_LOOP,)),
    Row(S.WPT_LOOP, MeteringConfirmationReq, (S.WPT_LOOP,), METERING),
    Row(S.WPT_LOOP, ScheduleExchangeReq, (S.WPT_LOOP,), SCHEDULES),
    Row(S.WPT_LOOP, PowerDeliveryReq, (S.WPT_LOOP, S.WPT_STANDBY, S.WPT_RENEGOTIATION, S.SESSION_STOP)),
    Row(S.WPT_STANDBY, wpt.WPT_ChargeLoopReq, (S.WPT_STANDBY,)),
    Row(S.WPT_STANDBY, PowerDeliveryReq, (S.WPT_STANDBY, S.WPT_LOOP, S.SESSION_STOP)),
    Row(S.WPT_RENEGOTIATION, ScheduleExchangeReq, (S.WPT_RENEGOTIATION, S.WPT_RESTART)),
    Row(S.WPT_RESTART, PowerDeliveryReq, (S.WPT_RESTART, S.WPT_LOOP, S.WPT_STANDBY, S.SESSION_STOP)),
)
DOCKED_STATES = (*(s for s in State if s.name.startswith(("DC_", "ACDP_"))), S.SESSION_STOP)
SEQUENCE += tuple(Row(s, acdp.ACDP_SystemStatusReq, (s,), SYSTEM_STATUS) for s in DOCKED_STATES)
ARRIVING = (
    *(S.AC_PARAMETERS, S.AC_DER_PARAMETERS, S.AC_DER_SETTLING, S.AC_SCHEDULE, S.AC_START),
    *(S.DC_PARAMETERS, S.DC_SCHEDULE, S.DC_CABLE_CHECK, S.ACDP_POSITIONING, S.ACDP_CONNECT),
    *(S.WPT_SETUP, S.WPT_POSITIONING, S.WPT_PAIRING, S.WPT_PARAMETERS, S.WPT_SCHEDULE, S.WPT_ALIGNMENT),
)
LEAVING = (S.DC_WELDING, S.ACDP_DISCONNECT, S.SESSION_STOP)
SEQUENCE += tuple(Row(s, VehicleCheckInReq, (s,), PARKING_STATUS) for s in ARRIVING)
SEQUENCE += tuple(Row(s, VehicleCheckOutReq, (s,), PARKING_STATUS) for s in LEAVING)
# what began in the loop crosses PowerDelivery: it has a stream of its own
SEQUENCE += tuple(
    Row(s, MeteringConfirmationReq, (s,), METERING)
    for s in (S.AC_SCHEDULE, S.AC_START, S.AC_STANDBY, S.DC_RENEGOTIATION, S.DC_RESTART, S.DC_STANDBY, S.SESSION_STOP, S.DC_WELDING)
)
SEQUENCE += tuple(Row(s, MeteringConfirmationReq, (s,), METERING) for s in (S.WPT_STANDBY, S.WPT_RENEGOTIATION, S.WPT_RESTART))
STANDBY = (S.AC_STANDBY, S.DC_STANDBY, S.WPT_STANDBY)
SEQUENCE += tuple(Row(s, ScheduleExchangeReq, (s,), SCHEDULES) for s in (*STANDBY, S.SESSION_STOP, S.DC_WELDING))
OPEN_STATES = tuple(s for s in State if s not in (S.SUPPORTED_APP_PROTOCOL, S.SESSION_SETUP, S.ENDED))
SEQUENCE += tuple(
    Row(s, SessionStopReq, (S.ENDED, S.SERVICE_DISCOVERY)) for s in OPEN_STATES
)  # ServiceRenegotiation goes back [V2G20-1477]

ROWS: dict[tuple[Enum, type[Type]], Row] = {(row.state, row.request): row for row in SEQUENCE}
CHARGE_LOOPS: Final = (ac.AC_ChargeLoopReq, dc.DC_ChargeLoopReq, wpt.WPT_ChargeLoopReq)
REQUESTS: tuple[type[Type], ...] = tuple(
    cls
    for module in (app_protocol, common_messages, ac, dc, acdp, wpt)
    for name, cls in vars(module).items()
    if name.endswith("Req") and isinstance(cls, type) and cls.__module__ == module.__name__
)


def row(state: Enum, request: type[Type]) -> Row | None:
    """The row for a request in a state, or None: the request is out of sequence."""
    return ROWS.get((state, request))


def response_to(request: type[Type]) -> type[Type]:
    """The response class that is paired with a request class."""
    paired: type[Type] = getattr(sys.modules[request.__module__], request.__name__.removesuffix("Req") + "Res")
    return paired


RESPONSES: dict[type[Type], type[Type]] = {response_to(request): request for request in REQUESTS}
"""The request class of each response class."""


def requests_in(state: Enum) -> tuple[type[Type], ...]:
    """The requests that the SECC accepts in a state, in the order of the table."""
    return tuple(r.request for r in SEQUENCE if r.state is state)
