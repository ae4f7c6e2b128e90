"""XML signatures over EXI, made and verified: for requests that a car signs and responses that others sign.

    signature = sign([request.PnC_AReqAuthorizationMode], contract.key, schema_set("common"))
    verified = verify(header.Signature, [request.PnC_AReqAuthorizationMode], leaf.public_key(), schema_set("common"))

Each signed element has an Id; its digest is over its schema-informed EXI fragment, the signature over the EXI fragment of SignedInfo, raw
r‖s for ECDSA. SignedInfo has two grammars in the field: most stacks encode it with the stand-alone XMLDSig schema ("xmldsig"), some with
the combined schema of the message ("message"). We write the first unless told otherwise and verify under both.

A signature is valid only if it references every given element exactly once, by its Id, and nothing else. So an element that was moved,
doubled or swapped for another never passes.
"""

import hashlib
import hmac
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from typing import Literal

from pki import keys
from pki.errors import Flaw, SignatureError
from pki.keys import ALGORITHMS, Algorithm, PrivateKey, PublicKey, algorithm_of, key_name
from v2g.exi.codec import encode_fragment
from v2g.exi.grammar import SchemaSet
from v2g.exi.schema import Type
from v2g.messages import schema_set
from v2g.messages.xmldsig import (
    CanonicalizationMethodType,
    DigestMethodType,
    ReferenceType,
    SignatureMethodType,
    SignatureType,
    SignatureValueType,
    SignedInfoType,
    TransformsType,
    TransformType,
)

CANONICAL_EXI = "http://www.w3.org/TR/canonical-exi/"
Grammar = Literal["xmldsig", "message"]
GRAMMARS: tuple[Grammar, ...] = ("xmldsig", "message")  # in the order they are tried


@dataclass(frozen=True, slots=True)
class Suite:
    """A signature algorithm with its digest algorithm, by their URIs in XML signatures."""

    uri: str
    digest_uri: str
    digest: str  # hashlib's name
    algorithm: Algorithm


SUITES: dict[str, Suite] = {
    suite.algorithm.name: suite
    for suite in (
        Suite(
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
            "http://www.w3.org/2001/04/xmlenc#sha512",
            "sha512",
            ALGORITHMS["secp521r1"],
        ),
        Suite(
            "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed448",
            "http://www.w3.org/2001/04/xmlenc#sha512",
            "sha512",
            ALGORITHMS["ed448"],
        ),
        Suite(
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            "http://www.w3.org/2001/04/xmlenc#sha256",
            "sha256",
            ALGORITHMS["secp256r1"],
        ),
    )
}
ISO20: frozenset[str] = frozenset({"secp521r1", "ed448"})  # names in SUITES that -20 allows
ISO2: frozenset[str] = frozenset({"secp256r1"})
INTEROP: frozenset[str] = ISO20 | ISO2  # for peers that sign -20 messages with the suite of -2


@dataclass(frozen=True, slots=True)
class Named:
    """An element with its name, for a class that several elements have."""

    element: Type
    name: str


