"""What a car keeps for itself stays in its battery, whoever gives the setpoint or the schedule."""

from typing import Any

import pytest

from secc import station as words
from secc.reserve import Reserve
from tests.secc.scripted import EPOCH, Scripted, outlet, r
from v2g.iso20.rational import number
from v2g.messages.common_types import DisplayParametersType
from v2g.messages.common_types import responseCodeType as Code

SHORT = {"EVMinimumEnergyRequest": r(5_000), "EVTargetEnergyRequest": r(9_000)}
BELOW_V2X = {"EVMaximumV2XEnergyRequest": r(9_000), "EVMinimumV2XEnergyRequest": r(5_000)}
ABOVE_V2X = {"EVMaximumV2XEnergyRequest": r(-1_000), "EVMinimumV2XEnergyRequest": r(-5_000)}


def charging(service: str, control: str) -> Scripted:
    car = Scripted(outlet())
    car.ready(service, control)
    assert car.start(control).ResponseCode is Code.OK
    return car


def led(car: Scripted, service: str, **loop: Any) -> float:
    """The power (W) that the car is led to by a setpoint of -20 kW."""
    car.tell(words.SetpointChanged(-20e3))
    mode = car.loop(service, "Dynamic", **loop).CLResControlMode
    if service.startswith("AC"):
        assert number(mode.EVSETargetActivePower) == car.wants(words.SetPower)[-1].power
        return number(mode.EVSETargetActivePower)
    want = car.wants(words.SetOutput)[-1]
    assert abs(want.power) <= number(mode.EVSEMaximumDischargePower)
    return float(want.power)


@pytest.mark.parametrize("service", ["AC_BPT", "DC_BPT"])
@pytest.mark.parametrize("said", [SHORT, {"EVMinimumEnergyRequest": r(0)}, BELOW_V2X, ABOVE_V2X])
def test_a_setpoint_takes_nothing_from_the_reserve(service: str, said: dict[str, Any]) -> None:
    car = charging(service, "Dynamic")
    assert led(car, service) < 0
    assert led(car, service, **said) == 0


def _looped(car: Scripted, control: str, display: DisplayParametersType, **mode: Any) -> float:
    """The current of a DC_BPT loop that wants to discharge, with these display parameters."""
    from v2g.messages import dc

    kind = getattr(dc, f"BPT_{control}_DC_CLReqControlModeType")
    fields = {**car.loop_fields("DC", control, True), **({"EVTargetCurrent": r(-20)} if control == "Scheduled" else {}), **mode}
    car.ask(
        dc.DC_ChargeLoopReq, DisplayParameters=display, MeterInfoRequested=False, EVPresentVoltage=r(400), CLReqControlMode=kind(**fields)
    )
    return float(car.wants(words.SetOutput)[-1].current)


@pytest.mark.parametrize("control", ["Scheduled", "Dynamic"])
def test_nothing_is_taken_below_the_minimum_soc(control: str) -> None:
    car = charging("DC_BPT", control)
    car.tell(words.SetpointChanged(-8e3))
    car.jump(3600 + 60)  # the hour in which the schedule discharges
    assert _looped(car, control, DisplayParametersType(PresentSOC=50, MinimumSOC=20)) < 0
    assert _looped(car, control, DisplayParametersType(PresentSOC=5, MinimumSOC=20)) == 0
    assert _looped(car, control, DisplayParametersType(PresentSOC=19)) == 0  # what it does not say again stands
    assert _looped(car, control, DisplayParametersType(PresentSOC=21)) < 0


def test_a_schedule_takes_nothing_from_a_reserve_that_was_said_once() -> None:
    car = charging("DC_BPT", "Scheduled")  # EVMinimumEnergyRequest was -20 kWh in ScheduleExchange
    car.jump(3600 + 60)
    car.tell(words.MeterRead(words.MeterReading("M", 1_000.0, 7e6, EPOCH)))  # the first reading: of years
    assert _looped(car, "Scheduled", DisplayParametersType()) == -20
    car.tell(words.MeterRead(words.MeterReading("M", 1_000.0, 7e6 + 19_900.0, EPOCH)))
    display = DisplayParametersType()
    assert _looped(car, "Scheduled", display) == -20
    car.tell(words.MeterRead(words.MeterReading("M", 1_000.0, 7e6 + 20_000.0, EPOCH)))
    assert _looped(car, "Scheduled", display) == 0
    assert _looped(car, "Scheduled", display, EVMinimumEnergyRequest=r(-500)) == -20  # it knows its battery better
    car.tell(words.MeterRead(words.MeterReading("M", 1_000.0, 7e6 + 20_500.0, EPOCH)))
    assert _looped(car, "Scheduled", display) == 0


def test_energies_count_from_the_reading_that_they_came_with() -> None:
    said = Reserve().heard(100.0, energy=-1_000.0)
    assert not said.bars(-800.0)
    assert said.bars(-900.0)
    later = said.heard(0.0, soc=50.0)  # other words in between change nothing of that
    assert not later.bars(-899.0)
    assert later.bars(-900.0)


def test_a_whole_percent_decides_only_where_no_energy_was_said() -> None:
    assert Reserve().heard(0.0, soc=20, minimum_soc=20).bars(0.0)
    assert not Reserve().heard(0.0, soc=20, minimum_soc=20, energy=-100.0).bars(0.0)
    assert Reserve().heard(0.0, soc=19, minimum_soc=20, energy=-100.0).bars(0.0)
    assert not Reserve().bars(0.0)
