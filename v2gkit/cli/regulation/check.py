"""`v2g regulation check`: every rule of a law with its source and what configuration, traces, books and documents say of it."""

import argparse
import json
from pathlib import Path

from v2gkit.output import complain, put

WELL, BROKEN, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g regulation check --profile afir --config station.toml
  v2g regulation check --profile uk-scp-2021 --trace station-trace.jsonl --out uk.html
  v2g regulation check --profile ncdr --books books.sqlite --json
  v2g regulation check --profile uk-scp-2021 --documents documents.toml
      documents.toml: statement_of_compliance = "statement.pdf", and so on

What nothing tells is `not verified`; that breaks no rule and meets none.

exit codes: 0 no rule is broken, 1 one is, 2 wrong usage or a file that cannot
be read
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g regulation check`."""
    names = ("uk-scp-2021", "afir", "ncdr", "eichrecht")
    parser.add_argument("--profile", action="append", required=True, choices=names, help="the law; may be given several times")
    parser.add_argument("--config", type=Path, metavar="TOML", help="the station's file")
    parser.add_argument("--trace", type=Path, action="append", default=[], metavar="FILE", help="a station's trace; several times")
    parser.add_argument("--books", type=Path, metavar="FILE", help="the books that `v2g revenue` keeps")
    parser.add_argument("--tenant", default="", metavar="NAME", help="of the books (default: all)")
    parser.add_argument("--documents", type=Path, metavar="TOML", help="keys of documents, with the paths of their files")
    parser.add_argument("--out", "--output", type=Path, dest="output", metavar="PAGE", help="write one HTML page")
    parser.add_argument("--json", action="store_true", help="one JSON object per profile")


def run(options: argparse.Namespace) -> int:
    """Check the profiles; the exit code, 1 where a rule is broken."""
    import time

    from v2gkit.cli.parser import version
    from v2gkit.regulation.given import given
    from v2gkit.regulation.profiles import PROFILES
    from v2gkit.regulation.report import page, report, told
    from v2gkit.regulation.rule import State
    from v2gkit.wall import LOCAL

    now = time.time()
    try:
        files = given(LOCAL, now, options.config, options.trace, options.books, options.tenant, options.documents)
        made = [report(PROFILES[name], files, now, version()) for name in dict.fromkeys(options.profile)]
    except ValueError as error:
        complain(f"v2g regulation check: {error}")
        return USAGE
    if options.output:
        options.output.write_text(page(made), encoding="utf-8")
    for one in made:
        if options.json:
            put(json.dumps(told(one)))
            continue
        for rule, finding in one.findings:
            put(f"{rule.id:9} {finding.state.value:14} {rule.wants}: {finding.said}")
        put(f"{one.profile.name}: " + ", ".join(f"{count} {state.value}" for state, count in one.counts.items() if count))
    return BROKEN if any(one.counts[State.NOT_MET] for one in made) else WELL
