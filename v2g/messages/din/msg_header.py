"""DIN SPEC 70121 MsgHeader."""

from v2g.exi.schema import Type
from v2g.messages.din.msg_data_types import NotificationType, sessionIDType
from v2g.messages.xmldsig import SignatureType

NAMESPACE = "urn:din:70121:2012:MsgHeader"
PREFIX = "v2gci_h"


class MessageHeaderType(Type):
    SessionID: sessionIDType
    Notification: NotificationType | None = None
    Signature: SignatureType | None = None
