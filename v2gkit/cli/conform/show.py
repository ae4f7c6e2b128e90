"""`v2g conform show`: what one case asks, does and expects."""

import argparse

from v2g.settings import suggestion
from v2gkit.conform.catalogue import catalogue
from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g conform show S-SSU-01

exit codes: 0 well, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g conform show`."""
    parser.add_argument("id", help="of the case, as `v2g conform list` has it")


def run(options: argparse.Namespace) -> int:
    """Print one case; the exit code."""
    case = catalogue().get(options.id.upper())
    if case is None:
        complain(f"v2g conform show: there is no case {options.id!r}; {suggestion.cure(options.id.upper(), catalogue())}")
        return USAGE
    put(f"{case.id}: {case.purpose}")
    rows = {
        "judges": f"a {case.role}, {case.domain}",
        "applies": ", ".join(case.condition) or "always",
        "requirement": ", ".join(case.requirement) or case.basis or "none is cited",
        "precondition": case.precondition or "a connection",
        "stimulus": case.stimulus,
        "expected": "; or ".join(case.expected),
        "control": case.control or "none",
        "parts": ", ".join(part for part in case.parts if part) or "one",
        "within": f"{case.within:g} s",
    }
    for name, value in rows.items():
        put(f"  {name:<13} {value}")
    return WELL
