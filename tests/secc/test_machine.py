"""Random facts at random moments, legal and illegal requests, virtual time: what must hold of every session, whatever happens to it.

`V2GKIT_STEPS` sets how many steps are taken (default some thousands); a night takes a million.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from secc import engine as session
from secc import station as words
from secc.intent import Intent, Wish
from secc.iso20 import answers, conduct, field, supervision, wpt_loop
from secc.iso20.context import Context
from secc.reserve import Reserve
from tests.secc.scripted import LIMITS, Scripted, outlet, r
from tests.secc.test_order import request
from v2g.energy.der import GridControl, RideThrough
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.modes import ac_modes
from v2g.iso20.sequence import REQUESTS, ROWS, State
from v2g.iso20.services import SERVICES
from v2g.messages import ac, common_messages, dc, wpt
from v2g.messages.common_messages import PowerDeliveryReq, SessionSetupReq
from v2g.messages.common_types import DisplayParametersType, evseNotificationType, processingType
from v2g.session.errors import Misuse, StationFailed
from v2g.session.v2gtp import PayloadType

STEPS = 60  # of one session
EXAMPLES = max(1, int(os.environ.get("V2GKIT_STEPS", "6000")) // STEPS)
RESERVE = 20  # % that the car keeps for itself
POWERS = st.sampled_from((0.0, -5e3, 8e3, 1e6, -1e6, 32767e127))
LIVE_STATES = (
    *(State.DC_CABLE_CHECK, State.DC_PRE_CHARGE, State.DC_START, State.DC_LOOP, State.DC_RENEGOTIATION, State.DC_RESTART, State.DC_WELDING),
    *(State.AC_START, State.AC_LOOP, State.AC_SCHEDULE, State.AC_STANDBY, State.DC_STANDBY),
    *(State.WPT_ALIGNMENT, State.WPT_START, State.WPT_LOOP, State.WPT_RENEGOTIATION, State.WPT_RESTART, State.WPT_STANDBY),
)
LOOPING = (State.AC_LOOP, State.DC_LOOP, State.WPT_LOOP, State.AC_STANDBY, State.DC_STANDBY, State.WPT_STANDBY)


EXCHANGES = (
    *(State.AC_DER_SETTLING, State.AC_SCHEDULE, State.DC_SCHEDULE, State.DC_RENEGOTIATION),
    *(State.WPT_SCHEDULE, State.WPT_RENEGOTIATION),
)
STEPS_OF_WPT = (State.WPT_SETUP, State.WPT_POSITIONING, State.WPT_PAIRING, State.WPT_ALIGNMENT)
GRID = (GridControl(), GridControl(discharge_maximum=100.0), GridControl(over_voltage=RideThrough(264.0), var=500.0))


OF_A_PLUG = (words.PilotIs("A"), words.PilotIs("E"), words.PilotIs("F"), words.ConnectorLock(False))  # which a field has not
HAZARDS = (*OF_A_PLUG, words.EmergencyStop("button"), words.IsolationMeasured(False))


LOST_FIELDS = (  # what takes a field away at once, where the service is WPT
    words.AlignmentIs(words.Alignment(False, reason="moved")),
    words.PositionIs(words.Position(900)),
    words.AssociationLost("another vehicle"),
    words.GroundDeviceIs("AnomalyDetected"),
)
FIELDS = (
    *(words.GroundDeviceIs(each) for each in ("NoIssue", "NoIssue", "FODDetected", "LOPDetected")),  # type: ignore[arg-type]
    *(words.AlignmentIs(words.Alignment(True)), words.PositionIs(words.Position(reachable=True)), words.PairingIs(words.Paired(True))),
)


DEADLY = (*HAZARDS, *LOST_FIELDS, words.PilotIs("B"), words.ContactorIs(False), words.OutletTaken(True), words.OutOfService("welded"))


class NoAnswer(Exception):
    """The session owes none: it is over, or waits for a fact."""


class Car(Scripted):
    """A scripted car that is not surprised when nothing is answered."""

    def answers(self) -> list[Any]:
        found = super().answers()
        if self.strict and len(found) != 1:
            raise NoAnswer
        return found

    strict = False

    def ask(self, cls: type[Type], on: int | None = None, **fields: Any) -> Any:
        self.strict = True
        try:
            return super().ask(cls, on, **fields)
        finally:
            self.strict = False


class Hardware:
    """The contactor and the output as a station's hardware has them, from the wants alone."""

    def __init__(self) -> None:
        self.closed = self.testing = self.powered = False
        self.output: words.SetOutput | None = None
        self.power = self.most = 0.0  # W, WPT: now, and the most that was ever commanded

    def obey(self, want: Any) -> None:
        match want:
            case words.CloseContactor():
                self.closed = True
            case words.CheckIsolation() | words.CheckAlignment():
                self.testing = True
            case words.OpenContactor():
                self.closed = self.testing = False
                self.output, self.power = None, 0.0
            case words.SetPower(power=power):
                self.power, self.most = power, max(self.most, power)
            case words.SetOutput():
                self.output = want
            case words.PowerStarted():
                assert not self.powered, "power started twice"
                self.powered = True
            case words.PowerStopped():
                assert self.powered, "power stopped that never started"
                self.powered = False

    @property
    def live(self) -> bool:
        """A car may find voltage here."""
        return self.closed or self.testing

    @property
    def current(self) -> float:
        return self.output.current if self.output is not None else 0.0


