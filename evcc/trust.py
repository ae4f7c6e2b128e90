"""Makes what a car needs from a folder of certificates: TLS, the judge of station chains, contracts, and the way to new contracts."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evcc.car import Car
from evcc.credentials import Contract, PriceTrust, Provisioning
from pki import signature as xmldsig
from pki.certificate import facts, loadable
from pki.chains import der
from pki.errors import CertificateError, Kind, StoreError
from pki.keys import key_name
from pki.profiles import INTEROP, ISO2, ISO20, Anchor, Role, Rules
from pki.provisioning import Installed
from pki.status_book import DEMANDED, Revocation, Silence, Told, by_records, check_staples
from pki.store import Credential, Store
from pki.verify import Anchors, Status, VerifiedChain, verify
from v2g.session.tls import CONFORMANCE, PROFILES, TlsFacts
from v2g.session.tls import ISO2 as TLS12
from v2g.session.tls import Credential as TlsCredential
from v2g.session.transport import ClientTls

RULES = {"conformance": ISO20, "interop": INTEROP}
RULES2 = {"conformance": ISO2, "interop": replace(INTEROP, algorithms=ISO2.algorithms)}
TlsVersion = Literal["1.3", "1.2"]
SUITES = {"conformance": xmldsig.ISO20, "interop": xmldsig.INTEROP}


def vehicle_tls(
    store: Store,
    profile: str = "conformance",
    *,
    revocation: Revocation = "known",
    name_roots: bool = False,
    wall: Callable[[], float] | None = None,
    vehicle: Credential | None = None,
    versions: tuple[TlsVersion, ...] = ("1.3",),
) -> ClientTls:
    """TLS with the vehicle certificate of a store, trusting its V2G roots, its private ones too [V2G20-2339] [V2G20-1006].

    The station is always asked for OCSP responses [V2G20-2372]; see `StationJudge` for `revocation`. `name_roots` names the trusted roots
    in the ClientHello, for which the system's TLS library is used; Misuse where that cannot do it. The station is judged at the time of
    `wall` (epoch s), None: the machine's. `vehicle` is the credential to use, where the store has several. `versions` are those of TLS that
    are offered: 1.2 is of ISO 15118-2, where the station alone proves itself, below one of the roots on P-256 that the hello names
    [V2G2-651]; StoreError where there is none.
    """
    given: dict[str, Any] = {"wall": wall, "trusted_ca_keys": _named2(store) if "1.2" in versions else ()}
    minus2 = _judge(store, RULES2[profile], revocation, None)
    if "1.3" not in versions:
        return ClientTls(None, minus2, check_staples=minus2.staples, profile=TLS12, system=name_roots, **given)
    judge = _judge(store, RULES[profile], revocation, "V2G20-2411")
    roots = tuple(loadable((*store.anchors.v2g, *store.anchors.private))) if name_roots else ()
    return ClientTls(
        tls_credential(vehicle or store.vehicle),
        judge,
        check_staples=judge.staples,
        profile=PROFILES[profile],
        authorities=roots,
        system=name_roots,
        older=(minus2, minus2.staples) if "1.2" in versions else None,
        **given,
    )


def _judge(store: Store, rules: Rules, revocation: Revocation, demands: str | None) -> "StationJudge":
    proven = by_records(_Known(store), Silence.REFUSES)
    return StationJudge(store.anchors, rules, revocation, by_records(store, Silence.PASSES), proven, demands)


def roots_of_2(store: Store) -> tuple[x509.Certificate, ...]:
    """The roots of a store below which a station of ISO 15118-2 can stand: those with a key on P-256."""
    held = (*store.anchors.v2g, *store.anchors.private)
    return tuple(root for root in held if key_name(cast(Any, facts(root).public_key)) in ISO2.algorithms)


def _named2(store: Store) -> tuple[bytes, ...]:
    """What trusted_ca_keys says of a store's roots: the SHA-1 of each, as RFC 6066 has it. Raises StoreError where there is none."""
    named = tuple(hashlib.sha1(root.public_bytes(Encoding.DER)).digest() for root in roots_of_2(store))  # noqa: S324
    if not named:
        raise StoreError(
            f"{store.root_path(Anchor.V2G)}: no root on P-256, and below no other a station of ISO 15118-2 proves itself in TLS 1.2; "
            "v2g pki create DIR --curve secp521r1 --curve secp256r1 makes both"
        )
    return named


