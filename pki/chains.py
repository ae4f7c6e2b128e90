"""Certificate chains to and from the fields of messages: DER, leaf first, without the root."""

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from v2g.messages.common_messages import (
    CertificateChainType,
    ContractCertificateChainType,
    SignedCertificateChainType,
    SubCertificatesType,
)
from v2g.messages.iso2.msg_data_types import CertificateChainType as Chain2
from v2g.messages.iso2.msg_data_types import SubCertificatesType as SubCertificates2

Carried = ContractCertificateChainType | SignedCertificateChainType | CertificateChainType | Chain2


def octets_of(chain: Carried) -> tuple[bytes, ...]:
    """The DER of each certificate of a chain from a message, leaf first."""
    subs = chain.SubCertificates.Certificate if chain.SubCertificates is not None else ()
    return (chain.Certificate, *subs)


def der(chain: Iterable[x509.Certificate]) -> tuple[bytes, ...]:
    """The DER of each certificate, in the given order."""
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)


def contract_chain(chain: Sequence[x509.Certificate]) -> ContractCertificateChainType:
    """A chain as the element for AuthorizationReq and SignedInstallationData. The schema wants at least one sub-CA."""
    leaf, *subs = der(chain)
    return ContractCertificateChainType(Certificate=leaf, SubCertificates=SubCertificatesType(Certificate=tuple(subs)))


def signed_chain(identifier: str, chain: Sequence[x509.Certificate]) -> SignedCertificateChainType:
    """A chain with an Id, as the element for CertificateInstallationReq."""
    leaf, *subs = der(chain)
    return SignedCertificateChainType(Id=identifier, Certificate=leaf, SubCertificates=_subs(subs))


def plain_chain(chain: Sequence[x509.Certificate]) -> CertificateChainType:
    """A chain as the element for CertificateInstallationRes: that of the provisioning service."""
    leaf, *subs = der(chain)
    return CertificateChainType(Certificate=leaf, SubCertificates=_subs(subs))


def chain2(chain: Sequence[x509.Certificate], identifier: str | None = None) -> Chain2:
    """A chain as the element for messages of ISO 15118-2."""
    leaf, *subs = der(chain)
    return Chain2(Id=identifier, Certificate=leaf, SubCertificates=SubCertificates2(Certificate=tuple(subs)) if subs else None)


def _subs(subs: Sequence[bytes]) -> SubCertificatesType | None:
    return SubCertificatesType(Certificate=tuple(subs)) if subs else None
