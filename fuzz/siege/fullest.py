"""The largest messages that the schema admits: every list full, every number and string at its longest."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from v2g.exi import values
from v2g.exi.codec import encode
from v2g.exi.schema import Choice, Field, Sequence, Type, fields, model
from v2g.iso20 import frames
from v2g.iso20.limits import BOUNDS
from v2g.iso20.sequence import REQUESTS
from v2g.messages import schema_set, xmldsig

UNBOUNDED: Final = 100  # characters or octets of a value that the schema does not limit


NO_LISTS: Final[Mapping[tuple[type[Type], str], int]] = {}


def fullest(cls: type[Type], name: str, signature: Any, lists: Mapping[tuple[type[Type], str], int] = NO_LISTS) -> Any:
    """The largest instance that we can think of: lists full, numbers and strings at their longest, the larger of alternatives.

    `lists` says how many entries a list has that the schema does not bound.
    """
    held: dict[str, Any] = {}
    for field in fields(cls):
        if field.name == "Signature":
            held[field.name] = signature
            continue
        options = [_widest(content, name, signature, lists) for content in _contents(field, name)]
        widest = max(options, key=_weight)
        most = BOUNDS.of(cls, field.name)
        many = lists.get((cls, field.name), field.maximum) if most is None else most
        held[field.name] = (widest,) * (many or 1) if field.repeated else widest
    for left_out in _left_out(model(cls), held):
        held[left_out] = () if isinstance(held[left_out], tuple) else None
    return cls(**held)


def _contents(field: Field, name: str) -> list[Any]:
    content: Any = field.content
    if isinstance(content, tuple):
        return list(content)
    if values.is_complex(content) and field.reference:
        return [e.type for e in schema_set(name).substitutes(field.name) if not e.type.__dict__.get("__abstract__")]
    return [content]


def _widest(content: Any, name: str, signature: Any, lists: Mapping[tuple[type[Type], str], int]) -> Any:
    if values.is_complex(content):
        return fullest(content, name, signature, lists)
    shape = values.representation(content)
    match shape.kind:
        case "boolean" | "enumeration":
            return shape.members[-1]
        case "binary":
            return b"\xff" * (UNBOUNDED if content.max_length is None else content.max_length)
        case "string":
            return "X" * (UNBOUNDED if content.max_length is None else content.max_length)
    return 2**160 if content.maximum is None else content.maximum


def _weight(value: Any) -> int:
    if isinstance(value, Type):
        return sum(_weight(getattr(value, field.name)) + 1 for field in fields(type(value)))
    if isinstance(value, tuple):
        return sum(map(_weight, value))
    return (
        len(value) if isinstance(value, str | bytes) else 0 if value is None else 1 + (value.bit_length() // 7 if type(value) is int else 0)
    )


def _left_out(particle: Any, held: dict[str, Any]) -> Iterator[str]:
    """Of alternatives the lighter ones."""
    inner = particle.particles if isinstance(particle, Choice | Sequence) else ()
    if isinstance(particle, Choice):
        names = [one for one in inner if isinstance(one, str)]
        yield from sorted(names, key=lambda one: _weight(held[one]))[:-1]
        return
    for one in inner:
        yield from _left_out(one, held)


def signature() -> Any:
    """What a message of ours carries: one reference, and the longest hash and signature of the standard."""
    reference = xmldsig.ReferenceType(
        URI="#" + "x" * 40,
        Transforms=xmldsig.TransformsType(Transform=(xmldsig.TransformType(Algorithm="http://www.w3.org/TR/canonical-exi/"),)),
        DigestMethod=xmldsig.DigestMethodType(Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"),
        DigestValue=bytes(64),
    )
    info = xmldsig.SignedInfoType(
        CanonicalizationMethod=xmldsig.CanonicalizationMethodType(Algorithm="http://www.w3.org/TR/canonical-exi/"),
        SignatureMethod=xmldsig.SignatureMethodType(Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"),
        Reference=(reference,),
    )
    return xmldsig.SignatureType(SignedInfo=info, SignatureValue=xmldsig.SignatureValueType(value=bytes(132)))


def filled(cls: type[Type]) -> tuple[Any, bytes]:
    """The largest message of a class, and its octets; a request is signed."""
    name = frames.SETS[frames.payload_type_of(cls)]
    message = fullest(cls, name, signature() if issubclass(cls, tuple(REQUESTS)) else None)
    return message, encode(message, schema_set(name))
