"""CableCheck, PreCharge and WeldingDetection: the DC outlet before and after power flows."""

from secc.iso2.notices import dc_status
from secc.neutral.context import Context, Reply
from secc.neutral.isolation import check_isolation
from secc.neutral.output import differs, pre_charge_output
from secc.neutral.readiness import demand_asking
from v2g.iso2.physical import V, number, physical
from v2g.iso2.sequence import State
from v2g.iso2.timing import EVCC_CABLE_CHECK_TIMEOUT
from v2g.messages.iso2.msg_body import (
    CableCheckReq,
    CableCheckRes,
    PreChargeReq,
    PreChargeRes,
    WeldingDetectionReq,
    WeldingDetectionRes,
)
from v2g.messages.iso2.msg_data_types import EVSEProcessingType
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.session.errors import Refused

CABLE_CHECK_LIMIT = EVCC_CABLE_CHECK_TIMEOUT - 2.0  # s; a clear no before the car gives up by itself


def cable_check(_: CableCheckReq, known: Context) -> Reply:
    """Have the isolation measured at the highest voltage that both sides can have; Ongoing meanwhile. Raises on a bad result."""
    checked = check_isolation(known, CABLE_CHECK_LIMIT)
    processing = EVSEProcessingType.Finished if checked.finished else EVSEProcessingType.Ongoing
    status = dc_status(checked.known, ready=checked.finished)
    response = CableCheckRes(ResponseCode=Code.OK, DC_EVSEStatus=status, EVSEProcessing=processing)
    then = State.DC_PRE_CHARGE if checked.finished else State.DC_CABLE_CHECK
    return Reply(response, then, checked.known, checked.wants)


def pre_charge(request: PreChargeReq, known: Context) -> Reply:
    """Bring the output to the car's target voltage, within the range of both ends; the car decides when the voltages match."""
    demand_asking(known)
    wanted = pre_charge_output(number(request.EVTargetVoltage), known)
    tell = differs(known.service.output_wanted, wanted)
    learnt = known.with_service(output_wanted=wanted if tell else known.service.output_wanted, target_voltage=wanted.voltage)
    response = PreChargeRes(
        ResponseCode=Code.OK,
        DC_EVSEStatus=dc_status(known, ready=True),
        EVSEPresentVoltage=physical(known.station.output.voltage, V),
    )
    return Reply(response, State.DC_START, learnt, (wanted,) if tell else ())


def welding_detection(_: WeldingDetectionReq, known: Context) -> Reply:
    """Answer with the voltage at the outlet while the car tests its contactors; the car ends the test by SessionStopReq."""
    if known.station.pilot in ("C", "D"):
        why = f"the control pilot is in state {known.station.pilot}: the car still asks for energy (B is due)"
        raise Refused(Reason.OTHER, why, "V2G2-920")
    response = WeldingDetectionRes(
        ResponseCode=Code.OK,
        DC_EVSEStatus=dc_status(known, ready=False),
        EVSEPresentVoltage=physical(known.station.output.voltage, V),
    )
    return Reply(response, State.DC_WELDING, known)
