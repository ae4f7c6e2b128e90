"""Frames that take long to read are read beside the loop: the session waits, nobody else does, and nothing comes out differently."""

import asyncio
import sys
import threading
from typing import Any

import pytest

from fuzz.siege.states import framed
from secc import readers
from secc import station as words
from secc.pending import Unread
from secc.readers import Readers, aside
from tests.secc import scripted
from tests.secc.scripted import Scripted
from tests.secc.test_order import reach
from tests.secc.test_replay import Taped, holds
from v2g.exi import engine
from v2g.iso20 import frames
from v2g.iso20.sequence import State
from v2g.messages.common_messages import PowerDeliveryReq, ScheduleExchangeReq, SessionStopReq, chargingSessionType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import FrameSent
from v2g.session.v2gtp import Frame
from v2g.workers import TURN, short_turns

ASIDE = 4096
FRAMES = pytest.mark.parametrize("which", [0, 1, 2], ids=["valid", "an octet behind", "cut"])


def waiting(state: State = State.DC_SCHEDULE, limit: int | None = ASIDE) -> Scripted:
    """A session in a state, that leaves large frames to its shell."""
    car = reach(state)
    car.session.desk.limit = limit
    return car


def left(car: Scripted, which: int = 0, kind: Any = ScheduleExchangeReq) -> Unread:
    """Send one, and take it as a shell does."""
    car.octets(framed(kind, car.header())[which])
    unread = car.session.desk.errand()
    assert unread is not None
    assert car.session.desk.errand() is None  # once
    return unread


def give(car: Scripted, unread: Unread) -> None:
    if unread.outcome is None and not unread.failed:
        unread.read()
    car.session.was_read(unread, car.now)
    car.settle()


# --- the session ---


@pytest.mark.parametrize(("state", "kind"), [(State.DC_SCHEDULE, ScheduleExchangeReq), (State.DC_START, PowerDeliveryReq)])
@FRAMES
def test_what_is_read_aside_is_answered_as_what_is_read_in_place(state: State, kind: Any, which: int) -> None:
    here, there = waiting(state, None), waiting(state)
    here.octets(framed(kind, here.header())[which])
    unread = left(there, which, kind)
    assert not there.session.octets_to_send()
    give(there, unread)
    assert [type(event) for event in here.happened] == [type(event) for event in there.happened]
    assert here.session.octets_to_send() == there.session.octets_to_send() != b""
    assert str(here.session.ended) == str(there.session.ended)


def test_what_comes_behind_it_waits_for_it() -> None:
    car = waiting()
    stop = SessionStopReq(Header=car.header(), ChargingSession=chargingSessionType.Terminate)
    car.octets(framed(ScheduleExchangeReq, car.header())[0] + frames.framed(stop))
    unread = car.session.desk.errand()
    assert unread is not None
    assert not car.session.octets_to_send()
    give(car, unread)
    assert [type(answer).__name__ for answer in car.answers()] == ["ScheduleExchangeRes", "SessionStopRes"]


def test_who_sends_on_meanwhile_is_bounded_as_ever() -> None:
    car = waiting()
    unread = left(car)
    large = framed(ScheduleExchangeReq, car.header())[0]
    for _ in range(3):
        car.octets(large)
    give(car, unread)
    assert car.session.ended is not None
    assert "came at once" in str(car.session.ended.reason)


def test_a_car_that_has_spoken_is_not_silent_while_it_is_read() -> None:
    car = waiting()
    unread = left(car)
    car.wait(3600.0)
    assert car.session.ended is None
    give(car, unread)
    assert [answer.ResponseCode for answer in car.answers()] == [Code.OK]
    car.wait(3600.0)
    assert car.session.ended is not None  # but then it is
    assert car.session.ended.how == "timed out"


@pytest.mark.parametrize("end", ["the car closed", "aborted"])
def test_what_is_read_of_a_session_that_is_over_is_forgotten(end: str) -> None:
    car = waiting()
    unread = left(car)
    if end == "aborted":
        car.broken = True
        car.session.abort("the station shuts down", car.now)
    else:
        car.session.receive(b"", car.now)
    car.settle()
    ended, happened = car.session.ended, len(car.happened)
    assert ended is not None
    give(car, unread)
    assert car.session.ended is ended
    assert len(car.happened) == happened
    assert not car.session.octets_to_send()


