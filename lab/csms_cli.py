"""`v2g csms`: a CSMS for laboratory and demonstration, OCPP 2.1 and 2.0.1."""

import argparse
import asyncio
import json
import logging
import os
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from lab import wall
from lab.extras import missing
from lab.output import complain, put
from lab.parser import number, port, whole
from v2g.legible import legible

WELL, USAGE = 0, 2
EPILOG = """examples:
  v2g csms                                                     listen on 127.0.0.1:9000, steer by the prices of an example day
  v2g csms --prices tomorrow.csv --import-limit 11000 --export-limit 7000
  v2g csms --strategy setpoint --setpoint -5000                every car gives 5 kW
  v2g csms --strategy none                                     only listen: stations make their own schedules
  v2g csms --cps certs                                         cars get the contracts of this directory (Get15118EVCertificate)
  v2g csms --passwords stations.txt                            security profile 1: each station has its own, see `v2g pki password`
  v2g csms --cert csms.pem --key csms.key --passwords ...      security profile 2
  v2g csms --cert csms.pem --key csms.key --client-ca ca.pem   security profile 3
  v2g csms --json                                              one object for each thing that happened

A station connects to ws://HOST:PORT/ocpp/STATION. Commands on standard input (--stdin, or when it is a terminal):
  stations                          who is there
  start STATION [EVSE] [TOKEN]      RequestStartTransaction
  stop STATION [TRANSACTION]        RequestStopTransaction
  setpoint STATION WATT             steer the running transaction, + into the car
  call STATION ACTION JSON          any message of the CSMS
  tasks                             background work that failed, how often and why
  quit

exit codes: 0 it was stopped, 2 wrong usage or configuration
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `v2g csms`."""
    parser = subparsers.add_parser("csms", help="a CSMS alone", description=__doc__, epilog=EPILOG)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=9000, help="0 lets the system choose (default: 9000)")
    steer = parser.add_argument_group("steering")
    steer.add_argument("--strategy", choices=("prices", "setpoint", "none"), default="prices", help="default: prices")
    steer.add_argument("--prices", type=Path, metavar="FILE", help="CSV or JSON: start, import_price, export_price (default: an example)")
    steer.add_argument("--import-limit", type=number(0), metavar="W", help="of the site, into the car (default: none)")
    steer.add_argument("--export-limit", type=number(0), metavar="W", default=22_000.0, help="of the site, out of the car (default: 22000)")
    steer.add_argument("--setpoint", type=number(), metavar="W", default=0.0, help="for the strategy setpoint, + into the car")
    steer.add_argument("--block", action="append", default=[], metavar="TOKEN", help="refuse this token or eMAID; again for more")
    parser.add_argument(
        "--cps",
        type=Path,
        metavar="DIR",
        help="hand out the contracts of this certificate directory, judge those that cars show, answer for status",
    )
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
    parser.add_argument(
        "--time-scale", type=number(above=0), default=1.0, metavar="X", help="wall seconds per second, as the station's (default: 1)"
    )
    wall.add_options(parser)
    parser.add_argument("--stdin", action="store_true", help="read commands although standard input is no terminal")
    parser.add_argument(
        "--sample-interval", type=whole(1), metavar="S", help="ask stations for meter values so often (default: as they like)"
    )
    parser.add_argument("--json", action="store_true", help="the story as JSON Lines")
    parser.add_argument("--verbose", action="store_true", help="also say what is ignored and why")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        return asyncio.run(_serve(options))
    except ValueError as error:
        complain(f"v2g csms: {error}")
        return USAGE
    except KeyboardInterrupt:
        return WELL


def strategy_of(options: argparse.Namespace) -> Any:
    """What the flags ask for. ValueError names the price file's fault."""
    from energy.prices import parsed
    from energy.site import Site
    from lab.csms_steering import Strategy
    from v2g.settings import TABLE_LIMIT, octets_of

    file = options.prices or Path(__file__).parent / "data" / "day_ahead.csv"
    if options.strategy == "prices" and (lacking := missing(["energy"])):
        raise ValueError(f"--strategy prices: {lacking}, or give another strategy")
    octets = octets_of(file, TABLE_LIMIT) if options.strategy == "prices" else None
    try:
        prices = None if octets is None else parsed(octets)
    except ValueError as error:
        raise ValueError(f"--prices {file}: {error}") from None
    limit = {} if options.import_limit is None else {"import_limit": options.import_limit}
    return Strategy(options.strategy, prices, Site(export_limit=options.export_limit, **limit), options.setpoint)


