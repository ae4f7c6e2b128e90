"""Our car negotiates a schedule beside the charge loop: with our station in one virtual time, and with stations that answer otherwise."""

import itertools
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from evcc.car import Car
from evcc.iso20.beside import APART
from evcc.iso20.charge import charge
from evcc.iso20.delivery import RENEGOTIATE, Leave, due
from evcc.iso20.renegotiation import schedule_renegotiation
from evcc.iso20.requests import ONGOING
from evcc.iso20.schedule import request
from evcc.script import Aside, Part
from secc import station as words
from tests.evcc.scripted_station import STANDARD, Answer, Station, code, finished, power_schedule, schedule, schedule_tuple, silence
from tests.evcc.test_pair import car, ended
from tests.evcc.test_session import SAFE, error, run
from tests.evcc.test_session import car as visitor_of
from tests.evcc.virtual_pair import Pair, night
from v2g.energy.offer import Offer
from v2g.iso20.frames import exi, framed
from v2g.messages.common_messages import PowerDeliveryReq, ScheduleExchangeReq
from v2g.messages.common_messages import chargeProgressType as Progress
from v2g.messages.common_types import processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.endpoint import Event, FrameSent, Noted
from v2g.session.errors import Misuse, PeerFailed, TimedOut
from v2g.session.v2gtp import PayloadType, frame

SIDE = PayloadType.SCHEDULE_RENEGOTIATION


def halved(offer: Offer) -> Offer:
    (first,) = offer.tuples
    assert first.charging is not None
    return replace(offer, tuples=(replace(first, charging=first.charging.map(lambda power: power / 2)),))


class Halving(Pair):
    """A station that offers half of the night once it is asked anew, and takes its time to."""

    def _serve(self, event: Event) -> None:
        if isinstance(event, words.NeedsChanged) and not event.first:
            self.later.append((self.now + 1.0, words.ScheduleReady(halved(night(int(self.car.wall))))))
        else:
            super()._serve(event)


def sent(pair: Pair, kind: type) -> list[Any]:
    return [event for event in pair.seen if isinstance(event, FrameSent) and isinstance(event.message, kind)]


@pytest.mark.parametrize("asks", ["car", "station"])
@pytest.mark.parametrize(("service", "control"), [("AC", "Scheduled"), ("DC_BPT", "Scheduled"), ("DC_BPT", "Dynamic")])
def test_the_loop_goes_on_and_power_never_ends(service: str, control: str, asks: str) -> None:
    visitor = car(service, control, loops=60, beside=True)
    script = schedule_renegotiation(5) if asks == "car" else charge
    facts: dict[int, words.Fact] = {} if asks == "car" else {5: words.RenegotiationAsked("Schedule")}
    pair = Halving(visitor, script=script, facts=facts)
    assert ended(pair) == "Terminate"
    exchanges = [event for event in sent(pair, ScheduleExchangeReq) if event.payload_type == SIDE]
    progress = [event.message.ChargeProgress for event in sent(pair, PowerDeliveryReq)]
    assert len(exchanges) > 5
    assert progress == [Progress.Start, Progress.Start, Progress.Stop]
    began, over = exchanges[0].at, sent(pair, PowerDeliveryReq)[1].at
    loops = [e.at for e in pair.seen if isinstance(e, FrameSent) and "ChargeLoop" in type(e.message).__name__]
    gaps = [after - before for before, after in itertools.pairwise(loops) if began <= after <= over]
    assert len(gaps) > 8
    assert max(gaps) < 0.25  # [V2G20-1499] [V2G20-1501]
    assert len(pair.of(words.PowerStarted)) == 1
    chosen = pair.of(words.ScheduleChosen)
    assert len(chosen) == 2
    if control == "Scheduled":
        assert max(chosen[1].profile.values) == 10_000.0 < max(chosen[0].profile.values)
    assert visitor.ev.charged == pytest.approx(pair.imported, rel=0.01)  # nothing is forgotten where one schedule follows another


def test_without_the_wish_the_main_stream_is_used() -> None:
    pair = Halving(car("DC_BPT", loops=30), script=schedule_renegotiation(5))
    assert ended(pair) == "Terminate"
    assert {event.payload_type for event in sent(pair, ScheduleExchangeReq)} == {PayloadType.COMMON}
    progress = [event.message.ChargeProgress for event in sent(pair, PowerDeliveryReq)]
    assert progress == [Progress.Start, Progress.ScheduleRenegotiation, Progress.Start, Progress.Stop]


def test_a_stop_while_it_negotiates_is_obeyed_and_crosses_what_is_under_way() -> None:
    visitor = car("DC_BPT", loops=60, beside=True)
    pair = Halving(visitor, script=schedule_renegotiation(5), facts={8: words.StopAsked("the grid")})
    assert ended(pair) == "Terminate"
    assert visitor.loops < 12
    assert len(pair.of(words.ScheduleChosen)) == 1


# --- stations that answer otherwise ---


def beside(then: Answer) -> Answer:
    """The usual schedule on the main stream; on the side stream this answer."""
    return lambda q, s: (then if s.payload_types[-1] == SIDE else schedule)(q, s)


def changed(**fields: Any) -> Answer:
    """The usual schedule, but for these fields."""
    return lambda q, s: msgspec.structs.replace(schedule(q, s), **fields)


