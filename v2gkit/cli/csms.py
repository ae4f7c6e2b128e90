"""`v2g csms`: a CSMS for laboratory and demonstration, OCPP 2.1 and 2.0.1."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from v2g.legible import legible
from v2gkit.cli import live, log, scraped
from v2gkit.cli.clock import add_clock_options, clock_of
from v2gkit.cli.parser import number, port, whole
from v2gkit.insight.live.desk import Desk
from v2gkit.insight.live.feed import Feed
from v2gkit.output import complain, put

WELL, USAGE = 0, 2
Say = Callable[[Any], None]
Begun = Callable[[Any], str | None]
EPILOG = """examples:
  v2g csms                                                     listen on 127.0.0.1:9000, steer by the prices of an example day
  v2g csms --prices tomorrow.csv --import-limit 11000 --export-limit 7000
  v2g csms --strategy setpoint --setpoint -5000                every car gives 5 kW
  v2g csms --site site.toml                                    the stations share a connection: one plan for their cars
  v2g csms --strategy none                                     only listen: stations make their own schedules
  v2g csms --cps certs                                         cars get the contracts of this directory (Get15118EVCertificate)
  v2g csms --passwords stations.txt                            security profile 1: each station has its own, see `v2g pki password`
  v2g csms --cert csms.pem --key csms.key --passwords ...      security profile 2
  v2g csms --cert csms.pem --key csms.key --client-ca ca.pem   security profile 3
  v2g csms --state state                                       history in a file of that folder, over restarts
  v2g csms --store postgresql://csms@localhost/csms            history in PostgreSQL
  v2g csms --ui                                                every message of every station in a browser, live
  v2g csms --state state --api 8080 --tokens tokens            REST, and the page of the fleet
  v2g csms --store URL --nats nats://localhost:4222 --port 9001   one of several processes that share stations
  v2g csms --grid grid.toml                                    stations keep together to what a grid operator and meters say
  v2g csms --json                                              one object for each thing that happened

A station connects to ws://HOST:PORT/ocpp/STATION. Commands on standard input (--stdin, or when it is a terminal):
  stations                          who is there
  start STATION [EVSE] [TOKEN]      RequestStartTransaction
  stop STATION [TRANSACTION]        RequestStopTransaction
  setpoint STATION WATT             steer the running transaction, + into the car
  override STATION [off]            with --site, its cars charge in peak hours too
  limit [WATT]                      with --site, what the connection draws from now on at most; without WATT no more
  call STATION ACTION JSON          any message of the CSMS
  tasks                             background work that failed, how often and why
  quit

