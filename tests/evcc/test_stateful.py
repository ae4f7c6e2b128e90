"""A car at random stations: legal, illegal and hostile answers, measurements of every kind, drivers and pilots, in virtual time.

What must hold whatever comes: contactors are never closed after the end, and closed only on a matched pre-charge, or on an alignment (WPT);
the car never asks for more than its inlet, its profile and its reserve allow, and opens at once before a station that harms it; every
state has a deadline; no exception leaves, and none is swallowed. The second half breaks the car on purpose and sees each of these fail.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from evcc.car import Car, Wish
from evcc.engine import EvccSession
from evcc.ev import WPT_INLET, Battery, Ev, Inlet
from evcc.field_guard import FieldGuard
from evcc.goal import Goal, span
from evcc.guard import Guard
from evcc.iso20.charge import charge
from evcc.iso20.conduct import CONDUCT
from evcc.iso20.dc import Dc
from evcc.iso20.mode import Mode
from tests.evcc.scripted_station import EPOCH, STANDARD, Code, Station, finished, ongoing, power_schedule, restamped, schedule_tuple
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.iso20.frames import SETS, message, payload_type_of
from v2g.iso20.generation import ISO20
from v2g.iso20.rational import number, rational
from v2g.iso20.timing import timing
from v2g.messages import ac, dc, schema_set, wpt
from v2g.messages import common_messages as cm
from v2g.messages.common_types import RationalNumberType, processingType
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameReceived, FrameSent, Noted
from v2g.session.errors import Misuse
from v2g.session.v2gtp import FrameReader, PayloadType, frame

OWN = Inlet(charge_power=50e3, discharge_power=30e3, charge_current=130, discharge_current=80, voltage=480, voltage_minimum=200)
AC = Inlet(charge_power=11e3, charge_power_minimum=1e3, discharge_power=7e3, charge_current=16, discharge_current=16, voltage=230)
RESERVE = 20.0  # %
MATCHED = 20.0  # V
LONGEST = 60.0  # s; no wait of a car is longer
NOTIFICATIONS = ("Terminate", "Pause", "ScheduleRenegotiation", "ServiceRenegotiation", "MeteringConfirmation")
NUMBERS = [RationalNumberType(Exponent=e, Value=v) for e in (-128, 0, 3, 127) for v in (-32768, -1, 0, 1, 32767)]
VOLTS = (0.0, 59.0, 330.0, 350.0, 370.0, 400.0, 470.0, 489.0, 500.0, 600.0, 920.0, -5.0, -400.0)
CODES = {"failed": Code.FAILED, "warning": Code.WARNING_EVPowerProfileViolation, "refused": Code.WARNING_ScheduleRenegotiationFailed}
Twist = Callable[[Any], Any]
ARRIVALS: dict[str, st.SearchStrategy[Any]] = {  # the cars that come
    "service": st.sampled_from(("DC", "DC_BPT", "AC", "AC_BPT", "WPT")),
    "control": st.sampled_from(("Scheduled", "Dynamic")),
    "soc": st.one_of(st.floats(RESERVE + 0.1, RESERVE + 0.6), st.floats(RESERVE, 75.0)),
    "scale": st.sampled_from((1.0, 60.0, 200.0)),
    "watts": st.sampled_from((40e3, 12_345.67, 2e3, 0.0)),
    "further": st.integers(0, 45),
    "calm": st.sampled_from((True, True, False)),
}


def late(car: Car) -> float:
    """How far (%) below its reserve a battery may be drawn until the car has opened: five loops in step, and a late one."""
    watt_hours = 1.1 * OWN.discharge_power / car.ev.battery.discharge_efficiency * car.clock.scale * (5 * 0.12 + 0.6) / 3600
    return 1.5 + 100 * watt_hours / car.ev.battery.capacity


class Wild(Station):
    """The scripted station, with an answer that may be twisted before it is sent, and measurements of its own."""

    measured: tuple[float, float] | None = None  # V, A; None: what the car asked for

    def answer(self, octets: bytes, twist: Twist) -> bytes:
        """What it says to these requests."""
        out, reader = b"", FrameReader(2**20)
        reader.feed(self.hear(octets))
        while (heard := reader.next()) is not None:
            said = twist(self._measuring(message(heard.payload_type, heard.payload)))
            if isinstance(said, bytes):
                out += said
            elif said is not None:
                kind = payload_type_of(type(said))
                out += frame(kind, encode(said, schema_set(SETS[kind])))
        return out

    def _measuring(self, said: Any) -> Any:
        if self.measured is None:
            return said
        volts, amperes = map(rational, self.measured)
        if isinstance(said, dc.DC_ChargeLoopRes):
            return msgspec.structs.replace(said, EVSEPresentVoltage=volts, EVSEPresentCurrent=amperes)
        if isinstance(said, wpt.WPT_ChargeLoopRes):
            return msgspec.structs.replace(said, EVPCPowerRequest=rational(self.measured[0] * self.measured[1]))
        if isinstance(said, dc.DC_PreChargeRes | dc.DC_WeldingDetectionRes):
            return msgspec.structs.replace(said, EVSEPresentVoltage=volts)
        return said


def honest(said: Any) -> Any:
    """As it is."""
    return said


def numbers(said: Any) -> list[tuple[Any, ...]]:
    """The paths to every physical value of a message."""
    if isinstance(said, RationalNumberType):
        return [()]
    if isinstance(said, tuple):
        return [(i, *path) for i, part in enumerate(said) for path in numbers(part)]
    if isinstance(said, msgspec.Struct):
        return [(name, *path) for name in said.__struct_fields__ for path in numbers(getattr(said, name))]
    return []


def put(said: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The message with another value at a path."""
    if not path:
        return value
    if isinstance(said, tuple):
        return tuple(put(part, path[1:], value) if i == path[0] else part for i, part in enumerate(said))
    return msgspec.structs.replace(said, **{path[0]: put(getattr(said, path[0]), path[1:], value)})


