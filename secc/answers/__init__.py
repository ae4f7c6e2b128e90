"""What the station answers: one pure function for each request, `(request, context) -> Reply`."""

from secc.answers.ac_loop import ac_charge_loop
from secc.answers.authorization import authorization, authorization_setup, certificate_installation
from secc.answers.dc_loop import dc_charge_loop
from secc.answers.dc_start import cable_check, pre_charge, welding_detection
from secc.answers.metering import metering_confirmation
from secc.answers.parameters import ac_parameters, dc_parameters
from secc.answers.power import power_delivery
from secc.answers.schedule import schedule_exchange
from secc.answers.services import service_detail, service_discovery, service_selection
from secc.answers.setup import session_setup, session_stop, supported_app_protocol
from secc.context import Answer
from v2g.exi.schema import Type
from v2g.messages import ac, app_protocol, common_messages, dc

ANSWERS: dict[type[Type], Answer] = {
    app_protocol.supportedAppProtocolReq: supported_app_protocol,
    common_messages.SessionSetupReq: session_setup,
    common_messages.AuthorizationSetupReq: authorization_setup,
    common_messages.AuthorizationReq: authorization,
    common_messages.CertificateInstallationReq: certificate_installation,
    common_messages.ServiceDiscoveryReq: service_discovery,
    common_messages.ServiceDetailReq: service_detail,
    common_messages.ServiceSelectionReq: service_selection,
    ac.AC_ChargeParameterDiscoveryReq: ac_parameters,
    dc.DC_ChargeParameterDiscoveryReq: dc_parameters,
    common_messages.ScheduleExchangeReq: schedule_exchange,
    dc.DC_CableCheckReq: cable_check,
    dc.DC_PreChargeReq: pre_charge,
    common_messages.PowerDeliveryReq: power_delivery,
    ac.AC_ChargeLoopReq: ac_charge_loop,
    dc.DC_ChargeLoopReq: dc_charge_loop,
    common_messages.MeteringConfirmationReq: metering_confirmation,
    dc.DC_WeldingDetectionReq: welding_detection,
    common_messages.SessionStopReq: session_stop,
}