ARRIVALS: dict[str, Any] = {  # the cars that come
    "service": st.sampled_from(sorted(SERVICES)),
    "control": st.sampled_from(("Scheduled", "Dynamic")),
    "auto": st.sampled_from((True, True, True, False)),
    "begin": st.sampled_from(("nothing", "authorized", "ready", "charging", "charging", "charging")),
    "standby": st.sampled_from(("none", "closed", "open")),
}
alive = precondition(lambda self: self.car.session.ended is None)


class Sessions(RuleBasedStateMachine):
    """One session from its beginning to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.car = Car()
        self.hardware = Hardware()
        self.authorized = False
        self.told: float | None = None  # when the station was told to stop
        self.answered: list[Any] = []
        self.seen = 0  # events of the session
        self.service, self.control = "DC", "Scheduled"
        self.soc: int | None = None  # % that the car has told last

    @initialize(**ARRIVALS)
    def arrive(self, service: str, control: str, auto: bool, begin: str, standby: str) -> None:
        self.service, self.control = service, control
        self.car, self.hardware, self.seen, self.told = Car(outlet(standby=standby, standby_limit=20.0)), Hardware(), 0, None
        self.soc = None
        if begin == "authorized":
            self.car.authorized(service)
        elif begin == "ready":
            self.car.ready(service, control)
        elif begin == "charging":
            self.car.charging(service, control)
        self.car.auto = auto
        self.look()

    @precondition(lambda self: self.car.session.ended is not None)
    @rule(
        service=st.sampled_from(sorted(SERVICES)),
        control=st.sampled_from(("Scheduled", "Dynamic")),
        begin=st.sampled_from(("authorized", "ready", "charging", "charging")),
        standby=st.sampled_from(("closed", "open")),
    )
    def the_next_one_arrives(self, service: str, control: str, begin: str, standby: str) -> None:
        self.arrive(service, control, True, begin, standby)

    # --- what happens ---

    def say(self, message: Type, payload_type: int | None = None) -> None:
        """Send a request; keep what is answered."""
        state = self.car.session.context.state
        asked_to_stop = bool(self.car.session.context.stopping) and self.car.session.context.delivering
        self.car.send(message, payload_type)
        self.look()
        for answer in self.answered:
            status = getattr(answer, "EVSEStatus", None)
            if asked_to_stop and type(answer).__name__ in ("PowerDeliveryRes", "AC_ChargeLoopRes", "DC_ChargeLoopRes", "WPT_ChargeLoopRes"):
                assert status is not None, f"a stop was forgotten in {state.value}"
                assert status.EVSENotification is evseNotificationType.Terminate

    def act(self, what: Callable[[], Any]) -> None:
        """A step of the scripted car; where its answer is late or missing, that is the session's right."""
        with contextlib.suppress(NoAnswer):
            what()
        self.look()

    def look(self) -> None:
        """Bring the hardware up to date with the wants, and take what was answered."""
        fresh, self.seen = self.car.happened[self.seen :], len(self.car.happened)
        for event in fresh:
            self.hardware.obey(event)
            if isinstance(event, words.PowerStarted | words.CloseContactor | words.CheckIsolation | words.CheckAlignment):
                assert self.car.session.context.agreement.authorization is not None, "live before authorization"
        self.answered = self.car.answers()

    @alive
    @rule(kind=st.sampled_from(REQUESTS), seconds=st.sampled_from((0.0, 0.1)), rarely=st.integers(0, 5))
    def sends_anything(self, kind: type[Type], seconds: float, rarely: int) -> None:
        self.time_passes(seconds)
        if rarely or self.car.session.ended is not None:  # most of these are the end of a session
            return
        self.say(request(self.car, kind))

    @alive
    @rule(state=st.data(), rarely=st.integers(0, 3))
    def sends_what_is_due(self, state: st.DataObject, rarely: int) -> None:
        if rarely and self.car.session.context.delivering:
            return
        from v2g.iso20.sequence import requests_in

        kinds = [kind for kind in requests_in(self.car.session.context.state) if kind is not common_messages.SessionStopReq]
        if not kinds:
            return
        kind = state.draw(st.sampled_from(kinds))
        if kind in (SessionSetupReq, PowerDeliveryReq, ac.AC_ChargeLoopReq, dc.DC_ChargeLoopReq, wpt.WPT_ChargeLoopReq):
            return  # these have rules of their own
        stream = ROWS[self.car.session.context.state, kind].stream
        self.say(request(self.car, kind), frames.payload_type_of(kind, stream))

    @precondition(lambda self: self.car.session.context.state in LOOPING)
    @alive
    @rule(energy=st.sampled_from((10e3, 20e3, 30e3)), takes=st.booleans(), power=st.sampled_from((0.0, 5e3, 1e6)))
    def negotiates_beside(self, energy: float, takes: bool, power: float) -> None:
        """A poll beside the loop, and now and then the profile for what came of it."""
        binding = self.car.session.context.service.exchange
        side = PayloadType.SCHEDULE_RENEGOTIATION
        self.act(lambda: self.car.exchange(self.control, on=side, EVTargetEnergyRequest=r(energy)))
        assert self.car.session.context.service.exchange == binding, "a schedule binds that nobody has taken over"
        if takes and self.car.session.ended is None:
            self.say(self.car.power("Start", EVPowerProfile=self.car.profile(self.control, power=power)))

    @precondition(lambda self: self.car.session.context.state in LIVE_STATES)
    @alive
    @rule(
        progress=st.sampled_from(("Start", "Start", "Stop", "Stop", "Standby", "ScheduleRenegotiation")),
        busy=st.booleans(),
        power=st.sampled_from((0.0, 5e3, 8e3, -5e3, 1e6)),
    )
    def power_delivery(self, progress: str, busy: bool, power: float) -> None:
        processing = processingType.Ongoing if busy and progress == "Start" else processingType.Finished
        profile = self.car.profile(self.control, power=power) if progress == "Start" else None
        before = self.hardware.powered
        self.say(self.car.power(progress, EVProcessing=processing, EVPowerProfile=profile))
        if processing is processingType.Ongoing:
            assert self.hardware.powered <= before, "a car that is busy started power"

    @precondition(lambda self: self.car.session.context.state in EXCHANGES)
    @alive
    @rule()
    def exchanges(self) -> None:
        self.act(lambda: self.car.exchange(self.control))

    @precondition(lambda self: self.car.session.context.state in (State.DC_CABLE_CHECK, State.DC_PRE_CHARGE, State.DC_START))
    @alive
    @rule(wanted=st.sampled_from((0.0, 150.0, 400.0, 900.0, 1e5, -400.0)), done=st.booleans())
    def prepares(self, wanted: float, done: bool) -> None:
        if self.car.session.context.state is State.DC_CABLE_CHECK:
            self.act(self.car.cable_check)
        else:
            self.act(lambda: self.car.pre_charge("Finished" if done else "Ongoing", target=wanted))

    @precondition(lambda self: self.car.session.context.state in STEPS_OF_WPT)
    @alive
    @rule(done=st.booleans(), well=st.sampled_from((True, True, True, False)), code=st.sampled_from((None, None, 7, 8)))
    def comes_over_the_ground_device(self, done: bool, well: bool, code: int | None) -> None:
        """One poll of the step that is due."""
        processing, result = "Finished" if done else "Ongoing", "Success" if well else "Failed"
        steps: dict[State, Callable[[], Any]] = {
            State.WPT_SETUP: lambda: self.car.wpt_setup(processing),
            State.WPT_POSITIONING: lambda: self.car.fine_positioning(processing, result),
            State.WPT_PAIRING: lambda: self.car.pairing(processing, result, code),
            State.WPT_ALIGNMENT: lambda: self.car.alignment(processing, result),
        }
        self.act(steps[self.car.session.context.state])

    @precondition(lambda self: self.car.session.context.state in (State.WPT_LOOP, State.WPT_STANDBY))
    @alive
    @rule(count=st.integers(1, 40), asked=POWERS, output=POWERS, setpoint=st.sampled_from((None, -8e3, 8e3)))
    def loops_in_a_field(self, count: int, asked: float, output: float, setpoint: float | None) -> None:
        if setpoint is not None:
            self.car.tell(words.SetpointChanged(setpoint))
        for _ in range(count):
            if self.car.session.context.state not in LOOPING or self.car.session.ended is not None:
                return
            self.act(lambda: self.car.field_loop(asked, output))
            self.holds()
            self.car.wait(0.3)
            self.look()

    @precondition(lambda self: self.car.session.context.state in LOOPING and not SERVICES[self.service].wireless)
    @alive
    @rule(
        count=st.integers(1, 40),
        current=st.sampled_from((12.0, -20.0, 500.0, -500.0, 0.0)),
        voltage=st.sampled_from((400.0, 920.0, 1e5, 10.0, 0.0)),
        power=POWERS,
        soc=st.sampled_from((None, 5, 50, 90)),
        setpoint=st.sampled_from((None, -8e3, 8e3)),
    )
    def loops(self, count: int, current: float, voltage: float, power: float, soc: int | None, setpoint: float | None) -> None:
        if setpoint is not None:
            self.car.tell(words.SetpointChanged(setpoint))
        row = SERVICES[self.service]
        energy, prefix = "DC" if row.dc else "AC", "BPT_" if row.bidirectional else ""
        mode = self.car.loop_fields(energy, self.control, row.bidirectional)
        if self.control == "Scheduled" and row.dc:
            mode |= {"EVTargetCurrent": r(current), "EVTargetVoltage": r(voltage)}
        elif not row.dc:
            mode |= {"EVPresentActivePower": r(power)}
        control: Any = self.control
        named: Any = getattr(dc, f"{prefix}{control}_DC_CLReqControlModeType") if row.dc else ac_modes(row).loop[control][0]
        made = least(named, **mode)
        kind: Any = dc.DC_ChargeLoopReq if row.dc else ac.AC_ChargeLoopReq
        fields: dict[str, Any] = {"EVPresentVoltage": r(400)} if row.dc else {}
        if soc is not None:
            fields["DisplayParameters"] = DisplayParametersType(PresentSOC=soc, MinimumSOC=RESERVE)
        self.soc = self.soc if soc is None else soc
        for _ in range(count):
            if self.car.session.context.state not in LOOPING or self.car.session.ended is not None:
                return
            self.say(kind(Header=self.car.header(), MeterInfoRequested=False, CLReqControlMode=made, **fields))
            self.holds()
            self.car.wait(0.3)
            self.look()

    @alive
    @rule(
        fact=st.sampled_from(
            [
                *(words.PilotIs(state) for state in "ABCCCCCDDDEF"),  # type: ignore[arg-type]
                *(words.ContactorIs(True), words.ContactorIs(False), words.IsolationMeasured(False), words.IsolationMeasured(True)),
                *(words.ConnectorLock(True), words.ConnectorLock(False), words.PauseAsked(), words.ExitStandbyAsked()),
                *(words.RenegotiationAsked("Schedule"), words.RenegotiationAsked("Service"), words.MeteringConfirmationAsked()),
                *(words.Authorized(), words.AuthorizationRefused()),
                *map(words.GridControlChanged, GRID),
                *(words.SetpointChanged(power) for power in (None, 0.0, 8e3, -8e3, 1e6, -1e6)),
                *(words.OutputMeasured(*both) for both in ((0.0, 0.0), (400.0, 12.0), (900.0, 500.0), (400.0, -50.0))),
                words.EmergencyStop("button"),
                words.OutletTaken(True),
                words.OutOfService("welded"),
            ]
        ),
        rarely=st.integers(0, 5),
    )
    def something_becomes_true(self, fact: words.Fact, rarely: int) -> None:
        if rarely and fact in DEADLY:
            return
        if fact == words.ContactorIs(False):
            self.hardware.closed = self.hardware.testing = False
        self.car.tell(fact)
        self.look()
        selected = self.car.session.context.agreement.selection  # None: nothing is known of a field yet
        wireless = selected is not None and selected.row.wireless
        if (fact in LOST_FIELDS) if wireless and fact in (*LOST_FIELDS, *OF_A_PLUG) else fact in HAZARDS:
            assert not self.hardware.live, f"{fact} leaves the outlet live"

    @precondition(lambda self: SERVICES[self.service].wireless)
    @alive
    @rule(fact=st.sampled_from((*FIELDS, *LOST_FIELDS)), rarely=st.integers(0, 5))
    def something_becomes_of_the_field(self, fact: words.Fact, rarely: int) -> None:
        self.something_becomes_true(fact, rarely)

    @alive
    @rule(share=st.sampled_from((1.0, 0.5, 0.01, 0.0, 3.0)))
    def limits_change(self, share: float) -> None:
        limits = replace(
            LIMITS,
            charge_power=LIMITS.charge_power * share,
            discharge_power=LIMITS.discharge_power * share,
            charge_current=LIMITS.charge_current * share,
            discharge_current=LIMITS.discharge_current * share,
        )
        self.car.tell(words.LimitsChanged(limits))
        self.look()

    @alive
    @rule()
    def the_station_wants_to_stop(self) -> None:
        self.told = self.car.now if self.told is None else self.told
        self.car.tell(words.StopAsked("button"))
        self.look()

    @alive
    @rule(seconds=st.sampled_from((0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.4, 30.0)))
    def time_passes(self, seconds: float) -> None:
        self.car.wait(seconds)
        self.look()

    @alive
    @rule(hours=st.sampled_from((0.2, 1.1, 4.0)))
    def the_wall_clock_runs(self, hours: float) -> None:
        self.car.jump(hours * 3600)

    @alive
    @rule(way=st.sampled_from(("Terminate", "Pause", "ServiceRenegotiation")), rarely=st.integers(0, 2))
    def stops(self, way: str, rarely: int) -> None:
        if rarely:
            return
        self.act(lambda: self.car.stop(way))
        if self.car.session.context.state is State.SERVICE_DISCOVERY:
            self.soc = None
            self.act(lambda: self.car.select(self.service, 1 if self.control == "Scheduled" else 2))

    @alive
    @rule(octets=st.sampled_from((b"", b"\x01\xfe\x80\x02\x00\x00\x00\x01\x80", b"GET / HTTP/1.1\r\n\r\n")), rarely=st.integers(0, 5))
    def the_line_breaks(self, octets: bytes, rarely: int) -> None:
        if rarely:
            return
        self.car.octets(octets)
        self.look()

    # --- what holds ---

    @invariant()
    def holds(self) -> None:
        known, ended = self.car.session.context, self.car.session.ended
        if ended is not None:
            assert not self.hardware.live, "the contactor is closed after the end"
            assert not self.hardware.powered, "power after the end"
            assert not (isinstance(ended.error, StationFailed) and ended.error.__cause__ is not None), ended
            assert not isinstance(ended.error, Misuse)
            return
        due = self.car.session.deadline()
        assert due is not None, f"{known.state.value} has no deadline"
        assert due - self.car.now <= 60.0 + 1e-6
        if known.session.fault is not None and not known.session.fault.may_stop:
            assert not self.hardware.live, "a fault leaves the contactor closed"
        if self.told is not None:
            assert known.stopping, "a stop was forgotten"
            if self.hardware.powered:
                assert self.car.now <= self.told + supervision.NOTICE_GRACE, "a stop is not enforced"
        if self.hardware.powered:
            assert known.delivering
            assert self.hardware.live or known.station.contactor_wanted is False, "power through an open contactor"  # it is opening
        self.within()

    def within(self) -> None:
        """The output: nothing outside PowerDelivery, within every limit, no discharge that was not agreed or below the reserve."""
        known, hardware = self.car.session.context, self.hardware
        if known.standing:
            assert not hardware.powered, "a car that stands by has power"
            assert hardware.current == 0.0, "current flows in standby"
            assert known.outlet.standby == "closed" or not hardware.live, "the outlet is live in standby, although it is to open"
        if not hardware.powered:
            assert abs(hardware.current) <= 2.0, "more than a pre-charge flows outside PowerDelivery"
        if SERVICES[self.service].wireless:
            self.field()
        if hardware.output is None or not hardware.powered or known.state is not State.DC_LOOP:
            return
        output = hardware.output
        assert 0 <= output.voltage <= LIMITS.voltage
        assert -LIMITS.discharge_current <= output.current <= LIMITS.charge_current, "a current beyond the outlet"
        assert abs(output.power) <= max(LIMITS.charge_power, LIMITS.discharge_power)
        if not SERVICES[self.service].bidirectional:
            assert output.current >= 0, "a plain service discharges"
        if self.soc is not None and self.soc < RESERVE:
            assert output.current >= 0, "discharge below the reserve of the car"

    def field(self) -> None:
        """A field: only over a vehicle that is paired, aligned and in its place, within every limit, and only into it."""
        known, hardware, station = self.car.session.context, self.hardware, self.car.session.context.station
        assert hardware.power >= 0, "a field that takes power"
        assert hardware.most <= LIMITS.charge_power, "a power beyond the outlet"
        assert not hardware.power or hardware.powered, "a field outside PowerDelivery"
        if hardware.powered:
            assert hardware.power <= station.limits.charge_power + 1e-6, "a power beyond the limit of this moment"
        if hardware.powered and hardware.live:
            assert station.alignment is not None, "power without a check of the alignment"
            assert station.alignment.aligned, "power without alignment"
            assert not station.unassociated, "power for another vehicle"
            assert station.position is None or station.position.reachable, "power for a vehicle that has left"
        if station.ground != "NoIssue":
            assert hardware.power == 0.0, "power over what lies on the ground device"
        if known.standing:
            assert hardware.power == 0.0, "power in standby"


