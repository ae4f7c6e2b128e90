"""Verifies what a car signs, with the station's trust anchors: the session's words on one side, `pki` on the other."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from pki import signature as xmldsig
from pki.authorization import Refusal, judge
from pki.certificate import facts, read
from pki.chains import octets_of
from pki.errors import CertificateError, SignatureError
from pki.keys import PublicKey, key_name
from pki.profiles import ISO20, Rules
from pki.provisioning import judge_request
from pki.verify import Anchors, Status
from secc.context import Claim
from secc.station import Objection
from v2g.messages import schema_set
from v2g.messages.common_messages import AuthorizationReq, CertificateInstallationReq, MeteringConfirmationReq
from v2g.messages.common_types import responseCodeType as Code
from v2g.session.errors import Refused
from v2g.session.profiles import ACCOUNT_FORM, LOOSE_CERTIFICATES, P256_CERTIFICATES, P256_SIGNATURES, Deviation

SUITES: dict[str, Collection[str]] = {"conformance": xmldsig.ISO20, "interop": xmldsig.INTEROP}


@dataclass(frozen=True, slots=True)
class PkiVerifier:
    """Trust by `anchors`, judged by `rules` and the signature suites of the profile they belong to.

    `providers` are those that can be billed; None takes all. `status` tells what is revoked.
    """

    anchors: Anchors
    rules: Rules = ISO20
    suites: Collection[str] = xmldsig.ISO20
    providers: Collection[str] | None = None
    status: Status | None = None

    def contract(self, request: AuthorizationReq, challenge: bytes, wall: float) -> Claim:
        mode = request.PnC_AReqAuthorizationMode
        assert mode is not None
        found = judge(
            mode,
            request.Header.Signature,
            challenge,
            self.anchors,
            datetime.fromtimestamp(wall, UTC),
            rules=self.rules,
            suites=self.suites,
            status=self.status,
            providers=self.providers,
        )
        chain = octets_of(mode.ContractCertificateChain)
        if isinstance(found, Refusal):
            return Claim("PnC", chain=chain, warning=_warning(found))
        soon = found.code is Code.OK_CertificateExpiresSoon
        weak = key_name(found.proof.leaf.public_key()) not in xmldsig.ISO20
        loose = any(facts(one).lapses for one in found.proof.chain)
        relaxed: tuple[Deviation, ...] = (P256_CERTIFICATES, P256_SIGNATURES) if weak else ()
        relaxed += ((LOOSE_CERTIFICATES,) if loose else ()) + ((ACCOUNT_FORM,) if found.doubt else ())
        return Claim("PnC", emaid=found.emaid, chain=chain, expires_soon=soon, relaxed=relaxed)

    def provisioning(self, request: CertificateInstallationReq, wall: float) -> Objection | None:
        now = datetime.fromtimestamp(wall, UTC)
        found = judge_request(request, self.anchors, now, rules=self.rules, suites=self.suites, status=self.status)
        return _warning(found) if isinstance(found, Refusal) else None

    def metering(self, request: MeteringConfirmationReq, contract: bytes) -> Objection | None:
        signed = request.SignedMeteringData
        try:
            xmldsig.verify(request.Header.Signature, [signed], self._key(contract), schema_set("common"), suites=self.suites)
        except (SignatureError, CertificateError) as error:
            return Objection(Code.FAILED_MeteringSignatureNotValid, error.words, error.requirement)
        return None

    def _key(self, certificate: bytes) -> PublicKey:
        return cast(PublicKey, facts(read(certificate, self.rules.max_octets)).public_key)


def _warning(refusal: Refusal) -> Objection:
    """The WARNING of a refusal, with its reason. Raises Refused where it ends the session."""
    if refusal.fatal:
        raise Refused(refusal.code, refusal.reason, refusal.requirement)
    return Objection(refusal.code, refusal.reason, refusal.requirement)
