"""A session is played again from its trace alone: all that it sent, wanted and became; and another where it is told something else."""

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from secc import station as words
from secc.engine import SeccSession
from secc.pause import PausedSessions
from secc.replay import Replayed, replay
from tests.secc import scripted
from tests.secc import test_authorization as pnc
from tests.secc import test_metering as metering
from tests.secc import test_stop as pauses
from tests.secc.machine import Sessions
from tests.secc.scripted import SERVICES, Scripted
from v2g.generations import GENERATIONS
from v2g.iso20 import frames
from v2g.session.endpoint import Event, StationSaid
from v2g.session.errors import ConnectionLost
from v2g.session.profiles import LOOSE_CERTIFICATES, PROVISIONING_AS_VEHICLE, WITHOUT_TLS
from v2g.session.trace import Record, Trace, line
from v2g.session.v2gtp import frame


class Taped(SeccSession):
    """A session whose trace is kept, line by line as it would be written."""

    tapes: list[list[Record]] = []  # noqa: RUF012

    def __init__(self, *given: Any, **options: Any):
        super().__init__(*given, **options)
        self.tape: list[Record] = []
        self.trace = Trace("secc", lambda at: self._clock.wall(at), GENERATIONS, connection=len(self.tapes))
        self.tapes.append(self.tape)

    def events(self) -> list[Event]:
        events = super().events()
        self.tape += [json.loads(line(self.trace.record(event))) for event in events]
        return events


@pytest.fixture(autouse=True)
def taped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(scripted, "SeccSession", Taped)
    Taped.tapes.clear()
    yield
    Taped.tapes.clear()


def played() -> list[Replayed]:
    """Every session of this test, again."""
    return [again for tape in Taped.tapes for again in replay(tape)]


def holds() -> list[Replayed]:
    """Nothing differs, and there was something that could."""
    found = played()
    for again in found:
        assert again.differences == ()
    assert found
    return found


def names(records: tuple[Record, ...]) -> list[str]:
    return [record["name"] for record in records if record["type"] in ("frame", "event")]


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_session_that_charged_is_played_again(service: str, control: str) -> None:
    car = Scripted()
    car.charging(service, control)
    car.tell(words.MeterRead(words.MeterReading("M-1", 1234.5, 2.5, car.wall, b"x" * 64)), words.SetpointChanged(-3000.0))
    for _ in range(5):
        car.wait(0.3)
        car.loop(service, control, meter=True)
    car.tell(words.StopAsked("button"))
    car.loop(service, control)
    car.deliver("Stop")
    car.stop()
    car.octets(b"")
    (again,) = holds()
    assert "PowerStarted" in names(again.again)
    assert again.again[-1]["facts"]["how"] == "Terminate"


def test_what_has_no_limit_has_none_again() -> None:
    """JSON has no infinity: what a plan or an outlet leaves open is read back as such, by this version and by a strict reader."""
    car = Scripted()
    car.charging("DC", "Dynamic")
    car.tell(words.LimitsChanged(replace(scripted.LIMITS, discharge_power=math.inf, charge_power=5_000.0)))
    car.loop("DC", "Dynamic")
    *_, fact = (record["facts"] for tape in Taped.tapes for record in tape if record.get("name") == "LimitsChanged")
    assert fact["limits"]["discharge_power"] == "Infinity"
    holds()


def test_sessions_of_random_cars_are_played_again() -> None:
    """Legal, illegal and hostile steps, faults, silence and broken lines: whatever the state machine of the station does."""
    hunt = settings(
        max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,),
        database=None, derandomize=True,
    )  # fmt: skip
    run_state_machine_as_test(Sessions, settings=hunt)  # type: ignore[no-untyped-call]
    found = holds()
    assert len(found) > 60
    ends = {record["facts"]["how"] for again in found for record in again.again if record["type"] == "note" and record["topic"] == "ended"}
    assert len(ends) >= 4


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\n\r\n", b"\x01\xfe\x80\x04\xff\xff\xff\xff", bytes(1 << 20), b""])
def test_a_line_that_breaks_breaks_again(octets: bytes) -> None:
    car = Scripted()
    car.charging()
    car.octets(octets)
    (again,) = holds()
    assert car.session.ended is not None
    assert again.again[-1]["facts"]["why"] == car.session.ended.reason


def test_a_station_that_shuts_down_does_so_again() -> None:
    car = Scripted()
    car.charging()
    car.session.abort("the station closes", car.now)
    car.settle()
    (again,) = holds()
    assert again.again[-1]["facts"]["why"] == "the station closes"


def test_what_time_ends_is_ended_by_the_same_tick() -> None:
    silent, stuck = Scripted(), Scripted()
    silent.charging()
    silent.wait(70.0)
    stuck.ready("AC")
    stuck.auto = False
    stuck.send(stuck.power("Start", EVPowerProfile=stuck.profile()))  # its answer waits for a contactor that does not close
    stuck.wait(5.0)
    first, second = holds()
    assert first.again[-1]["facts"]["how"] == "timed out"
    assert second.again[-1]["facts"]["why"] == "the contactor did not close within 1.4 s"


def test_a_session_by_contract_is_played_again_without_its_verifier() -> None:
    car = metering.charging()
    shown = metering.asked(car)
    assert metering.answer(car, metering.confirmation(car, shown)).ResponseCode.value == "OK"
    car.deliver("Stop")
    (again,) = holds()
    assert {"AuthorizationWanted", "MeteringConfirmed"} <= set(names(again.again))