Sessions.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    database=None,
    derandomize="V2GKIT_STEPS" not in os.environ,
)
TestSessions = Sessions.TestCase


# --- each invariant can fail: a behaviour is broken, and the machine finds it ---


def among(begin: str) -> type[Sessions]:
    """The same with cars that have come so far: what shows in one of hundreds is looked for among those that can show it."""

    class Known(Sessions):
        @initialize(**{**ARRIVALS, "begin": st.just(begin)})
        def arrive(self, service: str, control: str, auto: bool, begin: str, standby: str) -> None:
            super().arrive(service, control, auto, begin, standby)

    return Known


def _proven(found: str, machine: type[Sessions] = Sessions) -> None:
    """The machine finds what was broken, and says so in these words."""
    hunt = settings(
        max_examples=400, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,),
        database=None, derandomize=True, report_multiple_bugs=False, print_blob=False,
    )  # fmt: skip
    with pytest.raises(AssertionError, match=found):
        run_state_machine_as_test(machine, settings=hunt)  # type: ignore[no-untyped-call]


def _forgetful(self: Intent, *kinds: Any) -> Intent:
    return Intent(tuple(n for n in self.asked if n.wish not in (*kinds, Wish.STOP)))


def _unsupervised(known: Context) -> None:
    return None


def _unopened(real: Any) -> Any:
    """An end that forgets the contactor."""

    def end(self: Any, how: str, error: Any, now: float) -> None:
        self.context = self.context.with_station(contactor_wanted=False)
        real(self, how, error, now)

    return end


