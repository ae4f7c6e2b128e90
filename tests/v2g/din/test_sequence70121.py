"""The table of DIN SPEC 70121, held against itself and against what real cars and stations said to each other."""

from typing import Any

import pytest

from tests.v2g.iso2.captured import needs_captures, sessions
from v2g.din.generation import DIN
from v2g.din.sequence import POWERED, REQUESTS, RESPONSES, SEQUENCE, UNUSED, State, requests_in, response_to, row
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.messages.app_protocol import supportedAppProtocolReq
from v2g.messages.din.msg_body import (
    ContractAuthenticationReq,
    CurrentDemandReq,
    PowerDeliveryReq,
    SessionSetupReq,
    SessionStopRes,
    SessionStopType,
)

WAITING = [state for state in State if state is not State.ENDED]
# Of the captures, by id: here the car leaves the order. One skips ContractAuthentication and is answered nothing; one asks for the end of a
# session while its station, by its own rules, wants another CableCheckReq; one has the frames of two connections in each other.
OUT_OF_ORDER = {"28f6b430a1", "105248f84c", "067dd996c8"}


def test_every_request_that_is_used_has_a_row_and_every_state_is_reached_and_left() -> None:
    """[V2G-DC-666]: the others are out of turn wherever they come."""
    assert {line.request for line in SEQUENCE} == set(REQUESTS) - set(UNUSED)
    assert set(REQUESTS) == set(RESPONSES.values())
    assert {line.state for line in SEQUENCE} == set(WAITING)
    reached = {State.SUPPORTED_APP_PROTOCOL} | {then for line in SEQUENCE for then in line.then}
    assert reached == set(State)
    assert len({(line.state, line.request) for line in SEQUENCE}) == len(SEQUENCE)


def test_each_request_is_paired_with_the_response_of_its_name() -> None:
    assert response_to(SessionStopType) is SessionStopRes
    for request in set(REQUESTS) - {SessionStopType}:
        assert response_to(request).__name__.removesuffix("Res") == request.__name__.removesuffix("Req")
    assert len(REQUESTS) == 18


def test_a_car_stops_in_order_where_no_power_flows_and_ends_it_first_where_it_does() -> None:
    """[V2G-DC-465]"""
    before = (State.SUPPORTED_APP_PROTOCOL, State.SESSION_SETUP)
    for state in WAITING:
        assert (row(state, SessionStopType) is not None) == (state not in before and state not in POWERED)
        if state in POWERED:
            assert row(state, PowerDeliveryReq) is not None
    assert requests_in(State.DC_LOOP) == (CurrentDemandReq, PowerDeliveryReq)


def test_the_end_of_a_session_is_reached_from_everywhere() -> None:
    for state in WAITING:
        seen: set[Any] = {state}
        while more := {then for line in SEQUENCE if line.state in seen for then in line.then if then not in seen}:
            seen |= more
        assert State.ENDED in seen


@needs_captures
@pytest.mark.parametrize("captured", [each for each in sessions("DIN") if each["id"] not in OUT_OF_ORDER], ids=lambda each: each["id"])
def test_the_order_of_real_sessions_is_that_of_the_table(captured: dict[str, Any]) -> None:
    """By request and response alone, as a car follows it."""
    states: frozenset[Any] = frozenset({DIN.first})
    asked: Any = None
    for each in captured["frames"]:
        try:
            heard = DIN.read(int(each["type"], 16), bytes.fromhex(each["exi"]), by_car=each["from"] == "station")
        except DecodeError:  # with an abstract element: the car made out that it is ready
            states = frozenset({State.DC_CABLE_CHECK})
            continue
        message: Any = heard.reading.message
        if each["from"] == "car":
            asked = message
            continue
        if type(asked) is supportedAppProtocolReq:
            states = frozenset({State.SESSION_SETUP})
            continue
        rows = [found for state in states if (found := DIN.row(state, type(asked))) is not None]
        assert rows, f"{type(asked).__name__} in {[state.value for state in states]}"
        if type(message) is not response_to(type(asked)):
            return  # from here on two loops are in each other
        if DIN.stays(asked, message):
            states = frozenset(found.state for found in rows)
        else:
            led = frozenset(state for found in rows for state in found.then)
            states = frozenset(state for state in led if DIN.leads(asked, state))
        assert states, f"{type(asked).__name__} leads nowhere"


def test_what_a_request_says_tells_where_it_leads() -> None:
    """Every state that a row names is reached by some content of its request: no row names one in vain."""
    for line in SEQUENCE:
        values: list[dict[str, Any]] = (
            [{"ReadyToChargeState": ready} for ready in (True, False)] if line.request is PowerDeliveryReq else [{}]
        )
        requests = [least(line.request, **value) for value in values]
        for then in line.then:
            polled = then is line.state
            assert polled or any(DIN.leads(request, then) for request in requests), f"{line.request.__name__} never leads to {then.value}"


def test_a_poll_stays_where_it_is_until_its_answer_is_finished() -> None:
    """[V2G-DC-418]"""
    asked = least(ContractAuthenticationReq)
    response = response_to(ContractAuthenticationReq)
    processing = least(response).EVSEProcessing  # type: ignore[attr-defined]
    told = {each.value: least(response, EVSEProcessing=each) for each in type(processing)}
    assert {value: DIN.stays(asked, each) for value, each in told.items()} == {"Finished": False, "Ongoing": True}
    assert DIN.begins is SessionSetupReq
