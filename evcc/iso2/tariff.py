"""Whether the SalesTariffs of ChargeParameterDiscoveryRes are genuine, for a car that knows its contract's provider."""

from dataclasses import replace
from datetime import UTC, datetime

from evcc.iso2.known import Car
from evcc.iso2.wallet import contract_of
from pki import signature as xmldsig
from pki.certificate import facts
from pki.profiles import ISO2
from pki.tariff import PriceVerdict, Standing, judge_tariffs, sales_tariffs
from v2g.messages.iso2.msg_body import ChargeParameterDiscoveryRes


def credible(car: Car, response: ChargeParameterDiscoveryRes) -> bool:
    """Whether the prices of a response count: all do, unless the signature of its envelope is wrong. The verdict is noted in the trace.

    The sub-CA that issued the car's contract may sign, and nobody else. A signature that a car without contract, or without the root of
    its provider, cannot verify counts as none.
    """
    if car.envelope is None or car.prices is None or not sales_tariffs(response):
        return True
    contract = contract_of(car) if car.authorization != "EIM" else None
    trust = replace(car.prices, tariffs=(), rules=ISO2, suites=xmldsig.ISO2)
    known = trust.signers(contract.chain if contract is not None else (), datetime.fromtimestamp(car.wall, UTC))
    if known:
        verdict = judge_tariffs(response, car.envelope, known)
    else:
        verdict = PriceVerdict(Standing.UNSIGNED, reason="signed, and the car knows nobody who signs prices")
    signer = {"signer": facts(verdict.signer).common_name} if verdict.signer else {}
    car.note("prices judged", standing=verdict.standing.value, reason=verdict.reason, **signer)
    return verdict.standing is not Standing.WRONG
