"""CertificateInstallation and CertificateUpdate of ISO 15118-2, both ends: the bodies and signatures, which sessions put into messages.

    body, signature = ask_installation(provisioning, roots)                  # car, signed with the provisioning key
    body, signature = ask_update(contract, emaid, roots)                     # car, signed with the contract key that is about to end
    leaf = judge_request(body, signature, anchors, now, subs=...)            # service: the certificate that asks, proven
    body, signature = deliver(kind, leaf, contract, cps, entropy=...)        # service: four elements, one signature
    installed = accept(body, signature, asker, anchors, now)                 # car

A CertificateInstallationReq of -2 carries the provisioning certificate alone: who judges it brings the sub-CAs of the manufacturer along.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pki import signature as xmldsig
from pki.certificate import directly_issued, facts, read
from pki.chains import chain2, octets_of
from pki.envelope import Entropy, seal2, unseal2
from pki.errors import CertificateError, EnvelopeError, Kind, SignatureError
from pki.profiles import ISO2, Role, Rules
from pki.provisioning import Held, Installed
from pki.signature import Element, Named
from pki.verify import Anchors, Status, VerifiedChain, verify
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import (
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
)
from v2g.messages.iso2.msg_data_types import (
    ContractSignatureEncryptedPrivateKeyType,
    DiffieHellmanPublickeyType,
    EMAIDType,
    ListOfRootCertificateIDsType,
    responseCodeType,
)
from v2g.messages.xmldsig import SignatureType, X509IssuerSerialType

Request = CertificateInstallationReq | CertificateUpdateReq
Response = TypeVar("Response", CertificateInstallationRes, CertificateUpdateRes)
CODES = {
    Kind.EXPIRED: responseCodeType.FAILED_CertificateExpired,
    Kind.REVOKED: responseCodeType.FAILED_CertificateRevoked,
}


def code_of(error: CertificateError | SignatureError) -> responseCodeType:
    """The response code of ISO 15118-2 for an error that `judge_request` raised."""
    if isinstance(error, SignatureError):
        return responseCodeType.FAILED_SignatureError
    return CODES.get(error.kind, responseCodeType.FAILED_CertChainError)


def root_ids(roots: Iterable[x509.Certificate]) -> ListOfRootCertificateIDsType:
    """The element that lists the roots a car holds, by issuer name and serial number."""
    ids = [X509IssuerSerialType(X509IssuerName=root.issuer.rfc4514_string(), X509SerialNumber=root.serial_number) for root in roots]
    return ListOfRootCertificateIDsType(RootCertificateID=tuple(ids))


# --- the car asks ---


def ask_installation(provisioning: Held, roots: Iterable[x509.Certificate]) -> tuple[CertificateInstallationReq, SignatureType]:
    """The body of the request for a first contract, and the signature over all of it by the provisioning key."""
    leaf = provisioning.chain[0].public_bytes(Encoding.DER)
    body = CertificateInstallationReq(Id="id1", OEMProvisioningCert=leaf, ListOfRootCertificateIDs=root_ids(roots))
    return body, xmldsig.sign([body], provisioning.key, schema_set("iso2"))


def ask_update(contract: Held, emaid: str, roots: Iterable[x509.Certificate]) -> tuple[CertificateUpdateReq, SignatureType]:
    """The body of the request to replace a contract that is about to end, and the signature over it by the contract key."""
    body = CertificateUpdateReq(
        Id="id1", ContractSignatureCertChain=chain2(contract.chain), eMAID=emaid, ListOfRootCertificateIDs=root_ids(roots)
    )
    return body, xmldsig.sign([body], contract.key, schema_set("iso2"))


# --- the service ---


def judge_request(
    body: Request,
    signature: SignatureType | None,
    anchors: Anchors,
    now: datetime,
    *,
    subs: Sequence[x509.Certificate] = (),
    status: Status | None = None,
) -> VerifiedChain:
    """The verified chain of the car that asks; `subs` are sub-CAs of manufacturers, in any order.

    Raises SignatureError or CertificateError; `code_of` gives the response code.
    """
    if isinstance(body, CertificateInstallationReq):
        role = Role.PROVISIONING
        leaf = read(body.OEMProvisioningCert, ISO2.max_octets)
        chain: tuple[Any, ...] = (leaf, *above(leaf, subs))
    else:
        role, chain = Role.CONTRACT, octets_of(body.ContractSignatureCertChain)
        leaf = read(chain[0], ISO2.max_octets)
    xmldsig.verify(signature, [body], cast(Any, facts(leaf).public_key), schema_set("iso2"), suites=xmldsig.ISO2)
    return verify(chain, role, anchors, now, rules=ISO2, status=status)


def above(leaf: x509.Certificate, known: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The sub-CAs above a certificate, issuer after issuer, as far as they are among those that are known."""
    found: list[x509.Certificate] = []
    while len(found) < ISO2.max_subs:
        child = found[-1] if found else leaf
        issuer = next((one for one in known if one not in found and directly_issued(child, one)), None)
        if issuer is None:
            break
        found.append(issuer)
    return tuple(found)


