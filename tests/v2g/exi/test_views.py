"""XML and JSON as people and other tools write them: what is taken, and what is refused with which words."""

import json

import pytest

from v2g.exi.codec import encode, encode_fragment
from v2g.exi.derive import least
from v2g.exi.errors import EncodeError
from v2g.exi.explain import explain, table
from v2g.exi.json import from_json, to_json
from v2g.exi.xml import from_xml, to_xml
from v2g.messages import common_messages, dc, schema_set, xmldsig
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.common_types import MessageHeaderType
from v2g.messages.iso2.msg_data_types import EMAIDType

DC = schema_set("dc")
CHECK = dc.DC_CableCheckReq(Header=MessageHeaderType(SessionID=bytes(range(8)), TimeStamp=7))
NAMESPACES = 'xmlns:dc="urn:iso:std:iso:15118:-20:DC" xmlns:ct="urn:iso:std:iso:15118:-20:CommonTypes"'
SESSION = "<ct:SessionID>0001020304050607</ct:SessionID>"
TIME = "<ct:TimeStamp>7</ct:TimeStamp>"


def check(header: str = SESSION + TIME, before: str = "", attributes: str = "") -> str:
    return f"{before}<dc:DC_CableCheckReq {NAMESPACES}{attributes}><ct:Header>{header}</ct:Header></dc:DC_CableCheckReq>"


@pytest.mark.parametrize(
    "xml",
    [
        check(),
        check(f"\n  {SESSION}\n  <!-- now -->{TIME}\n"),
        check(f"<ct:SessionID>\n 0001020304050607 </ct:SessionID>{TIME}"),
        check(f"{SESSION}<ct:TimeStamp> +07\n</ct:TimeStamp>"),
        check(before='<?xml version="1.0" encoding="UTF-8"?><?tool hint?>'),
        check(attributes=' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"'),
        check().replace("dc:", "x:").replace(":dc=", ":x="),
    ],
)
def test_xml_that_says_the_same(xml: str) -> None:
    for given in (xml, xml.encode()):
        assert from_xml(given, DC)[0] == CHECK


REFUSED_XML = [
    ("no xml", "not XML"),
    ("", "not XML"),
    ("<a>" * 300, "not XML"),
    (check(before="<!DOCTYPE x [<!ENTITY e 'f'>]>"), "document type declaration"),
    (check(before="<!DOCTYPE x SYSTEM 'http://127.0.0.1/x'>"), "document type declaration"),
    ("<DC_CableCheckReq/>", "no global element"),
    (check(TIME + SESSION), "TimeStamp where SessionID is expected"),
    (check(SESSION), "incomplete: TimeStamp is expected"),
    (check(SESSION + SESSION + TIME), "SessionID where TimeStamp is expected"),
    (check(SESSION + TIME + "<ct:More/>"), "More where Signature or end is expected"),
    (check("words" + SESSION + TIME), "text 'words' where only elements are expected"),
    (check(SESSION + TIME, attributes=' Id="a"'), "Id where Header is expected"),
    (check(f"<ct:SessionID>00010203</ct:SessionID>{TIME}"), "4 octets are fewer than the 8 required"),
    (check(f"<ct:SessionID>xy</ct:SessionID>{TIME}"), "'xy' is no bytes"),
    (check(f"<ct:SessionID><ct:a/></ct:SessionID>{TIME}"), "elements where a simple value is expected"),
    (check(f"{SESSION}<ct:TimeStamp>seven</ct:TimeStamp>"), "'seven' is no int"),
    (check(f"{SESSION}<ct:TimeStamp>{'9' * 5000}</ct:TimeStamp>"), "is no int"),
    (check(f"{SESSION}<ct:TimeStamp>-1</ct:TimeStamp>"), "below the minimum 0"),
    (check(f"{SESSION}<ct:TimeStamp/>"), "'' is no int"),
]


@pytest.mark.parametrize(("xml", "reason"), REFUSED_XML, ids=[r for _, r in REFUSED_XML])
def test_xml_that_is_no_message(xml: str, reason: str) -> None:
    with pytest.raises(EncodeError, match=reason):
        from_xml(xml, DC)


def test_the_error_in_xml_has_a_path() -> None:
    with pytest.raises(EncodeError) as raised:
        from_xml(check(f"{SESSION}<ct:TimeStamp>-1</ct:TimeStamp>"), DC)
    assert raised.value.path == ("DC_CableCheckReq", "Header", "TimeStamp")


