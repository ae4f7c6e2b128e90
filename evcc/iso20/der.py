"""AC_DER: a car that feeds the grid under its codes. Its inverter follows what the grid asks, within the limits; alarms go back."""

from abc import abstractmethod
from dataclasses import fields, replace
from typing import Any

from evcc.inverter import Inverter
from evcc.iso20.ac import Ac
from evcc.iso20.known import Car
from evcc.script import Part
from v2g.energy.der import SETPOINTS, GridControl
from v2g.iso20.der import EIGHT, bits
from v2g.iso20.phases import spread
from v2g.iso20.rational import number, rational
from v2g.messages.common_types import processingType as Processing
from v2g.session.errors import PeerIncompatible

REACTIVE = ("Charge", "Discharge")
ALWAYS = 315_360_000  # s; how long a car can go on at its greatest power, where it does not say: ten years


class Declined(PeerIncompatible):
    """The grid asks for what the inverter cannot do: the car chooses again [V2G20-3154]."""


class AcDer(Ac):
    """The AC side of a session under grid codes; `control` is what the grid asks now."""

    def __init__(self, car: Car):
        super().__init__(car)
        rating, share = car.ev.inverter, self.phases / car.ev.inlet(car.known.service.row.plug).phases
        rating = replace(rating, power=rating.power * share, reactive_power=rating.reactive_power * share)
        self.inverter = Inverter(rating, self.own.discharge_power)
        self.control = GridControl()

    # --- parameters ---

    def discovery(self) -> Part[None]:
        """Hear what the grid asks, take it over, and say so [V2G20-3150]; Declined where the inverter cannot."""
        response: Any = yield self.parameters(**self._rating(Processing.Ongoing))
        said = response.AC_CPDResEnergyTransferMode
        self.learn(said)
        self._ask(self.read(said))
        lacking = self.inverter.rating.lacks(self.control)
        if lacking:
            self.car.note("grid codes declined", lacking=lacking, requirement="V2G20-3154")
            raise Declined(f"the grid asks for {', '.join(lacking)}, which this car's inverter cannot do", "V2G20-3154")
        response = yield self.parameters(**self._rating(Processing.Finished))
        self.learn(response.AC_CPDResEnergyTransferMode)
        again = self.read(response.AC_CPDResEnergyTransferMode)
        if again.settings != self.control.settings:
            self._ask(again)

    def _ask(self, control: GridControl) -> None:
        if control != self.control:
            self.car.note("the grid asks", **_told(control))
        self.control = self.inverter.control = control

    @abstractmethod
    def read(self, said: Any) -> GridControl:
        """What ChargeParameterDiscoveryRes asks. ValueError for what cannot be meant."""

    @abstractmethod
    def changed(self, said: Any) -> dict[str, Any]:
        """What the response of a loop changes, as fields of `GridControl`."""

    @abstractmethod
    def _rating(self, processing: Processing) -> dict[str, Any]:
        """The fields by which ChargeParameterDiscoveryReq states the inverter's rating, and how far the car is with it."""

    # --- power ---

    def chosen(self, power: float) -> float:
        """What the inverter makes of a wanted power: less than a schedule says, and in Dynamic control anything within the limits."""
        if self.car.known.service.control == "Scheduled":
            bounds = min(power, 0.0), max(power, 0.0)
        else:
            bounds = self.promised(self.span()) if self.setpoint is not None else (0.0, 0.0)
        before = self.inverter.flow
        now = self.inverter.step(self.car.ev.grid, power, bounds, self.step)
        if (now.alarms, now.connected) != (before.alarms, before.connected):
            self.car.note("grid event", alarms=now.alarms, connected=now.connected)
        return now.power

    def reactive(self, scheduled: bool) -> dict[str, Any]:
        """The reactive power of the inverter, over its phases."""
        return {**spread("EVPresentReactivePower", self.inverter.flow.reactive, self.phases)}

    def loop_response(self, response: Any) -> None:
        """Take the setpoint, the limits and what the grid asks now."""
        super().loop_response(response)
        said, since = response.CLResControlMode, self.since
        for name, field in (("charge_power", "EVSEMaximumChargePower"), ("discharge_power", "EVSEMaximumDischargePower")):
            if (most := self.usable(said, field)) is not None:
                self.revise(**{name: self.news(name, self.shared(said, field, most), since)})
        self._ask(replace(self.control, **self.changed(said)))
        if lacking := self.inverter.rating.lacks(self.control):
            self.car.stop_asked = self.car.stop_asked or f"the grid asks for {', '.join(lacking)}, which this car's inverter cannot do"

    def cease(self) -> None:
        """The inverter stops with the charger."""
        super().cease()
        self.inverter.stop()

    def _available(self) -> float:
        """Wh that may be given back until the reserve is left."""
        car = self.car
        return max(0.0, car.ev.energy - car.ev.at_soc(car.goal.minimum_soc)) * car.ev.battery.discharge_efficiency


