"""Faults of a station under power, in its meter, and at the end of a session."""

from typing import Any
from weakref import WeakSet

import secc.iso20.setup as setup
import secc.pause as pause
from tests.v2gkit.conform import faulty_session as session
from tests.v2gkit.conform.seeding import (
    FINISHED,
    Code,
    Seed,
    all_of,
    answers,
    dies,
    dies_of,
    failing,
    grants,
    grants_where,
    in_kind,
    put,
    puts,
    refuses,
    responds,
    says,
    sequence,
    wrong_code,
)
from v2g.iso20.rational import number, rational
from v2g.messages import ac, dc
from v2g.messages import common_messages as cm

Loop, Way, Progress = dc.DC_ChargeLoopRes, cm.chargingSessionType, cm.chargeProgressType


def never_begins() -> Seed:
    """Power does not begin for a car that is ready at once and says nothing of tolerances."""
    polled: WeakSet[Any] = WeakSet()

    def changed(request: Any, response: Any, session: Any) -> Any:
        if request.EVProcessing is not FINISHED:
            polled.add(session)
        mode = getattr(request.EVPowerProfile, "Scheduled_EVPPTControlMode", None)
        tells = mode is not None and mode.PowerToleranceAcceptance is not None
        starts = request.ChargeProgress is Progress.Start and response.ResponseCode is Code.OK
        return failing(response) if starts and not tells and session not in polled else response

    return responds(cm.PowerDeliveryReq, changed)


def confirmed(response: Any) -> Any:
    return put(response, ResponseCode=Code.OK_PowerToleranceConfirmed) if response.ResponseCode is Code.OK else response


def not_while_busy(request: Any, known: Any, response: Any) -> Any:
    return response if request.EVProcessing is FINISHED else failing(response)


def more_than_stated(response: Any) -> Any:
    mode = response.CLResControlMode
    most = getattr(mode, "EVSEMaximumVoltage", None)
    return response if most is None else put(response, CLResControlMode=put(mode, EVSEMaximumVoltage=rational(2 * number(most))))


def all_the_current(request: Any, known: Any, response: Any) -> Any:
    wanted = request.CLReqControlMode.EVTargetCurrent
    return put(response, EVSEPresentCurrent=wanted) if number(wanted) > 500 else response


def of_one_direction(response: Any) -> Any:
    """Dynamic control of both directions is answered as one of charging alone."""
    mode = response.CLResControlMode
    if type(mode) is not dc.BPT_Dynamic_DC_CLResControlModeType:
        return response
    kept = {name: getattr(mode, name) for name in dc.Dynamic_DC_CLResControlModeType.__struct_fields__}
    return put(response, CLResControlMode=dc.Dynamic_DC_CLResControlModeType(**kept))


def without_reading(asked_for: bool) -> Seed:
    """Responses lack MeterInfo where it was asked for, or where it was not."""
    return responds(
        dc.DC_ChargeLoopReq,
        lambda request, response, session: put(response, MeterInfo=None) if request.MeterInfoRequested is asked_for else response,
    )


def flows_back(request: Any, response: Any, session: Any) -> Any:
    wanted = getattr(request.CLReqControlMode, "EVTargetCurrent", None)
    return put(response, EVSEPresentCurrent=rational(-50)) if wanted is not None and number(wanted) < 0 else response


def in_two_hundred_seconds(response: Any) -> Any:
    status = response.EVSEStatus
    return response if status is None else put(response, EVSEStatus=put(status, NotificationMaxDelay=200))


def early_stop(request: Any, known: Any, response: Any) -> Any:
    return response if known.agreement.selection is not None else failing(response)


def stop(how: cm.chargingSessionType) -> Seed:
    return answers(cm.SessionStopReq, lambda request, _, response: failing(response) if request.ChargingSession is how else response)


POWER: dict[str, Seed] = {
    "S-PWD-01": never_begins(),
    "S-PWD-03": wrong_code(cm.PowerDeliveryRes, Code.FAILED_ScheduleSelectionInvalid),
    "S-PWD-04": wrong_code(cm.PowerDeliveryRes, Code.FAILED_EVPowerProfileInvalid, Code.OK),
    "S-PWD-05": wrong_code(cm.PowerDeliveryRes, Code.WARNING_StandbyNotAllowed, Code.OK),
    "S-PWD-06": grants_where(
        cm.PowerDeliveryReq, lambda request, _: request.ChargeProgress in (Progress.ScheduleRenegotiation, Progress.Stop)
    ),
    "S-STP-01": session.stands_after_power,
    "S-STP-02": answers(cm.SessionStopReq, early_stop),
    "S-STP-04": stop(Way.Pause),
    "S-STP-05": stop(Way.ServiceRenegotiation),
    "S-STP-07": wrong_code(cm.SessionSetupRes, Code.OK_OldSessionJoined, Code.OK_NewSessionEstablished),
    "S-STP-09": session.JOINS_WHAT_IS_OVER,
    "S-PWD-07": says(cm.PowerDeliveryRes, confirmed),
    "S-PWD-08": answers(cm.PowerDeliveryReq, not_while_busy),
    "S-STP-08": all_of(puts(setup, "binding", lambda *_: bytes(64)), puts(pause, "binding", lambda *_: bytes(64))),
    "S-LOP-06": answers(dc.DC_ChargeLoopReq, all_the_current),
    "S-LOP-08": dies_of(dc.DC_ChargeLoopReq, lambda request: request.CLReqControlMode.EVTargetCurrent.Exponent == 127),
    "S-LOP-11": dies_of(dc.DC_ChargeLoopReq, lambda request: getattr(request.DisplayParameters, "ChargingComplete", None)),
    "S-LOP-13": refuses(Loop, dies),
    "S-LOP-02": says(Loop, of_one_direction),
    "S-LOP-03": grants_where(dc.DC_ChargeLoopReq, in_kind),
    "S-LOP-04": sequence(dc.DC_ChargeLoopReq, 10.0),
    "S-LOP-05": session.often(dc.DC_ChargeLoopReq, failing, 22),
    "S-LOP-07": says(Loop, more_than_stated),
    "S-LOP-09": without_reading(True),
    "S-LOP-10": without_reading(False),
    "S-LOP-12": responds(dc.DC_ChargeLoopReq, flows_back),
    "S-STP-06": grants(cm.SessionStopRes),
    "S-LOP-01": wrong_code(ac.AC_ChargeLoopRes, Code.OK),
    "S-MTR-01": wrong_code(cm.MeteringConfirmationRes, Code.OK),
    "S-MTR-02": wrong_code(cm.MeteringConfirmationRes, Code.FAILED_MeteringSignatureNotValid, Code.OK),
    "S-MTR-03": grants_where(
        cm.MeteringConfirmationReq, lambda _, response: response.ResponseCode is not Code.FAILED_MeteringSignatureNotValid
    ),
    "S-LOP-14": says(Loop, in_two_hundred_seconds),
    "S-PWD-02": wrong_code(cm.PowerDeliveryRes, Code.FAILED_ContactorError),
    "S-STP-03": grants_where(dc.DC_WeldingDetectionReq, in_kind),
}
