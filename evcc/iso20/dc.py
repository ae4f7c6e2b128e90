"""DC services: the station converts, the car asks for voltage and current."""

from dataclasses import replace
from typing import Any

from evcc.ev import Inlet
from evcc.guard import Guard
from evcc.iso20.acdp import SystemStatus
from evcc.iso20.known import Car
from evcc.iso20.mode import Mode, answered_in_kind, departure, display, energies, v2x_energies
from evcc.iso20.requests import CABLE_CHECK, PRE_CHARGE, ask, poll
from evcc.script import POLL_PACE, Part, Wait
from evcc.transfer import demand_common, demand_order
from v2g.exi.schema import Type
from v2g.iso20.rational import inward, number, optional, rational
from v2g.messages import dc
from v2g.messages.common_types import processingType
from v2g.session.errors import PeerUnsafe

PRE_CHARGE_TOLERANCE = 20.0  # V between inlet and battery at which the contactors may close [IEC 61851-23]
SAFE_VOLTAGE = 60.0  # V; below it the inlet is dead and the contactors are open
WELDING_DETECTION = 4.0  # s, our own: the standard sets none. A supply without bleeder falls slowly
Processing = processingType

LOOP = {  # (control, bidirectional) -> request mode, response mode
    ("Scheduled", False): (dc.Scheduled_DC_CLReqControlModeType, dc.Scheduled_DC_CLResControlModeType),
    ("Scheduled", True): (dc.BPT_Scheduled_DC_CLReqControlModeType, dc.BPT_Scheduled_DC_CLResControlModeType),
    ("Dynamic", False): (dc.Dynamic_DC_CLReqControlModeType, dc.Dynamic_DC_CLResControlModeType),
    ("Dynamic", True): (dc.BPT_Dynamic_DC_CLReqControlModeType, dc.BPT_Dynamic_DC_CLResControlModeType),
}


