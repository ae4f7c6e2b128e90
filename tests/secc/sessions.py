"""A station's session under cars of every kind, in any generation: legal, illegal and hostile, with hardware that is slow or broken.

All of it is in virtual time. A step is what a car says, what the station is told, or time that passes; when a session is over the next car
comes. What must hold is asked of the events (`tests/secc/watch.py`) and of the session after every step. What a car of one generation may
say is added by its machine (`tests/secc/machine.py`, `tests/secc/iso2/machine2.py`).
"""

import contextlib
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from secc import station as words
from secc.neutral import supervision
from tests.machines import Counted
from tests.secc.erratic import NoAnswer
from tests.secc.watch import Watch
from v2g.energy.der import GridControl, RideThrough
from v2g.session.endpoint import FrameSent, Noted
from v2g.session.errors import Misuse, StationFailed

GRID = (GridControl(), GridControl(discharge_maximum=100.0), GridControl(over_voltage=RideThrough(264.0), var=500.0))
OF_A_PLUG = (words.PilotIs("A"), words.PilotIs("E"), words.PilotIs("F"), words.ConnectorLock(False))  # which a field has not
HAZARDS = (*OF_A_PLUG, words.EmergencyStop("button"), words.IsolationMeasured(False))
LOST_FIELDS = (  # what takes a field away at once, where the service is WPT
    words.AlignmentIs(words.Alignment(False, reason="moved")),
    words.PositionIs(words.Position(900)),
    words.AssociationLost("another vehicle"),
    words.GroundDeviceIs("AnomalyDetected"),
)
DEADLY = (*HAZARDS, *LOST_FIELDS, words.PilotIs("B"), words.ContactorIs(False), words.OutletTaken(True), words.OutOfService("welded"))
FACTS: tuple[words.Fact, ...] = (
    *(words.PilotIs(state) for state in "ABCCCCCDDDEF"),
    *(words.ContactorIs(True), words.ContactorIs(False), words.IsolationMeasured(False), words.IsolationMeasured(True)),
    *(words.ConnectorLock(True), words.ConnectorLock(False), words.PauseAsked(), words.ExitStandbyAsked()),
    *(words.RenegotiationAsked("Schedule"), words.RenegotiationAsked("Service"), words.MeteringConfirmationAsked()),
    *(words.Authorized(), words.AuthorizationRefused()),
    *(words.ServicesAllowed(), words.ServicesAllowed(("AC", "DC", "WPT")), words.ServicesAllowed(("DC_BPT",))),
    *map(words.GridControlChanged, GRID),
    *(words.SetpointChanged(power) for power in (None, 0.0, 8e3, -8e3, 1e6, -1e6)),
    *(words.OutputMeasured(*both) for both in ((0.0, 0.0), (400.0, 12.0), (900.0, 500.0), (400.0, -50.0))),
    *(words.EmergencyStop("button"), words.OutletTaken(True), words.OutOfService("welded")),
    *(words.GroundDeviceIs(each) for each in ("NoIssue", "NoIssue", "FODDetected", "LOPDetected")),
    *(words.AlignmentIs(words.Alignment(True)), words.PositionIs(words.Position(reachable=True)), words.PairingIs(words.Paired(True))),
    *LOST_FIELDS,
)
SOUND = ("", "", "", "", "slow", "mute")  # hardware as it comes, and how it fails
DEFECTS: Final = (*SOUND, "stays open", "stays closed", "leaks", "gives too much")

alive = precondition(lambda self: self.session.ended is None)
gone = precondition(lambda self: self.session.ended is not None)


