"""S-CIN: CertificateInstallation at the station, over TLS on a real socket. Beside every fault stands a car without it."""

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evcc.iso20.misbehaving import sent, upto
from evcc.iso20.provisioning import installation_request
from pki.chains import der, octets_of
from pki.issue import build
from pki.keys import belongs
from pki.profiles import Role
from pki.provisioning import ProvisioningService, accept
from pki.signature import sign as sign_elements
from pki.store import Store
from tests.conformance.harness import (
    CLOSED,
    FATAL,
    NOW,
    PLAN,
    WARNED,
    Case,
    Forge,
    Moment,
    Pki,
    changed,
    genuine,
    pki,
    run,
    station,
    without_contract,
)
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    AuthorizationReq,
    CertificateInstallationReq,
    ServiceDetailReq,
    SessionSetupReq,
    SignedCertificateChainType,
    SubCertificatesType,
)
from v2gkit.authorities import cps
from v2gkit.authorities.broken import Bench
from v2gkit.authorities.office import Office

COMMON = schema_set("common")
ASKS = {"kind": CertificateInstallationReq, "install": True}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki(tmp_path_factory.mktemp("cin") / "certs")


def service(own: Pki, known: Callable[[str], bool] = lambda pcid: True) -> Callable[[bytes, datetime], bytes]:
    """The lab's provisioning service with every contract of the store, for the cars that are known."""
    store = own.store
    contracts = lambda pcid: store.contracts if known(pcid) else ()  # noqa: E731
    return ProvisioningService(store.cps, store.anchors, contracts, secrets.token_bytes).answer_exi


def asked(chain: tuple[bytes, ...], key: Any, at: Moment) -> Any:
    """A request by any chain (DER) and key."""
    leaf, *subs = chain
    named = SignedCertificateChainType(
        Id="id1", Certificate=leaf, SubCertificates=SubCertificatesType(Certificate=tuple(subs)) if subs else None
    )
    request = changed(at.request, "OEMProvisioningCertificateChain", named)
    return changed(request, "Header.Signature", sign_elements([named], key, COMMON))


def chain(name: str) -> Forge:
    """A provisioning chain that is wrong on purpose, properly signed by its leaf's key."""
    return lambda at: asked(at.pki.broken(Role.PROVISIONING, name)[:4], at.pki.key(Role.PROVISIONING), at)


def by_key_of(which: Role) -> Forge:
    return lambda at: asked(der(at.pki.made[Role.PROVISIONING].chain), at.pki.key(which), at)


def role(which: Role) -> Forge:
    """Another certificate in the place of the provisioning certificate, signed by its own key."""
    return lambda at: asked(der(at.pki.made[which].chain), at.pki.key(which), at)


def unsigned(at: Moment) -> Any:
    return changed(at.request, "Header.Signature", None)


def changed_after_signing(at: Moment) -> Any:
    return changed(
        at.request, "OEMProvisioningCertificateChain.SubCertificates.Certificate", at.pki.broken(Role.PROVISIONING, "swapped")[1:]
    )


def renamed(pcid: str) -> Forge:
    """A provisioning certificate of the right root for another car."""

    def forge(at: Moment) -> Any:
        bench = Bench(at.pki.made, Role.PROVISIONING, NOW)
        names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, pcid), x509.NameAttribute(x509.NameOID.DOMAIN_COMPONENT, "OEM")]
        one = bench.again(bench.leaf, subject=x509.Name(names))
        return asked(der(one.chain), one.key, at)

    return forge


def foreign(at: Moment) -> Any:
    other = build(PLAN, "secp521r1", NOW)
    return asked(der(other[Role.PROVISIONING].chain), other[Role.PROVISIONING].key, at)


