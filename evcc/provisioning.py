"""How a car gets a contract at a station: the credential it was born with asks, and opens what comes."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from cryptography import x509

from evcc.contract import Contract
from evcc.script import UNSTAMPED
from pki import signature as xmldsig
from pki.chains import der
from pki.keys import PrivateKey
from pki.profiles import ISO20, Rules
from pki.provisioning import Installed, accept, ask
from pki.verify import Anchors, Status
from v2g.messages.common_messages import CertificateInstallationReq, CertificateInstallationRes, EMAIDListType
from v2g.messages.common_types import ListOfRootCertificateIDsType
from v2g.messages.xmldsig import X509IssuerSerialType

MOST_ROOTS, MOST_EMAIDS = 20, 8  # that a request can name


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The OEM provisioning certificate of a car with its key, whom it takes contracts from, and where it keeps them.

    `keep` is told of every contract that was proven, before it is used. It raises StoreError when it cannot keep it.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)
    anchors: Anchors
    keep: Callable[[Installed], None]
    rules: Rules = ISO20
    suites: Collection[str] = xmldsig.ISO20
    status: Status | None = None  # of the service and the contract, as far as the car knows

    def request(self, most: int, wanted: Sequence[str] = ()) -> CertificateInstallationReq:
        """A signed request for at most so many contracts, those `wanted` (eMAIDs) first."""
        chain, signature = ask(self)
        roots = tuple(
            X509IssuerSerialType(X509IssuerName=root.issuer.rfc4514_string(), X509SerialNumber=root.serial_number)
            for root in self.anchors.v2g[:MOST_ROOTS]
        )
        return CertificateInstallationReq(
            Header=msgspec.structs.replace(UNSTAMPED, Signature=signature),
            OEMProvisioningCertificateChain=chain,
            ListOfRootCertificateIDs=ListOfRootCertificateIDsType(RootCertificateID=roots),
            MaximumContractCertificateChains=most,
            PrioritizedEMAIDs=EMAIDListType(EMAID=tuple(wanted[:MOST_EMAIDS])) if wanted else None,
        )

    def taken(self, response: CertificateInstallationRes, wall: float) -> Installed:
        """The contract in a response, proven at a wall time. Raises CertificateError, SignatureError or EnvelopeError."""
        now = datetime.fromtimestamp(wall, UTC)
        return accept(response, self, self.anchors, now, rules=self.rules, suites=self.suites, status=self.status)


def contract(installed: Installed) -> Contract:
    """What was installed, as a script uses it."""
    return Contract(der(installed.chain), installed.key, installed.emaid)