def _busy(real: Any) -> Any:
    """EVProcessing Ongoing is taken for Finished."""
    from msgspec.structs import replace as changed

    return lambda asked, known: real(changed(asked, EVProcessing=processingType.Finished), known)


def _raising(*_: Any) -> Any:
    raise KeyError("a bug")


def _unauthorized(real: Any) -> Any:
    return lambda asked, known: replace(
        (got := real(asked, known)), known=got.known.with_session(agreement=replace(got.known.agreement, authorization=None))
    )


def test_the_machine_finds_a_stop_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Intent, "without", _forgetful)
    _proven("a stop was forgotten", among("charging"))


def test_the_machine_finds_a_stop_that_is_not_enforced(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (supervision, conduct):
        monkeypatch.setattr(module, "due", _unsupervised)
    _proven("a stop is not enforced")


def test_the_machine_finds_a_contactor_that_stays_closed_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.SeccSession, "_end", _unopened(session.SeccSession._end))
    _proven("the contactor is closed after the end")


def test_the_machine_finds_power_for_a_car_that_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(answers.ANSWERS, PowerDeliveryReq, _busy(answers.ANSWERS[PowerDeliveryReq]))
    _proven("a car that is busy started power", among("ready"))


def test_the_machine_finds_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(answers.ANSWERS, common_messages.SessionStopReq, _raising)
    with pytest.raises(KeyError):
        run_state_machine_as_test(Sessions, settings=settings(Sessions.TestCase.settings, max_examples=400, phases=(Phase.generate,)))  # type: ignore[no-untyped-call]


