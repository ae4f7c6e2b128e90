"""`v2g ev`: a car that visits one station."""

import argparse
import asyncio
import contextlib
import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evcc.config import Config, parsed
from evcc.script import Script
from evcc.services import IDS
from lab import wall
from lab.output import complain, put
from lab.parser import number, whole
from lab.witness import add_options, witnesses
from v2g.legible import legible
from v2g.settings import ConfigError, text_of

if TYPE_CHECKING:
    from evcc.client import Visit

WELL, NEGATIVE, USAGE = 0, 1, 2
SCRIPTS = ("charge", "read-soc", "schedule-renegotiation", "service-renegotiation")
EPILOG = """examples:
  v2g ev --connect [::1]:15118 --pki certs                               DC_BPT, Scheduled, Plug & Charge, until the goal
  v2g ev --connect [::1]:15118 --pki certs --service AC --control dynamic --auth eim --loops 20
  v2g ev --iface eth0 --pki certs                                        find the station by SDP
  v2g ev --connect 127.0.0.1:15118 --no-tls --service DC --loops 10 --json     a bench without TLS
  v2g ev --connect [::1]:15118 --pki certs --soc 40 --departure-in 36000 --time-scale 3600   a night in ten seconds
  v2g ev --connect [::1]:15118 --pki car --install                       get a contract first, keep it in car/contract, charge with it
  v2g ev --connect [::1]:15118 --pki certs --pause-after 20              pause, come back, go on
  v2g ev --config car.toml                                               everything from one file; flags override it

With --json the last line of standard output is one object: ok, ended, reason, requirement, service, control, auth, tls, loops,
energy_charged and energy_discharged (Wh at the plug), soc_start, soc_end (%), schedule_tuple, sessions, relaxed, seconds.

What happens is told on standard error, a line for each phase; --quiet leaves that out.

SIGTERM and Ctrl-C: the car leaves in order (PowerDelivery Stop, SessionStop) within --grace seconds, else, or when asked a second time, it
opens its contactors and cuts the connection.

exit codes: 0 the session ended as the standard foresees, also when a signal asked for it; 1 it did not (the reason is said), also when it
was cut or there was none yet; 2 wrong usage or configuration
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `v2g ev`."""
    parser = subparsers.add_parser("ev", help="a car alone", description=__doc__, epilog=EPILOG)
    where = parser.add_argument_group("where")
    where.add_argument("--connect", metavar="HOST:PORT", help="the station's address, IPv6 in brackets")
    where.add_argument("--iface", metavar="NAME", help="find the station by SDP on this interface")
    where.add_argument("--tls", action=argparse.BooleanOptionalAction, default=None, help="TLS 1.3 (default); --no-tls is for benches only")
    where.add_argument("--pki", type=Path, metavar="DIR", help="certificates, as `v2g pki create` writes them")
    where.add_argument(
        "--revocation",
        choices=("known", "leaf", "strict"),
        help="demand OCSP responses for the station's certificate (leaf) or its chain (strict); default known: refuse what is revoked",
    )
    where.add_argument(
        "--name-roots",
        action="store_true",
        default=None,
        help="name the trusted roots in the ClientHello, by the TLS library of the system",
    )
    where.add_argument("--profile", choices=("conformance", "interop"), help="what is let pass (default: conformance, nothing)")
    wish = parser.add_argument_group("what the car wants")
    wish.add_argument("--service", action="append", choices=tuple(IDS), help="again for a second choice (default: DC_BPT, then DC)")
    wish.add_argument("--control", choices=("scheduled", "dynamic"), help="default: scheduled")
    wish.add_argument("--auth", choices=("pnc", "eim"), help="only this way (default: pnc if there is a contract, else eim)")
    wish.add_argument(
        "--install",
        action="store_true",
        default=None,
        help="ask for contracts although there is one; without one the car asks wherever it can, and keeps them in --pki",
    )
    wish.add_argument("--emaid", action="append", metavar="ID", help="a contract that is wanted first; again for more")
    wish.add_argument("--loops", type=whole(0), metavar="N", help="leave after N charge loops (default: when the goal is reached)")
    wish.add_argument("--pause-after", type=whole(0), metavar="N", help="pause after N charge loops, come back, go on")
    wish.add_argument(
        "--resume-within", type=number(0), metavar="S", help="try so long to come back to a station that paused (default: 60)"
    )
    wish.add_argument("--grace", type=number(0), metavar="S", help="for leaving in order when a signal asks for it (default: 10)")
    wish.add_argument("--script", choices=SCRIPTS, default="charge", help="what the visit is (default: charge)")
    battery = parser.add_argument_group("battery and goal")
    battery.add_argument("--soc", type=number(0, most=100), metavar="PERCENT", help="on arrival (default: 20)")
    battery.add_argument("--target-soc", type=number(0, most=100), metavar="PERCENT", help="at departure (default: 80)")
    battery.add_argument("--minimum-soc", type=number(0, most=100), metavar="PERCENT", help="never discharged below (default: 20)")
    battery.add_argument(
        "--maximum-soc", type=number(0, most=100), metavar="PERCENT", help="never charged above, bidirectional (default: 90)"
    )
    battery.add_argument("--departure-in", type=number(0), metavar="SECONDS", help="of wall time")
    clock = parser.add_argument_group("time")
    clock.add_argument(
        "--time-scale", type=number(above=0), metavar="X", help="wall seconds per second; the station needs the same (default: 1)"
    )
    wall.add_options(clock)
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file, see docs/evcc.md")
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON")
    parser.add_argument("--quiet", action="store_true", help="tell nothing on the way")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """One visit; the exit code."""
    from pki.errors import CertificateError, StoreError
    from v2g.session.errors import Misuse

    already: frozenset[str] = frozenset()
    try:
        config = configured(options)
        if bool(config.connect) == bool(config.iface):
            raise ConfigError("where is the station? give --connect HOST:PORT, or --iface NAME to ask by SDP")
        if config.tls and not config.pki:
            raise ConfigError("TLS needs certificates: give --pki DIR (v2g pki create DIR makes them), or --no-tls on a bench")
        if config.pki:
            already = stocktaken(config, options)
        said = asyncio.run(visit(config, options))
    except (ConfigError, StoreError, CertificateError, Misuse) as error:
        if str(error) not in already:
            complain(f"v2g ev: {error}")
        return USAGE
    put(json.dumps(said) if options.json else legible(told(said)), flush=True)
    return WELL if said["ok"] else NEGATIVE


