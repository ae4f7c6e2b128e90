"""CertificateInstallation of -20, both ends: how a car asks for its contracts, how a provisioning service answers, how the car takes them.

    chain, signature = ask(provisioning)                                   # car: into CertificateInstallationReq and its header
    asked = judge_request(request, anchors, now)                           # service: Asked(pcid, proof) or Refusal
    response = deliver(request, contract, cps, remaining, now=..., ...)    # service: CertificateInstallationRes, signed
    installed = accept(response, provisioning, anchors, now)               # car: Installed(chain, key, emaid, remaining), or an error

The car verifies in this order: the service's chain ends at a V2G root, the service signed these octets, the contract key can be decrypted
with the car's own key, and it belongs to the contract certificate. An error names the first failure; then nothing is installed.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, cast

from cryptography import x509

from pki import signature as xmldsig
from pki.authorization import Refusal, refused_chain, refused_signature
from pki.certificate import facts, read
from pki.chains import contract_chain, octets_of, plain_chain, signed_chain
from pki.envelope import Entropy, Sealed, seal, unseal
from pki.errors import CertificateError, EnvelopeError, SignatureError
from pki.identifiers import same_account
from pki.keys import PrivateKey
from pki.profiles import ISO20, Role, Rules
from pki.verify import Anchors, Status, VerifiedChain, verify
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.iso20.refusals import code_of, warning_of
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    CertificateInstallationReq,
    CertificateInstallationRes,
    SignedCertificateChainType,
    SignedInstallationDataType,
    ecdhCurveType,
)
from v2g.messages.common_types import MessageHeaderType, processingType
from v2g.messages.common_types import responseCodeType as Code
from v2g.messages.xmldsig import SignatureType
from v2g.reasons import Reason

FIELDS = {"secp521r1": "SECP521_EncryptedPrivateKey", "ed448": "X448_EncryptedPrivateKey"}  # by the curve of the contract key


class Held(Protocol):
    """A certificate chain with the private key of its leaf, such as a `store.Credential`."""

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates, leaf first, without the root."""

    @property
    def key(self) -> PrivateKey:
        """The private key of the leaf."""


# --- the car asks ---


def ask(provisioning: Held, identifier: str = "id1") -> tuple[SignedCertificateChainType, SignatureType]:
    """The provisioning chain for CertificateInstallationReq, and the signature over it for the header."""
    chain = signed_chain(identifier, provisioning.chain)
    return chain, xmldsig.sign([chain], provisioning.key, schema_set("common"))


# --- the service judges and delivers ---


@dataclass(frozen=True, slots=True)
class Asked:
    """A verified request: `pcid`, the common name of the provisioning certificate, says which car asks."""

    pcid: str
    proof: VerifiedChain


def judge_request(
    request: CertificateInstallationReq,
    anchors: Anchors,
    now: datetime,
    *,
    rules: Rules = ISO20,
    suites: Collection[str] = xmldsig.ISO20,
    status: Status | None = None,
) -> Asked | Refusal:
    """The verdict on a request: `Asked` where a trusted provisioning certificate signed it, else the `Refusal` to answer."""
    chain = request.OEMProvisioningCertificateChain
    try:
        leaf = facts(read(chain.Certificate, rules.max_octets))
        key = cast(Any, leaf.public_key)
        xmldsig.verify(request.Header.Signature, [chain], key, schema_set("common"), suites=suites)
        proof = verify(octets_of(chain), Role.PROVISIONING, anchors, now, rules=rules, status=status)
    except SignatureError as error:
        return refused_signature(error)
    except CertificateError as error:
        return refused_chain(error)
    return Asked(proof.common_name, proof)


def deliver(
    request: CertificateInstallationReq, contract: Held, cps: Held, remaining: int, *, now: datetime, entropy: Entropy
) -> CertificateInstallationRes:
    """The response that carries one contract to the car that asked. Raises EnvelopeError for a car whose key agrees on nothing."""
    provisioning = read(request.OEMProvisioningCertificateChain.Certificate)
    sealed = seal(contract.key, contract.chain[0], provisioning, entropy)
    data = SignedInstallationDataType(
        Id="id1",
        ContractCertificateChain=contract_chain(contract.chain),
        ECDHCurve=ecdhCurveType(sealed.agreement),
        DHPublicKey=sealed.public_key,
        **{FIELDS[sealed.curve()]: sealed.encrypted},
    )
    signature = xmldsig.sign([data], cps.key, schema_set("common"))
    return CertificateInstallationRes(
        Header=_header(request, now, signature),
        ResponseCode=Code.OK,
        EVSEProcessing=processingType.Finished,
        CPSCertificateChain=plain_chain(cps.chain),
        SignedInstallationData=data,
        RemainingContractCertificateChains=remaining,
    )


def refuse(request: CertificateInstallationReq, refusal: Refusal, now: datetime) -> CertificateInstallationRes:
    """The response that refuses: valid by the schema, without anybody's credential in it [V2G20-736]."""
    code = warning_of(refusal.kind) or code_of(refusal.kind)
    return least(CertificateInstallationRes, Header=_header(request, now, None), ResponseCode=code, EVSEProcessing=processingType.Finished)


def _header(request: CertificateInstallationReq, now: datetime, signature: SignatureType | None) -> MessageHeaderType:
    return MessageHeaderType(SessionID=request.Header.SessionID, TimeStamp=int(now.timestamp()), Signature=signature)


