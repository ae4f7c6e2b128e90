"""The car's shell over real sockets, in time that jumps: leaving when it is asked to, and coming back after a pause."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from evcc.client import Visit
from evcc.result import Result
from tests.conformance.hostile import Scripted, run_jumping
from tests.evcc.scripted_station import STANDARD, Answer, Code, Station, loop_dc, ok, setup
from tests.evcc.test_session import SAFE, car
from v2g.iso20.rational import rational
from v2g.messages import common_messages as cm
from v2g.session.endpoint import Event, Noted
from v2g.session.errors import Stopped
from v2g.session.link import Link, Observer, Unreachable
from v2g.session.transport import Server

HERE = "::1"


class Notes(Observer):
    def __init__(self) -> None:
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def said(self, topic: str) -> list[dict[str, Any]]:
        return [event.facts for event in self.events if isinstance(event, Noted) and event.topic == topic]


@contextlib.asynccontextmanager
async def station(scripted: Station, port: int = 0) -> AsyncIterator[int]:
    """A scripted station on a real port."""

    def attend(link: Link) -> Any:
        return Scripted(scripted)

    async with Server(attend, HERE, port, None) as server:
        yield server.port


def visitor(notes: Notes | None = None, **given: Any) -> Visit:
    wish = given.pop("wish", {})
    service = given.pop("service", "AC")
    return Visit(car(service, **{"loops": None, **wish}), observe=[lambda *_: notes or Notes()], **given)


def asking(visit: Visit, times: int, answer: Answer) -> Answer:
    """The driver asks to leave while the station is asked for the n-th time."""
    count = [0]

    def asked(q: Any, s: Station) -> Any:
        count[0] += 1
        if count[0] == times:
            asyncio.get_running_loop().call_soon(visit.stop, "SIGTERM")
        return answer(q, s)

    return asked


@pytest.mark.parametrize("service", ["AC", "DC"])
def test_a_car_that_is_told_to_leave_stops_in_order(service: str) -> None:
    async def scenario() -> tuple[Result, Station]:
        visit, scripted = visitor(service=service), Station(answers=SAFE)
        loop = f"{service}_ChargeLoopReq"
        scripted.answers = {**SAFE, loop: asking(visit, 5, STANDARD[loop])}
        async with station(scripted) as port:
            return await visit.at(HERE, port), scripted

    result, scripted = run_jumping(scenario)
    assert (result.ended.how, result.ended.error) == ("Terminate", None)
    assert [q.ChargeProgress.value for q in scripted.of(cm.PowerDeliveryReq)] == ["Start", "Stop"]
    assert scripted.names()[-1] == "SessionStop"
    assert scripted.loops <= 6


def test_a_station_that_does_not_let_it_leave_is_cut_off_after_the_grace() -> None:
    """The inlet stays under voltage for ever; the car's contactors are open, and the reason says who asked."""
    notes = Notes()
    still = lambda q, s: ok(q, s, EVSEPresentVoltage=rational(400))  # noqa: E731

    async def scenario() -> Visit:
        visit = visitor(notes, service="DC", grace=0.5)
        scripted = Station(answers={"DC_ChargeLoopReq": asking(visit, 3, loop_dc), "DC_WeldingDetectionReq": still})
        async with station(scripted) as port:
            result = await visit.at(HERE, port)
        assert isinstance(result.ended.error, Stopped)
        assert "within 0.5 s: SIGTERM" in str(result.ended.error)
        assert scripted.names()[-1] == "DC_WeldingDetection"
        return visit

    visit = run_jumping(scenario)
    assert not visit.car.closed
    assert notes.said("contactors")[-1] == {"closed": False}
    assert notes.said("control pilot")[-1] == {"state": "B"}


def test_a_second_time_is_at_once() -> None:
    async def scenario() -> Visit:
        visit = visitor(service="DC")

        def impatient(q: Any, s: Station) -> Any:
            if s.loops == 2:
                visit.stop("SIGINT")
                visit.abort("SIGINT again")
            return loop_dc(q, s)

        async with station(Station(answers={**SAFE, "DC_ChargeLoopReq": impatient})) as port:
            result = await visit.at(HERE, port)
        assert isinstance(result.ended.error, Stopped)
        assert "SIGINT again" in str(result.ended.error)
        return visit

    visit = run_jumping(scenario)
    assert not visit.car.closed
    assert visit.car.pilot == "B"


