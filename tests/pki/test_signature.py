"""XML signatures: a foreign signer's octets, every way to spoil one, and both grammars of SignedInfo."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.errors import Flaw, SignatureError
from pki.keys import ALGORITHMS
from pki.profiles import Role
from pki.signature import CANONICAL_EXI, GRAMMARS, INTEROP, ISO2, ISO20, SUITES, Grammar, explain, sign, signed_info_octets, verify
from tests.pki.sample_pki import hierarchy
from v2g.exi.codec import decode, decode_fragment, encode, encode_fragment
from v2g.exi.derive import least
from v2g.messages import schema_set
from v2g.messages.common_messages import (
    AuthorizationReq,
    CertificateInstallationReq,
    ContractCertificateChainType,
    PnC_AReqAuthorizationModeType,
    SignedMeteringDataType,
    SubCertificatesType,
)
from v2g.messages.xmldsig import (
    DigestMethodType,
    KeyInfoType,
    KeyName,
    ObjectType,
    SignatureMethodType,
    SignatureType,
    TransformsType,
    TransformType,
)

COMMON = schema_set("common")
FOREIGN: dict[str, str] = json.loads((Path(__file__).parent / "data/iso15118-0.31.2.json").read_text())
CURVES = list(ALGORITHMS)


def mode(curve: str = "secp521r1", **given: Any) -> PnC_AReqAuthorizationModeType:
    leaf, *subs = (one.public_bytes(Encoding.DER) for one in hierarchy(curve)[Role.CONTRACT].chain)
    chain = ContractCertificateChainType(Certificate=leaf, SubCertificates=SubCertificatesType(Certificate=tuple(subs)))
    return PnC_AReqAuthorizationModeType(**({"Id": "id1", "GenChallenge": bytes(16), "ContractCertificateChain": chain} | given))


def key(curve: str = "secp521r1") -> Any:
    return hierarchy(curve)[Role.CONTRACT].key


def changed(value: Any, path: str, new: Any) -> Any:
    """A message with one field replaced, at a dotted path (numbers index tuples)."""
    head, _, rest = path.partition(".")
    if head.isdigit():
        items = list(value)
        items[int(head)] = changed(items[int(head)], rest, new) if rest else new
        return tuple(items)
    return msgspec.structs.replace(value, **{head: changed(getattr(value, head), rest, new) if rest else new})


def flaw(signature: SignatureType | None, element: Any, curve: str = "secp521r1", suites: frozenset[str] = INTEROP) -> Flaw:
    with pytest.raises(SignatureError) as caught:
        verify(signature, [element], key(curve).public_key(), COMMON, suites=suites)
    _, error = explain(signature, [element], key(curve).public_key(), COMMON, suites=suites)
    assert error is not None
    assert error.flaw is caught.value.flaw
    return caught.value.flaw


# --- a foreign signer ---


@pytest.mark.parametrize(
    ("message", "field"), [("authorization", "PnC_AReqAuthorizationMode"), ("installation", "OEMProvisioningCertificateChain")]
)
def test_what_another_stack_signed_verifies(message: str, field: str) -> None:
    request: Any = decode(bytes.fromhex(FOREIGN[message]), COMMON)
    element = getattr(request, field)
    chain = getattr(element, "ContractCertificateChain", element)
    public: Any = x509.load_der_x509_certificate(chain.Certificate).public_key()
    verified = verify(request.Header.Signature, [element], public, COMMON, suites=INTEROP)
    assert (verified.grammar, verified.suite.algorithm.name) == ("xmldsig", "secp256r1")
    with pytest.raises(SignatureError) as caught:
        verify(request.Header.Signature, [element], public, COMMON)
    assert caught.value.flaw is Flaw.ALGORITHM  # -20 itself does not allow this suite


def test_a_foreign_signature_does_not_cover_a_changed_body() -> None:
    request = decode(bytes.fromhex(FOREIGN["authorization"]), COMMON)
    assert isinstance(request, AuthorizationReq)
    body = request.PnC_AReqAuthorizationMode
    assert body is not None
    public: Any = x509.load_der_x509_certificate(body.ContractCertificateChain.Certificate).public_key()
    with pytest.raises(SignatureError) as caught:
        verify(request.Header.Signature, [changed(body, "GenChallenge", bytes(16))], public, COMMON, suites=INTEROP)
    assert caught.value.flaw is Flaw.DIGEST


# --- our own ---


@pytest.mark.parametrize("grammar", GRAMMARS)
@pytest.mark.parametrize("curve", CURVES)
def test_both_grammars_verify_on_every_curve(curve: str, grammar: Grammar) -> None:
    signature = sign([mode(curve)], key(curve), COMMON, grammar=grammar)
    verified = verify(signature, [mode(curve)], key(curve).public_key(), COMMON, suites=INTEROP)
    assert verified.grammar == grammar
    assert len(signature.SignatureValue.value) == {"secp521r1": 132, "ed448": 114, "secp256r1": 64}[curve]


def test_the_two_grammars_differ_by_one_octet() -> None:
    info = sign([mode("secp256r1")], key("secp256r1"), COMMON).SignedInfo
    assert [len(signed_info_octets(info, COMMON, grammar)) for grammar in GRAMMARS] == [209, 210]


def test_the_signature_is_plain_ecdsa_over_signed_info() -> None:
    signature = sign([mode()], key(), COMMON)
    value, octets = signature.SignatureValue.value, encode_fragment(signature.SignedInfo, schema_set("xmldsig"))
    der = encode_dss_signature(int.from_bytes(value[:66], "big"), int.from_bytes(value[66:], "big"))
    key().public_key().verify(der, octets, ec.ECDSA(hashes.SHA512()))
    digest = hashes.Hash(hashes.SHA512())
    digest.update(encode_fragment(mode(), COMMON))
    assert signature.SignedInfo.Reference[0].DigestValue == digest.finalize()


def test_exactly_one_transform_is_sent() -> None:
    (reference,) = sign([mode()], key(), COMMON).SignedInfo.Reference
    assert reference.Transforms is not None
    assert [one.Algorithm for one in reference.Transforms.Transform] == [CANONICAL_EXI]
    assert (reference.URI, reference.Type, reference.Id) == ("#id1", None, None)


def test_a_signature_survives_the_wire() -> None:
    signature = sign([mode()], key(), COMMON)
    header = changed(least(AuthorizationReq).Header, "Signature", signature)
    request = AuthorizationReq(
        Header=header, SelectedAuthorizationService=least(AuthorizationReq).SelectedAuthorizationService, PnC_AReqAuthorizationMode=mode()
    )
    received = decode(encode(request, COMMON), COMMON)
    assert isinstance(received, AuthorizationReq)
    assert received.PnC_AReqAuthorizationMode is not None
    verify(received.Header.Signature, [received.PnC_AReqAuthorizationMode], key().public_key(), COMMON)


def test_four_elements_in_one_signature() -> None:
    elements = [mode(Id=f"id{number}", GenChallenge=bytes([number]) * 16) for number in range(4)]
    signature = sign(elements, key(), COMMON)
    verify(signature, elements, key().public_key(), COMMON)
    verify(signature, list(reversed(elements)), key().public_key(), COMMON)
    assert len(signed_info_octets(signature.SignedInfo, COMMON, "message")) > 512


def test_transforms_may_be_absent() -> None:
    signature = signed_again(changed(sign([mode()], key(), COMMON), "SignedInfo.Reference.0.Transforms", None))
    verify(signature, [mode()], key().public_key(), COMMON)


def signed_again(signature: SignatureType, curve: str = "secp521r1") -> SignatureType:
    """The same SignedInfo with a value that is right for it: what remains wrong is what SignedInfo says."""
    from pki.keys import sign as raw

    return changed(signature, "SignatureValue.value", raw(key(curve), encode_fragment(signature.SignedInfo, schema_set("xmldsig"))))


# --- every way to spoil one; each has its own name ---


def test_nothing_is_no_signature() -> None:
    assert flaw(None, mode()) is Flaw.MISSING


def test_another_key() -> None:
    signature = sign([mode()], ALGORITHMS["secp521r1"].generate(), COMMON)
    assert flaw(signature, mode()) is Flaw.SIGNATURE


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_a_changed_body(grammar: Grammar) -> None:
    signature = sign([mode()], key(), COMMON, grammar=grammar)
    assert flaw(signature, mode(GenChallenge=bytes(15) + b"\x01")) is Flaw.DIGEST


def test_a_digest_that_was_adapted_to_the_changed_body() -> None:
    fresh = sign([mode(GenChallenge=bytes(15) + b"\x01")], ALGORITHMS["secp521r1"].generate(), COMMON)
    old = sign([mode()], key(), COMMON)
    forged = changed(old, "SignedInfo", fresh.SignedInfo)
    assert flaw(forged, mode(GenChallenge=bytes(15) + b"\x01")) is Flaw.SIGNATURE


@pytest.mark.parametrize("uri", [None, "", "#", "id1", "#id2", "#ID1", "#id1 ", "http://example.org/#id1"])
def test_a_reference_to_something_else(uri: str | None) -> None:
    signature = signed_again(changed(sign([mode()], key(), COMMON), "SignedInfo.Reference.0.URI", uri))
    assert flaw(signature, mode()) is Flaw.REFERENCES


def test_wrapping_another_element_under_the_same_id() -> None:
    """The signature is genuine and names id1; what the receiver is about to act on is another element that calls itself id1."""
    original = mode()
    impostor = least(SignedMeteringDataType, Id="id1")
    assert flaw(sign([original], key(), COMMON), impostor) is Flaw.DIGEST


def test_a_second_reference() -> None:
    one = sign([mode()], key(), COMMON)
    doubled = signed_again(changed(one, "SignedInfo.Reference", one.SignedInfo.Reference * 2))
    extra = signed_again(sign([mode(), mode(Id="id2")], key(), COMMON))
    assert flaw(doubled, mode()) is Flaw.REFERENCES
    assert flaw(extra, mode()) is Flaw.REFERENCES


def test_the_same_id_twice_is_refused_on_both_sides() -> None:
    twins = [mode(), mode(GenChallenge=bytes(15) + b"\x01")]
    with pytest.raises(SignatureError) as caught:
        sign(twins, key(), COMMON)
    assert caught.value.flaw is Flaw.REFERENCES
    with pytest.raises(SignatureError) as caught:
        verify(sign([mode()], key(), COMMON), twins, key().public_key(), COMMON)
    assert caught.value.flaw is Flaw.REFERENCES


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "none",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512 ",
    ],
)
def test_a_signature_method_nobody_allows(uri: str) -> None:
    signature = signed_again(changed(sign([mode()], key(), COMMON), "SignedInfo.SignatureMethod", SignatureMethodType(Algorithm=uri)))
    assert flaw(signature, mode()) is Flaw.ALGORITHM


def test_the_suite_of_minus_2_is_a_downgrade_in_minus_20() -> None:
    assert flaw(sign([mode("secp256r1")], key("secp256r1"), COMMON), mode("secp256r1"), "secp256r1", ISO20) is Flaw.ALGORITHM
    assert flaw(sign([mode()], key(), COMMON), mode(), suites=ISO2) is Flaw.ALGORITHM


@pytest.mark.parametrize("other", ["ed448", "secp256r1"])
def test_a_method_that_does_not_fit_the_key(other: str) -> None:
    signature = changed(sign([mode()], key(), COMMON), "SignedInfo.SignatureMethod.Algorithm", SUITES[other].uri)
    assert flaw(signature, mode()) is Flaw.WRONG_KEY


@pytest.mark.parametrize("uri", ["http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmlenc#sha256", ""])
def test_a_weaker_digest(uri: str) -> None:
    method = DigestMethodType(Algorithm=uri)
    signature = signed_again(changed(sign([mode()], key(), COMMON), "SignedInfo.Reference.0.DigestMethod", method))
    assert flaw(signature, mode()) is Flaw.ALGORITHM


def test_another_canonicalization() -> None:
    other = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    signature = signed_again(changed(sign([mode()], key(), COMMON), "SignedInfo.CanonicalizationMethod.Algorithm", other))
    assert flaw(signature, mode()) is Flaw.ALGORITHM


@pytest.mark.parametrize(
    "transforms",
    [
        (TransformType(Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"),),
        (TransformType(Algorithm=CANONICAL_EXI), TransformType(Algorithm=CANONICAL_EXI)),
        (TransformType(Algorithm=CANONICAL_EXI, XPath=("//*",)),),
    ],
)
def test_other_transforms(transforms: tuple[TransformType, ...]) -> None:
    changed_transforms = TransformsType(Transform=transforms)
    signature = signed_again(changed(sign([mode()], key(), COMMON), "SignedInfo.Reference.0.Transforms", changed_transforms))
    assert flaw(signature, mode()) is Flaw.TRANSFORM


ORDER = ALGORITHMS["secp521r1"].order or 0


@pytest.mark.parametrize(
    "value",
    [
        b"",
        bytes(132),
        bytes(66) + b"\x01" * 66,
        b"\x00" + b"\x01" * 65 + bytes(66),
        ORDER.to_bytes(66, "big") + b"\x00" + b"\x01" * 65,
        b"\x00" + b"\x01" * 65 + ORDER.to_bytes(66, "big"),
        b"\xff" * 132,
        b"\x01" * 131,
        b"\x01" * 133,
    ],
    ids=["empty", "zero", "r zero", "s zero", "r = n", "s = n", "all ones", "short", "long"],
)
def test_malformed_values(value: bytes) -> None:
    signature = changed(sign([mode()], key(), COMMON), "SignatureValue.value", value)
    assert flaw(signature, mode()) is Flaw.MALFORMED_VALUE


def test_a_der_signature_is_not_the_raw_one() -> None:
    signature = sign([mode()], key(), COMMON)
    der = key().sign(signed_info_octets(signature.SignedInfo, COMMON, "xmldsig"), ec.ECDSA(hashes.SHA512()))
    assert flaw(changed(signature, "SignatureValue.value", der), mode()) is Flaw.MALFORMED_VALUE


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 131), st.integers(1, 255))
def test_any_changed_octet_of_the_value_is_seen(at: int, mask: int) -> None:
    signature = sign([mode("ed448")], key("ed448"), COMMON)
    value = bytearray(signature.SignatureValue.value)
    value[at % len(value)] ^= mask
    assert flaw(changed(signature, "SignatureValue.value", bytes(value)), mode("ed448"), "ed448") in (Flaw.SIGNATURE, Flaw.MALFORMED_VALUE)


def test_an_element_without_id_cannot_be_signed() -> None:
    with pytest.raises(SignatureError) as caught:
        sign([least(CertificateInstallationReq)], key(), COMMON)
    assert caught.value.flaw is Flaw.REFERENCES


# --- explained ---


def test_explain_shows_every_octet() -> None:
    signature = sign([mode()], key(), COMMON, grammar="message")
    steps, error = explain(signature, [mode()], key().public_key(), COMMON)
    assert error is None
    octets = {step.name: step.octets for step in steps}
    assert decode_fragment(octets["fragment"], COMMON) == mode()
    assert octets["signature value"] == signature.SignatureValue.value
    assert decode_fragment(octets["SignedInfo"], COMMON) == signature.SignedInfo
    assert [step.name for step in steps].count("SignedInfo") == 2  # the stand-alone grammar was tried first


# --- the table of forged signatures: SignedInfo and what stands around it changed without signing anew ---


def _value(signature: SignatureType, value: bytes) -> SignatureType:
    return changed(signature, "SignatureValue.value", value)  # type: ignore[no-any-return]


def _turned(signature: SignatureType) -> SignatureType:
    value, order = signature.SignatureValue.value, ALGORITHMS["secp521r1"].order
    assert order is not None
    return _value(signature, value[:66] + (order - int.from_bytes(value[66:], "big")).to_bytes(66, "big"))


def _info(path: str, new: Any) -> Any:
    return lambda signature: changed(signature, f"SignedInfo.{path}", new)


REFERENCE = "SignedInfo.Reference.0"
FORGED: dict[str, tuple[Any, Flaw | None]] = {
    "untouched": (lambda signature: signature, None),
    "(r, n-s)": (_turned, None),  # the other form of the same signature: a verifier that minds it refuses half of all signers
    "KeyInfo added": (
        lambda signature: changed(signature, "KeyInfo", KeyInfoType(items=(KeyName(value="somebody"),))),
        None,
    ),  # never looked at
    "Object added": (lambda signature: changed(signature, "Object", (ObjectType(),)), None),  # likewise
    "Id of the signature": (lambda signature: changed(signature, "Id", "id1"), None),  # what is signed is asked by value, not sought by Id
    "Id of SignedInfo": (_info("Id", "id1"), Flaw.SIGNATURE),
    "Id of the value": (lambda signature: changed(signature, "SignatureValue.Id", "id1"), None),
    "Id of the reference": (_info("Reference.0.Id", "x"), Flaw.SIGNATURE),
    "Type of the reference": (_info("Reference.0.Type", "http://example.org"), Flaw.SIGNATURE),
    "no URI": (_info("Reference.0.URI", None), Flaw.REFERENCES),
    "another URI": (_info("Reference.0.URI", "#id2"), Flaw.REFERENCES),
    "no reference": (_info("Reference", ()), Flaw.REFERENCES),
    "no transforms": (_info("Reference.0.Transforms", None), Flaw.SIGNATURE),
    "another transform": (_info("Reference.0.Transforms", TransformsType(Transform=(TransformType(Algorithm="urn:x"),))), Flaw.TRANSFORM),
    "another digest": (_info("Reference.0.DigestValue", bytes(64)), Flaw.DIGEST),
    "digest cut": (_info("Reference.0.DigestValue", bytes(32)), Flaw.DIGEST),
    "another digest method": (
        _info("Reference.0.DigestMethod", DigestMethodType(Algorithm="http://www.w3.org/2001/04/xmlenc#sha256")),
        Flaw.ALGORITHM,
    ),
    "suite of -2": (
        _info("SignatureMethod", SignatureMethodType(Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")),
        Flaw.WRONG_KEY,
    ),
    "suite of Ed448": (
        _info("SignatureMethod", SignatureMethodType(Algorithm="http://www.w3.org/2021/04/xmldsig-more#eddsa-ed448")),
        Flaw.WRONG_KEY,
    ),
    "HMAC length": (
        lambda signature: changed(signature, "SignedInfo.SignatureMethod.HMACOutputLength", 8),
        Flaw.ALGORITHM,
    ),
    "another canonicalization": (
        _info("CanonicalizationMethod.Algorithm", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        Flaw.ALGORITHM,
    ),
    "r zero": (lambda signature: _value(signature, bytes(66) + signature.SignatureValue.value[66:]), Flaw.MALFORMED_VALUE),
    "s zero": (lambda signature: _value(signature, signature.SignatureValue.value[:66] + bytes(66)), Flaw.MALFORMED_VALUE),
    "r of all ones": (lambda signature: _value(signature, b"\xff" * 66 + signature.SignatureValue.value[66:]), Flaw.MALFORMED_VALUE),
    "r and s exchanged": (
        lambda signature: _value(signature, signature.SignatureValue.value[66:] + signature.SignatureValue.value[:66]),
        Flaw.SIGNATURE,
    ),
    "value cut": (lambda signature: _value(signature, signature.SignatureValue.value[:-1]), Flaw.MALFORMED_VALUE),
    "value longer": (lambda signature: _value(signature, signature.SignatureValue.value + b"\0"), Flaw.MALFORMED_VALUE),
    "empty value": (lambda signature: _value(signature, b""), Flaw.MALFORMED_VALUE),
}


@pytest.mark.parametrize("name", FORGED)
def test_every_forged_signature_gets_its_verdict(name: str) -> None:
    forge, verdict = FORGED[name]
    genuine = sign([mode()], key(), COMMON)
    forged = forge(genuine)
    assert (forged == genuine) is (name == "untouched")
    if verdict is None:
        assert verify(forged, [mode()], key().public_key(), COMMON).public_key == key().public_key()
    else:
        assert flaw(forged, mode()) is verdict
