"""The messages of OpenADR 2.0b that a VEN says and hears, as XML. What is heard is bounded, and may declare nothing of its own."""

from collections.abc import Iterable, Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

from v2gkit.grid.faults import GridFault, Trouble, quoted

NS: Final = {
    "oadr": "http://openadr.org/oadr-2.0b/2012/07",
    "ei": "http://docs.oasis-open.org/ns/energyinterop/201110",
    "pyld": "http://docs.oasis-open.org/ns/energyinterop/201110/payloads",
    "xcal": "urn:ietf:params:xml:ns:icalendar-2.0",
    "strm": "urn:ietf:params:xml:ns:icalendar-2.0:stream",
    "scale": "http://docs.oasis-open.org/ns/emix/2011/06/siscale",
}
LARGEST: Final = 1_048_576  # octets of a message: a hundred events of a hundred intervals
VERSION: Final = "2.0b"


def name(short: str) -> str:
    """The full name of an element, as ElementTree has it, from one as `ei:venID`."""
    prefix, _, local = short.partition(":")
    return f"{{{NS[prefix]}}}{local}"


# --- heard ---


def read(octets: bytes) -> Element:
    """The message in a payload, e.g. an oadrDistributeEvent. Raises GridFault for what is none, and for one with a document type."""
    if len(octets) > LARGEST:
        raise GridFault(Trouble.HUGE, f"a message of {len(octets)} octets; at most {LARGEST} are taken")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GridFault(Trouble.MALFORMED, f"octet {error.start} of the message is no UTF-8") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities could make much of little, and read files
        raise GridFault(Trouble.MALFORMED, "the message declares a document type; OpenADR has none")
    try:
        payload = fromstring(text)  # noqa: S314 - without entities it is as large as it looks
    except (ParseError, ValueError) as error:
        raise GridFault(Trouble.MALFORMED, f"the message is no XML: {quoted(error)}") from None
    signed = payload.find("oadr:oadrSignedObject", NS)
    if payload.tag != name("oadr:oadrPayload") or signed is None or len(signed) != 1:
        raise GridFault(Trouble.MALFORMED, f"{quoted(payload.tag)} is no oadrPayload with one message in it")
    return signed[0]


def kind_of(message: Element) -> str:
    """The name of a message without its namespace."""
    return message.tag.rpartition("}")[2]


def text_of(element: Element, path: str, otherwise: str | None = None) -> str:
    """The text of the element at a path; `otherwise` where there is none, GridFault where that is None."""
    found = element.find(path, NS)
    text = (found.text or "").strip() if found is not None else ""
    if text:
        return text
    if otherwise is None:
        raise GridFault(Trouble.MALFORMED, f"{kind_of(element)} has no {path.rpartition(':')[2]}")
    return otherwise


def all_of(element: Element, path: str) -> list[Element]:
    """Every element at a path."""
    return element.findall(path, NS)


def demand_well(message: Element, *kinds: str) -> None:
    """Raise GridFault unless a message is one of these kinds, and says of what it answers that it was well."""
    if kind_of(message) not in kinds:
        raise GridFault(Trouble.MALFORMED, f"{quoted(kind_of(message))} came where {' or '.join(kinds)} was awaited")
    response = message.find("ei:eiResponse", NS)
    code = "200" if response is None else text_of(response, "ei:responseCode")
    if not code.startswith("2"):
        said = text_of(response, "ei:responseDescription", "") if response is not None else ""
        raise GridFault(Trouble.DENIED, f"{kind_of(message)} says {quoted(code)}, {quoted(said)}")


# --- said ---


def _written(message: Element) -> bytes:
    payload = Element(name("oadr:oadrPayload"))
    SubElement(payload, name("oadr:oadrSignedObject")).append(message)
    octets: bytes = tostring(payload, encoding="utf-8", xml_declaration=True)
    return octets


def _message(kind: str, fields: Iterable[tuple[str, str]]) -> Element:
    message = Element(name(f"oadr:{kind}"), {name("ei:schemaVersion"): VERSION})
    for short, text in fields:
        SubElement(message, name(short)).text = text
    return message


def registration(ven_name: str, request_id: str) -> bytes:
    """An oadrCreatePartyRegistration of a VEN that pulls by simple HTTP."""
    fields = (
        ("pyld:requestID", request_id),
        ("oadr:oadrProfileName", VERSION),
        ("oadr:oadrTransportName", "simpleHttp"),
        ("oadr:oadrReportOnly", "false"),
        ("oadr:oadrXmlSignature", "false"),
        ("oadr:oadrVenName", ven_name),
        ("oadr:oadrHttpPullModel", "true"),
    )
    return _written(_message("oadrCreatePartyRegistration", fields))


def poll(ven_id: str) -> bytes:
    """An oadrPoll of a VEN, as octets."""
    return _written(_message("oadrPoll", (("ei:venID", ven_id),)))


def request_events(ven_id: str, request_id: str) -> bytes:
    """An oadrRequestEvent, which is answered with every event that is pending or active."""
    message = _message("oadrRequestEvent", ())
    request = SubElement(message, name("pyld:eiRequestEvent"))
    SubElement(request, name("pyld:requestID")).text = request_id
    SubElement(request, name("ei:venID")).text = ven_id
    return _written(message)


def created_events(ven_id: str, answers: Iterable[tuple[str, str, str, str]]) -> bytes:
    """An oadrCreatedEvent: for each event its requestID, eventID, modificationNumber, and optIn or optOut."""
    message = _message("oadrCreatedEvent", ())
    created = SubElement(message, name("pyld:eiCreatedEvent"))
    response = SubElement(created, name("ei:eiResponse"))
    SubElement(response, name("ei:responseCode")).text = "200"
    SubElement(response, name("pyld:requestID"))
    responses = SubElement(created, name("ei:eventResponses"))
    for fields in _responses(answers):
        each = SubElement(responses, name("ei:eventResponse"))
        for path, text in fields:
            parent = each
            *above, last = path.split("/")
            for short in above:
                found = parent.find(short, NS)
                parent = SubElement(parent, name(short)) if found is None else found
            SubElement(parent, name(last)).text = text
    SubElement(created, name("ei:venID")).text = ven_id
    return _written(message)


def _responses(answers: Iterable[tuple[str, str, str, str]]) -> Iterator[tuple[tuple[str, str], ...]]:
    for request_id, event_id, number, opt in answers:
        yield (
            ("ei:responseCode", "200"),
            ("pyld:requestID", request_id),
            ("ei:qualifiedEventID/ei:eventID", event_id),
            ("ei:qualifiedEventID/ei:modificationNumber", number),
            ("ei:optType", opt),
        )
