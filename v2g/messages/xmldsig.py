"""XML Signature core schema (W3C xmldsig), as far as a 15118 signature carries it and as its grammars must count it."""

from typing import Annotated

from v2g.exi.schema import (
    ID,
    Attribute,
    Occurs,
    Reference,
    Text,
    Type,
    anyURI,
    base64Binary,
    content,
    element,
    integer,
    mixed,
    one_of,
    sequence,
    string,
    wildcard,
)

NAMESPACE = "http://www.w3.org/2000/09/xmldsig#"
PREFIX = "ds"

CryptoBinary = base64Binary
DigestValueType = base64Binary
HMACOutputLengthType = integer


# --- the signature and what it covers ---


@element("CanonicalizationMethod")
@mixed
@content(wildcard(0, None))
class CanonicalizationMethodType(Type):
    Algorithm: Attribute[anyURI]


@element("SignatureMethod")
@mixed
@content("HMACOutputLength", wildcard(0, None))
class SignatureMethodType(Type):
    Algorithm: Attribute[anyURI]
    HMACOutputLength: HMACOutputLengthType | None = None


@element("Transform")
@mixed
@content(one_of(wildcard(), "XPath", minimum=0, maximum=None))
class TransformType(Type):
    Algorithm: Attribute[anyURI]
    XPath: Annotated[tuple[string, ...], Occurs(0, None)] = ()


@element("Transforms")
class TransformsType(Type):
    Transform: Annotated[tuple[TransformType, ...], Occurs(1, None)]


@element("DigestMethod")
@mixed
@content(wildcard(0, None))
class DigestMethodType(Type):
    Algorithm: Attribute[anyURI]


@element
class DigestValue(Type):
    value: Text[DigestValueType]


@element("Reference")
class ReferenceType(Type):
    Id: Attribute[ID] | None = None
    URI: Attribute[anyURI] | None = None
    Type: Attribute[anyURI] | None = None
    Transforms: TransformsType | None = None
    DigestMethod: DigestMethodType
    DigestValue: Reference[DigestValueType]


@element("SignedInfo")
class SignedInfoType(Type):
    Id: Attribute[ID] | None = None
    CanonicalizationMethod: CanonicalizationMethodType
    SignatureMethod: SignatureMethodType
    Reference: Annotated[tuple[ReferenceType, ...], Occurs(1, None)]


@element("SignatureValue")
class SignatureValueType(Type):
    Id: Attribute[ID] | None = None
    value: Text[base64Binary]


@element("Object")
@mixed
@content(wildcard(0, None))
class ObjectType(Type):
    Id: Attribute[ID] | None = None
    Encoding: Attribute[anyURI] | None = None
    MimeType: Attribute[string] | None = None


@element("Manifest")
class ManifestType(Type):
    Id: Attribute[ID] | None = None
    Reference: Annotated[tuple[ReferenceType, ...], Occurs(1, None)]


@element("SignatureProperty")
@mixed
@content(wildcard(1, None))
class SignaturePropertyType(Type):
    Target: Attribute[anyURI]
    Id: Attribute[ID] | None = None


@element("SignatureProperties")
class SignaturePropertiesType(Type):
    Id: Attribute[ID] | None = None
    SignatureProperty: Annotated[tuple[SignaturePropertyType, ...], Occurs(1, None)]


# --- keys: no 15118 message carries them, their grammars count all the same ---


@element("DSAKeyValue")
@content(sequence("P", "Q", minimum=0), "G", "Y", "J", sequence("Seed", "PgenCounter", minimum=0))
class DSAKeyValueType(Type):
    P: CryptoBinary | None = None
    Q: CryptoBinary | None = None
    G: CryptoBinary | None = None
    Y: CryptoBinary
    J: CryptoBinary | None = None
    Seed: CryptoBinary | None = None
    PgenCounter: CryptoBinary | None = None


@element("RSAKeyValue")
class RSAKeyValueType(Type):
    Modulus: CryptoBinary
    Exponent: CryptoBinary


@element("KeyValue")
@mixed
@content(one_of("DSAKeyValue", "RSAKeyValue", wildcard()))
class KeyValueType(Type):
    DSAKeyValue: DSAKeyValueType | None = None
    RSAKeyValue: RSAKeyValueType | None = None


@element
class KeyName(Type):
    value: Text[string]


@element
class MgmtData(Type):
    value: Text[string]


@element("RetrievalMethod")
class RetrievalMethodType(Type):
    URI: Attribute[anyURI] | None = None
    Type: Attribute[anyURI] | None = None
    Transforms: TransformsType | None = None


class X509IssuerSerialType(Type):
    X509IssuerName: string
    X509SerialNumber: integer


class X509IssuerSerial(X509IssuerSerialType):
    pass


class X509SKI(Type):
    value: Text[base64Binary]


class X509SubjectName(Type):
    value: Text[string]


class X509Certificate(Type):
    value: Text[base64Binary]


class X509CRL(Type):
    value: Text[base64Binary]


@element("X509Data")
@content(one_of("items", wildcard(), maximum=None))
class X509DataType(Type):
    items: tuple[X509IssuerSerial | X509SKI | X509SubjectName | X509Certificate | X509CRL, ...]


@element("PGPData")
@content(one_of(sequence("PGPKeyID", sequence("PGPKeyPacket", minimum=0), wildcard(0, None)), sequence("PGPKeyPacket", wildcard(0, None))))
class PGPDataType(Type):
    PGPKeyID: base64Binary | None = None
    PGPKeyPacket: base64Binary | None = None


@element("SPKIData")
@content(sequence("SPKISexp", wildcard(0, 1), maximum=None))
class SPKIDataType(Type):
    SPKISexp: tuple[base64Binary, ...]


@element("KeyInfo")
@mixed
@content(one_of("items", wildcard(), maximum=None))
class KeyInfoType(Type):
    Id: Attribute[ID] | None = None
    items: tuple[KeyName | KeyValueType | RetrievalMethodType | X509DataType | PGPDataType | SPKIDataType | MgmtData, ...]


@element("Signature")
class SignatureType(Type):
    Id: Attribute[ID] | None = None
    SignedInfo: SignedInfoType
    SignatureValue: SignatureValueType
    KeyInfo: KeyInfoType | None = None
    Object: Annotated[tuple[ObjectType, ...], Occurs(0, None)] = ()
