"""The parts of Authorize that describe a contract: token, hash data of its certificates for OCSP, or the certificates (C07)."""

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ocpp_bridge.wire.schemas import Payload
from pki.certificate import directly_issued, facts, read
from pki.errors import CertificateError
from pki.status import certificate_id

PEM_MAXIMUM: Final = 10_000  # characters of AuthorizeRequest.certificate
TOKEN_MAXIMUM: Final = 255
URL_MAXIMUM: Final = 2000
CHAIN_MAXIMUM: Final = 4


def token(kind: str, text: str, evccid: str = "") -> Payload:
    """An idToken of a type and text, with the car's EVCCID, for V2X (Q01.FR.02)."""
    said: Payload = {"idToken": text[:TOKEN_MAXIMUM], "type": kind}
    if evccid:
        said["additionalInfo"] = [{"additionalIdToken": evccid[:255], "type": "EVCCID"}]
    return said


def hash_data(certificate: x509.Certificate, issuer: x509.Certificate, url: str) -> Payload:
    """OCSPRequestData of a certificate: its CertID (RFC 6960, SHA-256), and the URL of the responder."""
    name, key, serial = certificate_id(certificate, issuer, hashes.SHA256())
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": name.hex(),
        "issuerKeyHash": key.hex(),
        "serialNumber": f"{serial:x}",
        "responderURL": url,
    }


def chain_hash_data(chain: Sequence[bytes], roots: Sequence[bytes]) -> list[Payload] | None:
    """OCSPRequestData of every certificate of a chain (DER, leaf first); None if it cannot be made for all.

    It needs the issuer of each (the last one's among `roots`) and the OCSP responder that each certificate names.
    """
    try:
        certificates = [read(der) for der in chain]
        issuers = certificates[1:] + [root for root in map(read, roots) if certificates and directly_issued(certificates[-1], root)][:1]
        urls = [facts(certificate).ocsp_urls for certificate in certificates]
    except CertificateError:
        return None
    if not 0 < len(certificates) <= CHAIN_MAXIMUM or len(issuers) < len(certificates) or not all(urls):
        return None
    data = [hash_data(c, issuer, url[0]) for c, issuer, url in zip(certificates, issuers, urls, strict=False)]
    return data if all(len(each["responderURL"]) <= URL_MAXIMUM for each in data) else None


def pem(chain: Sequence[bytes]) -> str | None:
    """The chain (DER, leaf first) as PEM, or None if it is too long for the message."""
    try:
        text = "".join(read(der).public_bytes(Encoding.PEM).decode() for der in chain)
    except CertificateError:
        return None
    return text if 0 < len(text) <= PEM_MAXIMUM else None


def rooted(chain: Sequence[bytes], roots: Sequence[bytes]) -> bool:
    """Whether one of the roots (DER) issued the last certificate of a chain (DER, leaf first): whether it can be validated here at all."""
    try:
        last = read(chain[-1])
        return any(directly_issued(last, root) for root in map(read, roots))
    except (CertificateError, IndexError):
        return False


def proof(chain: Sequence[bytes], roots: Sequence[bytes], *, centrally: bool) -> Payload:
    """The fields of Authorize that prove a contract: hash data where it can be made, else the chain if the CSMS may validate it."""
    hashes_ = chain_hash_data(chain, roots)
    if hashes_ is not None:
        return {"iso15118CertificateHashData": hashes_}
    text = pem(chain) if centrally else None
    return {} if text is None else {"certificate": text}
