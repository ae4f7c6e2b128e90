"""What a station makes of a Plug & Charge authorization: a pure verdict, before any backend is asked.

    verdict = judge(mode, header.Signature, challenge, anchors, now)
    if isinstance(verdict, Accepted): verdict.emaid, verdict.proof, verdict.code      # OK or OK_CertificateExpiresSoon
    else: verdict.code, verdict.reason, verdict.requirement                           # WARNING_* or FAILED_*, for AuthorizationRes

Order matters: who signed is looked at before what is said. A bad signature is fatal in -20, everything else leaves the car another try
[V2G20-2230]. The relay of a genuine request through a second station is beyond what -20 lets a station see: nothing in what is signed names
the station.
"""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pki import signature as xmldsig
from pki.certificate import facts, read
from pki.chains import octets_of
from pki.errors import CertificateError, Kind, SignatureError
from pki.identifiers import doubt, normalised
from pki.keys import PublicKey
from pki.profiles import ISO20, Role, Rules
from pki.verify import Anchors, Status, VerifiedChain, verify
from v2g.messages import schema_set
from v2g.messages.common_messages import PnC_AReqAuthorizationModeType
from v2g.messages.common_types import responseCodeType as Code
from v2g.messages.xmldsig import SignatureType

CODES: dict[Kind, Code] = {
    Kind.EXPIRED: Code.WARNING_CertificateExpired,
    Kind.NOT_YET_VALID: Code.WARNING_CertificateNotYetValid,
    Kind.REVOKED: Code.WARNING_CertificateRevoked,
}
"""The response code of each way a chain fails; what is not listed is WARNING_CertificateValidationError."""

SIGNATURE_REQUIREMENT = "V2G20-2565"
PROVIDER = 5  # characters of an eMAID that name its provider: country and provider id


@dataclass(frozen=True, slots=True)
class Accepted:
    """The contract is authentic and valid here and now; whether it may charge is the provider's word."""

    emaid: str  # normalised
    proof: VerifiedChain
    grammar: str  # of SignedInfo
    code: Code  # OK, or OK_CertificateExpiresSoon
    doubt: str = ""  # why the eMAID is none by its form; its provider may know it all the same


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to answer instead, and why."""

    code: Code
    reason: str
    requirement: str | None = None

    @property
    def fatal(self) -> bool:
        """Whether the session ends with it."""
        return self.code.value.startswith("FAILED")


def judge(
    mode: PnC_AReqAuthorizationModeType,
    signature: SignatureType | None,
    challenge: bytes,
    anchors: Anchors,
    now: datetime,
    *,
    rules: Rules = ISO20,
    suites: Collection[str] = xmldsig.ISO20,
    status: Status | None = None,
    providers: Collection[str] | None = None,
) -> Accepted | Refusal:
    """The verdict on a PnC AuthorizationReq.

    `challenge` is the one issued in this session. `providers`, if given, are the provider ids (country and provider, five characters) that
    can be billed; an eMAID of another is WARNING_eMSPUnknown. `rules` and `suites` are those of the profile the station runs.
    """
    try:
        leaf = facts(read(mode.ContractCertificateChain.Certificate, rules.max_octets))
        verified = xmldsig.verify(signature, [mode], cast(PublicKey, leaf.public_key), schema_set("common"), suites=suites)
        if not hmac.compare_digest(mode.GenChallenge, challenge):
            return Refusal(Code.WARNING_ChallengeInvalid, "GenChallenge is not the one this session issued", SIGNATURE_REQUIREMENT)
        proof = verify(octets_of(mode.ContractCertificateChain), Role.CONTRACT, anchors, now, rules=rules, status=status)
    except SignatureError as error:
        return refused_signature(error)
    except CertificateError as error:
        return refused_chain(error)
    return _account(proof, verified.grammar, providers)


def refused_chain(error: CertificateError) -> Refusal:
    """A chain that does not hold lets the car try another contract."""
    return Refusal(CODES.get(error.kind, Code.WARNING_CertificateValidationError), error.words, error.requirement)


def refused_signature(error: SignatureError) -> Refusal:
    """A missing signature may be an oversight of the car, a wrong one is an attack or a broken key: both end the session."""
    return Refusal(Code.FAILED_SignatureError, error.words, error.requirement or SIGNATURE_REQUIREMENT)


def _account(proof: VerifiedChain, grammar: str, providers: Collection[str] | None) -> Accepted | Refusal:
    """Whether the account may charge is its provider's word, even where its check digit does not fit: such accounts are in the field."""
    name = normalised(proof.common_name)
    if providers is not None and name[:PROVIDER] not in {normalised(known) for known in providers}:
        known = ", ".join(sorted(providers)) or "ours"
        return Refusal(Code.WARNING_eMSPUnknown, f"provider {name[:PROVIDER]} of {name} is none of {known}")
    code = Code.OK_CertificateExpiresSoon if proof.expires_soon else Code.OK
    return Accepted(name, proof, grammar, code, doubt(proof.common_name))
