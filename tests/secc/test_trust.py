"""What a directory of certificates makes of a station: whom it lets in, whom it believes, what it staples."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import CertificateError, Kind, StoreError
from pki.issue import Hierarchy, build
from pki.plan import Plan
from pki.profiles import Role
from pki.status import Responder, Revocation, revocation_list
from pki.store import Store, create
from pki.tariff import Standing, judge_prices
from secc.trust import RULES, VehicleJudge, price_signing, provisioning_service, station_status, station_tls
from tests.secc.scripted import Scripted, secure
from v2g.exi.derive import least
from v2g.messages.common_messages import AbsolutePriceScheduleType, Dynamic_SEResControlModeType, ScheduleExchangeRes
from v2g.session.endpoint import Relaxed
from v2gkit.authorities.broken import VARIANTS, Bench, Variant
from v2gkit.authorities.broken_form import null_parameters

NOW = datetime.now(UTC)
SOUND = build(Plan(), "secp521r1", NOW)


def der(hierarchy: Hierarchy, role: Role) -> tuple[bytes, ...]:
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in hierarchy[role].chain)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return create(tmp_path / "pki", [SOUND])


def judge(store: Store) -> VehicleJudge:
    return VehicleJudge(store.anchors, status=station_status(store))


def test_a_vehicle_is_let_in_and_nobody_else(store: Store) -> None:
    assert judge(store)(der(SOUND, Role.VEHICLE), NOW.timestamp()).role is Role.VEHICLE
    for role in (Role.CONTRACT, Role.PROVISIONING, Role.SECC):
        with pytest.raises(CertificateError):
            judge(store)(der(SOUND, role), NOW.timestamp())
    stranger = build(Plan(), "secp521r1", NOW)
    with pytest.raises(CertificateError):
        judge(store)(der(stranger, Role.VEHICLE), NOW.timestamp())


def test_under_interop_a_provisioning_certificate_passes_for_one(store: Store) -> None:
    assert VehicleJudge(store.anchors, RULES["interop"])(der(SOUND, Role.PROVISIONING), NOW.timestamp()).role is Role.PROVISIONING


@pytest.mark.parametrize("variant", [one for one in VARIANTS if one.lapses], ids=lambda one: one.name)
def test_under_interop_a_vehicle_that_is_not_strict_der_passes_and_is_told(store: Store, variant: Variant) -> None:
    chain = variant.chain(Bench(SOUND, Role.VEHICLE, NOW))
    with pytest.raises(CertificateError) as refused:
        judge(store)(chain, NOW.timestamp())
    assert refused.value.kind is Kind.MALFORMED
    proof = VehicleJudge(store.anchors, RULES["interop"])(chain, NOW.timestamp())
    car = Scripted(given={"tls": replace(secure(), verified=proof)})
    car.setup()
    assert [event.requirement for event in car.wants(Relaxed)] == ["RFC 5280 4.1"]


def test_a_root_that_is_no_strict_der_keeps_nobody_from_tls(store: Store) -> None:
    root = SOUND[Role.OEM_ROOT]
    loose = null_parameters(root.certificate, root.key)
    text = base64.encodebytes(loose).decode()
    (store.path / "roots/oem/loose.pem").write_text(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
    store.reload()
    assert len(store.anchors.oem) == 2
    assert len(station_tls(store)._offers) == 1


def test_a_vehicle_on_a_revocation_list_stays_outside(store: Store) -> None:
    vehicle, issuer = SOUND[Role.VEHICLE], SOUND[Role.VEHICLE].chain[1]
    issuing = next(one for one in SOUND.issued if one.certificate == issuer)
    made = revocation_list(issuer, issuing.key, {vehicle.certificate.serial_number: Revocation(NOW)}, NOW)
    (store.path / "crl").mkdir()
    (store.path / "crl" / "oem.pem").write_bytes(made.public_bytes(Encoding.PEM))
    with pytest.raises(CertificateError) as refused:
        judge(store)(der(SOUND, Role.VEHICLE), NOW.timestamp() + 1)
    assert refused.value.kind is Kind.REVOKED


def test_the_staple_is_what_the_store_keeps_for_the_leaf_while_it_is_good(store: Store) -> None:
    (offer,) = station_tls(store)._offers
    staple = offer.context.credential.staple  # type: ignore[union-attr]
    assert staple is not None
    assert staple(NOW.timestamp()) is None
    leaf = store.secc.leaf
    issuing = next(one for one in SOUND.issued if one.certificate == store.secc.chain[1])
    response = Responder(issuing.certificate, issuing.certificate, issuing.key, lambda serial: "good").staple(leaf, NOW)
    store.save_response(leaf, issuing.certificate, response)
    assert staple(NOW.timestamp() + 60) == response
    assert staple(NOW.timestamp() + 86_400 * 30) is None


def test_a_store_without_a_station_certificate_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="v2g pki create"):
        station_tls(create(tmp_path / "empty", []))


def test_contracts_are_installed_where_there_are_any(store: Store, tmp_path: Path) -> None:
    assert provisioning_service(store, "conformance", bytes) is not None
    assert provisioning_service(create(tmp_path / "none", []), "conformance", bytes) is None


def test_prices_are_signed_by_who_is_known_to_the_holder_of_a_contract(store: Store, tmp_path: Path) -> None:
    signing = price_signing(store)
    assert signing is not None
    response = priced()
    contract = store.contract.leaf.public_bytes(Encoding.DER)
    for held, signer in ((contract, Role.MO_SUB2), (b"", Role.TARIFF), (der(SOUND, Role.VEHICLE)[0], Role.TARIFF)):
        header = msgspec.structs.replace(response.Header, Signature=signing(response, held))
        verdict = judge_prices(msgspec.structs.replace(response, Header=header), [SOUND[signer].certificate])
        assert verdict.standing is Standing.GENUINE
    assert price_signing(store, "interop") is None
    assert price_signing(create(tmp_path / "none", [])) is None


def priced() -> ScheduleExchangeRes:
    prices = least(AbsolutePriceScheduleType, Id="price1")
    mode = Dynamic_SEResControlModeType(AbsolutePriceSchedule=prices)
    return least(ScheduleExchangeRes, Dynamic_SEResControlMode=mode)
