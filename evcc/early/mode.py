"""What AC and DC have in common: the needs of the car for the station's schedules, and the state that a station says it is in."""

import math
from abc import abstractmethod
from typing import Any, Final

from evcc import transfer
from evcc.early.known import Car
from evcc.early.schedule import offered
from evcc.early.words import Words, finished
from evcc.ev import Inlet
from evcc.script import Part, repeat
from v2g.exi.schema import Type
from v2g.session.decimal import optional
from v2g.session.errors import PeerMisbehaved

SHUTDOWN: Final = ("EVSE_Shutdown", "EVSE_UtilityInterruptEvent")


def ends(status: Any) -> bool:
    """Whether an EVSEStatus asks for the end of the session."""
    code = getattr(getattr(status, "EVSEStatusCode", None), "value", None)
    return status.EVSENotification.value == "StopCharging" or code in SHUTDOWN


class Mode(transfer.Mode):
    """A way of charging. `phases` is how many a car of AC says that it uses; None: it is DC."""

    phases: int | None = None

    def __init__(self, car: Car, inlet: Inlet, words: Words):
        super().__init__(car, inlet)
        self.words = words

    @abstractmethod
    def needs(self) -> Any:
        """The EVChargeParameter: what the car can and wants now."""

    def exchange(self, stated: type[Any]) -> Part[Any]:
        """Repeat ChargeParameterDiscovery until the station has planned; returns its EVSEChargeParameter, and keeps its schedules.

        The needs are said anew in each request: the seconds until departure count down. Raises PeerMisbehaved where the parameter is not
        of the class `stated`.
        """
        car, words = self.car, self.words
        response: Any = yield from repeat(car, lambda _: words.parameters(car, self.needs()), words.ongoing, finished)
        if response.SASchedules is None:
            raise PeerMisbehaved("ChargeParameterDiscoveryRes says Finished and has no SASchedules", None)
        said = response.EVSEChargeParameter
        if not isinstance(said, stated):
            raise PeerMisbehaved(f"the station answers {type(said).__name__} to a car of {car.known.service.row.plug.upper()}", None)
        start, limit = math.floor(car.wall), optional(getattr(said, "EVSEMaximumPowerLimit", None))
        self.heard(said)
        priced = words.credible(car, response)
        car.known.offers = tuple(offered(car, each, start, words, limit, priced) for each in response.SASchedules.SAScheduleTuple)
        return said

    def state(self, charging: bool) -> Any:
        """EVPowerDeliveryParameter; None where AC has none. `charging`: power is to flow."""
        return None

    def heard(self, response: Any) -> None:
        """Take the EVSEStatus of a response before power: a station that asks for the end is left in order, before the next step to power.

        Raises PeerUnsafe as `status` does.
        """
        status = self.status(response)
        if status is not None and ends(status) and not self.car.stop_asked:
            self.car.stop_asked = "the station asks for the end of the session"

    @abstractmethod
    def status(self, response: Type) -> Any:
        """The EVSEStatus of a response. Raises PeerUnsafe where it says that the station must not be used."""
