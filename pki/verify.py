"""The one verifier of certificate chains: TLS, contract, provisioning, provisioning service, tariff.

    anchors = Anchors(v2g=(root,), oem=(oem_root,), mo=(mo_root,))
    proof = verify(chain, Role.CONTRACT, anchors, now)       # raises CertificateError
    proof.leaf, proof.common_name, proof.warnings

`chain` is leaf first, without or with its root; certificates or DER octets. A root that a peer sends is never trusted for that: a path must
end at an anchor of a family that the role accepts. Cheap checks come first, and a path is authentic before its contents count: octets,
algorithms, path, profile of each certificate, validity, revocation. `explain` runs them all and says what each one found.

`now` must be aware (UTC). Holding a `VerifiedChain` is the proof that the verdict was reached; nothing else constructs one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from pki.certificate import Facts, directly_issued, facts, read
from pki.checks import CERTIFICATE_CHECKS, Context
from pki.errors import CertificateError, Kind
from pki.identifiers import doubt
from pki.order import remarks
from pki.profiles import EXPIRES_SOON, ISO20, PROFILES, Anchor, Profile, Role, Rules

EXTRA_CERTIFICATES = 2  # a peer may send its root and one cross certificate beyond the path; more is refused before any arithmetic


@dataclass(frozen=True, slots=True)
class Anchors:
    """Trust anchors by family. A root is trusted for the family it was installed in, whatever its name says."""

    v2g: tuple[x509.Certificate, ...] = ()
    oem: tuple[x509.Certificate, ...] = ()
    mo: tuple[x509.Certificate, ...] = ()
    private: tuple[x509.Certificate, ...] = ()

    def of(self, family: Anchor) -> tuple[x509.Certificate, ...]:
        """The roots of one family."""
        found: tuple[x509.Certificate, ...] = getattr(self, family.value)
        return found

    def trusted_for(self, role: Role) -> tuple[x509.Certificate, ...]:
        """The roots at which a chain of this role may end."""
        return tuple(root for family in PROFILES[role].anchors for root in self.of(family))


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """Proof that a chain was verified for a role."""

    role: Role
    chain: tuple[x509.Certificate, ...]  # leaf first, as far as the anchor's child
    anchor: x509.Certificate
    rules: str  # name of the rules it was judged by
    verified_at: datetime
    warnings: tuple[str, ...] = ()
    expires_soon: bool = False

    @property
    def leaf(self) -> x509.Certificate:
        """The first certificate of the chain, whose role was verified."""
        return self.chain[0]

    @property
    def common_name(self) -> str:
        """The common name of the leaf: EVCCID, PCID, eMAID or EVSEID, by its role."""
        return facts(self.leaf).common_name


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check. `depth` counts from the leaf (0); None is the chain as a whole."""

    check: str
    depth: int | None
    name: str  # of the certificate
    complaint: str | None  # None: it holds
    kind: Kind
    requirement: str = ""

    @property
    def holds(self) -> bool:
        """Whether the certificate passed this check."""
        return self.complaint is None

    def error(self) -> CertificateError:
        """The complaint as an error, with the depth of the certificate and the requirement."""
        return CertificateError(self.kind, self.complaint or "", depth=self.depth, requirement=self.requirement or None)


Status = Callable[[x509.Certificate, x509.Certificate, datetime], str | None]
"""Revocation: (certificate, issuer, now) gives None when it is good, else a complaint; raises CertificateError for an unknown status."""


def verify(
    chain: Sequence[x509.Certificate | bytes],
    role: Role,
    anchors: Anchors,
    now: datetime,
    *,
    rules: Rules = ISO20,
    status: Status | None = None,
) -> VerifiedChain:
    """The proof that a chain is valid for a role. Raises CertificateError with the first check that failed.

    `status` is asked about every certificate below the anchor; without it revocation is not checked. ValueError for the role of a CA.
    """
    inquiry = _Inquiry(chain, role, anchors, now, rules, status)
    for finding in inquiry.findings():
        if not finding.holds:
            raise finding.error()
    return inquiry.proof()


def explain(
    chain: Sequence[x509.Certificate | bytes],
    role: Role,
    anchors: Anchors,
    now: datetime,
    *,
    rules: Rules = ISO20,
    status: Status | None = None,
) -> tuple[Finding, ...]:
    """Every check with its outcome, for people. Goes on after a failure as far as the chain can be read."""
    return tuple(_Inquiry(chain, role, anchors, now, rules, status).findings())


