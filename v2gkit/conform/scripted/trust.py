"""The certificates of a scripted station: those of a folder, and broken ones made from the authorities' keys in it."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki import signature as xmldsig
from pki.certificate import loadable
from pki.errors import CertificateError
from pki.issue import Hierarchy, Issued
from pki.keys import ALGORITHMS
from pki.profiles import INTEROP, ISO2, ISO20, Role
from pki.store import Store
from pki.verify import verify
from v2g.session.errors import Misuse
from v2g.session.tls import PROFILES, Credential, Profile
from v2g.session.transport.channel import Channel
from v2g.session.transport.openssl import Context
from v2gkit.authorities.broken import VARIANTS, Bench, Chain, octets
from v2gkit.authorities.broken_status import STATUS_VARIANTS
from v2gkit.conform.running import Blocked
from v2gkit.conform.scripted.door import Tls

RULES = {
    "conformance": (ISO20, xmldsig.ISO20),
    "interop": (INTEROP, xmldsig.INTEROP),
    "iso2": (ISO2, xmldsig.ISO2),
}  # by the profile of TLS: the rules of chains, and the algorithms of signatures
UNKEPT = "the folder of certificates has no key of {}; a folder of `v2g pki create` has all of them"


class Certificates:
    """What a station can show from a folder of certificates, under the rules of a profile: of -20, or "iso2" for TLS 1.2."""

    def __init__(self, store: Store, profile: str = "conformance"):
        self.store, self.profile = store, PROFILES[profile]
        self.rules, self.suites = RULES[profile]

    @cached_property
    def older(self) -> "Certificates":
        """The certificates of the folder that a car of ISO 15118-2 is shown in TLS 1.2."""
        return Certificates(self.store, "iso2")

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """All credentials of the folder, with their issuers where the folder has these."""
        held = [(role, each) for role in Role for each in self.store.credentials(role) if each.curve in self.rules.algorithms]
        made: dict[bytes, Issued] = {}
        for _ in range(5):  # a chain is as long at the most
            for role, each in held:
                above = next((one for one in made.values() if one.certificate.subject == each.leaf.issuer), None)
                own = each.leaf.issuer == each.leaf.subject
                made[each.leaf.public_bytes(Encoding.DER)] = Issued(role, each.name, each.leaf, each.key, None if own else above)
        return Hierarchy(list(made.values()))

    @cached_property
    def bench(self) -> Bench:
        """The station's chain with the keys of its authorities. Raises Blocked where the folder lacks one."""
        return self.bench_of(Role.SECC)

    def bench_of(self, role: Role) -> Bench:
        """The chain of a role with the keys of its authorities. Raises Blocked where the folder lacks one."""
        try:
            return Bench(self.hierarchy, role, datetime.now(UTC))
        except (KeyError, IndexError, ValueError):
            raise Blocked(UNKEPT.format(f"the authorities above its {role.value}")) from None

    def _judge(self, chain: tuple[bytes, ...], at: float) -> object:
        """The verdict on the car's chain; a chain that is none is let in all the same, for what follows is to be seen too."""
        try:
            return verify(chain, Role.VEHICLE, self.store.anchors, datetime.fromtimestamp(at, UTC), rules=self.rules)
        except CertificateError as error:
            return error

    def tls(self, credential: Credential | None = None, profile: Profile | None = None) -> Tls:
        """TLS with a credential, the folder's own unless given. Raises Blocked where the TLS library refuses it."""
        roots = tuple(loadable((*self.store.anchors.v2g, *self.store.anchors.oem)))
        try:
            context = Context(profile or self.profile, server=True, credential=credential or self.own(), authorities=roots)
        except Misuse as error:
            raise Blocked(str(error)) from None

        def channel() -> Channel:
            return context.channel(self._judge, wall=time.time)

        return Tls(channel)

    def any_link(self) -> Tls:
        """What cars of ISO 15118-2 come by: TLS 1.3, TLS 1.2 where there is a station certificate on P-256, plain TCP. Raises Blocked."""
        newer = self.tls()
        try:
            return replace(newer, older=self.older.tls().channel, plain=True)
        except Blocked:
            return replace(newer, plain=True)

    def own(self, staple: Callable[[float], bytes | None] | None = None) -> Credential:
        """The folder's station certificate, with a staple: a fresh good one unless given."""
        held = next((each for each in self.store.credentials(Role.SECC) if each.curve in self.rules.algorithms), None)
        if held is None:
            raise Blocked("the folder of certificates has no station certificate for this profile; v2g pki create makes one")
        return Credential(held.for_tls(), pem(held.key), staple=staple or self._good_staple())

    def _good_staple(self) -> Callable[[float], bytes | None] | None:
        try:
            response = self.staple("good")
        except (Blocked, StopIteration):
            return None
        return lambda at: response

    def staple(self, name: str) -> bytes:
        """An OCSP response for the station's leaf that is wrong on purpose, by the name of its row. Raises Blocked."""
        variant = next(each for each in STATUS_VARIANTS if each.name == name)
        return variant.response(self.bench)

    def broken(self, name: str) -> Credential:
        """A station chain that is wrong on purpose, by the name of its row, with the station's key. Raises Blocked."""
        variant = next(each for each in VARIANTS if each.name == name)
        return Credential(self._loadable(variant.chain(self.bench)), pem(self.bench.leaf.key))

    def under(self, role: Role) -> Credential:
        """A station leaf issued by the authority that issued the folder's certificate of another role."""
        issuer = self.hierarchy[role].issuer
        if issuer is None:
            raise Blocked(UNKEPT.format(f"the issuer of its {role.value}"))
        return Credential(self.bench.leaf_under(issuer), pem(self.bench.leaf.key))

    def with_key(self, key: Any) -> Credential:
        """A station leaf for another key, issued by the same authority."""
        made = self.bench.again(self.bench.leaf, key=key)
        return Credential(octets(made), pem(key))

    def another(self) -> Credential:
        """A second station certificate that is in order, with a key of its own."""
        made = self.with_key(ALGORITHMS[self.bench.curve].generate())
        return replace(made, staple=None)

    def _loadable(self, chain: Chain) -> Chain:
        if not chain or not all(chain):
            raise Blocked("a TLS library cannot send a chain of no octets")
        return chain


def pem(key: Any) -> bytes:
    """A private key as PEM (PKCS #8)."""
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
