"""DER control (block R): every rule of it in frames, and what reaches the session of the car."""

from dataclasses import replace
from typing import Any

import pytest

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.model.der import FARTHEST, MOST
from ocpp_bridge.wire.schemas import check
from ocpp_bridge.wire.times import timestamp
from secc.station import EVReported, GridControlChanged, GridReported, Limits, LimitsChanged, MeterReading, PowerStarted, SessionStarted
from tests.ocpp_bridge.ocpp_stand import LIMITS, WALL
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from v2g.energy.der import NO_SHARES, GridControl, Shares

CAR = Limits(discharge_power=8_000.0, charge_power=11_000.0)
LIMIT = {"pctMaxDischargePower": 50}
VOLT_VAR = {"curveData": [{"x": 92, "y": 44}, {"x": 98, "y": 0}, {"x": 102, "y": 0}, {"x": 108, "y": -44}], "yUnit": "PctMaxVar"}
VOLT_WATT = {"curveData": [{"x": 106, "y": 100}, {"x": 110, "y": 0}], "yUnit": "PctMaxW"}
FIXED_VAR = {"setpoint": 30, "unit": "PctMaxVar"}
DROOP = {"overFreq": 50.2, "underFreq": 49.8, "overDroop": 0.05, "underDroop": 0.04, "responseTime": 2}
PF = {"displacement": 0.9, "excitation": True}
ENTER = {"highVoltage": 110, "lowVoltage": 85, "highFreq": 50.1, "lowFreq": 49.5, "delay": 60, "rampRate": 300}
TRIP = {"curveData": [{"x": 0.16, "y": 120}, {"x": 2, "y": 110}], "yUnit": "Not_Applicable"}
FIELDS = {
    "LimitMaxDischarge": ("limitMaxDischarge", LIMIT),
    "VoltVar": ("curve", VOLT_VAR),
    "VoltWatt": ("curve", VOLT_WATT),
    "FixedVar": ("fixedVar", FIXED_VAR),
    "FreqDroop": ("freqDroop", DROOP),
    "FixedPFInject": ("fixedPFInject", PF),
    "FixedPFAbsorb": ("fixedPFAbsorb", PF),
    "EnterService": ("enterService", ENTER),
    "HVMustTrip": ("curve", TRIP),
}


def station(*services: str, **more: Any) -> Played:
    return Played(services=services or ("AC_DER_SAE",), **more)


def control(type_: str = "LimitMaxDischarge", id_: str = "c", *, at: float | None = None, lasts: float = 600, **more: Any) -> dict:
    """A default control, or with `at` (s from now on) a scheduled one."""
    name, body = FIELDS[type_]
    times = {} if at is None else {"startTime": timestamp(WALL + at), "duration": lasts}
    return {"isDefault": at is None, "controlId": id_, "controlType": type_, name: body | {"priority": 5} | times | more}


def put(p: Played, *given: Any, **more: Any) -> dict:
    return p.ask("SetDERControl", control(*given, **more))


def refused(p: Played, payload: dict) -> tuple[str, str]:
    answer = p.ask("SetDERControl", payload)
    assert answer["statusInfo"]["additionalInfo"]
    return answer["status"], answer["statusInfo"]["reasonCode"]


