"""Verifies what a car of ISO 15118-2 signs, with the station's trust anchors: the session's `Verifier`, made of `pki`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from pki import signature as xmldsig
from pki.authorization import refused_chain
from pki.certificate import facts, read
from pki.chains import octets_of
from pki.errors import CertificateError, Kind, SignatureError
from pki.identifiers import normalised
from pki.keys import PublicKey
from pki.profiles import ISO2, Role
from pki.verify import fault_below_root, verify
from secc.claims import Claim, Signed, Trust
from secc.station import Objection
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import AuthorizationReq, PaymentDetailsReq
from v2g.reasons import Reason
from v2g.session.errors import Refused

PROVIDER = 5  # characters of an eMAID that name its provider: country and provider id


@dataclass(frozen=True, slots=True)
class PkiVerifier:
    """A `Verifier` of what is signed in messages of ISO 15118-2, for a station with this trust."""

    trust: Trust

    def contract(self, request: PaymentDetailsReq, challenge: bytes, wall: float) -> Claim:
        """The claim of a car that shows its contract; it signs nothing yet, so `challenge` is not looked at."""
        trust, chain = self.trust, octets_of(request.ContractSignatureCertChain)
        try:
            account, soon = self._account(chain, datetime.fromtimestamp(wall, UTC))
        except CertificateError as error:
            found = refused_chain(error)
            return Claim("PnC", chain=chain, warning=Objection(found.kind, found.reason, found.requirement))
        emaid = normalised(account)
        if normalised(request.eMAID) != emaid:
            why = f"eMAID {request.eMAID} is not that of the contract, {emaid}"
            return Claim("PnC", chain=chain, warning=Objection(Reason.WRONG_CERTIFICATE, why, None))
        if trust.providers is not None and emaid[:PROVIDER] not in {normalised(each) for each in trust.providers}:
            why = f"provider {emaid[:PROVIDER]} is none that is known here"
            return Claim("PnC", chain=chain, warning=Objection(Reason.UNKNOWN_PROVIDER, why, None))
        return Claim("PnC", emaid=emaid, chain=chain, expires_soon=soon)

    def _account(self, chain: tuple[bytes, ...], now: datetime) -> tuple[str, bool]:
        """The name in a contract that is sound, and whether it expires soon; of a root that is not here where a backend judges it.

        Raises CertificateError.
        """
        trust = self.trust
        try:
            proof = verify(chain, Role.CONTRACT, trust.anchors, now, rules=ISO2, status=trust.status)
        except CertificateError as error:
            if not trust.central or error.kind is not Kind.UNTRUSTED_ROOT:
                raise
            if (fault := fault_below_root(chain, Role.CONTRACT, now, rules=ISO2)) is not None:
                raise fault from None
            return facts(read(chain[0], ISO2.max_octets)).common_name, False
        return proof.common_name, proof.expires_soon

    def provisioning(self, request: Type, wall: float) -> Objection | None:
        """Nothing: a request for a contract is judged by the provisioning service, which has the manufacturer's sub-CAs."""
        return None

    def metering(self, request: Signed, contract: bytes) -> None:
        """Raise Refused if the signature in the envelope was not made with the key of this contract certificate (DER)."""
        challenged = isinstance(request.message, AuthorizationReq)
        try:
            key = cast(PublicKey, facts(read(contract, ISO2.max_octets)).public_key)
            xmldsig.verify(request.signature, [request.message], key, schema_set("iso2"), suites=xmldsig.ISO2)
        except (SignatureError, CertificateError) as error:
            raise Refused(Reason.SIGNATURE if challenged else Reason.METER_SIGNATURE, error.words, error.requirement) from error


def contract_chain(request: Type) -> tuple[bytes, ...]:
    """The contract certificates (DER, leaf first) that a PaymentDetailsReq shows; empty for what shows none."""
    return octets_of(request.ContractSignatureCertChain) if isinstance(request, PaymentDetailsReq) else ()
