"""`v2g exi`: EXI messages on the command line."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import exi_guess
from lab.output import put
from v2g.exi import derive, explain
from v2g.exi import dialect as dialects
from v2g.exi import json as exi_json
from v2g.exi.codec import Reading, encode, encode_fragment, read, read_first
from v2g.exi.decoder import BEHIND, Mode
from v2g.exi.errors import EncodeError, ExiError
from v2g.exi.grammar import SchemaSet
from v2g.exi.schema import declared_elements
from v2g.messages import MODULES, schema_set

DIALECTS = {d.name.lower(): d for d in dialects.DIALECTS}

EXAMPLES = """examples:
  v2g exi decode 8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040
  v2g exi decode --set dc message.exi            a file of octets or of hex; - is standard input
  v2g exi encode --set dc message.xml            XML in, hex out
  v2g exi decode --jsonl < lines > xml           many at once: {"id", "set", "exi", "fragment"} -> {"id", "root", "xml"}
  v2g exi encode --jsonl < lines > exi           {"id", "set", "xml", "fragment"} -> {"id", "exi"}
  v2g exi decode --set acdp --either 8004...     in whatever dialect it fits
  v2g exi explain --set dc 802c...               the bit stream, event by event
  v2g exi json --set dc 802c...                  JSON of a message; given JSON, the message
  v2g exi describe DC_ChargeLoopReq              what a type consists of

A line of --jsonl that is no message answers {"id", "error"} and never stops the stream.
exit codes: 0 well, 1 no message, 2 wrong usage
"""


def register(subparsers: Any) -> None:
    """Add the `exi` command to the parsers of `v2g`."""
    parser = subparsers.add_parser("exi", help="decode, encode and explain EXI", epilog=EXAMPLES)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    decode = _verb(verbs, "decode", "octets to XML, or JSON with --json", _decode)
    encoding = _verb(verbs, "encode", "XML to octets", _encode)
    explaining = _verb(verbs, "explain", "the bit stream event by event", _explain)
    converting = _verb(verbs, "json", "octets to JSON, or JSON to octets", _json)
    for verb in (decode, encoding):
        verb.add_argument("--jsonl", action="store_true", help="lines of JSON from standard input, one answer each, in order")
    for verb in (decode, explaining, converting):
        verb.add_argument("--phase", choices=("handshake", "session"), help="helps to guess the set: 0x8001 carries both")
    for verb in (decode, encoding, explaining):
        verb.add_argument("--dialect", choices=tuple(DIALECTS), default="schema", help="what family of encoders the octets are for or from")
    decode.add_argument("--either", action="store_true", help="try the other dialects if this one does not fit, and say which did")
    for verb in (decode, explaining):
        verb.add_argument("--mode", choices=("conformance", "interop"), default="conformance", help="interop tolerates values out of range")
        verb.add_argument("--json", action="store_true", help="one JSON document for machines")
    describing = verbs.add_parser("describe", help="what a type consists of", epilog=EXAMPLES)
    describing.add_argument("type", help="an element or type of the schema, such as DC_ChargeLoopReq")
    describing.add_argument("--set", choices=tuple(MODULES), help="schema set (default: all that have it)")
    describing.set_defaults(func=_describe)


def _verb(verbs: Any, name: str, description: str, action: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=description, description=description, epilog=EXAMPLES)
    verb.add_argument("message", nargs="?", help="the message itself, a file, or - for standard input")
    verb.add_argument("--set", choices=tuple(MODULES), help="schema set (guessed if not given)")
    verb.add_argument("--fragment", action="store_true", help="a fragment, as it is signed, instead of a document")
    verb.set_defaults(func=lambda options: _guarded(action, options))
    return verb


def _guarded(action: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    try:
        if not options.message and not getattr(options, "jsonl", False):
            raise UsageError("a message, a file or - is expected, or --jsonl")
        return action(options)
    except UsageError as error:
        print(f"v2g exi: {error}", file=sys.stderr)
        return 2
    except (ExiError, OSError) as error:
        print(f"v2g exi: {error}", file=sys.stderr)
        return 1


class UsageError(Exception):
    """The command line asks for what cannot be."""


# --- one message ---


def _given(argument: str) -> bytes:
    """What the argument stands for: standard input, a file, or itself."""
    if argument == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(argument).read_bytes()
    except (OSError, ValueError):  # no file of that name, or no name at all
        return argument.encode()


def _octets(argument: str) -> bytes:
    """The octets of a message, which may be spelled in hex."""
    given = _given(argument)
    try:
        return bytes.fromhex(given.decode("ascii").strip().removeprefix("0x"))
    except ValueError:
        if given[:1] in (b"\x80", b"\x01"):  # EXI header, V2GTP header
            return given
        raise ExiError(f"{argument[:40]!r} is neither a file nor hex") from None


def _read(options: argparse.Namespace) -> tuple[str, Reading, str]:
    """The reading of the message given, its set, and how sure that is."""
    octets, payload_type = exi_guess.unframe(_octets(options.message))
    if options.set:
        mode: Mode = getattr(options, "mode", "conformance")
        given = DIALECTS[getattr(options, "dialect", "schema")]
        others = [d for d in DIALECTS.values() if d is not given] if getattr(options, "either", False) else []
        schemas = [schema_set(options.set, dialect) for dialect in (given, *others)]
        return options.set, read_first(octets, schemas, fragment=options.fragment, mode=mode), "certain: given"
    found = exi_guess.guess(octets, payload_type, options.phase, fragment=options.fragment)
    return found.set, found.reading, found.sure


def _decode(options: argparse.Namespace) -> int:
    from v2g.exi.xml import to_xml

    if options.jsonl:
        return _stream(_decoded)
    name, reading, sure = _read(options)
    findings = [str(f) for f in reading.findings]
    if options.json:
        message = exi_json.plain(reading.message, schema_set(name), reading.name)
        put(json.dumps({"set": name, "sure": sure, "root": reading.name.local, "findings": findings, "message": message}))
        return 0
    put(to_xml(reading.message, schema_set(name), reading.name, pretty=True), end="")
    notes = findings if options.set else [f"set {name}, {sure}", *findings]
    for note in notes:
        print(f"v2g exi: {note}", file=sys.stderr)
    return 0


def _encode(options: argparse.Namespace) -> int:
    if options.jsonl:
        return _stream(_encoded)
    given = _given(options.message)
    refusals = {}
    for name in [options.set] if options.set else MODULES:
        try:
            put(_encoded_xml(given, schema_set(name, DIALECTS[options.dialect]), options.fragment).hex())
            return 0
        except EncodeError as error:
            refusals[name] = error
    raise max(refusals.values(), key=lambda error: len(error.path))  # of the set that understood most


def _encoded_xml(xml: str | bytes, schemas: SchemaSet, fragment: bool) -> bytes:
    from v2g.exi.xml import from_xml

    message, element = from_xml(xml, schemas, fragment=fragment)
    return encode_fragment(message, schemas, element) if fragment else encode(message, schemas)


def _explain(options: argparse.Namespace) -> int:
    octets, payload_type = exi_guess.unframe(_octets(options.message))
    name = options.set or exi_guess.guess(octets, payload_type, options.phase, fragment=options.fragment).set
    schemas = schema_set(name, DIALECTS[options.dialect])
    steps, remark = explain.explain(octets, schemas, fragment=options.fragment, mode=options.mode)
    if options.json:
        rows = [{"bit": s.bit, "width": s.width, "depth": s.depth, "what": s.what, "value": explain.shown(s.value)} for s in steps]
        put(json.dumps({"set": name, "steps": rows, "remark": remark}))
    else:
        put("\n".join(explain.table(octets, steps)))
    if remark:
        print(f"v2g exi: {remark}", file=sys.stderr)
    return int(not steps or steps[-1].what not in ("padding", "EE", "end of fragment", BEHIND))


def _json(options: argparse.Namespace) -> int:
    given = _given(options.message)
    if not given.lstrip().startswith(b"{"):
        name, reading, _ = _read(options)
        put(exi_json.to_json(reading.message, schema_set(name), reading.name, indent=2))
        return 0
    if not options.set:
        raise UsageError("--set is needed to encode JSON")
    message, element = exi_json.from_json(given, schema_set(options.set), fragment=options.fragment)
    schemas = schema_set(options.set)
    put((encode_fragment(message, schemas, element) if options.fragment else encode(message, schemas)).hex())
    return 0


def _describe(options: argparse.Namespace) -> int:
    found = dict.fromkeys(
        cls
        for name in ([options.set] if options.set else MODULES)
        for cls in schema_set(name).classes
        if options.type in (cls.__name__, *(e.name for e in declared_elements(cls)))
    )
    for cls in found:
        put(derive.describe(cls))
    if not found:
        print(f"v2g exi: no type or element {options.type}", file=sys.stderr)
    return 0 if found else 1


# --- lines of JSON ---


def _stream(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Answer every line of standard input in order."""
    for line in sys.stdin.buffer:
        if line.strip():
            put(json.dumps(_answered(line, answer)), flush=True)
    return 0