def charging(p: Played, service: str = "AC_DER_SAE", control_mode: str = "Dynamic") -> Played:
    p.answers["Authorize"] = p.answers["Authorize"] | {"allowedEnergyTransfer": ["DC_BPT", "AC_BPT", "AC_DER", "AC_BPT_DER"]}
    p.boot()
    p.arrive(control_mode, service)
    p.charger.evses[1].session.car = CAR
    p.install({"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -9_000.0})
    return p.want(PowerStarted(0.0))


def told(p: Played) -> tuple[GridControl, Shares]:
    last = p.facts(GridControlChanged)[-1]
    return last.control, last.shares


# --- what is taken, and what is refused ---


def test_modes_that_reach_a_car_are_in_the_device_model_and_others_are_not_supported():
    expected = {
        ("AC_DER_IEC",): ("WattPF", "EnterService"),
        ("AC_DER_SAE",): ("EnterService", "WattPF"),
        ("DC_BPT",): ("LimitMaxDischarge", "FixedVar"),
        ("AC_BPT",): ("LimitMaxDischarge", "FixedVar"),
    }
    for services, (has, lacks) in expected.items():
        variables = station(*services).charger.variables
        component = "DCDERCtrlr" if services == ("DC_BPT",) else "ACDERCtrlr"
        modes = variables[component, "ModesSupported", "", 1].split(",")
        assert has in modes
        assert lacks not in modes
    p = station("AC").boot()
    assert p.charger.variables["ACDERCtrlr", "Available", "", 1] == "false"
    assert refused(p, control()) == ("NotSupported", "UnsupportedParam")
    assert p.ask("GetDERControl", {"requestId": 1, "controlType": "VoltVar"})["status"] == "NotSupported"
    assert p.ask("ClearDERControl", {"isDefault": True, "controlType": "VoltVar"})["status"] == "NotSupported"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (control() | {"fixedVar": FIXED_VAR | {"priority": 0}}, "InvalidValue"),
        ({"isDefault": True, "controlId": "c", "controlType": "VoltVar"}, "InvalidValue"),
        (control(startTime=timestamp(WALL)), "InvalidValue"),
        (control(duration=5), "InvalidValue"),
        (control("EnterService") | {"isDefault": False}, "InvalidValue"),
        (control() | {"isDefault": False}, "MissingParam"),
        (control(at=0, duration=-1), "InvalidValue"),
        (control(at=0, duration=0), "InvalidValue"),
        (control(at=FARTHEST + 10), "InvalidValue"),
        (control(at=-700), "InvalidValue"),
        (control(pctMaxDischargePower=-1), "InvalidValue"),
        (control(pctMaxDischargePower=101), "InvalidValue"),
        (control(powerMonitoringMustTrip=TRIP | {"priority": 1}), "InvalidValue"),
        (control("VoltVar", yUnit="PctMaxW"), "InvalidValue"),
        (control("VoltVar", hysteresis={"hysteresisHigh": 1}), "InvalidValue"),
        (control("VoltVar", reactivePowerParams={"vRef": 99}), "InvalidValue"),
        (control("VoltVar", curveData=[{"x": 100, "y": 0}]), "InvalidValue"),
        (control("VoltVar", curveData=[{"x": 100, "y": 0}, {"x": 100, "y": 5}]), "InvalidValue"),
        (control("VoltVar", curveData=[{"x": 230, "y": 0}, {"x": 250, "y": 5}]), "InvalidValue"),
        (control("VoltWatt", curveData=[{"x": 106, "y": 100}, {"x": 108, "y": 80}, {"x": 110, "y": 0}]), "InvalidValue"),
        (control("VoltWatt", curveData=[{"x": 106, "y": 0}, {"x": 110, "y": 100}]), "InvalidValue"),
        (control("FixedVar", unit="PctMaxW"), "InvalidValue"),
        (control("FixedVar", setpoint=-120), "InvalidValue"),
        (control("FreqDroop", overDroop=0), "InvalidValue"),
        (control("FreqDroop", overFreq=1e9), "InvalidValue"),
        (control("FixedPFInject", displacement=0), "InvalidValue"),
        (control("EnterService", randomDelay=30), "InvalidValue"),
        (control("EnterService", highVoltage=253), "InvalidValue"),
        (control("HVMustTrip", curveData=[{"x": -1, "y": 120}, {"x": 2, "y": 110}]), "InvalidValue"),
    ],
)
def test_a_control_that_breaks_a_rule_or_cannot_be_told_to_a_car_is_rejected_and_keeps_nothing(payload: dict, reason: str):
    p = station().boot()
    p.bridge.changes()
    assert refused(p, payload) == ("Rejected", reason)
    assert p.ask("GetDERControl", {"requestId": 1})["status"] == "NotFound"
    assert p.bridge.changes() == {}


# --- what reaches the car ---


