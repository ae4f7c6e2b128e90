"""A car at stations of every kind: legal, illegal and hostile answers, measurements of any size, drivers, pilots, hardware that fails.

A step is an answer of the station, something that happens to the car, or time that passes, all of it virtual; when a session is over the
car comes to the next station. What must hold is asked of the events (`tests/evcc/witness.py`) and of the session after every step.
`test_machine.py` runs it, and breaks the car on purpose.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from evcc.car import Car, Wish
from evcc.engine import EvccSession
from evcc.ev import Battery, Inlet
from evcc.goal import Goal
from evcc.iso20.charge import charge
from tests.evcc.scripted_station import EPOCH, Code, Station, power_schedule, restamped, schedule_tuple
from tests.evcc.witness import Did, Watched, Witness
from tests.machines import Counted, mode_of
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.iso20.frames import SETS, message, payload_type_of
from v2g.iso20.rational import rational
from v2g.iso20.services import CONTROL, SERVICES
from v2g.messages import common_messages as cm
from v2g.messages import dc, schema_set, wpt
from v2g.messages.common_types import RationalNumberType
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameReceived, StateEntered
from v2g.session.errors import ConnectionLost, Misuse
from v2g.session.v2gtp import FrameReader, PayloadType, frame

OWN: Final = Inlet(charge_power=50e3, discharge_power=30e3, charge_current=130, discharge_current=80, voltage=480, voltage_minimum=200)
AC: Final = Inlet(charge_power=11e3, charge_power_minimum=1e3, discharge_power=7e3, charge_current=16, discharge_current=16, voltage=230)
RESERVE: Final = 20.0  # %
LONGEST: Final = 60.0  # s; no wait of a car is longer
NOTIFICATIONS = ("Terminate", "Pause", "ScheduleRenegotiation", "ServiceRenegotiation", "MeteringConfirmation")
NUMBERS = [RationalNumberType(Exponent=e, Value=v) for e in (-128, 0, 3, 127) for v in (-32768, -1, 0, 1, 32767)]
VOLTS = (0.0, 59.0, 330.0, 350.0, 370.0, 400.0, 470.0, 489.0, 500.0, 600.0, 920.0, -5.0, -400.0)
CODES = {"failed": Code.FAILED, "warning": Code.WARNING_EVPowerProfileViolation, "refused": Code.WARNING_ScheduleRenegotiationFailed}
LIMITED = {  # what a station that states its limits in the loop says, times a share
    "EVSEMaximumChargePower": 40e3,
    "EVSEMaximumChargeCurrent": 100.0,
    "EVSEMaximumDischargePower": 20e3,
    "EVSEMaximumDischargeCurrent": 60.0,
}
Twist = Callable[[Any], Any]
ARRIVALS: dict[str, st.SearchStrategy[Any]] = {  # the cars that come
    "service": st.sampled_from(sorted(SERVICES)),
    "control": st.sampled_from(sorted(CONTROL)),
    "soc": st.one_of(st.floats(RESERVE + 0.1, RESERVE + 0.6), st.floats(RESERVE, 75.0)),
    "scale": st.sampled_from((1.0, 60.0, 200.0)),
    "watts": st.sampled_from((40e3, 12_345.67, 2e3, 0.0)),
    "further": st.integers(0, 45),
    "calm": st.sampled_from((True, True, False)),
    "broken": st.sampled_from(("", "", "", "", "close", "open", "pilot")),
}
alive = precondition(lambda self: self.session.ended is None)
wild = precondition(lambda self: self.session.ended is None and not self.calm)
gone = precondition(lambda self: self.session.ended is not None)


def late(car: Car) -> float:
    """How far (%) below its reserve a battery may be drawn until the car has opened: five loops in step, and a late one."""
    watt_hours = 1.1 * OWN.discharge_power / car.ev.battery.discharge_efficiency * car.clock.scale * (5 * 0.12 + 0.6) / 3600
    return 1.5 + 100 * watt_hours / car.ev.battery.capacity


class Wild(Station):
    """The scripted station, with an answer that may be twisted before it is sent, and measurements of its own."""

    measured: tuple[float, float] | None = None  # V, A; None: what the car asked for
    share: float | None = None  # of its limits, which it then says in every loop

    def answer(self, octets: bytes, twist: Twist) -> bytes:
        """What it says to these requests. A twist gives a message, octets, or several of them."""
        out, reader = b"", FrameReader(2**20)
        reader.feed(self.hear(octets))
        while (heard := reader.next()) is not None:
            meant = self._limiting(self._measuring(message(heard.payload_type, heard.payload)))
            said = twist(meant)
            for each in said if isinstance(said, tuple) else (said,):
                if isinstance(each, bytes):
                    out += each
                elif each is not None:
                    kind = PayloadType(heard.payload_type) if type(each) is type(meant) else payload_type_of(type(each))
                    out += frame(kind, encode(each, schema_set(SETS[kind])))
        return out

    def _limiting(self, said: Any) -> Any:
        if self.share is None or not isinstance(said, dc.DC_ChargeLoopRes):
            return said
        mode = mode_of(said)
        limits = {name: rational(most * self.share) for name, most in LIMITED.items() if name in mode.__struct_fields__}
        return msgspec.structs.replace(said, CLResControlMode=msgspec.structs.replace(mode, **limits))

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


class Visits(Counted):
    """One station after the other. `now` is virtual."""

    car: Car
    judged = True  # whether all that happened was seen and found good

    @initialize(**ARRIVALS)
    def arrive(
        self, service: str, control: str, soc: float, scale: float, watts: float, further: int, calm: bool, broken: str
    ) -> None:  # fmt: skip
        """A car comes, and gets so far with a station that behaves."""
        wish = Wish(services=(service,), control=control, authorizations=("EIM",), bench_plain=True)  # type: ignore[arg-type]
        battery = Battery()
        goal = Goal(target_soc=80, minimum_soc=RESERVE)
        self.ev = Watched(battery, OWN, AC, OWN, OWN, energy=soc / 100 * battery.capacity, broken=broken)
        self.car = Car(self.ev, goal, wish, Clock(EPOCH, 0.0, scale))
        self.ev.say = lambda what, value: self.car.noted.append(Did(self.car.now, what, value))
        self.witness = Witness(self.car, RESERVE, lambda at: self.car.clock.wall(at))
        self.now, self.asked, self.state = 0.0, b"", "SupportedAppProtocol"
        self.over, self.calm = False, calm  # in calm sessions nothing ends them at once: they come further
        both = SERVICES[service].bidirectional
        self.station = Wild(setpoint=-5e3 if both else 5e3)
        back = power_schedule(EPOCH, (7200, watts / 2), (7200, 0.0)) if both else None
        self.station.tuples = (schedule_tuple(3, power_schedule(EPOCH, (600, watts / 2), (36_000, watts)), None, back),)
        self.count("sessions", service)
        self.session = EvccSession(charge, self.car, 0.0)
        self._look()
        for _ in range(further):
            self._exchange(honest)

    @gone
    @rule(**ARRIVALS)
    def the_next_one_arrives(self, **arrival: Any) -> None:
        self.arrive(**arrival)

    # --- what may happen ---

    @alive
    @rule(times=st.integers(1, 10))
    def the_station_behaves(self, times: int) -> None:
        for _ in range(times):
            self._exchange(honest)

    @alive
    @rule(
        volts=st.sampled_from(VOLTS),
        amperes=st.one_of(st.sampled_from((0.0, 2.0, 20.0)), st.floats(-250, 250)),
    )
    def the_station_measures(self, volts: float, amperes: float) -> None:
        self.station.measured = volts, round(amperes, 1)
        self._exchange(honest)

    @alive
    @rule()
    def the_station_follows_again(self) -> None:
        self.station.measured = None

    @alive
    @rule(amperes=st.sampled_from((-60.0, -25.0, 60.0, 120.0)), times=st.sampled_from((5, 40, 200)))
    def the_station_holds_a_current(self, amperes: float, times: int) -> None:
        self.station.measured = 360.0, amperes
        for _ in range(times):
            self._exchange(honest)

    @alive
    @rule(share=st.sampled_from((None, 1.0, 0.5, 0.1, 0.0)))
    def the_station_states_limits(self, share: float | None) -> None:
        self.station.share = share
        self._exchange(honest)

    @alive
    @rule(what=st.sampled_from(NOTIFICATIONS))
    def the_station_notifies(self, what: str) -> None:
        self.station.notify = dict.fromkeys(range(self.station.loops, self.station.loops + 30), what)
        self._exchange(honest)

    @alive
    @rule(watts=st.sampled_from((0.0, 500.0, 30e3, 300e3, -8e3)), begin=st.sampled_from((0, 40_000, -40_000)))
    def the_station_offers_something_else(self, watts: float, begin: int) -> None:
        start = int(self.car.wall) + begin
        self.station.tuples = (schedule_tuple(4, power_schedule(max(start, 0), (36_000, watts))),)

    @alive
    @rule(watts=st.floats(-80e3, 80e3))
    def the_station_wants_a_power(self, watts: float) -> None:
        self.station.setpoint = watts

    @wild
    @rule(value=st.sampled_from(NUMBERS), at=st.integers(0, 200))
    def the_station_says_an_extreme(self, value: RationalNumberType, at: int) -> None:
        def extreme(said: Any) -> Any:
            paths = numbers(said)
            return put(said, paths[at % len(paths)], value) if paths else said

        self._exchange(extreme)

    @wild
    @rule(how=st.sampled_from(("failed", "warning", "stranger", "another", "garbage", "unframed", "twice", "refused")))
    def the_station_misbehaves(self, how: str) -> None:
        def wrong(said: Any) -> Any:
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
                    return said, said
            return said

        self._exchange(wrong)

    @wild
    @rule(lost=st.booleans())
    def the_station_closes(self, lost: bool) -> None:
        if lost:
            self.session.lost(ConnectionLost("the connection was reset"), self.now)
        else:
            self.session.receive(b"", self.now)
        self._look()

    @alive
    @rule(seconds=st.sampled_from((0.01, 0.3, 0.45, 1.9, 70.0)), rarely=st.integers(0, 2))
    def nothing_comes(self, seconds: float, rarely: int) -> None:
        if rarely and seconds > 1.0:
            return
        until = self.now + seconds
        while (due := self.session.deadline()) is not None and due <= until:
            self._tick(due)
            if self.asked:
                break
        self.now = max(self.now, until if self.session.ended else min(until, self.session.deadline() or until))

    @wild
    @rule()
    def the_driver_asks_to_leave(self) -> None:
        self.session.stop("the driver asked")

    @wild
    @rule(state=st.sampled_from(("A", "C", "C", "E", "F")))
    def the_pilot_changes(self, state: str) -> None:
        self.session.pilot(state, self.now)
        self._look()

    @wild
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
        """Let the witness see what happened, in order."""
        self.asked += self.session.octets_to_send()
        self.judged = False
        for event in self.session.events():
            assert not self.over, f"something happens after the end: {event}"
            self.witness.see(event)
            if isinstance(event, StateEntered):
                self.state = event.state
            elif isinstance(event, FrameReceived) and not (code := getattr(event.message, "ResponseCode", Code.OK)).value.startswith("OK"):
                self.count("refusals", code.value)
        self.judged = True
        if self.session.ended is None:
            self.witness.borne()
        elif not self.over:
            self.asked, self.over = b"", True
            error = self.session.ended.error
            self.count("ends", f"{self.state}: {self.session.ended.how if error is None else type(error).__name__}")

    # --- what must hold ---

    @invariant()
    def after_the_end_everything_is_open_and_silent(self) -> None:
        if self.session.ended is not None:
            assert not self.witness.closed, "the contactors are closed after the end"
            assert self.witness.pilot == "B", "the car still wants power after the end"
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
    def an_end_says_why(self) -> None:
        if (ended := self.session.ended) is not None and ended.error is not None:
            assert not isinstance(ended.error, Misuse) or self.ev.failed, f"an exception: {ended.error}"
            assert ended.reason, f"an end has no reason: {ended.error!r}"

    def teardown(self) -> None:
        """A station that falls silent is left: within its timers, whatever the state."""
        if self.session.ended is not None or not self.judged:
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
        self.an_end_says_why()
