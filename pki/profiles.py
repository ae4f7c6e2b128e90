"""The table of certificates: which roles exist, who issues them, what they must contain, and what each generation tolerates.

`issue` builds certificates from a row, `verify` judges a chain by the row of its leaf, `v2g pki show` prints it. Sources: the profiles of
ISO 15118-20 Annex B and ISO 15118-2 Annex F as far as open implementations agree on them. Path lengths and lifetimes of what we issue are
policy; what a verifier demands is only what a requirement, or two independent stacks, demand.
"""

import enum
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.lapses import Lapse


class Role(enum.Enum):
    """The role of a certificate. The value is its name on the command line and in the store."""

    V2G_ROOT = "v2g-root"
    CPO_SUB1 = "cpo-sub1"
    CPO_SUB2 = "cpo-sub2"
    SECC = "secc"
    CPS_SUB1 = "cps-sub1"
    CPS_SUB2 = "cps-sub2"
    CPS = "cps"
    OEM_ROOT = "oem-root"
    OEM_SUB1 = "oem-sub1"
    OEM_SUB2 = "oem-sub2"
    VEHICLE = "vehicle"
    PROVISIONING = "provisioning"
    MO_ROOT = "mo-root"
    MO_SUB1 = "mo-sub1"
    MO_SUB2 = "mo-sub2"
    CONTRACT = "contract"
    TARIFF = "tariff"
    PRIVATE_ROOT = "private-root"
    PRIVATE_SECC = "private-secc"
    OCSP = "ocsp"


class Anchor(enum.Enum):
    """The families of trust anchors. A root belongs to the family it was installed as, whatever it says itself."""

    V2G = "v2g"
    OEM = "oem"
    MO = "mo"
    PRIVATE = "private"


class Presence(enum.Enum):
    """How a verifier treats a part that a certificate may have: demanded, checked if present, or ignored."""

    REQUIRED = "required"
    IF_PRESENT = "if present"
    IGNORED = "ignored"


SERVER, CLIENT, OCSP_SIGNING = (
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.OCSP_SIGNING,
)
CA_USAGE = frozenset({"key_cert_sign", "crl_sign"})
SIGNS = frozenset({"digital_signature"})
AGREES = frozenset({"digital_signature", "key_agreement"})