def deliver(
    kind: type[Response], asker: x509.Certificate, contract: Held, cps: Held, *, entropy: Entropy
) -> tuple[Response, SignatureType]:
    """The response that carries a contract to the holder of `asker`, and the service's signature over its four parts."""
    receiver, key = asker.public_key(), contract.key
    if not isinstance(receiver, ec.EllipticCurvePublicKey) or not isinstance(key, ec.EllipticCurvePrivateKey):
        raise EnvelopeError("keys of -2 are on secp256r1")
    public_key, encrypted = seal2(key, receiver, entropy)
    body = kind(
        ResponseCode=responseCodeType.OK,
        SAProvisioningCertificateChain=chain2(cps.chain),
        ContractSignatureCertChain=chain2(contract.chain, "id1"),
        ContractSignatureEncryptedPrivateKey=ContractSignatureEncryptedPrivateKeyType(Id="id2", value=encrypted),
        DHpublickey=DiffieHellmanPublickeyType(Id="id3", value=public_key),
        eMAID=EMAIDType(Id="id4", value=facts(contract.chain[0]).common_name),
    )
    return body, xmldsig.sign(signed_parts(body), cps.key, schema_set("iso2"))


def signed_parts(body: CertificateInstallationRes | CertificateUpdateRes) -> tuple[Element, ...]:
    """The four elements of a response that its signature covers."""
    return (
        Named(body.ContractSignatureCertChain, "ContractSignatureCertChain"),
        Named(body.ContractSignatureEncryptedPrivateKey, "ContractSignatureEncryptedPrivateKey"),
        Named(body.DHpublickey, "DHpublickey"),
        Named(body.eMAID, "eMAID"),
    )


def identifier(emaid: str) -> str:
    """An eMAID as it is compared: without the hyphens that may separate its parts, in upper case."""
    return emaid.replace("-", "").upper()


# --- the car takes ---


def accept(
    body: CertificateInstallationRes | CertificateUpdateRes,
    signature: SignatureType | None,
    asker: Held,
    anchors: Anchors,
    now: datetime,
    *,
    rules: Rules = ISO2,
    status: Status | None = None,
) -> Installed:
    """The contract in a response, verified: service, signature, name, key. Raises CertificateError, SignatureError or EnvelopeError.

    `status` refuses what is revoked.
    """
    service = verify(octets_of(body.SAProvisioningCertificateChain), Role.CPS, anchors, now, rules=rules, status=status)
    key = cast(Any, service.leaf.public_key())
    xmldsig.verify(signature, signed_parts(body), key, schema_set("iso2"), suites=xmldsig.ISO2)
    chain = tuple(read(one, rules.max_octets) for one in octets_of(body.ContractSignatureCertChain))
    contract = verify(chain, Role.CONTRACT, anchors, now, rules=rules, status=status) if anchors.mo else None
    if identifier(body.eMAID.value) != identifier(facts(chain[0]).common_name):
        named = facts(chain[0]).common_name
        raise CertificateError(Kind.WRONG_PROFILE, f"the response names the account {body.eMAID.value}, its contract certificate {named}")
    if not isinstance(asker.key, ec.EllipticCurvePrivateKey):
        raise EnvelopeError("keys of -2 are on secp256r1")
    opened = unseal2(body.DHpublickey.value, body.ContractSignatureEncryptedPrivateKey.value, asker.key, chain[0])
    return Installed(facts(chain[0]).common_name, chain, opened, 0, service, contract)
