"""DER controls from the frames of a CSMS to the loops of a car that feeds the grid: bridge, station and car in one virtual time."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from evcc.ev import Ev
from ocpp_bridge.smart import local
from secc import station as words
from tests.evcc.test_der import AC_LIMITS, Feeding
from tests.evcc.test_pair import VERIFIER, car, ended
from tests.evcc.virtual_pair import outlet
from tests.ocpp_bridge.ocpp_stand import WALL
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_der import FIXED_VAR, VOLT_VAR, VOLT_WATT
from tests.ocpp_bridge.test_profiles import profile
from v2g.energy.der import Grid
from v2g.iso20.phases import total
from v2g.session.endpoint import Event

SERVED = (words.AuthorizationWanted, words.NeedsChanged)  # by the bridge, and not by the pair
GRANTED = {"idTokenInfo": {"status": "Accepted"}, "allowedEnergyTransfer": ["AC_BPT_DER"]}


@dataclass
class Chained(Feeding):
    """A pair whose station is decided for by a bridge. `orders` are what the CSMS asks of it at a loop."""

    service: str = ""
    orders: dict[int, list[tuple[str, dict]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.csms = Played(services=(self.service,), owner={"idToken": "OWNER", "type": "Local"})
        self.csms.charger.evses[1].limits = AC_LIMITS
        self.csms.answers["Authorize"] = GRANTED
        self.csms.charger.clock, self.csms.charger.patience = self.car.clock, 0.5
        self.csms.now, self.csms.ahead = self.car.now, self.car.wall - WALL - self.car.now
        self.csms.boot()
        self.heard = 0
        self._order(0)
        super().__post_init__()

    def _order(self, loop: int) -> None:
        for action, payload in self.orders.pop(loop, []):
            answer = self.csms.ask(action, payload)
            assert answer["status"] == "Accepted", answer

    def _serve(self, event: Event) -> None:
        self.csms.now = self.now
        if isinstance(event, words.Want):
            self.csms.bridge.want(1, event, self.now)
        if isinstance(event, words.EVReported):
            self.csms.bridge.take_reading(1, words.MeterReading("M", self.imported, self.exported, self.car.wall), self.output[1])
            self._order(self.car.loops)
        self.csms.run()
        for wanted in self.csms.planned:
            self.csms.bridge.take_plan(wanted, *local.schedule(wanted), self.now)
        self.csms.planned.clear()
        self.csms.run()
        for fact in self.csms.told[self.heard :]:
            self._after(fact)
        self.heard = len(self.csms.told)
        if not isinstance(event, SERVED):
            super()._serve(event)


def chained(service: str, orders: dict[int, list[tuple[str, dict]]], **given: Any) -> Chained:
    """A car that is asked for 6 kW by a profile, and what the CSMS orders besides."""
    period = {"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -6_000.0}
    start = (
        "SetChargingProfile",
        {"evseId": 1, "chargingProfile": profile(period, purpose="TxDefaultProfile")},
    )
    visitor = car(service, "Dynamic", loops=given.pop("loops", 12))
    visitor.goal = replace(visitor.goal, departure=visitor.wall + 3 * 3600)
    visitor.ev = Ev(energy=40_000)
    orders = orders | {0: [start, *orders.get(0, [])]}
    paired = outlet(limits=AC_LIMITS, services=(service,))
    return Chained(visitor, outlet=paired, setpoint=-6_000.0, given=VERIFIER, service=service, orders=orders, **given)


def asked(type_: str, name: str, body: dict, **more: Any) -> tuple[str, dict]:
    return "SetDERControl", {"isDefault": True, "controlId": type_, "controlType": type_, name: body | {"priority": 1}} | more


def said(pair: Chained, field_: str) -> list[float | None]:
    """A power in the answers to the car's loops, over its phases."""
    return [total(one.CLResControlMode, field_) for one in pair.told]


def test_a_limit_that_leaves_the_csms_arrives_in_the_loop_of_the_car_and_in_its_meter() -> None:
    """11,000 W rated by the car's own word: 25 % of it are 2,750 W."""
    order = asked("LimitMaxDischarge", "limitMaxDischarge", {"pctMaxDischargePower": 25})
    cleared = ("ClearDERControl", {"isDefault": True, "controlType": "LimitMaxDischarge"})
    pair = chained("AC_DER_IEC", {4: [order], 9: [cleared]}, loops=16)
    assert ended(pair) == "Terminate"
    assert said(pair, "DSOMaximumDischargePower")[2] is None
    assert said(pair, "DSOMaximumDischargePower")[6] == pytest.approx(2_750.0, abs=5)
    assert said(pair, "EVSEMaximumDischargePower")[6] == pytest.approx(2_750.0, abs=5)
    powers = pair.powers()
    assert powers[3] == pytest.approx(-6_000.0, abs=5)
    assert powers[8] == pytest.approx(-2_750.0, abs=5)
    assert powers[-1] == pytest.approx(-6_000.0, abs=5)
    assert pair.exported > 0


