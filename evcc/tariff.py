"""Whom a car believes when a station tells prices: its contract's provider, and tariff signers below a provider's root."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from pki import signature as xmldsig
from pki.errors import CertificateError
from pki.profiles import ISO20, Role, Rules
from pki.tariff import PriceVerdict, Standing, judge_prices, signers
from pki.verify import Anchors, verify
from v2g.messages.common_messages import ScheduleExchangeRes


@dataclass(frozen=True, slots=True)
class PriceJudge:
    """`tariffs` are chains (DER, leaf first) that the car holds; each counts only while it verifies, as the contract does."""

    anchors: Anchors
    tariffs: tuple[tuple[bytes, ...], ...] = ()
    rules: Rules = ISO20
    suites: Collection[str] = xmldsig.ISO20

    def __call__(self, response: ScheduleExchangeRes, wall: float, contract: tuple[bytes, ...] = ()) -> PriceVerdict:
        """Whether the prices of a response are genuine, unsigned or wrong at a time (epoch s), for the holder of a contract (chain, DER).

        A signature that the car has nobody to hold against adds nothing to the station's word, and takes nothing from it: unsigned.
        """
        now = datetime.fromtimestamp(wall, UTC)
        held = [leaf for chain in self.tariffs for leaf in self._proved(chain, Role.TARIFF, now)[:1]]
        known = signers(self._proved(contract, Role.CONTRACT, now), held)
        if not known:
            return PriceVerdict(Standing.UNSIGNED, reason="signed, and the car knows nobody who signs prices")
        return judge_prices(response, known, suites=self.suites)

    def _proved(self, chain: tuple[bytes, ...], role: Role, now: datetime) -> tuple[x509.Certificate, ...]:
        try:
            return verify(chain, role, self.anchors, now, rules=self.rules).chain if chain else ()
        except CertificateError:
            return ()
