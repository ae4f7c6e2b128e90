"""How a car of ISO 15118-20 asks for a contract: its OEM provisioning certificate signs the request and decrypts the response."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from evcc.credentials import Contract, Provisioning
from evcc.iso20.requests import UNSTAMPED
from pki.chains import der
from pki.provisioning import Installed, accept, ask
from v2g.messages.common_messages import CertificateInstallationReq, CertificateInstallationRes, EMAIDListType
from v2g.messages.common_types import ListOfRootCertificateIDsType
from v2g.messages.xmldsig import X509IssuerSerialType

MOST_ROOTS, MOST_EMAIDS = 20, 8  # that a request can name


def installation_request(held: Provisioning, most: int, wanted: Sequence[str] = ()) -> CertificateInstallationReq:
    """A signed CertificateInstallationReq for at most `most` contracts, those `wanted` (eMAIDs) first."""
    chain, signature = ask(held)
    roots = tuple(
        X509IssuerSerialType(X509IssuerName=root.issuer.rfc4514_string(), X509SerialNumber=root.serial_number)
        for root in held.anchors.v2g[:MOST_ROOTS]
    )
    return CertificateInstallationReq(
        Header=msgspec.structs.replace(UNSTAMPED, Signature=signature),
        OEMProvisioningCertificateChain=chain,
        ListOfRootCertificateIDs=ListOfRootCertificateIDsType(RootCertificateID=roots),
        MaximumContractCertificateChains=most,
        PrioritizedEMAIDs=EMAIDListType(EMAID=tuple(wanted[:MOST_EMAIDS])) if wanted else None,
    )


def verified(held: Provisioning, response: CertificateInstallationRes, wall: float) -> Installed:
    """The contract in a response, verified at `wall` (epoch s). Raises CertificateError, SignatureError or EnvelopeError."""
    now = datetime.fromtimestamp(wall, UTC)
    return accept(response, held, held.anchors, now, rules=held.rules, suites=held.suites, status=held.status)


def contract(installed: Installed) -> Contract:
    """An installed contract in the form that scripts use."""
    return Contract(der(installed.chain), installed.key, installed.emaid)
