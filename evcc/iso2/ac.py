"""AC: the car converts, so the car decides its power within what the station says."""

from typing import Any

from evcc.early.mode import Mode
from evcc.ev import Inlet
from evcc.iso2.known import Car
from evcc.iso2.words import WORDS
from evcc.script import Part
from evcc.transfer import demand_common, used
from v2g.exi.schema import Type
from v2g.iso2.physical import number, optional
from v2g.messages.iso2.msg_body import ChargingStatusReq
from v2g.messages.iso2.msg_data_types import AC_EVChargeParameterType, AC_EVSEChargeParameterType
from v2g.session.errors import PeerMisbehaved, PeerUnsafe


class Ac(Mode):
    """The AC side of a session."""

    def __init__(self, car: Car):
        service = car.known.service
        inlet = car.ev.inlet(service.row.plug)
        self.phases = min(inlet.phases, service.phases)
        super().__init__(car, used(inlet, self.phases), WORDS)
        self.volts = inlet.voltage  # V, of a phase: the station says its own

    def needs(self) -> AC_EVChargeParameterType:
        """AC_EVChargeParameter: limits, the energy that is wanted, and when the car means to leave."""
        car, own, physical = self.car, self.own, self.words.physical
        return AC_EVChargeParameterType(
            **self.words.departing(car),
            EAmount=physical(max(car.goal.still(car.ev, car.goal.target_soc), 0.0), "Wh"),
            EVMaxVoltage=physical(own.voltage, "V", "down"),
            EVMaxCurrent=physical(own.charge_current, "A", "down"),
            EVMinCurrent=physical(self._amperes(own.charge_power_minimum), "A", "up"),
        )

    def discovery(self) -> Part[None]:
        """Exchange the limits of car and station."""
        own = self.own
        said = yield from self.exchange(AC_EVSEChargeParameterType)
        self.volts = number(said.EVSENominalVoltage)
        if not self.volts > 0:
            raise PeerMisbehaved(f"the station's nominal voltage is {self.volts:g} V", None)
        most = number(said.EVSEMaxCurrent)
        demand_common("charge current", "A", (self._amperes(own.charge_power_minimum), own.charge_current), (0.0, most))
        self.revise(charge_power=self._watts(most))

    def _amperes(self, power: float) -> float:
        """The current (A) of each phase at a power (W)."""
        return power / (self.volts * (self.phases or 1))

    def _watts(self, current: float) -> float:
        """The power (W) of a current (A) on every phase in use."""
        return current * self.volts * (self.phases or 1)

    def plannable(self) -> Inlet:
        """The limits that a plan may count on."""
        return self.limits

    def preparation(self) -> Part[None]:
        """Do nothing: AC has no step between schedule and power."""
        yield from ()

    def loop_request(self) -> Type:
        """Take the power of the profile from now on, and ask how the station is."""
        self.account(self.flowing)
        self.flowing = self.wanted()
        return ChargingStatusReq()

    def loop_response(self, response: Any) -> None:
        """Take the greatest current that the station allows now."""
        stated = optional(response.EVSEMaxCurrent)
        if stated is not None:
            self.revise(charge_power=self._watts(stated))
        if self.flowing > self.limits.charge_power:
            self.account(self.flowing)
            self.flowing = self.within(self.flowing)

    def status(self, response: Any) -> Any:
        """AC_EVSEStatus. Raises PeerUnsafe where the residual current device has tripped."""
        said = response.AC_EVSEStatus if hasattr(response, "AC_EVSEStatus") else response.EVSEStatus
        if said is not None and getattr(said, "RCD", False):
            raise PeerUnsafe("the station's residual current device has found an error (RCD)", None)
        return said

    def cease(self) -> None:
        """Stop the charger before the car asks for the end or for another schedule."""
        self.settle()

    def conclusion(self) -> Part[None]:
        """Show that no power is wanted; AC has no message between power and the end."""
        self.car.show("B")
        yield from ()
