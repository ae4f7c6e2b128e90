"""AC and AC_BPT: the car converts, so the car decides its power within what the station says."""

from typing import Any

from evcc.car import Car
from evcc.mode import Mode, answered_in_kind, demand_common, demand_order, departure, display, energies, v2x_energies
from evcc.script import Part, ask
from v2g.exi.schema import Type
from v2g.messages import ac
from v2g.session.rational import inward, number, optional, rational

LOOP = {  # (control, bidirectional) -> request mode, response mode
    ("Scheduled", False): (ac.Scheduled_AC_CLReqControlModeType, ac.Scheduled_AC_CLResControlModeType),
    ("Scheduled", True): (ac.BPT_Scheduled_AC_CLReqControlModeType, ac.BPT_Scheduled_AC_CLResControlModeType),
    ("Dynamic", False): (ac.Dynamic_AC_CLReqControlModeType, ac.Dynamic_AC_CLResControlModeType),
    ("Dynamic", True): (ac.BPT_Dynamic_AC_CLReqControlModeType, ac.BPT_Dynamic_AC_CLResControlModeType),
}


def total(said: Any, name: str) -> float | None:
    """W over the phases: the element itself is the total where its _L2 and _L3 are absent, L1 where they are not."""
    first = optional(getattr(said, name, None))
    if first is None:
        return None
    return first + sum(optional(getattr(said, f"{name}_{phase}", None)) or 0.0 for phase in ("L2", "L3"))


class Ac(Mode):
    """The AC side of a session."""

    def __init__(self, car: Car):
        super().__init__(car, car.ev.ac)
        self.setpoint: float | None = None  # W, what the station wants now

    def discovery(self) -> Part[None]:
        """Exchange limits [V2G20-1619]."""
        own, both = self.own, self.car.service.bidirectional
        limits: dict[str, Any] = {
            "EVMaximumChargePower": rational(own.charge_power, "down"),
            "EVMinimumChargePower": rational(own.charge_power_minimum, "up"),
        }
        if both:
            limits |= {
                "EVMaximumDischargePower": rational(own.discharge_power, "down"),
                "EVMinimumDischargePower": rational(own.discharge_power_minimum, "up"),
            }
        kind = ac.BPT_AC_CPDReqEnergyTransferModeType if both else ac.AC_CPDReqEnergyTransferModeType
        response: Any = yield ask(ac.AC_ChargeParameterDiscoveryReq, AC_CPDReqEnergyTransferMode=kind(**limits))
        self._learn(response.AC_CPDResEnergyTransferMode)

    def _learn(self, said: Any) -> None:
        both = self.car.service.bidirectional
        expected = ac.BPT_AC_CPDResEnergyTransferModeType if both else ac.AC_CPDResEnergyTransferModeType
        answered_in_kind(said, expected)
        least, most = total(said, "EVSEMinimumChargePower") or 0.0, total(said, "EVSEMaximumChargePower") or 0.0
        demand_common("charge power", "W", (self.own.charge_power_minimum, self.own.charge_power), (least, most))
        self.revise(charge_power=most, charge_power_minimum=least)
        if both:
            least, most = total(said, "EVSEMinimumDischargePower") or 0.0, total(said, "EVSEMaximumDischargePower") or 0.0
            demand_order("discharge power", least, most)
            self.revise(discharge_power=most, discharge_power_minimum=least)

    def preparation(self) -> Part[None]:
        """AC needs none."""
        yield from ()

    def loop_request(self) -> Type:
        """State the power that the charger takes from now on."""
        car, both = self.car, self.car.service.bidirectional
        self.account(self.flowing)
        scheduled = car.service.control == "Scheduled"
        self.flowing = self._scheduled() if scheduled else self._dynamic()
        fields: dict[str, Any] = {**energies(car), "EVPresentActivePower": inward(self.flowing)}
        self.flowing = number(fields["EVPresentActivePower"])
        if not scheduled:
            fields |= self._needs(both)
        return ask(
            ac.AC_ChargeLoopReq,
            DisplayParameters=display(car),
            MeterInfoRequested=car.wish.meter_info,
            CLReqControlMode=LOOP[car.service.control, both][0](**fields),
        )

    def _scheduled(self) -> float:
        """The profile; a target that the station states is a bound in its own direction."""
        power = self.wanted()
        return power if self.setpoint is None else min(max(power, min(self.setpoint, 0.0)), max(self.setpoint, 0.0))

    def _dynamic(self) -> float:
        """The station's setpoint, within what the car can do; nothing before there is one."""
        return self.within(self.setpoint or 0.0)

    def _needs(self, both: bool) -> dict[str, Any]:
        car, own = self.car, self.own
        lowest, highest = self.promised(self.span())
        fields: dict[str, Any] = {
            "DepartureTime": departure(car.goal, car.wall),
            "EVMaximumChargePower": rational(highest, "down"),
            "EVMinimumChargePower": rational(min(own.charge_power_minimum, highest), "down"),
            "EVPresentReactivePower": rational(0.0),
        }
        if both:
            fields |= {
                "EVMaximumDischargePower": rational(-lowest, "down"),
                "EVMinimumDischargePower": rational(min(own.discharge_power_minimum, -lowest), "down"),
                **v2x_energies(car),
            }
        return fields

    def loop_response(self, response: Any) -> None:
        """Take the station's setpoint."""
        said, expected = response.CLResControlMode, LOOP[self.car.service.control, self.car.service.bidirectional][1]
        answered_in_kind(said, expected)
        self.setpoint = total(said, "EVSETargetActivePower")

    def conclusion(self) -> Part[None]:
        """AC needs none."""
        self.car.show("B")
        yield from ()