def stocktaken(config: Config, options: argparse.Namespace) -> frozenset[str]:
    """Say what the certificates lack for this car; gives the lines."""
    from lab.stock import said_at_start

    at = wall.wall_of(wall.clock_of(options, config.time_scale))()
    needs = {"tls": config.tls, "contracts": "PnC" in config.wish.authorizations and not config.wish.install}
    return said_at_start("v2g ev", str(config.pki), "car", config.wish.profile, at, **needs)


FLAGS = {  # flag -> place in the configuration
    "connect": (), "iface": (), "tls": (), "revocation": (), "name_roots": (), "soc": (), "departure_in": (), "time_scale": (),
    "resume_within": (), "grace": (),
    "loops": ("wish",), "pause_after": ("wish",), "install": ("wish",), "profile": ("wish",),
    "target_soc": ("goal",), "minimum_soc": ("goal",), "maximum_soc": ("goal",),
}  # fmt: skip


def configured(options: argparse.Namespace) -> Config:
    """The file, if there is one, and the flags over it. Raises ConfigError."""
    config = parsed(text_of(options.config), options.config) if options.config else Config()
    given: dict[str, dict[str, Any]] = {"": {}, "wish": {}, "goal": {}}
    for flag, place in FLAGS.items():
        if (value := getattr(options, flag)) is not None:
            given["".join(place)][flag] = value
    if options.pki:
        given[""]["pki"] = str(options.pki)
    if options.service:
        given["wish"]["services"] = tuple(options.service)
    if options.emaid:
        given["wish"]["emaids"] = tuple(options.emaid)
    if options.control:
        given["wish"]["control"] = options.control.capitalize()
    if options.auth:
        given["wish"]["authorizations"] = ("PnC",) if options.auth == "pnc" else ("EIM",)
    try:
        wish = replace(config.wish, **given["wish"])
        changed = replace(config, wish=wish, goal=replace(config.goal, **given["goal"]), **given[""])
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return changed if changed.tls else replace(changed, wish=replace(changed.wish, bench_plain=True))