exit codes: 0 it was stopped, 2 wrong usage or configuration
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g csms`."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=9000, help="0 lets the system choose (default: 9000)")
    steer = parser.add_argument_group("steering")
    steer.add_argument("--strategy", choices=("prices", "setpoint", "none"), default="prices", help="default: prices")
    steer.add_argument("--prices", type=Path, metavar="FILE", help="CSV or JSON: start, import_price, export_price (default: an example)")
    steer.add_argument("--import-limit", type=number(0), metavar="W", help="of the site, into the car (default: none)")
    steer.add_argument("--export-limit", type=number(0), metavar="W", default=22_000.0, help="of the site, out of the car (default: 22000)")
    steer.add_argument("--site", type=Path, metavar="FILE", help="TOML: the connection that stations share, see docs/csms.md")
    steer.add_argument("--setpoint", type=number(), metavar="W", default=0.0, help="for the strategy setpoint, + into the car")
    steer.add_argument("--grid", type=Path, metavar="FILE", help="keep to what these sources say, see `v2g grid`")
    steer.add_argument("--block", action="append", default=[], metavar="TOKEN", help="refuse this token or eMAID; again for more")
    parser.add_argument("--companies", type=Path, metavar="FILE", help="TOML: whose VAT number is good for a receipt (default: nobody's)")
    parser.add_argument(
        "--cps",
        type=Path,
        metavar="DIR",
        help="hand out the contracts of this certificate directory, judge those that cars show, answer for status",
    )
    _history_options(parser)
    _link_options(parser)
    parser.add_argument(
        "--time-scale", type=number(above=0), default=1.0, metavar="X", help="wall seconds per second, as the station's (default: 1)"
    )
    add_clock_options(parser)
    parser.add_argument("--stdin", action="store_true", help="read commands although standard input is no terminal")
    parser.add_argument(
        "--sample-interval", type=whole(1), metavar="S", help="ask stations for meter values so often (default: as they like)"
    )
    parser.add_argument("--json", action="store_true", help="the story as JSON Lines")
    log.add_options(parser, "error")
    scraped.add_options(parser)
    live.add_options(parser)
    parser.add_argument(
        "--verbose",
        action="store_const",
        const="info",
        default=argparse.SUPPRESS,
        dest="log_level",
        help="also say what is ignored and why, as --log-level info",
    )


def _history_options(parser: argparse.ArgumentParser) -> None:
    history = parser.add_argument_group("history")
    where = history.add_mutually_exclusive_group()
    where.add_argument("--state", type=Path, metavar="DIR", help="keep it in an SQLite file of this folder (default: in memory)")
    where.add_argument("--store", metavar="URL", help="keep it at sqlite:///FILE or postgresql://USER@HOST/DATABASE (or V2G_CSMS_STORE)")
    history.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="DAYS|TABLE=DAYS",
        help="throw away what is older, of all or of one table (events, samples ...); again for more (default: nothing goes)",
    )
    history.add_argument("--nats", metavar="URL", help="share stations with the processes on this NATS server, and the history with them")
    rest = parser.add_argument_group("REST and the page of the fleet")
    rest.add_argument("--api", type=port, nargs="?", const=0, metavar="PORT", help="serve them (default: any free port)")
    rest.add_argument("--api-bind", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1")
    rest.add_argument("--api-cert", type=Path, metavar="PEM", help="its chain: TLS")
    rest.add_argument("--api-key", type=Path, metavar="PEM", help="the key of that certificate")
    rest.add_argument("--tokens", type=Path, metavar="FILE", help="who may read and operate; made where it is missing, and printed once")
    rest.add_argument("--script", type=Path, metavar="FILE", help="operate stations over time, as this TOML file says")


def _link_options(parser: argparse.ArgumentParser) -> None:
    link = parser.add_argument_group("security profiles")
    link.add_argument("--passwords", type=Path, metavar="FILE", help="of stations (profiles 1, 2), as `v2g pki password` writes them")
    link.add_argument(
        "--password",
        action="append",
        default=[],
        metavar="STATION:PASSWORD",
        help="one more, where everybody may know it (default: the lines of V2G_CSMS_PASSWORDS)",
    )
    link.add_argument("--cert", type=Path, metavar="PEM", help="the CSMS's chain: TLS (profiles 2 and 3)")
    link.add_argument("--key", type=Path, metavar="PEM")
    link.add_argument("--client-ca", type=Path, metavar="PEM", help="stations must show a certificate of this CA (profile 3)")


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    try:
        return asyncio.run(_serve(options))
    except ValueError as error:
        complain(f"v2g csms: {error}")
        return USAGE
    except KeyboardInterrupt:
        return WELL


@contextlib.contextmanager
def _counted(options: argparse.Namespace, say: Say) -> Iterator[tuple[Say, Begun]]:
    """Who hears what happens, and what tells the figures of their CSMS and gives their address; without --metrics nothing is counted."""
    if options.metrics is None:
        yield say, lambda csms: None
        return
    from v2gkit.csms.metrics import Figures
    from v2gkit.metrics import serve_metrics

    figures = Figures()

    def heard(entry: Any) -> None:
        figures.entry(entry)
        say(entry)

    with serve_metrics(figures.registry, options.metrics_host, options.metrics) as url:

        def begun(csms: Any) -> str | None:
            figures.of(csms)
            return url

        yield heard, begun


async def _serve(options: argparse.Namespace) -> int:
    tell = _print_json if options.json else _print_line
    with _counted(options, tell) as (say, begun), live.viewing(options) as feed:
        from v2gkit.csms import setup  # this wants libraries that not everybody has; the help does not

        setup.demand_extras(options.state, options.store, options.api, options.nats)
        with setup.archived(options.state, options.store, wanted=options.api is not None) as store:
            return await _served(options, say, begun, feed, store)


async def _served(options: argparse.Namespace, say: Say, begun: Begun, feed: Feed | None, store: Any) -> int:
    from v2gkit.csms import running, setup
    from v2gkit.csms.server import Csms

    loop = asyncio.get_running_loop()
    clock = clock_of(options, options.time_scale)
    desk = Desk(feed.text, clock.wall) if feed is not None else None

    def now() -> float:
        return clock.wall(loop.time())

    csms = Csms(
        setup.strategy_of(options.strategy, options.prices, options.import_limit, options.export_limit, options.setpoint),
        say=say,
        wall=now,
        door=setup.door_of(options.passwords, options.password),
        blocked=frozenset(options.block),
        sample_interval=options.sample_interval,
        pki=setup.pki_of(options.cps, now),
        companies=setup.companies_of(options.companies),
        frames=desk.frame if desk is not None else None,
        archive=store,
        process=running.process_name(),
        viewer=None if desk is None or feed is None else lambda station, id_: desk.address(feed.url, station, id_),
    )
    if options.site is not None:
        csms.share(setup.shared(options.site, options.strategy))
    tls = setup.tls_of(options.cert, options.key, options.client_ca)
    asked = _asked(options)
    async with running.together(csms, store, asked, now) as opened, _heeding(options, csms):
        server = await csms.serve(options.host, options.port, tls)
        port = next(iter(server.sockets)).getsockname()[1]
        address = f"{'wss' if tls else 'ws'}://{options.host}:{port}/ocpp/STATION"
        _tell(options, f"listening on {address}", topic="listening", port=port, url=address)
        if (metrics := begun(csms)) is not None:
            _tell(options, f"figures at {metrics}", topic="metrics", url=metrics)
        if feed is not None:
            _tell(options, f"viewer at {feed.url}", topic="viewer", url=feed.url)
        for role, text in opened.fresh.items() if opened is not None else ():
            _tell(options, f"token to {role}: {text}", topic="token", role=role, token=text)
        if opened is not None:
            _tell(options, f"fleet at {opened.page}, REST at {opened.url}/v1", topic="fleet", url=opened.url, page=opened.page)
        if options.stdin or sys.stdin.isatty():
            await _commands(csms, loop)
        else:
            await server.serve_forever()
        server.close()
    return WELL


@contextlib.asynccontextmanager
async def _heeding(options: argparse.Namespace, csms: Any) -> AsyncIterator[None]:
    """Let the stations keep to what the sources of --grid say, within the block."""
    names = csms.grounds.batteries.names if csms.grounds is not None else ()
    if options.grid is None:
        if names:
            raise ValueError(f"the battery {names[0]} of --site is led by an inverter; give --grid, a file with its [[modbus]] device")
        yield
        return
    if options.nats is not None:
        raise ValueError("--grid shares a limit among the stations of one process, and --nats is for several; leave one of them")
    from v2g.tasks import Tasks
    from v2gkit.cli.reached import site_of
    from v2gkit.csms.bounds import Bounds
    from v2gkit.csms.heeding import Heeding
    from v2gkit.csms.stations import Entry
    from v2gkit.grid import declared
    from v2gkit.grid.lines import sentence
    from v2gkit.grid.shell.running import Listening

    heeding = Heeding(csms)

    def say(line: dict[str, Any]) -> None:
        csms.tell(Entry(line["at"], "", "grid", sentence(line), line))

    def heed(held: Any, signals: Any) -> None:
        heeding.heed(Bounds(held.import_cap, held.export_cap, held.setpoint))
        if csms.grounds is not None:
            csms.grounds.heed(signals)

    grid = declared.read(options.grid)
    grid.demand_batteries(names)
    listening = Listening(grid, csms.wall, say, heed)
    for storage in listening.storages.values():
        _led(csms.grounds.batteries, storage)
    site = site_of(grid, listening)
    with csms.heard_by(heeding.hear):
        async with Tasks("v2g.grid") as tasks:
            tasks.keep("limits of the grid", heeding.run)
            tasks.keep("signals of the grid", listening.run)
            if site is not None:
                tasks.keep("where grid operators call", site.run)
            yield


def _led(batteries: Any, storage: Any) -> None:
    """Let the batteries of a site hear what an inverter says, and the inverter their orders."""
    storage.told = lambda: batteries.heard(storage.pack, storage.said[0])
    batteries.lead(storage.pack, storage.ordered)


def _asked(options: argparse.Namespace) -> Any:
    """What is wanted beside the stations' server. ValueError names the option that cannot be meant."""
    from v2gkit.csms import running, setup

    if options.api is None and (options.api_cert or options.api_key):
        raise ValueError("--api-cert and --api-key are of the REST; give --api")
    if options.keep and not (options.state or options.store or os.environ.get("V2G_CSMS_STORE")):
        raise ValueError("--keep is for a history that is kept; give --state or --store")
    ages: dict[str, float] = {}
    if options.keep:
        from v2gkit.csms.store.ages import ages_of  # it wants the library of the store

        ages = ages_of(options.keep)
    tls = setup.tls_of(options.api_cert, options.api_key, option="--api-")
    return running.Asked(options.api, options.api_bind, options.tokens, options.nats, options.script, tls, ages)


def _tell(options: argparse.Namespace, line: str, **said: Any) -> None:
    put(json.dumps(said) if options.json else line, flush=True)


def _print_line(entry: Any) -> None:
    put(f"{datetime.fromtimestamp(entry.at):%H:%M:%S} {legible(entry.station)}  {legible(entry.text)}", flush=True)


def _print_json(entry: Any) -> None:
    said = {"at": entry.at, "station": entry.station, "topic": entry.topic, "text": entry.text, "facts": entry.facts}
    put(json.dumps(said, ensure_ascii=False), flush=True)


# --- commands ---


async def _commands(csms: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Carry out lines of standard input until `quit` or its end."""
    from v2gkit.csms.console import answer

    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "quit")

    threading.Thread(target=read, daemon=True).start()
    while (words := (await lines.get()).split()) != ["quit"]:
        if words:
            put(json.dumps(await answer(csms, words)), flush=True)
