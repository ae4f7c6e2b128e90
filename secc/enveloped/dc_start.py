"""CableCheck, PreCharge and WeldingDetection: the DC outlet before and after power flows."""

from typing import Any

from secc.enveloped.notices import dc_status
from secc.enveloped.words import Words
from secc.neutral.context import Context, Pending, Reply
from secc.neutral.isolation import check_isolation
from secc.neutral.output import differs, pre_charge_output
from secc.neutral.readiness import demand_asking
from v2g.reasons import Reason
from v2g.session.decimal import number
from v2g.session.errors import Refused

CABLE_CHECK_LIMIT = 38.0  # s; a clear no before the car gives up by itself (V2G_EVCC_CableCheck_Timeout of 40 s)
PILOT_PATIENCE = 1.4  # s for the pilot to follow a request (V2G_SECC_CPState_Detection_Timeout of 1.5 s), less the way of the answer


def cable_check(words: Words, _: Any, known: Context) -> Reply | Pending:
    """Have the isolation measured at the highest voltage that both sides can have; Ongoing meanwhile. Raises on a bad result."""
    if known.station.pilot == "B" and (late := _settling(known)) is not None:
        return late
    checked = check_isolation(known, CABLE_CHECK_LIMIT)
    types = words.types
    processing = types.EVSEProcessingType.Finished if checked.finished else types.EVSEProcessingType.Ongoing
    status = dc_status(words, checked.known, ready=checked.finished)
    response = words.body.CableCheckRes(ResponseCode=types.responseCodeType.OK, DC_EVSEStatus=status, EVSEProcessing=processing)
    then = words.state.DC_PRE_CHARGE if checked.finished else words.state.DC_CABLE_CHECK
    return Reply(response, then, checked.known, checked.wants)


def _settling(known: Context) -> Pending | None:
    """The reply that waits for the pilot to follow the request; None once it took too long."""
    until = known.moment.received + PILOT_PATIENCE
    return Pending(known, until) if known.now < until else None


def pre_charge(words: Words, request: Any, known: Context) -> Reply:
    """Bring the output to the car's target voltage, within the range of both ends; the car decides when the voltages match."""
    demand_asking(known)
    wanted = pre_charge_output(number(request.EVTargetVoltage), known)
    tell = differs(known.service.output_wanted, wanted)
    learnt = known.with_service(output_wanted=wanted if tell else known.service.output_wanted, target_voltage=wanted.voltage)
    response = words.body.PreChargeRes(
        ResponseCode=words.types.responseCodeType.OK,
        DC_EVSEStatus=dc_status(words, known, ready=True),
        EVSEPresentVoltage=words.volts(known.station.output.voltage),
    )
    return Reply(response, words.state.DC_START, learnt, (wanted,) if tell else ())


def welding_detection(words: Words, _: Any, known: Context) -> Reply | Pending:
    """Answer with the voltage at the outlet while the car tests its contactors; the car ends the test by SessionStopReq."""
    if known.station.pilot in ("C", "D"):
        if (late := _settling(known)) is not None:
            return late
        why = f"the control pilot is in state {known.station.pilot}: the car still asks for energy (B is due)"
        raise Refused(Reason.OTHER, why, words.pilot_after_power)
    response = words.body.WeldingDetectionRes(
        ResponseCode=words.types.responseCodeType.OK,
        DC_EVSEStatus=dc_status(words, known, ready=False),
        EVSEPresentVoltage=words.volts(known.station.output.voltage),
    )
    return Reply(response, words.state.DC_WELDING, known)
