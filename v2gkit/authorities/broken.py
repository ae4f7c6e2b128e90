"""Certificate chains broken on purpose, each with the verdict that a correct verifier reaches: to test verifiers, ours and others.

A row is a name, what is wrong, the verdict (None: it must pass), and a function that spoils one certificate of a sound hierarchy:

    for variant in VARIANTS:
        chain = variant.chain(Bench(hierarchy, Role.SECC, now))       # DER, leaf first; variant.verdict is what `verify` must say
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from pki.der import EXPLICIT_EXTENSIONS, INTEGER, SEQUENCE, elements, integer, signed_anew, wrap
from pki.errors import Kind
from pki.issue import issue
from pki.keys import ALGORITHMS
from pki.lapses import Lapse
from pki.plan import Names
from pki.profiles import CLIENT, PROFILES, SERVER, Role
from v2gkit.authorities import broken_form as form
from v2gkit.authorities.broken_bench import ROLES as ROLES
from v2gkit.authorities.broken_bench import Bench as Bench
from v2gkit.authorities.broken_bench import Chain as Chain
from v2gkit.authorities.broken_bench import Extensions, lineage
from v2gkit.authorities.broken_bench import Variant as Variant
from v2gkit.authorities.broken_bench import octets as octets
from v2gkit.authorities.broken_bounds import BOUND_VARIANTS

# whoever shows a chain of these has a serial number that is none on purpose: that TLS loads it is no news for a user
warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning, module="v2g.session.transport.openssl")
PRIVATE_OID = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")  # an extension nobody knows


def _leaf(**given: Any) -> Callable[[Bench], Chain]:
    """The leaf issued anew with something changed."""
    return lambda bench: octets(bench.again(bench.leaf, **given))


def _sub(**given: Any) -> Callable[[Bench], Chain]:
    """The issuing sub-CA issued anew with something changed, and the leaf under it."""
    return lambda bench: bench.leaf_under(bench.again(bench.sub2, **given))


# --- time ---

DAY = timedelta(days=1)


def _expired(one: str) -> Callable[[Bench], Chain]:
    def make(bench: Bench) -> Chain:
        ended = {"at": bench.now - 30 * DAY, "validity": 29 * DAY}
        return _with(bench, one, ended)

    return make


def _early(one: str) -> Callable[[Bench], Chain]:
    return lambda bench: _with(bench, one, {"at": bench.now + DAY})


def _with(bench: Bench, one: str, given: dict[str, Any]) -> Chain:
    """One certificate of the chain issued anew; those beneath keep their dates, whatever their issuer says."""
    if one == "leaf":
        return octets(bench.again(bench.leaf, **given))
    fresh = bench.again(getattr(bench, one), **given)
    chain = list(octets(bench.leaf))
    chain[{"sub2": 1, "sub1": 2}[one]] = fresh.certificate.public_bytes(Encoding.DER)
    return tuple(chain)


# --- usage, constraints, extensions ---


def _without(kind: type) -> Callable[[Extensions], Extensions]:
    return lambda extensions: [pair for pair in extensions if not isinstance(pair[0], kind)]


def _soften(kind: type) -> Callable[[Extensions], Extensions]:
    return lambda extensions: [(extension, critical and not isinstance(extension, kind)) for extension, critical in extensions]


def _also(extension: x509.ExtensionType, critical: bool) -> Callable[[Extensions], Extensions]:
    return lambda extensions: [*extensions, (extension, critical)]


UNKNOWN = x509.UnrecognizedExtension(PRIVATE_OID, b"\x05\x00")
BLOAT = x509.UnrecognizedExtension(PRIVATE_OID, b"\x04\x82\x06\x40" + bytes(1600))


def _wrong_purpose(bench: Bench) -> Chain:
    wrong = (SERVER,) if bench.role is not Role.SECC else (CLIENT,)
    return octets(bench.again(bench.leaf, purposes=wrong))


def _leaf_by_leaf(bench: Bench) -> Chain:
    return octets(bench.again(bench.leaf, issuer=bench.leaf, key=ALGORITHMS[bench.curve].generate()))


def _deep(bench: Bench) -> Chain:
    """A third sub-CA beneath the one that may have none."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sub-CA 3")])
    below = bench.again(bench.sub2, issuer=bench.sub2, key=ALGORITHMS[bench.curve].generate(), subject=name)
    return bench.leaf_under(below)


def _rollover(bench: Bench) -> Chain:
    return bench.leaf_under(bench.again(bench.sub2, issuer=bench.sub2, key=ALGORITHMS[bench.curve].generate()))


def _too_deep(bench: Bench) -> Chain:
    issuer = bench.again(bench.sub1, path_length=None)
    for _ in range(3):
        issuer = bench.again(bench.sub2, issuer=issuer, key=ALGORITHMS[bench.curve].generate(), path_length=None)
    return bench.leaf_under(issuer)


