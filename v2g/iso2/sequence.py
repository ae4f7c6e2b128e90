"""The message sequence of ISO 15118-2 on one page, the same for SECC, EVCC and the conformance suite.

A state is *what the SECC waits for*. A row says: in this state the SECC accepts this request, and its response leads to one of these
states. Polling is a row that names its own state. A (state, request) pair without a row is the car's fault and is answered by the paired
response with FAILED_SequenceError [V2G2-538]; a successor that the row does not name is the station's own bug.

    head         SAP > SessionSetup > ServiceDiscovery > ServiceDetail (0..n) > PaymentServiceSelection
                 > with a contract: CertificateInstallation or CertificateUpdate (0..1) > PaymentDetails
                 > Authorization (poll) > energy > SessionStop
    energy, AC   ChargeParameterDiscovery (poll) > PowerDelivery(Start) > ChargingStatus* > PowerDelivery(Stop)
    energy, DC   ChargeParameterDiscovery (poll) > CableCheck (poll) > PreCharge (poll) > PowerDelivery(Start) > CurrentDemand*
                 > PowerDelivery(Stop) > WeldingDetection (poll, may be left out)
    receipt      a loop whose response has ReceiptRequired is followed by MeteringReceipt, or by the end of power
    again        PowerDelivery(Renegotiate) > ChargeParameterDiscovery, and on as before: in DC through CableCheck and PreCharge [V2G2-813]

A car that comes back from a pause goes through all of it. SessionStopReq is accepted in every state after SessionSetup but those in which
power flows: there PowerDelivery(Stop) comes first.
"""

import sys
from enum import Enum
from typing import Final

from v2g.exi.schema import Type
from v2g.messages import app_protocol
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.iso2 import msg_body
from v2g.messages.iso2.msg_body import (
    AuthorizationReq,
    CableCheckReq,
    CertificateInstallationReq,
    CertificateUpdateReq,
    ChargeParameterDiscoveryReq,
    ChargingStatusReq,
    CurrentDemandReq,
    MeteringReceiptReq,
    PaymentDetailsReq,
    PaymentServiceSelectionReq,
    PowerDeliveryReq,
    PreChargeReq,
    ServiceDetailReq,
    ServiceDiscoveryReq,
    SessionSetupReq,
    SessionStopReq,
    WeldingDetectionReq,
)
from v2g.session.generation import Row


class State(Enum):
    """The states of a session, each named after what the SECC waits for in it."""

    __hash__ = object.__hash__  # a member is equal to itself alone; that of `Enum` hashes its name at every look into a table

    SUPPORTED_APP_PROTOCOL = "SupportedAppProtocol"
    SESSION_SETUP = "SessionSetup"
    SERVICE_DISCOVERY = "ServiceDiscovery"
    SERVICE_SELECTION = "ServiceDetail or PaymentServiceSelection"
    CONTRACT = "PaymentDetails, CertificateInstallation or CertificateUpdate"
    PAYMENT_DETAILS = "PaymentDetails"
    AUTHORIZATION = "Authorization"
    PARAMETERS = "ChargeParameterDiscovery"
    AC_START = "PowerDelivery (AC)"
    AC_LOOP = "ChargingStatus"
    AC_RECEIPT = "MeteringReceipt (AC)"
    DC_CABLE_CHECK = "CableCheck"
    DC_PRE_CHARGE = "PreCharge"
    DC_START = "PreCharge or PowerDelivery (DC)"
    DC_LOOP = "CurrentDemand"
    DC_RECEIPT = "MeteringReceipt (DC)"
    DC_WELDING = "WeldingDetection or SessionStop"
    SESSION_STOP = "SessionStop"
    ENDED = "nothing: the session is over"


S = State
SEQUENCE: tuple[Row, ...] = (
    # head, the same for every mode
    Row(S.SUPPORTED_APP_PROTOCOL, supportedAppProtocolReq, (S.SESSION_SETUP, S.ENDED)),
    Row(S.SESSION_SETUP, SessionSetupReq, (S.SERVICE_DISCOVERY,)),
    Row(S.SERVICE_DISCOVERY, ServiceDiscoveryReq, (S.SERVICE_SELECTION,)),
    Row(S.SERVICE_SELECTION, ServiceDetailReq, (S.SERVICE_SELECTION,)),
    Row(S.SERVICE_SELECTION, PaymentServiceSelectionReq, (S.CONTRACT, S.AUTHORIZATION)),
    Row(S.CONTRACT, CertificateInstallationReq, (S.PAYMENT_DETAILS,)),
    Row(S.CONTRACT, CertificateUpdateReq, (S.PAYMENT_DETAILS,)),
    Row(S.CONTRACT, PaymentDetailsReq, (S.AUTHORIZATION,)),
    Row(S.PAYMENT_DETAILS, PaymentDetailsReq, (S.AUTHORIZATION,)),
    Row(S.AUTHORIZATION, AuthorizationReq, (S.AUTHORIZATION, S.PARAMETERS)),
    Row(S.PARAMETERS, ChargeParameterDiscoveryReq, (S.PARAMETERS, S.AC_START, S.DC_CABLE_CHECK)),
    # AC
    Row(S.AC_START, PowerDeliveryReq, (S.AC_LOOP, S.SESSION_STOP)),
    Row(S.AC_LOOP, ChargingStatusReq, (S.AC_LOOP, S.AC_RECEIPT)),
    Row(S.AC_LOOP, PowerDeliveryReq, (S.PARAMETERS, S.SESSION_STOP)),
    Row(S.AC_RECEIPT, MeteringReceiptReq, (S.AC_LOOP,)),
    Row(S.AC_RECEIPT, PowerDeliveryReq, (S.SESSION_STOP,)),  # a car that must stop does not sign first
    # DC
    Row(S.DC_CABLE_CHECK, CableCheckReq, (S.DC_CABLE_CHECK, S.DC_PRE_CHARGE)),
    Row(S.DC_PRE_CHARGE, PreChargeReq, (S.DC_START,)),
    Row(S.DC_START, PreChargeReq, (S.DC_START,)),
    Row(S.DC_START, PowerDeliveryReq, (S.DC_LOOP, S.DC_WELDING)),
    Row(S.DC_LOOP, CurrentDemandReq, (S.DC_LOOP, S.DC_RECEIPT)),
    Row(S.DC_LOOP, PowerDeliveryReq, (S.PARAMETERS, S.DC_WELDING)),
    Row(S.DC_RECEIPT, MeteringReceiptReq, (S.DC_LOOP,)),
    Row(S.DC_RECEIPT, PowerDeliveryReq, (S.DC_WELDING,)),
    Row(S.DC_WELDING, WeldingDetectionReq, (S.DC_WELDING,)),
)
RECEIPTS: Final = (S.AC_RECEIPT, S.DC_RECEIPT)
POWERED: Final = (S.AC_LOOP, S.DC_LOOP, *RECEIPTS)
OPEN_STATES = tuple(s for s in State if s not in (S.SUPPORTED_APP_PROTOCOL, S.SESSION_SETUP, S.ENDED, *POWERED))
SEQUENCE += tuple(Row(s, SessionStopReq, (S.ENDED,)) for s in OPEN_STATES)

ROWS: dict[tuple[Enum, type[Type]], Row] = {(row.state, row.request): row for row in SEQUENCE}
CHARGE_LOOPS: Final = (ChargingStatusReq, CurrentDemandReq)
REQUESTS: tuple[type[Type], ...] = tuple(
    cls
    for module in (app_protocol, msg_body)
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
