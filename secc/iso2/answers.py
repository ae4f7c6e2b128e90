"""What the station answers: one pure function for each request, `(request, context) -> Reply`."""

from collections.abc import Callable
from functools import partial

from secc.enveloped.dc_start import cable_check, pre_charge, welding_detection
from secc.iso2.authorization import authorization, payment_details
from secc.iso2.installation import certificate_installation
from secc.iso2.loops import charging_status, current_demand, metering_receipt
from secc.iso2.parameters import charge_parameter_discovery
from secc.iso2.power import power_delivery
from secc.iso2.selection import payment_service_selection, service_detail, service_discovery
from secc.iso2.setup import session_setup, session_stop
from secc.iso2.words import WORDS
from secc.neutral.context import Pending, Reply
from v2g.exi.schema import Type
from v2g.messages.iso2 import msg_body

ANSWERS: dict[type[Type], Callable[..., Reply | Pending]] = {
    msg_body.SessionSetupReq: session_setup,
    msg_body.ServiceDiscoveryReq: service_discovery,
    msg_body.ServiceDetailReq: service_detail,
    msg_body.PaymentServiceSelectionReq: payment_service_selection,
    msg_body.CertificateInstallationReq: certificate_installation,
    msg_body.CertificateUpdateReq: certificate_installation,
    msg_body.PaymentDetailsReq: payment_details,
    msg_body.AuthorizationReq: authorization,
    msg_body.ChargeParameterDiscoveryReq: charge_parameter_discovery,
    msg_body.CableCheckReq: partial(cable_check, WORDS),
    msg_body.PreChargeReq: partial(pre_charge, WORDS),
    msg_body.PowerDeliveryReq: power_delivery,
    msg_body.ChargingStatusReq: charging_status,
    msg_body.CurrentDemandReq: current_demand,
    msg_body.MeteringReceiptReq: metering_receipt,
    msg_body.WeldingDetectionReq: partial(welding_detection, WORDS),
    msg_body.SessionStopReq: session_stop,
}
