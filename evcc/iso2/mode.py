"""What AC and DC of ISO 15118-2 have in common."""

from abc import abstractmethod
from typing import Any, Final

from evcc import transfer
from v2g.exi.schema import Type
from v2g.messages.iso2.msg_data_types import DC_EVSEStatusCodeType, EVSENotificationType

SHUTDOWN: Final = (DC_EVSEStatusCodeType.EVSE_Shutdown, DC_EVSEStatusCodeType.EVSE_UtilityInterruptEvent)


def ends(status: Any) -> bool:
    """Whether an EVSEStatus asks for the end of the session."""
    return status.EVSENotification is EVSENotificationType.StopCharging or getattr(status, "EVSEStatusCode", None) in SHUTDOWN


class Mode(transfer.Mode):
    """A way of charging. `phases` is how many a car of AC says that it uses; None: it is DC."""

    phases: int | None = None

    def state(self, charging: bool) -> Any:
        """EVPowerDeliveryParameter; None where AC has none. `charging`: power is to flow."""
        return None

    def heard(self, response: Type) -> None:
        """Take the EVSEStatus of a response before power: a station that asks for the end is left in order, before the next step to power.

        Raises PeerUnsafe as `status` does.
        """
        status = self.status(response)
        if status is not None and ends(status) and not self.car.stop_asked:
            self.car.stop_asked = "the station asks for the end of the session"

    @abstractmethod
    def status(self, response: Type) -> Any:
        """The EVSEStatus of a response. Raises PeerUnsafe where it says that the station must not be used."""
