"""S2: the resource manager of a site, by its messages alone; what a CEM may not say is refused, and lifts nothing."""

import json
from itertools import count
from typing import Any

import pytest

from v2g.energy.signal import Kind
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.s2 import words
from v2gkit.grid.s2.declared import S2
from v2gkit.grid.s2.manager import CHARGE, CONSTRAINTS, DISCHARGE, Manager
from v2gkit.grid.times import written

SOURCE = S2("cem", "ws://localhost:1/", 22_000, 11_000)


class Cem:
    """A CEM's side of the conversation."""

    def __init__(self) -> None:
        numbers = count(1)
        self.manager = Manager(SOURCE, lambda length: next(numbers).to_bytes(length, "big"))
        self.manager.opened(0.0)
        self.numbers = count(1)
        self.heard: list[dict[str, Any]] = []

    def say(self, kind: str, now: float = 0.0, **facts: Any) -> list[dict[str, Any]]:
        """Say a message; what comes back for it."""
        fault = None
        try:
            self.manager.receive(json.dumps({"message_type": kind, "message_id": f"m{next(self.numbers)}", **facts}), now)
        except GridFault as found:
            fault = found
        back = [json.loads(each) for each in self.manager.texts()]
        self.heard += back
        if fault is not None:
            raise fault
        return back

    def begin(self, control: str) -> list[dict[str, Any]]:
        self.say("Handshake", role="CEM")
        self.say("HandshakeResponse", selected_protocol_version=SOURCE.version)
        return self.say("SelectControlType", control_type=control)

    def envelope(
        self, id_: str, start: float, *limits: tuple[float, float, float], now: float = 0.0, **changed: Any
    ) -> list[dict[str, Any]]:
        elements = [{"duration": int(length * 1_000), "lower_limit": low, "upper_limit": high} for length, low, high in limits]
        envelope = {"id": "e1", "commodity_quantity": SOURCE.quantity, "power_envelope_elements": elements}
        facts = {"id": id_, "execution_time": written(start), "power_constraints_id": CONSTRAINTS, "power_envelopes": [envelope]}
        return self.say("PEBC.Instruction", now, **facts | changed)

    def fates(self, id_: str) -> list[str]:
        return [each["status_type"] for each in self.heard if each.get("instruction_id") == id_]

    def tick(self, now: float) -> None:
        self.manager.tick(now)
        self.heard += [json.loads(each) for each in self.manager.texts()]


def spans(cem: Cem, now: float = 0.0) -> dict[str, list[Any]]:
    return {each.signal.kind.value: list(each.signal.power.spans()) for each in cem.manager.told(now)}


def test_it_shakes_hands_says_what_it_can_and_nothing_is_heard_before_an_instruction() -> None:
    cem = Cem()
    (first,) = [json.loads(each) for each in cem.manager.texts()]
    assert (first["message_type"], first["role"], first["supported_protocol_versions"]) == ("Handshake", "RM", ["0.0.2-beta"])
    back = cem.begin(words.ENVELOPE)
    assert [each["message_type"] for each in back] == ["ReceptionStatus", "PEBC.PowerConstraints"]
    assert not cem.manager.ready
    assert not cem.manager.told(0.0)


def test_an_envelope_is_two_caps_and_a_later_one_goes_first_from_its_time_on() -> None:
    cem = Cem()
    cem.begin(words.ENVELOPE)
    cem.envelope("i1", 100, (100, -5_000, 7_000), (100, 0, 3_000))
    assert spans(cem) == {
        "import cap": [(100, 200, 7_000), (200, 300, 3_000)],
        "export cap": [(100, 200, 5_000), (200, 300, 0)],
    }
    cem.envelope("i2", 150, (100, 0, 11_000))
    assert spans(cem)["import cap"] == [(100, 150, 7_000), (150, 250, 11_000)]
    for now in (100.0, 150.0, 250.0):
        cem.tick(now)
    assert cem.fates("i1") == ["ACCEPTED", "STARTED", "SUCCEEDED"]
    assert cem.fates("i2") == ["ACCEPTED", "STARTED", "SUCCEEDED"]
    assert not cem.manager.told(250.0)


def test_what_is_taken_back_or_outdone_holds_no_more_and_versions_grow() -> None:
    cem = Cem()
    cem.begin(words.ENVELOPE)
    cem.envelope("i1", 100, (100, 0, 7_000))
    cem.envelope("i2", 50, (100, 0, 5_000))
    assert cem.fates("i1") == ["ACCEPTED", "ABORTED"]
    first = cem.manager.told(0.0)
    assert cem.manager.told(0.0) == first
    cem.say("RevokeObject", object_type="PEBC.Instruction", object_id="i2")
    assert cem.fates("i2") == ["ACCEPTED", "REVOKED"]
    assert not cem.manager.told(0.0)
    cem.envelope("i3", 50, (100, 0, 6_000))
    assert cem.manager.told(0.0)[0].version > first[0].version


