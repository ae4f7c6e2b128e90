"""The resources of IEEE 2030.5 as XML. What is heard is bounded and may declare nothing of its own; what is said is built from tuples."""

import hashlib
from typing import Final
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, register_namespace, tostring

from v2gkit.grid.faults import GridFault, Trouble, quoted

NS: Final = "urn:ieee:std:2030.5:ns"
AUS: Final = "https://csipaus.org/ns"
AUS_OF: Final = {"1.2": AUS, "1.3": "https://csipaus.org/ns/v1.3"}  # CSIP-AUS, by its version; both are read alike
LARGEST: Final = 1_048_576  # octets of a resource: a list of 255 controls has a fourth of that
TYPE: Final = "application/sep+xml"
Part = tuple[str, "str | int | list[Part]"]
"""A name and its content; a name that begins with csipaus: is of that namespace."""
register_namespace("", NS)
register_namespace("csipaus", AUS)


def read(octets: bytes, *kinds: str) -> Element:
    """The resource in an answer, which must be one of these kinds. Raises GridFault, for a document type as well."""
    if len(octets) > LARGEST:
        raise GridFault(Trouble.HUGE, f"a resource of {len(octets)} octets; at most {LARGEST} are taken")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GridFault(Trouble.MALFORMED, f"octet {error.start} is no UTF-8") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities could make much of little, and read files
        raise GridFault(Trouble.MALFORMED, "it declares a document type; IEEE 2030.5 has none")
    try:
        found = fromstring(text)  # noqa: S314 - without entities it is as large as it looks
    except (ParseError, ValueError) as error:
        raise GridFault(Trouble.MALFORMED, f"no XML: {quoted(error)}") from None
    for element in found.iter():
        if element.tag.startswith(f"{{{AUS_OF['1.3']}}}"):
            element.tag = f"{{{AUS}}}{element.tag.rpartition('}')[2]}"
    if found.tag not in [full(kind) for kind in kinds]:
        raise GridFault(Trouble.MALFORMED, f"{quoted(found.tag)} came where {' or '.join(kinds)} was awaited")
    return found


def full(name: str) -> str:
    """The name of an element as ElementTree has it."""
    return f"{{{AUS}}}{name.removeprefix('csipaus:')}" if name.startswith("csipaus:") else f"{{{NS}}}{name}"


def child(element: Element, *path: str) -> Element | None:
    """The element at a path; None where there is none."""
    found: Element | None = element
    for name in path:
        found = found.find(full(name)) if found is not None else None
    return found


def text(element: Element, *path: str) -> str | None:
    """The text at a path; None where there is none."""
    found = child(element, *path)
    return (found.text or "").strip() if found is not None else None


def number(element: Element, *path: str, otherwise: int | None = None) -> int:
    """The integer at a path. GridFault where it is none, or where it is not there and nothing stands for it."""
    said = text(element, *path)
    if said is None and otherwise is not None:
        return otherwise
    try:
        value = int(said or "")
    except ValueError:
        raise GridFault(Trouble.MALFORMED, f"{'/'.join(path)} is {quoted(said)}; a whole number is wanted") from None
    if abs(value) > 1 << 63:
        raise GridFault(Trouble.MALFORMED, f"{'/'.join(path)} has {len(said or '')} digits")
    return value


def href(element: Element, *path: str) -> str | None:
    """Where a link points to; None without that link."""
    found = child(element, *path)
    return found.get("href") if found is not None else None


def poll_of(element: Element) -> float:
    """After how many s a resource wants to be asked for again: its pollRate, a second to an hour; without one a quarter of an hour."""
    said = element.get("pollRate", "900")
    return float(min(max(int(said), 1), 3_600)) if said.isascii() and said.isdecimal() and len(said) < 10 else 900.0


def malformed(text: str) -> GridFault:
    """The fault of what is no word of this protocol, or not for us."""
    return GridFault(Trouble.MALFORMED, text[:400])


def octets_of(kind: str, parts: list[Part], version: str = "1.2") -> bytes:
    """A resource with these parts, in their order, which is the schema's; `version` is that of CSIP-AUS."""
    root = Element(full(kind))
    _fill(root, parts)
    octets: bytes = tostring(root, "utf-8")
    return octets.replace(f'"{AUS}"'.encode(), f'"{AUS_OF[version]}"'.encode())


def _fill(element: Element, parts: list[Part]) -> None:
    for name, content in parts:
        inner = SubElement(element, full(name))
        if isinstance(content, list):
            _fill(inner, content)
        else:
            inner.text = str(content)


def lfdi_of(der: bytes) -> str:
    """The long form device identifier of a certificate (DER): the first 160 bits of its SHA-256, in hex."""
    return hashlib.sha256(der).hexdigest()[:40].upper()


def sfdi_of(lfdi: str) -> int:
    """The short form of an LFDI: its first 36 bits in decimal, and a digit that makes the sum of all a multiple of ten."""
    number_ = int(lfdi[:9], 16)
    return number_ * 10 + -sum(map(int, str(number_))) % 10
