"""What AC and DC have in common: an energy service under way, with the station's present limits and the account of what has flowed."""

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any

from evcc.car import Car
from evcc.ev import Inlet
from evcc.goal import Goal, span
from evcc.script import Part
from v2g.exi.schema import Type
from v2g.messages.common_types import DisplayParametersType, RationalNumberType
from v2g.session.errors import PeerIncompatible, PeerMisbehaved
from v2g.session.rational import rational

SAME_LIMIT = 0.99  # share of a scheduled power above which a stated limit is that schedule, rounded


class Mode(ABC):
    """One energy service. `limits` is what both the car's inlet and the station can carry now; every loop may revise the station's half."""

    def __init__(self, car: Car, inlet: Inlet):
        self.car = car
        self.own = inlet
        self.limits = inlet
        self._stated: dict[str, float] = {}  # by the station, last
        self._announced: dict[str, float] = {}  # by the station, before power
        self.flowing = 0.0  # W at the plug since `since`
        self.since = car.wall
        self.step = car.wish.pace * car.clock.scale  # s of wall time that a power holds

    @abstractmethod
    def discovery(self) -> Part[None]:
        """ChargeParameterDiscovery: tell the car's limits, learn the station's."""

    @abstractmethod
    def preparation(self) -> Part[None]:
        """What comes between the schedule and power."""

    @abstractmethod
    def loop_request(self) -> Type:
        """The next charge-loop request."""

    @abstractmethod
    def loop_response(self, response: Any) -> None:
        """Read a charge-loop response: revised limits, what flows."""

    @abstractmethod
    def conclusion(self) -> Part[None]:
        """What comes between the end of power and SessionStop."""

    # --- power ---

    def wanted(self) -> float:
        """The power (W) that the car wants now in Scheduled control: its profile, within what battery and station can do."""
        assert self.car.choice is not None
        return self.within(self.car.choice.at(self.car.wall))

    def within(self, power: float) -> float:
        """A power cut to what car and station accept now. Below the least power of its direction nothing flows."""
        lowest, highest = self.span()
        cut = min(max(power, lowest), highest)
        least = self.limits.charge_power_minimum if cut > 0 else self.limits.discharge_power_minimum
        # near its target a car asks for less than the least power, once, to end exactly there
        return cut if abs(power) >= least else 0.0

    def plannable(self) -> Inlet:
        """The limits as a plan counts with them."""
        return self.limits

    def span(self) -> tuple[float, float]:
        """The powers (W) that the car accepts now."""
        return span(self.car.ev, self.car.goal, self.limits, self.car.service.bidirectional, self.step)

    def promised(self, span: tuple[float, float]) -> tuple[float, float]:
        """In Dynamic control: the span, no higher than the profile that the car announced, whatever limits have risen since."""
        assert self.car.choice is not None
        return span[0], min(span[1], max(self.car.choice.powers.values, default=0.0))

    def account(self, flowing: float) -> None:
        """From `since` until now this power has flowed (W)."""
        elapsed, self.since = self.car.wall - self.since, self.car.wall
        self.step = max(elapsed, self.car.wish.pace * self.car.clock.scale)
        self.car.ev.take(flowing, elapsed)

    def begin(self) -> None:
        """Power may flow from now."""
        self.since, self.flowing = self.car.wall, 0.0
        self._announced = self._announced or dict(self._stated)

    def settle(self) -> None:
        """Power has ended: account for what flowed since the last response."""
        self.account(self.flowing)
        self.flowing = 0.0

    # --- limits ---

    def news(self, name: str, stated: float | None, since: float) -> float | None:
        """A power limit of a loop response, or where it only repeats the schedule of that moment the limit that stood before all schedules.

        A schedule changes by itself: held against the next request, what was stated before the change would delay it by a loop.
        """
        car = self.car
        if stated is None or car.choice is None or car.choice.offer is None:
            return stated
        charge, discharge = car.choice.allowed(since, car.wall)
        scheduled = charge if name == "charge_power" else discharge
        return self._announced.get(name, stated) if abs(stated) >= SAME_LIMIT * scheduled else stated

    def revise(self, **station: float | None) -> None:
        """Take limits that the station states now; None was not stated and stays. Magnitudes: stations differ in the sign of discharge."""
        self._stated |= {name: abs(value) for name, value in station.items() if value is not None}
        limits = {field.name: getattr(self.own, field.name) for field in fields(Inlet)}
        for name, value in self._stated.items():
            limits[name] = max(value, limits[name]) if name.endswith("_minimum") else min(value, limits[name])
        for least in (name for name in limits if name.endswith("_minimum")):
            limits[least] = min(limits[least], limits[least.removesuffix("_minimum")])  # then only that much can flow
        self.limits = Inlet(**limits)


def demand_order(what: str, least: float, most: float) -> None:
    """A station whose minimum is above its maximum has not said what it can do."""
    if abs(least) > abs(most):
        raise PeerMisbehaved(f"the station's minimum {what} of {least:g} is above its maximum of {most:g}", None)


def demand_common(what: str, unit: str, own: tuple[float, float], station: tuple[float, float]) -> None:
    """The ranges (least, most) of car and station must meet. A station that can give nothing at the moment is waited for."""
    demand_order(what, *station)
    if station[1] and (station[1] < own[0] or station[0] > own[1]):
        ranges = f"the car takes {own[0]:g} to {own[1]:g} {unit}, the station gives {station[0]:g} to {station[1]:g} {unit}"
        raise PeerIncompatible(f"{what}: {ranges}", None)


def answered_in_kind(said: object, expected: type) -> None:
    """The response mode is the one of the request: control mode and direction [V2G20-1600]."""
    if type(said) is not expected:
        raise PeerMisbehaved(f"the station answers with {type(said).__name__}, expected {expected.__name__}", "V2G20-1600")


def display(car: Car) -> DisplayParametersType:
    """What the car shows its driver, and lets the station show."""
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
    """The three energy requests, Wh in the battery; negative where the car is above already."""
    ev, goal = car.ev, car.goal
    top = goal.maximum_soc if car.service.bidirectional else goal.target_soc
    return {
        "EVTargetEnergyRequest": rational(goal.still(ev, goal.target_soc)),
        "EVMaximumEnergyRequest": rational(goal.still(ev, top)),
        "EVMinimumEnergyRequest": rational(goal.still(ev, goal.minimum_soc)),
    }


def v2x_energies(car: Car) -> dict[str, RationalNumberType]:
    """The range in which the car may be discharged and charged at will, for BPT in Dynamic control; both or neither [V2G20-2681]."""
    ev, goal = car.ev, car.goal
    return {
        "EVMaximumV2XEnergyRequest": rational(goal.still(ev, goal.maximum_soc)),
        "EVMinimumV2XEnergyRequest": rational(goal.still(ev, goal.minimum_soc)),
    }


def departure(goal: Goal, wall: float) -> int | None:
    """Seconds from the time stamp of the message to departure; None when the car did not say."""
    return None if goal.departure is None else goal.remaining(wall)
