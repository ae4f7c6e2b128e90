"""Broken chains whose CAs issue more than they may, or whose names mislead: rows for `v2gkit.authorities.broken`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.errors import Kind
from pki.issue import Issued
from pki.profiles import CLIENT, OCSP_SIGNING, SERVER, Role
from v2gkit.authorities import broken_form as form
from v2gkit.authorities.broken_bench import Bench, Chain, Extensions, Variant, lineage, octets

W, B = Kind.WRONG_PROFILE, Kind.BROKEN_CHAIN
IN_TLS, IN_MESSAGES = (Role.SECC, Role.VEHICLE), (Role.PROVISIONING, Role.CONTRACT, Role.CPS)
ELSEWHERE = x509.NameConstraints([x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "elsewhere")]))], None)
POLICIES = x509.PolicyConstraints(0, None)
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
RESPONDER = x509.ExtendedKeyUsage([OCSP_SIGNING])
FOREIGN = x509.AuthorityKeyIdentifier(bytes(20), None, None)


def _with(extension: x509.ExtensionType, critical: bool) -> Callable[[Extensions], Extensions]:
    """The extension in place of one of its kind, or added."""
    return lambda extensions: [*((one, flag) for one, flag in extensions if type(one) is not type(extension)), (extension, critical)]


def _leaf(**given: Any) -> Callable[[Bench], Chain]:
    return lambda bench: octets(bench.again(bench.leaf, **given))


def _sub(extension: x509.ExtensionType, critical: bool = False, one: str = "sub2") -> Callable[[Bench], Chain]:
    """One sub-CA issued anew with an extension, and the rest beneath it."""

    def make(bench: Bench) -> Chain:
        fresh = bench.again(getattr(bench, one), extend=_with(extension, critical))
        return bench.leaf_under(fresh) if one == "sub2" else bench.under_sub1(fresh)

    return make


def _purpose(own: bool, critical: bool = False) -> Callable[[Bench], Chain]:
    """The issuing sub-CA is for this side of TLS, or for the other one alone."""

    def make(bench: Bench) -> Chain:
        mine, other = (SERVER, CLIENT) if bench.role is Role.SECC else (CLIENT, SERVER)
        return _sub(x509.ExtendedKeyUsage([mine if own else other]), critical)(bench)

    return make


def _own_and(purpose: x509.ObjectIdentifier) -> Callable[[Bench], Chain]:
    return lambda bench: octets(bench.again(bench.leaf, purposes=((SERVER if bench.role is Role.SECC else CLIENT), purpose)))


def _both(bench: Bench) -> Chain:
    return octets(bench.again(bench.leaf, purposes=(SERVER, CLIENT)))


def _named(text: str) -> Callable[[Bench], Chain]:
    def make(bench: Bench) -> Chain:
        kept = [attribute for attribute in bench.leaf.certificate.subject if attribute.oid != NameOID.COMMON_NAME]
        return octets(bench.again(bench.leaf, subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text), *kept])))

    return make


def _printed(attribute: x509.NameAttribute[str | bytes]) -> x509.NameAttribute[str | bytes]:
    make: Any = x509.NameAttribute
    return cast(x509.NameAttribute[str | bytes], make(attribute.oid, attribute.value, x509.name._ASN1Type.PrintableString))


def _printable(bench: Bench) -> Chain:
    """The issuer's name in another string type: the same to a reader, other octets to a verifier."""
    name = x509.Name([_printed(one) for one in bench.sub2.certificate.subject])
    respelt: Issued = bench.again(bench.sub2, subject=name)
    return (octets(bench.again(bench.leaf, issuer=respelt))[0], *octets(bench.sub2))


def _other_sub(bench: Bench) -> Chain:
    """A station below the sub-CAs of provisioning services: no certificate says what a sub-CA is for."""
    return bench.leaf_under(lineage(bench.hierarchy[Role.CPS])[0])


