"""`v2g conform list`: the cases of the suite, one a line."""

import argparse
import json

from v2gkit.cli.conform import among
from v2gkit.conform.case import GENERATIONS, Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.output import put

EPILOG = """examples:
  v2g conform list
  v2g conform list --role station
  v2g conform list --role car --generation 2
  v2g conform list --json

exit codes: 0 well, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform list`."""
    parser.add_argument("--role", choices=["station", "car"], help="only the cases that judge a station, or a car")
    among.options(parser)
    parser.add_argument("--json", action="store_true", help="one object a line, with everything that is known of a case")


def run(options: argparse.Namespace) -> int:
    """Print the cases; the exit code."""
    for case in catalogue().values():
        if options.role in (None, case.role) and case.generation in (options.generation or GENERATIONS.values()):
            put(
                json.dumps(plain(case), ensure_ascii=False)
                if options.json
                else f"{case.id:<10} {case.kind} {case.domain:<4} {case.purpose}"
            )
    return 0


def plain(case: Case) -> dict[str, object]:
    """A case as plain values, without its script."""
    return {
        "id": case.id,
        "role": case.role,
        "generation": case.generation,
        "kind": case.kind.value,
        "domain": case.domain,
        "condition": list(case.condition),
        "requirement": list(case.requirement),
        "basis": case.basis,
        "purpose": case.purpose,
        "precondition": case.precondition,
        "stimulus": case.stimulus,
        "expected": list(case.expected),
        "control": case.control,
        "within": case.within,
        "parts": [part for part in case.parts if part],
    }
