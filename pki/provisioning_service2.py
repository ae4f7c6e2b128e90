"""A provisioning service for cars of ISO 15118-2: a first contract for a car, another in place of one that is about to end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509

from pki.certificate import facts
from pki.envelope import Entropy
from pki.errors import CertificateError, EnvelopeError, SignatureError
from pki.identifiers import same_account
from pki.provisioning import Held
from pki.provisioning2 import code_of, deliver, judge_request
from pki.verify import Anchors, Status
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import (
    BodyType,
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
)
from v2g.messages.iso2.msg_data_types import responseCodeType
from v2g.messages.iso2.msg_def import V2G_Message
from v2g.messages.iso2.msg_header import MessageHeaderType
from v2g.messages.xmldsig import SignatureType

Request = CertificateInstallationReq | CertificateUpdateReq
Response = CertificateInstallationRes | CertificateUpdateRes
RESPONSES: dict[type[Any], type[Any]] = {
    CertificateInstallationReq: CertificateInstallationRes,
    CertificateUpdateReq: CertificateUpdateRes,
}


@dataclass(frozen=True, slots=True)
class ProvisioningService2:
    """Gives a car the first of its contracts, or the contract of the account whose certificate it shows.

    `contracts` gives the contracts for the common name of a provisioning certificate, `renewed` those for an eMAID. A car sends its
    provisioning certificate alone: `subs` are the sub-CAs of the manufacturers that are known.
    """

    cps: Held
    anchors: Anchors
    contracts: Callable[[str], Sequence[Held]]
    renewed: Callable[[str], Sequence[Held]]
    entropy: Entropy
    subs: Sequence[x509.Certificate] = ()
    status: Status | None = None

    def answer_exi(self, octets: bytes, now: datetime) -> bytes:
        """Answer a request (EXI, in its envelope) by a response (EXI, in an envelope of the same session). Raises DecodeError."""
        whole = decode(octets, schema_set("iso2"))
        body = whole.Body.BodyElement if isinstance(whole, V2G_Message) else whole
        if not isinstance(whole, V2G_Message) or not isinstance(body, CertificateInstallationReq | CertificateUpdateReq):
            raise DecodeError(f"{type(body).__name__} where a CertificateInstallationReq or CertificateUpdateReq is due")
        response, signature = self.answer(body, whole.Header.Signature, now)
        header = MessageHeaderType(SessionID=whole.Header.SessionID, Signature=signature)
        return encode(V2G_Message(Header=header, Body=BodyType(BodyElement=response)), schema_set("iso2"))

    def answer(self, body: Request, signature: SignatureType | None, now: datetime) -> tuple[Response, SignatureType | None]:
        """The response with a contract and the signature over it, or one that refuses, without anybody's credential in it."""
        kind = RESPONSES[type(body)]
        try:
            proof = judge_request(body, signature, self.anchors, now, subs=self.subs, status=self.status)
            renews = isinstance(body, CertificateUpdateReq)
            if isinstance(body, CertificateUpdateReq) and not same_account(body.eMAID, proof.common_name):
                return _refused(kind, responseCodeType.FAILED_CertChainError), None
            held = self.renewed(proof.common_name) if renews else self.contracts(proof.common_name)
            if not held:
                return _refused(kind, responseCodeType.FAILED_NoCertificateAvailable), None
            return deliver(kind, proof.leaf, held[0], self.cps, entropy=self.entropy)
        except (CertificateError, SignatureError) as error:
            return _refused(kind, code_of(error)), None
        except EnvelopeError:
            return _refused(kind, responseCodeType.FAILED_CertChainError), None


def account_of(one: Held) -> str:
    """The eMAID that a contract is for."""
    return facts(one.chain[0]).common_name


def _refused(kind: type[Any], code: responseCodeType) -> Any:
    return least(kind, ResponseCode=code)
