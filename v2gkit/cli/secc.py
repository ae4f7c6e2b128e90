"""`v2g secc`: a station that waits for cars."""

import argparse
import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from pki.errors import CertificateError, StoreError
from secc import station as words
from secc.config import Config, parse, taking_contracts
from secc.outlet import Outlet
from v2g.legible import legible
from v2g.services import SERVICES
from v2g.session.endpoint import Ended
from v2g.session.link import Observe, Unreachable
from v2g.settings.strict import ConfigError, line_of, table, text_of
from v2gkit.cli import leave, live, log, scraped
from v2gkit.cli import screen as screens
from v2gkit.cli.clock import add_clock_options, clock_of, judging_at
from v2gkit.cli.parser import names_among, number, port
from v2gkit.cli.stock import said_at_start
from v2gkit.insight.witness import witnesses
from v2gkit.output import complain, put
from v2gkit.station.service import Manner, serve
from v2gkit.wall import wall_of

WELL, NEGATIVE, USAGE = 0, 1, 2
EPILOG = """examples:
  v2g secc --host ::1 --port 15118 --pki certs                 TLS 1.3, DC and DC_BPT, EIM and Plug & Charge
  v2g secc --host 127.0.0.1 --port 0 --no-tls --auth EIM       a bench on plain TCP; the port is told on standard output
  v2g secc --iface eth1 --pki certs                            answer discovery (SDP) on a charging link
  v2g secc --port 15118 --pki certs --once --json              one session, as lines of JSON
  v2g secc --pki certs --services AC,AC_BPT --control Dynamic  offer these only, in this order
  v2g secc --config station.toml                               everything from one file, see docs/secc.md; flags overrule it
  v2g secc --pki certs --cps http://[::1]:8889/installation    let cars install contracts that `v2g pki cps` hands out
  v2g secc --pki certs --ocpp ws://localhost:9000/ocpp         let a CSMS decide
  v2g secc --config station.toml --workers 2                   its outlets shared out among two processes
  v2g secc --pki certs --ui 9180                               every session in a browser, live, at http://127.0.0.1:9180/
  v2g secc --pki certs --metrics 9100                          figures for Prometheus at http://127.0.0.1:9100/metrics

The first line on standard output is `listening on [::1]:15118 ...`; with --json every line is one object with `event`, and the first
is {"event": "listening", "address": ..., "evse": ..., "tls": ...}. A session ends with {"event": "ended", "ok": ..., "how": ..., ...};
every line names its "evse" and, where there is one, its "connection". What was wrong is in "reason" and "requirement" (null: none
is known), also where a car was answered with a WARNING: {"event": "objected", "request": ..., "code": ..., ...}. Why the car was
asked to stop is in "asked" (empty: it was not).

SIGTERM and Ctrl-C: every car is asked to stop (EVSENotification Terminate) and has --grace seconds to leave; whoever has not left then is
ended with the contactor open. No other car is taken meanwhile. A second signal ends everything at once.

exit codes: 0 stopped by a signal and every car left in order (or none was there), or with --once the session ended as the standard
foresees; 1 with --once it did not, or after a signal a car had to be ended: it stayed too long, or a second signal came;
2 wrong usage, configuration or certificates, or the address cannot be had
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g secc`."""
    where = parser.add_argument_group("where")
    where.add_argument("--host", help="address to listen on (default ::1)")
    where.add_argument("--port", type=port, help="0 for any free one (default 15118, with --iface a random one)")
    where.add_argument("--iface", metavar="NAME", help="listen on the link-local address of this interface and answer discovery there")
    where.add_argument(
        "--slac", metavar="NAME", help="match cars first (ISO 15118-3): the interface of the power line modem; implies --iface"
    )
    trust = parser.add_argument_group("trust")
    trust.add_argument("--tls", action=argparse.BooleanOptionalAction, default=None, help="TLS 1.3 (default); --no-tls is for benches only")
    trust.add_argument("--pki", metavar="DIR", help="certificates, made with `v2g pki create DIR`")
    trust.add_argument("--responder", metavar="URL", help="OCSP responder for what is stapled (default: whom the certificates name)")
    trust.add_argument("--profile", choices=("conformance", "interop"), help="interop puts up with named peers (default conformance)")
    offer = parser.add_argument_group("offer")
    offer.add_argument(
        "--services",
        type=names_among(tuple(SERVICES)),
        metavar="A,B",
        help=f"of {', '.join(SERVICES)}, in this order (default {','.join(Outlet().services)})",
    )
    offer.add_argument(
        "--control", type=names_among(get_args(words.Control)), metavar="A,B", help="of Scheduled, Dynamic, in this order (default both)"
    )
    offer.add_argument(
        "--auth", type=names_among(get_args(words.Authorization)), metavar="A,B", help="of EIM, PnC (default both with --pki, else EIM)"
    )
    offer.add_argument("--installation", action="store_true", default=None, help="offer to install contracts of the --pki directory")
    offer.add_argument("--eim", choices=("accept", "refuse", "wait"), help="who may charge without contract (default accept)")
    offer.add_argument("--read-soc", action="store_true", default=None, help="end sessions once the state of charge is known")
    offer.add_argument("--cps", metavar="URL", help="offer to install contracts; requests go to this provisioning service")
    site = parser.add_argument_group("site")
    site.add_argument("--prices", metavar="FILE", help="day-ahead prices, CSV or JSON")
    site.add_argument("--import-limit", type=number(0), metavar="W", help="what the site may take for this car")
    site.add_argument("--export-limit", type=number(0), metavar="W", help="what the site may give back")
    _csms_options(parser)
    how = parser.add_argument_group("how")
    how.add_argument("--once", action="store_true", help="end after one session, with its outcome as exit code")
    how.add_argument("--json", action="store_true", help="one JSON object per line on standard output")
    how.add_argument("--config", type=Path, metavar="FILE", help="a TOML file; unknown keys are errors")
    how.add_argument("--time-scale", type=number(above=0), metavar="N", help="wall seconds per second, for simulations (default 1)")
    how.add_argument("--workers", type=int, metavar="N", help="processes among which the outlets of --config are shared out (default 1)")
    how.add_argument("--grace", type=float, metavar="S", help="seconds that cars have to leave after SIGTERM or Ctrl-C (default 15)")
    how.add_argument("--state", metavar="DIR", help="keep paused sessions and a password set by the CSMS over a restart")
    add_clock_options(how)
    screens.add_options(how)
    leave.add_options(parser)
    log.add_options(parser)
    scraped.add_options(parser)
    live.add_options(parser)


