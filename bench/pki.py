"""Chains, signatures and a whole PnC verdict per second and core, beside the bare signature operations they contain."""

import gc
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pki import keys, verify
from pki import signature as xmldsig
from pki.authorization import Accepted, judge
from pki.certificate import facts
from pki.chains import contract_chain, der
from pki.envelope import seal, unseal
from pki.identifiers import check_digit
from pki.issue import build
from pki.plan import Plan
from pki.profiles import ISO2, ISO20, Role
from pki.verify import Anchors
from v2g.messages import schema_set
from v2g.messages.common_messages import PnC_AReqAuthorizationModeType

NOW = datetime.now(UTC)
SECONDS = 0.6  # of CPU per figure
FRESH = 40  # chains, so that no certificate is seen twice in a row


def run() -> None:
    """Print operations per second of CPU. "fresh" forgets everything before each chain, "fleet" keeps what a station keeps: its sub-CAs."""
    print(f"{'per second and core':22} {'raw verify':>10} {'x3':>6} {'fresh chain':>11} {'of raw':>6} {'fleet chain':>11} {'of raw':>6}")
    for curve, rules in (("secp521r1", ISO20), ("ed448", ISO20), ("secp256r1", ISO2)):
        _chains(curve, rules)
    print(f"\n{'per second and core':22} {'raw sign':>10} {'sign':>6} {'raw verify':>11} {'verify':>6} {'PnC verdict':>11} {'envelope':>8}")
    for curve in ("secp521r1", "ed448"):
        _signatures(curve)


def _rate(work: Callable[[], object]) -> float:
    """Calls per second of this process's CPU time."""
    work()
    gc.collect()
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < SECONDS:
        work()
        count += 1
    return count / spent


def _forget() -> None:
    facts.cache_clear()
    verify._signed_by.cache_clear()


def _chains(curve: str, rules: Any) -> None:
    fleet = build(Plan(curves=(curve,), emaids=tuple(_emaids(FRESH)), responders=False), curve, NOW)
    anchors = Anchors(mo=(fleet[Role.MO_ROOT].certificate,))
    chains = [der(one.chain) for one in fleet.all(Role.CONTRACT)]
    turn = iter(lambda: secrets.choice(chains), None)
    leaf, issuer = fleet[Role.CONTRACT].certificate, fleet[Role.MO_SUB2].certificate

    def fresh() -> None:
        _forget()
        verify.verify(next(turn), Role.CONTRACT, anchors, NOW, rules=rules)

    def known() -> None:
        facts.cache_clear()
        verify.verify(next(turn), Role.CONTRACT, anchors, NOW, rules=rules)

    raw = _rate(lambda: leaf.verify_directly_issued_by(issuer))
    first, later = _rate(fresh), _rate(known)
    print(f"{curve:22} {raw:10.0f} {raw / 3:6.0f} {first:11.0f} {3 * first / raw:6.0%} {later:11.0f} {later / raw:6.0%}")


def _signatures(curve: str) -> None:
    built = build(Plan(curves=(curve,), responders=False), curve, NOW)
    contract, car = built[Role.CONTRACT], built[Role.PROVISIONING]
    public: Any = contract.key.public_key()
    common, challenge, octets = schema_set("common"), bytes(16), bytes(241)
    mode = PnC_AReqAuthorizationModeType(Id="id1", GenChallenge=challenge, ContractCertificateChain=contract_chain(contract.chain))
    signature, raw = xmldsig.sign([mode], contract.key, common), keys.sign(contract.key, octets)
    anchors = Anchors(mo=(built[Role.MO_ROOT].certificate,))
    sealed = seal(contract.key, contract.certificate, car.certificate, secrets.token_bytes)

    def verdict() -> None:
        _forget()
        assert isinstance(judge(mode, signature, challenge, anchors, NOW), Accepted)

    figures = (
        _rate(lambda: keys.sign(contract.key, octets)),
        _rate(lambda: xmldsig.sign([mode], contract.key, common)),
        _rate(lambda: keys.verify(public, raw, octets)),
        _rate(lambda: xmldsig.verify(signature, [mode], public, common)),
        _rate(verdict),
        _rate(lambda: unseal(sealed, car.key, contract.certificate, car.certificate)),
    )
    print(f"{curve:22} {figures[0]:10.0f} {figures[1]:6.0f} {figures[2]:11.0f} {figures[3]:6.0f} {figures[4]:11.0f} {figures[5]:8.0f}")


def _emaids(count: int) -> list[str]:

    bodies = [f"DEV2GC{number:08d}" for number in range(count)]
    return [body + check_digit(body) for body in bodies]