def fault_below_root(
    chain: Sequence[x509.Certificate | bytes], role: Role, now: datetime, *, rules: Rules = ISO20
) -> CertificateError | None:
    """What is wrong with a chain besides that the root above it is not here; None: nothing, so whoever has the root can judge it.

    Signatures, profiles and dates are looked at up to the last certificate; revocation is not.
    """
    wrong = [finding for finding in explain(chain, role, Anchors(), now, rules=rules) if not finding.holds]
    return next((finding.error() for finding in wrong if finding.kind is not Kind.UNTRUSTED_ROOT), None)


class _Inquiry:
    """One chain before the verifier: gathers the path while the findings are read."""

    def __init__(
        self, chain: Sequence[x509.Certificate | bytes], role: Role, anchors: Anchors, now: datetime, rules: Rules, status: Status | None
    ) -> None:
        self.profile: Profile = PROFILES[role]
        if not self.profile.anchors:
            raise ValueError(f"{role.value} is not a role a chain is verified for")
        if now.tzinfo is None:
            raise ValueError("now must be an aware datetime")
        self.sent, self.anchors, self.now, self.rules, self.status = chain, anchors, now, rules, status
        self.pool: list[Facts] = []  # what came
        self.path: list[Facts] = []
        self.anchor: x509.Certificate | None = None

    def findings(self) -> Iterator[Finding]:
        limit = self.rules.max_subs + 1 + EXTRA_CERTIFICATES
        count = len(self.sent)
        complaint = None if 1 <= count <= limit else f"{count} certificates where 1 to {limit} are possible"
        yield Finding("number of certificates", None, "", complaint, Kind.TOO_LONG if count else Kind.MALFORMED)
        if complaint:
            return
        for depth, sent in enumerate(self.sent):
            finding, fact = self._read(depth, sent)
            yield finding
            if fact is None:
                return
            self.pool.append(fact)
        yield from self._build(self.pool)
        yield from self._judge()

    def proof(self) -> VerifiedChain:
        assert self.anchor is not None
        soon = self.path[0].not_after - self.now < EXPIRES_SOON
        chain = tuple(fact.certificate for fact in self.path)
        warnings: tuple[str, ...] = (f"expires soon: {self.path[0].not_after:%Y-%m-%d}",) if soon else ()
        if self.profile.role is Role.CONTRACT and (why := doubt(self.path[0].common_name)):
            warnings += (f"{why}; whether the account exists is its provider's word",)
        warnings += remarks([fact.certificate for fact in self.pool], chain)
        for depth, fact in enumerate(self.path):
            warnings += tuple(f"certificate {depth} is not strict DER: {lapse}" for lapse in sorted(one.value for one in fact.lapses))
        relaxed = tuple(f"not demanded by rules {self.rules.name}: {requirement}" for requirement in self.rules.relaxes)
        return VerifiedChain(self.profile.role, chain, self.anchor, self.rules.name, self.now, warnings + relaxed, soon)

    # --- the steps ---

    def _read(self, depth: int, sent: x509.Certificate | bytes) -> tuple[Finding, Facts | None]:
        try:
            fact = facts(read(sent, self.rules.max_octets) if isinstance(sent, bytes) else sent)
        except CertificateError as error:
            return Finding("readable", depth, "", error.reason, error.kind), None
        return Finding("readable", depth, fact.name, None, Kind.MALFORMED), fact

    def _build(self, pool: list[Facts]) -> Iterator[Finding]:
        """Walks from the leaf to the nearest anchor. Only keys of the profile are ever asked to verify anything."""
        roots = [facts(root) for root in self.anchors.trusted_for(self.profile.role)]
        current, rest = pool[0], pool[1:]
        while True:
            depth = len(self.path)
            self.path.append(current)
            weak = _weakness(current, self.rules)
            yield Finding("algorithms", depth, current.name, weak, Kind.WEAK_ALGORITHM, self._cited("V2G20-2674"))
            if weak:
                return
            root = next((root for root in roots if _issued(current, root)), None)
            if root is not None:
                self.anchor = root.certificate
                yield Finding("issued by a trusted root", depth, current.name, None, Kind.UNTRUSTED_ROOT, self._cited("V2G20-2331"))
                return
            issuer = self._issuer(current, rest)
            if issuer is None:
                yield self._dead_end(depth, current, rest, roots)
                return
            yield Finding("issued by the next", depth, current.name, None, Kind.BROKEN_CHAIN)
            rest = [other for other in rest if other is not issuer]
            current = issuer

    def _cited(self, requirement: str) -> str:
        """A requirement of -20, where its rules judge; what -2 says of the same is not known by number here."""
        return "" if self.rules.name == "iso2" else requirement

    def _issuer(self, current: Facts, rest: list[Facts]) -> Facts | None:
        candidates = rest[:1] if self.profile.ordered else rest
        return next((other for other in candidates if other.subject == current.issuer and _issued(current, other)), None)

    def _dead_end(self, depth: int, current: Facts, rest: list[Facts], roots: list[Facts]) -> Finding:
        """Nobody issued this one. Whose fault it is, is what people want to know."""
        trusted = f"no trusted root for {self.profile.role.value} issued it ({len(roots)} held)"
        if current.issuer in [root.subject for root in roots]:
            reason, kind = "it names a trusted root, which did not sign it: a root of the same name with another key", Kind.UNTRUSTED_ROOT
        elif any(current.issuer == one.subject and _named_otherwise(current, one) for one in rest):
            reason, kind = "its authority key identifier names another key than that of its issuer", Kind.BROKEN_CHAIN
        elif current.subject == current.issuer or not rest:
            reason, kind = trusted, Kind.UNTRUSTED_ROOT
        elif not any(current.issuer == other.subject for other in rest):
            reason, kind = f"its issuer {_issuer_name(current)} is not in the chain", Kind.BROKEN_CHAIN
        elif self.profile.ordered and current.issuer != rest[0].subject:
            reason, kind = "the next certificate is not its issuer: the order must be leaf to root", Kind.BROKEN_CHAIN
        else:
            reason, kind = "the signature is not by the key of its issuer", Kind.BROKEN_CHAIN
        requirement = self._cited("V2G20-2331") if kind is Kind.UNTRUSTED_ROOT else ""
        return Finding("issued by the next", depth, current.name, reason, kind, requirement)

    def _judge(self) -> Iterator[Finding]:
        """Profile and validity of each certificate of the path, then the anchor, then revocation."""
        for depth, fact in enumerate(self.path):
            below = sum(one.subject != one.issuer for one in self.path[1:depth])
            context = Context(self.profile, self.rules, self.now, len(self.path), below)
            for check in CERTIFICATE_CHECKS:
                if check.applies(depth):
                    yield Finding(check.name, depth, fact.name, check.complaint(fact, context), check.kind, check.cited(self.rules))
        if self.anchor is None:
            return
        root = facts(self.anchor)
        dates = "expired" if self.now > root.not_after else "not yet valid" if self.now < root.not_before else None
        if root.bounds:
            complaint = f"{', '.join(root.bounds)}: the root bounds what is beneath it in a way that is not processed here"
            yield Finding("root bounds nothing", len(self.path), root.name, complaint, Kind.WRONG_PROFILE, "RFC 5280 6.1")
        yield Finding("root valid", len(self.path), root.name, dates, Kind.EXPIRED if dates == "expired" else Kind.NOT_YET_VALID)
        if self.status is not None:
            yield from self._revocation()

    def _revocation(self) -> Iterator[Finding]:
        assert self.status is not None
        assert self.anchor is not None
        issuers = [fact.certificate for fact in self.path[1:]] + [self.anchor]
        for depth, (fact, issuer) in enumerate(zip(self.path, issuers, strict=True)):
            try:
                complaint, kind = self.status(fact.certificate, issuer, self.now), Kind.REVOKED
            except CertificateError as error:
                complaint, kind = error.reason, error.kind
            yield Finding("not revoked", depth, fact.name, complaint, kind, self._cited("V2G20-1240"))