@dataclass
class ProvisioningService:
    """A provisioning service that gives a car its contracts, one with each request.

    `contracts` gives the contracts for a PCID, in the provider's order; those of the car's PrioritizedEMAIDs go first. A car gets at most
    MaximumContractCertificateChains in a session; RemainingContractCertificateChains counts how many of those are left.
    """

    cps: Held
    anchors: Anchors
    contracts: Callable[[str], Sequence[Held]]
    entropy: Entropy
    status: Status | None = None
    rules: Rules = ISO20
    suites: Collection[str] = xmldsig.ISO20
    _delivered: dict[tuple[bytes, str], int] = field(default_factory=dict)

    MEMORY = 256  # sessions remembered; a car that comes back after as many others begins again

    def answer_exi(self, octets: bytes, now: datetime) -> bytes:
        """Answer a CertificateInstallationReq (EXI) by a response (EXI), as OCPP's `exiRequest` has it. Raises DecodeError."""
        request = decode(octets, schema_set("common"))
        if not isinstance(request, CertificateInstallationReq):
            raise DecodeError(f"{type(request).__name__} where a CertificateInstallationReq is due")
        return encode(self.answer(request, now), schema_set("common"))

    def answer(self, request: CertificateInstallationReq, now: datetime) -> CertificateInstallationRes:
        """The next contract for the car that asks, or a refusal."""
        asked = judge_request(request, self.anchors, now, rules=self.rules, suites=self.suites, status=self.status)
        if isinstance(asked, Refusal):
            return refuse(request, asked, now)
        try:
            return self._next(request, asked, now)
        except EnvelopeError as error:
            return refuse(request, Refusal(Reason.WRONG_CERTIFICATE, str(error)), now)

    def _next(self, request: CertificateInstallationReq, asked: Asked, now: datetime) -> CertificateInstallationRes:
        held = list(self.contracts(asked.pcid))
        if not held:
            reason = f"no contract is known for {asked.pcid}"
            return refuse(request, Refusal(Reason.NO_CONTRACT, reason), now)
        ready = _prioritized(held, request)[: request.MaximumContractCertificateChains]
        session = (request.Header.SessionID, asked.pcid)
        delivered = self._delivered.pop(session, 0)
        if delivered >= len(ready):
            reason = f"all {len(ready)} contracts were delivered in this session"
            return refuse(request, Refusal(Reason.NO_CERTIFICATE, reason), now)
        if len(self._delivered) >= self.MEMORY:
            del self._delivered[next(iter(self._delivered))]
        self._delivered[session] = delivered + 1
        return deliver(request, ready[delivered], self.cps, len(ready) - delivered - 1, now=now, entropy=self.entropy)


def _prioritized(held: list[Held], request: CertificateInstallationReq) -> list[Held]:
    wanted = list(request.PrioritizedEMAIDs.EMAID) if request.PrioritizedEMAIDs else []
    return sorted(held, key=lambda one: _place(facts(one.chain[0]).common_name, wanted))


def _place(emaid: str, wanted: list[str]) -> int:
    return next((place for place, one in enumerate(wanted) if same_account(one, emaid)), len(wanted))


# --- the car takes ---


@dataclass(frozen=True, slots=True)
class Installed:
    """A verified contract that a car may use from now on."""

    emaid: str
    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = field(repr=False)
    remaining: int  # more to ask for
    service: VerifiedChain
    contract: VerifiedChain | None  # None: the car holds no root of this provider


def accept(
    response: CertificateInstallationRes,
    provisioning: Held,
    anchors: Anchors,
    now: datetime,
    *,
    rules: Rules = ISO20,
    suites: Collection[str] = xmldsig.ISO20,
    status: Status | None = None,
) -> Installed:
    """The contract in a response, verified. Raises CertificateError, SignatureError or EnvelopeError; then nothing may be installed.

    The contract's own chain is verified where the car holds an MO root (or the contract hangs under a V2G root it holds).
    """
    service = verify(octets_of(response.CPSCertificateChain), Role.CPS, anchors, now, rules=rules, status=status)
    data = response.SignedInstallationData
    key = cast(Any, service.leaf.public_key())
    xmldsig.verify(response.Header.Signature, [data], key, schema_set("common"), suites=suites)
    chain = tuple(read(one, rules.max_octets) for one in octets_of(data.ContractCertificateChain))
    contract = verify(chain, Role.CONTRACT, anchors, now, rules=rules, status=status) if anchors.mo else None
    return Installed(
        facts(chain[0]).common_name, chain, opened(data, provisioning), response.RemainingContractCertificateChains, service, contract
    )


def opened(data: SignedInstallationDataType, provisioning: Held) -> PrivateKey:
    """The key of a contract, as it was sealed for this car. Raises EnvelopeError, CertificateError where the contract cannot be read."""
    contract = read(data.ContractCertificateChain.Certificate)
    return unseal(_sealed(data), provisioning.key, contract, provisioning.chain[0])


def _sealed(data: SignedInstallationDataType) -> Sealed:
    encrypted = data.SECP521_EncryptedPrivateKey or data.X448_EncryptedPrivateKey
    if encrypted is None:
        raise EnvelopeError("the key is encrypted for a TPM, which this car has not")
    return Sealed(data.ECDHCurve.value, data.DHPublicKey, encrypted)