class AnySessions(Counted):
    """One car after the other at one outlet. Its car is an `Erratic` one of a generation, its witness reads the generation's messages."""

    car: Any
    witness: Watch

    def __init__(self) -> None:
        super().__init__()
        self.told: float | None = None  # when the station was told to stop
        self.answered: list[Any] = []
        self.seen = 0  # events of the session
        self.service = "DC"

    @property
    def session(self) -> Any:
        return self.car.session

    @abstractmethod
    def notified(self, answer: Any) -> bool | None:
        """Whether an answer tells the car to stop; None: it has no room for that."""

    def comes(self, car: Any, witness: type[Watch], share: float) -> None:
        """Another car is there, whose schedule is a share of the usual one."""
        self.car, self.seen, self.told = car, 0, None
        self.witness = witness(car.outlet.limits, lambda at: self.car.epoch + at)
        self.state = self.session.context.state  # before it ended
        self.car.share = share
        self.count("sessions", self.service)

    def so_far(self, begin: str, journey: Callable[[], None], hardware: str) -> None:
        """The way that a car has come while all behaved; from now on the hardware is as it is."""
        self.act(journey)
        self.holds()
        assert begin in ("refused", "hasty") or self.session.ended is None, f"nobody gets as far as {begin}: {self.session.ended}"
        self.car.hardware = hardware

    # --- how ---

    def say(self, message: Any, *more: Any) -> None:
        """Send a request; see what is answered."""
        state, known = self.session.context.state, self.session.context
        asked_to_stop = bool(known.stopping) and known.delivering
        self.car.send(message, *more)
        self.look()
        for answer in self.answered:
            if asked_to_stop and (told := self.notified(answer)) is not None:
                assert told, f"a stop was forgotten in {state.value}"

    def act(self, what: Callable[[], Any]) -> None:
        """A step of the scripted car; where its answer is late or missing, that is the session's right."""
        with contextlib.suppress(NoAnswer):
            what()
        self.look()

    def look(self) -> None:
        """Let the witness see what happened, and take what was answered."""
        fresh, self.seen = self.car.happened[self.seen :], len(self.car.happened)
        for event in fresh:
            self.witness.see(event)
            if isinstance(event, FrameSent):
                self.judge(event.message)
            elif isinstance(event, Noted) and event.topic == "ended":
                self.count("ends", f"{self.state.value}: {event.facts['how']}")
        self.answered = self.car.answers()
        if self.session.ended is None:
            self.state = self.session.context.state

    def judge(self, response: Any) -> None:
        """A refusal says why, and ends the session or goes on as its code says."""
        code = getattr(response, "ResponseCode", None)
        if code is None or code.value.startswith("OK"):
            return
        self.count("refusals", code.value)
        if code.value.startswith("FAILED"):
            ended = self.session.ended
            assert ended is not None, f"{type(response).__name__} says {code.value} and the session goes on"
            assert ended.reason, f"a refusal has no reason: {type(response).__name__} {code.value}"
        elif code.value.startswith("WARNING"):
            said = [event.objection.reason for event in self.car.wants(words.Objected) if event.code == code.value]
            assert any(said), f"a refusal has no reason: {type(response).__name__} {code.value}"

    # --- what a car may do in any generation ---

    @alive
    @rule(
        octets=st.sampled_from((b"", b"\x01\xfe\x80\x02\x00\x00\x00\x01\x80", b"GET / HTTP/1.1\r\n\r\n", b"\x01\xfe\x80")),
        rarely=st.integers(0, 5),
    )
    def the_line_breaks(self, octets: bytes, rarely: int) -> None:
        if not rarely:
            self.car.octets(octets)
            self.look()

    # --- what the station is told ---

    @alive
    @rule(fact=st.sampled_from(FACTS), rarely=st.integers(0, 5))
    def something_becomes_true(self, fact: words.Fact, rarely: int) -> None:
        if not (rarely and fact in DEADLY):
            self.becomes(fact)

    def becomes(self, fact: words.Fact) -> None:
        self.car.tell(fact)
        self.look()
        selected = self.session.context.agreement.selection  # None: nothing is known of a field yet
        wireless = selected is not None and selected.row.wireless
        if (fact in LOST_FIELDS) if wireless and fact in (*LOST_FIELDS, *OF_A_PLUG) else fact in HAZARDS:
            assert not self.witness.live, f"{fact} leaves the outlet live"

    @alive
    @rule(share=st.sampled_from((1.0, 0.5, 0.01, 0.0, 3.0)))
    def limits_change(self, share: float) -> None:
        names = ("charge_power", "discharge_power", "charge_current", "discharge_current")
        built = self.car.outlet.limits
        self.car.tell(words.LimitsChanged(replace(built, **{name: getattr(built, name) * share for name in names})))
        self.look()

    @alive
    @rule()
    def the_station_wants_to_stop(self) -> None:
        self.told = self.car.now if self.told is None else self.told
        self.car.tell(words.StopAsked("button"))
        self.look()

    @alive
    @rule(seconds=st.sampled_from((0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.4)))
    def time_passes(self, seconds: float) -> None:
        self.car.wait(seconds)
        self.look()

    @alive
    @rule(seconds=st.sampled_from((2.0, 30.0, 59.0, 61.0)), rarely=st.integers(0, 3))
    def nothing_is_heard(self, seconds: float, rarely: int) -> None:
        if not rarely:
            self.car.wait(seconds)
            self.look()

    @alive
    @rule(hours=st.sampled_from((0.2, 1.1, 4.0)))
    def the_wall_clock_runs(self, hours: float) -> None:
        self.car.jump(hours * 3600)

    # --- what holds ---

    @invariant()
    def holds(self) -> None:
        known, ended, seen = self.session.context, self.session.ended, self.witness
        if ended is not None:
            self.over(ended)
            return
        due = self.session.deadline()
        assert due is not None, f"{known.state.value} has no deadline"
        assert due - self.car.now <= 60.0 + 1e-6, f"{known.state.value} waits for {due - self.car.now:.0f} s"
        if known.session.fault is not None and not known.session.fault.may_stop:
            assert not seen.live, "a fault leaves the contactor closed"
        if self.told is not None:
            assert known.stopping, "a stop was forgotten"
            assert not seen.powered or self.car.now <= self.told + supervision.NOTICE_GRACE, "a stop is not enforced"
        if seen.powered:
            assert seen.delivering, "power that no PowerDelivery began"
            assert seen.live or known.station.contactor_wanted is False, "power through an open contactor"  # it is opening
        seen.within_outlet()

    def over(self, ended: Any) -> None:
        """What holds once a session is over."""
        assert not self.witness.live, "the contactor is closed after the end"
        assert not self.witness.powered, "power after the end"
        assert not isinstance(ended.error, Misuse), f"an exception: {ended.error}"
        if isinstance(ended.error, StationFailed) and ended.error.__cause__ is not None:
            raise AssertionError(f"an exception: {ended.error}") from ended.error.__cause__
        assert ended.well or ended.reason, "an end has no reason"
        (told,) = [event.facts for event in self.car.wants(Noted) if event.topic == "ended"]
        assert (told.get("why"), told.get("requirement")) == (ended.reason, ended.requirement), "an end is told otherwise"