def test_a_limit_reaches_the_car_as_a_share_of_its_power_and_bounds_the_station_at_once():
    p = charging(station())
    assert put(p) == {"status": "Accepted"}
    assert told(p) == (GridControl(), Shares(discharge=0.5))
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 4_000.0


@pytest.mark.parametrize("service", ["DC_BPT", "AC_BPT", "AC_DER_IEC"])
@pytest.mark.parametrize("mode", ["Dynamic", "Scheduled"])
def test_a_limit_bounds_every_discharge(service: str, mode: str):
    p = charging(station(service), service, mode)
    put(p)
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 4_000.0
    p.bridge.take_limits(1, replace(p.charger.evses[1].limits, discharge_power=2_000.0), p.now)
    evse = p.charger.evses[1]
    assert (evse.session.limits or evse.limits).discharge_power == 2_000.0


def test_each_control_is_told_in_the_units_of_an_inverter_with_its_sign():
    p = charging(station())
    for type_ in ("FreqDroop", "VoltWatt", "HVMustTrip", "EnterService"):
        put(p, type_, type_)
    asked, shares = told(p)
    assert (asked.over_frequency.start, asked.over_frequency.slope, asked.over_frequency.response) == (50.2, pytest.approx(0.4), 2)
    assert (asked.under_frequency.start, asked.under_frequency.slope) == (49.8, pytest.approx(0.5))
    assert (asked.volt_watt.start, asked.volt_watt.stop) == pytest.approx((243.8, 253.0))
    assert asked.trips.over_voltage == ((0.16, pytest.approx(276.0)), (2, pytest.approx(253.0)))
    assert (asked.enter_service.voltage_high, asked.enter_service.delay, asked.enter_service.ramp) == (pytest.approx(253.0), 60, 300)
    assert shares == NO_SHARES
    put(p, "VoltVar", "q")
    _, shares = told(p)
    assert shares.volt_var.points[0] == (pytest.approx(211.6), -0.44)  # low voltage: it injects, which is minus into the car
    assert shares.volt_var.points[-1] == (pytest.approx(248.4), 0.44)


def test_of_what_concerns_reactive_power_the_strongest_control_is_followed_alone():
    p = charging(station())
    put(p, "VoltVar", "curve", priority=4)
    put(p, "FixedVar", "set", priority=3)
    assert told(p)[1] == Shares(var=-0.3)
    put(p, "VoltVar", "now", at=0, priority=9)
    assert told(p)[1].volt_var is not None
    assert told(p)[1].var is None


def test_of_two_cos_phi_the_one_of_the_present_direction_counts():
    p = charging(station("AC_DER_IEC"), "AC_DER_IEC")
    put(p, "FixedPFInject", "out", excitation=False)
    put(p, "FixedPFAbsorb", "in", displacement=0.95)
    assert (told(p)[0].cos_phi.value, told(p)[0].cos_phi.absorbing) == (0.95, True)
    p.bridge.take_reading(1, MeterReading("M", 0, 0, WALL), -3_000.0)
    p.want(EVReported(0.0))
    assert (told(p)[0].cos_phi.value, told(p)[0].cos_phi.absorbing) == (0.9, False)


def test_the_stations_own_codes_hold_below_and_are_told_to_every_car():
    codes = GridControl(discharge_maximum=3_000.0, var=500.0)
    p = station()
    p.charger.der.codes = codes
    p.boot()
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    assert told(p) == (codes, NO_SHARES)
    put(p, "FixedVar", "v")
    assert told(p) == (replace(codes, var=None), Shares(var=-0.3))
    put(p)
    asked, shares = told(p)
    assert shares.of(asked, 8_000.0).discharge_maximum == 3_000.0  # a limit holds beside a limit
    assert shares.of(asked, 4_000.0).discharge_maximum == 2_000.0
    p.ask("ClearDERControl", {"isDefault": True})
    assert told(p) == (codes, NO_SHARES)


# --- priorities and time ---


