"""Grid codes on the wire and back, in both amendments; what cannot be meant is refused by one error; payload types; phases."""

from dataclasses import fields, replace
from typing import Any

import msgspec
import pytest

from v2g.energy.der import (
    ALARMS,
    FUNCTIONS,
    Curve,
    EnterService,
    FrequencyWatt,
    GridControl,
    PowerFactor,
    RideThrough,
    Trips,
    VoltWatt,
    ZeroCurrent,
)
from v2g.exi.derive import least
from v2g.iso20 import der_iec, der_sae, frames
from v2g.iso20.der import EIGHT, alarms, bits, functions, named
from v2g.iso20.modes import ac_modes
from v2g.iso20.phases import each, spread, total, within_phases
from v2g.iso20.rational import number, rational
from v2g.iso20.services import SERVICES
from v2g.messages import ac
from v2g.messages import ac_der_iec as iec
from v2g.messages import ac_der_sae as sae
from v2g.session.v2gtp import PayloadType

OVER = FrequencyWatt(50.25, 50.0, 0.5, "present", hysteresis=True, delay=2.0, response=0.5)
UNDER = FrequencyWatt(49.75, 50.0, 0.25)
VOLT_VAR = Curve(((210.0, -3_000.0), (225.0, 0.0), (235.0, 0.0), (250.0, 3_000.0)), 0.5, 4.0, 8.0)
BASE = der_sae.Base(230.0, 50.0, 10_000.0, 5_000.0)
IEC, SAE = ac_modes(SERVICES["AC_DER_IEC"]), ac_modes(SERVICES["AC_DER_SAE"])

ASKED_IEC = [
    GridControl(),
    GridControl(over_frequency=OVER, under_frequency=UNDER, volt_watt=VoltWatt(240.0, 252.5, "present", 3.0, 1.5)),
    GridControl(volt_var=VOLT_VAR),
    GridControl(watt_var=Curve(((-8_000.0, 3_000.0), (0.0, 0.0)))),
    GridControl(watt_cos_phi=Curve(((-8_000.0, 0.5), (0.0, 1.0), (5_000.0, -0.75)))),
    GridControl(
        over_voltage=RideThrough(264.5, 276.0, 253.0, 2.0, None, 0.5, 0.25), under_voltage=RideThrough(195.5, fall=2.5),
        zero_current=ZeroCurrent(276.0, 150.0, 253.0, 200.0, 0.5), dc_injection=0.5,
    ),
    GridControl(forming=True, islanded=True),
]  # fmt: skip


@pytest.mark.parametrize("control", ASKED_IEC, ids=lambda control: "+".join(sorted(control.asked)) or "nothing")
def test_iec_settings_survive_the_way(control: GridControl) -> None:
    said = through(ac.AC_ChargeParameterDiscoveryRes, "AC_CPDResEnergyTransferMode", least(IEC.says, **der_iec.settings(control)))
    assert der_iec.read_settings(said) == control


@pytest.mark.parametrize(
    "points",
    [{}, {"discharge_maximum": 4_000.0}, {"var": -1_500.0}, {"cos_phi": PowerFactor(0.5)}, {"cos_phi": PowerFactor(0.75, absorbing=False)}],
    ids=lambda points: "+".join(points) or "nothing",
)
@pytest.mark.parametrize("phases", [1, 2])
@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_iec_set_points_survive_the_way(points: dict[str, Any], phases: int, control: Any) -> None:
    mode = least(IEC.loop[control][1], **der_iec.setpoints(GridControl(**points), phases))
    said = through(ac.AC_ChargeLoopRes, "CLResControlMode", mode)
    assert der_iec.read_setpoints(said) == {"discharge_maximum": None, "var": None, "cos_phi": None, **points}


