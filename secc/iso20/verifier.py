"""Verifies what a car of ISO 15118-20 signs, with the station's trust anchors: the session's `Verifier`, made of `pki`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from pki import signature as xmldsig
from pki.authorization import Refusal, judge
from pki.certificate import facts, read
from pki.chains import octets_of
from pki.errors import CertificateError, SignatureError
from pki.keys import AnyKey, PublicKey, key_name
from pki.provisioning import judge_request
from secc.claims import Claim, Trust
from secc.station import Objection
from v2g.exi.schema import Type
from v2g.iso20.refusals import warning_of
from v2g.messages import schema_set
from v2g.messages.common_messages import AuthorizationReq, CertificateInstallationReq, MeteringConfirmationReq
from v2g.reasons import Reason
from v2g.session.errors import Refused
from v2g.session.profiles import ACCOUNT_FORM, LOOSE_CERTIFICATES, P256_CERTIFICATES, P256_SIGNATURES, Deviation


@dataclass(frozen=True, slots=True)
class PkiVerifier:
    """A `Verifier` of what is signed in messages of ISO 15118-20, for a station with this trust."""

    trust: Trust

    def contract(self, request: AuthorizationReq, challenge: bytes, wall: float) -> Claim:
        mode = request.PnC_AReqAuthorizationMode
        assert mode is not None
        trust = self.trust
        found = judge(
            mode,
            request.Header.Signature,
            challenge,
            trust.anchors,
            datetime.fromtimestamp(wall, UTC),
            rules=trust.rules,
            suites=trust.suites,
            status=trust.status,
            providers=trust.providers,
            central=trust.central,
        )
        chain = octets_of(mode.ContractCertificateChain)
        if isinstance(found, Refusal):
            return Claim("PnC", chain=chain, warning=_warning(found))
        read_chain = found.proof.chain if found.proof is not None else tuple(read(one, trust.rules.max_octets) for one in chain)
        weak = key_name(cast(AnyKey, read_chain[0].public_key())) not in xmldsig.ISO20
        loose = any(facts(one).lapses for one in read_chain)
        soon = found.proof is not None and found.proof.expires_soon
        relaxed: tuple[Deviation, ...] = (P256_CERTIFICATES, P256_SIGNATURES) if weak else ()
        relaxed += ((LOOSE_CERTIFICATES,) if loose else ()) + ((ACCOUNT_FORM,) if found.doubt else ())
        return Claim("PnC", emaid=found.emaid, chain=chain, expires_soon=soon, relaxed=relaxed)

    def provisioning(self, request: CertificateInstallationReq, wall: float) -> Objection | None:
        now, trust = datetime.fromtimestamp(wall, UTC), self.trust
        found = judge_request(request, trust.anchors, now, rules=trust.rules, suites=trust.suites, status=trust.status)
        return _warning(found) if isinstance(found, Refusal) else None

    def metering(self, request: MeteringConfirmationReq, contract: bytes) -> None:
        signed = request.SignedMeteringData
        try:
            xmldsig.verify(request.Header.Signature, [signed], self._key(contract), schema_set("common"), suites=self.trust.suites)
        except (SignatureError, CertificateError) as error:
            raise Refused(Reason.METER_SIGNATURE, error.words, error.requirement) from error

    def _key(self, certificate: bytes) -> PublicKey:
        return cast(PublicKey, facts(read(certificate, self.trust.rules.max_octets)).public_key)


def contract_chain(request: Type) -> tuple[bytes, ...]:
    """The contract certificates (DER, leaf first) that an AuthorizationReq shows; empty for what shows none."""
    mode = request.PnC_AReqAuthorizationMode if isinstance(request, AuthorizationReq) else None
    return () if mode is None else octets_of(mode.ContractCertificateChain)


def _warning(refusal: Refusal) -> Objection:
    """The objection of a refusal after which the car may try again. Raises Refused for one that ends the session."""
    if warning_of(refusal.kind) is None:
        raise Refused(refusal.kind, refusal.reason, refusal.requirement)
    return Objection(refusal.kind, refusal.reason, refusal.requirement)