class Dc(Mode):
    """The DC side of a session."""

    def __init__(self, car: Car):
        super().__init__(car, car.ev.inlet(car.known.service.row.plug))
        self.inlet_voltage = 0.0  # V, what the car measures before its contactors close
        self.station_voltage = 0.0  # V, what the station measured last
        self.guard = Guard(self.own, car.known.service.bidirectional)
        self.status = SystemStatus(car) if car.known.service.row.docked else None

    def plannable(self) -> Inlet:
        """The limits for a plan: powers, cut to what the current limits allow at the battery's present voltage."""
        limits, ev = self.limits, self.car.ev
        return replace(
            limits,
            charge_power=min(limits.charge_power, limits.charge_current * ev.voltage(limits.charge_current)),
            discharge_power=min(limits.discharge_power, limits.discharge_current * ev.voltage(-limits.discharge_current)),
            charge_power_minimum=0.0,
            discharge_power_minimum=0.0,
        )

    # --- before power ---

    def discovery(self) -> Part[None]:
        """Exchange the limits of car and station [V2G20-2272]."""
        own, both = self.own, self.car.known.service.bidirectional
        limits: dict[str, Any] = {
            "EVMaximumChargePower": rational(own.charge_power, "down"),
            "EVMinimumChargePower": rational(own.charge_power_minimum, "up"),
            "EVMaximumChargeCurrent": rational(own.charge_current, "down"),
            "EVMinimumChargeCurrent": rational(own.charge_current_minimum, "up"),
            "EVMaximumVoltage": rational(own.voltage, "down"),
            "EVMinimumVoltage": rational(own.voltage_minimum, "up"),
            "TargetSOC": round(self.car.goal.target_soc),
        }
        if both:
            limits |= {
                "EVMaximumDischargePower": rational(own.discharge_power, "down"),
                "EVMinimumDischargePower": rational(own.discharge_power_minimum, "up"),
                "EVMaximumDischargeCurrent": rational(own.discharge_current, "down"),
                "EVMinimumDischargeCurrent": rational(own.discharge_current_minimum, "up"),
            }
        kind = dc.BPT_DC_CPDReqEnergyTransferModeType if both else dc.DC_CPDReqEnergyTransferModeType
        response: Any = yield ask(dc.DC_ChargeParameterDiscoveryReq, DC_CPDReqEnergyTransferMode=kind(**self.signed(limits)))
        self._learn(response.DC_CPDResEnergyTransferMode)

    def _learn(self, said: Any) -> None:
        both = self.car.known.service.bidirectional
        expected = dc.BPT_DC_CPDResEnergyTransferModeType if both else dc.DC_CPDResEnergyTransferModeType
        answered_in_kind(said, expected)
        own = self.own
        ranges = {
            name: (number(getattr(said, f"EVSEMinimum{name}")), number(getattr(said, f"EVSEMaximum{name}")))
            for name in ("ChargePower", "ChargeCurrent", "Voltage")
        }
        demand_common("charge power", "W", (own.charge_power_minimum, own.charge_power), ranges["ChargePower"])
        demand_common("charge current", "A", (own.charge_current_minimum, own.charge_current), ranges["ChargeCurrent"])
        demand_common("voltage", "V", (own.voltage_minimum, own.voltage), ranges["Voltage"])
        battery = self.car.ev.battery
        demand_common("voltage", "V", (battery.voltage_empty, battery.voltage_full), ranges["Voltage"])
        stated: dict[str, float | None] = {
            "charge_power": ranges["ChargePower"][1],
            "charge_power_minimum": ranges["ChargePower"][0],
            "charge_current": ranges["ChargeCurrent"][1],
            "voltage": ranges["Voltage"][1],
        }
        if both:
            least, most = number(said.EVSEMinimumDischargePower), number(said.EVSEMaximumDischargePower)
            demand_order("discharge power", least, most)
            stated |= {
                "discharge_power": most,
                "discharge_power_minimum": least,
                "discharge_current": number(said.EVSEMaximumDischargeCurrent),
            }
        self.revise(**stated)

    def preparation(self) -> Part[None]:
        """CableCheck, then PreCharge until the inlet has the voltage of the battery."""
        car = self.car
        car.show("C")
        yield from poll(car, ask(dc.DC_CableCheckReq), CABLE_CHECK)
        yield from poll(car, self._pre_charge, PRE_CHARGE, until=self._matched)
        response = yield self._request_pre_charge(Processing.Finished)
        if not self._matched(response):  # it has moved since
            said = f"{self.inlet_voltage:g} V at the end of the pre-charge, the battery has {car.ev.voltage():g} V"
            raise PeerUnsafe(f"the station has {said}; the contactors stay open", None)
        car.close()

    def _pre_charge(self, response: Any) -> Type:
        return self._request_pre_charge(Processing.Ongoing)

    def _request_pre_charge(self, processing: processingType) -> Type:
        target = self.car.ev.voltage()
        return ask(
            dc.DC_PreChargeReq, EVProcessing=processing, EVPresentVoltage=rational(self.inlet_voltage), EVTargetVoltage=rational(target)
        )

    def _matched(self, response: Any) -> bool:
        self.inlet_voltage = number(response.EVSEPresentVoltage)
        self.guard.voltage(self.inlet_voltage)
        return abs(self.inlet_voltage - self.car.ev.voltage()) <= PRE_CHARGE_TOLERANCE

    # --- under power ---

    def loop_request(self) -> Type:
        """The next DC_ChargeLoopReq: in Scheduled control with the profile as a current, in Dynamic control with the car's limits."""
        car, both = self.car, self.car.known.service.bidirectional
        kind = LOOP[car.known.service.control, both][0]
        fields = self._scheduled() if car.known.service.control == "Scheduled" else self._dynamic(both)
        voltage = car.ev.voltage(self.flowing / car.ev.voltage())
        return ask(
            dc.DC_ChargeLoopReq,
            DisplayParameters=display(car),
            MeterInfoRequested=car.wish.meter_info,
            EVPresentVoltage=rational(voltage),
            CLReqControlMode=kind(**fields),
        )

    def _scheduled(self) -> dict[str, Any]:
        ev, limits = self.car.ev, self.limits
        current = inward(min(max(ev.current(self.wanted()), -limits.discharge_current), limits.charge_current))
        amperes = number(current)
        self.guard.ask(amperes, amperes)
        voltage = min(ev.voltage(amperes), limits.voltage)
        return {**energies(self.car), "EVTargetCurrent": current, "EVTargetVoltage": rational(voltage, "down")}

    def _dynamic(self, both: bool) -> dict[str, Any]:
        car, own = self.car, self.own
        lowest, highest = self.promised(self.span())
        most = min(own.charge_current, max(car.ev.current(highest), 0.0))
        least = min(own.discharge_current, max(-car.ev.current(lowest), 0.0))
        self.guard.ask(-least if both else 0.0, most)
        fields: dict[str, Any] = {
            "DepartureTime": departure(car.goal, car.wall),
            **energies(car),
            "EVMaximumChargePower": rational(highest, "down"),
            "EVMinimumChargePower": rational(min(own.charge_power_minimum, highest), "down"),
            "EVMaximumChargeCurrent": rational(most, "down"),
            "EVMaximumVoltage": rational(own.voltage, "down"),
            "EVMinimumVoltage": rational(own.voltage_minimum, "up"),
        }
        if both:
            fields |= {
                "EVMaximumDischargePower": rational(-lowest, "down"),
                "EVMinimumDischargePower": rational(min(own.discharge_power_minimum, -lowest), "down"),
                "EVMaximumDischargeCurrent": rational(least, "down"),
                **v2x_energies(car),
            }
        return self.signed(fields)

    def loop_response(self, response: Any) -> None:
        """Take the station's measurements as what flows, and its limits, which may have changed [V2G20-2188] [V2G20-2654]."""
        said, expected = response.CLResControlMode, LOOP[self.car.known.service.control, self.car.known.service.bidirectional][1]
        answered_in_kind(said, expected)
        volts, amperes, since = number(response.EVSEPresentVoltage), number(response.EVSEPresentCurrent), self.since
        ev = self.car.ev
        self.guard.measured(volts, amperes, self.car.now, (ev.at_soc(self.car.goal.minimum_soc) - ev.energy) / ev.battery.capacity)
        self.station_voltage = volts
        self.flowing = amperes * volts  # what no inlet bears has not flowed
        self.account(self.flowing)
        self.revise(
            charge_power=self.news("charge_power", optional(said.EVSEMaximumChargePower), since),
            charge_current=optional(said.EVSEMaximumChargeCurrent),
            voltage=optional(said.EVSEMaximumVoltage),
            discharge_power=self.news("discharge_power", optional(getattr(said, "EVSEMaximumDischargePower", None)), since),
            discharge_current=optional(getattr(said, "EVSEMaximumDischargeCurrent", None)),
        )

    def aside(self) -> Part[None]:
        """Under ACDP the state of both sides' machinery, once a second."""
        if self.status is not None:
            yield from self.status.turn()

    def cease(self) -> None:
        """Do nothing: the station controls the power, which flows until the station has turned it off."""

    def awakening(self) -> Part[None]:
        """Where the station has no voltage its contactor has opened: cable check and pre-charge as before any power, contactors open."""
        if abs(self.station_voltage - self.car.ev.voltage()) > PRE_CHARGE_TOLERANCE:
            self.car.open()
            self.inlet_voltage = 0.0
            yield from self.preparation()

    # --- after power ---

    def conclusion(self) -> Part[None]:
        """Open the contactors and check that no voltage is left at the inlet; one that stays is noted: contacts may be welded."""
        car = self.car
        car.open()
        began, voltage = car.now, SAFE_VOLTAGE
        while car.now - began < WELDING_DETECTION:
            response: Any = yield ask(dc.DC_WeldingDetectionReq, EVProcessing=Processing.Ongoing)
            voltage = number(response.EVSEPresentVoltage)
            if voltage < SAFE_VOLTAGE:
                break
            yield Wait(POLL_PACE)
        else:
            car.note("welding suspected", voltage=voltage, limit=SAFE_VOLTAGE, seconds=WELDING_DETECTION)
        yield ask(dc.DC_WeldingDetectionReq, EVProcessing=Processing.Finished)
        car.show("B")
