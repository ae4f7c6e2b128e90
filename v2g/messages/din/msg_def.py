"""DIN SPEC 70121 MsgDef: the envelope."""

from v2g.exi.schema import Type, abstract, element
from v2g.messages.din.msg_header import MessageHeaderType

NAMESPACE = "urn:din:70121:2012:MsgDef"
PREFIX = "v2gci_d"


@element("BodyElement")
@abstract
class BodyBaseType(Type):
    pass


class BodyType(Type):
    BodyElement: BodyBaseType | None = None


@element
class V2G_Message(Type):
    Header: MessageHeaderType
    Body: BodyType
