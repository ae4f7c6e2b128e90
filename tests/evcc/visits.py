"""A car at stations of every kind, in any generation: legal, illegal and hostile answers, measurements of any size, hardware that fails.

A step is an answer of the station, something that happens to the car, or time that passes, all of it virtual; when a session is over the
car comes to the next station. What must hold is asked of the events (`tests/evcc/watch.py`) and of the session after every step. What a
station of one generation may say is added by its machine (`tests/evcc/machine.py`, `tests/evcc/iso2/machine2.py`).
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from evcc.car import Car, Wish
from evcc.conduct import Conduct
from evcc.engine import EvccSession
from evcc.ev import Battery, Inlet
from evcc.goal import Goal
from tests.evcc.scripted_station import EPOCH
from tests.evcc.watch import Did, Watch, Watched
from tests.machines import Counted
from v2g.session.clock import Clock
from v2g.session.endpoint import FrameReceived, StateEntered
from v2g.session.errors import ConnectionLost, Misuse

OWN: Final = Inlet(charge_power=50e3, discharge_power=30e3, charge_current=130, discharge_current=80, voltage=480, voltage_minimum=200)
AC: Final = Inlet(charge_power=11e3, charge_power_minimum=1e3, discharge_power=7e3, charge_current=16, discharge_current=16, voltage=230)
RESERVE: Final = 20.0  # %
LONGEST: Final = 60.0  # s; no wait of a car is longer
VOLTS = (0.0, 59.0, 330.0, 350.0, 370.0, 400.0, 470.0, 489.0, 500.0, 600.0, 920.0, -5.0, -400.0)
Twist = Callable[[Any], Any]
CARS: dict[str, st.SearchStrategy[Any]] = {  # what cars differ by in any generation
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


def late(car: Car[Any]) -> float:
    """How far (%) below its reserve a battery may be drawn until the car has opened: five loops in step, and a late one."""
    watt_hours = 1.1 * OWN.discharge_power / car.ev.battery.discharge_efficiency * car.clock.scale * (5 * 0.12 + 0.6) / 3600
    return 1.5 + 100 * watt_hours / car.ev.battery.capacity


def honest(said: Any) -> Any:
    """As it is."""
    return said


def places(said: Any, kind: type) -> list[tuple[Any, ...]]:
    """The paths to every value of a kind in a message."""
    if isinstance(said, kind):
        return [()]
    if isinstance(said, tuple):
        return [(i, *path) for i, part in enumerate(said) for path in places(part, kind)]
    if isinstance(said, msgspec.Struct):
        return [(name, *path) for name in said.__struct_fields__ for path in places(getattr(said, name), kind)]
    return []


def put(said: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The message with another value at a path."""
    if not path:
        return value
    if isinstance(said, tuple):
        return tuple(put(part, path[1:], value) if i == path[0] else part for i, part in enumerate(said))
    return msgspec.structs.replace(said, **{path[0]: put(getattr(said, path[0]), path[1:], value)})


class AnyVisits(Counted):
    """One station after the other. `now` is virtual."""

    car: Car[Any]
    station: Any  # of a generation: it answers octets, twisted
    judged = True  # whether all that happened was seen and found good

    def comes(self, wish: Wish, station: Any, witness: type[Watch], conduct: Conduct, *, soc: float, scale: float, broken: str) -> None:
        """A car comes to a station, and begins."""
        battery = Battery()
        goal = Goal(target_soc=80, minimum_soc=RESERVE)
        self.ev = Watched(battery, OWN, AC, OWN, OWN, energy=soc / 100 * battery.capacity, broken=broken)
        self.car = Car(self.ev, goal, wish, Clock(EPOCH, 0.0, scale))
        self.ev.say = lambda what, value: self.car.noted.append(Did(self.car.now, what, value))
        self.witness = witness(self.car, RESERVE, lambda at: self.car.clock.wall(at))
        self.now, self.asked, self.state = 0.0, b"", "SupportedAppProtocol"
        self.over, self.station = False, station
        self.count("sessions", wish.services[0])
        self.session = EvccSession(conduct.script, self.car, 0.0, conduct)
        self._look()

    # --- what may happen ---

    @alive
    @rule(times=st.integers(1, 10))
    def the_station_behaves(self, times: int) -> None:
        for _ in range(times):
            self.exchange(honest)

    @alive
    @rule(
        volts=st.sampled_from(VOLTS),
        amperes=st.one_of(st.sampled_from((0.0, 2.0, 20.0)), st.floats(-250, 250)),
    )
    def the_station_measures(self, volts: float, amperes: float) -> None:
        self.station.measured = volts, round(amperes, 1)
        self.exchange(honest)

    @alive
    @rule()
    def the_station_follows_again(self) -> None:
        self.station.measured = None

    @alive
    @rule(amperes=st.sampled_from((-60.0, -25.0, 60.0, 120.0)), times=st.sampled_from((5, 40, 200)))
    def the_station_holds_a_current(self, amperes: float, times: int) -> None:
        self.station.measured = 360.0, amperes
        for _ in range(times):
            self.exchange(honest)

    @alive
    @rule(share=st.sampled_from((None, 1.0, 0.5, 0.1, 0.0)))
    def the_station_states_limits(self, share: float | None) -> None:
        self.station.share = share
        self.exchange(honest)

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

    def exchange(self, twist: Twist) -> None:
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
            elif isinstance(event, FrameReceived):
                code = getattr(event.message, "ResponseCode", None)
                if code is not None and not code.value.startswith("OK"):
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
