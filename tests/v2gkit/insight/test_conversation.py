"""OCPP frames as the trace keeps them: each with its action, its outlet, and without passwords."""

import json
from typing import Any

import pytest

from v2g.session.trace import OcppFrame
from v2gkit.insight.conversation import LONGEST, Conversation

OUTLETS = {1: "DE*V2G*E1", 2: "DE*V2G*E2"}


def heard(conversation: Conversation, direction: str, *frame: Any) -> OcppFrame:
    found = conversation.frame(1.0, direction, json.dumps(frame))
    assert found is not None
    return found


def test_an_answer_has_the_action_and_the_outlet_of_its_call() -> None:
    talk = Conversation(OUTLETS)
    call = heard(talk, "out", 2, "a", "NotifyEVChargingNeeds", {"evseId": 2})
    assert (call.direction, call.kind, call.action, call.id, call.evse) == ("sent", "call", "NotifyEVChargingNeeds", "a", "DE*V2G*E2")
    other = heard(talk, "in", 2, "a", "GetReport", {})  # each side numbers its own calls
    answer = heard(talk, "in", 3, "a", {"status": "Accepted"})
    assert (answer.direction, answer.kind, answer.action, answer.evse) == ("received", "result", "NotifyEVChargingNeeds", "DE*V2G*E2")
    error = heard(talk, "out", 4, "a", "NotSupported", "no", {})
    assert (other.evse, error.kind, error.action) == ("", "error", "GetReport")
    assert error.payload == {"code": "NotSupported", "text": "no", "details": {}}
    assert heard(talk, "in", 3, "a", {}).action == ""  # answered before


def test_an_event_of_a_transaction_has_the_outlet_at_which_it_began() -> None:
    talk = Conversation(OUTLETS)
    heard(talk, "out", 2, "1", "TransactionEvent", {"evse": {"id": 2}, "transactionInfo": {"transactionId": "T"}})
    assert heard(talk, "out", 2, "2", "TransactionEvent", {"transactionInfo": {"transactionId": "T"}}).evse == "DE*V2G*E2"
    assert heard(talk, "in", 2, "3", "RequestStopTransaction", {"transactionId": "T"}).evse == "DE*V2G*E2"
    assert heard(talk, "in", 2, "4", "RequestStopTransaction", {"transactionId": "U"}).evse == ""


@pytest.mark.parametrize(
    "payload",
    [
        {"connectionData": {"basicAuthPassword": "geheim", "vpn": {"key": "geheim", "password": "geheim"}, "apn": {"simPin": "geheim"}}},
        {
            "setVariableData": [
                {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}, "attributeValue": "geheim"}
            ]
        },
        {"reportData": [{"variable": {"name": "BasicAuthPassword"}, "variableAttribute": [{"type": "Actual", "value": "geheim"}]}]},
        {"log": {"remoteLocation": "ftp://user:geheim@example.org/logs"}},
    ],
)
def test_a_password_never_gets_out(payload: dict[str, Any]) -> None:
    frame = heard(Conversation(OUTLETS), "in", 2, "1", "Whatever", payload)
    assert "***" in json.dumps(frame.payload)
    assert "geheim" not in json.dumps(frame.payload)


def test_what_is_no_secret_stays() -> None:
    payload = {"setVariableData": [{"variable": {"name": "TxUpdatedInterval"}, "attributeValue": "60"}], "idToken": {"idToken": "A"}}
    assert heard(Conversation(OUTLETS), "in", 2, "1", "SetVariables", payload).payload == payload


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "{}", "[2]", "[9, 1, {}]", "null", '["2", "a", "b", {}]', "[" * 100_000, "[2e999, 1]"]
)
def test_what_is_no_frame_is_none(text: str) -> None:
    assert Conversation(OUTLETS).frame(1.0, "in", text) is None


@pytest.mark.parametrize(
    "rest", [[], [1], [None, None], ["A", []], ["A", {"evse": 3, "transactionInfo": [], "evseId": "x", "eventData": [1]}]]
)
@pytest.mark.parametrize("kind", [2, 3, 4, 5, 6])
def test_a_frame_of_whatever_content_has_a_record(kind: int, rest: list[Any]) -> None:
    assert heard(Conversation(OUTLETS), "in", kind, {}, *rest).evse == ""


def test_a_long_payload_is_left_out_and_nothing_grows_without_bound() -> None:
    talk = Conversation(OUTLETS)
    assert heard(talk, "in", 2, "1", "DataTransfer", {"data": "x" * LONGEST}).payload is None
    for number in range(5000):
        heard(talk, "in", 2, str(number), "GetReport", {"transactionId": str(number), "evseId": 1})
    assert len(talk._open) < 100
    assert len(talk._transactions) < 300
