"""Hierarchies: what the table says is what the certificates say."""

from itertools import pairwise

import pytest
from cryptography import x509

from pki.certificate import facts
from pki.errors import PlanError
from pki.issue import build, issue
from pki.keys import ALGORITHMS
from pki.plan import Names, Plan, plan
from pki.profiles import ISO2, ISO20, PROFILES, Role
from tests.pki.sample_pki import NOW, hierarchy

CURVES = list(ALGORITHMS)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_every_certificate_says_what_its_row_says(role: Role, curve: str) -> None:
    profile = PROFILES[role]
    fact = facts(hierarchy(curve)[role].certificate)
    assert fact.authority is profile.authority
    assert fact.path_length == profile.path_length
    assert fact.usage == profile.usage
    assert fact.usage_critical
    assert fact.constraints_critical
    assert fact.purposes == (frozenset(profile.purposes) if profile.purposes else None)
    assert fact.domain_components == ((profile.domain_component,) if profile.domain_component and not profile.bare_name else ())
    assert fact.key == curve
    assert not fact.unknown_critical


@pytest.mark.parametrize("curve", CURVES)
def test_every_certificate_fits_its_message(curve: str) -> None:
    limit = (ISO2 if curve == "secp256r1" else ISO20).max_octets
    plan = Plan(names=Names(ocsp_url="http://[::1]:8888/ocsp", crl_url="http://[::1]:8888/crl"), v2g_roots=("A", "B"), cross=(("A", "B"),))
    assert max(facts(one.certificate).octets for one in build(plan, curve, NOW).issued) <= limit


def test_key_identifiers_link_the_chain() -> None:
    for role in (Role.SECC, Role.VEHICLE, Role.CONTRACT):
        chain = [facts(one) for one in (*hierarchy()[role].chain, hierarchy()[role].root)]
        for child, issuer in pairwise(chain):
            assert child.issuer_key_identifier == issuer.key_identifier


def test_serial_numbers_are_random_and_short() -> None:
    serials = [one.certificate.serial_number for one in hierarchy().issued]
    assert len(set(serials)) == len(serials)
    assert all(0 < serial < 1 << 159 for serial in serials)


def test_nothing_outlives_its_issuer() -> None:
    built = build(Plan(validity_days={"secc": 4000, "cpo-sub2": 100}), "ed448", NOW)
    assert facts(built[Role.SECC].certificate).not_after == facts(built[Role.CPO_SUB2].certificate).not_after


def test_the_vehicle_is_named_by_cn_and_o_alone() -> None:
    subject = hierarchy()[Role.VEHICLE].certificate.subject
    assert [attribute.rfc4514_attribute_name for attribute in subject] == ["CN", "O"]


def test_a_responder_is_delegated_by_every_authority() -> None:
    responders = hierarchy().all(Role.OCSP)
    authorities = [one for one in hierarchy().issued if PROFILES[one.role].authority]
    assert len(responders) == len(authorities)
    for responder, authority in zip(responders, authorities, strict=True):
        responder.certificate.verify_directly_issued_by(authority.certificate)
        assert responder.certificate.extensions.get_extension_for_class(x509.OCSPNoCheck)


def test_where_revocation_is_answered() -> None:
    built = build(Plan(names=Names(ocsp_url="http://ocsp.example/")), "ed448", NOW)
    assert facts(built[Role.SECC].certificate).ocsp_urls == ("http://ocsp.example/",)
    assert facts(built[Role.V2G_ROOT].certificate).ocsp_urls == ()


def test_a_root_needs_its_own_key() -> None:
    with pytest.raises(PlanError, match="self-signed"):
        issue(PROFILES[Role.V2G_ROOT], None, Names(), ALGORITHMS["ed448"].generate().public_key(), NOW)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"curvs": []}, "curvs"),
        ({"curves": ["secp384r1"]}, "secp384r1"),
        ({"names": {"evseid": "x"}}, "evseid"),
        ({"names": {"country": 1}}, "country"),
        ({"cross": [["A", "B"]]}, "'A'"),
        ({"emaids": ["DE12"]}, "DE12"),
        ({"names": {"evccid": "x" * 65}}, "no identifier"),
        ({"under_v2g": ["cpo"]}, "cpo"),
        ({"validity_days": {"nobody": 1}}, "nobody"),
        ({"curves": []}, "at least one"),
    ],
)
def test_a_wrong_plan_is_an_error_that_names_the_key(given: dict[str, object], named: str) -> None:
    with pytest.raises(PlanError, match=named):
        plan(given)


def test_a_plan_may_say_everything() -> None:
    wanted = plan({"curves": ["ed448"], "names": {"evse_id": "DEABCE1"}, "v2g_roots": ["A", "B"], "cross": [["A", "B"]], "private": True})
    assert wanted == Plan(curves=("ed448",), names=Names(evse_id="DEABCE1"), v2g_roots=("A", "B"), cross=(("A", "B"),), private=True)
