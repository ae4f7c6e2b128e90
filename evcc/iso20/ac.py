"""AC and AC_BPT: the car converts, so the car decides its power within what the station says.

A power is said in total, or phase by phase; a car uses as many phases as its inlet and the outlet have, and takes none beyond its share.
"""

from typing import Any

from evcc.iso20.known import Car
from evcc.iso20.mode import Mode, answered_in_kind, departure, display, energies, v2x_energies
from evcc.iso20.requests import ask
from evcc.script import Part
from evcc.transfer import demand_common, demand_order, used
from v2g.exi.schema import Type
from v2g.iso20.modes import ac_modes
from v2g.iso20.phases import each, spread, total
from v2g.iso20.rational import number, rational
from v2g.messages import ac


class Ac(Mode):
    """The AC side of a session."""

    def __init__(self, car: Car):
        inlet = car.ev.inlet(car.known.service.row.plug)
        self.phases = min(inlet.phases, car.known.service.phases)
        super().__init__(car, used(inlet, self.phases))
        self.kinds = ac_modes(car.known.service.row)
        self.setpoint: float | None = None  # W, what the station wants now

    # --- limits ---

    def discovery(self) -> Part[None]:
        """Exchange the limits of car and station [V2G20-1619]."""
        response: Any = yield self.parameters()
        self.learn(response.AC_CPDResEnergyTransferMode)

    def parameters(self, **more: Any) -> Type:
        """ChargeParameterDiscovery with the limits of the car, and `more` fields."""
        limits: dict[str, Any] = self.most("MaximumChargePower", self.own.charge_power)
        limits |= self.most("MinimumChargePower", self.own.charge_power_minimum, least=True)
        if self.car.known.service.bidirectional:
            limits |= self.most("MaximumDischargePower", self.own.discharge_power)
            limits |= self.most("MinimumDischargePower", self.own.discharge_power_minimum, least=True)
        said = self.kinds.asks(**self.signed(limits), **more)
        return ask(ac.AC_ChargeParameterDiscoveryReq, AC_CPDReqEnergyTransferMode=said)

    def most(self, name: str, value: float, least: bool = False) -> dict[str, Any]:
        """A limit of the car (W) over its phases, rounded to the safe side."""
        return spread(f"EV{name}", value, self.phases, "up" if least else "down")

    def usable(self, said: Any, name: str) -> float | None:
        """What this car may use of a limit of the station (W): of a total the share of its phases, of each phase no more than its own."""
        stated = each(said, name)
        if len(stated) < 2:
            return stated[0] * self.phases / self.car.known.service.phases if stated else None
        return sum(stated[: self.phases])

    def learn(self, said: Any) -> None:
        """Take the station's limits. Raises PeerMisbehaved, PeerIncompatible."""
        answered_in_kind(said, self.kinds.says)
        least, most = self.usable(said, "EVSEMinimumChargePower") or 0.0, self.usable(said, "EVSEMaximumChargePower") or 0.0
        demand_common("charge power", "W", (self.own.charge_power_minimum, self.own.charge_power), (least, most))
        self.revise(charge_power=self.shared(said, "EVSEMaximumChargePower", most), charge_power_minimum=least)
        if self.car.known.service.bidirectional:
            least, most = self.usable(said, "EVSEMinimumDischargePower") or 0.0, self.usable(said, "EVSEMaximumDischargePower") or 0.0
            demand_order("discharge power", least, most)
            self.revise(discharge_power=self.shared(said, "EVSEMaximumDischargePower", most), discharge_power_minimum=least)

    def shared(self, said: Any, name: str, most: float) -> float:
        """A power that loads its phases alike: where the station has less on one of them, all follow that one."""
        stated = [abs(value) for value in each(said, name)[: self.phases]]
        return min(stated) * self.phases if 1 < len(stated) == self.phases else most

    # --- power ---

    def preparation(self) -> Part[None]:
        """Do nothing: AC has no step between schedule and power."""
        yield from ()

    def loop_request(self) -> Type:
        """State the power that the charger takes from now on."""
        car = self.car
        self.account(self.flowing)
        scheduled = car.known.service.control == "Scheduled"
        self.flowing = self.chosen(self._scheduled() if scheduled else self._dynamic())
        present = spread("EVPresentActivePower", self.flowing, self.phases)
        self.flowing = sum(number(value) for value in present.values())
        fields = {**energies(car), **present, **self.reactive(scheduled)}
        if not scheduled:
            fields |= self._needs()
        said = self.kinds.loop[car.known.service.control][0](**fields, **self.besides(scheduled))
        return ask(ac.AC_ChargeLoopReq, DisplayParameters=display(car), MeterInfoRequested=car.wish.meter_info, CLReqControlMode=said)

    def chosen(self, power: float) -> float:
        """The power (W) that flows where this one is wanted."""
        return power

    def reactive(self, scheduled: bool) -> dict[str, Any]:
        """What the car says of its reactive power."""
        return {} if scheduled else {"EVPresentReactivePower": rational(0.0)}

    def besides(self, scheduled: bool) -> dict[str, Any]:
        """What an amendment says besides in a charge loop."""
        return {}

    def _scheduled(self) -> float:
        """The profile; a target that the station states is a bound in its own direction."""
        power = self.wanted()
        return power if self.setpoint is None else min(max(power, min(self.setpoint, 0.0)), max(self.setpoint, 0.0))

    def _dynamic(self) -> float:
        """The station's setpoint, within what the car can do; nothing before there is one."""
        return self.within(self.setpoint or 0.0)

    def _needs(self) -> dict[str, Any]:
        car, own = self.car, self.own
        lowest, highest = self.promised(self.span())
        fields: dict[str, Any] = {"DepartureTime": departure(car.goal, car.wall), **self.most("MaximumChargePower", highest)}
        fields |= self.most("MinimumChargePower", min(own.charge_power_minimum, highest))
        if car.known.service.bidirectional:
            fields |= self.most("MaximumDischargePower", -lowest)
            fields |= self.most("MinimumDischargePower", min(own.discharge_power_minimum, -lowest))
            fields |= v2x_energies(car)
        return self.signed(fields)

    def loop_response(self, response: Any) -> None:
        """Take the station's setpoint."""
        said = response.CLResControlMode
        answered_in_kind(said, self.kinds.loop[self.car.known.service.control][1])
        self.setpoint = total(said, "EVSETargetActivePower")

    def cease(self) -> None:
        """Stop the charger before the car asks for the end or for another schedule: at a time scale a contactor takes minutes to open."""
        self.settle()

    def conclusion(self) -> Part[None]:
        """Do nothing: AC has no step between power and the end."""
        self.car.show("B")
        yield from ()
