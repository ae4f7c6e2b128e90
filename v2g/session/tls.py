"""What TLS must be on a charging link (profiles, credentials), and what a handshake was (facts). Pure; the library is in `transport`.

ISO 15118-20 pins four lists: suites, groups, signature schemes and trust anchors. The first three are a row of `PROFILES`, for both sides;
the fourth comes from the caller with `verify`, because who is trusted for which role is a question for a PKI, not for a transport.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from v2g.session.errors import Misuse, SessionError


@dataclass(frozen=True, slots=True)
class Profile:
    """What a side offers and accepts in TLS, in order of preference, under the names of the TLS registries."""

    name: str
    version: str
    suites: tuple[str, ...]
    groups: tuple[str, ...]
    signature_schemes: tuple[str, ...]
    mutual: bool  # the station demands the car's certificate


_SUITES20 = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")  # [V2G20-2458] [V2G20-2459], in this order [V2G20-1856] [V2G20-1858]
_GROUPS20 = ("secp521r1", "x448")  # [V2G20-1634] [V2G20-2460] [V2G20-2461]
_SCHEMES20 = ("ecdsa_secp521r1_sha512", "ed448")  # [V2G20-1667] [V2G20-1668]

CONFORMANCE: Final = Profile("conformance", "TLSv1.3", _SUITES20, _GROUPS20, _SCHEMES20, mutual=True)
INTEROP: Final = Profile("interop", "TLSv1.3", _SUITES20, (*_GROUPS20, "secp256r1"), (*_SCHEMES20, "ecdsa_secp256r1_sha256"), mutual=True)
ISO2: Final = Profile(
    "iso2",
    "TLSv1.2",
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",),  # its static ECDH twin is in no current TLS library
    ("secp256r1",),
    ("ecdsa_secp256r1_sha256",),
    mutual=False,
)
PROFILES: Final = {profile.name: profile for profile in (CONFORMANCE, INTEROP, ISO2)}


@dataclass(frozen=True, slots=True)
class Relaxation:
    """Something that the profile let pass and the standard forbids, with the requirement that it relaxes."""

    what: str
    requirement: str


class TlsError(SessionError):
    """The TLS handshake failed, or TLS broke later. `by` is "us" or "peer"; `alert` the TLS alert sent or received, where there was one."""

    def __init__(self, message: str, by: str, alert: str | None = None, requirement: str | None = None):
        super().__init__(message, requirement)
        self.by = by
        self.alert = alert


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate chain and its private key.

    `chain` is DER, leaf first, without the root. `key` is PEM (PKCS #8 or SEC 1), unencrypted. `root` (DER) is what the chain ends at; only
    a choice by `trusted_ca_keys` needs it. `staple` gives the OCSP response (DER) for the leaf at a time (epoch s), None while it has none.
    """

    chain: tuple[bytes, ...]
    key: bytes
    root: bytes | None = None
    staple: Callable[[float], bytes | None] | None = None

    def __repr__(self) -> str:
        return f"Credential({len(self.chain)} certificates)"  # never the key

    @staticmethod
    def from_pem(chain: bytes, key: bytes, root: bytes | None = None) -> "Credential":
        """A credential from PEM octets. Raises Misuse when `chain` holds no certificate."""
        certificates = der_of(chain)
        if not certificates:
            raise Misuse(
                "the certificate chain holds no certificate: expected PEM, leaf first, then its issuers up to but without the root"
            )
        return Credential(certificates, key, der_of(root)[0] if root else None)


