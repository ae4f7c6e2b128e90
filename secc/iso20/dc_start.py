"""DC_CableCheck, DC_PreCharge and DC_WeldingDetection: the DC outlet before and after power flows."""

from secc.iso20.notices import header
from secc.neutral.context import Context, Reply
from secc.neutral.isolation import check_isolation
from secc.neutral.output import differs, pre_charge_output
from secc.neutral.readiness import demand_asking
from v2g.iso20.rational import number, rational
from v2g.iso20.sequence import State
from v2g.iso20.timing import EVCC_CABLE_CHECK_TIMEOUT
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.messages.dc import (
    DC_CableCheckReq,
    DC_CableCheckRes,
    DC_PreChargeReq,
    DC_PreChargeRes,
    DC_WeldingDetectionReq,
    DC_WeldingDetectionRes,
)
from v2g.reasons import Reason
from v2g.session.errors import Refused

Finished, Ongoing = processingType.Finished, processingType.Ongoing
CABLE_CHECK_LIMIT = EVCC_CABLE_CHECK_TIMEOUT - 2.0  # s; a clear no before the car gives up by itself


def cable_check(_: DC_CableCheckReq, known: Context) -> Reply:
    """Have the isolation measured at the highest voltage that both sides can have; Ongoing meanwhile. Raises on a bad result."""
    checked = check_isolation(known, CABLE_CHECK_LIMIT)
    processing, then = (Finished, State.DC_PRE_CHARGE) if checked.finished else (Ongoing, State.DC_CABLE_CHECK)
    return Reply(_checked(checked.known, processing), then, checked.known, checked.wants)


def _checked(known: Context, processing: processingType) -> DC_CableCheckRes:
    return DC_CableCheckRes(Header=header(known), ResponseCode=Code.OK, EVSEProcessing=processing)


def pre_charge(request: DC_PreChargeReq, known: Context) -> Reply:
    """Bring the output to the car's target voltage, within the range of both ends; the car decides when the voltages match."""
    demand_asking(known)
    if known.unparked:
        raise Refused(Reason.OTHER, known.unparked, None)
    wanted = pre_charge_output(number(request.EVTargetVoltage), known)
    tell = differs(known.service.output_wanted, wanted)
    response = DC_PreChargeRes(Header=header(known), ResponseCode=Code.OK, EVSEPresentVoltage=rational(known.station.output.voltage))
    finished = request.EVProcessing is processingType.Finished or known.state is State.DC_START
    learnt = known.with_service(output_wanted=wanted if tell else known.service.output_wanted, target_voltage=wanted.voltage)
    return Reply(response, State.DC_START if finished else State.DC_PRE_CHARGE, learnt, (wanted,) if tell else ())


def welding_detection(_: DC_WeldingDetectionReq, known: Context) -> Reply:
    """Answer with the voltage at the outlet while the car tests its contactors; the car ends the test by SessionStopReq."""
    if known.station.pilot in ("C", "D"):
        raise Refused(
            Reason.OTHER, f"the control pilot is in state {known.station.pilot}: the car still asks for energy (B is due)", "V2G20-1617"
        )
    response = DC_WeldingDetectionRes(Header=header(known), ResponseCode=Code.OK, EVSEPresentVoltage=rational(known.station.output.voltage))
    return Reply(response, State.DC_WELDING, known)
