"""`v2g doctor`: what on this machine would keep a session from working, and the cure, one line each."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from v2gkit.cli.terminal import Lines
from v2gkit.lab.doctor import examine
from v2gkit.output import put

WELL, NEGATIVE = 0, 1
EPILOG = """examples:
  v2g doctor
  v2g doctor --pki certs --json

exit codes: 0 nothing is bad, 1 something is
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g doctor`."""
    parser.add_argument("--pki", type=Path, default=Path("certs"), help="folder of certificates (default: certs)")
    parser.add_argument(
        "--profile", choices=("conformance", "interop"), default="conformance", help="by whose rules the certificates are judged"
    )
    parser.add_argument("--json", action="store_true", help="one JSON array")


def run(options: argparse.Namespace) -> int:
    """Print the findings; the exit code, 1 when one of them is bad."""
    findings = examine(options.pki, options.profile)
    if options.json:
        put(json.dumps([asdict(f) for f in findings], indent=1))
    else:
        lines = Lines()
        for f in findings:
            lines.say(f"{f.verdict:5} {f.topic:14} {f.found}", hang=21)
            if f.verdict != "ok" and f.cure:
                lines.say(f"{'':20} {f.cure}", hang=21)
    return NEGATIVE if any(f.verdict == "bad" for f in findings) else WELL
