"""SupportedAppProtocol (ISO 15118-2 and -20, V2G_CI_AppProtocol): which protocol a session will speak."""

from enum import Enum
from typing import Annotated

from v2g.exi.schema import Integer, Occurs, String, Type, element, unsignedByte, unsignedInt

NAMESPACE = "urn:iso:15118:2:2010:AppProtocol"
PREFIX = "app"
ELEMENTS_QUALIFIED = False

protocolNamespaceType = Annotated[str, String(max_length=100, lexical="anyURI")]
idType = unsignedByte
priorityType = Annotated[int, Integer(1, 20)]


class AppProtocolType(Type):
    ProtocolNamespace: protocolNamespaceType
    VersionNumberMajor: unsignedInt
    VersionNumberMinor: unsignedInt
    SchemaID: idType
    Priority: priorityType


@element
class supportedAppProtocolReq(Type):
    AppProtocol: Annotated[tuple[AppProtocolType, ...], Occurs(1, 20)]


class responseCodeType(Enum):
    OK_SuccessfulNegotiation = "OK_SuccessfulNegotiation"
    OK_SuccessfulNegotiationWithMinorDeviation = "OK_SuccessfulNegotiationWithMinorDeviation"
    Failed_NoNegotiation = "Failed_NoNegotiation"


@element
class supportedAppProtocolRes(Type):
    ResponseCode: responseCodeType
    SchemaID: idType | None = None


protocolNameType = Annotated[str, String(max_length=30)]