def _csms_options(parser: argparse.ArgumentParser) -> None:
    csms = parser.add_argument_group("CSMS")
    csms.add_argument("--ocpp", metavar="URL", help="WebSocket address of a CSMS; wss:// is TLS")
    csms.add_argument("--ocpp-station-id", metavar="ID", help="who the station is to it (default: the EVSE id)")
    csms.add_argument("--ocpp-trust", metavar="FILE", help="roots by which the CSMS is verified, PEM (default: the operating system's)")
    csms.add_argument("--ocpp-certificate", metavar="FILE", help="the station's chain for security profile 3, PEM")
    csms.add_argument("--ocpp-key", metavar="FILE", help="its key, PEM")
    csms.add_argument(
        "--ocpp-security-profile", type=int, choices=(1, 2, 3), help="the least that is good enough (default: what is given makes it)"
    )
    csms.add_argument(
        "--ocpp-versions", type=names_among(("ocpp2.1", "ocpp2.0.1")), metavar="A,B", help="of ocpp2.1, ocpp2.0.1, in this order"
    )
    csms.add_argument(
        "--ocpp-fallback",
        choices=("local", "hold", "zero", "free"),
        help="how a car goes on whose charging profile has run out: planned here, held, stopped, or freely (default: local)",
    )
    csms.add_argument(
        "--ocpp-vehicle-status",
        choices=("known", "demanded"),
        help="demanded: serve only cars whose certificates the CSMS calls good (default: known, those that it does not call revoked)",
    )
    csms.add_argument("--ocpp-password-file", metavar="FILE", help="its first line is the password (default: of V2G_OCPP_PASSWORD, if set)")


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    said: frozenset[str] = frozenset()
    try:
        config = configured(options)
        if config.pki:
            said = stocktaken(config, options)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:  # Windows would take one that cannot watch listeners
            ended = runner.run(served(config, options))
    except (ConfigError, StoreError, CertificateError, Unreachable) as error:
        if str(error) not in said:
            complain(f"v2g secc: {error}")
        return USAGE
    return WELL if ended is None or ended.well else NEGATIVE


def stocktaken(config: Config, options: argparse.Namespace) -> frozenset[str]:
    """Say on standard error what the certificates lack for this station; returns the lines."""
    at = wall_of(clock_of(options, config.time_scale))()
    needs = {"tls": config.tls, "contracts": any("PnC" in (each.offer or config.offer).authorizations for each in config.outlets())}
    return said_at_start("v2g secc", str(config.pki), "station", config.profile, at, **needs)


def configured(options: argparse.Namespace) -> Config:
    """The configuration from the file, overruled by the flags. Raises ConfigError."""
    text = text_of(options.config) if options.config else ""
    named: tuple[str, ...] = ("host", "port", "iface", "slac", "tls", "pki", "responder", "profile")
    named += ("time_scale", "grace", "state", "read_soc", "workers")
    flags: dict[str, Any] = {name: getattr(options, name) for name in named}
    offer = {"services": options.services, "controls": options.control, "authorizations": options.auth}
    offer["certificate_installation"] = options.installation
    site = {"prices": options.prices, "import_limit": options.import_limit, "export_limit": options.export_limit}
    names = ("station_id", "password_file", "trust", "certificate", "key", "security_profile", "versions", "fallback", "vehicle_status")
    ocpp = {"url": options.ocpp, **{name: getattr(options, f"ocpp_{name}") for name in names}}
    nested = {"ocpp": ocpp, "offer": offer, "site": site, "eim": {"rule": options.eim}, "cps": {"url": options.cps}}
    given = {name: value for name, value in flags.items() if value is not None}
    given |= {name: said for name, table in nested.items() if (said := {k: v for k, v in table.items() if v is not None})}
    config = parse(text, options.config, **given)
    if config.ocpp is not None:
        _demand_files(config, text, options.config)
    return taking_contracts(config, table(text, options.config)) if config.pki and not options.auth else config


