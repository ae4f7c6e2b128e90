"""Faults of a station that concern whom it believes: TLS, contracts, requests for contracts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pki.provisioning as provisioning
import secc.trust as trust
from pki.certificate import facts, read
from pki.errors import CertificateError, Kind
from secc.claims import Claim
from secc.iso20.verifier import PkiVerifier, contract_chain
from tests.v2gkit.conform import faulty_link as link
from tests.v2gkit.conform.seeding import Code, Seed, all_of, dies, put, says, wrong_code
from v2g.messages import common_messages as cm
from v2g.session.errors import PeerMisbehaved
from v2g.session.tls import PROFILES

Res = cm.CertificateInstallationRes


def offers(**lists: Any) -> Seed:
    """The profile of TLS has other lists."""

    def seed() -> None:
        PROFILES["conformance"] = replace(PROFILES["conformance"], **lists)

    return seed


def believes(*kinds: Kind) -> Seed:
    """Chains of vehicles that fail for these reasons are believed."""

    def seed() -> None:
        judge = trust.VehicleJudge.__call__

        def called(self: Any, chain: Any, at: float) -> Any:
            try:
                return judge(self, chain, at)
            except CertificateError as error:
                if error.kind not in kinds:
                    raise
                return "believed"

        trust.VehicleJudge.__call__ = called  # type: ignore[method-assign]

    return seed


def takes_any_contract() -> None:
    """Whatever a contract signs authorizes, whatever is wrong with it."""
    judge = PkiVerifier.contract

    def changed(self: Any, request: Any, challenge: bytes, wall: float) -> Claim:
        try:
            found = judge(self, request, challenge, wall)
        except PeerMisbehaved:
            found = None
        if found is not None and found.warning is None:
            return found
        return Claim("PnC", emaid="DEV2GC00000001", chain=contract_chain(request))

    PkiVerifier.contract = changed  # type: ignore[method-assign]


def takes_any_account() -> None:
    """A contract counts whatever its account is called."""
    PkiVerifier.contract = lambda self, request, *more: Claim(  # type: ignore[method-assign]
        "PnC", emaid="DEV2GC00000001", chain=contract_chain(request)
    )


def takes_any_request() -> None:
    """Whoever asks for a contract is believed."""

    def asked(request: Any, *_: Any, **__: Any) -> Any:
        return provisioning.Asked(facts(read(request.OEMProvisioningCertificateChain.Certificate)).common_name, None)  # type: ignore[arg-type]

    PkiVerifier.provisioning = lambda self, request, wall: None  # type: ignore[method-assign]
    provisioning.judge_request = asked


def dies_of_a_claim(fits: Callable[[Any], bool]) -> Seed:
    """The program dies of what a contract shows or signs."""

    def seed() -> None:
        judge = PkiVerifier.contract
        changed: Any = lambda self, request, *more: dies() if fits(request) else judge(self, request, *more)  # noqa: E731
        PkiVerifier.contract = changed  # type: ignore[method-assign]

    return seed


def names_no_roots() -> None:
    trust.loadable = lambda certificates: ()  # type: ignore[assignment]


def unwilling(response: Any) -> Any:
    return put(response, ResponseCode=Code.WARNING_CertificateValidationError) if response.EVSEProcessing.value == "Finished" else response


def refuses_ed448() -> None:
    judge = trust.VehicleJudge.__call__

    def called(self: Any, chain: Any, at: float) -> Any:
        if facts(read(chain[0])).key == "ed448":
            raise CertificateError(Kind.WRONG_PROFILE, "Ed448")
        return judge(self, chain, at)

    trust.VehicleJudge.__call__ = called  # type: ignore[method-assign]


AES, CHACHA = PROFILES["conformance"].suites
GROUPS = PROFILES["conformance"].groups
TRUST: dict[str, Seed] = {
    "S-TLS-01": offers(suites=(CHACHA, AES)),
    "S-TLS-02": offers(suites=(AES,)),
    "S-TLS-03": offers(suites=(AES, CHACHA, "TLS_AES_128_GCM_SHA256")),
    "S-TLS-04": offers(groups=("secp521r1",)),
    "S-TLS-05": offers(groups=(*GROUPS, "x25519")),
    "S-TLS-06": refuses_ed448,
    "S-TLS-07": link.anywhere,
    "S-TLS-08": offers(mutual=False),
    "S-TLS-23": all_of(
        believes(*Kind),
        offers(signature_schemes=(*PROFILES["conformance"].signature_schemes, "ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256")),
    ),
    "S-TLS-10": names_no_roots,
    "S-TLS-11": offers(signature_schemes=PROFILES["conformance"].signature_schemes[::-1]),
    "S-TLS-15": believes(Kind.EXPIRED),
    "S-TLS-17": believes(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN),
    "S-TLS-18": believes(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN),
    "S-TLS-19": believes(Kind.WRONG_PROFILE),
    "S-TLS-20": believes(Kind.WRONG_PROFILE),
    "S-TLS-21": believes(Kind.WRONG_PROFILE),
    "S-TLS-22": believes(*Kind),
    "S-PNC-01": says(cm.AuthorizationRes, unwilling),
    **dict.fromkeys((f"S-PNC-{number:02}" for number in (2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13)), takes_any_contract),
    "S-PNC-10": dies_of_a_claim(lambda request: len(request.Header.Signature.SignatureValue.value) == 131),
    "S-PNC-15": takes_any_account,
    "S-PNC-14": dies_of_a_claim(lambda request: b"garbage" in request.PnC_AReqAuthorizationMode.ContractCertificateChain.Certificate),
    "S-CIN-01": says(Res, lambda response: put(response, Header=put(response.Header, Signature=None))),
    "S-CIN-02": takes_any_request,
    "S-CIN-03": takes_any_request,
    "S-CIN-05": takes_any_request,
    "S-CIN-09": says(Res, lambda response: put(response, Header=put(response.Header, Signature=None))),
    "S-CIN-06": says(Res, lambda response: put(response, RemainingContractCertificateChains=5)),
    "S-CIN-07": wrong_code(Res, Code.FAILED_UnknownSession),
}
