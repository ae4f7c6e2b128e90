"""The message sequence of DIN SPEC 70121 on one page, the same for SECC, EVCC and the conformance suite.

A state is *what the SECC waits for*. A row says: in this state the SECC accepts this request, and its response leads to one of these
states. Polling is a row that names its own state. A (state, request) pair without a row is the car's fault and is answered by the paired
response with FAILED_SequenceError [V2G-DC-666]; a successor that the row does not name is the station's own bug.

    head         SAP > SessionSetup > ServiceDiscovery > ServicePaymentSelection > ContractAuthentication (poll)
    energy, DC   ChargeParameterDiscovery (poll) > CableCheck (poll) > PreCharge (poll) > PowerDelivery(ReadyToChargeState true)
                 > CurrentDemand* > PowerDelivery(ReadyToChargeState false) > WeldingDetection (poll, may be left out) > SessionStop

There is neither AC nor a contract, neither another schedule under way nor a pause: the schema's other messages (UNUSED) come in no state.
SessionStopReq is accepted in every state after SessionSetup but the one in which power flows: there PowerDelivery comes first
[V2G-DC-465].
"""

import sys
from enum import Enum
from typing import Final

from v2g.exi.schema import Type
from v2g.messages import app_protocol
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.din import msg_body
from v2g.messages.din.msg_body import (
    CableCheckReq,
    CertificateInstallationReq,
    CertificateUpdateReq,
    ChargeParameterDiscoveryReq,
    ChargingStatusReq,
    ContractAuthenticationReq,
    CurrentDemandReq,
    MeteringReceiptReq,
    PaymentDetailsReq,
    PowerDeliveryReq,
    PreChargeReq,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    ServicePaymentSelectionReq,
    SessionSetupReq,
    SessionStopRes,
    SessionStopType,
    WeldingDetectionReq,
)
from v2g.session.generation import Row


class State(Enum):
    """The states of a session, each named after what the SECC waits for in it."""

    __hash__ = object.__hash__  # a member is equal to itself alone; that of `Enum` hashes its name at every look into a table

    SUPPORTED_APP_PROTOCOL = "SupportedAppProtocol"
    SESSION_SETUP = "SessionSetup"
    SERVICE_DISCOVERY = "ServiceDiscovery"
    SERVICE_SELECTION = "ServicePaymentSelection"
    AUTHORIZATION = "ContractAuthentication"
    PARAMETERS = "ChargeParameterDiscovery"
    DC_CABLE_CHECK = "CableCheck"
    DC_PRE_CHARGE = "PreCharge"
    DC_START = "PreCharge or PowerDelivery"
    DC_LOOP = "CurrentDemand"
    DC_WELDING = "WeldingDetection or SessionStop"
    ENDED = "nothing: the session is over"


S = State
SEQUENCE: tuple[Row, ...] = (
    Row(S.SUPPORTED_APP_PROTOCOL, supportedAppProtocolReq, (S.SESSION_SETUP, S.ENDED)),
    Row(S.SESSION_SETUP, SessionSetupReq, (S.SERVICE_DISCOVERY,)),
    Row(S.SERVICE_DISCOVERY, ServiceDiscoveryReq, (S.SERVICE_SELECTION,)),
    Row(S.SERVICE_SELECTION, ServicePaymentSelectionReq, (S.AUTHORIZATION,)),
    Row(S.AUTHORIZATION, ContractAuthenticationReq, (S.AUTHORIZATION, S.PARAMETERS)),
    Row(S.PARAMETERS, ChargeParameterDiscoveryReq, (S.PARAMETERS, S.DC_CABLE_CHECK)),
    Row(S.DC_CABLE_CHECK, CableCheckReq, (S.DC_CABLE_CHECK, S.DC_PRE_CHARGE)),
    Row(S.DC_PRE_CHARGE, PreChargeReq, (S.DC_START,)),
    Row(S.DC_START, PreChargeReq, (S.DC_START,)),
    Row(S.DC_START, PowerDeliveryReq, (S.DC_LOOP, S.DC_WELDING)),
    Row(S.DC_LOOP, CurrentDemandReq, (S.DC_LOOP,)),
    Row(S.DC_LOOP, PowerDeliveryReq, (S.DC_WELDING,)),
    Row(S.DC_WELDING, WeldingDetectionReq, (S.DC_WELDING,)),
)
POWERED: Final = (S.DC_LOOP,)
OPEN_STATES = tuple(s for s in State if s not in (S.SUPPORTED_APP_PROTOCOL, S.SESSION_SETUP, S.ENDED, *POWERED))
SEQUENCE += tuple(Row(s, SessionStopType, (S.ENDED,)) for s in OPEN_STATES)  # the schema's name for SessionStopReq

ROWS: dict[tuple[Enum, type[Type]], Row] = {(row.state, row.request): row for row in SEQUENCE}
CHARGE_LOOPS: Final = (CurrentDemandReq,)
UNUSED: Final = (  # of the schema, outside DC charging with external payment; each is answered as out of turn
    ServiceDetailReq,
    PaymentDetailsReq,
    ChargingStatusReq,
    MeteringReceiptReq,
    CertificateUpdateReq,
    CertificateInstallationReq,
)
REQUESTS: tuple[type[Type], ...] = (
    *(
        cls
        for module in (app_protocol, msg_body)
        for name, cls in vars(module).items()
        if name.endswith("Req") and isinstance(cls, type) and cls.__module__ == module.__name__
    ),
    SessionStopType,
)


def row(state: Enum, request: type[Type]) -> Row | None:
    """The row for a request in a state, or None: the request is out of sequence."""
    return ROWS.get((state, request))


def response_to(request: type[Type]) -> type[Type]:
    """The response class that is paired with a request class."""
    if request is SessionStopType:
        return SessionStopRes
    paired: type[Type] = getattr(sys.modules[request.__module__], request.__name__.removesuffix("Req") + "Res")
    return paired


RESPONSES: dict[type[Type], type[Type]] = {response_to(request): request for request in REQUESTS}
"""The request class of each response class."""


def requests_in(state: Enum) -> tuple[type[Type], ...]:
    """The requests that the SECC accepts in a state, in the order of the table."""
    return tuple(r.request for r in SEQUENCE if r.state is state)