def test_the_same_limit_in_the_words_of_sae() -> None:
    pair = chained("AC_DER_SAE", {4: [asked("LimitMaxDischarge", "limitMaxDischarge", {"pctMaxDischargePower": 25})]})
    assert ended(pair) == "Terminate"
    limit = pair.told[8].CLResControlMode.DERControlCLRes.ActivePowerSupportCLRes.LimitMaxDischargePower
    assert (limit.Enable, limit.PercentageValue) == (True, 25)
    assert pair.powers()[-1] == pytest.approx(-2_750.0, abs=5)


@pytest.mark.parametrize("service", ["AC_DER_IEC", "AC_DER_SAE"])
def test_var_and_curves_reach_the_inverter_which_follows_them(service: str) -> None:
    """30 % of 11,000 W, injecting; then a high voltage, at which volt-watt takes back all, and the alarm comes to the CSMS."""
    orders = {0: [asked("VoltWatt", "curve", VOLT_WATT)], 4: [asked("FixedVar", "fixedVar", FIXED_VAR)]}
    pair = chained(service, orders, grids={8: Grid(voltage=253.0)}, loops=14)
    assert ended(pair) == "Terminate"
    assert pair.vars()[3] == 0.0
    assert pair.vars()[7] == pytest.approx(-3_300.0, abs=10)
    assert pair.powers()[7] == pytest.approx(-6_000.0, abs=5)
    assert pair.powers()[-1] == pytest.approx(0.0, abs=5)


def test_a_curve_that_comes_under_power_is_told_with_the_next_loop_of_sae() -> None:
    pair = chained("AC_DER_SAE", {4: [asked("VoltVar", "curve", VOLT_VAR)]}, grids={7: Grid(voltage=1.08 * 230)})
    assert ended(pair) == "Terminate"
    curve = pair.told[8].CLResControlMode.DERControlCLRes.ReactivePowerSupportCLRes.VoltVar
    assert curve.Enable
    assert pair.vars()[-1] == pytest.approx(0.44 * 11_000, abs=20)  # high voltage: it absorbs


def test_alarms_of_the_inverter_reach_the_csms() -> None:
    pair = chained("AC_DER_SAE", {}, grids={4: Grid(voltage=270.0), 8: Grid()}, loops=14)
    alarms = [(alarm["gridEventFault"], alarm.get("alarmEnded", False)) for alarm in pair.csms.calls("NotifyDERAlarm")]
    assert alarms[0] == ("OverVoltage", False)


@pytest.mark.parametrize("service", ["AC_DER_IEC", "AC_DER_SAE"])
def test_the_rating_of_the_cars_inverter_is_told_with_its_needs(service: str) -> None:
    """What each amendment has words for, as the simulated car states it: 22,080 W and var at the outlet, 11,000 in the car."""
    pair = chained(service, {}, loops=2)
    assert ended(pair) == "Terminate"
    (needs, *_) = pair.csms.calls("NotifyEVChargingNeeds")
    rated = needs["chargingNeeds"]["derChargingParameters"]
    ours = pair.car.ev.inverter
    phases = [
        name for name in ("maxDischargeReactivePower", "maxDischargeReactivePower_L2", "maxDischargeReactivePower_L3") if name in rated
    ]
    assert sum(rated[name] for name in phases) == pytest.approx(ours.reactive_power, rel=0.01)
    assert rated["evSessionTotalDischargeEnergyAvailable"] > 0
    assert ("evInverterModel" in rated) is (service == "AC_DER_SAE")
    if service == "AC_DER_SAE":
        assert (rated["evInverterModel"], rated["evInverterManufacturer"], rated["nominalVoltage"]) == ("simulated", "v2gkit", ours.voltage)
        assert {"VoltVar", "FreqDroop", "FixedVar"} <= set(rated["evSupportedDERControl"])
        assert rated["maxApparentPower"] == pytest.approx(ours.power, rel=0.01)
