"""The checks of a verifier for each certificate on a path, one row per rule.

A check has a name, the kind of error it gives, the requirement it serves, the certificates it applies to, and a function from a
certificate's facts to a complaint or None.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from unicodedata import category

from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.certificate import Facts
from pki.errors import Kind
from pki.profiles import Presence, Profile, Rules

ANY_PURPOSE = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
UNSEEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")  # control, format and bidi characters, and what is no character


@dataclass(frozen=True, slots=True)
class Context:
    """What a certificate is checked against: the row of its role, the rules, the time, its place on the path."""

    profile: Profile
    rules: Rules
    now: datetime
    length: int  # certificates on the path, leaf included
    below: int = 0  # CA certificates between this one and the leaf; those a CA issued to itself do not count [RFC 5280 6.1.4]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of chain verification: the certificates it applies to, its complaint, and the requirement behind it."""

    name: str
    kind: Kind
    where: Literal["leaf", "authority", "every"]
    complaint: Callable[[Facts, Context], str | None]
    requirement: str = ""  # of -20, or of what holds for both generations
    in_iso2: str | None = None  # where -2 says it elsewhere

    def cited(self, rules: Rules) -> str:
        """The requirement id by the generation whose rules apply; empty where none is known."""
        return self.in_iso2 if rules.name == "iso2" and self.in_iso2 is not None else self.requirement

    def applies(self, depth: int) -> bool:
        """Whether the rule applies to a certificate at a depth of the chain (0: the leaf)."""
        return self.where == "every" or (self.where == "leaf") == (depth == 0)


def _octets(fact: Facts, context: Context) -> str | None:
    limit = context.rules.max_octets
    return f"{fact.octets} octets where the message holds {limit}" if fact.octets > limit else None


def _form(fact: Facts, context: Context) -> str | None:
    amiss = fact.lapses - context.rules.lapses
    if not amiss:
        return None
    return f"not strict DER: {'; '.join(sorted(lapse.value for lapse in amiss))}, which rules {context.rules.name} do not let pass"


def _critical(fact: Facts, context: Context) -> str | None:
    return f"critical extension {', '.join(fact.unknown_critical)} is not understood" if fact.unknown_critical else None


def _length(fact: Facts, context: Context) -> str | None:
    subs, limit = context.length - 1, context.rules.max_subs
    return f"{subs} sub-CAs where {limit} are possible" if subs > limit else None


def _no_authority(fact: Facts, context: Context) -> str | None:
    return "it is a CA certificate, no leaf" if fact.authority else None


def _usage(fact: Facts, context: Context) -> str | None:
    if fact.usage is None:
        return "no key usage"
    missing = context.profile.needs - fact.usage
    if missing:
        return f"key usage lacks {', '.join(sorted(missing))}"
    if "key_cert_sign" in fact.usage:
        return "key usage of a leaf allows signing certificates"
    return "key usage is not critical" if context.rules.critical_usage and not fact.usage_critical else None


def _purposes(fact: Facts, context: Context) -> str | None:
    wanted, present = context.profile.purposes, fact.purposes
    if not context.rules.purposes:
        return None
    if present is None:
        return f"no extended key usage {_purpose_names(wanted)}" if context.profile.purposes_are is Presence.REQUIRED else None
    missing = [purpose for purpose in wanted if purpose not in present]
    if missing:
        return f"extended key usage lacks {_purpose_names(missing)}"
    refused = [purpose for purpose in context.profile.refused if purpose in present]
    return f"extended key usage {_purpose_names(refused)} contradicts {context.profile.role.value}" if refused else None


def _purpose_names(purposes: object) -> str:
    return ", ".join(getattr(purpose, "_name", str(purpose)) for purpose in purposes)  # type: ignore[attr-defined]


def _subject(fact: Facts, context: Context) -> str | None:
    if len(fact.common_names) != 1:
        return f"{len(fact.common_names)} common names where one is needed"
    wildcards = [name for name in (*fact.common_names, *fact.dns_names) if name.startswith("*.")]
    if wildcards:
        return f"wildcard name {wildcards[0]}"
    unseen = sorted({f"U+{ord(one):04X}" for one in fact.name if category(one) in UNSEEN})
    if context.rules.names and unseen:
        return f"subject holds characters that cannot be seen: {', '.join(unseen)}"
    if context.rules.names and context.profile.bare_name and fact.other_names:
        return f"subject holds {', '.join(fact.other_names)} besides CN and O"
    return None


