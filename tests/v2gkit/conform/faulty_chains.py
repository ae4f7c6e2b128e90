"""Faults of a station that concern certificates which are broken on purpose: what it believes, what it refuses, what it dies of."""

from typing import Any

from cryptography.x509 import UnrecognizedExtension

import secc.trust as trust
from pki.certificate import read
from pki.errors import Kind
from tests.v2gkit.conform.faulty_trust import (
    because,
    believes,
    dies_of_a_claim,
    of,
    of_another_chain,
    takes_contracts,
    takes_requests,
    unwilling,
)
from tests.v2gkit.conform.seeding import Code, Seed, dies_of, dies_of_malformed, judges, put, refuses_a_root, responds
from v2g.messages import common_messages as cm


def odd(leaf: bytes) -> bool:
    """Whether a certificate has an extension that nobody knows."""
    return any(isinstance(each.value, UnrecognizedExtension) for each in read(leaf).extensions)


def grudging(request: Any, response: Any, session: Any) -> Any:
    """A contract is not installed where the certificate that asks for it is odd."""
    done = response.ResponseCode is Code.OK and response.EVSEProcessing.value == "Finished"
    refused = done and odd(request.OEMProvisioningCertificateChain.Certificate)
    return put(response, ResponseCode=Code.WARNING_CertificateValidationError) if refused else response


def unwilling_of_odd(request: Any, response: Any, session: Any) -> Any:
    """A contract does not authorize where its certificate is odd."""
    changed = unwilling(request, response, session)
    refused = changed is not response and odd(request.PnC_AReqAuthorizationMode.ContractCertificateChain.Certificate)
    return changed if refused else response


CHAINS: dict[str, Seed] = {
    "S-CRT-01": judges(trust.VehicleJudge, refuses_a_root),
    "S-CRT-02": believes(of(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN)),
    "S-CRT-03": believes(of(Kind.WRONG_PROFILE, words="CA")),
    "S-CRT-04": judges(trust.VehicleJudge, dies_of_malformed),
    "S-CRT-05": responds(cm.AuthorizationReq, unwilling_of_odd),
    "S-CRT-06": takes_contracts(of_another_chain),
    "S-CRT-07": takes_contracts(because(Kind.WRONG_PROFILE.value)),
    "S-CRT-08": dies_of_a_claim(lambda request: not request.PnC_AReqAuthorizationMode.ContractCertificateChain.Certificate),
    "S-CRT-09": responds(cm.CertificateInstallationReq, grudging),
    "S-CRT-10": takes_requests(lambda refusal: Kind.UNTRUSTED_ROOT.value in refusal.reason or Kind.BROKEN_CHAIN.value in refusal.reason),
    "S-CRT-11": takes_requests(lambda refusal: Kind.WRONG_PROFILE.value in refusal.reason),
    "S-CRT-12": dies_of(cm.CertificateInstallationReq, lambda request: not request.OEMProvisioningCertificateChain.Certificate),
}
