"""The grounds on which a car asks to charge, whom a station trusts, and the interfaces of what verifies signatures and signs prices.

The messages are of the generation that is spoken.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from pki import signature as xmldsig
from pki.profiles import ISO20, Rules
from pki.verify import Anchors, Status
from secc.station import Authorization, Objection
from v2g.session.profiles import Deviation


@dataclass(frozen=True, slots=True)
class Claim:
    """The grounds on which a car asks to charge. Claims with equal `presented` are one claim, repeated by polling."""

    authorization: Authorization
    presented: object = None  # the signed element and its signature, PnC
    emaid: str = ""
    chain: tuple[bytes, ...] = ()  # DER, leaf first
    warning: Objection | None = None  # what the station found wrong with it
    expires_soon: bool = False
    relaxed: tuple[Deviation, ...] = ()  # what the profile let pass


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a station trusts: it judges chains by `rules` up to `anchors`, and accepts signatures of `suites`.

    `providers` are the providers whose contracts are accepted; None accepts all. `status` tells which certificates are revoked.
    `central`: a backend judges contracts whose root is not among the anchors.
    """

    anchors: Anchors
    rules: Rules = ISO20
    suites: Collection[str] = xmldsig.ISO20
    providers: Collection[str] | None = None
    status: Status | None = None
    central: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """A message with the signature of its envelope, for a generation whose messages have none of their own."""

    message: Any
    signature: Any


class Verifier(Protocol):
    """Verifies what a car signs; `secc.trust.station_verifier` makes one of the station's trust anchors."""

    def contract(self, request: Any, challenge: bytes, wall: float) -> Claim:
        """The claim of a request to authorize by contract, with a warning where challenge or chain are wrong.

        Raises Refused if the signature is wrong.
        """

    def provisioning(self, request: Any, wall: float) -> Objection | None:
        """What is wrong with the provisioning certificate of the request, None: nothing. Raises Refused if the signature is wrong."""

    def metering(self, request: Any, contract: bytes) -> None:
        """Raise Refused if the signature was not made with the key of this contract certificate (DER)."""


PriceSigner = Callable[[Any, bytes], Any]
"""Makes the signature over all prices of a response, for the holder of a contract (DER of its certificate, empty without)."""
