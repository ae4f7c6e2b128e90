"""`v2g pki verify`: judge a chain by the role of its leaf."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pki.errors import CertificateError
from pki.profiles import LEAVES, RULES, Role
from pki.verify import Finding
from v2gkit.authorities.judging import verify_files
from v2gkit.cli.pki.answer import NEGATIVE, WELL, at, curable, examples, json_option, moment
from v2gkit.cli.terminal import Lines
from v2gkit.output import put

EPILOG = examples("""\
  v2g pki verify certs/secc/secp521r1.chain.pem --role secc --store certs
  v2g pki verify chain.pem --role contract --root mo-root.pem --explain
  v2g pki verify leaf.der sub2.der sub1.der --role secc --store certs --revocation strict
  v2g pki verify chain.pem --role vehicle --store certs --rules interop --at 2030-01-01""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki verify`."""
    json_option(parser)
    parser.add_argument("chain", type=Path, nargs="+", help="PEM with the whole chain, or files of it in order, PEM or DER; leaf first")
    parser.add_argument("--role", required=True, choices=[role.value for role in LEAVES])
    parser.add_argument("--rules", default="iso20", choices=list(RULES), help="default iso20")
    parser.add_argument("--store", type=Path, help="whose roots are trusted")
    parser.add_argument("--root", type=Path, action="append", default=[], help="PEM of a root to trust; repeatable")
    parser.add_argument("--at", type=moment, help="judge as of this time instead of now")
    parser.add_argument(
        "--revocation",
        default="known",
        choices=["off", "known", "strict"],
        help="by the lists and responses in the store: not at all, as far as they are there (default), or refuse where they are not",
    )
    parser.add_argument(
        "--response", type=Path, action="append", default=[], help="OCSP response (DER) as stapled; in the order of the chain"
    )
    parser.add_argument("--explain", action="store_true", help="every check with what it found")


@curable
def run(options: argparse.Namespace) -> int:
    """Judge the chain; the exit code."""
    asked = {"store": options.store, "roots": options.root, "revocation": options.revocation, "responses": options.response}
    findings, error, warnings = verify_files(options.chain, Role(options.role), RULES[options.rules], at(options), **asked)
    if options.json:
        put(json.dumps(_verdict_json(findings, error, warnings)))
    else:
        _print_verdict(options, findings, error, warnings)
    return NEGATIVE if error else WELL


def _verdict_json(findings: Sequence[Finding], error: CertificateError | None, warnings: Sequence[str]) -> dict[str, Any]:
    return {
        "verdict": "refused" if error else "accepted",
        "kind": error.kind.value if error else None,
        "reason": str(error) if error else None,
        "warnings": list(warnings),
        "findings": [
            {
                "check": finding.check,
                "depth": finding.depth,
                "certificate": finding.name,
                "complaint": finding.complaint,
                "kind": finding.kind.value if finding.complaint else None,
                "requirement": finding.requirement or None,
            }
            for finding in findings
        ],
    }


def _print_verdict(
    options: argparse.Namespace, findings: Sequence[Finding], error: CertificateError | None, warnings: Sequence[str]
) -> None:
    lines = Lines()
    depth: int | None = -1
    for finding in findings if options.explain else ():
        if finding.depth != depth:
            depth = finding.depth
            lines.say("chain" if depth is None else f"certificate {depth}: {finding.name}")
        requirement = f"  [{finding.requirement}]" if finding.requirement else ""
        complaint = f": {finding.complaint}" if finding.complaint else ""
        lines.say(f"  {'ok' if finding.holds else 'NO'}  {finding.check}{complaint}{requirement}", hang=6)
    for warning in warnings:
        lines.say(f"note: {warning}", hang=6)
    lines.say(f"refused: {error}" if error else f"accepted as {options.role} by rules {options.rules}", hang=9)