def test_a_signature_that_did_not_hold_does_not_hold_again() -> None:
    car = pnc.pnc()
    pnc.answer(car, pnc.signed(car, pnc.challenge(car), key=pnc.hierarchy()[pnc.Role.TARIFF].key))
    assert car.session.ended is not None
    (again,) = holds()
    assert again.again[-1]["facts"] == {"how": "refused", "why": car.session.ended.reason, "requirement": car.session.ended.requirement}


@pytest.mark.parametrize("together", [True, False])
def test_a_session_that_was_paused_is_come_back_to_again(together: bool) -> None:
    store: PausedSessions
    store, session_id = pauses.paused("DC")
    car, response = pauses.returned(store, session_id, "DC")
    assert response.ResponseCode.value == "OK_OldSessionJoined"
    car.parameters("DC")
    car.scheduled()
    if not together:
        del Taped.tapes[0]  # the trace of the connection that paused is not there
    found = holds()
    assert found[-1].again[-1]["type"] == "state"
    assert any(record["name"] == "SessionStarted" and record["facts"]["resumed"] for record in found[-1].again if record["type"] == "event")


def test_a_fact_that_is_another_leads_to_another_end() -> None:
    car = Scripted()
    car.charging()

    def otherwise(fact: words.Fact) -> words.Fact:
        return replace(fact, sound=False) if isinstance(fact, words.IsolationMeasured) else fact

    holds()
    (tape,) = Taped.tapes
    (again,) = replay(tape, otherwise)
    assert again.differences
    assert "PowerStarted" in names(again.recorded)
    assert "PowerStarted" not in names(again.again)


@pytest.mark.parametrize("kind", ["fact", "frame"])
def test_a_record_that_is_missing_is_found_out(kind: str) -> None:
    """What stands in the trace is needed: without any one record of what came to it the session does something else."""
    car = Scripted()
    car.charging()
    car.loop()
    (tape,) = Taped.tapes
    came = [n for n, r in enumerate(tape) if r["type"] == kind and r.get("direction") != "sent"]
    assert len(came) > 3
    for n in came:
        (again,) = replay(tape[:n] + tape[n + 1 :])
        assert again.differences, f"nothing was lost with {tape[n]}"


def test_a_fact_that_changes_nothing_is_not_in_the_trace() -> None:
    car = Scripted()
    car.charging()
    before = len(car.happened)
    car.tell(words.ContactorIs(True), words.OutputMeasured(401.0, 12.0), words.OutputMeasured(401.0, 12.0))
    said = [event for event in car.happened[before:] if isinstance(event, StationSaid)]
    assert [event.fact for event in said] == [words.OutputMeasured(401.0, 12.0)]


def test_more_requests_at_once_than_a_station_takes_are_too_many_again() -> None:
    car = Scripted()
    car.charging()
    request = dc_loop(car)
    car.octets(request * 40)
    assert car.session.ended is not None
    assert car.session.ended.reason == "more than 8 requests at once; each waits for the answer before it"
    (again,) = holds()
    assert names(again.again).count("DC_ChargeLoopRes") == names(again.recorded).count("DC_ChargeLoopRes") == 1 + 8
    assert again.again[-1]["facts"]["why"] == car.session.ended.reason


def test_too_many_behind_an_answer_that_waited_are_too_many_again() -> None:
    """They came while the first waited for its fact, and are taken when it comes."""
    car = Scripted()
    car.authorized("AC")
    car.select("AC")
    car.parameters("AC")
    car.scheduled()
    car.auto = False
    start = car.power("Start", EVPowerProfile=car.profile())
    car.octets(frame(frames.payload_type_of(type(start)), frames.exi(start)) + ac_loop(car) * 40)
    car.tell(words.ContactorIs(True))
    assert car.session.ended is not None
    assert car.session.ended.how == "no frame"
    (again,) = holds()
    assert "AC_ChargeLoopRes" in names(again.again)


def dc_loop(car: Scripted) -> bytes:
    """The next request of a car that charges by DC."""
    return tapped(car, lambda: car.loop("DC"))


def ac_loop(car: Scripted) -> bytes:
    """The next request of a car that charges by AC."""
    return tapped(car, lambda: car.loop("AC"))


def tapped(car: Scripted, work: Callable[[], Any]) -> bytes:
    """The octets that something would send, unsent."""
    said: list[bytes] = []
    whole, car.octets = car.octets, said.append  # type: ignore[method-assign]
    try:
        with contextlib.suppress(ValueError):  # there is no answer
            work()
    finally:
        car.octets = whole  # type: ignore[method-assign]
    (octets,) = said
    return octets


@pytest.mark.parametrize("bench", [True, False])
def test_what_was_let_pass_is_let_pass_again(bench: bool) -> None:
    """On a bench, and of certificates: without what the trace has of them the session says otherwise."""
    if bench:
        car = Scripted(given={"tls": None, "insecure": True})
        car.charging()
    else:
        car = Scripted(given={"let_pass": (PROVISIONING_AS_VEHICLE, LOOSE_CERTIFICATES)})
        car.charging()
    (again,) = holds()
    relaxed = [record["relaxation"] for record in again.again if record["type"] == "relaxed"]
    assert relaxed == ([WITHOUT_TLS.name] if bench else [PROVISIONING_AS_VEHICLE.name, LOOSE_CERTIFICATES.name])
    (tape,) = Taped.tapes
    (poorer,) = replay([record for record in tape if record["type"] != "relaxed"])
    assert poorer.differences


def test_a_connection_that_was_lost_is_lost_again() -> None:
    car = Scripted()
    car.charging()
    car.session.lost(ConnectionLost("the connection was lost: Connection reset by peer"), car.now)
    car.settle()
    (again,) = holds()
    assert again.again[-1]["facts"]["how"] == "connection lost"
    assert again.again[-1]["facts"]["why"] == "the connection was lost: Connection reset by peer"
