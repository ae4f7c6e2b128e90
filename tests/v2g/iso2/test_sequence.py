"""The table of ISO 15118-2, held against itself and against what real cars and stations said to each other."""

from typing import Any

import pytest

from tests.v2g.iso2.captured import needs_captures, sessions
from v2g.exi.derive import least
from v2g.iso2.generation import ISO2
from v2g.iso2.sequence import POWERED, REQUESTS, RESPONSES, SEQUENCE, State, requests_in, response_to, row
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.iso2.msg_body import (
    MeteringReceiptReq,
    PowerDeliveryReq,
    SessionSetupReq,
    SessionStopReq,
)
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType, chargeProgressType, paymentOptionType

WAITING = [state for state in State if state is not State.ENDED]


def test_every_request_has_a_row_and_every_state_is_reached_and_left() -> None:
    assert {line.request for line in SEQUENCE} == set(REQUESTS) == set(RESPONSES.values())
    assert {line.state for line in SEQUENCE} == set(WAITING)
    reached = {State.SUPPORTED_APP_PROTOCOL} | {then for line in SEQUENCE for then in line.then}
    assert reached == set(State)
    assert len({(line.state, line.request) for line in SEQUENCE}) == len(SEQUENCE)


def test_each_request_is_paired_with_the_response_of_its_name() -> None:
    for request in REQUESTS:
        assert response_to(request).__name__.removesuffix("Res") == request.__name__.removesuffix("Req")
    assert len(REQUESTS) == 18


def test_a_car_stops_in_order_where_no_power_flows_and_ends_it_first_where_it_does() -> None:
    before = (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP)
    for state in WAITING:
        assert (row(state, SessionStopReq) is not None) == (state not in before and state not in POWERED)
        if state in POWERED:
            assert row(state, PowerDeliveryReq) is not None


def test_the_end_of_a_session_is_reached_from_everywhere() -> None:
    for state in WAITING:
        seen = {state}
        while more := {then for line in SEQUENCE if line.state in seen for then in line.then if then not in seen}:
            assert all(isinstance(each, State) for each in more)
            seen |= {State(each) for each in more}
        assert State.ENDED in seen


@needs_captures
@pytest.mark.parametrize("captured", sessions(), ids=lambda each: each["id"])
def test_the_order_of_real_sessions_is_that_of_the_table(captured: dict[str, Any]) -> None:
    """By request and response alone, as a car follows it: where a station refused a request as out of turn, the table has no row either."""
    states: frozenset[Any] = frozenset({ISO2.first})
    asked: Any = None
    for each in captured["frames"]:
        heard = ISO2.read(int(each["type"], 16), bytes.fromhex(each["exi"]), by_car=each["from"] == "station")
        message: Any = heard.reading.message
        if each["from"] == "car":
            asked = message
            continue
        code = getattr(message, "ResponseCode", None)
        if type(asked) is supportedAppProtocolReq:
            states = frozenset({State.SESSION_SETUP})
            continue
        if type(asked) is MeteringReceiptReq and states == {State.AC_LOOP} and captured["of"] > len(captured["frames"]):
            states = frozenset({State.AC_RECEIPT})  # the loop that asked for it is among those that were cut out
        rows = [found for state in states if (found := ISO2.row(state, type(asked))) is not None]
        if "FAILED" in str(code):
            assert not rows or code.value != "FAILED_SequenceError", f"{type(asked).__name__} in {states} has a row"
            return
        assert rows, f"{type(asked).__name__} in {[state.value for state in states]}"
        assert type(message) is response_to(type(asked))
        if ISO2.stays(asked, message):
            states = frozenset(found.state for found in rows)
        else:
            led = frozenset(state for found in rows for state in found.then)
            states = frozenset(state for state in led if ISO2.leads(asked, state))
        assert states, f"{type(asked).__name__} leads nowhere"


def test_what_a_request_says_tells_where_it_leads() -> None:
    """Every state that a row names is reached by some content of its request: no row names one in vain."""
    said: dict[str, tuple[str, list[Any]]] = {
        "PowerDeliveryReq": ("ChargeProgress", list(chargeProgressType)),
        "PaymentServiceSelectionReq": ("SelectedPaymentOption", list(paymentOptionType)),
        "ChargeParameterDiscoveryReq": ("RequestedEnergyTransferMode", list(EnergyTransferModeType)),
    }
    for line in SEQUENCE:
        name, values = said.get(line.request.__name__, ("", [None]))
        requests = [least(line.request, **({name: value} if name else {})) for value in values]
        for then in line.then:
            polled = then is line.state
            assert polled or any(ISO2.leads(request, then) for request in requests), f"{line.request.__name__} never leads to {then.value}"


def test_a_receipt_is_answered_for_and_leads_back() -> None:
    for state in (State.AC_RECEIPT, State.DC_RECEIPT):
        assert set(requests_in(state)) == {MeteringReceiptReq, PowerDeliveryReq}
    assert ISO2.begins is SessionSetupReq