def years(count: int) -> timedelta:
    """A lifetime of so many years, leap days counted."""
    return timedelta(days=365 * count + count // 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One row of the table: the certificates of a role. None or empty: nothing is written and nothing is demanded."""

    role: Role
    issuer: Role | None  # who signs it; None: itself
    common_name: str  # template over the names of a plan
    domain_component: str | None
    domain_component_is: Presence = Presence.IGNORED
    bare_name: bool = False  # subject holds CN and O and nothing else
    authority: bool = False
    path_length: int | None = None
    usage: frozenset[str]  # key usage bits we set
    needs: frozenset[str] = frozenset()  # bits a verifier demands
    purposes: tuple[x509.ObjectIdentifier, ...] = ()  # extended key usage we set
    purposes_are: Presence = Presence.IF_PRESENT
    refused: tuple[x509.ObjectIdentifier, ...] = ()  # extended key usage that contradicts the role
    validity: timedelta
    anchors: tuple[Anchor, ...] = ()  # families of roots a verifier accepts, for leaves
    ordered: bool = True  # the chain must come leaf first, each issued by the next
    requirement: str = ""  # the clause or requirement the row follows


def _root(role: Role, name: str, component: str) -> Profile:
    return Profile(
        role=role, issuer=None, common_name=name, domain_component=component, authority=True, usage=CA_USAGE, validity=years(40),
        requirement="Annex B",
    )  # fmt: skip


def _sub(
    role: Role, issuer: Role, name: str, component: str, path_length: int, lifetime: timedelta, *, extra: frozenset[str] = frozenset()
) -> Profile:
    return Profile(
        role=role, issuer=issuer, common_name=name, domain_component=component, authority=True, path_length=path_length,
        usage=CA_USAGE | extra, needs=frozenset({"key_cert_sign"}), validity=lifetime, requirement="Annex B",
    )  # fmt: skip


# fmt: off
PROFILES: dict[Role, Profile] = {
    profile.role: profile
    for profile in (
        # --- the station, and the service that hands out contracts, hang under the V2G root ---
        _root(Role.V2G_ROOT, "{root} Root CA {curve}", "V2G"),
        _sub(Role.CPO_SUB1, Role.V2G_ROOT, "CPO Sub-CA 1", "V2G", 1, years(4)),
        _sub(Role.CPO_SUB2, Role.CPO_SUB1, "CPO Sub-CA 2", "V2G", 0, years(2)),
        Profile(
            role=Role.SECC, issuer=Role.CPO_SUB2, common_name="{evse_id}", domain_component="CPO", domain_component_is=Presence.REQUIRED,
            usage=AGREES, needs=SIGNS, purposes=(SERVER,), refused=(OCSP_SIGNING,),
            validity=timedelta(days=90), anchors=(Anchor.V2G, Anchor.PRIVATE), ordered=False,
            requirement="Annex B",
        ),
        _sub(Role.CPS_SUB1, Role.V2G_ROOT, "CPS Sub-CA 1", "V2G", 1, years(4)),
        _sub(Role.CPS_SUB2, Role.CPS_SUB1, "CPS Sub-CA 2", "V2G", 0, years(2)),
        Profile(
            role=Role.CPS, issuer=Role.CPS_SUB2, common_name="{organization} CPS", domain_component="CPS",
            domain_component_is=Presence.REQUIRED, usage=SIGNS, needs=SIGNS, refused=(SERVER, CLIENT, OCSP_SIGNING),
            validity=timedelta(days=90), anchors=(Anchor.V2G,), requirement="Annex B",
        ),
        # --- the car: one certificate to be known by in TLS, another to receive contracts with ---
        _root(Role.OEM_ROOT, "OEM Root CA {curve}", "OEM"),
        _sub(Role.OEM_SUB1, Role.OEM_ROOT, "OEM Sub-CA 1", "OEM", 1, years(20)),
        _sub(Role.OEM_SUB2, Role.OEM_SUB1, "OEM Sub-CA 2", "OEM", 0, years(20)),
        Profile(
            role=Role.VEHICLE, issuer=Role.OEM_SUB2, common_name="{evccid}", domain_component=None, bare_name=True, usage=SIGNS,
            needs=SIGNS, purposes=(CLIENT,), refused=(OCSP_SIGNING,),
            purposes_are=Presence.REQUIRED, validity=years(10), anchors=(Anchor.OEM, Anchor.V2G),
            ordered=False, requirement="V2G20-2598",
        ),
        Profile(
            role=Role.PROVISIONING, issuer=Role.OEM_SUB2, common_name="{pcid}", domain_component="OEM",
            domain_component_is=Presence.REQUIRED, usage=AGREES, needs=SIGNS, refused=(SERVER, CLIENT, OCSP_SIGNING), validity=years(20),
            anchors=(Anchor.OEM, Anchor.V2G), requirement="V2G20-2342",
        ),
        # --- the contract; whoever signs a tariff stands beside it ---
        _root(Role.MO_ROOT, "MO Root CA {curve}", "MO"),
        _sub(Role.MO_SUB1, Role.MO_ROOT, "MO Sub-CA 1", "MO", 1, years(4)),
        _sub(Role.MO_SUB2, Role.MO_SUB1, "MO Sub-CA 2", "MO", 0, years(4), extra=SIGNS),  # in -2 it signs the tariff as well
        Profile(
            role=Role.CONTRACT, issuer=Role.MO_SUB2, common_name="{emaid}", domain_component="MO",
            domain_component_is=Presence.IF_PRESENT, usage=AGREES | {"content_commitment", "key_encipherment"}, needs=SIGNS,
            refused=(SERVER, CLIENT, OCSP_SIGNING), validity=years(2), anchors=(Anchor.MO, Anchor.V2G), requirement="Annex B",
        ),
        Profile(
            role=Role.TARIFF, issuer=Role.MO_SUB2, common_name="{organization} Tariff", domain_component="MO",
            domain_component_is=Presence.IF_PRESENT, usage=SIGNS, needs=SIGNS, refused=(SERVER, CLIENT, OCSP_SIGNING), validity=years(2),
            anchors=(Anchor.MO, Anchor.V2G), requirement="8.3.5.3",
        ),
        # --- a private environment: an owner's own root, the station directly beneath it ---
        _root(Role.PRIVATE_ROOT, "Private Root CA {curve}", "PE"),
        Profile(
            role=Role.PRIVATE_SECC, issuer=Role.PRIVATE_ROOT, common_name="{evse_id}", domain_component="CPO",
            domain_component_is=Presence.REQUIRED, usage=AGREES, needs=SIGNS, purposes=(SERVER,), refused=(OCSP_SIGNING,),
            validity=years(2),
            anchors=(Anchor.PRIVATE,), ordered=False, requirement="V2G20-2382",
        ),
        # --- who answers for the others: delegated by the authority whose certificates it speaks of ---
        Profile(
            role=Role.OCSP, issuer=None, common_name="OCSP of {authority}", domain_component=None, usage=SIGNS, needs=SIGNS,
            purposes=(OCSP_SIGNING,), purposes_are=Presence.REQUIRED, validity=timedelta(days=90), requirement="RFC 6960 4.2.2.2",
        ),
    )
}
# fmt: on


@dataclass(frozen=True, slots=True)
class Rules:
    """What a generation of the standard, or a named relaxation of it, accepts of any certificate."""

    name: str
    algorithms: frozenset[str]  # of keys, `pki.keys.ALGORITHMS`
    max_octets: int  # of one DER certificate: one octet more does not fit its field in the message
    max_subs: int  # certificates between leaf and root: what SubCertificates holds
    names: bool = True  # demand the domain components and the bare subject of the row
    purposes: bool = True  # demand the extended key usage of the row where it is REQUIRED
    critical_usage: bool = True  # demand that key usage and basic constraints are critical
    lapses: frozenset[Lapse] = frozenset()  # ways of not being strict DER that pass, each with a note
    relaxes: tuple[str, ...] = ()  # requirements this set of rules sets aside


ISO20 = Rules("iso20", frozenset({"secp521r1", "ed448"}), 1600, 3)  # [V2G20-2674] [V2G20-2319]
FIELD = frozenset({Lapse.DEFAULT, Lapse.PARAMETERS})  # what the CAs of -2 have issued, and cannot take back
ISO2 = Rules("iso2", frozenset({"secp256r1"}), 800, 3, lapses=FIELD)  # the schema would hold 4, no hierarchy of -2 has them
INTEROP = Rules(
    "interop", frozenset({"secp521r1", "ed448", "secp256r1"}), 1600, 3, names=False, purposes=False, critical_usage=False,
    lapses=frozenset(Lapse), relaxes=("V2G20-2674", "V2G20-2598", "V2G20-2342", "Annex B", "RFC 5280 4.1"),
)  # fmt: skip
RULES: dict[str, Rules] = {rules.name: rules for rules in (ISO20, ISO2, INTEROP)}

LEAVES: tuple[Role, ...] = tuple(role for role, profile in PROFILES.items() if profile.anchors)
EXPIRES_SOON = timedelta(days=14)  # a leaf this close to its end is still good, and its holder is told [OK_CertificateExpiresSoon]
