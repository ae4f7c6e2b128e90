"""What a stranger's octets cost, and how a message travels in its envelope."""

from typing import Any

import pytest

from fuzz.siege.fullest import fullest
from tests.v2g.exi.test_engines import counted
from tests.v2g.iso2.captured import needs_captures, sessions
from v2g.din.generation import DIN
from v2g.din.limits import ANY_OTHER, LIMITS, LISTS, REQUEST
from v2g.din.sequence import REQUESTS, RESPONSES
from v2g.exi.codec import decode, encode
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.exi.schema import Type, fields
from v2g.messages import schema_set
from v2g.messages.din import msg_data_types
from v2g.messages.din.msg_body import PowerDeliveryReq, ServiceDiscoveryReq, SessionSetupReq
from v2g.messages.din.msg_def import BodyType, V2G_Message
from v2g.messages.din.msg_header import MessageHeaderType
from v2g.session.bounds import NEGOTIATION
from v2g.session.errors import FramingError

ID = b"\x01\x02\x03\x04\x05\x06\x07\x08"


@pytest.mark.parametrize("cls", [cls for cls in LIMITS if cls not in NEGOTIATION], ids=lambda cls: cls.__name__)
def test_the_largest_message_of_the_standard_is_within_its_limit(cls: type[Type]) -> None:
    """[V2G-DC-307] [V2G-DC-329] [V2G-DC-634] [V2G-DC-635]: the lists are as long as the standard allows, or longer."""
    body = fullest(cls, "din", None, LISTS)
    sent = DIN.write(body, ID, "main")
    heard = DIN.read(sent.payload_type, sent.exi, by_car=cls in RESPONSES)
    assert heard.reading.message == body
    assert heard.session_id == ID
    limit = LIMITS[cls]
    whole = V2G_Message(Header=MessageHeaderType(SessionID=ID), Body=BodyType(BodyElement=body))
    assert len(sent.exi) <= limit.octets
    assert counted(whole) <= limit.items
    if limit is not ANY_OTHER:
        assert limit.octets < 2.2 * len(sent.exi), "the number has lost its argument"


def test_every_list_of_the_schema_has_a_number() -> None:
    """The schema bounds none of them, so one that is left out would be as long as a stranger likes."""
    types = (each for each in vars(msg_data_types).values() if isinstance(each, type) and issubclass(each, Type))
    assert {(cls, field.name) for cls in types for field in fields(cls) if field.repeated} == set(LISTS)


@pytest.mark.parametrize("cls", [*REQUESTS, *RESPONSES], ids=lambda cls: cls.__name__)
def test_every_message_comes_out_as_it_went_in(cls: type[Type]) -> None:
    message = least(cls)
    sent = DIN.write(message, ID)
    heard = DIN.read(sent.payload_type, sent.exi)
    assert (heard.reading.message, heard.schema_set) == (message, sent.schema_set)
    assert heard.session_id == (None if cls in NEGOTIATION else ID)


def test_what_is_longer_than_its_own_message_may_be_is_refused_though_another_might_be() -> None:
    sent = DIN.write(least(ServiceDiscoveryReq), ID)
    with pytest.raises(DecodeError, match="it has at most 1024"):
        DIN.read(sent.payload_type, sent.exi + bytes(LIMITS[ServiceDiscoveryReq].octets))
    with pytest.raises(DecodeError, match=f"it has at most {REQUEST.octets}"):
        DIN.read(sent.payload_type, sent.exi + bytes(REQUEST.octets))


def test_an_envelope_without_a_message_is_none() -> None:
    exi = encode(V2G_Message(Header=MessageHeaderType(SessionID=ID), Body=BodyType()), schema_set("din"))
    with pytest.raises(DecodeError, match="no message"):
        DIN.read(0x8001, exi)
    with pytest.raises(FramingError, match="0x8002 came, every message of DIN SPEC 70121"):
        DIN.read(0x8002, exi)


@needs_captures
def test_every_captured_frame_comes_out_of_its_envelope_and_goes_back() -> None:
    seen: set[type] = set()
    unread = 0
    for captured in sessions("DIN"):
        for each in captured["frames"]:
            exi = bytes.fromhex(each["exi"])
            if each["set"] is None:  # three responses with an abstract element: nobody's grammar has it
                unread += 1
                with pytest.raises(DecodeError):
                    DIN.read(int(each["type"], 16), exi, by_car=True)
                continue
            heard = DIN.read(int(each["type"], 16), exi, by_car=each["from"] == "station")
            message: Any = heard.reading.message
            seen.add(type(message))
            assert type(message).__name__ == each["message"]
            assert heard.schema_set == each["set"]
            again = DIN.write(message, heard.session_id or b"", "main", heard.signature)
            whole: Any = decode(exi, schema_set(each["set"]))
            notified = getattr(getattr(whole, "Header", None), "Notification", None) is not None  # which nobody here says
            assert again.exi == exi or heard.reading.findings or notified
    assert {PowerDeliveryReq, SessionSetupReq} < seen
    assert unread == 3