def test_either_revision_of_the_app_protocol_schema() -> None:
    offer = AppProtocolType(ProtocolNamespace="urn:x", VersionNumberMajor=1, VersionNumberMinor=0, SchemaID=1, Priority=1)
    message = supportedAppProtocolReq(AppProtocol=(offer,))
    unqualified = to_xml(message, schema_set("app"))
    qualified = unqualified.replace("<AppProtocol", "<app:AppProtocol").replace("</AppProtocol", "</app:AppProtocol")
    for name in ("ProtocolNamespace", "VersionNumberMajor", "VersionNumberMinor", "SchemaID", "Priority"):
        qualified = qualified.replace(f"<{name}>", f"<app:{name}>").replace(f"</{name}>", f"</app:{name}>")
    assert qualified != unqualified
    assert from_xml(qualified, schema_set("app"))[0] == from_xml(unqualified, schema_set("app"))[0] == message


def test_a_character_that_xml_cannot_carry() -> None:
    method = xmldsig.DigestMethodType(Algorithm="a\0b")
    assert encode(method, schema_set("xmldsig"))
    with pytest.raises(EncodeError, match="holds a character that XML cannot carry"):
        to_xml(method, schema_set("xmldsig"))


def test_text_keeps_its_white_space() -> None:
    for text in (" a\tb ", "line\nline\r", "<&>\"'", "ä€𝄞"):
        name = xmldsig.KeyName(value=text)
        assert from_xml(to_xml(name, schema_set("xmldsig")), schema_set("xmldsig"))[0] == name


def test_an_element_that_is_not_global_is_named() -> None:
    emaid = EMAIDType(Id="a", value="DEABCC123ABC56")
    xml = to_xml(emaid, schema_set("iso2"))
    again, name = from_xml(xml, schema_set("iso2"), fragment=True)
    assert again == emaid
    assert encode_fragment(again, schema_set("iso2"), name)
    with pytest.raises(EncodeError, match="no global element"):
        from_xml(xml, schema_set("iso2"))


REFUSED_JSON = [
    ("{", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("[]", "an object of one key"),
    ("{}", "an object of one key"),
    ('{"Nothing": {}}', "Nothing is no global element"),
    ('{"DC_CableCheckReq": []}', "an object is expected"),
    ('{"DC_CableCheckReq": {}}', "Header"),
    ('{"DC_CableCheckReq": {"Header": {"SessionID": 5, "TimeStamp": 1}}}', "5 is no string"),
    ('{"DC_CableCheckReq": {"Header": {"SessionID": "0001020304050607", "TimeStamp": true}}}', "True is no int"),
    ('{"DC_CableCheckReq": {"Header": {"SessionID": "0001020304050607", "TimeStamp": 1, "More": 1}}}', "More is none of"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED_JSON, ids=[t[:20] for t, _ in REFUSED_JSON])
def test_json_that_is_no_message(text: str, reason: str) -> None:
    with pytest.raises(EncodeError, match=reason):
        from_json(text, DC)


def test_json_names_the_member_of_a_substitution_group() -> None:
    request = least(dc.DC_ChargeLoopReq)
    document = json.loads(to_json(request, DC))
    assert document["DC_ChargeLoopReq"]["Scheduled_DC_CLReqControlMode"]["EVTargetCurrent"] == {"Exponent": 0, "Value": 0}
    assert from_json(json.dumps(document), DC)[0] == request
    document["DC_ChargeLoopReq"]["CLReqControlMode"] = document["DC_ChargeLoopReq"].pop("Scheduled_DC_CLReqControlMode")
    with pytest.raises(EncodeError, match="is none of"):
        from_json(json.dumps({"DC_ChargeLoopReq": document["DC_ChargeLoopReq"]}), DC)


def test_json_holds_choices_to_the_schema() -> None:
    schemas = schema_set("common")
    document = json.loads(to_json(least(common_messages.AuthorizationReq), schemas))
    document["AuthorizationReq"]["PnC_AReqAuthorizationMode"] = json.loads(
        to_json(least(common_messages.PnC_AReqAuthorizationModeType, Id="a"), schemas)
    )["PnC_AReqAuthorizationMode"]
    with pytest.raises(EncodeError, match="has no place here"):
        from_json(json.dumps(document), schemas)


def test_explain_tells_bits_names_and_values() -> None:
    steps, remark = explain(encode(CHECK, DC), DC)
    text = "\n".join(table(encode(CHECK, DC), steps))
    assert remark is None
    assert "document DC_CableCheckReq 11" in text
    assert "binary 0001020304050607" in text
    assert "SE Header" in text
