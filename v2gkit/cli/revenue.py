"""`v2g revenue`: what driver, site, operator and aggregator each earned in a session: one page, booked in double entry."""

import argparse
import contextlib
import json
from pathlib import Path

from v2gkit.output import complain, put

WELL, WRONG, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g revenue demo-output/station-trace.jsonl
  v2g revenue station-trace.jsonl --terms terms.toml --books books.sqlite
  v2g revenue station-trace.jsonl --key meter.der --json | jq .earned
  v2g revenue station-trace.jsonl --books books.sqlite --beancount books.beancount

Settling the same session into the same books again posts the difference, which
is nothing where nothing has changed.

exit codes: 0 settled and every check holds, 1 a check fails, 2 there is
nothing that can be settled
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g revenue`."""
    parser.add_argument("trace", type=Path, metavar="TRACE", help="the trace of a station, JSON Lines (`v2g secc --trace`)")
    parser.add_argument("--terms", type=Path, metavar="TOML", help="the site's prices, what flexibility earns, what was called")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the meter's public key, DER or hex: who signs must have this one")
    parser.add_argument("--books", type=Path, metavar="FILE", help="books to settle into (SQLite; default: none are kept)")
    parser.add_argument("--run", default="SF", metavar="NAME", help="the run of settlement, as the rows name it (default: SF)")
    parser.add_argument("--out", "--output", type=Path, dest="output", metavar="PAGE", help="the page (default: beside the trace)")
    parser.add_argument("--beancount", type=Path, metavar="FILE", help="also the whole books as Beancount text")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also the whole books as CSV")
    parser.add_argument("--json", action="store_true", help="no page: one JSON object per session")


def run(options: argparse.Namespace) -> int:
    """Settle every session of the trace; the exit code, 1 where a check fails."""
    from v2g.energy.ledger.books import Memory
    from v2g.energy.ledger.export import beancount, table
    from v2g.energy.ledger.store import File
    from v2gkit.insight.report.reading import records_of
    from v2gkit.revenue.page import page
    from v2gkit.revenue.session import sessions_of
    from v2gkit.revenue.statement import settle, told
    from v2gkit.revenue.terms import given
    from v2gkit.wall import LOCAL

    try:
        terms, key = given(options.terms), _key(options.key)
        sessions = sessions_of(records_of(options.trace))
        with contextlib.ExitStack() as stack:
            books = stack.enter_context(File(options.books)) if options.books else Memory()
            made = [settle(session, terms, books, LOCAL, key=key, run=options.run) for session in sessions]
            for target, form in ((options.beancount, beancount), (options.csv, table)):
                if target is not None:
                    target.write_text("\n".join(form(books.transactions(terms.file.tenant))) + "\n", encoding="utf-8")
    except ValueError as error:
        complain(f"v2g revenue: {error}")
        return USAGE
    if not made:
        complain(f"v2g revenue: {options.trace} holds no session with two meter readings; give the trace of a station (`v2g secc --trace`)")
        return USAGE
    if options.json:
        for each in made:
            put(json.dumps(told(each)))
    else:
        target = options.output or options.trace.with_name(f"{options.trace.stem}-revenue.html")
        target.write_text(page(made), encoding="utf-8")
        put(target)
    return WELL if all(each.well for each in made) else WRONG


def _key(path: Path | None) -> bytes:
    """The octets (DER) of a public key in a file, which may be hex."""
    from v2g.settings.strict import octets_of

    if path is None:
        return b""
    octets = octets_of(path, 10_000)
    try:
        return bytes.fromhex(octets.decode("ascii"))
    except ValueError:
        return octets
