"""`v2g pki create`: build every certificate that station, car, provider and provisioning service need."""

import argparse
import json
from datetime import timedelta
from pathlib import Path

import msgspec

from pki.certificate import facts
from pki.errors import StoreError
from pki.files import File, settle
from pki.issue import build
from pki.plan import Plan, plan
from pki.profiles import LEAVES, Role
from pki.store import create
from v2g.legible import legible
from v2g.settings.strict import table, text_of
from v2gkit.authorities.office import Office
from v2gkit.cli.pki.answer import WELL, at, curable, examples, json_option, moment
from v2gkit.output import put

EPILOG = examples("""\
  v2g pki create certs                                  secp521r1, as -20 wants it
  v2g pki create certs --curve ed448 --curve secp256r1  one hierarchy per curve in one store
  v2g pki create certs --plan plan.toml                 names, contracts, roots and lifetimes of your own""")


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g pki create`."""
    json_option(parser)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--curve", action="append", choices=["secp521r1", "ed448", "secp256r1"], help="repeatable; default secp521r1")
    parser.add_argument("--plan", type=Path, help="TOML, keys as in pki/plan.py")
    parser.add_argument("--at", type=moment, help="issue as of this time instead of now")
    parser.add_argument("--force", action="store_true", help="replace a store that is already there")


@curable
def run(options: argparse.Namespace) -> int:
    """Make a store; the exit code."""
    given = table(text_of(options.plan), options.plan) if options.plan else {}
    if options.curve:
        given["curves"] = options.curve
    wanted: Plan = plan(given)
    settle(options.directory)
    if (options.directory / "roots").exists() and not options.force:
        raise StoreError(f"{options.directory} holds a store already; --force replaces what has the same name")
    kept = {"plan.json": File(msgspec.json.format(msgspec.json.encode(wanted)))}
    store = create(options.directory, [build(wanted, curve, at(options)) for curve in wanted.curves], kept)
    Office(store).staple(at(options), timedelta(days=7))
    count = sum(len(store.credentials(role)) for role in Role)
    if options.json:
        put(json.dumps({"store": str(store.path), "curves": wanted.curves, "credentials": count}))
    else:
        put(f"{store.path}: {count} certificates with their keys on {', '.join(wanted.curves)}")
        for role in LEAVES:
            for found in store.credentials(role):
                put(f"  {role.value:13} {legible(found.common_name):22} until {facts(found.leaf).not_after:%Y-%m-%d}  {found.chain_path}")
    return WELL
