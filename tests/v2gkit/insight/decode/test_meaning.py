"""What frames mean: by what the station chose, by what decodes where the choice is missing, and no further than octets are worth."""

import pytest

from tests.v2gkit.insight.decode.captures import DIN
from v2g.exi.codec import encode
from v2g.iso20.frames import exi
from v2g.messages import schema_set
from v2g.messages.app_protocol import AppProtocolType, responseCodeType, supportedAppProtocolReq, supportedAppProtocolRes
from v2g.messages.common_messages import SessionSetupReq
from v2g.messages.common_types import MessageHeaderType
from v2g.session.v2gtp import PayloadType
from v2gkit.insight.decode.meaning import INDULGENCE, Indulgence, Interpreter

# of a production car and station of ISO 15118-2, with another vehicle's identity
ISO2 = ("809802000000000000000011d0180923f767649800", "80980207bf2c4e29b7cece91b8")
SETUP = SessionSetupReq(Header=MessageHeaderType(SessionID=bytes(8), TimeStamp=1), EVCCID="WMIV2G")
NAMESPACES = {"din": "urn:din:70121:2012:MsgDef", "iso2": "urn:iso:15118:2:2013:MsgDef", "": "urn:iso:std:iso:15118:-20:DC"}


def negotiated(chosen: int) -> Interpreter:
    """After a negotiation in which the station chose one of the three generations."""
    offers = tuple(
        AppProtocolType(ProtocolNamespace=each, VersionNumberMajor=1, VersionNumberMinor=0, SchemaID=place, Priority=place + 1)
        for place, each in enumerate(NAMESPACES.values())
    )
    answer = supportedAppProtocolRes(ResponseCode=responseCodeType.OK_SuccessfulNegotiation, SchemaID=chosen)
    interpreter = Interpreter()
    for message in (supportedAppProtocolReq(AppProtocol=offers), answer):
        assert interpreter.read(PayloadType.EXI, encode(message, schema_set("app"))).name == type(message).__name__
    return interpreter


@pytest.mark.parametrize(("chosen", "protocol"), list(enumerate(NAMESPACES)))
def test_the_choice_of_the_station_says_the_generation(chosen: int, protocol: str) -> None:
    interpreter = negotiated(chosen)
    assert interpreter.protocol == protocol
    assert interpreter.needs_tls  # -20 was offered


def test_without_a_choice_the_generation_is_guessed_and_kept() -> None:
    for name, frames in (("din", [octets for _, _, octets in DIN[2:]]), ("iso2", ISO2)):
        interpreter = Interpreter()
        for octets in frames:
            assert interpreter.read(PayloadType.EXI, bytes.fromhex(octets)).set == name
        assert interpreter.protocol == name
        assert not interpreter.needs_tls


def test_names_are_those_of_the_elements_in_the_body() -> None:
    found = Interpreter().read(PayloadType.EXI, bytes.fromhex(ISO2[0]))
    assert (found.set, found.name, found.by_car) == ("iso2", "SessionSetupReq", True)
    found = Interpreter().read(PayloadType.COMMON, exi(SETUP))
    assert (found.set, found.name, found.message) == ("common", "SessionSetupReq", SETUP)


def test_what_is_tolerated_is_found() -> None:
    found = Interpreter().read(PayloadType.COMMON, exi(SETUP) + b"\0")
    assert found.name == "SessionSetupReq"
    assert "follows the end" in found.findings[0]


@pytest.mark.parametrize(
    ("payload_type", "octets", "error"),
    [
        (0x7777, b"\x80", "is none of ISO 15118"),
        (0xA001, b"\x80", "of a manufacturer"),
        (PayloadType.SDP_REQUEST, b"\x00\x00", "is an SDP request, which has no place in a stream"),
        (PayloadType.DC, b"", "has no payload"),
        (PayloadType.DC, b"\x80\xff\xff", "bit"),
        (PayloadType.EXI, b"no EXI", "a message in none of"),
    ],
)
def test_what_is_no_message_has_a_reason(payload_type: int, octets: bytes, error: str) -> None:
    found = Interpreter().read(payload_type, octets)
    assert found.message is None
    assert error in found.error


def test_indulgence_is_spent_by_what_is_no_message_and_then_only_the_standard_counts() -> None:
    """A message that is broken where no quick reader gets to costs its octets; after that none is tried in all ways."""
    indulgence = Indulgence()
    broken = b"\x80\xff" + bytes(4094)
    guessing = Interpreter(indulgence)
    assert guessing.read(PayloadType.EXI, bytes.fromhex(ISO2[0])).name == "SessionSetupReq"
    assert guessing.protocol == "iso2"
    for _ in range(INDULGENCE // len(broken)):
        assert Interpreter(indulgence).read(PayloadType.DC, broken).error
    assert indulgence.octets <= 0
    stern = Interpreter(indulgence)
    assert stern.read(PayloadType.EXI, bytes.fromhex(ISO2[0])).name == "SessionSetupReq"
    assert stern.protocol is None  # what fits is taken, and nothing is concluded from it
    assert Interpreter(indulgence).read(PayloadType.COMMON, exi(SETUP)).message == SETUP