class AcDerIec(AcDer):
    """Under European grid codes: settings before power, set-points in the loop."""

    def read(self, said: Any) -> GridControl:
        from v2g.iso20 import der_iec

        return der_iec.read_settings(said)

    def changed(self, said: Any) -> dict[str, Any]:
        from v2g.iso20 import der_iec

        return der_iec.read_setpoints(said)

    def _rating(self, processing: Processing) -> dict[str, Any]:
        from v2g.messages.ac_der_iec import EVReactivePowerLimitsType

        limits: dict[str, Any] = {}
        for way in REACTIVE:
            limits |= spread(f"EVMaximum{way}ReactivePower", self.inverter.rating.reactive_power, self.phases, "down")
        return {
            "EVProcessing": processing,
            "EVSessionTotalDischargeEnergyAvailable": rational(self._available(), "down"),
            "EVReactivePowerLimits": EVReactivePowerLimitsType(**limits),
        }

    def besides(self, scheduled: bool) -> dict[str, Any]:
        """Limits, and the alarms that stand."""
        lowest, _ = self.promised(self.span())
        said: dict[str, Any] = {"GridEventCondition": bits(self.inverter.flow.alarms, EIGHT)}
        for way in REACTIVE:
            said |= spread(f"EVMaximum{way}ReactivePower", self.inverter.rating.reactive_power, self.phases, "down")
        if scheduled:
            said |= self.signed(self.most("MaximumDischargePower", -lowest) | self.most("MinimumDischargePower", 0.0))
        else:
            said["EVSessionTotalDischargeEnergyAvailable"] = rational(self._available(), "down")
        return said


