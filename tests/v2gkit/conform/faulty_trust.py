"""Faults of a station that concern whom it believes: TLS, contracts, requests for contracts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pki.provisioning as provisioning
import secc.iso20.verifier as verifier
import secc.trust as trust
from pki.authorization import Accepted, Refusal
from pki.certificate import facts, read
from pki.errors import CertificateError, Kind
from secc.claims import Claim
from secc.iso20.verifier import PkiVerifier
from tests.v2gkit.conform import faulty_link as link
from tests.v2gkit.conform.seeding import Code, Seed, all_of, dies, dies_where, put, responds, says, wrong_code
from v2g.messages import common_messages as cm
from v2g.reasons import Reason
from v2g.session.tls import PROFILES

Res = cm.CertificateInstallationRes


def offers(**lists: Any) -> Seed:
    """The profile of TLS has other lists."""

    def seed() -> None:
        PROFILES["conformance"] = replace(PROFILES["conformance"], **lists)

    return seed


def believes(fits: Callable[[CertificateError], bool], of_whom: Callable[[str], bool] = lambda name: True) -> Seed:
    """Chains in the place of a vehicle's that fail for a reason that fits are believed, where the name of the leaf fits too."""

    def seed() -> None:
        judge = trust.VehicleJudge.__call__

        def called(self: Any, chain: Any, at: float) -> Any:
            try:
                return judge(self, chain, at)
            except CertificateError as error:
                if not (fits(error) and of_whom(facts(read(chain[0])).common_name)):
                    raise
                return "believed"

        trust.VehicleJudge.__call__ = called  # type: ignore[method-assign]

    return seed


def of(*kinds: Kind, words: str = "", but: str = "\0") -> Callable[[CertificateError], bool]:
    """Fits errors of these kinds in whose words these are, and those others are not."""
    return lambda error: error.kind in kinds and words in error.words and but not in error.words


def a_vehicle(name: str) -> bool:
    """Whether the name of a leaf is that of a vehicle, not of a contract."""
    return name.startswith("WMI")


def takes_contracts(fits: Callable[[Any, Any, Any, bytes], bool]) -> Seed:
    """Contracts that are refused authorize where it fits: fits(refusal, what was signed, its signature, the challenge)."""

    def seed() -> None:
        judge = verifier.judge

        def judged(mode: Any, signature: Any, challenge: bytes, *more: Any, **named: Any) -> Any:
            DRAWN.add(challenge)
            found = judge(mode, signature, challenge, *more, **named)
            if isinstance(found, Refusal) and fits(found, mode, signature, challenge):
                return Accepted("DEV2GC00000001", None, "xmldsig")
            return found

        verifier.judge = judged

    return seed


DRAWN: set[bytes] = set()  # challenges that somebody has answered


def because(words: str, *, references: int | None = None) -> Callable[[Any, Any, Any, bytes], bool]:
    """Fits refusals in whose reason these words are, of signatures with so many references."""

    def fits(refusal: Any, mode: Any, signature: Any, challenge: bytes) -> bool:
        count = len(signature.SignedInfo.Reference) if signature is not None else 0
        return words in refusal.reason and references in (None, count)

    return fits


def of_another_session(refusal: Any, mode: Any, signature: Any, challenge: bytes) -> bool:
    """Fits where the challenge is wrong, but was one of an earlier session."""
    return refusal.kind is Reason.WRONG_CHALLENGE and mode.GenChallenge in DRAWN


def of_no_session(refusal: Any, mode: Any, signature: Any, challenge: bytes) -> bool:
    """Fits where the challenge was never given to anybody."""
    return refusal.kind is Reason.WRONG_CHALLENGE and mode.GenChallenge not in DRAWN


def out_of_its_time(refusal: Any, *_: Any) -> bool:
    """Fits a contract, not an authority, that has ended or not begun."""
    return refusal.kind in (Reason.CERTIFICATE_EXPIRED, Reason.CERTIFICATE_NOT_YET_VALID) and "(certificate 0)" in refusal.reason


def of_another_chain(refusal: Any, *_: Any) -> bool:
    """Fits a contract whose authorities are none, or have ended."""
    late = refusal.kind is Reason.CERTIFICATE_EXPIRED and "(certificate 0)" not in refusal.reason
    return late or any(kind.value in refusal.reason for kind in (Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN))


def takes_any_account() -> None:
    """A contract counts whatever its account is called."""
    contract = PkiVerifier.contract

    def changed(self: Any, request: Any, *more: Any) -> Claim:
        found = contract(self, request, *more)
        return found if found.warning is not None or not found.relaxed else replace(found, emaid="DEV2GC00000001")

    PkiVerifier.contract = changed  # type: ignore[method-assign]


def takes_requests(fits: Callable[[Refusal], bool]) -> Seed:
    """Requests for a contract that are refused for a reason that fits are believed."""

    def seed() -> None:
        judge = provisioning.judge_request

        def judged(request: Any, *more: Any, **named: Any) -> Any:
            found = judge(request, *more, **named)
            if isinstance(found, Refusal) and fits(found):
                return provisioning.Asked(facts(read(request.OEMProvisioningCertificateChain.Certificate)).common_name, None)  # type: ignore[arg-type]
            return found

        provisioning.judge_request = verifier.judge_request = judged

    return seed


