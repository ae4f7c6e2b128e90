"""The cases of DIN SPEC 70121: what they are, and that the bench's own car and station speak with each other as the tables have it."""

from typing import Any

import pytest

from tests.v2gkit.conform.pure import gravest, pure
from v2g.din.generation import DIN as GENERATION
from v2g.din.sequence import POWERED, REQUESTS, UNUSED, State, requests_in
from v2g.messages.din import msg_body as body
from v2gkit.conform.asked_din import WaysDin
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.card_exchanges import ROWS
from v2gkit.conform.cases.din_order import OCTETS, TURNS, illegal, request
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.pics import Pics
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import is_loop, leaving
from v2gkit.conform.scripted.play import Fault, Play
from v2gkit.conform.scripted.speech import name_of
from v2gkit.conform.scripted.speeches import SPEECHES
from v2gkit.conform.verdict import Verdict
from v2gkit.conform.visit_din import STEPS, VisitDin

CASES = [case for case in catalogue().values() if case.generation == "DIN"]
CARS = [case for case in CASES if case.role == "car"]
SESSION = bytes(range(1, 9))


def car() -> VisitDin:
    """The bench's car, which is not connected."""
    visit = VisitDin(None, WaysDin(), None, 1.0, bytes(6))  # type: ignore[arg-type]
    visit.heard.session_id = SESSION
    return visit


def desk(**given: Any) -> Desk:
    """The scripted station in a session."""
    return Desk(Play(generation="DIN", **given), SESSION, set(), lambda: 1000.0, SPEECHES["DIN"])


def test_there_are_cases_for_both_sides_and_each_stands_on_something() -> None:
    counted = {role: sum(case.role == role for case in CASES) for role in ("station", "car")}
    assert counted == {"station": 51, "car": 56}
    assert not [case.id for case in CASES if not case.requirement and not case.basis]
    assert {case.condition[0] for case in CASES} == {"din"}
    assert not Pics().speaking(("DIN",)).lacking(("din",))
    assert {case.id for case in CASES if not case.control} == {"ED-END-01", "SD-STP-01"}
    assert {Kind.POSITIVE, Kind.NEGATIVE, Kind.TIMING, Kind.ROBUSTNESS} == {case.kind for case in CASES}


@pytest.mark.parametrize("step", STEPS)
def test_each_request_of_the_car_is_read_by_the_station_and_its_answer_by_the_car(step: str) -> None:
    """A whole session of the two that judge, by the codec and the limits of the generation."""
    visit, own = car(), desk()
    octets = visit.octets(visit.usual(step))
    said = GENERATION.read(int.from_bytes(octets[2:4], "big"), octets[8:])
    assert said.session_id in (None, SESSION)
    answer = own.framed(own.good(said.reading.message))
    heard = GENERATION.read(int.from_bytes(answer[2:4], "big"), answer[8:], by_car=True, asked=type(said.reading.message))
    assert type(heard.reading.message) is GENERATION.responses[type(said.reading.message)]
    assert heard.reading.message.ResponseCode.value.startswith("OK")  # type: ignore[attr-defined]
    assert f"{step.removesuffix('Stop') if step == 'PowerDeliveryStop' else step}Req".lower() == name_of(type(said.reading.message)).lower()


def test_the_steps_of_the_car_are_the_session_of_the_station() -> None:
    assert [step for step in STEPS[1:] if step != "PowerDeliveryStop"] == list(SPEECHES["DIN"].session)
    assert [row.request for row in ROWS if row.nth != 2] == list(SPEECHES["DIN"].session)


@pytest.mark.parametrize("state", TURNS)
def test_what_is_sent_out_of_turn_is_what_no_row_has(state: State) -> None:
    found = illegal(state)
    assert not set(found) & set(requests_in(state))
    assert set(UNUSED) <= set(found)
    early = set() if state in POWERED else {body.SessionStopType}
    assert {*found, *requests_in(state), *early} >= {each for each in REQUESTS if each.__module__ == body.__name__}
    for kind in found:
        assert GENERATION.write(request(car(), kind), SESSION).exi


def test_a_fault_of_the_end_is_found_by_the_name_of_its_element() -> None:
    own = desk(fault=Fault("SessionStopReq", lambda request, desk: None))
    assert own.chosen(body.SessionStopType())[1]
    assert leaving(body.SessionStopType())
    assert leaving(car().usual("PowerDeliveryStop"))
    assert not leaving(car().usual("PowerDelivery"))
    assert is_loop(car().usual("CurrentDemand"))
    assert SPEECHES["DIN"].timeout("SessionStop") == 2.0


@pytest.mark.parametrize("case", CARS, ids=lambda case: case.id)
def test_our_own_car_passes_in_virtual_time(case: Case) -> None:
    """Every case of a car: none of them needs TLS, or the program of a car."""
    assert pure(case)
    outcome = gravest(case, "DIN")
    assert outcome.verdict is Verdict.PASS, outcome.seen


def test_odd_octets_are_odd() -> None:
    good = car().octets(car().usual("ChargeParameterDiscovery"))
    assert good not in [spoil(good) for spoil in OCTETS.values()]