def _demand_files(config: Config, text: str, file: Path | None) -> None:
    """Raise ConfigError, with file and line, for a file of [ocpp] that cannot be used."""
    from v2gkit.station.csms import endpoint_of  # it wants a library that not everybody has
    from v2gkit.station.updating import firmware_of

    assert config.ocpp is not None
    try:
        endpoint_of(config.ocpp, config.outlets()[0].evse_id)
        firmware_of(config.ocpp.firmware, Path(config.state) if config.state else None)
    except ConfigError as error:
        line = line_of(text, error.place) if file is not None and len(error.place) > 1 else None
        raise ConfigError(f"{file}:{line}: {error}" if line else str(error), error.place) from None


async def served(config: Config, options: argparse.Namespace) -> Ended | None:
    """Serve as the options say; how the last session ended, None after a signal."""
    clock = clock_of(options, config.time_scale)
    with contextlib.ExitStack() as stack:
        screen = stack.enter_context(screens.screen(options))
        feed = stack.enter_context(live.viewing(options))
        watch = stack.enter_context(witnesses(leave.files_of(options), "secc", clock.wall, leave.warn, feed))
        manner = Manner(
            clock,
            lambda *, evse: [*watch(evse=evse), *screen.observing(evse, clock.wall)],
            partial(shown, screen) if screen.moving else partial(say, options.json),
            lambda line: complain(f"v2g secc: {line}"),
            once=options.once,
            folder=options.config.parent if options.config else None,
            judged_at=judging_at(options, clock),
            frames=watch.frames,
        )
        if feed is not None:
            manner = announcing(manner, "viewer", feed.url)
        manner = counted(manner, options, stack) if options.metrics is not None else manner
        ended = await (serving_shared_out(options) if config.workers > 1 else serve)(config, manner)
        if feed is not None and options.once:
            feed.over()
        return ended


def serving_shared_out(options: argparse.Namespace) -> Callable[[Config, Manner], Awaitable[Ended | None]]:
    """What serves outlets that are shared out among workers. Raises ConfigError for options that one process alone can do."""
    if options.cpu:
        raise ConfigError("--cpu measures one process; leave it out, or --workers")
    from v2gkit.station.shards.office import serve as shared_out

    return shared_out


FOLDED = {"secured", "handshake-failed", "session", "selected", "schedule", "power", "ended"}  # what the blocks tell as well


def shown(screen: screens.Screen, event: str, **facts: Any) -> None:
    """Print an event as a line above the live blocks, unless a block shows it."""
    if not screen.folded or event not in FOLDED:
        say(False, event, **facts)


def counted(manner: Manner, options: argparse.Namespace, stack: contextlib.ExitStack) -> Manner:
    """The manner with everything counted; with --metrics the figures are served until the stack unwinds."""
    from v2gkit.metrics import serve_metrics  # these want a library that not everybody has; the help does not
    from v2gkit.station.metrics import Figures

    figures = Figures(accounts=manner.accounts)
    url = stack.enter_context(serve_metrics(figures.registry, options.metrics_host, options.metrics))

    def watch(*, evse: str) -> list[Observe]:
        return [*manner.watch(evse=evse), figures.watching(evse)]

    return replace(announcing(manner, "metrics", url), watch=watch)


def announcing(manner: Manner, name: str, url: str) -> Manner:
    """The manner with an event `name` after the first line, which is where the station listens: where else it is to be found."""
    waiting = [url]

    def tell(event: str, **facts: Any) -> None:
        manner.say(event, **facts)
        if event == "listening" and waiting:
            manner.say(name, url=waiting.pop())

    return replace(manner, say=tell)


def say(as_json: bool, event: str, **facts: Any) -> None:
    """Print an event as one line on standard output, as JSON or for people."""
    if event == "listening":
        log.about(facts["evse"])
    if as_json:
        put(json.dumps({"event": event, **facts}), flush=True)
    elif event == "task-fell":
        return  # people read it in the log
    elif event == "listening":
        put(
            f"listening on {facts['address']} ({facts['evse']}, {'TLS 1.3' if facts['tls'] else 'plain TCP, for benches only'})"
            + (f", certificates judged at {facts['judged_at']}, not at the machine's time" if "judged_at" in facts else ""),
            flush=True,
        )
    else:
        put(spelled(event, facts), flush=True)


def spelled(event: str, facts: dict[str, Any]) -> str:
    """An event and its facts in one line for people."""
    about = {name: value for name, value in facts.items() if name != "connection" and value not in (None, "", [], False)}
    told = ", ".join(f"{name} {legible(value)}" for name, value in about.items())
    return f"{event}: {told}" if told else event
