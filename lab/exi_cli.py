"""`v2g exi`: EXI messages on the command line."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.exi_reading import Answer, Question, answer, documents
from lab.octet_forms import Document
from lab.output import complain, put
from v2g.exi import derive, explain
from v2g.exi import dialect as dialects
from v2g.exi import json as exi_json
from v2g.exi.codec import encode, encode_fragment
from v2g.exi.decoder import BEHIND
from v2g.exi.errors import EncodeError, ExiError
from v2g.exi.grammar import SchemaSet
from v2g.exi.schema import declared_elements
from v2g.legible import in_xml
from v2g.messages import MODULES, schema_set

MODES = ("conformance", "interop")
DIALECTS = {d.name.lower(): d for d in dialects.DIALECTS}

EXAMPLES = """examples:
  v2g exi decode 8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040
  v2g exi decode --set dc message.exi            a file; - is standard input. Octets, hex, xxd and hexdump -C, base64, arrays of C,
                                                 lines of a log or a trace, V2GTP frames: one message or many
  v2g exi decode --mode interop 809a...          show what real cars send though no schema has it, each with a finding
  v2g exi encode --set dc message.xml            XML in, hex out
  v2g exi decode --jsonl < lines > xml           many at once: {"id", "set", "exi", "fragment", "mode"} -> {"id", "root", "xml"}
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
        verb.add_argument("--mode", choices=MODES, default=MODES[0], help="interop shows values out of range and abstract elements")
        verb.add_argument(
            "--json", action="store_true", help="JSON for machines, one document for each message; with --jsonl messages as JSON"
        )
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
        complain(f"v2g exi: {error}")
        return 2
    except (ExiError, OSError) as error:
        complain(f"v2g exi: {error}")
        return 1


class UsageError(Exception):
    """The command line asks for what cannot be."""


# --- one message ---


def _given(argument: str) -> bytes:
    """What the argument stands for: standard input, a file, or itself. Raises ExiError for a file that cannot be read."""
    if argument == "-":
        return sys.stdin.buffer.read()
    if not _exists(argument):
        return argument.encode(errors="surrogateescape")
    try:
        return Path(argument).read_bytes()
    except OSError as error:
        raise ExiError(f"{argument} cannot be read: {error.strerror}") from None


def _exists(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except (OSError, ValueError):  # too long for a name, or none at all
        return False


def _documents(given: bytes, options: argparse.Namespace) -> list[Document]:
    """The EXI documents that were given, in whatever form."""
    try:
        return documents(given)
    except ExiError as error:
        if options.message == "-" or _exists(options.message):
            raise ExiError(f"{'standard input' if options.message == '-' else options.message}: {error}") from None
        raise ExiError(f"{error}; there is no file of that name either" if "." in options.message else str(error)) from None


def _question(options: argparse.Namespace, **said: Any) -> Question:
    """How they are to be read; a line of JSON may say it for itself."""
    given = DIALECTS[getattr(options, "dialect", "schema")]
    others = [d for d in DIALECTS.values() if d is not given] if getattr(options, "either", False) else []
    asked = {"set": options.set, "phase": options.phase, "fragment": options.fragment, "mode": getattr(options, "mode", "conformance")}
    return Question(**{**asked, **said}, dialects=(given, *others))


def _each(given: bytes, options: argparse.Namespace, show: Callable[[Document], int]) -> int:
    """Show one document after the other; one that is no message never hides the next."""
    found, worst = _documents(given, options), 0
    for number, document in enumerate(found, 1):
        try:
            worst = max(worst, show(document))
        except ExiError as error:
            if len(found) == 1:
                raise
            complain(f"v2g exi: message {number} of {len(found)}: {error}")
            worst = 1
    return worst


def _decode(options: argparse.Namespace) -> int:
    if options.jsonl:
        return _stream(lambda request: _decoded(request, options))
    question = _question(options)

    def show(document: Document) -> int:
        told = answer(document, question)
        if options.json:
            facts = {"set": told.set, "sure": told.sure, "root": told.reading.name.local, "findings": told.findings}
            put(json.dumps({**facts, "message": told.message}))
            return 0
        notes = told.findings if options.set else (f"set {told.set}, {told.sure}", *told.findings)
        try:
            put(in_xml(told.xml(pretty=True)), end="")
        finally:
            for note in notes:
                complain(f"v2g exi: {note}")
        return 0

    return _each(_given(options.message), options, show)


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
    def show(document: Document) -> int:
        return _explained(document, options)

    return _each(_given(options.message), options, show)


def _explained(document: Document, options: argparse.Namespace) -> int:
    octets, name, odd = document.octets, options.set, [document.remark] if document.remark else []
    if not name:
        told = answer(document, _question(options))
        octets, name, odd = told.octets, told.set, [f for f in told.findings if f not in {str(r) for r in told.reading.findings}]
    schemas = schema_set(name, DIALECTS[options.dialect])
    steps, remark = explain.explain(octets, schemas, fragment=options.fragment, mode=options.mode)
    remarks = "; ".join([*odd, *([remark] if remark else [])]) or None
    if options.json:
        rows = [{"bit": s.bit, "width": s.width, "depth": s.depth, "what": s.what, "value": explain.shown(s.value)} for s in steps]
        put(json.dumps({"set": name, "steps": rows, "remark": remarks}))
    else:
        put("\n".join(explain.table(octets, steps)))
    if remarks:
        complain(f"v2g exi: {remarks}")
    return int(not steps or steps[-1].what not in ("padding", "EE", "end of fragment", BEHIND))


def _json(options: argparse.Namespace) -> int:
    given = _given(options.message)
    if not _is_message(given):
        return _each(given, options, lambda document: _json_of(answer(document, _question(options))))
    if not options.set:
        raise UsageError("--set is needed to encode JSON")
    message, element = exi_json.from_json(given, schema_set(options.set), fragment=options.fragment)
    schemas = schema_set(options.set)
    put((encode_fragment(message, schemas, element) if options.fragment else encode(message, schemas)).hex())
    return 0


def _is_message(given: bytes) -> bool:
    """Whether JSON is a message to be encoded: an object that holds an object. Records of a trace have octets."""
    return given.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"exi"' not in given


def _json_of(told: Answer) -> int:
    put(json.dumps(told.message, indent=2, ensure_ascii=False))
    for finding in told.findings:
        complain(f"v2g exi: {finding}")
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
        complain(f"v2g exi: no type or element {options.type}")
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


def _decoded(request: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    found = documents(_text(request, "exi").encode(errors="replace"))
    if len(found) != 1:
        raise ExiError(f"{len(found)} messages; give one in each line")
    mode = request.get("mode", options.mode)
    if mode not in MODES:
        raise ExiError(f"no mode {mode!r}; there are {', '.join(MODES)}")
    name = _set(request) or options.set
    told = answer(found[0], _question(options, set=name, fragment=bool(request.get("fragment", options.fragment)), mode=mode))
    extra: dict[str, Any] = {} if name else {"set": told.set, "sure": told.sure}
    if told.findings:
        extra["findings"] = told.findings
    shown = {"message": told.message} if options.json else {"xml": told.xml()}
    return {"root": told.reading.name.local, **shown, **extra}


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