def test_iec_words_are_those_of_the_standard() -> None:
    """Units as they are said of them at the head of the module: what both our ends mean must not drift together."""
    said = der_iec.settings(GridControl(over_frequency=OVER, volt_var=VOLT_VAR))["DERControl"]
    droop, curve = said.ActivePowerSupport.OverFrequencyWatt, said.ReactivePowerSupport.VoltVar
    assert number(droop.Slope) == 50.0  # per cent of the reference for each Hz
    assert (droop.PowerReference.value, droop.HysteresisControl, droop.IntentionalDelayPowerControl) == ("MomentaryPower", True, 2)
    first, *_, last = curve.CurveDataPoints.CurveDataPoint
    assert (number(first.yValue.SetpointValue), first.yValue.Excitation.value) == (3_000.0, "OverExcited")  # injects below
    assert (number(last.yValue.SetpointValue), last.yValue.Excitation.value) == (3_000.0, "UnderExcited")
    assert (curve.xUnit.value, curve.yUnit.value) == ("V", "var")


ASKED_SAE = [
    GridControl(trips=Trips(), enter_service=EnterService()),
    GridControl(over_frequency=FrequencyWatt(50.25, 50.25, 0.5, response=2.0), under_frequency=FrequencyWatt(49.75, 49.75, 0.25)),
    GridControl(volt_var=Curve(VOLT_VAR.points, response=8.0)),
    GridControl(watt_var=Curve(((-8_000.0, 3_000.0), (0.0, 0.0)))),
    GridControl(volt_watt=VoltWatt(240.0, 252.5, response=2.0)),
    GridControl(volt_watt=VoltWatt(207.0, 194.0)),
    GridControl(var=-1_500.0, watt=-3_000.0, discharge_maximum=4_000.0),
    GridControl(cos_phi=PowerFactor(0.75, absorbing=False)),
    GridControl(forming=True, islanded=True, enter_service=EnterService(False, 250.0, 200.0, 50.5, 49.0, 30.0, 10.0)),
]


@pytest.mark.parametrize("control", ASKED_SAE, ids=lambda control: "+".join(sorted(control.asked)))
def test_sae_settings_survive_the_way_in_parameters_and_in_the_loop(control: GridControl) -> None:
    whole = replace(control, trips=control.trips or Trips(), enter_service=control.enter_service or EnterService())
    said = through(ac.AC_ChargeParameterDiscoveryRes, "AC_CPDResEnergyTransferMode", least(SAE.says, **der_sae.settings(control, BASE)))
    assert_same(der_sae.read_settings(said, BASE), whole)
    loop = through(ac.AC_ChargeLoopRes, "CLResControlMode", least(SAE.loop["Dynamic"][1], **der_sae.changes(control, BASE, whole=True)))
    assert_same(replace(GridControl(dc_injection=1.0), **der_sae.read_changes(loop, BASE)), replace(whole, dc_injection=1.0))
    brief = through(ac.AC_ChargeLoopRes, "CLResControlMode", least(SAE.loop["Dynamic"][1], **der_sae.changes(control, BASE, whole=False)))
    assert set(der_sae.read_changes(brief, BASE)) == {"enter_service"}


def assert_same(one: GridControl, other: GridControl) -> None:
    """But for what a float costs on its way through a droop."""
    for each_field in fields(GridControl):
        mine, theirs = getattr(one, each_field.name), getattr(other, each_field.name)
        if isinstance(theirs, FrequencyWatt) and isinstance(mine, FrequencyWatt):
            assert mine.slope == pytest.approx(theirs.slope, rel=1e-4)
            mine, theirs = replace(mine, slope=1.0), replace(theirs, slope=1.0)
        assert mine == theirs, each_field.name


def test_a_droop_is_that_of_ieee_1547() -> None:
    said = der_sae.settings(GridControl(over_frequency=FrequencyWatt(60.036, 60.036, 1 / 3)), der_sae.Base(120.0, 60.0))
    droop = said["DERControlCPDRes"].ActivePowerSupportCPDRes.FrequencyDroop.OverFrequencyDroop
    assert (number(droop.db), number(droop.DroopFactor)) == (pytest.approx(0.036), pytest.approx(0.05))


def test_a_limit_in_per_cent_never_lets_more_flow() -> None:
    for watts in (4_999.0, 33.0, 9_999.9, 10_000.0, 20_000.0):
        mode = least(SAE.says, **der_sae.settings(GridControl(discharge_maximum=watts), BASE))
        most = der_sae.read_settings(mode, BASE).discharge_maximum
        assert most is not None
        assert watts - 100.0 < most <= watts or (watts > 10_000.0 and most == 10_000.0)


