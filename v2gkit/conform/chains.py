"""Which certificate chains that are broken on purpose a verifier must refuse, which it must take, and of which nobody says so (pure).

A chain that is in none of these tables may be taken or refused: stacks differ on it, or the standard's profile leaves it open. Such a chain
must not harm the verifier. A variant that is added to `v2gkit.authorities.broken` is therefore played at once, without a judgement.
"""

from typing import Final

from pki.profiles import Role
from v2gkit.authorities.broken import VARIANTS

# RFC 5280: what its path validation takes. A certificate that is there twice makes no path (6.1), and TLS only wishes that it be borne
# (RFC 8446, 4.4.2): who takes such a chain and who refuses it are both right
SOUND: Final = ("good", "unknown-not-critical", "with-root")
# RFC 5280: what its path validation refuses
PATH: Final = (
    "expired", "expired-sub2", "expired-sub1", "not-yet-valid", "not-yet-valid-sub2", "no-constraints", "sub-is-no-ca", "sub-may-not-sign",
    "leaf-by-leaf", "path-length", "unknown-critical", "unknown-critical-sub", "twin-root", "unknown-root", "wrong-family", "self-signed",
    "tampered", "missing-sub2", "missing-subs",
)  # fmt: skip
# the certificate profiles of ISO 15118 (Annex B of -20, Annex F of -2): what stands in a leaf, by which key and hash
PROFILE: Final = ("no-digital-signature", "leaf-is-ca", "wrong-purpose", "no-purpose", "other-generation", "p384", "rsa1024", "weak-hash")
OWN_KEY: Final = ("leaf-by-leaf", "other-generation", "p384", "rsa1024", "sub-as-leaf", "root-as-leaf")  # whose key is not the role's
# octets that the TLS library of this suite does not show as its own certificate
UNSENT: Final = (
    "garbage", "empty", "trailing", "critical-false-written", "critical-false-written-sub", "null-parameters", "null-parameters-sub",
    "critical-one", "padded-serial", "long-length", "long-length-outside", "indefinite-length",
)  # fmt: skip
# which it does not show in TLS 1.2 either, where it finds no suite for them
UNSENT12: Final = ("no-digital-signature", "double-extension")
ALONE: Final = ("self-signed", "missing-subs", "root-as-leaf")  # chains of one certificate, which a contract's message has no place for
IN_TLS: Final = (Role.VEHICLE, Role.SECC)
ABOVE: Final = ("missing-subs",)  # of a contract, in a message: a chain that a verifier may complete by what it has
PURPOSES: Final = ("wrong-purpose", "no-purpose")  # of extended key usage, which only certificates for TLS need


def _kept(name: str, role: Role, older: bool) -> bool:
    variant = next(each for each in VARIANTS if each.name == name)
    if role not in variant.roles or name == "oversize" or (role in IN_TLS and name in (*OWN_KEY, *UNSENT)):
        return False  # a message of the schema has no place for what is too large
    if older and role in IN_TLS and name in UNSENT12:
        return False
    if role is Role.CONTRACT and name in ALONE and not older:
        return False
    return not (older and name in ("other-generation", "p384"))


def sound(role: Role, older: bool = False) -> tuple[str, ...]:
    """The chains of a role that a verifier takes; `older`: of ISO 15118-2."""
    return tuple(name for name in SOUND if _kept(name, role, older) and (role in IN_TLS or name != "with-root"))


def refused(role: Role, older: bool = False) -> tuple[str, ...]:
    """The chains of a role that path validation refuses."""
    return tuple(name for name in PATH if _kept(name, role, older) and (role in IN_TLS or name not in ABOVE))


def unfit(role: Role, older: bool = False) -> tuple[str, ...]:
    """The chains of a role that path validation takes and the profile of ISO 15118 does not."""
    return tuple(name for name in PROFILE if _kept(name, role, older) and (role in IN_TLS or name not in PURPOSES))


def open_ones(role: Role, older: bool = False) -> tuple[str, ...]:
    """The other chains of a role."""
    judged = {*sound(role, older), *refused(role, older), *unfit(role, older)}
    return tuple(each.name for each in VARIANTS if _kept(each.name, role, older) and each.name not in judged)