class AcDerSae(AcDer):
    """Under IEEE 1547 and SAE J3072: everything may change in the loop."""

    def __init__(self, car: Car):
        super().__init__(car)
        self.nominal = (car.ev.inverter.voltage, 50.0)  # V and Hz of the grid, until the station says them

    def read(self, said: Any) -> GridControl:
        from v2g.iso20 import der_sae

        grid = said.GridLimits
        self.nominal = number(grid.GridNominalVoltage) or self.nominal[0], number(grid.GridNominalFrequency) or self.nominal[1]
        return der_sae.read_settings(said, self._base())

    def changed(self, said: Any) -> dict[str, Any]:
        from v2g.iso20 import der_sae

        return der_sae.read_changes(said, self._base())

    def _base(self) -> Any:
        from v2g.iso20.der_sae import Base

        return Base(*self.nominal, self.own.discharge_power, self.inverter.rating.reactive_power)

    def _modes(self, names: frozenset[str]) -> int:
        from v2g.iso20 import der_sae

        return der_sae.modes(names)

    def _rating(self, processing: Processing) -> dict[str, Any]:
        from v2g.messages import ac_der_sae as sae

        rating, car, stamp = self.inverter.rating, self.car, int(self.car.wall)
        apparent, reactive, excitation = (dict[str, Any]() for _ in range(3))
        for when in ("Charging", "Discharging"):
            for way in ("Absorption", "Injection"):
                apparent |= spread(f"EVMaximumApparentPowerDuring{when}AndVar{way}", rating.power, self.phases, "down")
                reactive |= spread(f"EVMaximumVar{way}During{when}", rating.reactive_power, self.phases, "down")
        for way in ("OverExcited", "UnderExcited"):
            excitation[f"EVSpecified{way}PowerFactor"] = rational(0.8, "up")
            excitation |= spread(f"EVSpecified{way}DischargePower", 0.8 * rating.power, self.phases, "down")
        return {
            "EVProcessing": processing,
            "EVSessionTotalDischargeEnergyAvailable": rational(self._available(), "down"),
            "EVApparentPowerLimits": sae.EVApparentPowerLimitsType(**apparent),
            "EVReactivePowerLimits": sae.EVReactivePowerLimitsType(**reactive, EVReactiveSusceptance=rational(0.0)),
            "EVExcitationLimits": sae.EVExcitationLimitsType(**excitation),
            "EVInverterDetails": sae.EVInverterDetailsType(
                EVInverterSwVersion="1",
                EVInverterManufacturer="v2gkit",
                EVInverterModel="simulated",
                EVInverterSerialNumber=car.wish.evccid[:32],
            ),
            "IEEE1547NormalCategory": sae.ieee1547NormalCategoryType.CategoryB,
            "IEEE1547AbnormalCategory": sae.ieee1547AbnormalCategoryType.CategoryIII,
            "EVNominalVoltage": rational(rating.voltage),
            "EVMaximumVoltage": rational(1.2 * rating.voltage, "down"),
            "EVMinimumVoltage": rational(0.5 * rating.voltage, "up"),
            "EVNominalVoltageOffset": rational(0.0),
            "J3072Certified": False,  # a simulated inverter is certified by nobody
            "J3072CertificationDate": 0,
            "EVUseableWattHours": int(car.ev.battery.capacity),
            "EVUpdateTime": stamp,
            "SupportedModes": self._modes(rating.functions),
            "EnabledModes": self._modes(self.control.asked),
        }

    def besides(self, scheduled: bool) -> dict[str, Any]:
        """What the inverter measures and does, its modes and alarms."""
        from v2g.messages import ac_der_sae as sae

        flow, grid, car = self.inverter.flow, self.car.ev.grid, self.car
        on, connected = flow.connected and car.delivering, flow.connected
        lowest, _ = self.promised(self.span())
        said: dict[str, Any] = {
            "EVPresentVoltage": rational(grid.voltage),
            "EVPresentFrequency": rational(grid.frequency),
            "DEROperationalState": sae.derOperationalStateType.On if on else sae.derOperationalStateType.Off,
            "DERConnectionStatus": sae.derConnectionStatusType.Connected if connected else sae.derConnectionStatusType.Disconnected,
            "EVUpdateTime": int(car.wall),
            "DERAlarmStatus": bits(flow.alarms),
            "EnabledModes": self._modes(self.control.asked),
        }
        if scheduled:
            return said | self.signed(self.most("MaximumDischargePower", -lowest) | self.most("MinimumDischargePower", 0.0))
        duration = min(ALWAYS, int(self._available() / max(-lowest, 1.0) * 3600)) if lowest < 0 else 0
        return said | {
            "EVSessionTotalDischargeEnergyAvailable": rational(self._available(), "down"),
            "EVMinimumChargingDuration": 0,
            "EVDurationMaximumChargeRate": self._charging(),
            "EVDurationMaximumDischargeRate": duration,
        }

    def _charging(self) -> int:
        """s at the greatest power until the car is as full as its driver wants it at most."""
        car = self.car
        power = max(self.limits.charge_power, 1.0) * car.ev.battery.charge_efficiency
        return min(ALWAYS, int(max(0.0, car.goal.still(car.ev, car.goal.maximum_soc)) / power * 3600))


def _told(control: GridControl) -> dict[str, Any]:
    """For the trace: the names of what is asked, and the set-points."""
    points = {name: getattr(control, name) for name in SETPOINTS if isinstance(getattr(control, name), float)}
    named = [each.name for each in fields(GridControl) if each.name in control.asked]
    return {"asks": named, **points}