VALIDATION = "WARNING_CertificateValidationError"
CASES = (
    Case("S-CIN-02", "signed by another key", by_key_of(Role.VEHICLE), *FATAL),
    Case("S-CIN-02", "chain changed after signing", changed_after_signing, *FATAL),
    Case("S-CIN-02", "no signature", unsigned, *FATAL),
    Case("S-CIN-03", "expired", chain("expired"), "WARNING_CertificateExpired"),
    Case("S-CIN-03", "not yet valid", chain("not-yet-valid"), "WARNING_CertificateNotYetValid"),
    Case("S-CIN-03", "sub-CA expired", chain("expired-sub2"), "WARNING_CertificateExpired"),
    Case("S-CIN-04", "another domain component", chain("wrong-component"), VALIDATION),
    Case("S-CIN-04", "an unknown car", renamed("WMIV2GKIT000000099"), "WARNING_NoContractMatchingPCIDFound"),
    Case("S-CIN-04", "of another hierarchy", foreign, VALIDATION),
    Case("S-CIN-05", "the vehicle's certificate", role(Role.VEHICLE), VALIDATION),
    Case("S-CIN-05", "the contract's certificate", role(Role.CONTRACT), VALIDATION),
    Case("S-CIN-05", "the station's certificate", role(Role.SECC), VALIDATION),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_faults(own: Pki, case: Case) -> None:
    async def story() -> None:
        async with station(own, provisioning=service(own, lambda pcid: pcid == PLAN.names.pcid)) as at:
            seen = await at.attempt(case.forge, **ASKS)
            assert (seen.code, seen.then) == (case.code, case.then), at.ends.ended
            control = await at.attempt(genuine, **ASKS)
            assert (control.code, control.then) == ("OK", WARNED)

    run(story)


@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_s_cin_01_09_what_is_delivered_is_signed_by_the_service_and_opens_in_the_car(own: Pki, tmp_path: Path, curve: str) -> None:
    mine = own if curve == "secp521r1" else pki(tmp_path / "certs", curve)

    async def story() -> None:
        async with station(mine, provisioning=service(mine)) as at:
            seen = await at.attempt(genuine, **ASKS)
        assert seen.code == "OK"
        assert seen.polls > 0  # Ongoing while the service works
        data = seen.response.SignedInstallationData
        assert octets_of(seen.response.CPSCertificateChain) == der(mine.store.cps.chain)
        assert data.ECDHCurve.value == {"secp521r1": "SECP521", "ed448": "X448"}[curve]
        assert len(data.DHPublicKey) == 133
        assert (data.SECP521_EncryptedPrivateKey is None) == (curve == "ed448")
        installed = accept(seen.response, mine.store.provisioning, mine.store.anchors, NOW)
        assert belongs(installed.key, installed.chain[0].public_key())
        assert (installed.emaid, installed.remaining) == (PLAN.emaids[0], 1)

    run(story)


def test_s_cin_03_a_revoked_provisioning_certificate_is_refused(own: Pki, tmp_path: Path) -> None:
    trust = Store(copytree(own.store.path, tmp_path / "trust"))
    office = Office(trust)
    authority = office.revoke(trust.provisioning.leaf, NOW)
    (trust.path / "crl").mkdir()
    (trust.path / "crl" / "oem.pem").write_bytes(office.crl(authority, NOW).public_bytes(Encoding.PEM))

    async def story() -> None:
        for judge, code in ((trust, "WARNING_CertificateRevoked"), (own.store, "OK")):
            async with station(own, provisioning=service(own), trust=judge) as at:
                seen = await at.attempt(genuine, **ASKS)
                assert (seen.code, seen.then) == (code, WARNED)

    run(story)


def test_s_cin_04_a_service_without_contracts(own: Pki) -> None:
    async def story() -> None:
        for known, code in ((False, "WARNING_NoContractMatchingPCIDFound"), (True, "OK")):
            async with station(own, provisioning=service(own, lambda pcid, known=known: known)) as at:
                assert (await at.attempt(genuine, **ASKS)).code == code

    run(story)


def test_s_cin_04_a_service_that_is_not_there(own: Pki) -> None:
    def broken(exi: bytes, now: datetime) -> bytes:
        return cps.relay("http://[::1]:1/installation", exi)

    async def story() -> None:
        async with station(own, provisioning=broken) as at:
            seen = await at.attempt(genuine, **ASKS)
            assert (seen.code, seen.then) == ("WARNING_NoCertificateAvailable", WARNED)
            assert (await at.visit()).ended.well  # a contract that is there charges all the same

    run(story)


@pytest.mark.parametrize("octets", [b"", b"garbage", encode(least(SessionSetupReq), COMMON)])
def test_s_cin_a_service_that_answers_nonsense_ends_the_session_and_not_the_station(own: Pki, octets: bytes) -> None:
    async def story() -> None:
        async with station(own, provisioning=lambda exi, now: octets) as at:
            seen = await at.attempt(genuine, **ASKS)
            assert (seen.code, seen.then) == ("FAILED", CLOSED)
            assert (await at.visit()).ended.well

    run(story)


def test_s_cin_06_no_more_than_the_car_asked_for(own: Pki) -> None:
    async def story() -> None:
        async with station(own, provisioning=service(own)) as at:
            for most, remaining in ((1, 0), (2, 1), (9, 1)):
                seen = await at.attempt(genuine, contracts=most, **ASKS)
                assert seen.response.RemainingContractCertificateChains == remaining
            chosen = await at.attempt(genuine, contracts=1, emaids=(PLAN.emaids[1],), **ASKS)
            installed = accept(chosen.response, own.store.provisioning, own.store.anchors, NOW)
            assert (installed.emaid, installed.remaining) == (PLAN.emaids[1], 0)

    run(story)


def test_s_cin_07_a_foreign_session_and_a_request_out_of_its_turn(own: Pki) -> None:
    def stranger(moment: Moment) -> Any:
        return changed(moment.car.stamped(moment.request), "Header.SessionID", b"\xff" * 8)

    def late(car: Any) -> Any:
        yield from upto(car, ServiceDetailReq)
        assert car.provisioning is not None
        return (yield from sent(car.stamped(installation_request(car.provisioning, 1))))

    async def story() -> None:
        async with station(own, provisioning=service(own)) as at:
            foreign_id = await at.attempt(
                lambda moment: changed(moment.car.stamped(moment.request), "Header.SessionID", b"\xff" * 8), **ASKS
            )
            assert (foreign_id.code, foreign_id.then) == ("FAILED_UnknownSession", CLOSED)
            result = await at.visit(late)
            assert result.ended.how == "FAILED_SequenceError", result.ended
            assert (await at.attempt(genuine, **ASKS)).code == "OK"

    run(story)


def test_s_cin_08_where_it_is_not_offered_it_is_out_of_sequence(own: Pki, tmp_path: Path) -> None:
    def bold(car: Any) -> Any:
        yield from upto(car, AuthorizationReq)
        return (yield from sent(car.stamped(installation_request(car.provisioning, 1))))

    async def story() -> None:
        async with station(own) as at:
            result = await at.visit(bold)
            assert result.ended.how == "FAILED_SequenceError", result.ended
            eim = await at.visit(store=without_contract(own.store, tmp_path / "car"), authorizations=("PnC", "EIM"))
            assert eim.as_dict()["auth"] == "eim"  # a car that asks only where it may
            assert eim.as_dict()["installed"] == []
        async with station(own, provisioning=service(own)) as at:
            assert (await at.attempt(genuine, **ASKS)).code == "OK"

    run(story)


def test_every_case_is_here() -> None:
    names = " ".join(name for name in globals() if name.startswith("test_s_cin"))
    assert {f"S-CIN-{number:02d}" for number in range(1, 10)} == {case.id for case in CASES} | {
        f"S-CIN-{number:02d}" for number in range(1, 10) if f"_{number:02d}" in names
    }
