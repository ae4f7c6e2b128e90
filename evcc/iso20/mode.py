"""What AC, DC and WPT of ISO 15118-20 have in common: signs, needs and display of the car as message fields."""

from typing import Any

from evcc import transfer
from evcc.goal import Goal
from evcc.iso20.known import Car
from v2g.iso20.rational import rational, with_discharge_sign
from v2g.messages.common_types import DisplayParametersType, RationalNumberType
from v2g.session.errors import PeerMisbehaved


class Mode(transfer.Mode):
    """A selected energy service."""

    def signed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Fields of a message, with discharge limits in the sign that this car sends."""
        return with_discharge_sign(fields, self.car.wish.negative_discharge)


def answered_in_kind(said: object, expected: type) -> None:
    """Raise PeerMisbehaved unless the response has the control mode and direction of the request [V2G20-1600]."""
    if type(said) is not expected:
        raise PeerMisbehaved(f"the station answers with {type(said).__name__}, expected {expected.__name__}", "V2G20-1600")


def display(car: Car) -> DisplayParametersType:
    """DisplayParameters of the car: state of charge, capacity and times, for the station's display."""
    battery = car.ev.battery
    return DisplayParametersType(
        PresentSOC=round(car.ev.soc),
        MinimumSOC=round(car.goal.minimum_soc),
        TargetSOC=round(car.goal.target_soc),
        MaximumSOC=round(car.goal.maximum_soc),
        ChargingComplete=car.goal.reached(car.ev),
        BatteryEnergyCapacity=rational(battery.capacity),
    )


def energies(car: Car) -> dict[str, RationalNumberType]:
    """The three energy requests (Wh in the battery) as message fields; negative where the car is above already."""
    ev, goal = car.ev, car.goal
    top = goal.maximum_soc if car.known.service.bidirectional else goal.target_soc
    return {
        "EVTargetEnergyRequest": rational(goal.still(ev, goal.target_soc)),
        "EVMaximumEnergyRequest": rational(goal.still(ev, top)),
        "EVMinimumEnergyRequest": rational(goal.still(ev, goal.minimum_soc)),
    }


def v2x_energies(car: Car) -> dict[str, RationalNumberType]:
    """The V2X energy requests as message fields: the range for charge and discharge at will (BPT, Dynamic) [V2G20-2681].

    The range has no end at the top: a car that came above its maximum, by the last loop of a charge, may be discharged all the more.
    """
    ev, goal = car.ev, car.goal
    return {
        "EVMaximumV2XEnergyRequest": rational(max(goal.still(ev, goal.maximum_soc), 0.0)),
        "EVMinimumV2XEnergyRequest": rational(goal.still(ev, goal.minimum_soc)),
    }


def departure(goal: Goal, wall: float) -> int | None:
    """Seconds from `wall` (epoch s, the time stamp of the message) to departure; None where the goal has none."""
    return None if goal.departure is None else goal.remaining(wall)