def test_percentages_are_of_what_the_car_has() -> None:
    mode: Any = least(SAE.says, **der_sae.settings(GridControl(volt_var=VOLT_VAR), BASE))
    curve = mode.DERControlCPDRes.ReactivePowerSupportCPDRes.VoltVar
    points = sae.CurveDataPointsListType(
        CurveDataPoint=tuple(sae.DataTupleType(xValue=rational(x), yValue=rational(y)) for x, y in ((92.0, -44.0), (108.0, 44.0)))
    )
    units = {"xUnit": sae.derUnitType.PercentageV, "yUnit": sae.derUnitType.PercentageEVMaximumAvailableReactivePower}
    said = msgspec.structs.replace(curve, CurveDataPoints=points, **units)
    reactive = msgspec.structs.replace(mode.DERControlCPDRes.ReactivePowerSupportCPDRes, VoltVar=said)
    control = msgspec.structs.replace(mode.DERControlCPDRes, ReactivePowerSupportCPDRes=reactive)
    read = der_sae.read_settings(msgspec.structs.replace(mode, DERControlCPDRes=control), BASE).volt_var
    assert read is not None
    assert [value for point in read.points for value in point] == pytest.approx([211.6, -2_200.0, 248.4, 2_200.0])


@pytest.mark.parametrize("values", [(5, 1), (1, 5)])
def test_of_several_functions_the_lower_priority_number_wins(values: tuple[int, int]) -> None:
    mode: Any = least(SAE.says, **der_sae.settings(GridControl(volt_var=VOLT_VAR), BASE))
    reactive = mode.DERControlCPDRes.ReactivePowerSupportCPDRes
    both = msgspec.structs.replace(
        reactive,
        VoltVar=msgspec.structs.replace(reactive.VoltVar, Priority=values[0]),
        ConstantVar=msgspec.structs.replace(reactive.ConstantVar, Enable=True, Priority=values[1], VarSetpoint=rational(700.0)),
    )
    control = msgspec.structs.replace(mode.DERControlCPDRes, ReactivePowerSupportCPDRes=both)
    read = der_sae.read_settings(msgspec.structs.replace(mode, DERControlCPDRes=control), BASE)
    assert (read.volt_var is None, read.var) == ((True, 700.0) if values == (5, 1) else (False, None))


@pytest.mark.parametrize(
    "points",
    [
        ((230.0, 0.0), (220.0, 1.0)),
        ((230.0, 0.0), (230.0, 1.0)),
        ((230.0, 0.0),),
        tuple((float(n), 0.0) for n in range(11)),
        ((0.0, float("nan")), (1.0, 0.0)),
    ],
)
def test_a_curve_that_cannot_be_meant_is_a_value_error(points: Any) -> None:
    with pytest.raises(ValueError, match="points"):
        Curve(points)


def test_a_hostile_station_s_settings_are_one_value_error() -> None:
    good = least(IEC.says, **der_iec.settings(GridControl(over_frequency=OVER)))
    wrong = msgspec.structs.replace(
        good.DERControl.ActivePowerSupport.OverFrequencyWatt, Fstart=rational(1e120), StepResponseTimeConstantActivePower=rational(-1e9)
    )
    active = iec.ActivePowerSupportType(OverFrequencyWatt=wrong)
    with pytest.raises(ValueError, match="start is 1e"):
        der_iec.read_settings(msgspec.structs.replace(good, DERControl=iec.DERControlType(ActivePowerSupport=active)))


