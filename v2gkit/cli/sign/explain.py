"""`v2g sign explain`: one signed message, step by step."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from v2g.legible import legible
from v2gkit.authorities.explain import LIMIT, Explanation, explain
from v2gkit.cli.pki.answer import NEGATIVE, WELL, curable, examples, json_option
from v2gkit.output import put

EPILOG = examples("""\
  v2g sign explain authorization.exi --store certs
  v2g sign explain 8004... --set common --profile interop
  v2g sign explain metering.exi --certificate contract.pem --json""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g sign explain`."""
    json_option(parser)
    parser.add_argument("message", help="EXI: a file, hex, or - for standard input")
    parser.add_argument("--set", default=None, choices=["common", "iso2"], help="schema set; default: whichever reads it")
    parser.add_argument("--certificate", type=Path, help="PEM of who signed, where the message does not say")
    parser.add_argument("--store", type=Path, help="whose roots are trusted; without it the chain is not judged")
    parser.add_argument("--profile", default="conformance", choices=["conformance", "interop"])


@curable
def run(options: argparse.Namespace) -> int:
    """Explain the signed message; returns the exit code."""
    asked = {name: getattr(options, name) for name in ("set", "certificate", "store", "profile")}
    found = explain(_octets(options.message), **asked)
    if options.json:
        put(json.dumps(_json(found)))
    else:
        _print(found)
    return WELL if found.holds else NEGATIVE


def _octets(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read(LIMIT)
    try:
        return bytes.fromhex(text)
    except ValueError:
        content = Path(text).read_bytes()[:LIMIT]
    try:
        return bytes.fromhex(content.decode("ascii").strip())  # a file may hold hex as well
    except ValueError:
        return content


def _print(found: Explanation) -> None:
    put(f"{found.message}, signed by {legible(found.signer)}")
    for number, step in enumerate(found.steps, 1):
        put(f"{number:3} {step.name}: {legible(step.detail)}")
        for line in range(0, len(step.octets), 48):
            put(f"      {step.octets[line : line + 48].hex()}")
    put(f"chain: {legible(found.chain)}")
    put(f"refused: {legible(found.error)}" if found.error else "the signature holds")


def _json(found: Explanation) -> dict[str, Any]:
    return {
        "message": found.message,
        "signer": found.signer,
        "steps": [{"step": step.name, "detail": step.detail, "octets": step.octets.hex()} for step in found.steps],
        "error": str(found.error) if found.error else None,
        "flaw": found.error.flaw.value if found.error else None,
        "chain": found.chain,
        "holds": found.holds,
    }