def tls_of(options: argparse.Namespace) -> ssl.SSLContext | None:
    """The TLS that the flags ask for. ValueError for half of it."""
    if options.cert is None:
        if options.client_ca or options.key:
            raise ValueError("--key and --client-ca need --cert")
        return None
    for file in filter(None, (options.cert, options.key, options.client_ca)):
        file.open("rb").close()  # OpenSSL does not say which one it misses
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # the default one would log its secrets wherever SSLKEYLOGFILE points
        if options.client_ca is not None:
            context.load_verify_locations(options.client_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(options.cert, options.key)
    except ssl.SSLError as error:
        raise ValueError(f"--cert, --key and --client-ca: {error.reason or 'no PEM'}; give PEM, and the key of the certificate") from None
    if options.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def door_of(options: argparse.Namespace) -> Any:
    """Who is asked for a password. None: nobody is. ValueError for passwords that are none."""
    from lab import passwords

    known = passwords.read(options.passwords) if options.passwords else {}
    spoken = options.password or os.environ.get("V2G_CSMS_PASSWORDS", "").split()
    known |= dict(map(passwords.spoken, spoken))
    if options.passwords and not known:
        raise ValueError(f"--passwords: {options.passwords} is empty, and nobody could come in")
    return passwords.Door(known) if known else None


def pki_of(options: argparse.Namespace, time_of: Callable[[], float]) -> Any:
    """The certificates behind the CSMS. ValueError for a directory that cannot provide."""
    if options.cps is None:
        return None
    from lab.csms_pki import LabPki
    from pki.errors import StoreError
    from pki.store import Store

    try:
        return LabPki.of(Store(options.cps), time_of)
    except StoreError as error:
        raise ValueError(f"--cps: {error}") from None


async def _serve(options: argparse.Namespace) -> int:
    from lab.csms import Csms

    loop = asyncio.get_running_loop()
    clock = wall.clock_of(options, options.time_scale)

    def now() -> float:
        return clock.wall(loop.time())

    csms = Csms(
        strategy_of(options),
        say=_print_json if options.json else _print_line,
        wall=now,
        door=door_of(options),
        blocked=frozenset(options.block),
        sample_interval=options.sample_interval,
        pki=pki_of(options, now),
    )
    tls = tls_of(options)
    server = await csms.serve(options.host, options.port, tls)
    port = next(iter(server.sockets)).getsockname()[1]
    address = f"{'wss' if tls else 'ws'}://{options.host}:{port}/ocpp/STATION"
    put(json.dumps({"topic": "listening", "port": port, "url": address}) if options.json else f"listening on {address}", flush=True)
    if options.stdin or sys.stdin.isatty():
        await _commands(csms, loop)
    else:
        await server.serve_forever()
    server.close()
    return WELL


def _print_line(entry: Any) -> None:
    put(f"{datetime.fromtimestamp(entry.at):%H:%M:%S} {legible(entry.station)}  {legible(entry.text)}", flush=True)


def _print_json(entry: Any) -> None:
    said = {"at": entry.at, "station": entry.station, "topic": entry.topic, "text": entry.text, "facts": entry.facts}
    put(json.dumps(said, ensure_ascii=False), flush=True)


# --- commands ---


async def _commands(csms: Any, loop: asyncio.AbstractEventLoop) -> None:
    """Carry out lines of standard input until `quit` or its end."""
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "quit")

    threading.Thread(target=read, daemon=True).start()
    while (words := (await lines.get()).split()) != ["quit"]:
        if words:
            put(json.dumps(await _carried_out(csms, words)), flush=True)


async def _carried_out(csms: Any, words: list[str]) -> Any:
    from ocpp_bridge.link import CallFailed
    from ocpp_bridge.schemas import PayloadFault

    command = COMMANDS.get(words[0])
    if command is None:
        return {"error": f"{words[0]} is no command; there are {', '.join([*COMMANDS, 'quit'])}"}
    try:
        return await command(csms, *words[1:])
    except (CallFailed, PayloadFault, ValueError, TypeError) as error:
        return {"error": str(error)}
    except KeyError as error:
        return {"error": f"no station {error} was seen"}


async def _stations(csms: Any) -> Any:
    return {
        id_: {
            "connected": station.link is not None,
            "version": station.version,
            "connectors": station.connectors,
            "transactions": {tx.id: {"evse": tx.evse, "ended": tx.ended, **tx.energy} for tx in station.transactions.values()},
        }
        for id_, station in csms.stations.items()
    }


async def _call(csms: Any, station: str, action: str, *payload: str) -> Any:
    return await csms.call(station, action, json.loads(" ".join(payload) or "{}"))


async def _tasks(csms: Any) -> Any:
    return csms.tasks.account()


COMMANDS: dict[str, Callable[..., Awaitable[Any]]] = {
    "tasks": _tasks,
    "stations": _stations,
    "start": lambda csms, station, evse="", token="": csms.remote_start(station, int(evse) if evse else None, token),
    "stop": lambda csms, station, transaction="": csms.remote_stop(station, transaction or None),
    "setpoint": lambda csms, station, power: csms.steer(station, float(power)),
    "call": _call,
}