@pytest.mark.parametrize("phase", ["connecting", "asking"])
def test_a_car_without_a_session_leaves_at_once(phase: str) -> None:
    async def scenario() -> tuple[Result, float]:
        visit, loop = visitor(), asyncio.get_running_loop()
        began = loop.time()
        loop.call_later(0.5, visit.stop, "SIGTERM")
        if phase == "asking":
            return await visit.on("lo"), loop.time() - began
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as full:  # a backlog of nothing, filled: connecting hangs
            full.bind((HERE, 0))
            full.listen(0)
            with contextlib.ExitStack() as held:
                for _ in range(4):
                    sock = held.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
                    sock.setblocking(False)
                    sock.connect_ex(full.getsockname())
                return await visit.at(HERE, full.getsockname()[1]), loop.time() - began

    result, seconds = run_jumping(scenario)
    assert isinstance(result.ended.error, Stopped)
    assert "before there was a session" in str(result.ended.error)
    assert seconds < 2.0
    assert result.as_dict()["reason"].startswith("Stopped: SIGTERM")


# --- back after a pause ---


def joining(q: Any, s: Station) -> Any:
    """The paused session is known."""
    joined = q.Header.SessionID == s.session_id
    return ok(q, s, ResponseCode=Code.OK_OldSessionJoined) if joined else setup(q, s)


async def paused(away: float, within: float, **given: Any) -> tuple[Result, Station, float]:
    """A car that pauses after three loops at a station that is then gone for some seconds."""
    scripted = Station(answers={**SAFE, "SessionSetupReq": joining})
    visit = visitor(wish={"pause_after": 3, "loops": 6}, resume_within=within, **given)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with contextlib.AsyncExitStack() as first:
        port = await first.enter_async_context(station(scripted))
        driving = asyncio.create_task(visit.at(HERE, port))
        while "SessionStop" not in scripted.names():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
    await asyncio.sleep(away)
    async with station(scripted, port):
        result = await driving
        return result, scripted, loop.time() - began


def test_a_station_that_is_away_for_a_while_is_tried_again() -> None:
    result, scripted, _ = run_jumping(lambda: paused(away=40.0, within=60.0))
    assert result.ended.well, result.ended
    assert result.car.loops == 6
    assert scripted.names().count("AuthorizationSetup") == 1  # joined, not begun anew
    assert result.sessions > 30


def test_a_station_that_stays_away_is_given_up_in_time_and_said() -> None:
    result, _, seconds = run_jumping(lambda: paused(away=200.0, within=60.0))
    assert isinstance(result.ended.error, Unreachable)
    assert "not back within 60 s" in str(result.ended.error)
    assert "nothing listens there" in str(result.ended.error)
    assert seconds > 190  # the scenario's own wait; the car had given up long before
    assert result.until - result.start.now < 70


def test_a_first_connection_is_tried_once() -> None:
    async def scenario() -> Result:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as free:
            free.bind((HERE, 0))
            return await visitor().at(HERE, free.getsockname()[1])

    result = run_jumping(scenario)
    assert result.sessions == 1
    assert "nothing listens there" in str(result.ended.error)


@pytest.mark.parametrize("after", [0.1, 10.0])
def test_the_driver_may_leave_while_the_session_is_paused(after: float) -> None:
    """It ended as it should, paused; nobody is waited for any more."""

    async def scenario() -> tuple[Result, float]:
        scripted = Station(answers=SAFE)
        visit, loop = visitor(wish={"pause_after": 3}, rest=5.0), asyncio.get_running_loop()
        async with station(scripted) as port:
            driving = asyncio.create_task(visit.at(HERE, port))
            while "SessionStop" not in scripted.names():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.sleep(1.5)
        loop.call_later(after, visit.stop, "SIGTERM")
        began = loop.time()
        return await driving, loop.time() - began

    result, seconds = run_jumping(scenario)
    assert (result.ended.how, result.ended.error) == ("Pause", None)
    assert seconds < after + 3.0
