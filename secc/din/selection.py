"""ServiceDiscovery, ServicePaymentSelection and ContractAuthentication: the one service, paid outside, and the leave to charge."""

from secc.claims import Claim
from secc.conduct import Surroundings
from secc.enveloped.authorization import decided
from secc.neutral.context import Context, Reply
from v2g.din.sequence import State
from v2g.din.services import CHARGING, OFFERED, fits
from v2g.messages.din.msg_body import (
    ContractAuthenticationReq,
    ContractAuthenticationRes,
    ServiceDiscoveryReq,
    ServiceDiscoveryRes,
    ServicePaymentSelectionReq,
    ServicePaymentSelectionRes,
)
from v2g.messages.din.msg_data_types import (
    EVSEProcessingType,
    PaymentOptionsType,
    ServiceChargeType,
    ServiceTagType,
    paymentOptionType,
    serviceCategoryType,
)
from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.services import SERVICES
from v2g.session.errors import Refused


def carries(around: Surroundings) -> bool:
    """Whether a connection may have this generation: it has no transport layer security [V2G-DC-618], and is paid outside [V2G-DC-252]."""
    return around.tls is None and "EIM" in around.outlet.authorizations


def service(known: Context) -> str | None:
    """The service by which this outlet charges the car; None where it has none for it."""
    permitted = known.agreement.permitted or known.outlet.services
    return next((name for name in known.outlet.services if name in permitted and fits(SERVICES[name])), None)


def service_discovery(_: ServiceDiscoveryReq, known: Context) -> Reply:
    """The charging service, without a name or a scope [V2G-DC-628] [V2G-DC-629], and the one way to pay, whatever the car looks for."""
    response = ServiceDiscoveryRes(
        ResponseCode=Code.OK,
        PaymentOptions=PaymentOptionsType(PaymentOption=(paymentOptionType.ExternalPayment,)),
        ChargeService=ServiceChargeType(
            ServiceTag=ServiceTagType(ServiceID=CHARGING, ServiceCategory=serviceCategoryType.EVCharging),
            FreeService=known.outlet.free,
            EnergyTransferType=OFFERED,
        ),
    )
    return Reply(response, State.SERVICE_SELECTION, known.with_service(offered=(CHARGING,)))


def service_payment_selection(request: ServicePaymentSelectionReq, known: Context) -> Reply:
    """Take the car's service and its way to pay. Raises Refused for what was not offered."""
    if request.SelectedPaymentOption is not paymentOptionType.ExternalPayment:
        why = f"{request.SelectedPaymentOption.value} was selected, offered is ExternalPayment"
        raise Refused(Reason.WRONG_AUTHORIZATION, why, "V2G-DC-395")
    chosen = tuple(each.ServiceID for each in request.SelectedServiceList.SelectedService)
    if chosen != (CHARGING,):
        why = f"services {', '.join(map(str, chosen))} were selected, offered is {CHARGING}"
        raise Refused(Reason.WRONG_SELECTION, why, "V2G-DC-635")
    response = ServicePaymentSelectionRes(ResponseCode=Code.OK)
    return Reply(response, State.AUTHORIZATION, known.with_agreement(authorization="EIM"))


def contract_authentication(_: ContractAuthenticationReq, known: Context) -> Reply:
    """Answer Ongoing while the backend decides. Raises Refused where it refuses."""
    known, may_charge, wants = decided(known.service.attempt.claim or Claim("EIM"), known)
    processing = EVSEProcessingType.Finished if may_charge else EVSEProcessingType.Ongoing
    response = ContractAuthenticationRes(ResponseCode=Code.OK, EVSEProcessing=processing)
    return Reply(response, State.PARAMETERS if may_charge else State.AUTHORIZATION, known, wants)
