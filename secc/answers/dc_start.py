"""CableCheck, PreCharge and WeldingDetection: the DC outlet before and after power flows."""

from dataclasses import replace

from secc.answers.output import matching, moved
from secc.context import Context, Reply
from secc.station import CheckIsolation, Limits, LockConnector
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
from v2g.session.errors import Refused
from v2g.session.rational import number, rational
from v2g.session.sequence import State
from v2g.session.timing import EVCC_CABLE_CHECK_TIMEOUT

CABLE_CHECK_LIMIT = EVCC_CABLE_CHECK_TIMEOUT - 2.0  # s; a clear no before the car gives up by itself


def cable_check(_: DC_CableCheckReq, known: Context) -> Reply:
    """Ongoing while the isolation is measured, at the highest voltage that both sides can have."""
    _asking(known)
    if known.isolation is False:
        raise Refused(Code.FAILED, "the isolation is faulty", None)
    if known.isolation is True:
        return Reply(_checked(known, processingType.Finished), State.DC_PRE_CHARGE, known)
    if known.isolation_asked is None:
        voltage = min((known.car or Limits()).voltage, known.present_limits.voltage)
        # the test closes the contactor by itself: what was known of it before says nothing now
        asked = replace(known, isolation_asked=known.now, contactor=None, contactor_wanted=None)
        wants = (LockConnector(known.now), CheckIsolation(known.now, voltage))
        return Reply(_checked(known, processingType.Ongoing), State.DC_CABLE_CHECK, asked, wants)
    if known.now - known.isolation_asked >= CABLE_CHECK_LIMIT:
        raise Refused(Code.FAILED, f"the isolation was not measured within {CABLE_CHECK_LIMIT:g} s", None)
    return Reply(_checked(known, processingType.Ongoing), State.DC_CABLE_CHECK, known)


def _asking(known: Context) -> None:
    """Raises Refused where the pilot says that the car asks for no energy."""
    if known.pilot in ("A", "B", "E", "F"):
        raise Refused(Code.FAILED, f"the control pilot is in state {known.pilot}, the car must ask for energy (C or D)", None)


def _checked(known: Context, processing: processingType) -> DC_CableCheckRes:
    return DC_CableCheckRes(Header=known.header, ResponseCode=Code.OK, EVSEProcessing=processing)


def pre_charge(request: DC_PreChargeReq, known: Context) -> Reply:
    """The output follows the car's target, never beyond the range of both ends; the car decides when the voltages match."""
    _asking(known)
    wanted = matching(number(request.EVTargetVoltage), known)
    tell = moved(known.output_wanted, wanted)
    response = DC_PreChargeRes(Header=known.header, ResponseCode=Code.OK, EVSEPresentVoltage=rational(known.output.voltage))
    finished = request.EVProcessing is processingType.Finished or known.state is State.DC_START
    learnt = replace(known, output_wanted=wanted if tell else known.output_wanted, target_voltage=wanted.voltage)
    return Reply(response, State.DC_START if finished else State.DC_PRE_CHARGE, learnt, (wanted,) if tell else ())


def welding_detection(_: DC_WeldingDetectionReq, known: Context) -> Reply:
    """What the outlet measures while the car tries its contactors; the car ends it by SessionStop."""
    if known.pilot in ("C", "D"):
        raise Refused(Code.FAILED, f"the control pilot is in state {known.pilot}: the car still asks for energy (B is due)", "V2G20-1617")
    response = DC_WeldingDetectionRes(Header=known.header, ResponseCode=Code.OK, EVSEPresentVoltage=rational(known.output.voltage))
    return Reply(response, State.DC_WELDING, known)
