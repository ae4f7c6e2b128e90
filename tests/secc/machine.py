"""A station's session under cars of ISO 15118-20 (`tests/secc/sessions.py` says how). `test_machine.py` runs it, and breaks the station on
purpose."""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from secc import station as words
from tests.secc.erratic import DUE, LOOPING, Car
from tests.secc.scripted import outlet, r
from tests.secc.sessions import DEFECTS, LOST_FIELDS, AnySessions, alive, gone
from tests.secc.test_order import request
from tests.secc.witness import Witness
from v2g.exi.derive import least
from v2g.exi.schema import Type
from v2g.iso20 import frames
from v2g.iso20.modes import ac_modes
from v2g.iso20.sequence import CHARGE_LOOPS, REQUESTS, ROWS, STANDBY, State, requests_in
from v2g.iso20.services import CONTROL, SERVICES
from v2g.messages import ac, common_messages, dc, wpt
from v2g.messages.common_messages import PowerDeliveryReq, PowerDeliveryRes, SessionSetupReq
from v2g.messages.common_types import DisplayParametersType, evseNotificationType, processingType
from v2g.session.v2gtp import PayloadType, frame

RESERVE: Final = 20  # % that the car keeps for itself
POWERS = st.sampled_from((0.0, -5e3, 8e3, 70e3, 70e3, 1e6, -1e6, 32767e127))
LIVE_STATES = tuple(state for state in State if (state, PowerDeliveryReq) in ROWS or (state, dc.DC_PreChargeReq) in ROWS)
STEPS_OF_WPT = (State.WPT_SETUP, State.WPT_POSITIONING, State.WPT_PAIRING, State.WPT_ALIGNMENT)
ARRIVALS: dict[str, st.SearchStrategy[Any]] = {
    "service": st.sampled_from(sorted(SERVICES)),
    "control": st.sampled_from(sorted(CONTROL)),
    "begin": st.sampled_from(("nothing", "refused", "hasty", "authorized", "ready", "ready", *8 * ("charging",))),
    "standby": st.sampled_from(("none", "closed", "open")),
    "hardware": st.sampled_from(DEFECTS),
    "share": st.sampled_from((1.0, 0.6)),
}
SAID = ("EVTargetCurrent", "EVTargetVoltage", "EVPresentActivePower", "EVMinimumEnergyRequest", "EVMaximumChargePower")  # in a loop
loops_now = precondition(lambda self: self.session.context.state in LOOPING)


