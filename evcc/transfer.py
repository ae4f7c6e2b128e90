"""What the energy services of all generations have in common in a car: the present limits, and the count of the energy that has flowed."""

from abc import ABC, abstractmethod
from dataclasses import fields, replace
from typing import Any

from evcc.car import Car
from evcc.ev import Inlet
from evcc.goal import span
from evcc.script import Part
from v2g.exi.schema import Type
from v2g.session.errors import PeerIncompatible, PeerMisbehaved

SAME_LIMIT = 0.99  # share of a scheduled power above which a stated limit is that schedule, rounded


class Mode(ABC):
    """A selected energy service. `limits` is what both the car's inlet and the station can do now; every loop may change the station's."""

    def __init__(self, car: Car[Any], inlet: Inlet):
        self.car = car
        self.own = inlet
        self.limits = inlet
        self._stated: dict[str, float] = {}  # by the station, last
        self._announced: dict[str, float] = {}  # by the station, before power
        self.flowing = 0.0  # W at the plug since `since`
        self.since = car.wall
        self.idle = False  # the car stands by: nothing may flow
        self.step = car.wish.pace * car.clock.scale  # s of wall time that a power holds

    @abstractmethod
    def discovery(self) -> Part[None]:
        """Run ChargeParameterDiscovery: state the car's limits, take the station's."""

    @abstractmethod
    def preparation(self) -> Part[None]:
        """Run the steps between the schedule and the beginning of power."""

    @abstractmethod
    def loop_request(self) -> Type:
        """The next request of the charge loop."""

    @abstractmethod
    def loop_response(self, response: Any) -> None:
        """Take a response of the charge loop: changed limits, what flows."""

    def aside(self) -> Part[None]:
        """What is asked on a side stream after each loop; nothing, but under a service that has such a stream."""
        yield from ()

    @abstractmethod
    def conclusion(self) -> Part[None]:
        """Run the steps between the end of power and SessionStop."""

    # --- power ---

    def wanted(self) -> float:
        """The power (W) that the car wants now in Scheduled control: its profile, within what battery and station can do."""
        assert self.car.known.choice is not None
        return self.within(self.car.known.choice.at(self.car.wall))

    def within(self, power: float) -> float:
        """A power (W), cut to what car and station accept now; 0 where that is below the least power of its direction."""
        lowest, highest = self.span()
        cut = min(max(power, lowest), highest)
        least = self.limits.charge_power_minimum if cut > 0 else self.limits.discharge_power_minimum
        # near its target a car asks for less than the least power, once, to end exactly there
        return cut if abs(power) >= least else 0.0

    def plannable(self) -> Inlet:
        """The limits that a plan may count on."""
        return self.limits

    def span(self) -> tuple[float, float]:
        """The powers (W, signed) that the car accepts now, as (lowest, highest)."""
        if self.idle:
            return 0.0, 0.0
        return span(self.car.ev, self.car.goal, self.limits, self.car.known.service.bidirectional, self.step)

    def promised(self, span: tuple[float, float]) -> tuple[float, float]:
        """In Dynamic control: the span (W), cut to the profile that the car announced, even where limits have risen since."""
        assert self.car.known.choice is not None
        return span[0], min(span[1], max(self.car.known.choice.powers.values, default=0.0))

    def account(self, flowing: float) -> None:
        """Count the energy of a power (W) that has flowed since the last call."""
        elapsed, self.since = self.car.wall - self.since, self.car.wall
        self.step = max(elapsed, self.car.wish.pace * self.car.clock.scale)
        self.car.ev.take(flowing, elapsed)

    def begin(self) -> None:
        """Note that power may flow from now on."""
        self.since, self.flowing, self.idle = self.car.wall, 0.0, False
        self._announced = self._announced or dict(self._stated)

    def carry(self) -> None:
        """Note that another schedule holds from now on while power flows: count the energy under the one before."""
        self.account(self.flowing)

    def rest(self) -> None:
        """Called when the car stands by from now: what flowed is counted, and nothing more is asked for."""
        self.settle()
        self.idle = True

    def awakening(self) -> Part[None]:
        """Do what must come before PowerDelivery(Start) that ends a standby: nothing in AC."""
        yield from ()

    @abstractmethod
    def cease(self) -> None:
        """Called before PowerDelivery(Stop) is sent: a car that controls the power itself stops it now."""

    def settle(self) -> None:
        """Note that power has ended: count what flowed since the last response. A second call does nothing."""
        self.account(self.flowing)
        self.flowing = 0.0

    # --- limits ---

    def news(self, name: str, stated: float | None, since: float) -> float | None:
        """The limit (W) behind the value `stated` in a loop response: where that only repeats the schedule, the limit before schedules.

        A schedule changes by itself: a limit that repeats it would otherwise hold the car back for one loop after each change.
        """
        car = self.car
        if stated is None or car.known.choice is None or car.known.choice.offer is None:
            return stated
        charge, discharge = car.known.choice.allowed(since, car.wall)
        scheduled = charge if name == "charge_power" else discharge
        return self._announced.get(name, stated) if abs(stated) >= SAME_LIMIT * scheduled else stated

    def revise(self, **station: float | None) -> None:
        """Take the limits that the station states now; None: not stated, so it stays. They are taken by magnitude: signs differ."""
        before = self._stated
        self._stated = before | {name: abs(value) for name, value in station.items() if value is not None}
        if self._stated == before:  # as in most turns of a loop
            return
        limits = {field.name: getattr(self.own, field.name) for field in fields(Inlet)}
        for name, value in self._stated.items():
            limits[name] = max(value, limits[name]) if name.endswith("_minimum") else min(value, limits[name])
        for least in (name for name in limits if name.endswith("_minimum")):
            limits[least] = min(limits[least], limits[least.removesuffix("_minimum")])  # then only that much can flow
        self.limits = Inlet(**limits)


def demand_order(what: str, least: float, most: float) -> None:
    """Raise PeerMisbehaved where the station's minimum is above its maximum; `what` names the limit."""
    if abs(least) > abs(most):
        raise PeerMisbehaved(f"the station's minimum {what} of {least:g} is above its maximum of {most:g}", None)


def demand_common(what: str, unit: str, own: tuple[float, float], station: tuple[float, float]) -> None:
    """Raise PeerIncompatible unless the ranges (least, most) of car and station overlap; a station's maximum of 0 passes for now."""
    demand_order(what, *station)
    if station[1] and (station[1] < own[0] or station[0] > own[1]):
        ranges = f"the car takes {own[0]:g} to {own[1]:g} {unit}, the station gives {station[0]:g} to {station[1]:g} {unit}"
        raise PeerIncompatible(f"{what}: {ranges}", None)


def used(inlet: Inlet, phases: int) -> Inlet:
    """What an inlet carries on so many of its phases."""
    share = phases / inlet.phases
    most = {name: getattr(inlet, name) * share for name in ("charge_power", "discharge_power")}
    least = {f"{name}_minimum": min(getattr(inlet, f"{name}_minimum"), value) for name, value in most.items()}
    return replace(inlet, phases=phases, **most, **least)
