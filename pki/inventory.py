"""Finds what a folder of certificates lacks for a station or a car, file by file, each with the cure.

    for lack in lacking("certs", "station", ISO20, now):
        print(lack)                      # certs/roots/oem: no OEM root, ...; put the roots there, one PEM file each

`v2g doctor`, `v2g secc` and `v2g ev` say what this finds. It judges the chains that this end shows as its peers will, and raises nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pki.certificate import facts
from pki.errors import CertificateError, Kind, StoreError
from pki.profiles import PROFILES, Anchor, Role, Rules
from pki.store import Credential, Store
from pki.verify import Anchors, verify

Side = Literal["station", "car"]
MAKE = "v2g pki create makes a whole set for a laboratory"


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that is missing or wrong. `bad`: this end or its peers will refuse because of it; else it is a warning."""

    text: str  # names the file or folder
    cure: str = ""
    bad: bool = True

    @classmethod
    def of(cls, error: StoreError) -> "Lack":
        """The lack that a StoreError tells of; the error's text ends with the cure."""
        text, _, cure = str(error).rpartition("; ")
        return cls(text, cure)

    def __str__(self) -> str:
        return f"{self.text}; {self.cure}" if self.cure else self.text


@dataclass(frozen=True, slots=True)
class Purpose:
    """What the credential of a role is for, at a station or a car: who is shown it, and what is impossible without it."""

    role: Role
    shown: str  # to whom, for people; empty: only read here
    needed: str = ""  # what goes without it, if that is worth a word


PURPOSES: dict[Side, tuple[Purpose, ...]] = {
    "station": (
        Purpose(Role.SECC, "cars", "no car can connect over TLS"),
        Purpose(Role.MO_SUB2, ""),
        Purpose(Role.TARIFF, ""),
    ),
    "car": (
        Purpose(Role.VEHICLE, "stations", "no station lets the car connect over TLS"),
        Purpose(Role.CONTRACT, "stations", "the car cannot authorize by Plug & Charge until it has one (--install gets it)"),
        Purpose(Role.PROVISIONING, "provisioning services"),
        Purpose(Role.TARIFF, ""),
    ),
}
TRUSTED: dict[Side, tuple[tuple[tuple[Anchor, ...], str], ...]] = {  # families of which one is needed, and for whom
    "station": (((Anchor.OEM, Anchor.V2G), "cars"), ((Anchor.MO, Anchor.V2G), "contracts")),
    "car": (((Anchor.V2G, Anchor.PRIVATE), "stations"),),
}
SHOWN_IN_TLS = (Role.SECC, Role.VEHICLE)


def lacking(
    path: str | Path, side: Side, rules: Rules, now: datetime, *, tls: bool = True, contracts: bool = True, proves: bool = True
) -> tuple[Lack, ...]:
    """Everything that is missing or wrong, the worst first. Without `tls` or `contracts`, what only they need is left out.

    `proves`: this end shows a certificate in TLS; a car does not in TLS 1.2.
    """
    try:
        store = Store(path)
    except StoreError as error:
        return (Lack.of(error),)
    found = [*_roots(store, side, now, tls, contracts), *_lists(store)]
    for purpose in PURPOSES[side]:
        if ((tls and proves) or purpose.role not in SHOWN_IN_TLS) and (contracts or purpose.role is not Role.CONTRACT):
            found += _role(store, purpose, rules, now)
    return tuple(sorted(found, key=lambda lack: not lack.bad))


def _roots(store: Store, side: Side, now: datetime, tls: bool, contracts: bool) -> Iterator[Lack]:
    held: dict[Anchor, int] = {}
    for family in Anchor:
        good = 0
        for root in store.roots(family):
            if isinstance(root, StoreError):
                yield Lack.of(root)
            elif now > facts(root).not_after:
                yield Lack(f"{store.root_path(family)}: {facts(root).name} ended on {facts(root).not_after:%Y-%m-%d}", "get its successor")
            else:
                good += 1
        held[family] = good
    for families, whom in TRUSTED[side]:
        if not (contracts if whom == "contracts" else tls):
            continue
        first, other = families
        place, cure = store.root_path(first), "put its roots there, one PEM file each"
        if not held[first] and not held[other]:
            yield Lack(f"{place}: no {first.name} root, and no {other.name} root either: {whom} cannot be verified", cure)
        elif not held[first]:
            yield Lack(f"{place}: no {first.name} root: {whom} below a {other.name} root alone can be verified", cure, bad=False)


def _lists(store: Store) -> Iterator[Lack]:
    try:
        _ = store.crls
    except StoreError as error:
        yield Lack.of(error)


def _role(store: Store, purpose: Purpose, rules: Rules, now: datetime) -> Iterator[Lack]:
    usable = False
    for held in store.held(purpose.role):
        if isinstance(held, StoreError):
            yield Lack.of(held)
        elif not purpose.shown:
            continue
        elif held.curve in rules.algorithms:
            usable = True
            yield from _shown(store, held, purpose, rules, now)
    if purpose.needed and not usable:
        on = f" on {' or '.join(sorted(rules.algorithms))}"
        place = f"{store.path / purpose.role.value}: no usable {purpose.role.value} certificate{on}"
        yield Lack(f"{place}: {purpose.needed}", MAKE, bad=purpose.role is not Role.CONTRACT)


def _shown(store: Store, held: Credential, purpose: Purpose, rules: Rules, now: datetime) -> Iterator[Lack]:
    """What a peer will make of a chain of ours; its root need not be held here, but one that is tells more."""
    for remark in held.remarks:
        yield Lack(f"{held.chain_path}: {remark}", "it is served in order; put the file right", bad=False)
    if purpose.role in SHOWN_IN_TLS:
        try:
            held.for_tls()
        except StoreError as error:
            yield Lack.of(error)
            return
    try:
        anchors = _usable(store)
        proof = verify(held.chain, purpose.role, anchors, now, rules=rules)
    except CertificateError as error:
        yield _refused(held, purpose, error)
    else:
        if proof.expires_soon:
            yield Lack(f"{held.chain_path}: {held.common_name} ends on {facts(held.leaf).not_after:%Y-%m-%d}", "renew it", bad=False)
        if purpose.role is Role.CONTRACT and len(held.chain) < 2:
            yield Lack(f"{held.chain_path}: the contract alone", "a message holds its sub-CAs too: add them")


def _refused(held: Credential, purpose: Purpose, error: CertificateError) -> Lack:
    role = purpose.role.value
    if error.kind is Kind.UNTRUSTED_ROOT and len(held.chain) == 1 and PROFILES[purpose.role].issuer is not None:
        return Lack(f"{held.chain_path}: the {role} certificate alone", f"add its sub-CAs: {purpose.shown} do not know them")
    if error.kind is Kind.UNTRUSTED_ROOT and not error.reason.startswith("it names a trusted root"):
        cure = f"hold its root too, to see whether {purpose.shown} that trust it will take the chain"
        return Lack(f"{held.chain_path}: cannot be checked here: {error.reason}", cure, bad=False)
    cure = "have it issued anew" if error.kind is not Kind.BROKEN_CHAIN else "put the whole chain there, leaf first, without the root"
    return Lack(f"{held.chain_path}: {purpose.shown} will refuse it: {error}", cure)


def _usable(store: Store) -> Anchors:
    """The roots that can be read, whatever else lies beside them."""
    return Anchors(**{family.value: tuple(one for one in store.roots(family) if not isinstance(one, StoreError)) for family in Anchor})
