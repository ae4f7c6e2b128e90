"""`v2g ev`: a car that visits one station."""

import argparse
import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from evcc.car import Wish
from evcc.config import Config, Wireless
from evcc.generations import NAMED
from evcc.iso20.play import Play
from pki.errors import CertificateError, StoreError
from v2g.iso20.services import SERVICES
from v2g.session.errors import Misuse
from v2g.settings.strict import ConfigError
from v2gkit.cli import crowd, leave, live, log
from v2gkit.cli import screen as screens
from v2gkit.cli.clock import add_clock_options, clock_of, judging_at
from v2gkit.cli.parser import number, whole
from v2gkit.cli.stock import said_at_start
from v2gkit.insight.narrator import Narrator
from v2gkit.insight.witness import Live, witnesses
from v2gkit.lab.personality import configuration, personalities
from v2gkit.lab.scenarios import names as scenarios
from v2gkit.lab.scenarios import scenario
from v2gkit.lab.visit import matching, visit, visit_of
from v2gkit.output import complain, put
from v2gkit.wall import wall_of

WELL, NEGATIVE, USAGE = 0, 1, 2
TLS_VERSIONS = {"1.3": ("1.3",), "1.2": ("1.2",), "both": ("1.3", "1.2")}
SCRIPTS = ("charge", "read-soc", "schedule-renegotiation", "service-renegotiation", "standby")
EPILOG = """examples:
  v2g ev --connect [::1]:15118 --pki certs                               DC_BPT, Scheduled, Plug & Charge, until the goal
  v2g ev --connect [::1]:15118 --pki certs --service AC --control dynamic --auth eim --loops 20
  v2g ev --iface eth0 --pki certs                                        find the station by SDP
  v2g ev --connect [::1]:15118 --pki certs --generation 20 --generation 2 --service DC     one hello for both kinds of stations
  v2g ev --connect [::1]:15118 --generation DIN                         DIN SPEC 70121: DC, paid outside, without TLS
  v2g ev --connect 127.0.0.1:15118 --no-tls --service DC --loops 10 --json     a bench without TLS
  v2g ev --connect [::1]:15118 --pki certs --soc 40 --departure-in 36000 --time-scale 3600   a night in ten seconds
  v2g ev --connect [::1]:15118 --pki car --install                       get a contract first, keep it in car/contract, charge with it
  v2g ev --connect [::1]:15118 --pki certs --pause-after 20              pause, come back, go on
  v2g ev --connect [::1]:15118 --pki certs --personality compact --scenario unplug    a shipped car, a shipped scenario, a verdict
  v2g ev --connect [::1]:20000-20199 --pki certs --fleet 200 --spread 30 --loops 50 --json    many cars, each with its own battery
  v2g ev --connect [::1]:15118 --pki certs --ui                          the session in a browser, live
  v2g ev --config car.toml                                               everything from one file; flags override it

With --json the last line of standard output is one object: ok, ended, reason, requirement, service, control, auth, tls, loops,
energy_charged and energy_discharged (Wh at the plug), soc_start, soc_end (%), schedule_tuple, cost, currency,
sessions, relaxed, seconds.

What happens is told on standard error, a line for each phase; --quiet leaves that out.

SIGTERM and Ctrl-C: the car leaves in order (PowerDelivery Stop, SessionStop) within --grace seconds, else, or when asked a second time, it
opens its contactors and cuts the connection.

exit codes: 0 the session ended as the standard foresees, also when a signal asked for it; 1 it did not (the reason is said), also when it
was cut or there was none yet; 2 wrong usage or configuration
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g ev`."""
    _place(parser)
    _wish(parser)
    _battery(parser)
    crowd.add_options(parser)
    clock = parser.add_argument_group("time")
    clock.add_argument(
        "--time-scale", type=number(above=0), metavar="X", help="wall seconds per second; the station needs the same (default: 1)"
    )
    add_clock_options(clock)
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file, see docs/evcc.md")
    parser.add_argument("--personality", metavar="NAME", help="a car that is shipped; --config and flags overrule it")
    parser.add_argument("--personalities", action="store_true", help="list the cars that are shipped, and leave")
    parser.add_argument("--scenarios", action="store_true", help="list the scenarios that are shipped, and leave")
    leave.add_options(parser)
    live.add_options(parser)
    log.add_options(parser)
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON")
    screens.add_options(parser)
    parser.add_argument("--quiet", action="store_true", help="tell nothing on the way")


