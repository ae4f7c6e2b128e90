"""TLS of a car of ISO 15118-2, from its folder of certificates to the handshake with a station that has another one."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evcc.config import Config
from evcc.trust import roots_of_2, staple_facts, vehicle_tls
from pki.errors import StoreError
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc.trust import station_tls
from tests.v2gkit.station.test_staples import Handshake, shake
from v2g.session.clock import Clock
from v2g.session.handshake import HelloReader
from v2gkit.lab.visit import tls_versions, visit_of

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Certificates of either generation, of station and car alike."""
    return create(tmp_path_factory.mktemp("both") / "pki", [build(Plan(), curve, NOW) for curve in ("secp521r1", "secp256r1")])


@pytest.fixture(scope="module")
def minus20(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Certificates of ISO 15118-20 alone."""
    return create(tmp_path_factory.mktemp("minus20") / "pki", [build(Plan(), "secp521r1", NOW)])


def met(station: Store, car: Store, *versions: str) -> Handshake:
    (seen,) = shake(station_tls(station), vehicle_tls(car, versions=versions))  # type: ignore[arg-type]
    return seen


def test_each_version_is_agreed_upon_with_the_station_that_has_it(both: Store, minus20: Store) -> None:
    seen = met(both, both, "1.2")
    assert seen.facts is not None, seen.failed
    assert (seen.facts.version, seen.facts.carries_20, seen.facts.own_chain) == ("TLSv1.2", False, ())
    assert seen.facts.verified.rules == "iso2"  # type: ignore[attr-defined]
    assert any("static" in limit for limit in seen.facts.limits)
    seen = met(both, both, "1.3", "1.2")
    assert seen.facts is not None, seen.failed
    assert (seen.facts.version, seen.facts.carries_20) == ("TLSv1.3", True)
    assert seen.facts.own_chain[0] == both.vehicle.for_tls()[0]
    refused = met(minus20, both, "1.2")  # a station of -20 alone
    assert refused.facts is None
    assert refused.failed is not None
    assert "protocol version" in refused.failed.reason


def test_a_station_of_other_roots_is_refused_in_either_version(both: Store, tmp_path: Path) -> None:
    stranger = create(tmp_path / "pki", [build(Plan(v2g_roots=("Stranger",)), curve, NOW) for curve in ("secp521r1", "secp256r1")])
    for versions in (("1.2",), ("1.3", "1.2")):
        seen = met(stranger, both, *versions)
        assert seen.failed is not None
        assert "refused" in seen.failed.reason


def test_the_hello_names_the_roots_that_can_prove_a_station(both: Store) -> None:
    channel = vehicle_tls(both, versions=("1.2",)).channel()
    channel.start()
    hello = HelloReader().feed(channel.octets_to_send())
    assert hello is not None
    assert len(hello.trusted_ca_keys) == len(roots_of_2(both)) >= 1  # [V2G2-651]
    assert hello.status_request is not None  # it asks for an OCSP response
    assert hello.versions == (0x0303,)
    assert hello.suites[0] == 0xC023


def test_without_a_root_on_its_curve_there_is_no_tls_1_2(minus20: Store) -> None:
    with pytest.raises(StoreError, match="no root on P-256"):
        vehicle_tls(minus20, versions=("1.2",))


def test_a_station_that_must_be_known_to_be_good_must_staple_in_tls_1_2_too(both: Store) -> None:
    demanding = vehicle_tls(both, versions=("1.2",), revocation="leaf")
    (seen,) = shake(station_tls(both), demanding)
    assert seen.failed is not None  # nothing was stapled, and nothing else proves it good
    assert "OCSP" in seen.failed.reason
    assert seen.failed.requirement is None


def test_what_is_offered_follows_the_generations_and_the_roots(both: Store, minus20: Store) -> None:
    config = Config(pki="x")
    for generations, store, versions in (
        (("20",), both, ("1.3",)),
        (("2",), both, ("1.2",)),
        (("2",), minus20, ("1.2",)),  # which is then refused by what is missing
        (("20", "2"), both, ("1.3", "1.2")),
        (("20", "2"), minus20, ("1.3",)),
    ):
        assert tls_versions(replace(config, generations=generations), store) == versions
    assert tls_versions(replace(config, generations=("2",), tls_versions=("1.3",)), both) == ("1.3",)


def test_a_car_of_minus_2_needs_no_vehicle_certificate(both: Store, tmp_path: Path) -> None:
    hierarchy = build(Plan(), "secp256r1", NOW)
    store = create(tmp_path / "pki", [hierarchy])
    for file in (store.path / "vehicle").iterdir():
        file.unlink()
    config = Config(pki=str(store.path), generations=("2",), wish=replace(Config().wish, services=("DC",), evccid="001122AABBCC"))
    driving = visit_of(config, Clock(NOW.timestamp(), 0.0, 1.0), "charge")
    assert driving.tls is not None
    assert driving.car.wish.evccid == "001122AABBCC"
    assert driving.car.contract is not None  # its key is of this generation


def test_what_was_not_stapled_is_no_fault_by_the_text_of_another_generation(both: Store) -> None:
    older, newer = met(both, both, "1.2"), met(both, both, "1.3")
    assert older.facts is not None
    assert newer.facts is not None
    assert staple_facts(older.facts)["requirement"] is None
    assert staple_facts(newer.facts)["requirement"] == "V2G20-2388"