# --- names ---


def _renamed(**changes: str | None) -> Callable[[Bench], Chain]:
    """The leaf with attributes of its subject changed or, for None, taken out."""

    def make(bench: Bench) -> Chain:
        oids = {name: getattr(NameOID, name) for name in changes}
        kept = [attribute for attribute in bench.leaf.certificate.subject if attribute.oid not in oids.values()]
        added = [x509.NameAttribute(oids[name], value) for name, value in changes.items() if value is not None]
        return octets(bench.again(bench.leaf, subject=x509.Name([*added, *kept])))

    return make


def _two_names(bench: Bench) -> Chain:
    another = x509.NameAttribute(NameOID.COMMON_NAME, "ANOTHER")
    return octets(bench.again(bench.leaf, subject=x509.Name([*bench.leaf.certificate.subject, another])))


# --- keys and trust ---


def _twin_root(bench: Bench) -> Chain:
    """The whole chain again under a root of the same name and another key."""
    twin = bench.again(bench.root, key=ALGORITHMS[bench.curve].generate())
    return bench.under_sub1(bench.again(bench.sub1, issuer=twin))


def _unknown_root(bench: Bench) -> Chain:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nobody's Root CA")])
    root = bench.again(bench.root, key=ALGORITHMS[bench.curve].generate(), subject=name)
    chain = bench.under_sub1(bench.again(bench.sub1, issuer=root))
    return (*chain, root.certificate.public_bytes(Encoding.DER))  # sent along, in the hope that it is believed


def _wrong_family(bench: Bench) -> Chain:
    """The leaf of this role, issued by the authorities of a family the role does not trust."""
    foreign = Role.CONTRACT if bench.role is not Role.CONTRACT else Role.VEHICLE
    return bench.leaf_under(lineage(bench.hierarchy[foreign])[0])


def _self_signed(bench: Bench) -> Chain:
    root = replace(bench.leaf, issuer=None)
    profile = PROFILES[bench.role]
    subject = bench.leaf.certificate.subject
    certificate = issue(profile, None, Names(), root.key.public_key(), bench.now, key=root.key, subject=subject)
    return (certificate.public_bytes(Encoding.DER),)


def _other_generation(bench: Bench) -> Chain:
    other = "secp521r1" if bench.curve == "secp256r1" else "secp256r1"
    return octets(bench.again(bench.leaf, key=ALGORITHMS[other].generate()))


def _p384(bench: Bench) -> Chain:
    return octets(bench.again(bench.leaf, key=ec.generate_private_key(ec.SECP384R1())))


def _rsa(bench: Bench) -> Chain:
    key: Any = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak is the point
    return octets(bench.again(bench.leaf, key=key))


def _weak_hash(bench: Bench) -> Chain:
    """Right key, wrong hash: the leaf signed with SHA-256 by a P-521 authority, with SHA-512 by a P-256 one. (Ed448 has but one.)"""
    key = bench.sub2.key if bench.curve != "ed448" else ALGORITHMS["secp521r1"].generate()
    wrong = hashes.SHA512() if bench.curve == "secp256r1" else hashes.SHA256()
    old = bench.leaf.certificate
    builder = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number)
    builder = builder.not_valid_before(old.not_valid_before_utc).not_valid_after(old.not_valid_after_utc)
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return (builder.sign(key, wrong).public_bytes(Encoding.DER), *octets(bench.sub2))


def _tampered(bench: Bench) -> Chain:
    leaf, *above = octets(bench.leaf)
    return (leaf[:-1] + bytes((leaf[-1] ^ 1,)), *above)


# --- order and number ---


def _order(*picks: int) -> Callable[[Bench], Chain]:
    return lambda bench: tuple(octets(bench.leaf)[pick] for pick in picks)


def _extra(bench: Bench) -> Chain:
    stranger = lineage(bench.hierarchy[Role.CONTRACT if bench.role is not Role.CONTRACT else Role.VEHICLE])[0]
    return (*octets(bench.leaf), octets(stranger)[0])


def _with_root(bench: Bench) -> Chain:
    return (*octets(bench.leaf), bench.root.certificate.public_bytes(Encoding.DER))


# --- octets no builder writes ---


def _formed(spoil: form.Form) -> Callable[[Bench], Chain]:
    """The leaf in octets that are not strict DER."""
    return lambda bench: (spoil(bench.leaf.certificate, bench.sub2.key), *octets(bench.sub2))


def _formed_sub(spoil: form.Form) -> Callable[[Bench], Chain]:
    """The same for the issuing sub-CA."""
    return lambda bench: (octets(bench.leaf)[0], spoil(bench.sub2.certificate, bench.sub1.key), *octets(bench.sub1))


