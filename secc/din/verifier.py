"""Nothing is signed in DIN SPEC 70121: the `Verifier` of a station that believes nothing there."""

from dataclasses import dataclass
from typing import Any, NoReturn

from secc.claims import Trust
from v2g.reasons import Reason
from v2g.session.errors import Refused


@dataclass(frozen=True, slots=True)
class NothingSigned:
    """Refuses whatever it is asked: no message of this generation that a station answers carries a signature or a certificate."""

    trust: Trust

    def contract(self, request: Any, challenge: bytes, wall: float) -> NoReturn:
        """Raise Refused: there is no contract in this generation."""
        raise Refused(Reason.WRONG_AUTHORIZATION, "there is no contract in DIN SPEC 70121", "V2G-DC-252")

    def provisioning(self, request: Any, wall: float) -> NoReturn:
        """Raise Refused: no certificate can be installed in this generation."""
        raise Refused(Reason.WRONG_AUTHORIZATION, "there is no contract in DIN SPEC 70121", "V2G-DC-252")

    def metering(self, request: Any, contract: bytes) -> NoReturn:
        """Raise Refused: no meter reading is signed in this generation."""
        raise Refused(Reason.METER_SIGNATURE, "no meter reading is signed in DIN SPEC 70121", "V2G-DC-252")
