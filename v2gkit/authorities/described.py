"""Certificates, and the table of profiles they are made from, as plain values for people and for JSON."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki.certificate import Facts, facts
from pki.profiles import PROFILES, Profile


def fields_of(certificate: x509.Certificate) -> dict[str, Any]:
    """The fields of a certificate as plain values, for people and for JSON."""
    fact: Facts = facts(certificate)
    return {
        "subject": fact.name,
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "key": fact.key,
        "signature": fact.signature,
        "from": f"{fact.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{fact.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "authority": bool(fact.authority),
        "path_length": fact.path_length,
        "usage": ", ".join(sorted(fact.usage or ())),
        "purposes": ", ".join(sorted(getattr(one, "_name", str(one)) for one in fact.purposes or ())),
        "ocsp": ", ".join(fact.ocsp_urls),
        "form": "; ".join(sorted(lapse.value for lapse in fact.lapses)),  # empty: strict DER
        "octets": fact.octets,
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def profiles() -> list[dict[str, str]]:
    """The table of certificate profiles as plain values, a row for each role."""
    return [_row(profile) for profile in PROFILES.values()]


def _row(profile: Profile) -> dict[str, str]:
    return {
        "role": profile.role.value,
        "issuer": profile.issuer.value if profile.issuer else "itself" if profile.authority else "any CA",
        "CN": profile.common_name,
        "DC": profile.domain_component or "-",
        "CA": "-" if not profile.authority else "any" if profile.path_length is None else f"path {profile.path_length}",
        "usage": " ".join(sorted(profile.usage)),
        "purposes": " ".join(getattr(one, "_name", "") for one in profile.purposes) or "-",
        "days": str(profile.validity.days),
        "anchors": " ".join(family.value for family in profile.anchors) or "-",
        "follows": profile.requirement,
    }
