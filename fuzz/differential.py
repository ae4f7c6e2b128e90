"""Our codec against EXIficient: the same messages through both, and the same damaged octets. Findings are printed as a table.

    python -m fuzz.differential --messages 2000 --mutations 1000

Needs the foreign peer's environment (`make interop` creates it) and a Java runtime. Exit code 0 if the two agree wherever the schema
decides, 1 if not, 2 if this machine cannot run it.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from fuzz.amendment import AMENDED, schema_text
from v2g.exi.codec import DecodeError, encode, encode_fragment, read
from v2g.exi.errors import EncodeError
from v2g.exi.grammar import QName, SchemaSet
from v2g.exi.sample import inhabited, sample, samples
from v2g.exi.schema import Type
from v2g.exi.xml import from_xml, to_xml
from v2g.messages import schema_set
from v2gkit.peers import ecog_setup

SETS = ("app", "xmldsig", "common", "ac", "dc", "wpt", "acdp", "iso2", "din", *AMENDED)
ENVELOPE = "V2G_Message"
SCRIPT = Path(ecog_setup.__file__).parent / "exificient.py"
DISAGREE = "DISAGREE: "

# what we say of octets that EXIficient takes: it decodes, it does not validate, and it reads what its grammars admit and no message uses
STRICTER = {
    "value outside its facets": r"above the maximum|below the minimum|fewer than|more than",
    "octets after the end": r"follows? the end",
    "abstract element": r"is abstract",
    "content that no message has": r"no message has it",
    "element that is nil and must have content": r"^nil, but",
    "type that the set does not have": r"^a type |is no type|is no \w+Type$|stated twice|complex type .* for a simple value",
    "code that stands for nothing": r"document code|fragment code|second-level code",
    "fragment of several elements, or without end": r"instead of the end of the fragment",
    "fragment that is a simple value": r"is a simple value",
    "integer beyond 64 bits": r"longer than",
    "character beyond Unicode": r"is no character",
    "element cut short": r"the element ends before|the element is empty",
}


def lines(messages: int, mutations: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """The questions: every set's messages and fragments as XML and as octets, and damaged octets."""
    for name in SETS:
        schemas = schema_set(name)
        frames: list[tuple[bytes, bool]] = []
        while len(frames) < messages:
            for element, message, fragment in (*documents(schemas, chance), *fragments(schemas, chance)):
                octets = encode_fragment(message, schemas, element) if fragment else encode(message, schemas)
                frames.append((octets, fragment))
                asked = {"set": name, "fragment": fragment}
                yield {"kind": "encode", **asked, "xml": to_xml(message, schemas, element), "ours": octets.hex()}
                yield {"kind": "decode", **asked, "exi": octets.hex()}
        for octets, fragment in chance.choices(frames, k=mutations):
            yield {"kind": "damaged", "set": name, "fragment": fragment, "exi": damaged(octets, chance).hex()}


def documents(schemas: SchemaSet, chance: random.Random) -> Iterator[tuple[QName | None, Type, bool]]:
    """An arbitrary instance of every global element, and of the older generations' one message with each body."""
    for message in samples(schemas, chance):
        yield None, message, False
        if type(message).__name__ == ENVELOPE:
            envelope: Any = message
            bodies = [e.type for e in schemas.substitutes("BodyElement") if inhabited(e.type, schemas)]
            for body in [type(envelope.Body)(BodyElement=sample(cls, schemas, chance)) for cls in bodies]:
                yield None, msgspec.structs.replace(envelope, Body=body), False


def fragments(schemas: SchemaSet, chance: random.Random) -> Iterator[tuple[QName | None, Type, bool]]:
    """An arbitrary instance of every element of complex type, where its name says which type."""
    for name, cls in schemas.roots(fragment=True):
        if schemas.fragment_content(name) is cls and inhabited(cls, schemas):
            yield name, sample(cls, schemas, chance), True