def _edited(edit: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]) -> Callable[[Bench], Chain]:
    return lambda bench: (signed_anew(bench.leaf.certificate, bench.sub2.key, edit), *octets(bench.sub2))


def _serial(number: int) -> Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]:
    ((_, content),) = elements(integer(number))
    return lambda fields: [fields[0], (INTEGER, content), *fields[2:]]


def _twice(fields: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The first extension stands there twice."""
    tag, content = fields[-1]
    assert tag == EXPLICIT_EXTENSIONS
    ((_, inner),) = elements(content)
    first = next(wrap(tag, value) for tag, value in elements(inner))
    return [*fields[:-1], (tag, wrap(SEQUENCE, first + inner))]


def _version1(fields: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [field for field in fields[1:] if field[0] != EXPLICIT_EXTENSIONS]


def _control_character(fields: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """A NUL in the subject, where naive code ends the name."""
    subject = fields[5][1]
    name, end = subject.index(b"\x0c") + 1, b"\x00"
    at = name + 1 + subject[name] // 2
    return [*fields[:5], (SEQUENCE, subject[:at] + end + subject[at + 1 :]), *fields[6:]]


def _octets(content: bytes) -> Callable[[Bench], Chain]:
    return lambda bench: (content, *octets(bench.sub2))


def _trailing(bench: Bench) -> Chain:
    leaf, *above = octets(bench.leaf)
    return (leaf + b"\x00", *above)


M = Kind.MALFORMED
DEFAULT, PARAMETERS, LENGTH, NUMBER, TRUTH = (frozenset({lapse}) for lapse in Lapse)
W, C = Kind.WRONG_PROFILE, (Role.SECC, Role.PROVISIONING, Role.CPS)  # roles that must have a domain component
IN_TLS, IN_MESSAGES = (Role.SECC, Role.VEHICLE), (Role.PROVISIONING, Role.CONTRACT, Role.CPS)

# fmt: off
VARIANTS: tuple[Variant, ...] = (
    Variant("good", "the control: nothing is wrong", None, lambda bench: octets(bench.leaf)),
    Variant("expired", "the leaf has ended", Kind.EXPIRED, _expired("leaf")),
    Variant("expired-sub2", "the issuing sub-CA has ended", Kind.EXPIRED, _expired("sub2")),
    Variant("expired-sub1", "the upper sub-CA has ended", Kind.EXPIRED, _expired("sub1")),
    Variant("not-yet-valid", "the leaf begins tomorrow", Kind.NOT_YET_VALID, _early("leaf")),
    Variant("not-yet-valid-sub2", "the issuing sub-CA begins tomorrow", Kind.NOT_YET_VALID, _early("sub2")),
    Variant("wrong-purpose", "extended key usage of the other side", W, _wrong_purpose),
    Variant("no-purpose", "no extended key usage", W, _leaf(purposes=()), (Role.VEHICLE,)),
    Variant("no-digital-signature", "key usage without digitalSignature", W, _leaf(usage=frozenset({"key_agreement"}))),
    Variant("no-usage", "no key usage at all", W, _leaf(extend=_without(x509.KeyUsage))),
    Variant("usage-not-critical", "key usage is not critical", W, _leaf(extend=_soften(x509.KeyUsage))),
    Variant("leaf-is-ca", "the leaf says CA", W, _leaf(authority=True)),
    Variant("no-constraints", "the issuing sub-CA lacks basic constraints", W, _sub(extend=_without(x509.BasicConstraints))),
    Variant("sub-is-no-ca", "the issuing sub-CA says it is none", W, _sub(authority=False, path_length=None)),
    Variant("sub-may-not-sign", "the issuing sub-CA lacks keyCertSign", W, _sub(usage=frozenset({"digital_signature"}))),
    Variant("leaf-by-leaf", "issued by a leaf of the same role", W, _leaf_by_leaf),
    Variant("path-length", "one sub-CA more than path length 0 allows", W, _deep),
    Variant("new-key", "a sub-CA that certified its own next key", None, _rollover),
    Variant("too-deep", "four sub-CAs, where the message holds three", Kind.TOO_LONG, _too_deep),
    Variant("unknown-critical", "a critical extension nobody knows, in the leaf", W, _leaf(extend=_also(UNKNOWN, True))),
    Variant("unknown-critical-sub", "the same in the issuing sub-CA", W, _sub(extend=_also(UNKNOWN, True))),
    Variant("unknown-not-critical", "an unknown extension that may be ignored", None, _leaf(extend=_also(UNKNOWN, False))),
    Variant("wrong-component", "the domain component of another role", W, _renamed(DOMAIN_COMPONENT="XX"), (*C, Role.CONTRACT)),
    Variant("no-component", "no domain component", W, _renamed(DOMAIN_COMPONENT=None), C),
    Variant("not-bare", "more than CN and O in the subject", W, _renamed(COUNTRY_NAME="DE"), (Role.VEHICLE,)),
    Variant("wildcard", "a wildcard as common name", W, _renamed(COMMON_NAME="*.example.org")),
    Variant("two-names", "two common names", W, _two_names),
    Variant("no-name", "no common name", W, _renamed(COMMON_NAME=None)),
    Variant("twin-root", "a root of the same name with another key", Kind.UNTRUSTED_ROOT, _twin_root),
    Variant("unknown-root", "a root nobody trusts, sent along", Kind.UNTRUSTED_ROOT, _unknown_root),
    Variant("wrong-family", "issued under the roots of another family", Kind.UNTRUSTED_ROOT, _wrong_family),
    Variant("self-signed", "a leaf that signed itself", Kind.UNTRUSTED_ROOT, _self_signed),
    Variant("other-generation", "a P-256 leaf in -20, a P-521 leaf in -2", Kind.WEAK_ALGORITHM, _other_generation),
    Variant("p384", "a P-384 leaf", Kind.WEAK_ALGORITHM, _p384),
    Variant("rsa1024", "an RSA leaf", Kind.WEAK_ALGORITHM, _rsa),
    Variant("weak-hash", "a hash that does not belong to the key", Kind.WEAK_ALGORITHM, _weak_hash),
    Variant("tampered", "one bit of the signature changed", Kind.BROKEN_CHAIN, _tampered),
    Variant("missing-sub2", "the issuing sub-CA was not sent", Kind.BROKEN_CHAIN, _order(0, 2)),
    Variant("missing-subs", "the leaf alone", Kind.UNTRUSTED_ROOT, _order(0)),
    Variant("swapped", "sub-CAs in the wrong order, in a message", Kind.BROKEN_CHAIN, _order(0, 2, 1), IN_MESSAGES),
    Variant("swapped-tls", "sub-CAs in the wrong order, in TLS", None, _order(0, 2, 1), IN_TLS),
    Variant("extra", "an unrelated certificate after the chain", None, _extra),
    Variant("doubled", "the leaf twice, in TLS", None, _order(0, 0, 1, 2), IN_TLS),
    Variant("doubled-end", "the upper sub-CA twice", None, _order(0, 1, 2, 2)),
    Variant("with-root", "the root sent along", None, _with_root),
    Variant("oversize", "more octets than the message holds", Kind.OVERSIZE, _leaf(extend=_also(BLOAT, False))),
    Variant("garbage", "octets that are no certificate", Kind.MALFORMED, _octets(bytes(range(256)))),
    Variant("empty", "no octets", Kind.MALFORMED, _octets(b"")),
    Variant("trailing", "an octet after the certificate", Kind.MALFORMED, _trailing),
    Variant("negative-serial", "a negative serial number", Kind.MALFORMED, _edited(_serial(-7))),
    Variant("zero-serial", "serial number zero", Kind.MALFORMED, _edited(_serial(0))),
    Variant("long-serial", "a serial number of 21 octets", Kind.MALFORMED, _edited(_serial(1 << 160))),
    Variant("double-extension", "an extension twice", Kind.MALFORMED, _edited(_twice)),
    Variant("version1", "a certificate of version 1", Kind.MALFORMED, _edited(_version1)),
    Variant("ca-false-written", "basic constraints write out cA FALSE", M, _formed(form.ca_false), lapses=DEFAULT),
    Variant("critical-false-written", "extensions write out critical FALSE", M, _formed(form.critical_false), lapses=DEFAULT),
    Variant("critical-false-written-sub", "the same in the issuing sub-CA", M, _formed_sub(form.critical_false), lapses=DEFAULT),
    Variant("null-parameters", "NULL parameters of the signature", M, _formed(form.null_parameters), lapses=PARAMETERS),
    Variant("null-parameters-sub", "the same in the issuing sub-CA", M, _formed_sub(form.null_parameters), lapses=PARAMETERS),
    Variant("critical-one", "critical TRUE written as 01", M, _formed(form.critical_one), lapses=TRUTH),
    Variant("padded-serial", "a serial number with 00 before it", M, _formed(form.padded_serial), lapses=NUMBER),
    Variant("long-length", "a length of four octets where two would do", M, _formed(form.long_length), lapses=LENGTH),
    Variant("long-length-outside", "the same outside of what is signed", M, _formed(form.long_length_outside), lapses=LENGTH),
    Variant("indefinite-length", "an indefinite length, as BER has it", M, _formed(form.indefinite_length)),
    Variant("nul", "a NUL in the common name", Kind.MALFORMED, _edited(_control_character)),
    *BOUND_VARIANTS,
)
# fmt: on