def test_a_scheduled_control_starts_and_ends_in_time_and_the_default_holds_after_it():
    p = charging(station())
    put(p, id_="default", pctMaxDischargePower=80)
    assert put(p, id_="noon", at=100, lasts=50, pctMaxDischargePower=20) == {"status": "Accepted"}
    assert told(p)[1].discharge == 0.8
    p.run(100.0)
    assert told(p)[1].discharge == 0.2
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 1_600.0
    p.run(50.0)
    assert told(p)[1].discharge == 0.8
    assert p.facts(LimitsChanged)[-1].limits.discharge_power == 6_400.0
    turns = [(turn["controlId"], turn["started"]) for turn in p.calls("NotifyDERStartStop")]
    assert turns == [("noon", True), ("noon", False)]
    assert [turn["timestamp"] for turn in p.calls("NotifyDERStartStop")] == [timestamp(WALL + 100), timestamp(WALL + 150)]
    assert p.ask("GetDERControl", {"requestId": 1, "isDefault": False})["status"] == "NotFound"


def test_a_stronger_control_supersedes_what_has_not_begun_at_once():
    p = station().boot()
    put(p, id_="weak", at=100)
    assert put(p, id_="strong", at=200, priority=4) == {"status": "Accepted", "supersededIds": ["weak"]}
    p.run(1000.0)
    assert [turn["controlId"] for turn in p.calls("NotifyDERStartStop")] == ["strong", "strong"]


def test_a_stronger_control_supersedes_what_runs_when_it_starts_itself():
    p = charging(station())
    put(p, id_="weak", at=0, lasts=900, pctMaxDischargePower=10)
    assert put(p, id_="strong", at=100, lasts=100, priority=0, pctMaxDischargePower=60)["supersededIds"] == ["weak"]
    assert told(p)[1].discharge == 0.1
    p.run(100.0)
    assert told(p)[1].discharge == 0.6
    assert p.calls("NotifyDERStartStop")[-1]["supersededIds"] == ["weak"]
    p.run(100.0)
    assert told(p) == (GridControl(), NO_SHARES)  # one that was superseded never comes back
    assert [turn["controlId"] for turn in p.calls("NotifyDERStartStop")] == ["weak", "strong", "strong"]


def test_a_weaker_control_is_kept_as_superseded_and_an_equal_one_is_the_latest_word():
    p = charging(station())
    put(p, id_="a", pctMaxDischargePower=50)
    assert put(p, id_="b", priority=6, pctMaxDischargePower=90)["supersededIds"] == ["b"]
    assert told(p)[1].discharge == 0.5
    assert put(p, id_="c", pctMaxDischargePower=40) == {"status": "Accepted"}
    assert told(p)[1].discharge == 0.4
    p.ask("GetDERControl", {"requestId": 9})
    (page,) = p.run().calls("ReportDERControl")
    assert {each["id"]: each["isSuperseded"] for each in page["limitMaxDischarge"]} == {"a": False, "b": True, "c": False}
    put(p, id_="c", pctMaxDischargePower=30)
    assert told(p)[1].discharge == 0.3
    assert len(p.charger.der.held) == 3


def test_defaults_and_types_do_not_supersede_each_other():
    p = station().boot()
    put(p, id_="default", priority=9)
    assert "supersededIds" not in put(p, id_="scheduled", at=0, priority=0)
    assert "supersededIds" not in put(p, "FixedVar", "var", priority=0)


def test_a_csms_cannot_grow_the_store_and_what_is_superseded_makes_room():
    p = station().boot()
    for number in range(MOST):
        assert put(p, id_=f"n{number}", at=number)["status"] == "Accepted"
    assert refused(p, control(id_="more", at=5)) == ("Rejected", "TooManyElements")
    assert put(p, id_="n3", at=7)["status"] == "Accepted"  # the one that is there, anew
    for number in range(3 * MOST):
        assert put(p, id_=f"d{number}", priority=100 - number)["status"] == "Accepted"
    assert len(p.charger.der.select(default=True)) == MOST


# --- reports and clearing ---