Element = Type | Named


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a verification, for people: what was computed and the octets it gave."""

    name: str
    detail: str
    octets: bytes = b""


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """Proof that a signature over the given elements was verified with `public_key`."""

    suite: Suite
    grammar: Grammar
    public_key: PublicKey


# --- signing ---


def sign(elements: Sequence[Element], key: PrivateKey, schemas: SchemaSet, *, grammar: Grammar = "xmldsig") -> SignatureType:
    """The signature over elements of one message, for its header. The key's curve decides the algorithms.

    Each element needs an Id of its own. Raises SignatureError(REFERENCES) if one lacks it, ValueError for a key that signs nothing here.
    """
    suite = SUITES[algorithm_of(key).name]
    _demand_distinct(elements)
    info = SignedInfoType(
        CanonicalizationMethod=CanonicalizationMethodType(Algorithm=CANONICAL_EXI),
        SignatureMethod=SignatureMethodType(Algorithm=suite.uri),
        Reference=tuple(_reference(element, suite, schemas) for element in elements),
    )
    value = keys.sign(key, signed_info_octets(info, schemas, grammar))
    return SignatureType(SignedInfo=info, SignatureValue=SignatureValueType(value=value))


def fragment(element: Element, schemas: SchemaSet) -> bytes:
    """The octets over which the digest of an element is computed: its EXI fragment."""
    if isinstance(element, Named):
        return encode_fragment(element.element, schemas, name=element.name)
    return encode_fragment(element, schemas)


def signed_info_octets(info: SignedInfoType, schemas: SchemaSet, grammar: Grammar) -> bytes:
    """The octets over which a signature is computed: SignedInfo as EXI fragment, by one of the two grammars."""
    return encode_fragment(info, schema_set("xmldsig") if grammar == "xmldsig" else schemas)


def _reference(element: Element, suite: Suite, schemas: SchemaSet) -> ReferenceType:
    return ReferenceType(
        URI=f"#{_id(element)}",
        Transforms=TransformsType(Transform=(TransformType(Algorithm=CANONICAL_EXI),)),  # [V2G2-767]
        DigestMethod=DigestMethodType(Algorithm=suite.digest_uri),
        DigestValue=hashlib.new(suite.digest, fragment(element, schemas)).digest(),
    )


def _id(element: Element) -> str:
    found = getattr(element.element if isinstance(element, Named) else element, "Id", None)
    if not found:
        raise SignatureError(Flaw.REFERENCES, f"a {type(element).__name__} without Id can be neither signed nor verified")
    return str(found)


def _demand_distinct(elements: Sequence[Element]) -> None:
    ids = [_id(element) for element in elements]
    if not ids or len(set(ids)) != len(ids):
        raise SignatureError(Flaw.REFERENCES, f"Ids {ids} of the signed elements: at least one, and no two alike")


# --- verifying ---


def verify(
    signature: SignatureType | None,
    elements: Sequence[Element],
    public_key: PublicKey,
    schemas: SchemaSet,
    *,
    suites: Collection[str] = ISO20,
) -> VerifiedSignature:
    """The proof that this key signed exactly these elements. Raises SignatureError with the first thing that is wrong.

    `suites` are the names (in `SUITES`) of the accepted algorithms; another one is refused before anything is computed.
    """
    walk = _walk(signature, elements, public_key, schemas, suites)
    while True:
        try:
            next(walk)
        except StopIteration as end:
            verified: VerifiedSignature = end.value
            return verified


def explain(
    signature: SignatureType | None,
    elements: Sequence[Element],
    public_key: PublicKey,
    schemas: SchemaSet,
    *,
    suites: Collection[str] = ISO20,
) -> tuple[tuple[Step, ...], SignatureError | None]:
    """Every step of a verification, for people, and the error that stopped it, None: the signature is valid."""
    steps: list[Step] = []
    try:
        for step in _walk(signature, elements, public_key, schemas, suites):
            steps.append(step)  # noqa: PERF402 - what was gathered before an error is wanted too
    except SignatureError as error:
        return tuple(steps), error
    return tuple(steps), None


def _walk(
    signature: SignatureType | None, elements: Sequence[Element], key: PublicKey, schemas: SchemaSet, suites: Collection[str]
) -> Generator[Step, None, VerifiedSignature]:
    if signature is None:
        raise SignatureError(Flaw.MISSING, "the header carries no Signature")
    info = signature.SignedInfo
    suite = _suite(info, key, suites)
    yield Step("algorithms", f"{suite.uri}, key {suite.algorithm.name}")
    value = _value(signature, suite.algorithm)
    yield Step("signature value", f"{len(value)} octets, well-formed", value)
    _demand_distinct(elements)
    references = _references(info, [_id(element) for element in elements])
    for element, reference in zip(elements, references, strict=True):
        octets = fragment(element, schemas)
        yield Step("fragment", f"{reference.URI}, {len(octets)} octets", octets)
        digest = _digest(octets, reference, suite)
        yield Step("digest", f"{suite.digest} of {reference.URI} matches", digest)
    for grammar in GRAMMARS:
        octets = signed_info_octets(info, schemas, grammar)
        yield Step("SignedInfo", f"in the grammar of {grammar}, {len(octets)} octets", octets)
        if keys.verify(key, value, octets):
            yield Step("signature", f"verifies in the grammar of {grammar}")
            return VerifiedSignature(suite, grammar, key)
    raise SignatureError(Flaw.SIGNATURE, "it is not by this key over this SignedInfo, in either grammar")


def _suite(info: SignedInfoType, key: PublicKey, allowed: Collection[str]) -> Suite:
    if info.CanonicalizationMethod.Algorithm != CANONICAL_EXI:
        raise SignatureError(Flaw.ALGORITHM, f"canonicalization {info.CanonicalizationMethod.Algorithm[:80]} is not {CANONICAL_EXI}")
    uri = info.SignatureMethod.Algorithm
    suite = next((suite for suite in SUITES.values() if suite.uri == uri), None)
    if suite is None or suite.algorithm.name not in allowed or info.SignatureMethod.HMACOutputLength is not None:
        names = ", ".join(SUITES[name].uri.rpartition("#")[2] for name in SUITES if name in allowed)
        pinned = None if ISO2.intersection(allowed) else "V2G20-2674"
        raise SignatureError(Flaw.ALGORITHM, f"signature method {uri[:80]!r}; allowed: {names}", requirement=pinned)
    if key_name(key) != suite.algorithm.name:
        raise SignatureError(Flaw.WRONG_KEY, f"signature method {uri} with a {key_name(key)} key")
    return suite


def _value(signature: SignatureType, algorithm: Algorithm) -> bytes:
    value = signature.SignatureValue.value
    if len(value) != algorithm.signature_length:
        reason = f"{len(value)} octets where {algorithm.name} gives {algorithm.signature_length}"
        raise SignatureError(Flaw.MALFORMED_VALUE, reason)
    if algorithm.order is not None:
        half = algorithm.signature_length // 2
        for name, number in (("r", int.from_bytes(value[:half], "big")), ("s", int.from_bytes(value[half:], "big"))):
            if not 0 < number < algorithm.order:
                raise SignatureError(Flaw.MALFORMED_VALUE, f"{name} is {'zero' if number == 0 else 'not below the order of the curve'}")
    return value


def _references(info: SignedInfoType, ids: Sequence[str]) -> list[ReferenceType]:
    """The references in the order of the elements: each element once, and no other."""
    uris = [reference.URI for reference in info.Reference]
    wanted = [f"#{found}" for found in ids]
    if sorted(uri or "" for uri in uris) != sorted(wanted):
        shown = ", ".join(repr(uri)[:40] for uri in uris)
        raise SignatureError(Flaw.REFERENCES, f"it refers to {shown} where exactly {', '.join(wanted)} must be signed")
    return [info.Reference[uris.index(uri)] for uri in wanted]


def _cited_2(suite: Suite, requirement: str) -> str | None:
    """A requirement of -2, where its suite signs."""
    return requirement if suite.algorithm.name in ISO2 else None


def _digest(octets: bytes, reference: ReferenceType, suite: Suite) -> bytes:
    transforms = reference.Transforms.Transform if reference.Transforms else ()
    for transform in transforms:
        if transform.Algorithm != CANONICAL_EXI or transform.XPath or len(transforms) > 1:
            named = ", ".join(one.Algorithm[:80] for one in transforms)
            raise SignatureError(
                Flaw.TRANSFORM, f"{named}: only one, {CANONICAL_EXI}, may be named", requirement=_cited_2(suite, "V2G2-767")
            )
    if reference.DigestMethod.Algorithm != suite.digest_uri:
        raise SignatureError(Flaw.ALGORITHM, f"digest method {reference.DigestMethod.Algorithm[:80]!r} where {suite.digest_uri} is due")
    digest = hashlib.new(suite.digest, octets).digest()
    if not hmac.compare_digest(digest, reference.DigestValue):
        raise SignatureError(Flaw.DIGEST, f"{reference.URI} was changed after signing: its digest is {digest.hex()[:16]}…")
    return digest
