"""Faults of a station that concern certificates which are broken on purpose: what it believes, what it refuses, what it dies of."""

from typing import Any

import secc.trust as trust
from pki.errors import Kind
from tests.v2gkit.conform.faulty_trust import (
    Res,
    because,
    believes,
    dies_of_a_claim,
    of,
    of_another_chain,
    takes_contracts,
    takes_requests,
    unwilling,
)
from tests.v2gkit.conform.seeding import Code, Seed, dies_of, dies_of_malformed, judges, put, refuses_a_root, responds, says
from v2g.messages import common_messages as cm


def grudging(response: Any) -> Any:
    """A contract is refused where it would be installed."""
    done = response.ResponseCode is Code.OK and response.EVSEProcessing.value == "Finished"
    return put(response, ResponseCode=Code.WARNING_CertificateValidationError) if done else response


CHAINS: dict[str, Seed] = {
    "S-CRT-01": judges(trust.VehicleJudge, refuses_a_root),
    "S-CRT-02": believes(of(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN)),
    "S-CRT-03": believes(of(Kind.WRONG_PROFILE)),
    "S-CRT-04": judges(trust.VehicleJudge, dies_of_malformed),
    "S-CRT-05": responds(cm.AuthorizationReq, unwilling),
    "S-CRT-06": takes_contracts(of_another_chain),
    "S-CRT-07": takes_contracts(because(Kind.WRONG_PROFILE.value)),
    "S-CRT-08": dies_of_a_claim(lambda request: not request.PnC_AReqAuthorizationMode.ContractCertificateChain.Certificate),
    "S-CRT-09": says(Res, grudging),
    "S-CRT-10": takes_requests(lambda refusal: Kind.UNTRUSTED_ROOT.value in refusal.reason or Kind.BROKEN_CHAIN.value in refusal.reason),
    "S-CRT-11": takes_requests(lambda refusal: Kind.WRONG_PROFILE.value in refusal.reason),
    "S-CRT-12": dies_of(cm.CertificateInstallationReq, lambda request: not request.OEMProvisioningCertificateChain.Certificate),
}
