"""A valid hierarchy whose certificates can be issued anew with something changed, to make broken chains."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import Kind
from pki.issue import Hierarchy, Issued, extensions_of, issue
from pki.keys import PrivateKey, key_name
from pki.lapses import Lapse
from pki.plan import Names
from pki.profiles import PROFILES, Role, Rules

ROLES = (Role.SECC, Role.VEHICLE, Role.PROVISIONING, Role.CONTRACT, Role.CPS)
Chain = tuple[bytes, ...]  # DER, leaf first
Extensions = list[tuple[x509.ExtensionType, bool]]


class Bench:
    """A valid hierarchy with the chain of one role, and methods that issue any part of it anew."""

    def __init__(self, hierarchy: Hierarchy, role: Role, now: datetime) -> None:
        self.hierarchy, self.role, self.now = hierarchy, role, now
        self.leaf = hierarchy[role]
        self.sub2, self.sub1, self.root = lineage(self.leaf)
        self.curve = key_name(self.leaf.key)

    def again(
        self,
        one: Issued,
        *,
        issuer: Issued | None = None,
        key: PrivateKey | None = None,
        at: datetime | None = None,
        extend: Callable[[Extensions], Extensions] = list,
        **given: Any,
    ) -> Issued:
        """A certificate issued anew with something changed: issuer, key, time, extensions, subject, or a field of its profile."""
        columns = {name: given.pop(name) for name in list(given) if hasattr(PROFILES[one.role], name) and name != "validity"}
        profile = replace(PROFILES[one.role], **columns)
        issuer, key = issuer or one.issuer, key or one.key
        extensions = extend(list(extensions_of(profile, issuer, Names(), key.public_key())))
        given.setdefault("subject", one.certificate.subject)
        fresh = issue(profile, issuer, Names(), key.public_key(), at or self.now, key=key, extensions=extensions, **given)
        return replace(one, certificate=fresh, key=key, issuer=issuer)

    def leaf_under(self, issuer: Issued) -> Chain:
        """A chain whose leaf is issued anew by the given authority."""
        return octets(self.again(self.leaf, issuer=issuer))

    def under_sub1(self, sub1: Issued) -> Chain:
        """A chain whose lower sub-CA and leaf are issued anew beneath the given upper sub-CA."""
        return self.leaf_under(self.again(self.sub2, issuer=sub1))


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to break a chain, with the verdict that a correct verifier reaches."""

    name: str
    about: str
    verdict: Kind | None
    chain: Callable[[Bench], Chain]
    roles: tuple[Role, ...] = ROLES
    lapses: frozenset[Lapse] = frozenset()  # where this is all that is wrong: rules that let it pass accept the chain

    def judged(self, rules: Rules) -> Kind | None:
        """The verdict that a correct verifier reaches by these rules; None: the chain is accepted."""
        return None if self.lapses and self.lapses <= rules.lapses else self.verdict


def octets(one: Issued) -> Chain:
    """The chain of a certificate as DER, leaf first."""
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in one.chain)


def lineage(leaf: Issued) -> tuple[Issued, Issued, Issued]:
    """Lower sub-CA, upper sub-CA and root above a leaf. Raises ValueError where it does not hang beneath two sub-CAs."""
    sub2 = leaf.issuer
    sub1 = sub2.issuer if sub2 else None
    root = sub1.issuer if sub1 else None
    if sub2 is None or sub1 is None or root is None:
        raise ValueError(f"{leaf.role.value} does not hang two sub-CAs under a root")
    return sub2, sub1, root
