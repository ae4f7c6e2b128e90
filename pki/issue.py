"""Issues certificates and whole hierarchies from the table of profiles. No file is touched here.

    hierarchy = build(Plan(), "secp521r1", now)     # everything a demo needs
    hierarchy[Role.SECC].chain                      # leaf first, without root
    leaf = issue(PROFILES[Role.SECC], authority, Names(), public_key, now)

Everything is valid from an hour before `now` and never beyond its issuer's end. Keys and serial numbers are
drawn by the library from the operating system.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from msgspec import structs

from pki.certificate import USAGE_BITS
from pki.envelope import new_contract_key
from pki.errors import PlanError
from pki.keys import ALGORITHMS, PrivateKey, PublicKey, algorithm_of
from pki.plan import FAMILIES, Names, Plan
from pki.profiles import OCSP_SIGNING, PROFILES, Profile, Role

BACKDATED = timedelta(hours=1)  # peers' clocks run late, and a car's more than most


class Authority(Protocol):
    """A holder of a CA certificate and its key, who can sign certificates: an `Issued`, or a credential of a store."""

    @property
    def certificate(self) -> x509.Certificate:
        """The CA certificate of the authority."""

    @property
    def key(self) -> PrivateKey:
        """The private key that the authority signs with."""


@dataclass(frozen=True, slots=True)
class Issued:
    """An issued certificate with its private key and its issuer."""

    role: Role
    name: str  # tells it from others of its role: the curve, and where there are several, the root or the eMAID
    certificate: x509.Certificate
    key: PrivateKey
    issuer: "Issued | None" = None

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates from this one up to the child of the root; of a root, itself alone."""
        above = self.issuer.chain if self.issuer and self.issuer.issuer else ()
        return (self.certificate, *above)

    @property
    def root(self) -> x509.Certificate:
        """The certificate at the top of the chain."""
        return self.issuer.root if self.issuer else self.certificate


def issue(
    profile: Profile,
    issuer: Authority | None,
    names: Names,
    public_key: PublicKey,
    now: datetime,
    *,
    key: PrivateKey | None = None,
    validity: timedelta | None = None,
    subject: x509.Name | None = None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] | None = None,
) -> x509.Certificate:
    """A new certificate by a row of the table. Without `issuer` it is self-signed by `key`.

    Validity, subject and extensions are those of the row unless given.
    """
    signing = issuer.key if issuer else key
    if signing is None:
        raise PlanError(f"{profile.role.value} is self-signed: its private key is needed")
    end = now + (validity or profile.validity)
    if issuer:
        end = min(end, issuer.certificate.not_valid_after_utc)
    subject = subject or subject_of(profile, names)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(end)
    )
    for extension, critical in extensions if extensions is not None else extensions_of(profile, issuer, names, public_key):
        builder = builder.add_extension(extension, critical)
    return builder.sign(signing, algorithm_of(signing).hash)


def subject_of(profile: Profile, names: Names) -> x509.Name:
    """The subject of a certificate by its row: CN and O; also C and DC unless the row asks for a bare name [V2G20-2598]."""
    common_name = profile.common_name.format_map({slot: getattr(names, slot) for slot in Names.__struct_fields__})
    attributes = [(NameOID.COMMON_NAME, common_name), (NameOID.ORGANIZATION_NAME, names.organization)]
    if not profile.bare_name:
        attributes.append((NameOID.COUNTRY_NAME, names.country))
        if profile.domain_component:
            attributes.append((NameOID.DOMAIN_COMPONENT, profile.domain_component))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def extensions_of(
    profile: Profile, issuer: Authority | None, names: Names, public_key: PublicKey
) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """The extensions of a certificate by its row, each with whether it is critical."""
    yield x509.BasicConstraints(ca=profile.authority, path_length=profile.path_length), True
    yield x509.KeyUsage(**{bit: bit in profile.usage for bit in USAGE_BITS}, encipher_only=False, decipher_only=False), True
    yield x509.SubjectKeyIdentifier.from_public_key(public_key), False
    if issuer:
        identifier = x509.SubjectKeyIdentifier.from_public_key(issuer.key.public_key())
        yield x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False
    if profile.purposes:
        yield x509.ExtendedKeyUsage(profile.purposes), False
    if OCSP_SIGNING in profile.purposes:
        yield x509.OCSPNoCheck(), False  # nobody answers for the one who answers [RFC 6960 4.2.2.2.1]
    elif issuer and names.ocsp_url:
        location = x509.UniformResourceIdentifier(names.ocsp_url)
        yield x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)]), False
    if issuer and names.crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(names.crl_url)], None, None, None)
        yield x509.CRLDistributionPoints([point]), False


# --- whole hierarchies ---