class CarAtAStation(RuleBasedStateMachine):
    """One session. `now` is virtual; `closed` is what the car last did with its contactors."""

    car: Car

    @initialize(**ARRIVALS)
    def arrive(self, service: str, control: str, soc: float, scale: float, watts: float, further: int, calm: bool) -> None:
        """A car comes, and gets so far with a station that behaves."""
        wish = Wish(services=(service,), control=control, authorizations=("EIM",), bench_plain=True)  # type: ignore[arg-type]
        battery = Battery()
        goal = Goal(target_soc=80, minimum_soc=RESERVE)
        self.car = Car(Ev(battery, OWN, AC, energy=soc / 100 * battery.capacity), goal, wish, Clock(EPOCH, 0.0, scale))
        self.now, self.asked, self.closed, self.pilot = 0.0, b"", False, "B"
        self.last: Any = None  # the last response that was taken
        self.ends, self.calm = 0, calm  # in calm sessions nothing ends them at once: they come further
        self.station = Wild(setpoint=-5e3 if service.endswith("BPT") else 5e3)
        back = power_schedule(EPOCH, (7200, watts / 2), (7200, 0.0)) if service.endswith("BPT") else None
        self.station.tuples = (schedule_tuple(3, power_schedule(EPOCH, (600, watts / 2), (36_000, watts)), None, back),)
        self.session = EvccSession(charge, self.car, 0.0)
        self._look()
        for _ in range(further):
            self._exchange(honest)

    # --- what may happen ---

    @rule(times=st.integers(1, 10))
    def the_station_behaves(self, times: int) -> None:
        for _ in range(times):
            self._exchange(honest)

    @rule(
        volts=st.sampled_from(VOLTS),
        amperes=st.one_of(st.sampled_from((0.0, 2.0, 20.0)), st.floats(-250, 250)),
    )
    def the_station_measures(self, volts: float, amperes: float) -> None:
        self.station.measured = volts, round(amperes, 1)
        self._exchange(honest)

    @rule()
    def the_station_follows_again(self) -> None:
        self.station.measured = None

    @rule(amperes=st.sampled_from((-60.0, -25.0, 60.0, 120.0)), times=st.sampled_from((5, 40, 200)))
    def the_station_holds_a_current(self, amperes: float, times: int) -> None:
        self.station.measured = 360.0, amperes
        for _ in range(times):
            self._exchange(honest)

    @rule(what=st.sampled_from(NOTIFICATIONS))
    def the_station_notifies(self, what: str) -> None:
        self.station.notify = dict.fromkeys(range(self.station.loops, self.station.loops + 30), what)
        self._exchange(honest)

    @rule(watts=st.sampled_from((0.0, 500.0, 30e3, 300e3, -8e3)), begin=st.sampled_from((0, 40_000, -40_000)))
    def the_station_offers_something_else(self, watts: float, begin: int) -> None:
        start = int(self.car.wall) + begin
        self.station.tuples = (schedule_tuple(4, power_schedule(max(start, 0), (36_000, watts))),)

    @rule(watts=st.floats(-80e3, 80e3))
    def the_station_wants_a_power(self, watts: float) -> None:
        self.station.setpoint = watts

    @precondition(lambda self: not self.calm)
    @rule(value=st.sampled_from(NUMBERS), at=st.integers(0, 200))
    def the_station_says_an_extreme(self, value: RationalNumberType, at: int) -> None:
        def extreme(said: Any) -> Any:
            paths = numbers(said)
            return put(said, paths[at % len(paths)], value) if paths else said

        self._exchange(extreme)

    @precondition(lambda self: not self.calm)
    @rule(how=st.sampled_from(("failed", "warning", "stranger", "another", "garbage", "unframed", "twice", "refused")))
    def the_station_misbehaves(self, how: str) -> None:
        def wrong(said: Any) -> Any:
            kind = payload_type_of(type(said))
            match how:
                case "failed" | "warning" | "refused" if hasattr(said, "Header"):
                    return msgspec.structs.replace(said, ResponseCode=CODES[how])
                case "stranger" if hasattr(said, "Header"):
                    return restamped(said, SessionID=b"\x66" * 8)
                case "another":
                    return least(cm.ServiceSelectionRes, Header=self.station.header)
                case "garbage":
                    return frame(PayloadType.DC, b"\x80\xff\x13\x37" * 9)
                case "unframed":
                    return b"HTTP/1.1 200 OK\r\n\r\n"
                case "twice":
                    octets = frame(kind, encode(said, schema_set(SETS[kind])))
                    return octets * 2
            return said

        self._exchange(wrong)

    @precondition(lambda self: not self.calm)
    @rule()
    def the_station_closes(self) -> None:
        self.session.receive(b"", self.now)
        self._look()

    @rule(seconds=st.floats(0.01, 70.0))
    def nothing_comes(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.session.deadline()) is not None and due <= until:
            self._tick(due)
            if self.asked:
                break
        self.now = max(self.now, until if self.session.ended else min(until, self.session.deadline() or until))

    @precondition(lambda self: not self.calm)
    @rule()
    def the_driver_asks_to_leave(self) -> None:
        self.session.stop("the driver asked")

    @precondition(lambda self: not self.calm)
    @rule(state=st.sampled_from(("A", "C", "C", "E", "F")))
    def the_pilot_changes(self, state: str) -> None:
        self.session.pilot(state, self.now)
        self._look()

    @precondition(lambda self: not self.calm and self.session.ended is None)
    @rule()
    def the_driver_runs_away(self) -> None:
        self.session.abort("at once", self.now)
        self._look()

    # --- how ---

    def _exchange(self, twist: Twist) -> None:
        """Answer what was asked, or let time go on to the next thing that happens."""
        if self.session.ended is None and not self.asked:
            due = self.session.deadline()
            assert due is not None, "the session waits for nothing"
            self._tick(max(due, self.now))
        if not self.asked:
            return
        octets, self.asked = self.asked, b""
        self.now += 0.005
        answer = self.station.answer(octets, twist)
        if answer:
            self.session.receive(answer, self.now)
        self._look()

    def _tick(self, due: float) -> None:
        self.now = due
        self.session.tick(due)
        self._look()
        if self.session.ended is None:
            later = self.session.deadline()
            assert later is not None, "the session waits for nothing"
            assert later > due, "a deadline that was kept comes again"

    def _look(self) -> None:
        """See what the car did, in order."""
        self.asked += self.session.octets_to_send()
        for event in self.session.events():
            match event:
                case FrameReceived(message=said):
                    self.last = said
                case FrameSent(message=asked):
                    assert not self.ends, "something was said after the end"
                    self._judge(asked, self.car.clock.wall(event.at))
                case Noted(topic="contactors", facts=facts):
                    self.closed = facts["closed"]
                    if self.closed and self.car.known.service.row.wireless:
                        assert isinstance(self.last, wpt.WPT_AlignmentCheckRes), "closed before the alignment was checked"
                        assert self.last.EVSEProcessing is processingType.Finished, "closed on an alignment that is still checked"
                    elif self.closed:
                        assert isinstance(self.last, dc.DC_PreChargeRes)
                        assert abs(number(self.last.EVSEPresentVoltage) - self.car.ev.voltage()) <= MATCHED, "closed on another voltage"
                case Noted(topic="control pilot", facts=facts):
                    self.pilot = facts["state"]
        if self.session.ended is not None:
            self.ends += 1
            self.asked = b""
        elif isinstance(self.last, dc.DC_ChargeLoopRes) and self.closed:
            volts, amperes = number(self.last.EVSEPresentVoltage), number(self.last.EVSEPresentCurrent)
            most = OWN.discharge_current if self.car.known.service.bidirectional else 0.0
            assert -0.1 * OWN.voltage <= volts <= 1.1 * OWN.voltage, f"{volts} V and the contactors are closed"
            assert -1.2 * most - 5.0 <= amperes <= 1.2 * OWN.charge_current + 5.0, f"{amperes} A and the contactors are closed"

        elif isinstance(self.last, wpt.WPT_ChargeLoopRes) and self.closed:
            given = number(self.last.EVPCPowerRequest)
            assert -1e3 <= given <= 1.1 * WPT_INLET.charge_power + 1e3, f"{given} W are given and the contactors are closed"

    def _judge(self, asked: Any, wall: float) -> None:
        """No request goes beyond inlet, profile or reserve."""
        if isinstance(asked, wpt.WPT_ChargeLoopReq):
            power, choice = number(asked.EVPCPowerRequest), self.car.known.choice
            assert choice is not None
            promised = choice.at(wall) if self.car.known.service.control == "Scheduled" else max(choice.powers.values)
            assert 0 <= power <= WPT_INLET.charge_power, "more than the inlet takes"
            assert power <= max(promised, 0.0) + 1e-6, "more in than the profile says"
        if not isinstance(asked, dc.DC_ChargeLoopReq | ac.AC_ChargeLoopReq):
            return
        mode, direct = asked.CLReqControlMode, isinstance(asked, dc.DC_ChargeLoopReq)
        own, both = (OWN if direct else AC), self.car.known.service.bidirectional
        said = {name: number(value) for name in mode.__struct_fields__ if isinstance(value := getattr(mode, name), RationalNumberType)}
        back = said.get("EVMaximumDischargePower", 0.0)
        powers = [said[name] for name in ("EVMaximumChargePower", "EVPresentActivePower") if name in said] + [-back]
        if "EVTargetCurrent" in said:
            assert -own.discharge_current <= said["EVTargetCurrent"] <= own.charge_current
            assert said["EVTargetVoltage"] <= own.voltage
            powers.append(said["EVTargetCurrent"] * said["EVTargetVoltage"])
        assert said.get("EVMaximumChargeCurrent", 0.0) <= own.charge_current
        assert said.get("EVMaximumDischargeCurrent", 0.0) <= own.discharge_current
        assert min(powers) >= (-own.discharge_power if both else 0.0), "more than the inlet gives"
        assert max(powers) <= own.charge_power, "more than the inlet takes"
        if min(powers) < 0:
            assert self.car.ev.soc > RESERVE, "a discharge at the reserve"
        assert self.car.known.choice is not None
        if self.car.known.service.control == "Scheduled":
            promised = self.car.known.choice.at(wall)
            assert min(promised, 0.0) - 1e-6 <= min(powers), "more out than the profile says"
            assert max(powers) <= max(promised, 0.0) + 1e-6, "more in than the profile says"
        else:
            assert max(powers) <= max(self.car.known.choice.powers.values) + 1e-6, "more in than the profile says"

    # --- what must hold ---

    @invariant()
    def after_the_end_everything_is_open_and_silent(self) -> None:
        if self.session.ended is not None:
            assert not self.closed, "the contactors are closed after the end"
            assert self.pilot == "B", "the car still wants power after the end"
            assert self.session.deadline() is None
            self.session.tick(self.now + 100.0)
            self.session.receive(b"\x01\xfe", self.now)
            assert self.session.octets_to_send() == b"", "octets after the end"

    @invariant()
    def every_state_has_a_deadline(self) -> None:
        if self.session.ended is None:
            due = self.session.deadline()
            assert due is not None, "the session waits for nothing"
            assert due <= self.now + LONGEST + 1e-6, "a wait is longer than any timer"

    @invariant()
    def the_reserve_is_kept(self) -> None:
        assert self.car.ev.soc >= RESERVE - late(self.car), f"the battery was drawn down to {self.car.ev.soc:.2f} %"

    @invariant()
    def nothing_but_values_ends_it(self) -> None:
        if self.session.ended is not None:
            assert not isinstance(self.session.ended.error, Misuse), f"a fault of our own: {self.session.ended.error}"

    def teardown(self) -> None:
        """A station that falls silent is left: within its timers, whatever the state."""
        if not hasattr(self, "session"):
            return
        began, ticks = self.now, 0
        while self.session.ended is None:
            due = self.session.deadline()
            assert due is not None, "the session waits for nothing"
            self._tick(max(due, self.now))
            self.asked, ticks = b"", ticks + 1
            assert ticks < 100, "the session does not end"
        assert self.now - began <= LONGEST + 5.0, "the session ends later than its timers"
        self.after_the_end_everything_is_open_and_silent()


HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def test_a_car_stays_safe_at_any_station() -> None:
    run_state_machine_as_test(
        CarAtAStation, settings=settings(max_examples=120, stateful_step_count=30, deadline=None, suppress_health_check=HEALTH)
    )


# --- each of them can fail ---


def _left_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Car, "open", lambda self: None)


def _still_wanting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Car, "make_safe", lambda self, say=False: self.open())


def _closing_on_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dc, "_matched", lambda self, response: True)


def _blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "_within_own", lambda self, volts, amperes: None)


def _blind_for_volts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "voltage", lambda self, volts: None)


def _blind_for_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FieldGuard, "given", lambda self, asked, given, put_in, now: None)


def _closing_unaligned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The car takes its last answer for a finished one, and the station takes that back."""
    monkeypatch.setattr("evcc.iso20.wpt.finished", lambda answer: True)

    def taken_back(request: Any, station: Station) -> Any:
        return (finished if len(station.of(wpt.WPT_AlignmentCheckReq)) == 1 else ongoing)(request, station)

    monkeypatch.setitem(STANDARD, "WPT_AlignmentCheckReq", taken_back)


def _drained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "measured", lambda self, volts, amperes, now, below: (self.voltage(volts), self._within_own(volts, amperes)))


def _greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    meant = Mode.wanted
    monkeypatch.setattr(Mode, "wanted", lambda self: meant(self) * 1.01)


def _without_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    def reckless(ev: Ev, goal: Goal, inlet: Inlet, both: bool, step: float) -> tuple[float, float]:
        return (-inlet.discharge_power if both else 0.0), span(ev, goal, inlet, both, step)[1]

    monkeypatch.setattr("evcc.iso20.mode.span", reckless)


def _timeless(monkeypatch: pytest.MonkeyPatch) -> None:
    meant = EvccSession.deadline
    monkeypatch.setattr(EvccSession, "deadline", lambda self: None if self.car.loops == 3 else meant(self))


def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = replace(ISO20, timing=lambda request: replace(timing(request), msg_timeout=500.0))
    monkeypatch.setattr(EvccSession.__init__, "__defaults__", (0.0, replace(CONDUCT, generation=patient)))


def _raising(monkeypatch: pytest.MonkeyPatch) -> None:
    def news(self: Mode, name: str, stated: float | None, since: float) -> float | None:
        return {}[name] if self.car.loops > 4 else stated

    monkeypatch.setattr(Mode, "news", news)


def _talking_on(monkeypatch: pytest.MonkeyPatch) -> None:
    meant = EvccSession._end

    def end(self: EvccSession, how: str, error: Any) -> None:
        meant(self, how, error)
        self._out += frame(PayloadType.COMMON, b"\x80")

    monkeypatch.setattr(EvccSession, "_end", end)
    monkeypatch.setattr(EvccSession, "octets_to_send", lambda self: bytes(self._out))


DISCHARGED = {"service": "DC_BPT", "soc": RESERVE + 0.3, "scale": 200.0, "further": 20, "calm": True}  # in an hour that passes in seconds
FIELD = {"service": "WPT", "calm": True}
RARE: dict[str, dict[str, Any]] = {  # what shows in one of hundreds of cars is looked for among those that can show it
    "a pre-charge that is not looked at": {"service": "DC", "calm": True},
    "a field that is not looked at": FIELD,
    "an alignment that is not looked at": FIELD,
    "a battery that is drained": DISCHARGED,
    "a discharge below the reserve": {"service": "DC_BPT", "soc": RESERVE + 0.3, "calm": True},
}
FAULTS = {
    "a field that is not looked at": (_blind_for_fields, "W are given and the contactors are closed"),
    "an alignment that is not looked at": (_closing_unaligned, "an alignment that is still checked"),
    "contactors that stay closed": (_left_closed, "closed after the end"),
    "a pilot that stays at C": (_still_wanting, "still wants power"),
    "a pre-charge that is not looked at": (_closing_on_anything, "closed on another voltage"),
    "currents that are not looked at": (_blind, "A and the contactors are closed"),
    "voltages that are not looked at": (_blind_for_volts, "V and the contactors are closed|closed on another voltage"),
    "one percent too much": (_greedy, "more (in|out) than the profile|more than the inlet"),
    "a state without a deadline": (_timeless, "waits for nothing"),
    "a wait of minutes": (_patient, "longer than any timer|later than its timers"),
    "a battery that is drained": (_drained, "was drawn down"),
    "a discharge below the reserve": (_without_reserve, "a discharge at the reserve"),
    "words after the end": (_talking_on, "octets after the end"),
    "an exception of our own": (_raising, "a fault of our own"),
}


def among(known: dict[str, Any]) -> type[CarAtAStation]:
    """The same with cars of which this much is known."""

    class Known(CarAtAStation):
        @initialize(**{**ARRIVALS, **{name: st.just(value) for name, value in known.items()}})
        def arrive(self, **arrival: Any) -> None:
            super().arrive(**arrival)

    return Known


@pytest.mark.parametrize("fault", FAULTS)
def test_each_of_these_can_fail(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A car that is broken in one place is found out, by the invariant that is about it."""
    broken, said = FAULTS[fault]
    broken(monkeypatch)
    with pytest.raises(AssertionError, match=said):
        run_state_machine_as_test(
            among(RARE.get(fault, {})),
            settings=settings(
                max_examples=4000, stateful_step_count=30, deadline=None, suppress_health_check=HEALTH,
                phases=(Phase.generate,), derandomize=True, database=None,
            ),
        )  # fmt: skip