def test_reports_come_in_pages_of_one_kind_and_the_last_says_so():
    p = station().boot()
    for number, type_ in enumerate(FIELDS):
        put(p, type_, f"c{number}")
    assert p.ask("GetDERControl", {"requestId": 7}) == {"status": "Accepted"}
    pages = p.run().calls("ReportDERControl")
    assert [page["tbc"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert {page["requestId"] for page in pages} == {7}
    names = {name: page[name] for page in pages for name in page if name not in ("requestId", "tbc")}
    assert len(names["curve"]) == 3
    assert {each["curveType"] for each in names["curve"]} == {"VoltVar", "VoltWatt", "HVMustTrip"}
    assert names["enterService"] == [{"id": "c7", "enterService": ENTER | {"priority": 5}}]
    assert names["fixedPFInject"][0]["fixedPF"] == PF | {"priority": 5}
    assert p.ask("GetDERControl", {"requestId": 8, "controlId": "c0", "isDefault": False})["status"] == "NotFound"
    p.ask("GetDERControl", {"requestId": 9, "controlId": "c0"})
    assert len(p.run().calls("ReportDERControl")) == len(pages) + 1


def test_clearing_falls_back_to_the_default_and_says_that_what_ran_has_ended():
    p = charging(station())
    put(p, id_="default", pctMaxDischargePower=30)
    put(p, id_="now", at=0, pctMaxDischargePower=90)
    assert told(p)[1].discharge == 0.9
    assert p.ask("ClearDERControl", {"isDefault": True, "controlId": "now"})["status"] == "NotFound"
    assert p.ask("ClearDERControl", {"isDefault": False, "controlId": "none"})["status"] == "NotFound"
    assert p.ask("ClearDERControl", {"isDefault": False, "controlType": "FixedVar"})["status"] == "NotFound"
    assert p.ask("ClearDERControl", {"isDefault": False, "controlId": "now"}) == {"status": "Accepted"}
    assert told(p)[1].discharge == 0.3
    assert p.calls("NotifyDERStartStop")[-1]["started"] is False
    assert p.ask("ClearDERControl", {"isDefault": False}) == {"status": "Accepted"}  # of all, there being none
    assert p.ask("ClearDERControl", {"isDefault": True, "controlType": "LimitMaxDischarge"}) == {"status": "Accepted"}
    assert told(p) == (GridControl(), NO_SHARES)


# --- restarts, and times without connection ---


def test_controls_outlive_the_process_and_those_that_are_over_end_after_it():
    p = station().boot()
    put(p, id_="default/1", pctMaxDischargePower=30)
    put(p, id_="short", at=0, lasts=60)
    put(p, id_="long", at=0, lasts=900, priority=1, pctMaxDischargePower=10)
    kept = {name: value for name, value in p.bridge.changes().items() if value is not None and name.startswith("der/")}
    assert set(kept) == {"der/default/1", "der/short", "der/long"}
    again = station()
    again.bridge.restore(kept)
    again.now = 100.0
    charging(again)
    assert told(again)[1].discharge == 0.1
    again.run(900.0)
    assert told(again)[1].discharge == 0.3
    assert [turn["controlId"] for turn in again.calls("NotifyDERStartStop")] == ["long"]
    assert again.bridge.changes()["der/long"] is None


def test_without_connection_controls_go_on_and_are_told_later():
    p = charging(station())
    put(p, at=10, lasts=20)
    p.bridge.go_offline(p.now)
    p.run(60.0)
    assert p.calls("NotifyDERStartStop") == []
    assert [fact.shares.discharge for fact in p.facts(GridControlChanged)] == [0.5, None]
    p.bridge.go_online("ocpp2.1", p.now)
    p.run()
    assert [turn["started"] for turn in p.calls("NotifyDERStartStop")] == [True, False]


# --- alarms ---


def test_alarms_of_the_car_are_told_when_they_begin_and_when_they_end():
    p = charging(station())
    p.want(GridReported(0.0, ("OverVoltage", "LowInputPower"), connected=False, voltage=260.0, frequency=50.0))
    p.want(GridReported(0.0, ("OverVoltage",), voltage=255.0))
    first = [alarm for alarm in p.calls("NotifyDERAlarm") if "alarmEnded" not in alarm]
    assert {(alarm["controlType"], alarm["gridEventFault"]) for alarm in first} == {
        ("HVMustTrip", "OverVoltage"),
        ("EnterService", "LowInputPower"),
    }
    assert first[0]["extraInfo"] == "260 V, 50 Hz, disconnected from the grid"
    assert p.calls("NotifyDERAlarm")[-1]["gridEventFault"] == "LowInputPower"
    assert p.calls("NotifyDERAlarm")[-1]["alarmEnded"] is True
    p.bridge.end_session(1, p.now)
    last = p.run().calls("NotifyDERAlarm")[-1]
    assert (last["gridEventFault"], last["alarmEnded"], last["extraInfo"]) == ("OverVoltage", True, "the car has gone")


def test_an_inverter_that_flaps_is_no_flood():
    p = charging(station())
    for _ in range(200):
        p.want(GridReported(0.0, ("OverCurrent",)), GridReported(0.0, ()))
    alarms = p.calls("NotifyDERAlarm")
    assert len(alarms) == 61
    assert "more alarms" in alarms[-1]["extraInfo"]
    for alarm in alarms:
        check("ocpp2.1", "NotifyDERAlarm", "Request", alarm)


# --- an inverter in the charger itself ---


def dc(*functions):
    p = Played(services=("DC", "DC_BPT"))
    p.charger.evses[1].inverter.functions = functions
    p.bridge = Bridge(p.charger)  # as a station begins: it says what it follows
    return p


def test_at_direct_current_what_the_chargers_inverter_follows_is_supported_and_told():
    p = dc("volt_var", "var", "over_frequency").boot()
    modes = p.charger.variables["DCDERCtrlr", "ModesSupported", "", 1].split(",")
    assert sorted(modes) == ["FixedVar", "LimitMaxDischarge", "VoltVar"]  # a droop has two sides, of which one is there
    assert put(p, "FixedVar", "v")["status"] == "Accepted"
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    assert told(p)[1] == Shares(var=-0.3)
    assert put(p, "VoltWatt", "w")["status"] == "NotSupported"
    p.ask("ClearDERControl", {"isDefault": True, "controlType": "FixedVar"})
    assert told(p) == (GridControl(), NO_SHARES)


def test_a_charger_that_only_charges_has_no_inverter_whatever_it_says():
    p = Played(services=("DC",))
    p.charger.evses[1].inverter.functions = ("volt_var",)
    assert Bridge(p.charger).charger.variables["DCDERCtrlr", "ModesSupported", "", 1] == ""


def test_the_inverter_in_the_charger_is_rated_by_its_outlet_and_what_nobody_says_is_empty():
    def rated(p: Played) -> dict[str, str]:
        names = ("MaxW", "MaxChargeRateW", "MaxVar", "MaxVarNeg", "MaxVA", "OverExcitedPF", "ReactiveSusceptance", "InverterModel")
        asked = [{"component": {"name": "DCDERCtrlr", "evse": {"id": 1}}, "variable": {"name": name}} for name in names]
        results = p.ask("GetVariables", {"getVariableData": asked})["getVariableResult"]
        return {each["variable"]["name"]: each["attributeValue"] for each in results if each["attributeValue"]}

    powers = {"MaxW": f"{LIMITS.discharge_power:.0f}", "MaxChargeRateW": f"{LIMITS.charge_power:.0f}"}
    assert rated(dc().boot()) == powers | {"MaxVar": "0", "MaxVarNeg": "0"}
    assert rated(dc("over_frequency", "under_frequency").boot()) == powers | {"MaxVar": "0", "MaxVarNeg": "0"}
    assert rated(dc("var").boot()) == powers | {"MaxVar": powers["MaxW"], "MaxVarNeg": powers["MaxW"]}
    assert rated(station("AC_BPT", "AC_DER_IEC").boot()) == {}
    assert rated(station("DC").boot()) == {}