def test_the_machine_finds_power_without_authorization(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(answers.ANSWERS, common_messages.AuthorizationReq, _unauthorized(answers.ANSWERS[common_messages.AuthorizationReq]))
    _proven("live before authorization")


def test_the_machine_finds_a_hazard_that_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "hazard", _unsupervised)
    _proven("leaves the outlet live|power through an open contactor", among("charging"))


def test_the_machine_finds_a_state_without_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.SeccSession, "deadline", lambda self: None)
    _proven("has no deadline")


def test_the_machine_finds_a_current_beyond_the_outlet(monkeypatch: pytest.MonkeyPatch) -> None:
    def unbounded(asked: Any, known: Context) -> Any:
        got = real(asked, known)
        wants = tuple(replace(w, current=w.current * 9) if isinstance(w, words.SetOutput) else w for w in got.wants)
        return replace(got, wants=wants)

    real = answers.ANSWERS[dc.DC_ChargeLoopReq]
    monkeypatch.setitem(answers.ANSWERS, dc.DC_ChargeLoopReq, unbounded)
    _proven("beyond the outlet")


def test_the_machine_finds_a_plain_service_that_discharges(monkeypatch: pytest.MonkeyPatch) -> None:
    def turned(asked: Any, known: Context) -> Any:
        got = real(asked, known)
        return replace(
            got, wants=tuple(replace(w, current=-min(abs(w.current), 5.0)) if isinstance(w, words.SetOutput) else w for w in got.wants)
        )

    real = answers.ANSWERS[dc.DC_ChargeLoopReq]
    monkeypatch.setitem(answers.ANSWERS, dc.DC_ChargeLoopReq, turned)
    _proven("a plain service discharges")


