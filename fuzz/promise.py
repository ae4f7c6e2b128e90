"""The promise of the codec, in one place: any octets are a message or a DecodeError, and everything that reads them agrees.

verdict = judge(octets, schema_set("dc"))        # raises Broken, or whatever the codec should not have raised
"""

from typing import Literal

from v2g.exi import engine
from v2g.exi.codec import DecodeError, EncodeError, Reading, encode, encode_fragment, read
from v2g.exi.decoder import Decoder
from v2g.exi.explain import explain
from v2g.exi.grammar import SchemaSet
from v2g.exi.json import from_json, to_json
from v2g.exi.reading import Mode, behind
from v2g.exi.xml import from_xml, to_xml

# a message; one with something to report; one for a lenient reader only; none
Verdict = Literal["message", "tolerated", "interop", "refused"]
VERDICTS: tuple[Verdict, ...] = ("message", "tolerated", "interop", "refused")


class Broken(AssertionError):
    """The promise is not kept. The message says which part of it."""


def judge(octets: bytes, schemas: SchemaSet, fragment: bool = False, *, lenient: bool = True, views: bool = False) -> Verdict:
    """What the octets are, after everything that reads them has been held against everything else.

    `lenient` reads them in `interop` mode too, `views` turns a message into XML and JSON and back. Raises Broken.
    """
    reading, refusal = _patient(octets, schemas, fragment, "conformance")
    for name, quick in engine.ENGINES.items():
        if (found := quick.read(octets, schemas, fragment)) is not None:
            _hold(reading is not None, f"the engine {name} takes what the patient walk refuses: {refusal}")
            assert reading is not None
            _hold(found[:2] == (reading.name, reading.message), f"the engine {name} reads {found}, the patient walk {reading}")
            told = (behind(reading.name, len(octets), found[2]),) if found[2] else ()
            _hold(told == reading.findings, f"the engine {name} is silent about {reading.findings}")
    if reading is not None:
        _again(octets, reading, schemas, fragment)
        if views:
            _views(reading, schemas, fragment)
            steps, remark = explain(octets, schemas, fragment=fragment)
            _hold(sum(s.width for s in steps) >= len(octets) * 8 - 8, "the explanation leaves bits out")
            _hold(bool(remark) == bool(reading.findings), f"the explanation remarks {remark}, the findings are {reading.findings}")
        return "tolerated" if reading.findings else "message"
    if not lenient:
        return "refused"
    tolerant, _ = _patient(octets, schemas, fragment, "interop")
    _hold(tolerant is None or bool(tolerant.findings), f"interop mode is silent about {refusal}")
    return "refused" if tolerant is None else "interop"


def _patient(octets: bytes, schemas: SchemaSet, fragment: bool, mode: Mode) -> tuple[Reading | None, DecodeError | None]:
    try:
        return Decoder(octets, schemas, mode).read(fragment), None
    except DecodeError as refusal:
        _hold(bool(refusal.reason), "a refusal without a reason")
        _hold(0 <= refusal.bit <= len(octets) * 8, f"bit {refusal.bit} of {len(octets) * 8}: {refusal}")
        return None, refusal


def _again(octets: bytes, reading: Reading, schemas: SchemaSet, fragment: bool) -> None:
    """A message encodes; what was read without a finding has no other spelling; what was read with one decodes to the same again."""
    try:
        again = encode_fragment(reading.message, schemas, reading.name) if fragment else encode(reading.message, schemas)
    except EncodeError as error:
        raise Broken(f"{reading.message} was decoded and cannot be encoded: {error}") from None
    if not reading.findings:
        _hold(again == octets, f"{reading.message} has the other spelling {again.hex()}, and nothing was reported")
        return
    usual = read(again, schemas, fragment=fragment)
    _hold((usual.name, usual.message, usual.findings) == (reading.name, reading.message, ()), f"{reading.message} comes back as {usual}")


def _views(reading: Reading, schemas: SchemaSet, fragment: bool) -> None:
    """XML and JSON keep the message; XML may decline characters that it has no place for, JSON does not tell namespaces apart."""
    if sum(name.local == reading.name.local for name, _ in schemas.roots(fragment)) == 1:
        told = from_json(to_json(reading.message, schemas, reading.name), schemas, fragment=fragment)
        _hold(told == (reading.message, reading.name), f"JSON makes {told} of {reading}")
    try:
        xml = to_xml(reading.message, schemas, reading.name)
    except EncodeError as error:
        _hold("XML cannot carry" in error.reason, f"no XML of {reading.message}: {error}")
        return
    told = from_xml(xml, schemas, fragment=fragment)
    _hold(told == (reading.message, reading.name), f"XML makes {told} of {reading}")


def _hold(kept: bool, otherwise: str) -> None:
    if not kept:
        raise Broken(otherwise)