def _turned(*places: int) -> Callable[[Bench], Chain]:
    """The chain with some of its signatures in their other form."""

    def make(bench: Bench) -> Chain:
        chain = (bench.leaf, bench.sub2, bench.sub1)
        return tuple(form.other_half(one.certificate) if place in places else octets(one)[0] for place, one in enumerate(chain))

    return make


def _authority_as_leaf(one: str) -> Callable[[Bench], Chain]:
    return lambda bench: octets(replace(getattr(bench, one)))


BOUND_VARIANTS: tuple[Variant, ...] = (
    Variant("name-constraints", "the upper sub-CA bounds names, not critical, to others", W, _sub(ELSEWHERE, False, "sub1")),
    Variant("name-constraints-critical", "the same, critical", W, _sub(ELSEWHERE, True, "sub1")),
    Variant("name-constraints-sub2", "the issuing sub-CA bounds names, not critical", W, _sub(ELSEWHERE)),
    Variant("policy-constraints", "policy constraints, not critical", W, _sub(POLICIES)),
    Variant("policy-constraints-critical", "policy constraints, critical", W, _sub(POLICIES, True)),
    Variant("sub-for-the-other-side", "the issuing sub-CA is for the other side of TLS alone", W, _purpose(False), IN_TLS),
    Variant("sub-for-this-side", "the issuing sub-CA is for this side of TLS", None, _purpose(True), IN_TLS),
    Variant("sub-for-any-purpose", "the issuing sub-CA is for any purpose", None, _sub(x509.ExtendedKeyUsage([ANY]), True)),
    Variant("sub-for-ocsp-critical", "the issuing sub-CA is for OCSP alone, critical", W, _sub(RESPONDER, True)),
    Variant("sub-for-ocsp", "the same, not critical, where nothing is asked", None, _sub(RESPONDER), IN_MESSAGES),
    Variant("any-purpose-only", "extended key usage any, without that of the role", W, _leaf(purposes=(ANY,)), IN_TLS),
    Variant("both-purposes", "extended key usage of both sides of TLS", None, _both, IN_TLS),
    Variant("also-responder", "extended key usage of OCSP beside that of the role", W, _own_and(OCSP_SIGNING), IN_TLS),
    Variant("foreign-key-identifier", "the leaf names another key as its issuer's", B, _leaf(extend=_with(FOREIGN, False))),
    Variant("foreign-key-identifier-sub", "the issuing sub-CA does", B, _sub(FOREIGN)),
    Variant("issuer-respelt", "the issuer's name in another string type", B, _printable),
    Variant("under-the-root", "the leaf directly under its root", None, lambda bench: bench.leaf_under(bench.root), IN_TLS),
    Variant("other-sub", "below the sub-CAs of another role of the same root", None, _other_sub, (Role.SECC,)),
    Variant("sub-as-leaf", "the issuing sub-CA in place of a leaf", W, _authority_as_leaf("sub2")),
    Variant("root-as-leaf", "the root in place of a leaf", W, _authority_as_leaf("root")),
    Variant("other-half", "the issuer's signature (r, s) as (r, n-s)", None, _turned(0)),
    Variant("other-halves", "all signatures of the chain as (r, n-s)", None, _turned(0, 1, 2)),
    Variant("bidi-name", "a common name with a bidi override", W, _named("WMI\u202eGPJ")),
    Variant("control-name", "a common name with DEL", W, _named("WMI\x7f")),
    Variant("c1-name", "a common name with a C1 control character", W, _named("WMI\x9b31m")),
    Variant("separator-name", "a common name with a line separator", W, _named("WMI\u2028ended")),
    Variant("escape-name", "a common name with ESC", Kind.MALFORMED, _named("WMI\x1b[31m")),
    Variant("markup-name", "a common name that is markup, for pages to escape", None, _named("<script>alert(1)</script>"), IN_TLS),
)