@pytest.mark.parametrize(
    "given",
    [
        {"volt_var": VOLT_VAR, "watt_var": VOLT_VAR},
        {"var": 1.0, "cos_phi": PowerFactor(1.0)},
        {"discharge_maximum": -1.0},
        {"var": float("nan")},
    ],
)
def test_a_grid_cannot_ask_for_two_things_at_once(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        GridControl(**given)


# --- bits ---


def test_bits_of_functions_and_alarms() -> None:
    assert functions(FUNCTIONS) == 0xFFF
    assert functions(["over_frequency", "volt_var"]) == 0b1001
    assert named(0b1001) == {"over_frequency", "volt_var"}
    assert named(1 << 12) == {"bit 12"}
    assert bits(("OverFrequency", "UnderVoltage")) == 0b1100
    assert alarms(0b1100) == ("UnderVoltage", "OverFrequency")
    assert alarms(bits(ALARMS)) == ALARMS
    assert bits(ALARMS, EIGHT) == 0xFF  # an octet
    assert alarms(1 << 31) == ()
    assert der_sae.modes(frozenset({"over_frequency", "under_frequency", "volt_var"})) == 1 << 0 | 1 << 1 | 1 << 8 | 1 << 23


# --- payload types ---


@pytest.mark.parametrize(
    ("service", "expected"),
    [("AC", PayloadType.AC), ("AC_BPT", PayloadType.AC), ("AC_DER_IEC", PayloadType.AC_DER_IEC), ("AC_DER_SAE", PayloadType.AC_DER_SAE)],
)
def test_the_mode_says_the_payload_type(service: str, expected: PayloadType) -> None:
    modes = ac_modes(SERVICES[service])
    messages = [
        least(ac.AC_ChargeParameterDiscoveryReq, AC_CPDReqEnergyTransferMode=least(modes.asks)),
        least(ac.AC_ChargeParameterDiscoveryRes, AC_CPDResEnergyTransferMode=least(modes.says)),
        *(least(ac.AC_ChargeLoopReq, CLReqControlMode=least(request)) for request, _ in modes.loop.values()),
        *(least(ac.AC_ChargeLoopRes, CLResControlMode=least(response)) for _, response in modes.loop.values()),
    ]
    for message in messages:
        assert frames.payload_type_for(message) == expected
        assert frames.message(expected, frames.exi(message)) == message


def through(message: Any, field: str, mode: Any) -> Any:
    """A mode as it comes out at the other end."""
    sent = least(message, **{field: mode})
    return getattr(frames.message(frames.payload_type_for(sent), frames.exi(sent)), field)


# --- phases ---


def test_a_power_over_its_phases() -> None:
    assert {name: number(value) for name, value in spread("P", 11_000.0, 1).items()} == {"P": 11_000.0}
    three = spread("P", -11_000.0, 3)
    assert list(three) == ["P", "P_L2", "P_L3"]
    assert all(-11_000.0 / 3 <= number(value) <= -3_666.0 for value in three.values())  # towards zero
    assert number(spread("P", 10.0, 3, "up")["P"]) >= 10.0 / 3


@pytest.mark.parametrize(
    ("said", "alone", "sums"),
    [
        ({"P": 5.0}, (5.0,), 5.0),
        ({"P": 5.0, "P_L2": 3.0}, (5.0, 3.0), 8.0),
        ({"P": 5.0, "P_L3": 3.0}, (5.0, 0.0, 3.0), 8.0),
        ({}, (), None),
    ],
)
def test_what_is_said_of_phases(said: dict[str, float], alone: tuple[float, ...], sums: float | None) -> None:
    class Said:
        P = P_L2 = P_L3 = None

    one = Said()
    for name, value in said.items():
        setattr(one, name, rational(value))
    assert each(one, "P") == alone
    assert total(one, "P") == sums


def test_no_phase_counts_for_more_than_its_share() -> None:
    mode = ac.BPT_AC_CPDReqEnergyTransferModeType(
        EVMaximumChargePower=rational(9_000), EVMaximumChargePower_L2=rational(2_000), EVMinimumChargePower=rational(0),
        EVMaximumDischargePower=rational(-9_000), EVMaximumDischargePower_L2=rational(-1_000), EVMinimumDischargePower=rational(0),
    )  # fmt: skip
    assert within_phases(mode, "EVMaximumChargePower", 7_360.0) == 9_360.0
    assert within_phases(mode, "EVMaximumDischargePower", 7_360.0) == 8_360.0