def seals_badly() -> None:
    """The key of a contract is changed after it was sealed, and signed so."""
    seal = provisioning.seal

    def changed(*given: Any) -> Any:
        found = seal(*given)
        return replace(found, encrypted=found.encrypted[:-1] + bytes((found.encrypted[-1] ^ 1,)))

    provisioning.seal = changed


def dies_of_a_claim(fits: Callable[[Any], bool]) -> Seed:
    """The program dies of what a contract shows or signs."""

    def seed() -> None:
        judge = PkiVerifier.contract
        changed: Any = lambda self, request, *more: dies() if fits(request) else judge(self, request, *more)  # noqa: E731
        PkiVerifier.contract = changed  # type: ignore[method-assign]

    return seed


def names_no_roots() -> None:
    trust.loadable = lambda certificates: ()  # type: ignore[assignment]


def unwilling(request: Any, response: Any, session: Any) -> Any:
    granted = response.ResponseCode is Code.OK and response.EVSEProcessing.value == "Finished"
    by_contract = request.PnC_AReqAuthorizationMode is not None
    return put(response, ResponseCode=Code.WARNING_CertificateValidationError) if granted and by_contract else response


def refuses_ed448() -> None:
    judge = trust.VehicleJudge.__call__

    def called(self: Any, chain: Any, at: float) -> Any:
        if facts(read(chain[0])).key == "ed448":
            raise CertificateError(Kind.WRONG_PROFILE, "Ed448")
        return judge(self, chain, at)

    trust.VehicleJudge.__call__ = called  # type: ignore[method-assign]


ALONE = "(certificate 0)"  # of which nobody is there who issued it: the leaf came without its sub-CAs
AES, CHACHA = PROFILES["conformance"].suites
GROUPS = PROFILES["conformance"].groups
TRUST: dict[str, Seed] = {
    "S-TLS-01": offers(suites=(CHACHA, AES)),
    "S-TLS-02": offers(suites=(AES,)),
    "S-TLS-03": offers(suites=(AES, CHACHA, "TLS_AES_128_GCM_SHA256")),
    "S-TLS-04": offers(groups=("secp521r1",)),
    "S-TLS-05": offers(groups=(*GROUPS, "x25519")),
    "S-TLS-06": refuses_ed448,
    "S-TLS-07": link.over_tls12,
    "S-TLS-08": offers(mutual=False),
    "S-TLS-10": names_no_roots,
    "S-TLS-11": offers(signature_schemes=PROFILES["conformance"].signature_schemes[::-1]),
    "S-TLS-15": believes(of(Kind.EXPIRED, Kind.NOT_YET_VALID)),
    "S-TLS-16": believes(of(Kind.REVOKED)),
    "S-TLS-17": believes(of(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN, but=ALONE), of_whom=a_vehicle),
    "S-TLS-18": believes(of(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN, words=ALONE)),
    "S-TLS-19": believes(of(Kind.WRONG_PROFILE, words="extended key usage")),
    "S-TLS-20": believes(of(Kind.WRONG_PROFILE, words="key usage", but="extended")),
    "S-TLS-21": believes(of(Kind.WRONG_PROFILE, words="critical")),
    "S-TLS-22": believes(of(*Kind), of_whom=lambda name: not a_vehicle(name)),
    "S-TLS-23": all_of(
        believes(of(Kind.WEAK_ALGORITHM)),
        offers(signature_schemes=(*PROFILES["conformance"].signature_schemes, "ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256")),
    ),
    "S-PNC-01": responds(cm.AuthorizationReq, unwilling),
    "S-PNC-02": takes_contracts(of_no_session),
    "S-PNC-03": takes_contracts(of_another_session),
    "S-PNC-04": takes_contracts(because("not by this key")),
    "S-PNC-05": takes_contracts(because("changed after signing")),
    "S-PNC-06": takes_contracts(because("no Signature")),
    "S-PNC-07": takes_contracts(because("must be signed", references=1)),
    "S-PNC-08": takes_contracts(because("must be signed", references=2)),
    "S-PNC-09": takes_contracts(because("method")),
    "S-PNC-10": dies_of_a_claim(lambda request: len(request.Header.Signature.SignatureValue.value) == 131),
    "S-PNC-11": takes_contracts(out_of_its_time),
    "S-PNC-12": takes_contracts(of_another_chain),
    "S-PNC-13": takes_contracts(because(Kind.WRONG_PROFILE.value)),
    "S-PNC-14": dies_of_a_claim(lambda request: b"garbage" in request.PnC_AReqAuthorizationMode.ContractCertificateChain.Certificate),
    "S-PNC-15": takes_any_account,
    "S-CIN-01": says(Res, lambda response: put(response, Header=put(response.Header, Signature=None))),
    "S-CIN-02": takes_requests(lambda refusal: refusal.kind is Reason.SIGNATURE),
    "S-CIN-03": takes_requests(lambda refusal: refusal.kind in (Reason.CERTIFICATE_EXPIRED, Reason.CERTIFICATE_NOT_YET_VALID)),
    "S-CIN-04": lambda: None,  # its service gives everybody the contracts that it has
    "S-CIN-05": takes_requests(lambda refusal: refusal.kind is Reason.WRONG_CERTIFICATE),
    "S-CIN-06": says(Res, lambda response: put(response, RemainingContractCertificateChains=5)),
    "S-CIN-07": wrong_code(Res, Code.FAILED_UnknownSession),
    "S-CIN-08": dies_where(cm.CertificateInstallationReq, lambda known: not known.outlet.certificate_installation),
    "S-CIN-09": seals_badly,
}
