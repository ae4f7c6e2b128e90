"""What AC and DC of ISO 15118-2 have in common."""

from abc import abstractmethod
from typing import Any

from evcc import transfer
from v2g.exi.schema import Type


class Mode(transfer.Mode):
    """A way of charging. `phases` is how many a car of AC says that it uses; None: it is DC."""

    phases: int | None = None

    def state(self, charging: bool) -> Any:
        """EVPowerDeliveryParameter; None where AC has none. `charging`: power is to flow."""
        return None

    @abstractmethod
    def status(self, response: Type) -> Any:
        """The EVSEStatus of a response. Raises PeerUnsafe where it says that the station must not be used."""