def _answered(line: bytes, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    identity = None
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise ExiError("a JSON object is expected")
        identity = request.get("id")
        return {"id": identity, **answer(request)}
    except (ExiError, ValueError, RecursionError) as error:
        return {"id": identity, "error": str(error)}


def _text(request: dict[str, Any], key: str) -> str:
    if not isinstance(request.get(key), str):
        raise ExiError(f"{key!r} is missing or no string")
    return str(request[key])


def _set(request: dict[str, Any]) -> str | None:
    name = request.get("set")
    if name is not None and (not isinstance(name, str) or name not in MODULES):
        raise ExiError(f"no schema set {name!r}; there are {', '.join(MODULES)}")
    return name


def _decoded(request: dict[str, Any]) -> dict[str, Any]:
    from v2g.exi.xml import to_xml

    octets, payload_type = exi_guess.unframe(bytes.fromhex(_text(request, "exi")))
    name, fragment = _set(request), bool(request.get("fragment"))
    extra: dict[str, Any] = {}
    if name is None:
        found = exi_guess.guess(octets, payload_type, fragment=fragment)
        name, reading = found.set, found.reading
        extra = {"set": name, "sure": found.sure}
    else:
        reading = read(octets, schema_set(name), fragment=fragment)
    if reading.findings:
        extra["findings"] = [str(f) for f in reading.findings]
    return {"root": reading.name.local, "xml": to_xml(reading.message, schema_set(name), reading.name), **extra}


def _encoded(request: dict[str, Any]) -> dict[str, Any]:
    name = _set(request)
    if name is None:
        raise ExiError("'set' is missing")
    return {"exi": _encoded_xml(_text(request, "xml"), schema_set(name), bool(request.get("fragment"))).hex()}


def main(argv: list[str] | None = None) -> int:
    """The command alone, without the rest of `v2g`."""
    parser = argparse.ArgumentParser("v2g")
    register(parser.add_subparsers(required=True))
    options = parser.parse_args(["exi", *(sys.argv[1:] if argv is None else argv)])
    return int(options.func(options))


if __name__ == "__main__":
    sys.exit(main())
