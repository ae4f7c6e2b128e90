"""What the station answers: one pure function for each request, `(request, context) -> Reply`."""

from collections.abc import Callable
from functools import partial

from secc.din.parameters import charge_parameter_discovery
from secc.din.power import current_demand, power_delivery
from secc.din.selection import contract_authentication, service_discovery, service_payment_selection
from secc.din.setup import session_setup, session_stop
from secc.din.words import WORDS
from secc.enveloped.dc_start import cable_check, pre_charge, welding_detection
from secc.neutral.context import Pending, Reply
from v2g.exi.schema import Type
from v2g.messages.din import msg_body

ANSWERS: dict[type[Type], Callable[..., Reply | Pending]] = {
    msg_body.SessionSetupReq: session_setup,
    msg_body.ServiceDiscoveryReq: service_discovery,
    msg_body.ServicePaymentSelectionReq: service_payment_selection,
    msg_body.ContractAuthenticationReq: contract_authentication,
    msg_body.ChargeParameterDiscoveryReq: charge_parameter_discovery,
    msg_body.CableCheckReq: partial(cable_check, WORDS),
    msg_body.PreChargeReq: partial(pre_charge, WORDS),
    msg_body.PowerDeliveryReq: power_delivery,
    msg_body.CurrentDemandReq: current_demand,
    msg_body.WeldingDetectionReq: partial(welding_detection, WORDS),
    msg_body.SessionStopType: session_stop,
}