def _place(parser: argparse.ArgumentParser) -> None:
    where = parser.add_argument_group("where")
    where.add_argument("--connect", action="append", metavar="HOST:PORT", help="the station's address, IPv6 in brackets")
    where.add_argument("--iface", metavar="NAME", help="find the station by SDP on this interface")
    where.add_argument(
        "--wireless", metavar="COUPLING", help="ask over WLAN, with --iface: CROSS_RAIL, WPT, ... (the rest under [wireless], docs/evcc.md)"
    )
    where.add_argument("--slac", metavar="NAME", help="match first (ISO 15118-3): the interface of the power line modem")
    where.add_argument(
        "--tls",
        nargs="?",
        const=True,
        choices=tuple(TLS_VERSIONS),
        help="default: 1.3 for generation 20, 1.2 for generation 2, both in one hello for a car of both",
    )
    where.add_argument(
        "--no-tls", dest="tls", action="store_const", const=False, help="for benches; -2 is spoken so in the field, too, and DIN always"
    )
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


def _wish(parser: argparse.ArgumentParser) -> None:
    wish = parser.add_argument_group("what the car wants")
    first = ", then ".join(Wish().services)
    wish.add_argument("--service", action="append", choices=tuple(SERVICES), help=f"again for a second choice (default: {first})")
    wish.add_argument(
        "--generation",
        action="append",
        choices=tuple(NAMED),
        help="ISO 15118-20, -2, DIN SPEC 70121; again for more (default: 20)",
    )
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
    visit = wish.add_mutually_exclusive_group()
    visit.add_argument("--script", choices=SCRIPTS, default="charge", help="what the visit is (default: charge)")
    visit.add_argument(
        "--scenario", metavar="FILE|NAME", help="steps with conditions, and what the station must do: exit code 1 if it does not"
    )


def _battery(parser: argparse.ArgumentParser) -> None:
    battery = parser.add_argument_group("battery and goal")
    battery.add_argument("--soc", type=number(0, most=100), metavar="PERCENT", help="on arrival (default: 20)")
    battery.add_argument("--target-soc", type=number(0, most=100), metavar="PERCENT", help="at departure (default: 80)")
    battery.add_argument("--minimum-soc", type=number(0, most=100), metavar="PERCENT", help="never discharged below (default: 20)")
    battery.add_argument(
        "--maximum-soc", type=number(0, most=100), metavar="PERCENT", help="never charged above, bidirectional (default: 90)"
    )
    battery.add_argument("--departure-in", type=number(0), metavar="SECONDS", help="of wall time")


def run(options: argparse.Namespace) -> int:
    """Visit the station once; returns the exit code."""
    already: frozenset[str] = frozenset()
    if options.personalities or options.scenarios:
        return listed(options)
    try:
        config = configured(options)
        if bool(config.connect) == bool(config.iface) and (config.connect or not config.slac):
            raise ConfigError("where is the station? give --connect HOST:PORT, or --iface NAME to ask by SDP (--slac NAME matches first)")
        if not options.fleet and len(options.connect or ()) > 1:
            raise ConfigError(f"one car goes to one station; --connect names {len(options.connect)}: give one, or --fleet N")
        if config.tls and not config.pki:
            raise ConfigError("TLS needs certificates: give --pki DIR (v2g pki create DIR makes them), or --no-tls on a bench")
        if config.pki:
            already = stocktaken(config, options)
        with live.viewing(options) as feed:
            if feed is not None:
                complain(f"v2g ev: live at {feed.url}", flush=True)
            with screens.screen(options) as screen:
                said = asyncio.run(visited(config, options, screen, feed))
            if options.json:
                put(json.dumps(said), flush=True)
            else:
                screen.verdict(crowd.summary(said) if options.fleet else summary(said, told=screen.told), said["ok"])
            live.stay(feed, options)
    except (ConfigError, StoreError, CertificateError, Misuse) as error:
        if str(error) not in already:
            complain(f"v2g ev: {error}")
        return USAGE
    return WELL if said["ok"] else NEGATIVE


def listed(options: argparse.Namespace) -> int:
    """Print the shipped cars or scenarios, with a line about each; returns the exit code."""
    shipped: dict[str, Any] = personalities() if options.personalities else {name: scenario(name) for name in scenarios()}
    about = {name: one.about for name, one in shipped.items()}
    widest = max(map(len, about))
    put(json.dumps(about) if options.json else "\n".join(f"{name:{widest}}  {line}" for name, line in about.items()), flush=True)
    return WELL


def stocktaken(config: Config, options: argparse.Namespace) -> frozenset[str]:
    """Say on standard error what the certificates lack for this car; returns the lines."""
    at = wall_of(clock_of(options, config.time_scale))()
    needs = {"tls": config.tls, "contracts": "PnC" in config.wish.authorizations and not config.wish.install}
    needs["proves"] = "20" in config.generations or "1.3" in config.tls_versions
    minus2 = "20" not in config.generations and config.wish.profile == "conformance" and not needs["proves"]
    return said_at_start("v2g ev", str(config.pki), "car", "iso2" if minus2 else config.wish.profile, at, **needs)