def _component(fact: Facts, context: Context) -> str | None:
    wanted, presence, found = context.profile.domain_component, context.profile.domain_component_is, fact.domain_components
    if not context.rules.names or presence is Presence.IGNORED or (presence is Presence.IF_PRESENT and not found):
        return None
    return None if found == (wanted,) else f"DC is {', '.join(found) or 'absent'} where {context.profile.role.value} needs {wanted}"


def _authority(fact: Facts, context: Context) -> str | None:
    if fact.authority is None:
        return "no basic constraints, so it may issue nothing"
    if not fact.authority:
        return "it is no CA and yet issued the certificate before it"
    return "basic constraints are not critical" if context.rules.critical_usage and not fact.constraints_critical else None


def _issues(fact: Facts, context: Context) -> str | None:
    if fact.usage is None or "key_cert_sign" not in fact.usage:
        return "key usage does not allow signing certificates"
    return "key usage is not critical" if context.rules.critical_usage and not fact.usage_critical else None


def _bounded(fact: Facts, context: Context) -> str | None:
    bounds = ", ".join(fact.bounds)
    return f"{bounds}: it bounds what it issues in a way that is not processed here, critical or not" if bounds else None


def _issues_for(fact: Facts, context: Context) -> str | None:
    """Extended key usage of an authority binds what is beneath it: by what TLS asks of the role, else where it is critical."""
    if fact.purposes is None or ANY_PURPOSE in fact.purposes:
        return None
    wanted = context.profile.purposes
    if wanted:
        missing = [purpose for purpose in wanted if purpose not in fact.purposes]
        return f"its extended key usage lacks {_purpose_names(missing)}, so it may not issue for it" if missing else None
    return "its critical extended key usage allows no other use than " + _purpose_names(fact.purposes) if fact.purposes_critical else None


def _path_length(fact: Facts, context: Context) -> str | None:
    if fact.path_length is None or context.below <= fact.path_length:
        return None
    return f"path length {fact.path_length} with {context.below} CA certificates beneath"


def _begun(fact: Facts, context: Context) -> str | None:
    return f"valid from {fact.not_before:%Y-%m-%d %H:%M:%S} UTC" if context.now < fact.not_before else None


def _ended(fact: Facts, context: Context) -> str | None:
    return f"valid until {fact.not_after:%Y-%m-%d %H:%M:%S} UTC" if context.now > fact.not_after else None


CERTIFICATE_CHECKS: tuple[Check, ...] = (
    Check("fits the message", Kind.OVERSIZE, "every", _octets),
    Check("strict DER", Kind.MALFORMED, "every", _form, "RFC 5280 4.1"),
    Check("critical extensions", Kind.WRONG_PROFILE, "every", _critical, "RFC 5280 4.2"),
    Check("path fits the message", Kind.TOO_LONG, "leaf", _length),
    Check("no CA", Kind.WRONG_PROFILE, "leaf", _no_authority, "Annex B", "Annex F"),
    Check("key usage", Kind.WRONG_PROFILE, "leaf", _usage, "Annex B", "Annex F"),
    Check("extended key usage", Kind.WRONG_PROFILE, "leaf", _purposes, "Annex B.8", "Annex F"),
    Check("subject", Kind.WRONG_PROFILE, "leaf", _subject, "V2G20-2598", "Annex F"),
    Check("domain component", Kind.WRONG_PROFILE, "leaf", _component, "Annex B", "V2G2-925"),
    Check("is a CA", Kind.WRONG_PROFILE, "authority", _authority, "RFC 5280 6.1.4"),
    Check("may issue", Kind.WRONG_PROFILE, "authority", _issues, "RFC 5280 6.1.4"),
    Check("bounds what it issues", Kind.WRONG_PROFILE, "authority", _bounded, "RFC 5280 6.1"),
    Check("issues for this purpose", Kind.WRONG_PROFILE, "authority", _issues_for, "RFC 5280 4.2.1.12"),
    Check("path length", Kind.WRONG_PROFILE, "authority", _path_length, "RFC 5280 6.1.4"),
    Check("begun", Kind.NOT_YET_VALID, "every", _begun),
    Check("not ended", Kind.EXPIRED, "every", _ended),
)
