"""What a car does with a station that harms it: it opens first, stops in order where it can, and says why."""

from typing import Any

import msgspec
import pytest

from evcc.engine import EvccSession
from evcc.ev import Inlet
from evcc.goal import Goal
from evcc.guard import REACTION, Guard
from tests.evcc.scripted_station import (
    EPOCH,
    Answer,
    Processing,
    Station,
    loop_dc,
    mode_of,
    ok,
    parameters_dc,
    power_schedule,
    run,
    schedule_tuple,
    silence,
)
from tests.evcc.test_session import SAFE, car, error
from v2g.exi.derive import least
from v2g.iso20.rational import number, rational
from v2g.messages import common_messages as cm
from v2g.messages import dc
from v2g.session.endpoint import Event, FrameSent, Noted
from v2g.session.errors import PeerUnsafe

OWN = Inlet(charge_current=400, discharge_current=160, charge_power=150e3, discharge_power=60e3, voltage=500)


def gives(amperes: float, volts: float = 400.0, after: int = 3) -> Answer:
    """A station that behaves for some loops and then gives what it likes."""

    def answer(q: Any, s: Station) -> Any:
        if s.loops < after:
            return loop_dc(q, s)
        s.loops += 1
        kind = mode_of(q)
        most = {"EVSEMaximumChargePower": rational(60e3), "EVSEMaximumChargeCurrent": rational(150), "EVSEMaximumVoltage": rational(500)}
        if "BPT" in kind.__name__:
            most |= {"EVSEMaximumDischargePower": rational(30e3), "EVSEMaximumDischargeCurrent": rational(100)}
        given = least(kind, **(most if "Dynamic" in kind.__name__ else {}))
        return ok(q, s, EVSEPresentCurrent=rational(amperes), EVSEPresentVoltage=rational(volts), CLResControlMode=given)

    return answer


def told(events: list[Event]) -> list[str]:
    """What the car did, in order: requests by name, and what it set."""
    said = []
    for event in events:
        if isinstance(event, FrameSent):
            said.append(type(event.message).__name__.removesuffix("Req"))
        elif isinstance(event, Noted) and event.topic in ("contactors", "control pilot"):
            said.append(f"{event.topic} {event.facts.get('closed', event.facts.get('state'))}")
    return said


def assert_left_safely(session: EvccSession, said: str) -> None:
    """Contactors open before anything else is said, PowerDelivery(Stop), SessionStop that says why, and the reason at the end."""
    fault = error(session)
    assert isinstance(fault, PeerUnsafe), fault
    assert said in str(fault)
    assert told(session.events())[-5:] == ["contactors False", "control pilot B", "PowerDelivery", "SessionStop", "control pilot B"]
    assert session.deadline() is None


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
@pytest.mark.parametrize(
    ("service", "amperes", "volts", "said"),
    [
        ("DC", -100.0, 400.0, "in a service that only charges"),
        ("DC", 1000.0, 400.0, "1000 A flow through an inlet of 400 A"),
        ("DC", 10.0, 900.0, "900 V on an inlet of 500 V"),
        ("DC", 10.0, -100.0, "-100 V on an inlet of 500 V"),
        ("DC", 395.0, 500.0, "197500 W flow through an inlet of 150000 W"),
        ("DC_BPT", -300.0, 400.0, "-300 A flow through an inlet of -160 A"),
        ("DC_BPT", -155.0, 500.0, "-77500 W flow through an inlet of -60000 W"),
        ("DC_BPT", 1000.0, 400.0, "1000 A flow through an inlet of 400 A"),
    ],
)
def test_beyond_what_the_car_bears_the_contactors_open_at_once(service: str, control: str, amperes: float, volts: float, said: str) -> None:
    visitor = car(service, control, loops=None)
    station = Station(answers={**SAFE, "DC_ChargeLoopReq": gives(amperes, volts)})
    session = run(visitor, station, until=60.0)
    assert_left_safely(session, said)
    assert visitor.loops == 3  # the third answer was the first that harmed, and is not counted
    assert said in station.of(cm.SessionStopReq)[0].EVTerminationExplanation


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_a_battery_at_its_reserve_is_not_discharged(control: str) -> None:
    """At 600 times the speed the reserve is gone in seconds: what a ramp may take is counted in loops there."""
    visitor = car("DC_BPT", control, loops=None, scale=600.0, goal=Goal(target_soc=80, minimum_soc=20))
    visitor.ev.energy = visitor.ev.at_soc(40)
    station = Station(answers={**SAFE, "DC_ChargeLoopReq": gives(-60.0)})
    session = run(visitor, station, until=600.0)
    fault = error(session)
    assert isinstance(fault, PeerUnsafe)
    assert ("below its reserve" if control == "Dynamic" else "asked for were") in str(fault)
    assert visitor.ev.soc > 15.0


@pytest.mark.parametrize("amperes", [120.0, -40.0])
def test_a_current_that_nobody_asked_for_is_borne_for_a_ramp_and_no_longer(amperes: float) -> None:
    """The schedule has 10 kW, some 29 A: a station that gives something else may be late, and after a while it is not late."""
    visitor = car("DC_BPT", "Scheduled", loops=None)
    station = Station(answers={**SAFE, "DC_ChargeLoopReq": gives(amperes)})
    station.tuples = (schedule_tuple(3, power_schedule(EPOCH, (8 * 3600, 10e3))),)
    session = run(visitor, station, until=60.0)
    began = station.of(dc.DC_ChargeLoopReq)[0].Header.TimeStamp
    assert_left_safely(session, "asked for were")
    assert REACTION <= visitor.wall - began <= REACTION + 2.0