def der_of(pem: bytes) -> tuple[bytes, ...]:
    """The certificates in PEM octets, as DER, in order."""
    bodies = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", pem, re.DOTALL)
    return tuple(base64.b64decode(b"".join(body.split())) for body in bodies)


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What was agreed and shown in a completed TLS handshake. Lists are in the order of the wire; names of roots are DER."""

    profile: str
    version: str
    suite: str
    group: str
    own_scheme: str | None  # signature scheme by which this side proved that it has its key; None: it showed no certificate
    peer_scheme: str | None
    own_chain: tuple[bytes, ...]
    peer_chain: tuple[bytes, ...]  # DER, as the peer sent it; empty when it showed none
    verified: object  # what `verify` returned: the proof that it happened
    server_name: str | None = None
    certificate_requested: bool = False
    authorities_named_by_peer: tuple[bytes, ...] = ()  # in ClientHello or CertificateRequest
    authorities_named: tuple[bytes, ...] = ()  # by this side
    staples: tuple[bytes | None, ...] = ()  # OCSP responses of the peer's chain, or of ours, one place per certificate
    staples_asked_for: bool = False
    resumed: bool = False
    duration: float = 0.0  # s, from the first octet to the last of the handshake
    octets_received: int = 0
    octets_sent: int = 0
    judged_at: float = 0.0  # epoch s of the session's wall clock, at which the peer's chain was judged; 0: it showed none
    relaxations: tuple[Relaxation, ...] = ()
    limits: tuple[str, ...] = ()  # what the standard asks and this TLS library cannot do

    @property
    def carries_20(self) -> bool:
        """True when ISO 15118-20 may be spoken here: TLS 1.3, both sides authenticated [V2G20-1237] [V2G20-2356] [V2G20-1264].

        Only the conformance profile insists that the station asked for the car's certificate; others log that it did not [V2G20-2400].
        """
        mutual = self.certificate_requested or self.profile != CONFORMANCE.name
        return self.version == "TLSv1.3" and self.verified is not None and mutual


_RULES: Final = (
    ("suite", "suites", "V2G20-2458"),
    ("group", "groups", "V2G20-2460"),
    ("own_scheme", "signature_schemes", "V2G20-1667"),
    ("peer_scheme", "signature_schemes", "V2G20-1668"),
)


def relaxations(facts: TlsFacts) -> tuple[Relaxation, ...]:
    """Each point in which a TLS 1.3 connection differs from what ISO 15118-20 pins; empty for TLS 1.2, which other generations use."""
    if facts.version != CONFORMANCE.version:
        return ()
    found = []
    for fact, pinned, requirement in _RULES:
        value, allowed = getattr(facts, fact), getattr(CONFORMANCE, pinned)
        if value is not None and value not in allowed:
            found.append(Relaxation(f"{fact.replace('_', ' ')} {value}, pinned are {', '.join(allowed)}", requirement))
    if not facts.certificate_requested:
        found.append(Relaxation("the station asked for no certificate of the car", "V2G20-2400"))
    return tuple(found)


# What the library says of a hello that shares nothing with what is pinned, or of a car without certificate -> what the car broke
UNSHARED: Final = {
    "unsupported protocol": "V2G20-2356",
    "no shared cipher": "V2G20-2458",
    "no suitable key share": "V2G20-2460",
    "no shared signature algorithms": "V2G20-1667",
    "peer did not return a certificate": "V2G20-2400",
}


def broken_by(complaint: str, profile: str) -> str | None:
    """The requirement that a car broke where our side refused its handshake with this complaint; None where no text of -20 has one."""
    return UNSHARED.get(complaint) if profile == CONFORMANCE.name else None


# TLS alert for each verdict of a verifier, by the stable name that its errors carry as `kind`
ALERTS: Final = {
    "expired": "certificate_expired",
    "not yet valid": "bad_certificate",
    "revoked": "certificate_revoked",
    "untrusted root": "unknown_ca",
    "broken chain": "unknown_ca",
    "wrong profile": "unsupported_certificate",
    "weak algorithm": "unsupported_certificate",
}


def alert_for(error: Exception) -> str:
    """The TLS alert that tells a peer why its chain was refused; bad_certificate when nothing more fitting is known."""
    kind = getattr(error, "kind", None)
    return ALERTS.get(str(getattr(kind, "value", kind)), "bad_certificate")
