"""Judges a Plug & Charge AuthorizationReq: signature, challenge, contract chain, account; before any backend is asked. Pure.

    verdict = judge(mode, header.Signature, challenge, anchors, now)
    if isinstance(verdict, Accepted): verdict.emaid, verdict.proof                    # and whether it expires soon
    else: verdict.kind, verdict.reason, verdict.requirement                           # a generation's table has the code of a kind

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
from pki.verify import Anchors, Status, VerifiedChain, fault_below_root, verify
from v2g.messages import schema_set
from v2g.messages.common_messages import PnC_AReqAuthorizationModeType
from v2g.messages.xmldsig import SignatureType
from v2g.reasons import Reason

REASONS: dict[Kind, Reason] = {
    Kind.EXPIRED: Reason.CERTIFICATE_EXPIRED,
    Kind.NOT_YET_VALID: Reason.CERTIFICATE_NOT_YET_VALID,
    Kind.REVOKED: Reason.CERTIFICATE_REVOKED,
}
"""The reason to refuse for each way in which a chain can fail; any other is WRONG_CERTIFICATE."""

SIGNATURE_REQUIREMENT = "V2G20-2565"
PROVIDER = 5  # characters of an eMAID that name its provider: country and provider id


@dataclass(frozen=True, slots=True)
class Accepted:
    """The verdict that the contract is authentic and valid now; whether it may charge is for its provider to say."""

    emaid: str  # normalised
    proof: VerifiedChain | None  # None: its root is not here, and whoever has that is still to judge it
    grammar: str  # of SignedInfo
    doubt: str = ""  # why the eMAID is none by its form; its provider may know it all the same


@dataclass(frozen=True, slots=True)
class Refusal:
    """The verdict that refuses: `kind` decides the response code, `reason` says why in words."""

    kind: Reason
    reason: str
    requirement: str | None = None


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
    central: bool = False,
) -> Accepted | Refusal:
    """The verdict on a Plug & Charge AuthorizationReq, `Accepted` or `Refusal`.

    `challenge` is the one issued in this session. `providers`, if given, are the provider ids (country and provider, five characters) that
    can be billed; an eMAID of another is UNKNOWN_PROVIDER. `rules` and `suites` are those of the profile the station runs. With `central`
    a contract whose root alone is not here is accepted without `proof`, for a backend to judge (C07.FR.06 of OCPP).
    """
    try:
        leaf = facts(read(mode.ContractCertificateChain.Certificate, rules.max_octets))
        verified = xmldsig.verify(signature, [mode], cast(PublicKey, leaf.public_key), schema_set("common"), suites=suites)
        if not hmac.compare_digest(mode.GenChallenge, challenge):
            return Refusal(Reason.WRONG_CHALLENGE, "GenChallenge is not the one this session issued", SIGNATURE_REQUIREMENT)
    except SignatureError as error:
        return refused_signature(error)
    except CertificateError as error:
        return refused_chain(error)
    chain = octets_of(mode.ContractCertificateChain)
    try:
        proof = verify(chain, Role.CONTRACT, anchors, now, rules=rules, status=status)
    except CertificateError as error:
        if not central or error.kind is not Kind.UNTRUSTED_ROOT:
            return refused_chain(error)
        if (fault := fault_below_root(chain, Role.CONTRACT, now, rules=rules)) is not None:
            return refused_chain(fault)
        proof = None
    return _account(leaf.common_name, proof, verified.grammar, providers)


def refused_chain(error: CertificateError) -> Refusal:
    """The refusal for a chain that fails verification: the car may try another contract."""
    return Refusal(REASONS.get(error.kind, Reason.WRONG_CERTIFICATE), error.words, error.requirement)


def refused_signature(error: SignatureError) -> Refusal:
    """The refusal for a missing or wrong signature, which ends the session."""
    return Refusal(Reason.SIGNATURE, error.words, error.requirement or SIGNATURE_REQUIREMENT)


def _account(account: str, proof: VerifiedChain | None, grammar: str, providers: Collection[str] | None) -> Accepted | Refusal:
    """Whether the account may charge is its provider's word, even where its check digit does not fit: such accounts are in the field."""
    name = normalised(account)
    if providers is not None and name[:PROVIDER] not in {normalised(known) for known in providers}:
        known = ", ".join(sorted(providers)) or "ours"
        return Refusal(Reason.UNKNOWN_PROVIDER, f"provider {name[:PROVIDER]} of {name} is none of {known}")
    return Accepted(name, proof, grammar, doubt(account))
