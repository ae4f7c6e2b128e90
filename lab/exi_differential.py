"""Our codec against EXIficient: the same messages through both, and the same damaged octets. Findings are printed as a table.

    python -m lab.exi_differential --messages 100 --mutations 200

Needs the foreign peer's environment (`make interop` creates it) and a Java runtime. Exit code 0 if the two agree wherever the schema
decides, 1 if not, 2 if this machine cannot run it.
"""

import argparse
import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.peers import ecog_setup
from v2g.exi.codec import DecodeError, encode, read
from v2g.exi.errors import EncodeError
from v2g.exi.sample import samples
from v2g.exi.xml import from_xml, to_xml
from v2g.messages import schema_set

SETS = ("app", "xmldsig", "common", "ac", "dc", "wpt", "acdp", "iso2", "din")  # amendment 1 has no schema to give it
SCRIPT = Path(__file__).with_name("peers") / "exificient.py"
DISAGREE = "DISAGREE: "

# what we say of octets that EXIficient takes: it decodes, it does not validate, and it reads what its grammars admit and no message uses
STRICTER = {
    "value outside its facets": r"above the maximum|below the minimum|fewer than|more than",
    "octets after the end": r"follow the end",
    "abstract element": r"is abstract",
    "content that no message has": r"no message has it",
    "element that is nil and must have content": r"^nil, but",
    "type that the set does not have": r"^a type |is no type|is no \w+Type$|stated twice|complex type .* for a simple value",
    "code that stands for nothing": r"document code|second-level code",
    "integer beyond 64 bits": r"longer than",
    "character beyond Unicode": r"is no character",
    "element cut short": r"the element ends before|the element is empty",
}


def lines(messages: int, mutations: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """The questions: every set's messages as XML and as octets, and damaged octets."""
    for name in SETS:
        schemas = schema_set(name)
        frames: list[bytes] = []
        while len(frames) < messages:
            for message in samples(schemas, chance):
                octets = encode(message, schemas)
                frames.append(octets)
                yield {"kind": "encode", "set": name, "fragment": False, "xml": to_xml(message, schemas), "ours": octets.hex()}
                yield {"kind": "decode", "set": name, "fragment": False, "exi": octets.hex()}
        for _ in range(mutations):
            yield {"kind": "mutated", "set": name, "fragment": False, "exi": damaged(chance.choice(frames), chance).hex()}


def damaged(octets: bytes, chance: random.Random) -> bytes:
    """One to three bits behind the header turned, or the end cut off."""
    changed = bytearray(octets)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(8, len(changed) * 8)
        changed[at // 8] ^= 128 >> at % 8
    return bytes(changed[: chance.randint(2, len(changed))] if chance.random() < 0.1 else changed)


def verdict(question: dict[str, Any], answer: dict[str, Any]) -> str:
    """How the two compare on one question, in words; DISAGREE where the schema decides and they differ."""
    schemas = schema_set(question["set"])
    if question["kind"] == "encode":
        if answer.get("exi") == question["ours"]:
            return "encode: same octets"
        if "exi" not in answer:
            return f"{DISAGREE}it does not encode: {answer['error'][:80]}"
        theirs = read(bytes.fromhex(answer["exi"]), schemas)
        same = theirs.message == read(bytes.fromhex(question["ours"]), schemas).message
        return "encode: an undeclared end for an empty value" if same and theirs.findings else f"{DISAGREE}encode"
    return _decoded(question, answer)


def _decoded(question: dict[str, Any], answer: dict[str, Any]) -> str:
    kind, schemas = question["kind"], schema_set(question["set"])
    try:
        ours = read(bytes.fromhex(question["exi"]), schemas)
    except DecodeError as error:
        if "xml" not in answer:
            return f"{kind}: both refuse"
        known = next((name for name, pattern in STRICTER.items() if re.search(pattern, error.reason)), None)
        return f"{kind}: it takes, we refuse: {known}" if known else f"{DISAGREE}{kind}: it takes, we refuse: {error.reason}"
    if "xml" not in answer:
        return f"{DISAGREE}{kind}: we take, it refuses: {answer['error'][:80]}"
    try:
        theirs, _ = from_xml(answer["xml"], schemas)
    except EncodeError as error:
        if "invalid xmlChar" in error.reason:
            return f"{kind}: both take it, and no XML can carry a control character in it"
        return f"{DISAGREE}{kind}: what it read is not valid: {error}"
    return f"{kind}: same message" if theirs == ours.message else f"{DISAGREE}{kind}: another message"


def ask(python: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What EXIficient answers, in order."""
    text = "".join(json.dumps({"id": i, **q}) + "\n" for i, q in enumerate(questions))
    done = subprocess.run([python, SCRIPT], input=text, capture_output=True, text=True, check=False)  # noqa: S603
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(questions):
        raise RuntimeError(f"EXIficient ended after {len(answers)} of {len(questions)} answers: {done.stderr.strip()[-300:]}")
    return answers


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("exi_differential", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=60, help="of each set, at least")
    parser.add_argument("--mutations", type=int, default=100, help="of each set")
    parser.add_argument("--seed", type=int, default=15118)
    parser.add_argument("--home", type=Path, default=Path(".interop"), help="where the peer's environment is")
    options = parser.parse_args(argv)
    try:
        python = ecog_setup.install(options.home).python
    except ecog_setup.PeerMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    questions = list(lines(options.messages, options.mutations, random.Random(options.seed)))  # noqa: S311
    found: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for question, answer in zip(questions, ask(python, questions), strict=True):
        said = verdict(question, answer)
        found[said] += 1
        examples.setdefault(said, f"{question['set']} {question.get('exi') or question['ours']}")
    print(f"{len(questions)} questions to both, seed {options.seed}")
    for said, count in sorted(found.items()):
        print(f"{count:7}  {said}" + (f"  e.g. {examples[said][:200]}" if said.startswith(DISAGREE) else ""))
    return int(any(said.startswith(DISAGREE) for said in found))


if __name__ == "__main__":
    sys.exit(main())
