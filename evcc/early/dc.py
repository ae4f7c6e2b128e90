"""DC: the station converts, the car asks for voltage and current."""

from dataclasses import replace
from typing import Any

from evcc.early.known import Car
from evcc.early.mode import Mode
from evcc.early.words import Words, finished
from evcc.ev import Inlet
from evcc.guard import Guard
from evcc.script import POLL_PACE, Part, Wait, repeat
from evcc.transfer import demand_common
from v2g.exi.schema import Type
from v2g.session.decimal import number, optional
from v2g.session.errors import PeerUnsafe

PRE_CHARGE_TOLERANCE = 20.0  # V between inlet and battery at which the contactors may close [IEC 61851-23]
PRE_CHARGE_CURRENT = 2.0  # A; what a station may give before the contactors close [IEC 61851-23]
SAFE_VOLTAGE = 60.0  # V; below it the inlet is dead and the contactors are open
WELDING_DETECTION = 4.0  # s, our own: the standard sets none. A supply without bleeder falls slowly
UNSAFE = ("EVSE_EmergencyShutdown", "EVSE_Malfunction")
UNSOUND, UNTESTED = "Fault", "Invalid"  # of isolationLevelType


class Dc(Mode):
    """The DC side of a session."""

    def __init__(self, car: Car, words: Words):
        super().__init__(car, car.ev.inlet(car.known.service.row.plug), words)
        self.inlet_voltage = 0.0  # V, what the car measures before its contactors close
        self.guard = Guard(self.own, False)

    def plannable(self) -> Inlet:
        """The limits for a plan: powers, cut to what the current limits allow at the battery's present voltage."""
        limits, ev = self.limits, self.car.ev
        most = min(limits.charge_power, limits.charge_current * ev.voltage(limits.charge_current))
        return replace(limits, charge_power=most, charge_power_minimum=0.0)

    # --- before power ---

    def discovery(self) -> Part[None]:
        """Exchange the limits of car and station."""
        own, battery = self.own, self.car.ev.battery
        said = yield from self.exchange(self.words.types.DC_EVSEChargeParameterType)
        volts = number(said.EVSEMinimumVoltageLimit), number(said.EVSEMaximumVoltageLimit)
        amperes = number(said.EVSEMinimumCurrentLimit), number(said.EVSEMaximumCurrentLimit)
        demand_common("charge current", "A", (own.charge_current_minimum, own.charge_current), amperes)
        demand_common("voltage", "V", (own.voltage_minimum, own.voltage), volts)
        demand_common("voltage", "V", (battery.voltage_empty, battery.voltage_full), volts)
        power = optional(said.EVSEMaximumPowerLimit)
        self.revise(charge_power=power, charge_current=amperes[1], voltage=volts[1])

    def needs(self) -> Any:
        """DC_EVChargeParameter: limits, energies and when the car means to leave."""
        car, own, physical = self.car, self.own, self.words.physical
        return self.words.types.DC_EVChargeParameterType(
            **self.words.departing(car),
            DC_EVStatus=self.ready(False),
            EVMaximumCurrentLimit=physical(own.charge_current, "A", "down"),
            EVMaximumPowerLimit=physical(own.charge_power, "W", "down"),
            EVMaximumVoltageLimit=physical(own.voltage, "V", "down"),
            EVEnergyCapacity=physical(car.ev.battery.capacity, "Wh"),
            EVEnergyRequest=physical(max(car.goal.still(car.ev, car.goal.target_soc), 0.0), "Wh"),
            FullSOC=round(car.goal.maximum_soc),
            BulkSOC=round(car.goal.target_soc),
        )

    def ready(self, ready: bool) -> Any:
        """DC_EVStatus: whether the car is ready to charge, no fault, and its state of charge."""
        return self.words.dc_status(self.car, ready)

    def state(self, charging: bool) -> Any:
        """DC_EVPowerDeliveryParameter with the state of the car, ready while `charging`."""
        return self.words.dc_state(self.car, charging)

    def preparation(self) -> Part[None]:
        """Ask for energy at the pilot, have the cable checked, bring the inlet to the battery's voltage, and close the contactors."""
        car, words = self.car, self.words
        car.show("C")
        checked: Any = yield from repeat(car, lambda _: self._cable_check(), words.cable_check, self._checked)
        level = getattr(checked.DC_EVSEStatus.EVSEIsolationStatus, "value", None)
        if level in (UNSOUND, UNTESTED):
            raise PeerUnsafe(f"the station has an isolation status of {level}; the contactors stay open", None)
        yield from repeat(car, lambda _: self._pre_charge(), words.pre_charge, self._matched)
        car.close()

    def _cable_check(self) -> Type:
        request: Type = self.words.body.CableCheckReq(DC_EVStatus=self.ready(True))
        return request

    def _checked(self, response: Any) -> bool:
        self.heard(response)
        return finished(response)

    def _pre_charge(self) -> Type:
        request: Type = self.words.body.PreChargeReq(
            DC_EVStatus=self.ready(True),
            EVTargetVoltage=self.words.physical(self.car.ev.voltage(), "V"),
            EVTargetCurrent=self.words.physical(PRE_CHARGE_CURRENT, "A"),
        )
        return request

    def _matched(self, response: Any) -> bool:
        self.heard(response)
        self.inlet_voltage = number(response.EVSEPresentVoltage)
        self.guard.voltage(self.inlet_voltage)
        return abs(self.inlet_voltage - self.car.ev.voltage()) <= PRE_CHARGE_TOLERANCE

    def status(self, response: Any) -> Any:
        """DC_EVSEStatus. Raises PeerUnsafe where it says a malfunction, an emergency or a fault of the isolation."""
        said = response.DC_EVSEStatus if hasattr(response, "DC_EVSEStatus") else response.EVSEStatus
        if said is None:
            return None
        if (code := _word(said, "EVSEStatusCode")) in UNSAFE:
            raise PeerUnsafe(f"the station says {code}", None)
        if (level := _word(said, "EVSEIsolationStatus")) == UNSOUND:
            raise PeerUnsafe(f"the station says that the isolation is at {level}", None)
        return said

    # --- under power ---

    def loop_request(self) -> Type:
        """Ask for the current of the profile at the battery's voltage, within what car and station can do."""
        ev, limits, physical = self.car.ev, self.limits, self.words.physical
        asked = physical(max(min(ev.current(self.wanted()), limits.charge_current), 0.0), "A", "down")
        amperes = number(asked)
        self.guard.ask(0.0, amperes)
        request: Type = self.words.body.CurrentDemandReq(
            DC_EVStatus=self.ready(True),
            EVTargetCurrent=asked,
            EVMaximumVoltageLimit=physical(self.own.voltage, "V", "down"),
            EVMaximumCurrentLimit=physical(self.own.charge_current, "A", "down"),
            EVMaximumPowerLimit=physical(self.own.charge_power, "W", "down"),
            ChargingComplete=self.car.goal.reached(ev),
            EVTargetVoltage=physical(min(ev.voltage(amperes), limits.voltage), "V", "down"),
        )
        return request

    def loop_response(self, response: Any) -> None:
        """Take the station's measurements as what flows, and its limits, which may have changed."""
        car, since = self.car, self.since
        volts, amperes = number(response.EVSEPresentVoltage), number(response.EVSEPresentCurrent)
        self.guard.measured(volts, amperes, car.now, (car.ev.at_soc(car.goal.minimum_soc) - car.ev.energy) / car.ev.battery.capacity)
        self.flowing = amperes * volts
        self.account(self.flowing)
        self.revise(
            charge_power=self.news("charge_power", optional(response.EVSEMaximumPowerLimit), since),
            charge_current=optional(response.EVSEMaximumCurrentLimit),
            voltage=optional(response.EVSEMaximumVoltageLimit),
        )

    def cease(self) -> None:
        """Do nothing: the station controls the power, which flows until the station has turned it off."""

    # --- after power ---

    def conclusion(self) -> Part[None]:
        """Open the contactors and check that no voltage is left at the inlet; one that stays is noted: contacts may be welded."""
        car = self.car
        car.open()
        began, voltage = car.now, SAFE_VOLTAGE
        while car.now - began < WELDING_DETECTION:
            response: Any = yield self.words.body.WeldingDetectionReq(DC_EVStatus=self.ready(False))
            voltage = number(response.EVSEPresentVoltage)
            if voltage < SAFE_VOLTAGE:
                break
            yield Wait(POLL_PACE)
        else:
            car.note("welding suspected", voltage=voltage, limit=SAFE_VOLTAGE, seconds=WELDING_DETECTION)
        car.show("B")


def _word(status: Any, name: str) -> str | None:
    """The word of a status, whatever enumeration it is of; None where it is not said."""
    return getattr(getattr(status, name, None), "value", None)
