"""ISO 15118-2 MsgHeader."""

from v2g.exi.schema import Type
from v2g.messages.iso2.msg_data_types import NotificationType, sessionIDType
from v2g.messages.xmldsig import SignatureType

NAMESPACE = "urn:iso:15118:2:2013:MsgHeader"
PREFIX = "v2gci_h"
ATTRIBUTES_QUALIFIED = True


class MessageHeaderType(Type):
    SessionID: sessionIDType
    Notification: NotificationType | None = None
    Signature: SignatureType | None = None
