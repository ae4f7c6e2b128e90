"""Values that no message holds, from hardware, backend or scheduler: the car is answered, the session ends, the outlet is safe."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from secc import station as words
from tests.secc.scripted import LIMITS, Scripted
from tests.secc.test_order import reach
from v2g.energy.offer import Offer, Tuple
from v2g.energy.series import Series
from v2g.exi.schema import Type
from v2g.iso20.sequence import State
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import StationFailed

NAN, HUGE = float("nan"), 1e200
READING = words.MeterReading("M", 100.0, 0.0, 1.8e9)


def meter(**changes: Any) -> words.Fact:
    return words.MeterRead(replace(READING, **changes))


def schedule(car: Scripted, count: int) -> Offer:
    start = float(int(car.wall))
    return Offer((Tuple(1, Series.from_pairs([(start + i, 1000.0 + i) for i in range(count)], start + count)),))


LOOP: list[words.Fact] = [
    meter(signature=b"s" * 70),  # an ASN.1 signature, where r and s are meant
    meter(signature=b"s" * 96),
    meter(status=99_999),
    meter(meter_id="\ud800"),
    meter(imported=NAN),
    meter(imported=HUGE),
    meter(at=NAN),
    meter(at=-1.0),
    words.OutputMeasured(NAN, 0.0),
    words.OutputMeasured(400.0, HUGE),
    words.OutputMeasured(HUGE, HUGE),
    words.LimitsChanged(replace(LIMITS, charge_power=NAN)),
    words.LimitsChanged(replace(LIMITS, charge_current=NAN, voltage=NAN)),
]


def ends_safely(car: Scripted, ask: Callable[[], Any]) -> None:
    """The request is answered, FAILED if the value stood in the way, and nothing leaves the session but octets and events."""
    live = car.session.context.live
    answer = ask()
    if car.session.ended is None:
        assert answer.ResponseCode.value.startswith("OK")
        return
    assert answer.ResponseCode is Code.FAILED
    assert isinstance(car.session.ended.error, StationFailed)
    assert car.session.ended.error.__cause__ is not None
    assert car.session.ended.how == "failed"
    assert bool(car.wants(words.OpenContactor)) or not live
    assert len(car.wants(words.PowerStarted)) == len(car.wants(words.PowerStopped))
    assert car.session.deadline() is None


@pytest.mark.parametrize("service", ["AC_BPT", "DC_BPT"])
@pytest.mark.parametrize("fact", LOOP, ids=repr)
def test_a_value_of_the_hardware_that_no_message_holds(fact: words.Fact, service: str) -> None:
    car = Scripted(broken=True)
    car.charging(service)
    car.tell(fact)
    ends_safely(car, lambda: car.loop(service, meter=True))
    car.octets(b"")
    assert car.session.ended is not None


@pytest.mark.parametrize("service", ["AC_BPT", "DC_BPT"])
@pytest.mark.parametrize("power", [NAN, HUGE, float("inf")])
def test_a_setpoint_that_is_no_power(service: str, power: float) -> None:
    car = Scripted(broken=True)
    car.ready(service, "Dynamic")
    car.start("Dynamic")
    car.tell(words.SetpointChanged(power))
    ends_safely(car, lambda: car.loop(service, "Dynamic"))


@pytest.mark.parametrize(
    "offer",
    [
        lambda car: schedule(car, 1500),
        lambda car: Offer(()),
        lambda car: replace(schedule(car, 2), tuples=(replace(schedule(car, 2).tuples[0], id=0),)),
        lambda car: Offer((Tuple(1, Series.constant(float(int(car.wall)), 3600.0, float("inf"))),)),
        lambda car: Offer((Tuple(1, Series.constant(float(int(car.wall)), 3600.0, 1000.0), tolerance=NAN),)),
        lambda car: replace(schedule(car, 2), currency="euros, all of them"),
    ],
)
def test_an_offer_that_no_message_holds(offer: Callable[[Scripted], Offer]) -> None:
    car = Scripted(broken=True)
    car.authorized("DC")
    car.select("DC")
    car.parameters("DC")
    car.auto = False
    car.exchange()
    car.tell(words.ScheduleReady(offer(car)))
    ends_safely(car, car.exchange)


def test_two_schedules_under_one_id_are_no_offer() -> None:
    car = Scripted()
    car.authorized("DC")
    car.select("DC")
    car.parameters("DC")
    car.auto = False
    car.exchange()
    (one, *_) = schedule(car, 2).tuples
    car.tell(words.ScheduleReady(Offer((one, replace(one, charging=Series.constant(float(int(car.wall)), 3600.0, 7_000.0))))))
    assert car.exchange().ResponseCode is Code.FAILED
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, StationFailed)
    assert "the ids 1, 1; each needs one of its own" in car.session.ended.reason


@pytest.mark.parametrize("state", [s for s in State if s is not State.ENDED], ids=lambda s: s.value)
def test_an_answer_that_raises_ends_in_every_state_with_the_outlet_safe(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    from secc.iso20 import conduct
    from tests.secc.test_order import request
    from v2g.iso20.sequence import requests_in

    car = reach(state)
    car.broken = True
    live, kind = car.session.context.live, requests_in(state)[0]

    def fails(*_: Any) -> Any:
        raise KeyError("a bug")

    monkeypatch.setattr(conduct, "ANSWERS", dict.fromkeys(conduct.ANSWERS, fails))
    monkeypatch.setattr("secc.reception.choose_generation", fails)
    before = len(car.wants(words.OpenContactor))
    car.send(request(car, kind))
    (answer,) = car.answers()
    assert answer.ResponseCode.value.startswith("F")
    assert car.session.ended is not None
    assert "KeyError" in str(car.session.ended.error)
    assert len(car.wants(words.OpenContactor)) - before == live


def test_even_an_answer_that_cannot_say_failed_ends_with_the_outlet_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    from v2g.iso20 import frames

    car = reach(State.DC_LOOP)
    car.broken = True

    def fails(message: Type) -> bytes:
        raise ValueError("the codec is broken")

    octets = frames.framed(car.power("Stop"))
    monkeypatch.setattr(frames, "exi", fails)
    car.octets(octets)
    assert car.session.ended is not None
    assert isinstance(car.session.ended.error, StationFailed)
    assert len(car.wants(words.OpenContactor)) == len(car.wants(words.PowerStopped)) == 1


def test_a_fact_that_raises_ends_with_the_outlet_safe() -> None:
    car = reach(State.DC_LOOP)
    car.broken = True

    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    car.session._conduct = replace(car.session._conduct, learn=fails)
    car.tell(words.PauseAsked())
    assert car.session.ended is not None
    assert len(car.wants(words.OpenContactor)) == 1
    car.session.tick(car.now + 100)
    car.session.tell(words.PauseAsked(), car.now)
    car.session.receive(b"x", car.now)