def visit(then: Answer, loops: int = 40, after: int = 3, **answers: Answer) -> tuple[Any, Station, Any]:
    visitor = visitor_of("DC", loops=loops, beside=True)
    station = Station(answers=SAFE | {"AuthorizationReq": finished, "ScheduleExchangeReq": beside(then), **answers})
    return run(visitor, station, schedule_renegotiation(after)), station, visitor


def test_an_offer_of_another_station_is_taken_over() -> None:
    session, station, _visitor = visit(schedule)
    assert session.ended is not None
    assert session.ended.well
    assert [request.ChargeProgress for request in station.of(PowerDeliveryReq)] == [Progress.Start, Progress.Start, Progress.Stop]
    assert station.payload_types.count(SIDE) == 1


def test_a_station_that_has_no_new_schedule_is_charged_from_by_the_old_one() -> None:
    session, station, visitor = visit(changed(ResponseCode=Code.WARNING_ScheduleRenegotiationFailed))
    assert session.ended is not None
    assert session.ended.well
    assert [request.ChargeProgress for request in station.of(PowerDeliveryReq)] == [Progress.Start, Progress.Stop]
    assert visitor.loops == 40
    assert [e.facts["why"] for e in session.events() if isinstance(e, Noted) and e.topic == "no new schedule"] == ["the station has none"]


def test_a_station_that_never_finishes_is_asked_no_longer_than_a_car_polls() -> None:
    session, station, visitor = visit(changed(EVSEProcessing=processingType.Ongoing), loops=700)
    assert session.ended is not None
    assert session.ended.well
    assert visitor.loops == 700
    polls = [t for t, kind in zip(station.requests, station.payload_types, strict=True) if kind == SIDE]
    assert 1 < len(polls) <= ONGOING.seconds / 0.1 + 1
    assert [request.ChargeProgress for request in station.of(PowerDeliveryReq)] == [Progress.Start, Progress.Stop]


def test_silence_on_the_side_stream_is_a_message_that_was_not_answered() -> None:
    session, _station, visitor = visit(silence, loops=200)
    fault = error(session)
    assert isinstance(fault, TimedOut)
    assert "ScheduleExchangeReq" in str(fault)
    assert not visitor.closed


def test_a_station_that_knows_no_such_stream_ends_the_session_and_the_car_opens() -> None:
    session, _station, visitor = visit(code(Code.FAILED_SequenceError))
    assert isinstance(error(session), PeerFailed)
    assert not visitor.closed


def test_an_offer_without_future_leaves_everything_as_it_was() -> None:
    def over(q: Any, s: Station) -> Any:
        past = (schedule_tuple(3, power_schedule(q.Header.TimeStamp - 7200, (3600, 40e3))),)
        return schedule(q, replace(s, tuples=past))

    session, station, _visitor = visit(over)
    assert session.ended is not None
    assert session.ended.well
    assert [request.ChargeProgress for request in station.of(PowerDeliveryReq)] == [Progress.Start, Progress.Stop]


def test_it_is_not_asked_for_again_before_a_minute_is_over() -> None:
    def leave(visitor: Car) -> Leave:
        return due(visitor) or (RENEGOTIATE if visitor.loops >= 3 else None)

    visitor = visitor_of("DC", loops=1000, beside=True)
    station = Station(answers=SAFE | {"AuthorizationReq": finished, "ScheduleExchangeReq": beside(schedule)})
    session = run(visitor, station, lambda each: charge(each, leave))
    assert session.ended is not None
    assert session.ended.well
    asked = [e.at for e in session.events() if isinstance(e, Noted) and e.topic == "schedule asked for beside the loop"]
    assert len(asked) > 1
    assert min(b - a for a, b in itertools.pairwise(asked)) >= APART


def test_a_script_cannot_send_beside_what_has_no_row_there_nor_on_the_main_stream_what_runs_beside() -> None:
    for wrap, before in ((Aside, ScheduleExchangeReq), (lambda request: request, PowerDeliveryReq)):

        def script(visitor: Car, wrap: Any = wrap, before: Any = before) -> Part[str]:
            part, answer = charge(visitor), None
            for _ in range(60):
                step = part.send(answer)
                if isinstance(step, before) and getattr(step, "ChargeProgress", None) is not Progress.Start:
                    yield wrap(request(visitor))
                answer = yield step
            return ""

        visitor = visitor_of("DC", loops=3)
        session = run(visitor, Station(answers=SAFE | {"AuthorizationReq": finished}), script)
        assert isinstance(error(session), Misuse)
        assert "ScheduleExchangeReq" in str(error(session))


def test_a_poll_that_crosses_power_delivery_leaves_the_car_in_step() -> None:
    """The answer of the side stream comes while the answer to PowerDelivery(Start) is under way: the car loops on."""
    held: list[Any] = []

    def late(q: Any, s: Station) -> Any:
        """Never finished, and one loop late."""
        held.append(frame(SIDE, exi(changed(EVSEProcessing=processingType.Ongoing)(q, s))))

    def loop(q: Any, s: Station) -> Any:
        octets = b"".join(held) + framed(STANDARD["DC_ChargeLoopReq"](q, s))
        held.clear()
        return octets

    session, station, visitor = visit(late, loops=30, DC_ChargeLoopReq=loop)
    assert session.ended is not None
    assert session.ended.well, session.ended
    assert station.payload_types.count(SIDE) > 2
    assert visitor.loops == 30
