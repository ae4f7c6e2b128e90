"""Times, refusals, services and numbers of DIN SPEC 70121."""

import math

import pytest

from v2g.din.generation import DIN
from v2g.din.physical import A, V, W, number, optional, physical
from v2g.din.refusals import ALIKE, CODES, UNUSED, code_of, reason_of
from v2g.din.sequence import REQUESTS, response_to
from v2g.din.services import OFFERED, PROTOCOL, REQUESTED, fits
from v2g.din.timing import (
    EVCC_CABLE_CHECK_TIMEOUT,
    EVCC_ONGOING_TIMEOUT,
    EVCC_PRE_CHARGE_TIMEOUT,
    EVCC_READY_TO_CHARGE_TIMEOUT,
    SECC_CP_STATE_DETECTION_TIMEOUT,
    SECC_ONGOING_TIMEOUT,
    SECC_POWER_DELIVERY_TIMEOUT,
    SECC_WELDING_DETECTION_TIMEOUT,
    timing,
)
from v2g.exi.derive import least
from v2g.messages.din.msg_body import CurrentDemandReq, PowerDeliveryReq, SessionStopRes
from v2g.messages.din.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.services import SERVICES

FAILED = {code for code in Code if code.value.startswith("FAILED")}


def test_the_times_are_those_of_the_standard_and_fit_each_other() -> None:
    """[V2G-DC-432] [V2G-DC-863] [V2G-DC-926] [V2G-DC-967] [V2G-DC-969] [V2G-DC-988]"""
    assert (timing(CurrentDemandReq).msg_timeout, timing(CurrentDemandReq).secc_performance) == (0.25, 0.025)
    assert (timing(PowerDeliveryReq).msg_timeout, timing(PowerDeliveryReq).secc_performance) == (2.0, 1.5)
    assert (EVCC_CABLE_CHECK_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT, EVCC_READY_TO_CHARGE_TIMEOUT) == (40.0, 7.0, 150.0)
    assert SECC_POWER_DELIVERY_TIMEOUT == SECC_WELDING_DETECTION_TIMEOUT == 20.0
    assert SECC_CP_STATE_DETECTION_TIMEOUT == 1.5
    assert SECC_ONGOING_TIMEOUT < EVCC_ONGOING_TIMEOUT
    for request in REQUESTS:
        each = timing(request)
        assert each.secc_performance < each.msg_timeout <= each.evcc_performance < each.sequence_timeout == 60.0


def test_every_code_that_refuses_has_one_reason_or_no_use_and_every_reason_a_code() -> None:
    assert set(CODES.values()) | UNUSED == FAILED
    assert not set(CODES.values()) & UNUSED
    assert len(set(CODES.values())) == len(CODES)
    assert all(code_of(reason) in FAILED - UNUSED for reason in Reason)
    assert all(reason_of(code) is reason for reason, code in CODES.items())
    assert reason_of(Code.OK) is Reason.OTHER
    assert not set(ALIKE) & set(CODES)
    assert set(ALIKE.values()) <= set(CODES)


@pytest.mark.parametrize("code", Code, ids=lambda code: code.value)
def test_a_response_that_fails_ends_the_session(code: Code) -> None:
    """[V2G-DC-665]"""
    assert DIN.failure(SessionStopRes(ResponseCode=code)) is (code if code in FAILED else None)
    assert all(DIN.failure(least(response_to(each), ResponseCode=Code.FAILED)) for each in REQUESTS[1:])


def test_what_is_offered_and_asked_for_is_direct_current_over_one_plug() -> None:
    """[V2G-DC-397] [V2G-DC-625]"""
    assert [name for name, each in SERVICES.items() if fits(each)] == ["DC"]
    assert [each.value for each in REQUESTED] == ["DC_extended", "DC_core"]
    assert OFFERED.value == REQUESTED[0].value
    assert (PROTOCOL.namespace, PROTOCOL.major, PROTOCOL.schema_set, PROTOCOL.secure) == ("urn:din:70121:2012:MsgDef", 2, "din", False)


def test_a_number_is_said_with_its_unit_and_read_without() -> None:
    assert (physical(400.0, V).Value, physical(400.0, V).Unit) == (400, V)
    assert [number(physical(value, A, "down")) for value in (125.04999, 0.0, 32_767_000.0)] == [125.04, 0.0, 32_767_000.0]
    assert optional(None) is None
    with pytest.raises(ValueError, match="no physical value"):
        physical(math.nan, W)
