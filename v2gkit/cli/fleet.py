"""`v2g fleet`: an aggregator over stations and devices of several tenants."""

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

from v2gkit.cli import log, scraped
from v2gkit.cli.clock import add_clock_options, clock_of
from v2gkit.cli.parser import number, port, whole
from v2gkit.output import complain, put

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g fleet fleet.toml --check                    what the file says, and nothing else
  v2g fleet fleet.toml --state state              stations connect to ws://127.0.0.1:9000/ocpp/STATION
  v2g fleet fleet.toml --state state --api 8080   REST and page; keys are made and printed once
  v2g fleet fleet.toml --store postgresql://fleet@localhost/fleet --nats nats://localhost:4222
  v2g fleet fleet.toml --state state --json       one object for each thing that happened

exit codes: 0 it was stopped, 2 wrong usage or configuration
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g fleet`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="TOML: tenants, sites, assets, contracts and programs, see docs/fleet.md")
    parser.add_argument("--check", action="store_true", help="read the file, say what it means, and stop")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--state", type=Path, metavar="DIR", help="keep everything in an SQLite file of this folder")
    where.add_argument("--store", metavar="URL", help="keep it at sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    parser.add_argument("--nats", metavar="URL", help="log on this NATS server with JetStream (default: in this process)")
    parser.add_argument("--host", default="127.0.0.1", help="address on which stations connect (default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=9000, help="0 lets the system choose (default: 9000)")
    parser.add_argument(
        "--lease", type=number(above=0), default=900.0, metavar="S", help="after which a station that hears nothing keeps to what is safe"
    )
    parser.add_argument("--sample-interval", type=whole(1), default=60, metavar="S", help="stations tell what they meter (default: 60)")
    rest = parser.add_argument_group("REST and page")
    rest.add_argument("--api", type=port, nargs="?", const=0, metavar="PORT", help="serve them (default: any free port)")
    rest.add_argument("--api-bind", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1")
    rest.add_argument("--api-cert", type=Path, metavar="PEM", help="its chain: TLS")
    rest.add_argument("--api-key", type=Path, metavar="PEM", help="the key of that certificate")
    rest.add_argument("--keys", type=Path, metavar="FILE", help="write new keys to this file, not to the output")
    rest.add_argument("--oidc", type=Path, metavar="FILE", help="TOML: an OpenID Connect issuer whose tokens count beside keys")
    parser.add_argument(
        "--solvers",
        type=_solvers,
        default=1,
        metavar="N",
        help="processes that make plans, 0 for none (default: 1); nats: `v2g solver` at --nats",
    )
    parser.add_argument("--time-scale", type=number(above=0), default=1.0, metavar="X", help="wall seconds per second (default: 1)")
    add_clock_options(parser)
    parser.add_argument("--json", action="store_true", help="the story as JSON Lines")
    log.add_options(parser, "error")
    scraped.add_options(parser)


def _solvers(said: str) -> int | None:
    return None if said == "nats" else whole(0)(said)


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    from v2gkit.extras import missing
    from v2gkit.fleet import declared

    try:
        fleet = declared.read(options.file)
        if options.check:
            return _checked(fleet, options.file.parent)
        if lacking := missing(["csms", "ocpp"]):
            raise ValueError(lacking)
        if options.solvers != 0 and (lacking := missing(["energy"])):
            raise ValueError(f"{lacking}, or give --solvers 0: no plans")
        if not (options.state or options.store):
            raise ValueError("orders and books want a store; give --state DIR or --store URL")
        return asyncio.run(_served(options, fleet))
    except ValueError as error:
        complain(f"v2g fleet: {error}")
        return USAGE
    except KeyboardInterrupt:
        return WELL


def _checked(fleet: Any, folder: Path) -> int:
    from v2gkit.fleet.pricing import read

    for tenant in fleet.tenant:
        own = fleet.only(tenant.id)
        put(f"{tenant.id}: {len(own.site)} sites, {len(own.asset)} assets, {len(own.contract)} contracts, {len(own.program)} programs")
        for site in own.site:
            safe = sum(asset.safe for asset in own.at(site.id))
            put(f"  {site.id}: {len(own.at(site.id))} assets below {site.import_limit:g} W; by themselves they keep to {safe:g} W")
        for tariff in own.tariff:
            rates = read(tariff, folder, tenant.currency, time.time())
            prices, until = sorted(each[2] for each in rates), datetime.fromtimestamp(rates[-1][1])
            put(f"  {tariff.id}: {prices[0]:g} to {prices[-1]:g} {tenant.currency}/kWh, known until {until:%Y-%m-%d %H:%M}")
    return WELL


def _asked(options: argparse.Namespace) -> Any:
    """What the options want of a fleet."""
    from v2gkit.csms.setup import tls_of
    from v2gkit.fleet.service import Asked
    from v2gkit.fleet.store.sql import file_url

    return Asked(
        options.file,
        options.store or file_url(options.state),
        options.nats,
        options.host,
        options.port,
        lease=options.lease,
        sample_interval=options.sample_interval,
        scale=options.time_scale,
        solvers=options.solvers,
        api=None if options.api is None else (options.api_bind, options.api),
        oidc=options.oidc,
        tls=tls_of(options.api_cert, options.api_key, option="--api-"),
    )


async def _served(options: argparse.Namespace, fleet: Any) -> int:
    from v2gkit.fleet.log.verbs import LogFault
    from v2gkit.fleet.service import served
    from v2gkit.sql.words import StoreFault

    loop = asyncio.get_running_loop()
    clock, asked = clock_of(options, options.time_scale), _asked(options)
    early: list[dict[str, Any]] | None = []  # what happens before it says where it listens, which comes first

    def say(line: dict[str, Any]) -> None:
        if early is not None:
            early.append(line)
            return
        text = f"{datetime.fromtimestamp(line['at']):%H:%M:%S} {line['tenant']}  {line['text']}"
        put(json.dumps(line, ensure_ascii=False) if options.json else text, flush=True)

    def wall() -> float:
        return clock.wall(loop.time())

    try:
        async with served(asked, fleet, wall, say) as running, _counted(options, running.service):
            url = f"ws://{options.host}:{running.port}/ocpp"
            put(
                json.dumps({"topic": "listening", "url": url}) if options.json else f"listening: stations connect to {url}/STATION",
                flush=True,
            )
            held, early = early, None
            for line in held or ():
                say(line)
            _tell_keys(options, running.url, running.fresh)
            await asyncio.Event().wait()
    except (StoreFault, LogFault) as fault:
        raise ValueError(str(fault)) from None
    return WELL


@contextlib.asynccontextmanager
async def _counted(options: argparse.Namespace, service: Any) -> AsyncIterator[None]:
    """Figures for Prometheus within the block, where they are wanted."""
    if options.metrics is None:
        yield
        return
    from v2gkit.fleet.metrics import registry_of
    from v2gkit.metrics import serve_metrics

    with serve_metrics(registry_of(service.conductor, service.store), options.metrics_host, options.metrics) as url:
        put(json.dumps({"topic": "metrics", "url": url}) if options.json else f"figures at {url}", flush=True)
        yield


def _tell_keys(options: argparse.Namespace, url: str | None, fresh: Any) -> None:
    """Say where the REST is, and the keys that are new: to the file of --keys, else once to the output."""
    if url is None:
        return
    put(json.dumps({"topic": "api", "url": url}) if options.json else f"REST at {url}/v1", flush=True)
    if options.keys is not None and fresh:
        from v2gkit.private import open_private

        with open(open_private(options.keys), "w", encoding="utf-8") as file:
            json.dump(fresh, file)
        return
    for tenant, roles in fresh.items():
        for role, key in roles.items():
            said = {"topic": "key", "tenant": tenant, "role": role, "key": key}
            page = f"; page {url}/?key={key}" if role == "read" else ""
            put(json.dumps(said) if options.json else f"key of {tenant} to {role}: {key}{page}", flush=True)