FLAGS = {  # flag -> place in the configuration
    "iface": (), "slac": (), "revocation": (), "name_roots": (), "soc": (), "departure_in": (), "time_scale": (),
    "resume_within": (), "grace": (),
    "loops": ("wish",), "pause_after": ("wish",), "install": ("wish",), "profile": ("wish",),
    "target_soc": ("goal",), "minimum_soc": ("goal",), "maximum_soc": ("goal",),
}  # fmt: skip


def configured(options: argparse.Namespace) -> Config:
    """The configuration from the file, if one is given, overruled by the flags. Raises ConfigError."""
    config = configuration(options.personality, options.config)
    given: dict[str, dict[str, Any]] = {"": {}, "wish": {}, "goal": {}}
    for flag, place in FLAGS.items():
        if (value := getattr(options, flag)) is not None:
            given["".join(place)][flag] = value
    if options.connect:
        given[""]["connect"] = options.connect[-1]
    if options.tls is not None:
        given[""].update(tls=options.tls is not False, tls_versions=TLS_VERSIONS.get(options.tls, config.tls_versions))
    if options.generation:
        given[""]["generations"] = tuple(options.generation)
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
        if options.wireless:
            given[""]["wireless"] = replace(config.wireless or Wireless(), coupling=options.wireless)
        wish = replace(config.wish, **given["wish"])
        changed = replace(config, wish=wish, goal=replace(config.goal, **given["goal"]), **given[""])
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if changed.generations == ("DIN",):
        if options.tls:
            raise ConfigError("DIN SPEC 70121 is spoken without TLS; leave out --tls, or offer another --generation as well")
        changed = replace(changed, tls=False)
    return changed if changed.tls else replace(changed, wish=replace(changed.wish, bench_plain=True))


async def visited(config: Config, options: argparse.Namespace, screen: screens.Screen, show: Live | None) -> dict[str, Any]:
    """Visit the station as the options say; returns the result as plain values. `show` gets the lines of the trace for a live viewer."""
    clock = clock_of(options, config.time_scale)
    if config.pki and config.tls and (at := judging_at(options, clock)) is not None:
        complain(f"v2g ev: certificates are judged at {at}, not at the machine's time")
    if options.fleet:
        return await crowd.driven(config, options, screen, clock, scenario(options.scenario) if options.scenario else options.script, show)
    play = Play(scenario(options.scenario)) if options.scenario else None
    driving = visit_of(config, clock, play or options.script)
    with witnesses(leave.files_of(options), "evcc", lambda at: driving.car.clock.wall(at), leave.warn, show) as watch:
        tell = Narrator(clock, lambda line: complain(line, flush=True))
        matching(driving, config, (lambda line: None) if options.quiet else lambda line: complain(line, flush=True))
        story = [] if options.quiet or screen.folded else [lambda local, peer, number: tell]
        driving.observe = [*watch(), *screen.observing("car", lambda at: driving.car.clock.wall(at)), *story]
        if not config.connect and not options.quiet:
            complain(f"discovery  asks for a station on {config.iface or config.slac}", flush=True)
        return await visit(driving, config, play)


def summary(said: dict[str, Any], *, told: str = "") -> str:
    """The result of a visit in one line for people: why it failed comes first, unless it is what was `told`; what never was is left out."""
    parts = [] if said["ok"] else ["failed" if told and told in said["reason"] else failure(said)]
    if "verdict" in said:
        parts = [f"{said['verdict']}: {judged(said)}"]
    if said["service"]:
        parts.append(" ".join(said[name] for name in ("service", "control", "auth") if said[name]) + f", {said['loops']} loops")
        parts.append(f"charged {said['energy_charged'] / 1000:.2f} kWh, discharged {said['energy_discharged'] / 1000:.2f} kWh")
        parts.append(f"SOC {said['soc_start']} to {said['soc_end']} %")
    parts.append(f"{said['seconds']} s")
    return ", ".join([*parts, *([said["ended"]] if said["ok"] else [])])


def failure(said: dict[str, Any]) -> str:
    """Why a visit failed, with the requirement that was broken, where one is known."""
    return f"failed: {said['reason']}" + (f" [{said['requirement']}]" if said["requirement"] else "")


def judged(said: dict[str, Any]) -> str:
    """The verdict of a scenario in one line: what was not as expected, else how many checks passed."""
    wrong = [f"{one['what']} brought {one['got']}, expected {one['expected']}" for one in said["told"] if not one["ok"]]
    wrong += [f"not reached: {', '.join(said['undone'])}"] if said["undone"] else []
    return "; ".join(wrong) or f"{len(said['told'])} as expected"