def damaged(octets: bytes, chance: random.Random) -> bytes:
    """One to three bits behind the header turned, the end cut off, octets lost, doubled or overwritten."""
    changed = bytearray(octets)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(8, len(changed) * 8)
        changed[at // 8] ^= 128 >> at % 8
    at = chance.randrange(1, len(changed))
    match chance.randrange(16):
        case 0 | 1:
            del changed[max(2, at) :]
        case 2:
            del changed[at : at + 2]
        case 3:
            changed[at:at] = changed[at : at + 4]
        case 4:
            changed[at:at] = b"\xff" * chance.randint(1, 9)
    return bytes(changed)


def verdict(question: dict[str, Any], answer: dict[str, Any]) -> str:
    """How the two compare on one question, in words; DISAGREE where the schema decides and they differ."""
    schemas, fragment = schema_set(question["set"]), question["fragment"]
    if question["kind"] == "encode":
        if answer.get("exi") == question["ours"]:
            return "encode: same octets"
        if "exi" not in answer:
            return f"{DISAGREE}it does not encode: {answer['error'][:80]}"
        theirs = read(bytes.fromhex(answer["exi"]), schemas, fragment=fragment)
        same = theirs.message == read(bytes.fromhex(question["ours"]), schemas, fragment=fragment).message
        return "encode: an undeclared end for an empty value" if same and theirs.findings else f"{DISAGREE}encode"
    return _decoded(question, answer)


def _decoded(question: dict[str, Any], answer: dict[str, Any]) -> str:
    kind, schemas, fragment = question["kind"], schema_set(question["set"]), question["fragment"]
    try:
        ours = read(bytes.fromhex(question["exi"]), schemas, fragment=fragment)
    except DecodeError as error:
        if "xml" not in answer:
            return f"{kind}: both refuse"
        known = next((name for name, pattern in STRICTER.items() if re.search(pattern, error.reason)), None)
        return f"{kind}: it takes, we refuse: {known}" if known else f"{DISAGREE}{kind}: it takes, we refuse: {error.reason}"
    if "xml" not in answer:
        return f"{DISAGREE}{kind}: we take, it refuses: {answer['error'][:80]}"
    try:
        theirs, name = from_xml(answer["xml"], schemas, fragment=fragment)
    except EncodeError as error:
        if "invalid xmlChar" in error.reason:
            return f"{kind}: both take it, and no XML can carry a control character in it"
        return f"{DISAGREE}{kind}: what it read is not valid: {error}"
    return f"{kind}: same message" if (theirs, name) == (ours.message, ours.name) else f"{DISAGREE}{kind}: another message"


def ask(python: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What EXIficient answers, in order."""
    with tempfile.TemporaryDirectory() as folder:
        given = {name: Path(folder) / f"{name}.xsd" for name in AMENDED}
        for name, file in given.items():
            file.write_text(schema_text(name), encoding="utf-8")
        return _answers([str(python), str(SCRIPT), *(f"{name}={file}" for name, file in given.items())], questions)


def _answers(command: list[str], questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text = "".join(json.dumps({"id": i, **q}) + "\n" for i, q in enumerate(questions))
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(questions):
        raise RuntimeError(f"EXIficient ended after {len(answers)} of {len(questions)} answers: {done.stderr.strip()[-300:]}")
    return answers


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("exi_differential", description=__doc__)
    parser.add_argument("--messages", type=int, default=60, help="of each set, at least; fragments count")
    parser.add_argument("--mutations", type=int, default=100, help="of each set")
    parser.add_argument("--examples", action="store_true", help="print the shortest octets of each outcome")
    parser.add_argument("--seed", type=int, default=15118)
    parser.add_argument("--home", type=Path, default=Path(".interop"), help="where the peer's environment is")
    options = parser.parse_args(argv)
    try:
        python = ecog_setup.install(options.home).python
    except ecog_setup.PeerMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    questions = list(lines(options.messages, options.mutations, random.Random(options.seed)))
    found: dict[str, Counter[str]] = {}
    examples: dict[str, str] = {}
    for question, answer in zip(questions, ask(python, questions), strict=True):
        said = verdict(question, answer)
        found.setdefault(said, Counter())[question["set"]] += 1
        kind = "fragment" if question["fragment"] else "document"
        example = f"{question['set']} {kind} {question.get('exi') or question['ours']}"
        examples[said] = min(examples.get(said, example), example, key=len)
    print(f"{len(questions)} questions to both, seed {options.seed}")
    print("\n".join(table(found)))
    if options.examples:
        print("\n".join(f"{said}: {examples[said]}" for said in sorted(found)))
    disagreements = [said for said in sorted(found) if said.startswith(DISAGREE)]
    for said in disagreements:
        print(f"{said}, e.g. {examples[said][:400]}", file=sys.stderr)
    return int(bool(disagreements))


def table(found: dict[str, Counter[str]]) -> Iterator[str]:
    """A line for each outcome, a column for each set."""
    yield "".join(f"{name.removeprefix('ac_'):>8}" for name in (*SETS, "all")) + "  outcome"
    for said, counts in sorted(found.items()):
        yield "".join(f"{count:>8}" for count in (*(counts[name] for name in SETS), counts.total())) + f"  {said}"


if __name__ == "__main__":
    sys.exit(main())
