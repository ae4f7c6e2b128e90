"""`v2g pki show`: what certificates say, and the table they are made from."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pki.errors import StoreError
from pki.store import Store, read_chain
from v2g.legible import legible
from v2gkit.authorities.described import fields_of, profiles
from v2gkit.cli.pki.answer import WELL, curable, examples, json_option
from v2gkit.output import complain, put

EPILOG = examples("""\
  v2g pki show certs                    every credential of a store, with what expires soon
  v2g pki show certs/secc/secp521r1.chain.pem
  v2g pki show --profiles               the table of certificate profiles""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki show`."""
    json_option(parser)
    parser.add_argument("path", type=Path, nargs="*", help="PEM files or stores")
    parser.add_argument("--profiles", action="store_true")


@curable
def run(options: argparse.Namespace) -> int:
    """Show what was named; the exit code."""
    if not options.path and not options.profiles:
        raise StoreError("nothing to show: name a PEM file, a store, or --profiles")
    if options.profiles:
        return _show_profiles(options.json)
    shown: list[dict[str, Any]] = []
    for path in options.path:
        chains = sorted(path.rglob("*.chain.pem")) if path.is_dir() else [path]
        for file in chains:
            shown += [{"file": str(file), "depth": depth} | fields_of(one) for depth, one in enumerate(read_chain(file))]
    if options.json:
        put(json.dumps(shown))
    else:
        for one in shown:
            put("\n".join(f"{key:12} {legible(value)}" for key, value in one.items() if value not in (None, "")), end="\n\n")
    for path in options.path:
        for warning in Store(path).warnings(datetime.now(UTC)) if path.is_dir() else ():
            complain(f"note: {warning}")
    return WELL


def _show_profiles(as_json: bool) -> int:
    rows = profiles()
    if as_json:
        put(json.dumps(rows))
        return WELL
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    for row in [{key: key for key in rows[0]}, *rows]:
        put("  ".join(row[key].ljust(widths[key]) for key in row).rstrip())
    return WELL