def test_the_machine_finds_power_after_power_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    def generous(asked: Any, known: Context) -> Any:
        got = real(asked, known)
        return replace(got, wants=tuple(replace(w, current=20.0) if isinstance(w, words.SetOutput) else w for w in got.wants))

    real = answers.ANSWERS[dc.DC_PreChargeReq]
    monkeypatch.setitem(answers.ANSWERS, dc.DC_PreChargeReq, generous)
    _proven("outside PowerDelivery")


@pytest.mark.parametrize(
    ("broken", "fact"),
    [("unaligned", LOST_FIELDS[0]), ("misplaced", LOST_FIELDS[1]), ("misplaced", LOST_FIELDS[2]), ("field_fault", LOST_FIELDS[3])],
    ids=str,
)
def test_the_machine_sees_a_field_that_is_not_watched(monkeypatch: pytest.MonkeyPatch, broken: str, fact: words.Fact) -> None:
    """Steps that it may take, taken on purpose."""
    machine = Sessions()
    machine.arrive("WPT", "Dynamic", True, "charging", "none")
    machine.something_becomes_true(fact, 0)
    machine.holds()
    machine.arrive("WPT", "Dynamic", True, "charging", "none")
    nothing: Any = lambda known: None if broken == "field_fault" else ""  # noqa: E731
    monkeypatch.setattr(supervision if broken == "field_fault" else field, broken, nothing)
    with pytest.raises(AssertionError, match="leaves the outlet live"):
        machine.something_becomes_true(fact, 0)