def test_an_emergency_is_not_left_waiting() -> None:
    car = waiting(State.DC_LOOP)
    car.deliver("ScheduleRenegotiation")
    unread = left(car)
    car.happened.clear()
    car.tell(words.EmergencyStop("the button"))
    assert car.wants(words.OpenContactor)  # at once
    give(car, unread)
    (answer,) = car.answers()
    assert answer.ResponseCode.value.startswith("FAILED")
    assert "the button" in str(car.session.ended.reason if car.session.ended else "")


def test_a_fault_of_the_reader_ends_the_session_safely() -> None:
    car = waiting()
    car.broken = True
    unread = left(car)
    unread.failed.append(RuntimeError("no memory"))
    give(car, unread)
    assert car.session.ended is not None
    assert "no memory" in str(car.session.ended.reason)


def test_an_outcome_is_taken_once_and_of_the_right_frame() -> None:
    car = waiting()
    unread = left(car)
    stranger = Unread(Frame(0x8002, b""), None, unread.decode)
    give(car, stranger)
    assert not car.session.octets_to_send()
    give(car, unread)
    assert len(car.answers()) == 1
    give(car, unread)
    assert not car.session.octets_to_send()


def test_a_session_of_which_every_frame_is_read_aside_is_played_again_from_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    class Aside(Taped):
        def __init__(self, *given: Any, **options: Any):
            super().__init__(*given, **options, aside=0)

        def receive(self, octets: bytes, now: float) -> None:
            super().receive(octets, now)
            while (unread := self.desk.errand()) is not None:
                unread.read()
                self.was_read(unread, now + 0.2)

    Taped.tapes.clear()
    monkeypatch.setattr(scripted, "SeccSession", Aside)
    car = Scripted()
    car.authorized()
    car.select()
    car.parameters()
    car.scheduled()
    assert len([event for event in car.happened if isinstance(event, FrameSent)]) >= 9
    assert holds()


# --- the shell ---


def test_the_compiled_codec_reads_in_place_and_python_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bound in (("compiled", None), ("straight", readers.ASIDE), ("patient", readers.ASIDE)):
        monkeypatch.setattr(engine, "_used", name)
        assert aside() == bound


def run(scene: Any) -> None:
    asyncio.run(asyncio.wait_for(scene(), 300))


def test_the_loop_goes_on_and_one_is_read_at_a_time_in_their_order() -> None:
    async def scene() -> None:
        loop, gate, told, running = asyncio.get_running_loop(), threading.Event(), list[Any](), list[int]()
        done, pool = asyncio.Event(), Readers()

        def slow(number: int) -> Any:
            assert threading.current_thread() is not threading.main_thread()
            running.append(number)
            gate.wait(300)
            return number

        def heard(unread: Unread) -> None:
            told.append((unread.since, unread.outcome))
            if len(told) == 3:
                done.set()

        for number in range(3):
            pool.read(Unread(Frame(0x8002, b""), float(number), lambda *_, number=number: slow(number)), heard)  # type: ignore[misc]
        for _ in range(100):  # the loop turns while the first is read
            await asyncio.sleep(0)
        while not running:  # noqa: ASYNC110 - the thread tells nobody
            await asyncio.sleep(0.01)
        assert running == [0]
        assert not told
        gate.set()
        await done.wait()
        assert told == [(0.0, 0), (1.0, 1), (2.0, 2)]
        pool.close()
        assert loop.is_running()

    run(scene)


def test_a_station_that_shuts_down_waits_for_no_reader() -> None:
    async def scene() -> None:
        gate, pool = threading.Event(), Readers()
        for _ in range(2):
            pool.read(Unread(Frame(0x8002, b""), None, lambda *_: gate.wait(300) or None), lambda unread: None)  # type: ignore[arg-type,return-value]
        pool.close()
        gate.set()

    run(scene)


def test_turns_are_short_while_anybody_works_and_usual_after() -> None:
    usual = sys.getswitchinterval()
    with short_turns():
        assert sys.getswitchinterval() == pytest.approx(TURN)
        with short_turns():
            pass
        assert sys.getswitchinterval() == pytest.approx(TURN)
    assert sys.getswitchinterval() == pytest.approx(usual)