def _weakness(fact: Facts, rules: Rules) -> str | None:
    allowed = ", ".join(sorted(rules.algorithms))
    if fact.key not in rules.algorithms:
        return f"key {fact.key} where rules {rules.name} allow {allowed}"
    if fact.signature not in {SIGNED_WITH[name] for name in rules.algorithms}:
        return f"signed with {fact.signature}, which belongs to none of {allowed}"
    return None


SIGNED_WITH = {"secp521r1": "ecdsa-sha512", "ed448": "ed448", "secp256r1": "ecdsa-sha256"}


def _named_otherwise(child: Facts, issuer: Facts) -> bool:
    """Whether a certificate's authority key identifier names another key or certificate than this issuer's [RFC 5280 4.2.1.1]."""
    keys = (child.issuer_key_identifier, issuer.key_identifier)
    key = None not in keys and keys[0] != keys[1]
    return key or child.issuer_serial not in (None, issuer.certificate.serial_number)


def _issued(child: Facts, issuer: Facts) -> bool:
    if child.issuer != issuer.subject or _named_otherwise(child, issuer) or SIGNED_WITH.get(issuer.key) != child.signature:
        return False
    return _signed_by(child.certificate, issuer.certificate) if child.authority else directly_issued(child.certificate, issuer.certificate)


_signed_by = lru_cache(maxsize=1024)(directly_issued)
"""The same for authorities, remembered: a fleet shares its sub-CAs, and whether a key signed some octets never changes."""


def _issuer_name(fact: Facts) -> str:
    return fact.certificate.issuer.rfc4514_string()