def test_the_machine_sees_a_field_over_a_foreign_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that it may take, taken on purpose."""
    machine = Sessions()
    machine.arrive("WPT", "Dynamic", True, "charging", "none")
    machine.loops_in_a_field(2, 8e3, 0.0, None)
    machine.holds()
    for module in (supervision, wpt_loop):
        monkeypatch.setattr(module, "obstructed", lambda known: "")
    machine.something_becomes_true(words.GroundDeviceIs("LOPDetected"), 0)
    with pytest.raises(AssertionError, match="over what lies on the ground device"):
        machine.holds()


def test_the_machine_sees_a_power_beyond_the_outlet_in_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that it may take, taken on purpose."""
    monkeypatch.setattr(wpt_loop, "_target", lambda asked, allowed, known: asked)
    machine = Sessions()
    machine.arrive("WPT", "Dynamic", True, "charging", "none")
    with pytest.raises(AssertionError, match="beyond the outlet"):
        machine.loops_in_a_field(1, 1e6, 0.0, None)


def test_the_machine_sees_a_discharge_below_the_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that it may take, taken on purpose: by chance they come too seldom for a test."""
    monkeypatch.setattr(Reserve, "bars", lambda self, net: False)
    machine = Sessions()
    machine.arrive("DC_BPT", "Dynamic", True, "charging", "none")
    with pytest.raises(AssertionError, match="below the reserve"):
        machine.loops(count=3, current=0.0, voltage=400.0, power=0.0, soc=5, setpoint=-8e3)


def test_the_machine_sees_current_in_standby(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that it may take, taken on purpose."""
    machine = Sessions()
    machine.arrive("DC_BPT", "Scheduled", True, "charging", "closed")
    machine.power_delivery("Standby", False, 0.0)
    assert machine.car.session.context.standing
    machine.loops(3, 12.0, 400.0, 0.0, None, None)
    machine.holds()
    monkeypatch.setattr(Context, "standing", property(lambda known: False))
    with pytest.raises(AssertionError, match="flows"):
        machine.loops(3, 12.0, 400.0, 0.0, None, None)
