"""A car that feeds the grid under its codes, and the station that tells it of them: both ends in virtual time, and a grid that moves."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from evcc.car import Car
from evcc.ev import Ev
from evcc.inverter import Rating
from secc import station as words
from secc.neutral.context import Context
from tests.evcc.test_pair import VERIFIER, car, ended
from tests.evcc.virtual_pair import LIMITS, Pair, outlet
from v2g.energy.der import Curve, EnterService, FrequencyWatt, Grid, GridControl, PowerFactor, Trips, VoltWatt, ZeroCurrent
from v2g.iso20.phases import total
from v2g.iso20.sequence import State
from v2g.messages.ac import AC_ChargeLoopReq, AC_ChargeLoopRes, AC_ChargeParameterDiscoveryReq
from v2g.session.endpoint import FrameReceived, FrameSent, Noted, StateEntered
from v2g.session.errors import PeerIncompatible
from v2g.session.v2gtp import PayloadType

BOTH = pytest.mark.parametrize("service", ["AC_DER_IEC", "AC_DER_SAE"])
DROOP = FrequencyWatt(start=50.2, stop=50.2, slope=0.4)
VOLT_VAR = Curve(((214.0, -4_000.0), (225.0, 0.0), (235.0, 0.0), (246.0, 4_000.0)))
AC_LIMITS = replace(LIMITS, charge_power=22_080, discharge_power=22_080, phases=3)


@dataclass
class Feeding(Pair):
    """A pair whose station is told what the grid asks, and whose grid moves at a loop."""

    control: GridControl = field(default_factory=GridControl)
    grids: dict[int, Grid] = field(default_factory=dict)

    def _serve(self, event: Any) -> None:
        if isinstance(event, words.SessionStarted):
            self._after(words.GridControlChanged(self.control))
        if isinstance(event, words.EVReported):
            ev: Any = self.car.ev
            ev.grid = self.grids.get(self.car.loops, ev.grid)
        super()._serve(event)

    @property
    def sent(self) -> list[Any]:
        """The loops of the car."""
        return [one.message for one in self.seen if isinstance(one, FrameSent) and isinstance(one.message, AC_ChargeLoopReq)]

    @property
    def told(self) -> list[Any]:
        """The answers of the station to them."""
        return [one.message for one in self.happened if isinstance(one, FrameSent) and isinstance(one.message, AC_ChargeLoopRes)]

    def powers(self) -> list[float]:
        """W of each loop of the car."""
        return [total(one.CLReqControlMode, "EVPresentActivePower") or 0.0 for one in self.sent]

    def vars(self) -> list[float]:
        return [total(one.CLReqControlMode, "EVPresentReactivePower") or 0.0 for one in self.sent]


def feeding(service: str, control: str = "Dynamic", asked: GridControl | None = None, **given: Any) -> Feeding:
    visitor = car(service, control, loops=given.pop("loops", 12), **given.pop("wish", {}))
    visitor.goal = replace(visitor.goal, departure=visitor.wall + 3 * 3600)
    visitor.ev = Ev(energy=40_000, **given.pop("ev", {}))
    limits = {"outlet": outlet(limits=AC_LIMITS, **given.pop("offer", {})), "given": VERIFIER}
    return Feeding(visitor, control=asked or GridControl(), **{"setpoint": -6_000.0, **limits, **given})


def context(pair: Pair) -> Context:
    known = pair.station.context
    assert isinstance(known, Context)
    return known


@BOTH
def test_over_frequency_takes_back_what_is_given_and_the_alarm_comes_back(service: str) -> None:
    pair = feeding(service, asked=GridControl(over_frequency=DROOP), grids={4: Grid(frequency=50.7), 8: Grid()})
    assert ended(pair) == "Terminate"
    powers = pair.powers()
    assert powers[3] == pytest.approx(-6_000.0, abs=2)
    assert powers[5] == pytest.approx(-3_800.0, abs=2)  # 0.5 Hz at 40 % of 11 kW for each
    assert powers[10] == pytest.approx(-6_000.0, abs=2)
    assert [one.alarms for one in pair.of(words.GridReported)] == [("OverFrequency",), ()]
    if service == "AC_DER_SAE":  # IEC has no words for what the car measures
        assert pair.of(words.GridReported)[0].frequency == pytest.approx(50.7)
    assert {one.topic for one in pair.seen if isinstance(one, Noted)} >= {"the grid asks", "grid event"}


@BOTH
def test_voltage_moves_power_and_reactive_power(service: str) -> None:
    asked = GridControl(volt_watt=VoltWatt(240.0, 253.0), volt_var=VOLT_VAR)
    pair = feeding(service, asked=asked, setpoint=-8_000.0, grids={4: Grid(voltage=246.5), 8: Grid(voltage=214.0)})
    assert ended(pair) == "Terminate"
    assert pair.powers()[5:7] == pytest.approx([-5_500.0] * 2, abs=2)
    assert pair.vars()[5:7] == pytest.approx([4_000.0] * 2, abs=2)
    assert pair.powers()[9] == pytest.approx(-8_000.0, abs=2)
    assert pair.vars()[9] == pytest.approx(-4_000.0, abs=2)
    reported = [one.reactive for one in pair.of(words.EVReported)]
    assert reported[6] == pytest.approx(4_000.0, abs=2)


@BOTH
@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_set_points_reach_the_car_with_the_next_loop_and_go_again(service: str, control: str) -> None:
    facts = {3: GridControl(var=2_000.0), 6: GridControl(cos_phi=PowerFactor(0.9, absorbing=False)), 9: GridControl()}
    larger = {"inverter": Rating(power=14_000.0)}  # VA, so that there is something left beside 11 kW
    pair = feeding(service, control, ev=larger, facts={loop: words.GridControlChanged(one) for loop, one in facts.items()})
    assert ended(pair) == "Terminate"
    assert pair.vars()[2] == 0.0
    assert pair.vars()[5] == pytest.approx(2_000.0, abs=2)
    assert pair.vars()[8] == pytest.approx(-0.4843 * abs(pair.powers()[8]), rel=0.01, abs=1)
    assert pair.vars()[11] == 0.0


@BOTH
def test_a_limit_of_the_grid_is_kept_by_both_ends(service: str) -> None:
    limited = words.GridControlChanged(GridControl(discharge_maximum=2_500.0))
    pair = feeding(service, facts={4: limited}, setpoint=-9_000.0)
    assert ended(pair) == "Terminate"
    assert pair.powers()[3] == pytest.approx(-9_000.0, abs=2)
    assert min(pair.powers()[6:]) >= -2_500.0
    assert pair.powers()[8] == pytest.approx(-2_500.0, abs=120)  # SAE says per cent
    assert min(one.power for one in pair.of(words.SetPower)[-2:]) >= -2_500.0


def test_a_share_of_the_cars_power_stays_one_while_the_car_is_limited_by_it() -> None:
    """A limited car says less in its loops: a share of that would be said to be all of it, and the limit would be gone."""
    pair = feeding("AC_DER_SAE", facts={4: words.GridControlChanged(GridControl(discharge_maximum=2_500.0))}, setpoint=-9_000.0)
    assert ended(pair) == "Terminate"
    (asked, *_) = [
        one.message for one in pair.seen if isinstance(one, FrameSent) and isinstance(one.message, AC_ChargeParameterDiscoveryReq)
    ]
    own = total(asked.AC_CPDReqEnergyTransferMode, "EVMaximumDischargePower")
    shares = [
        active.LimitMaxDischargePower.PercentageValue
        for one in pair.told
        if (active := one.CLResControlMode.DERControlCLRes.ActivePowerSupportCLRes) is not None
    ]
    assert len(shares) > 5
    assert own
    assert set(shares) == {int(100 * 2_500.0 / own)}
    assert min(total(one.CLReqControlMode, "EVMaximumDischargePower") or 0.0 for one in pair.sent) < own  # what the shares are not of


@BOTH
def test_a_car_that_feeds_more_than_the_grid_lets_it_is_warned_and_refused(service: str) -> None:
    """The station does not rely on it: here the inverter does not obey."""
    limited = words.GridControlChanged(GridControl(discharge_maximum=0.0))

    class Deaf(Feeding):
        def _serve(self, event: Any) -> None:
            if isinstance(event, words.OutputMeasured | words.SetPower):
                return
            super()._serve(event)
            if isinstance(event, words.EVReported):
                self._after(words.OutputMeasured(230.0, 0.0, -6_000.0))

    visitor = car(service, "Dynamic", loops=3_000)
    pair = Deaf(visitor, outlet=outlet(limits=AC_LIMITS), given=VERIFIER, setpoint=-6_000.0, facts={4: limited})
    assert pair.station.ended is not None
    assert "the grid lets flow back" in pair.station.ended.reason
    warned = next(one for one in pair.happened if isinstance(one, words.Objected))
    assert "-6000 W flow where the grid lets flow back -0 W" in warned.objection.reason


@BOTH
def test_without_leave_to_serve_nothing_is_fed_and_charging_goes_on(service: str) -> None:
    pair = feeding(service, facts={4: words.GridControlChanged(GridControl(enter_service=EnterService(permit=False)))})
    assert ended(pair) == "Terminate"
    assert pair.powers()[3] < -5_000
    assert pair.powers()[7] == 0.0
    if service == "AC_DER_SAE":
        assert pair.of(words.GridReported)[0].alarms == ("RemoteEmergency",)


def test_sae_settings_change_in_the_loop() -> None:
    changed = words.GridControlChanged(GridControl(over_frequency=DROOP))
    pair = feeding("AC_DER_SAE", ev={"grid": Grid(frequency=50.7)}, facts={5: changed})
    assert ended(pair) == "Terminate"
    assert pair.powers()[4] == pytest.approx(-6_000.0, abs=2)
    assert pair.powers()[8] == pytest.approx(-3_800.0, abs=2)
    assert pair.told[2].CLResControlMode.DERControlCLRes.ActivePowerSupportCLRes is None  # nothing is said that has not changed


def test_iec_settings_change_by_another_negotiation_of_the_service() -> None:
    changed = words.GridControlChanged(GridControl(over_frequency=DROOP))
    pair = feeding("AC_DER_IEC", ev={"grid": Grid(frequency=50.7)}, facts={700: changed}, loops=720)
    assert ended(pair) == "Terminate"
    assert len(pair.of(words.ServiceSelected)) == 2
    assert pair.powers()[690] == pytest.approx(-6_000.0, abs=2)
    assert pair.powers()[-1] == pytest.approx(-3_800.0, abs=2)
    again = [one for one in pair.happened if isinstance(one, FrameReceived) and isinstance(one.message, AC_ChargeParameterDiscoveryReq)]
    assert [one.message.AC_CPDReqEnergyTransferMode.EVProcessing.value for one in again] == ["Ongoing", "Finished"] * 2  # type: ignore[attr-defined]


@BOTH
def test_in_scheduled_control_a_response_takes_only_power_away(service: str) -> None:
    """The schedule binds: frequency may lower what it says, and never turn or raise it."""
    pair = feeding(service, "Scheduled", GridControl(over_frequency=DROOP), ev={"grid": Grid(frequency=50.7)}, loops=8)
    assert ended(pair) == "Terminate"
    profile = pair.of(words.ScheduleChosen)[0].profile
    assert max(pair.powers()) > 0  # the night charges first
    assert max(pair.powers()) <= max(profile.values) + 1
    under = replace(DROOP, start=49.8, stop=49.8)
    pair = feeding(service, "Scheduled", GridControl(under_frequency=under), ev={"grid": Grid(frequency=44.0)}, loops=8)
    assert ended(pair) == "Terminate"
    assert set(pair.powers()[1:]) == {0.0}


@BOTH
def test_a_fault_of_the_grid_takes_the_current_away_and_it_comes_back(service: str) -> None:
    asked = (
        GridControl(zero_current=ZeroCurrent(over=276.0))
        if service == "AC_DER_IEC"
        else GridControl(trips=Trips(), enter_service=EnterService(delay=0.2))
    )
    pair = feeding(service, asked=asked, grids={4: Grid(voltage=280.0), 10: Grid()}, loops=20)
    assert ended(pair) == "Terminate"
    assert pair.powers()[8] == 0.0
    assert pair.powers()[-1] == pytest.approx(-6_000.0, abs=2)
    told = pair.of(words.GridReported)
    assert told[0].alarms == ("OverVoltage",)
    assert told[-1].alarms == ()
    if service == "AC_DER_SAE":
        assert False in [one.connected for one in told]
        assert told[-1].connected


@BOTH
def test_a_car_that_cannot_what_the_grid_asks_goes_back_to_the_services(service: str) -> None:
    pair = feeding(service, asked=GridControl(forming=True))
    assert pair.evcc.ended is not None
    assert isinstance(pair.evcc.ended.error, PeerIncompatible)
    (declined,) = [one for one in pair.seen if isinstance(one, Noted) and one.topic == "grid codes declined"]
    assert declined.facts["lacking"] == ("forming",)
    entered = [one.state for one in pair.happened if isinstance(one, StateEntered)]
    assert State.SERVICE_DETAIL.value in entered[entered.index(State.AC_DER_SETTLING.value) :]
    assert not pair.of(words.CloseContactor)


def test_a_car_does_not_select_functions_that_its_inverter_has_not() -> None:
    able = Rating(functions=frozenset({"over_frequency"}))
    pair = feeding("AC_DER_IEC", ev={"inverter": able})
    assert not pair.of(words.ServiceSelected)
    pair = feeding("AC_DER_IEC", ev={"inverter": able}, offer={"grid_functions": ("over_frequency",)})
    assert ended(pair) == "Terminate"


@BOTH
@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_the_messages_of_an_amendment_run_under_its_payload_type(service: str, control: str) -> None:
    pair = feeding(service, control)
    assert ended(pair) == "Terminate"
    energy = (AC_ChargeLoopReq, AC_ChargeLoopRes, AC_ChargeParameterDiscoveryReq)
    types = {one.payload_type for one in pair.happened if isinstance(one, FrameSent | FrameReceived) and isinstance(one.message, energy)}
    assert types == {PayloadType[service]}


@BOTH
def test_what_flows_is_what_both_ends_count(service: str) -> None:
    pair = feeding(service, asked=GridControl(over_frequency=DROOP), grids={20: Grid(frequency=50.9)}, loops=60)
    assert ended(pair) == "Terminate"
    visitor: Car = pair.car
    assert visitor.ev.discharged > 0
    assert visitor.ev.discharged == pytest.approx(pair.exported, rel=0.01)


def test_nothing_is_told_to_a_car_of_another_service() -> None:
    pair = feeding("AC_BPT", asked=GridControl(over_frequency=DROOP, discharge_maximum=0.0), ev={"grid": Grid(frequency=52.0)})
    assert ended(pair) == "Terminate"
    assert pair.powers()[5] == pytest.approx(-6_000.0, abs=2)
    assert not pair.of(words.GridReported)
