"""What a bench proves itself with: the certificates of a folder, and chains that are broken on purpose, issued by its authorities."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.chains import der
from pki.errors import StoreError
from pki.issue import Hierarchy, Issued
from pki.profiles import PROFILES, Role
from pki.store import Credential, Store
from v2g.session.tls import Credential as TlsCredential
from v2gkit.authorities.broken import VARIANTS, Bench, Chain, Variant
from v2gkit.conform.running import Blocked


class Wallet:
    """The certificates of a folder made with `v2g pki create`, its authorities' keys among them where they are there.

    With a `curve` they are those on that curve alone, which is secp256r1 in -2.
    """

    def __init__(self, store: Store, curve: str = ""):
        self.store, self.curve = store, curve

    def credential(self, role: Role) -> Credential:
        """The first credential of a role. Raises Blocked where the folder has none."""
        if self.curve:
            held = next(iter(self.credentials(role)), None)
            if held is None:
                raise Blocked(
                    f"the folder has no {role.value} certificate on {self.curve}; v2g pki create DIR --curve {self.curve} makes one"
                )
            return held
        try:
            return self.store.credential(role)
        except StoreError as error:
            raise Blocked(str(error)) from None

    def credentials(self, role: Role) -> tuple[Credential, ...]:
        """Every credential of a role, on curves that -20 allows first."""
        return tuple(each for each in self.store.credentials(role) if self.curve in ("", each.curve))

    def tls(self, role: Role, chain: Sequence[bytes] | None = None, key: Any = None) -> TlsCredential:
        """A credential for TLS: that of a role, or another chain (DER, leaf first) and key in its place."""
        held = self.credential(role)
        pem = (key or held.key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return TlsCredential(tuple(chain) if chain is not None else held.for_tls(), pem)

    def broken(self, role: Role, name: str) -> Chain:
        """A chain of a role that is wrong in the way of that name, as DER; its key is the role's own. Raises Blocked."""
        return _variant(name).chain(self.bench(role))

    def bench(self, role: Role) -> Bench:
        """A bench that issues any part of a role's chain anew. Raises Blocked where a key of its authorities is not in the folder."""
        try:
            return Bench(self.hierarchy, role, datetime.now(UTC))
        except (KeyError, ValueError):
            raise Blocked(f"the folder has no keys of the authorities above {role.value}; make one with: v2g pki create DIR") from None

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """All certificates of the folder with their keys, each below its issuer, on the curve of its vehicle certificate."""
        curve = self.credential(Role.VEHICLE).curve
        issued: list[Issued] = []
        for role in _from_the_root():
            for held in self.store.credentials(role):
                above = next((one for one in issued if one.role is PROFILES[role].issuer and _issued(held, one)), None)
                if held.curve == curve and (above is not None or PROFILES[role].issuer is None):
                    issued.append(Issued(role, held.name, held.leaf, held.key, above))
        return Hierarchy(issued)

    def contract_chain(self) -> tuple[bytes, ...]:
        """The chain of the contract, as DER, leaf first, without the root."""
        return der(self.credential(Role.CONTRACT).chain)


def _variant(name: str) -> Variant:
    return next(each for each in VARIANTS if each.name == name)


def _issued(held: Credential, by: Issued) -> bool:
    return held.leaf.issuer == by.certificate.subject


def _from_the_root() -> list[Role]:
    """The roles, each after that of its issuer."""
    return sorted((role for role in Role if role is not Role.OCSP), key=_depth)


def _depth(role: Role) -> int:
    above = PROFILES[role].issuer
    return 0 if above is None else 1 + _depth(above)
