"""What a stranger's octets cost, and how a message travels in its envelope."""

from typing import Any

import pytest

from fuzz.siege.fullest import fullest, signature
from tests.v2g.exi.test_engines import counted
from tests.v2g.iso2.captured import needs_captures, sessions
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type
from v2g.iso2.generation import ISO2
from v2g.iso2.limits import ANY_OTHER, LIMITS, REQUEST
from v2g.iso2.sequence import REQUESTS, RESPONSES
from v2g.messages import schema_set
from v2g.messages.iso2.msg_body import BodyType, PowerDeliveryReq, ServiceDetailReq, SessionSetupReq
from v2g.messages.iso2.msg_def import V2G_Message
from v2g.messages.iso2.msg_header import MessageHeaderType
from v2g.session.bounds import NEGOTIATION
from v2g.session.errors import FramingError

ID = b"\x01\x02\x03\x04\x05\x06\x07\x08"


@pytest.mark.parametrize("cls", [cls for cls in LIMITS if cls not in NEGOTIATION], ids=lambda cls: cls.__name__)
def test_the_largest_message_of_the_schema_is_within_its_limit(cls: type[Type]) -> None:
    body = fullest(cls, "iso2", None)
    sent = ISO2.write(body, ID, "main", signature())
    heard = ISO2.read(sent.payload_type, sent.exi, by_car=cls in RESPONSES)
    assert heard.reading.message == body
    assert heard.session_id == ID
    assert heard.signature == signature()
    limit = LIMITS[cls]
    whole = V2G_Message(Header=MessageHeaderType(SessionID=ID, Signature=signature()), Body=BodyType(BodyElement=body))
    assert len(sent.exi) <= limit.octets
    assert counted(whole) <= limit.items
    if limit is not ANY_OTHER:
        assert limit.octets < 2.2 * len(sent.exi), "the number has lost its argument"


@pytest.mark.parametrize("cls", [*REQUESTS, *RESPONSES], ids=lambda cls: cls.__name__)
def test_every_message_comes_out_as_it_went_in(cls: type[Type]) -> None:
    message = least(cls)
    sent = ISO2.write(message, ID)
    heard = ISO2.read(sent.payload_type, sent.exi)
    assert (heard.reading.message, heard.schema_set) == (message, sent.schema_set)
    assert heard.session_id == (None if cls in NEGOTIATION else ID)
    assert heard.signature is None


def test_what_is_longer_than_its_own_message_may_be_is_refused_though_another_might_be() -> None:
    sent = ISO2.write(least(ServiceDetailReq), ID)
    long = sent.exi + bytes(LIMITS[ServiceDetailReq].octets)
    with pytest.raises(DecodeError, match="it has at most 1024"):
        ISO2.read(sent.payload_type, long)
    with pytest.raises(DecodeError, match=f"it has at most {REQUEST.octets}"):
        ISO2.read(sent.payload_type, sent.exi + bytes(REQUEST.octets))


def test_an_envelope_without_a_message_is_none() -> None:
    exi = encode(V2G_Message(Header=MessageHeaderType(SessionID=ID), Body=BodyType()), schema_set("iso2"))
    with pytest.raises(DecodeError, match="no message"):
        ISO2.read(0x8001, exi)
    with pytest.raises(FramingError, match="0x8002"):
        ISO2.read(0x8002, exi)


@needs_captures
def test_every_captured_frame_comes_out_of_its_envelope_and_goes_back() -> None:
    seen: set[type] = set()
    for captured in sessions():
        for each in captured["frames"]:
            exi = bytes.fromhex(each["exi"])
            heard = ISO2.read(int(each["type"], 16), exi, by_car=each["from"] == "station")
            message: Any = heard.reading.message
            seen.add(type(message))
            assert type(message).__name__ == each["message"]
            assert heard.schema_set == each["set"]
            again = ISO2.write(message, heard.session_id or b"", "main", heard.signature)
            assert again.exi == exi or heard.reading.findings
    assert {PowerDeliveryReq, SessionSetupReq} < seen