STATION = (Role.CPO_SUB1, Role.CPO_SUB2, Role.SECC, Role.CPS_SUB1, Role.CPS_SUB2, Role.CPS)
CAR = (Role.OEM_ROOT, Role.OEM_SUB1, Role.OEM_SUB2, Role.VEHICLE, Role.PROVISIONING)
PROVIDER = (Role.MO_ROOT, Role.MO_SUB1, Role.MO_SUB2, Role.TARIFF)
PRIVATE = (Role.PRIVATE_ROOT, Role.PRIVATE_SECC)


class Hierarchy:
    """All certificates of a plan on one curve, with their keys."""

    def __init__(self, issued: Sequence[Issued]) -> None:
        self.issued = tuple(issued)

    def __getitem__(self, role: Role) -> Issued:
        """The first certificate of a role. Raises KeyError where none was issued."""
        return self.all(role)[0]

    def all(self, role: Role) -> tuple[Issued, ...]:
        """Every certificate of a role. Raises KeyError where none was issued."""
        found = tuple(one for one in self.issued if one.role is role)
        if not found:
            raise KeyError(role)
        return found


def build(plan: Plan, curve: str, now: datetime) -> Hierarchy:
    """Issue everything that a plan asks for, on one of its curves, valid around `now`."""
    builder = _Builder(plan, curve, now)
    for index, root in enumerate(plan.v2g_roots):
        label = curve if index == 0 else f"{root}-{curve}"
        builder.add(Role.V2G_ROOT, label, root=root)
        for role in STATION:
            builder.add(role, label)
    for signed, by in plan.cross:
        builder.cross(signed, by)
    for role in CAR + PROVIDER:
        if role not in [FAMILIES[family] for family in plan.under_v2g]:
            builder.add(role, curve)
    for emaid in plan.emaids or (plan.names.emaid,):
        builder.add(Role.CONTRACT, f"{emaid}-{curve}", emaid=emaid)
    for role in PRIVATE if plan.private else ():
        builder.add(role, curve)
    if plan.responders:
        for authority in [one for one in builder.issued if PROFILES[one.role].authority]:
            builder.respond(authority)
    return Hierarchy(builder.issued)


class _Builder:
    def __init__(self, plan: Plan, curve: str, now: datetime) -> None:
        self.plan, self.curve, self.now = plan, curve, now
        self.names = structs.replace(plan.names, curve=curve)
        self.issued: list[Issued] = []

    def add(self, role: Role, name: str, **names: str) -> None:
        profile = PROFILES[role]
        self._issue(profile, name, structs.replace(self.names, **names), self._issuer(profile))

    def cross(self, signed: str, by: str) -> None:
        """Root `by` certifies the key of root `signed`; a station whose chain goes on through it reaches both."""
        roots = [one for one in self.issued if one.role is Role.V2G_ROOT and one.issuer is None]
        subject, issuer = (roots[self.plan.v2g_roots.index(name)] for name in (signed, by))
        names = structs.replace(self.names, root=signed)
        certificate = self._certificate(PROFILES[Role.V2G_ROOT], issuer, names, subject.key, PROFILES[Role.CPO_SUB1].validity)
        bridge = Issued(Role.V2G_ROOT, f"{signed}-by-{by}-{self.curve}", certificate, subject.key, issuer)
        self.issued.append(bridge)
        for one in [one for one in self.issued if one.role in (Role.SECC, Role.CPS) and one.root == subject.certificate]:
            self.issued.append(replace(one, name=f"{one.name}-by-{by}", issuer=_rebased(one.issuer, subject, bridge)))

    def respond(self, authority: Issued) -> None:
        names = structs.replace(self.names, authority=f"{authority.role.value}-{authority.name}"[:48])
        self._issue(PROFILES[Role.OCSP], f"{authority.role.value}-{authority.name}", names, authority)

    def _issue(self, profile: Profile, name: str, names: Names, issuer: Issued | None) -> None:
        key = new_contract_key(self.curve) if profile.role is Role.CONTRACT else ALGORITHMS[self.curve].generate()
        days = self.plan.validity_days.get(profile.role.value)
        certificate = self._certificate(profile, issuer, names, key, timedelta(days=days) if days else None)
        self.issued.append(Issued(profile.role, name, certificate, key, issuer))

    def _certificate(
        self, profile: Profile, issuer: Issued | None, names: Names, key: PrivateKey, validity: timedelta | None
    ) -> x509.Certificate:
        return issue(profile, issuer, names, key.public_key(), self.now, key=key, validity=validity)

    def _issuer(self, profile: Profile) -> Issued | None:
        """The last authority of the issuing role; a family without a root of its own hangs under the first V2G root."""
        role = profile.issuer
        if role in [FAMILIES[family] for family in self.plan.under_v2g]:
            return next(one for one in self.issued if one.role is Role.V2G_ROOT)
        return next((one for one in reversed(self.issued) if one.role is role), None)


def _rebased(issuer: Issued | None, old: Issued, new: Issued) -> Issued | None:
    if issuer is None or issuer is old:
        return new
    return replace(issuer, issuer=_rebased(issuer.issuer, old, new))
