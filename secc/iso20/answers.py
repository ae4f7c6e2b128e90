"""What the station answers: one pure function for each request, `(request, context) -> Reply`."""

from collections.abc import Callable

from secc.iso20.ac_loop import ac_charge_loop
from secc.iso20.ac_parameters import ac_parameters
from secc.iso20.acdp import connect, disconnect, system_status, vehicle_positioning
from secc.iso20.authorization import authorization, authorization_setup, certificate_installation
from secc.iso20.beside import schedule
from secc.iso20.dc_loop import dc_charge_loop
from secc.iso20.dc_start import cable_check, pre_charge, welding_detection
from secc.iso20.metering import metering_confirmation
from secc.iso20.parameters import dc_parameters
from secc.iso20.parking import check_in, check_out
from secc.iso20.power import power_delivery
from secc.iso20.selection import service_detail, service_discovery, service_selection
from secc.iso20.setup import session_setup, session_stop
from secc.iso20.wpt import alignment_check, fine_positioning, fine_positioning_setup, pairing
from secc.iso20.wpt_loop import wpt_charge_loop, wpt_parameters
from secc.neutral.context import Pending, Reply
from v2g.exi.schema import Type
from v2g.messages import ac, acdp, common_messages, dc, wpt

ANSWERS: dict[type[Type], Callable[..., Reply | Pending]] = {
    common_messages.SessionSetupReq: session_setup,
    common_messages.AuthorizationSetupReq: authorization_setup,
    common_messages.AuthorizationReq: authorization,
    common_messages.CertificateInstallationReq: certificate_installation,
    common_messages.ServiceDiscoveryReq: service_discovery,
    common_messages.ServiceDetailReq: service_detail,
    common_messages.ServiceSelectionReq: service_selection,
    ac.AC_ChargeParameterDiscoveryReq: ac_parameters,
    dc.DC_ChargeParameterDiscoveryReq: dc_parameters,
    common_messages.ScheduleExchangeReq: schedule,
    dc.DC_CableCheckReq: cable_check,
    dc.DC_PreChargeReq: pre_charge,
    common_messages.PowerDeliveryReq: power_delivery,
    ac.AC_ChargeLoopReq: ac_charge_loop,
    dc.DC_ChargeLoopReq: dc_charge_loop,
    common_messages.MeteringConfirmationReq: metering_confirmation,
    dc.DC_WeldingDetectionReq: welding_detection,
    acdp.ACDP_VehiclePositioningReq: vehicle_positioning,
    acdp.ACDP_ConnectReq: connect,
    acdp.ACDP_DisconnectReq: disconnect,
    acdp.ACDP_SystemStatusReq: system_status,
    wpt.WPT_FinePositioningSetupReq: fine_positioning_setup,
    wpt.WPT_FinePositioningReq: fine_positioning,
    wpt.WPT_PairingReq: pairing,
    wpt.WPT_ChargeParameterDiscoveryReq: wpt_parameters,
    wpt.WPT_AlignmentCheckReq: alignment_check,
    wpt.WPT_ChargeLoopReq: wpt_charge_loop,
    common_messages.VehicleCheckInReq: check_in,
    common_messages.VehicleCheckOutReq: check_out,
    common_messages.SessionStopReq: session_stop,
}