def test_modes_are_setpoints_of_either_sign() -> None:
    cem = Cem()
    back = cem.begin(words.MODES)
    assert len(back[-1]["operation_modes"]) == 3
    cem.say("OMBC.Instruction", id="i1", execution_time=written(10), operation_mode_id=DISCHARGE, operation_mode_factor=0.5)
    cem.say("OMBC.Instruction", id="i2", execution_time=written(20), operation_mode_id=CHARGE, operation_mode_factor=1)
    (told,) = cem.manager.told(0.0)
    assert told.signal.kind is Kind.SETPOINT
    assert next(iter(told.signal.power.spans())) == (10, 20, -5_500)
    assert told.signal.power.at(1_000.0) == 22_000


def test_what_a_cem_said_stands_over_a_lost_connection_and_no_selection_ends_it() -> None:
    cem = Cem()
    cem.begin(words.ENVELOPE)
    cem.envelope("i1", 0, (1_000, 0, 7_000))
    cem.manager.opened(10.0)
    cem.begin(words.ENVELOPE)
    assert spans(cem, 10.0)["import cap"] == [(0, 1_000, 7_000)]
    cem.say("SelectControlType", control_type="NO_SELECTION")
    assert cem.manager.ready
    assert not cem.manager.told(10.0)


REFUSED: list[tuple[dict[str, Any], Trouble]] = [
    ({"limits": ((100, 0, 23_000),)}, Trouble.MALFORMED),
    ({"limits": ((100, -12_000, 0),)}, Trouble.MALFORMED),
    ({"limits": ((100, 0, -1),)}, Trouble.MALFORMED),
    ({"limits": ((40_000_000, 0, 1),)}, Trouble.MALFORMED),
    ({"start": -200.0}, Trouble.EXPIRED),
    ({"start": 1e9}, Trouble.MALFORMED),
    ({"id_": "i1"}, Trouble.REPLAYED),
    ({"power_constraints_id": "theirs"}, Trouble.FOREIGN),
    ({"execution_time": "tomorrow"}, Trouble.MALFORMED),
    ({"power_envelopes": []}, Trouble.MALFORMED),
]


@pytest.mark.parametrize(("changed", "trouble"), REFUSED)
def test_an_instruction_that_cannot_be_meant_is_rejected_and_the_one_before_stands(changed: dict[str, Any], trouble: Trouble) -> None:
    cem = Cem()
    cem.begin(words.ENVELOPE)
    cem.envelope("i1", 0, (1_000, 0, 7_000))
    asked = {"id_": "i9", "start": 10.0, "limits": ((100, 0, 9_000),)} | changed
    with pytest.raises(GridFault) as found:
        cem.envelope(asked.pop("id_"), asked.pop("start"), *asked.pop("limits"), **asked)
    assert found.value.trouble is trouble
    answers = [each for each in cem.heard if each.get("status_type") == "REJECTED" or each.get("status", "OK") != "OK"]
    assert answers
    assert spans(cem)["import cap"] == [(0, 1_000, 7_000)]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"\xff", "INVALID_DATA"),
        ("[" * 50_000, "INVALID_DATA"),
        ('{"message_type": "Nothing", "message_id": "m1"}', "INVALID_MESSAGE"),
        ('{"message_type": "Handshake", "message_id": "m1", "role": "RM"}', "INVALID_CONTENT"),
        ('{"message_type": "HandshakeResponse", "message_id": "m1", "selected_protocol_version": "9"}', "INVALID_CONTENT"),
        ('{"message_type": "SelectControlType", "message_id": "m1", "control_type": "FILL_RATE_BASED_CONTROL"}', "INVALID_CONTENT"),
    ],
)
def test_what_is_no_s2_is_answered_by_its_status(text: str | bytes, status: str) -> None:
    cem = Cem()
    cem.manager.texts()
    with pytest.raises(GridFault):
        cem.manager.receive(text, 0.0)
    assert [json.loads(each)["status"] for each in cem.manager.texts()] == [status]
    with pytest.raises(GridFault) as found:
        cem.manager.receive('{"message_type": "ReceptionStatus", "subject_message_id": "m1", "status": "PERMANENT_ERROR"}', 0.0)
    assert found.value.trouble is Trouble.DENIED


def test_a_cem_that_piles_up_instructions_is_refused_in_time() -> None:
    cem = Cem()
    cem.begin(words.ENVELOPE)
    for number in range(64):
        cem.envelope(f"i{number}", 10.0 * number + 10, (5, 0, 7_000))
    with pytest.raises(GridFault, match="waiting"):
        cem.envelope("i64", 1_000.0, (5, 0, 7_000))