async def visit(config: Config, options: argparse.Namespace) -> dict[str, Any]:
    """Find the station and drive the session; the account of it."""
    from evcc.client import Visit
    from evcc.trust import equip, vehicle_tls
    from lab.narrator import Narrator
    from pki.store import Store

    store = Store(config.pki) if config.pki else None
    profile, wish = config.wish.profile, config.wish
    tls = None
    clock = wall.clock_of(options, config.time_scale)
    if store and config.tls:
        given: dict[str, Any] = {"revocation": config.revocation, "name_roots": config.name_roots, "wall": wall.wall_of(clock)}
        tls = vehicle_tls(store, profile, **given)
        if (at := wall.judging_at(options, clock)) is not None:
            complain(f"v2g ev: certificates are judged at {at}, not at the machine's time")
    if store and tls:
        wish = replace(wish, evccid=store.vehicle.common_name)  # [V2G20-2598]
    car = replace(config, wish=wish).car(clock, clock.started)
    if store and "PnC" in wish.authorizations:
        equip(car, store)
    with witnesses(options, "evcc", lambda at: driving.car.clock.wall(at)) as watch:
        tell = Narrator(clock, lambda line: complain(line, flush=True))
        observe = [*watch(), *([] if options.quiet else [lambda local, peer, number: tell])]
        driving = Visit(
            car, script_of(options, wish.services), tls, observe=observe, resume_within=config.resume_within, grace=config.grace
        )
        heed(driving)
        result = await (driving.at(*address(config.connect)) if config.connect else driving.on(str(config.iface)))
    return result.as_dict()


def heed(driving: "Visit") -> None:
    """Leave in order at the first SIGTERM or Ctrl-C, at once at the second."""
    asked = list[str]()

    def signalled(name: str) -> None:
        asked.append(name)
        if len(asked) == 1:
            driving.stop(f"{name}: the driver asked")
        else:
            driving.abort(f"{name}: the driver asked again")

    for one in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # a platform without signals in its loop
            asyncio.get_running_loop().add_signal_handler(one, signalled, one.name)


def script_of(options: argparse.Namespace, services: tuple[str, ...]) -> Script:
    """The script that the flags name. The renegotiating ones turn after three loops."""
    from evcc.scripts.charge import charge
    from evcc.scripts.read_soc import read_soc
    from evcc.scripts.renegotiation import schedule_renegotiation, service_renegotiation

    scripts: dict[str, Script] = {
        "charge": charge,
        "read-soc": read_soc,
        "schedule-renegotiation": schedule_renegotiation(3),
        "service-renegotiation": service_renegotiation(3, tuple(reversed(services))),
    }
    return scripts[str(options.script)]


def address(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not (host and port.isdigit() and int(port) < 65_536):
        raise ConfigError(f"{text!r} is no address; give HOST:PORT, as [::1]:15118 or station.local:15118")
    return host.strip("[]"), int(port)


def told(said: dict[str, Any]) -> str:
    """The account for people, one line; why it failed comes first, and what never came about is left out."""
    parts = [] if said["ok"] else [f"failed: {said['reason']}"]
    if said["service"]:
        parts.append(" ".join(said[name] for name in ("service", "control", "auth") if said[name]) + f", {said['loops']} loops")
        parts.append(f"charged {said['energy_charged'] / 1000:.2f} kWh, discharged {said['energy_discharged'] / 1000:.2f} kWh")
        parts.append(f"SOC {said['soc_start']} to {said['soc_end']} %")
    parts.append(f"{said['seconds']} s")
    return ", ".join([*parts, *([said["ended"]] if said["ok"] else [])])