class Sessions(AnySessions):
    """One car after the other at one outlet."""

    witness: Witness
    control = "Scheduled"

    @initialize(**ARRIVALS)
    def arrive(self, service: str, control: str, begin: str, standby: str, hardware: str, share: float) -> None:
        """A car comes, and gets so far while all behave."""
        self.service, self.control = service, control
        self.comes(Car(outlet(standby=standby, standby_limit=20.0)), Witness, share)
        self.so_far(begin, lambda: self.journey(begin), hardware)

    def journey(self, begin: str) -> None:
        """The way that a car has come."""
        match begin:
            case "refused" | "hasty":
                self.car.tries(self.service, self.control, begin == "refused")
            case "authorized":
                self.car.authorized(self.service)
            case "ready":
                self.car.ready(self.service, self.control)
            case "charging":
                self.car.charging(self.service, self.control)

    @gone
    @rule(**ARRIVALS)
    def the_next_one_arrives(self, **arrival: Any) -> None:
        self.arrive(**arrival)

    def notified(self, answer: Any) -> bool | None:
        if "EVSEStatus" not in answer.__struct_fields__ or "Welding" in type(answer).__name__:
            return None
        return answer.EVSEStatus is not None and answer.EVSEStatus.EVSENotification is evseNotificationType.Terminate

    # --- what a car may do ---

    @precondition(lambda self: self.session.ended is None and self.session.context.state in DUE)
    @rule(times=st.sampled_from((1, 1, 2, 4, 36)))
    def means_well(self, times: int) -> None:
        """So many steps of a car that does what is due."""
        for _ in range(times):
            due = DUE.get(self.session.context.state)
            if due is None or self.session.ended is not None:
                return
            self.act(lambda: due(self.car, self.service, self.control))  # noqa: B023 - it is called at once
            self.holds()
            self.car.wait(0.3)
            self.look()

    @alive
    @rule(kind=st.sampled_from(REQUESTS), stranger=st.sampled_from((None, None, b"stranger")), rarely=st.integers(0, 5))
    def sends_anything(self, kind: type[Type], stranger: bytes | None, rarely: int) -> None:
        if not rarely:  # most of these are the end of a session
            self.say(request(self.car, kind, stranger))

    @alive
    @rule(state=st.data(), rarely=st.integers(0, 3), bit=st.sampled_from((None, None, None, 1, 9, 40, 97, 130)))
    def sends_what_is_due(self, state: st.DataObject, rarely: int, bit: int | None) -> None:
        """Any request that this state admits, with nothing in it; now and then with a bit that has turned."""
        if rarely and self.session.context.delivering:
            return
        kinds = [kind for kind in requests_in(self.session.context.state) if kind is not common_messages.SessionStopReq]
        kind = state.draw(st.sampled_from(kinds)) if kinds else None
        if kind is None or kind in (SessionSetupReq, PowerDeliveryReq, *CHARGE_LOOPS):
            return  # these have rules of their own
        asked = request(self.car, kind)
        payload_type = frames.payload_type_of(kind, ROWS[self.session.context.state, kind].stream)
        if bit is None:
            self.say(asked, payload_type)
            return
        octets = bytearray(frames.exi(asked))
        octets[bit // 8 % len(octets)] ^= 1 << bit % 8
        self.car.octets(frame(payload_type, bytes(octets)))
        self.look()

    @loops_now
    @alive
    @rule(energy=st.sampled_from((10e3, 20e3, 30e3)), takes=st.booleans(), power=st.sampled_from((0.0, 5e3, 1e6)))
    def negotiates_beside(self, energy: float, takes: bool, power: float) -> None:
        """A poll beside the loop, and now and then the profile for what came of it."""
        binding = self.session.context.service.exchange
        side = PayloadType.SCHEDULE_RENEGOTIATION
        self.act(lambda: self.car.exchange(self.control, on=side, EVTargetEnergyRequest=r(energy)))
        assert self.session.context.service.exchange == binding, "a schedule binds that nobody has taken over"
        if takes and self.session.ended is None:
            self.say(self.car.power("Start", EVPowerProfile=self.car.profile(self.control, power=power)))

    @precondition(lambda self: self.session.context.state in LIVE_STATES)
    @alive
    @rule(
        progress=st.sampled_from(("Start", "Start", "Stop", "Standby", "Standby", "ScheduleRenegotiation")),
        busy=st.booleans(),
        power=st.sampled_from((0.0, 5e3, 8e3, -5e3, 1e6)),
    )
    def power_delivery(self, progress: str, busy: bool, power: float) -> None:
        processing = processingType.Ongoing if busy and progress == "Start" else processingType.Finished
        profile = self.car.profile(self.control, power=power) if progress == "Start" else None
        before = self.witness.powered
        self.say(self.car.power(progress, EVProcessing=processing, EVPowerProfile=profile))
        if processing is processingType.Ongoing:
            assert self.witness.powered <= before, "a car that is busy started power"

    @precondition(lambda self: self.session.context.state in (State.DC_CABLE_CHECK, State.DC_PRE_CHARGE, State.DC_START))
    @alive
    @rule(wanted=st.sampled_from((0.0, 150.0, 400.0, 900.0, 1e5, -400.0)), done=st.booleans())
    def prepares(self, wanted: float, done: bool) -> None:
        if self.session.context.state is State.DC_CABLE_CHECK:
            self.act(self.car.cable_check)
        else:
            self.act(lambda: self.car.pre_charge("Finished" if done else "Ongoing", target=wanted))

    @precondition(lambda self: self.session.context.state in STEPS_OF_WPT)
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
        self.act(steps[self.session.context.state])

    @loops_now
    @alive
    @rule(
        count=st.sampled_from((1, 2, 4, 8, 36)),
        current=st.sampled_from((12.0, -20.0, 500.0, -500.0, 0.0)),
        voltage=st.sampled_from((400.0, 920.0, 1e5, 10.0, 0.0)),
        power=POWERS,
        soc=st.sampled_from((None, 5, 50, 90)),
        setpoint=st.sampled_from((None, -8e3, 8e3)),
        kept=st.sampled_from((None, -20e3, 5e3)),
        most=st.sampled_from((None, 60e3, 3e3)),
    )
    def loops(
        self, count: int, soc: int | None, setpoint: float | None, current: float, voltage: float, power: float,
        kept: float | None, most: float | None,
    ) -> None:  # fmt: skip
        """So many turns of the charge loop. `kept` is the energy (Wh) that the car still wants, `most` (W) all that it takes."""
        if setpoint is not None:
            self.car.tell(words.SetpointChanged(setpoint))
        row = SERVICES[self.service]
        fields = {name: r(value) for name, value in zip(SAID, (current, voltage, power, kept, most), strict=True) if value is not None}
        shown = None if soc is None else DisplayParametersType(PresentSOC=soc, MinimumSOC=RESERVE)
        self.turns(count, self.turn(row, fields), shown)

    def turns(self, count: int, made: Callable[..., Type], shown: DisplayParametersType | None) -> None:
        for _ in range(count):
            if self.session.context.state not in LOOPING or self.session.ended is not None:
                return
            self.say(made(Header=self.car.header(), DisplayParameters=shown))
            self.holds()
            self.car.wait(0.3)
            self.look()

    def turn(self, row: Any, fields: dict[str, Any]) -> Callable[..., Type]:
        """A request of this service's charge loop, with these fields as far as its mode has them."""
        if row.wireless:
            asked, given = (fields.get(name, r(0)) for name in ("EVPresentActivePower", "EVMaximumChargePower"))
            said = {"EVPCPowerRequest": asked, "EVPCPowerOutput": given}
            return lambda **more: least(wpt.WPT_ChargeLoopReq, **said, **more)
        energy, prefix = "DC" if row.dc else "AC", "BPT_" if row.bidirectional else ""
        control: Any = self.control
        named: Any = getattr(dc, f"{prefix}{control}_DC_CLReqControlModeType") if row.dc else ac_modes(row).loop[control][0]
        mode = {**self.car.loop_fields(energy, control, row.bidirectional), **fields}
        made = least(named, **{name: value for name, value in mode.items() if name in named.__struct_fields__})
        kind: Any = dc.DC_ChargeLoopReq if row.dc else ac.AC_ChargeLoopReq
        present: dict[str, Any] = {"EVPresentVoltage": r(400)} if row.dc else {}
        return lambda **more: kind(MeterInfoRequested=False, CLReqControlMode=made, **present, **more)

    @alive
    @rule(way=st.sampled_from(("Terminate", "Pause", "ServiceRenegotiation")), rarely=st.integers(0, 2))
    def stops(self, way: str, rarely: int) -> None:
        if rarely:
            return
        self.act(lambda: self.car.stop(way))
        if self.session.context.state is State.SERVICE_DISCOVERY:
            self.act(lambda: self.car.select(self.service, CONTROL[self.control]))  # type: ignore[index]

    @precondition(lambda self: SERVICES[self.service].wireless)
    @alive
    @rule(fact=st.sampled_from(LOST_FIELDS), rarely=st.integers(0, 3))
    def the_field_is_lost(self, fact: words.Fact, rarely: int) -> None:
        if not rarely:
            self.becomes(fact)

    # --- what holds ---

    @invariant()
    def stands_by_without_power_and_over_a_vehicle(self) -> None:
        known, seen = self.session.context, self.witness
        if self.session.ended is not None:
            return
        if known.state in STANDBY:
            assert not seen.powered, "a car that stands by has power"
            back = PowerDeliveryRes in seen.waiting  # the contactor moves for power that comes back, or is to end
            assert known.outlet.standby == "closed" or back or not seen.live, "the outlet is live in standby, although it is to open"
        if SERVICES[self.service].wireless and known.agreement.selection is not None:
            seen.over_field()
