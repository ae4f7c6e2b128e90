"""What a car proves itself with, and whom it believes: contracts, the way to new ones, signers of prices. Messages are the generations'."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from pki import signature as xmldsig
from pki.errors import CertificateError
from pki.keys import PrivateKey, key_name
from pki.profiles import ISO20, Role, Rules
from pki.provisioning import Installed
from pki.signature import Grammar
from pki.tariff import signers
from pki.verify import Anchors, Status, verify


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract certificate with its private key. `chain` is DER: the contract certificate, then its sub-CAs, without the root."""

    chain: tuple[bytes, ...]
    key: PrivateKey = field(repr=False)
    emaid: str = ""
    grammar: Grammar = "xmldsig"  # of SignedInfo; most stacks verify this one, ours both

    def __post_init__(self) -> None:
        if not 2 <= len(self.chain) <= 4:
            raise ValueError(f"a contract chain has 2 to 4 certificates (contract, then 1 to 3 sub CAs), this one {len(self.chain)}")

    @property
    def curve(self) -> str:
        """The name of the key's algorithm."""
        return key_name(self.key)


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The OEM provisioning certificate of a car with its key, the trust anchors for contracts, and where contracts are kept.

    `keep` is called with every verified contract before it is used; it raises StoreError when it cannot keep it.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)
    anchors: Anchors
    keep: Callable[[Installed], None]
    rules: Rules = ISO20
    suites: Collection[str] = xmldsig.ISO20
    status: Status | None = None  # of the service and the contract, as far as the car knows


@dataclass(frozen=True, slots=True)
class PriceTrust:
    """Whose signature under prices a car believes: that of its contract's provider, and of tariff signers below a provider's root.

    `tariffs` are chains of tariff signers (DER, leaf first); each counts only while it verifies itself.
    """

    anchors: Anchors
    tariffs: tuple[tuple[bytes, ...], ...] = ()
    rules: Rules = ISO20
    suites: Collection[str] = xmldsig.ISO20

    def signers(self, contract: tuple[bytes, ...], now: datetime) -> tuple[x509.Certificate, ...]:
        """The certificates whose signatures count for the holder of a contract (chain, DER) at `now`."""
        held = [leaf for chain in self.tariffs for leaf in self._proved(chain, Role.TARIFF, now)[:1]]
        return signers(self._proved(contract, Role.CONTRACT, now), held)

    def _proved(self, chain: tuple[bytes, ...], role: Role, now: datetime) -> tuple[x509.Certificate, ...]:
        try:
            return verify(chain, role, self.anchors, now, rules=self.rules).chain if chain else ()
        except CertificateError:
            return ()