class _Known:
    """What a car's own directory proves good. Responses that are there for a station to staple are none of the car's.

    A directory that holds a station's key is a station's too, and its responses are what that station fetched about itself: they would
    prove good whoever stapled nothing. A car that has a directory of its own keeps whatever responses it was given. A revocation counts
    wherever it lies.
    """

    def __init__(self, store: Store):
        self._store, self._shared = store, bool(store.credentials(Role.SECC))

    @property
    def crls(self) -> tuple[x509.CertificateRevocationList, ...]:
        return self._store.crls

    def response(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
        return None if self._shared else self._store.response(certificate, issuer)

    def told(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Told | None:
        said = self._store.told(certificate, issuer)
        return said if said is not None and said.revoked else None


@dataclass(slots=True)
class StationJudge:
    """Verifies the chain that a station shows, and the OCSP responses stapled to it.

    A station is refused where a response does not prove its certificate good, above all where it is revoked [V2G20-2413]. `revocation` says
    what an absent response means: `known` lets it pass and notes it in the trace, `leaf` demands that the station's certificate is known to
    be good, `strict` demands it of the whole chain [V2G20-1240] [V2G20-2409]. `status` and `proven` give the status by the responses and
    lists that the car keeps: `status` accepts a certificate of which they say nothing, `proven` refuses it.
    """

    anchors: Anchors
    rules: Rules = ISO20
    revocation: Revocation = "known"
    status: Status | None = None
    proven: Status | None = None
    demands: str | None = "V2G20-2411"  # the requirement by which an absent response is refused
    _last: tuple[tuple[bytes, ...], VerifiedChain] | None = field(default=None, repr=False)

    def __call__(self, chain: tuple[bytes, ...], at: float) -> VerifiedChain:
        proof = verify(chain, Role.SECC, self.anchors, datetime.fromtimestamp(at, UTC), rules=self.rules, status=self.status)
        self._last = chain, proof
        return proof

    def staples(self, chain: tuple[bytes, ...], staples: tuple[bytes | None, ...], at: float) -> None:
        """Judge the stapled OCSP responses, one place per certificate of the chain, at `at` (epoch s). Raises CertificateError."""
        proof = self._last[1] if self._last is not None and self._last[0] == chain else self(chain, at)
        now, sent = datetime.fromtimestamp(at, UTC), dict(zip(chain, staples, strict=False))
        found = check_staples(proof.chain, proof.anchor, tuple(sent.get(one) for one in der(proof.chain)), now)
        issuers = (*proof.chain[1:], proof.anchor)
        for depth in range(len(found))[: DEMANDED[self.revocation]]:
            if found[depth] is None:
                self._demand(depth, proof.chain[depth], issuers[depth], now)

    def _demand(self, depth: int, certificate: Any, issuer: Any, now: datetime) -> None:
        try:
            if self.proven is None:
                raise CertificateError(Kind.STATUS_UNKNOWN, "the car keeps no revocation of its own")
            self.proven(certificate, issuer, now)
        except CertificateError as error:
            reason = f"the station stapled no OCSP response, and {error.reason}"
            raise CertificateError(error.kind, reason, depth=depth, requirement=self.demands) from None


def staple_facts(shown: TlsFacts) -> dict[str, Any]:
    """Facts for the trace about revocation: which certificates came with an OCSP response, and which without."""
    places = [staple is not None for staple in shown.staples] or [False] * len(shown.peer_chain)
    requirement = "V2G20-2388" if shown.version == CONFORMANCE.version else None  # -2 asks for that of the leaf, here
    missing = {"missing": f"{places.count(False)} of {len(places)} OCSP responses", "requirement": requirement}
    return {"stapled": places, **(missing if False in places else {})}


def tls_credential(credential: Credential) -> TlsCredential:
    """A credential of the store in the form that the transport takes."""
    key = credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsCredential(credential.for_tls(), key)


def contract_of(store: Store) -> Contract:
    """The contract of a store; of several, one on the preferred curve. Raises StoreError when there is none."""
    return _contract(store.contract)


def _contract(held: Credential) -> Contract:
    return Contract(der(held.chain), held.key, held.common_name)


def equip(car: Car[Any], store: Store, also: Collection[str] = ()) -> None:
    """Give a car the contracts of a store that its profile allows, its provisioning credential, and whose prices it believes.

    Contracts with keys of the curves in `also` come after them: for a generation that has suites of its own.
    """
    rules = RULES[car.wish.profile]
    allowed = [one for one in store.contracts if one.curve in rules.algorithms]
    held = [*allowed, *(one for one in store.contracts if one.curve in also and one not in allowed)] or store.contracts
    car.prefer(*map(_contract, latest(held)))
    car.provisioning = provisioning_of(store, car.wish.profile)
    minus2 = provisioning_of(store, car.wish.profile, ISO2, RULES2) if ISO2.algorithms & set(also) else None
    car.also = () if minus2 is None else (minus2,)
    tariffs = tuple(der(one.chain) for one in store.credentials(Role.TARIFF))
    car.prices = PriceTrust(store.anchors, tariffs, rules, SUITES[car.wish.profile])


def latest(held: Sequence[Credential]) -> tuple[Credential, ...]:
    """Of several contracts for one account on one curve the one that ends last, in its place: what was updated is not shown any more."""
    ends: dict[tuple[str, str], Credential] = {}
    for one in held:
        other = ends.setdefault((one.common_name, one.curve), one)
        if facts(one.leaf).not_after > facts(other.leaf).not_after:
            ends[one.common_name, one.curve] = one
    return tuple(ends.values())


def provisioning_of(
    store: Store, profile: str = "conformance", generation: Rules = ISO20, rules: Mapping[str, Rules] = RULES
) -> Provisioning | None:
    """The provisioning credential of a store whose key a generation has; contracts got with it are kept there. None where there is none."""
    found = next((one for one in store.credentials(Role.PROVISIONING) if one.curve in generation.algorithms), None)
    if found is None or not store.anchors.v2g:
        return None

    def keep(installed: Installed) -> None:
        try:
            store.save(Role.CONTRACT, f"{installed.emaid}-{key_name(installed.key)}", installed.chain, installed.key)
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror}") from error

    known = by_records(store, Silence.PASSES)
    return Provisioning(found.chain, found.key, store.anchors, keep, rules[profile], SUITES[profile], known)
