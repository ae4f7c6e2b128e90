"""ISO 15118-2 MsgDef: the envelope."""

from v2g.exi.schema import Type, element
from v2g.messages.iso2.msg_body import BodyType
from v2g.messages.iso2.msg_header import MessageHeaderType

NAMESPACE = "urn:iso:15118:2:2013:MsgDef"
PREFIX = "v2gci_d"
ATTRIBUTES_QUALIFIED = True


@element
class V2G_Message(Type):
    Header: MessageHeaderType
    Body: BodyType