def test_a_station_that_gives_less_or_is_slow_is_no_danger() -> None:
    station = Station(answers={**SAFE, "DC_ChargeLoopReq": gives(1.0)})
    session = run(car(loops=200), station)
    assert session.ended is not None
    assert session.ended.well


def hold(guard: Guard, amperes: float, since: float, until: float) -> None:
    """The same current for some seconds, measured ten times in each."""
    for tenth in range(int(since * 10) + 1, int(until * 10)):
        guard.measured(400.0, amperes, tenth / 10, 0.0)


def test_a_ramp_from_full_to_nothing_is_awaited() -> None:
    guard = Guard(OWN, bidirectional=False)
    guard.ask(0.0, 300.0)
    guard.measured(400.0, 300.0, 0.0, 0.0)
    guard.ask(0.0, 0.0)
    for tenth in range(1, 160):
        guard.measured(400.0, max(300.0 - 20.0 * tenth / 10, 0.0), tenth / 10, 0.0)
    guard.ask(0.0, 300.0)
    guard.measured(400.0, 300.0, 16.0, 0.0)
    guard.ask(0.0, 0.0)
    with pytest.raises(PeerUnsafe, match="300 A flow, asked for were 0 to 0 A"):
        hold(guard, 300.0, 16.0, 40.0)


def test_the_error_of_an_instrument_is_no_fault() -> None:
    guard = Guard(OWN, bidirectional=True)
    guard.ask(-150.0, 380.0)
    for second in range(100):
        guard.measured(509.0, -2.0, float(second), 1.0)
        guard.measured(375.0, 399.0, second + 0.5, -1.0)


@pytest.mark.parametrize("volts", [900.0, 300.0, 0.0])
def test_contactors_stay_open_when_the_finished_pre_charge_has_another_voltage(volts: float) -> None:
    def pre_charge(q: Any, s: Station) -> Any:
        return ok(q, s, EVSEPresentVoltage=rational(volts) if q.EVProcessing is Processing.Finished else q.EVTargetVoltage)

    station = Station(answers={**SAFE, "DC_PreChargeReq": pre_charge})
    session = run(car(), station)
    fault = error(session)
    assert isinstance(fault, PeerUnsafe), fault
    assert f"{volts:g} V" in str(fault)
    assert station.names()[-2:] == ["DC_PreCharge", "SessionStop"]
    assert "contactors True" not in told(session.events())


def test_a_pre_charge_above_the_inlet_ends_at_once() -> None:
    station = Station(answers={"DC_PreChargeReq": lambda q, s: ok(q, s, EVSEPresentVoltage=rational(900))})
    assert isinstance(error(run(car(), station)), PeerUnsafe)
    assert len(station.of(dc.DC_PreChargeReq)) == 1


@pytest.mark.parametrize("mute", ["PowerDeliveryReq", "SessionStopReq"])
def test_the_reason_survives_a_station_that_answers_no_more(mute: str) -> None:
    def stop(q: Any, s: Station) -> Any:
        return ok(q, s) if getattr(q, "ChargeProgress", None) is cm.chargeProgressType.Start else silence(q, s)

    station = Station(answers={**SAFE, "DC_ChargeLoopReq": gives(1000.0), mute: stop})
    session = run(car(loops=None), station)
    fault = error(session)
    assert isinstance(fault, PeerUnsafe)
    assert "1000 A" in str(fault)
    assert any(isinstance(event, Noted) and event.topic == "no orderly end" for event in session.events())


def test_the_target_voltage_and_current_never_make_more_than_the_profile() -> None:
    station = Station(answers=SAFE)
    visitor = car(loops=50)
    visitor.ev.dc = Inlet(charge_power=43_211.7)
    run(visitor, station)
    assert visitor.known.choice is not None
    promised = number(station.of(cm.PowerDeliveryReq)[0].EVPowerProfile.EVPowerProfileEntries.EVPowerProfileEntry[0].Power)
    assert promised <= 40e3
    for request in station.of(dc.DC_ChargeLoopReq):
        asked = number(request.CLReqControlMode.EVTargetCurrent) * number(request.CLReqControlMode.EVTargetVoltage)
        assert 0 < asked <= promised


@pytest.mark.parametrize("service", ["DC", "DC_BPT"])
def test_limits_that_rise_do_not_raise_what_the_profile_promised(service: str) -> None:
    """Dynamic: 10 kW were announced before power, the loop says 60; the car asks for the 10 kW of its profile."""

    def parameters(q: Any, s: Station) -> Any:
        said = parameters_dc(q, s)
        mode = msgspec.structs.replace(said.DC_CPDResEnergyTransferMode, EVSEMaximumChargePower=rational(10e3))
        return msgspec.structs.replace(said, DC_CPDResEnergyTransferMode=mode)

    station = Station(answers={**SAFE, "DC_ChargeParameterDiscoveryReq": parameters})
    session = run(car(service, "Dynamic", loops=20), station)
    assert session.ended is not None
    assert session.ended.well, session.ended
    asked = [number(request.CLReqControlMode.EVMaximumChargePower) for request in station.of(dc.DC_ChargeLoopReq)]
    assert max(asked) == 10e3
