"""How a generation says what the scripts in here mean: its classes, its values, its times, and the requests that differ."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from evcc.choice import Choice
from evcc.script import Limit
from v2g.exi.schema import Type

End = Literal["Terminate", "Pause"]
Rounding = Literal["nearest", "down", "up"]


class Words(ABC):
    """One generation, for a car. `body` and `types` are its modules of messages and of their parts."""

    body: ClassVar[Any]
    types: ClassVar[Any]
    ongoing: ClassVar[Limit]  # of a poll
    cable_check: ClassVar[Limit]
    pre_charge: ClassVar[Limit]
    towards_power: ClassVar[tuple[type[Type], ...]]  # the requests that a car no longer sends once its driver wants to leave
    renegotiates: ClassVar[bool] = True  # whether there may be another schedule; if not, all that the first allows is taken

    # --- values ---

    @abstractmethod
    def physical(self, value: float, unit: str, rounding: Rounding = "nearest") -> Any:
        """A PhysicalValueType of a float in `unit` (V, A, W, Wh). Raises ValueError for what it cannot hold."""

    @abstractmethod
    def watts(self, car: Any, stated: Any, limit: float | None) -> float:
        """The power (W) of an entry of a PMaxSchedule. `limit` is what the station can do, None where it does not say that."""

    @abstractmethod
    def stated(self, power: float) -> float:
        """A power (W) as a ChargingProfile can say it: what the car follows is what it has promised, not what it has rounded."""

    def dc_status(self, car: Any, ready: bool, error: str = "NO_ERROR") -> Any:
        """DC_EVStatus: whether the car is ready to charge, what is wrong with it (EVErrorCode), and its state of charge."""
        code = self.types.DC_EVErrorCodeType(error)
        return self.types.DC_EVStatusType(EVReady=ready, EVErrorCode=code, EVRESSSOC=round(car.ev.soc))

    def dc_state(self, car: Any, charging: bool, error: str = "NO_ERROR") -> Any:
        """DC_EVPowerDeliveryParameter with the state of the car, ready while `charging`."""
        status = self.dc_status(car, charging, error)
        return self.types.DC_EVPowerDeliveryParameterType(DC_EVStatus=status, ChargingComplete=car.goal.reached(car.ev))

    def credible(self, car: Any, response: Any) -> bool:
        """Whether the prices of a ChargeParameterDiscoveryRes count; all do where a generation signs none."""
        return True

    # --- requests ---

    @abstractmethod
    def parameters(self, car: Any, needs: Any) -> Type:
        """A ChargeParameterDiscoveryReq with the EVChargeParameter `needs`."""

    @abstractmethod
    def departing(self, car: Any) -> dict[str, Any]:
        """What a DC_EVChargeParameter says of the departure."""

    @abstractmethod
    def power_on(self, car: Any, mode: Any, chosen: Choice) -> Type:
        """The PowerDeliveryReq that begins with power, to follow the plan that was chosen."""

    @abstractmethod
    def power_off(self, car: Any, state: Any) -> Type:
        """The PowerDeliveryReq that ends it, with the `state` of a car of DC."""

    def renegotiation(self, car: Any, mode: Any) -> Type | None:
        """The PowerDeliveryReq that asks for another schedule; None where the generation has none."""
        return None

    @abstractmethod
    def goodbye(self, how: End = "Terminate") -> Type:
        """The SessionStopReq that ends the session for good, or to pause it."""

    @abstractmethod
    def begins(self, request: Type) -> bool:
        """Whether a PowerDeliveryReq asks for power."""


def finished(response: Any) -> bool:
    """Whether a response says that the station has finished (EVSEProcessing)."""
    return bool(response.EVSEProcessing.value == "Finished")
