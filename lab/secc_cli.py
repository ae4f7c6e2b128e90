"""`v2g secc`: a station that waits for cars."""

import argparse
import asyncio
import contextlib
import json
import secrets
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from energy.prices import parsed as parsed_prices
from energy.site import Site
from lab import wall
from lab.extras import missing
from lab.hardware import distinct, furnished
from lab.output import complain, put
from lab.parser import listed, number, port
from lab.supervisor import Supervisor
from lab.wall import LOCAL
from lab.witness import add_options, witnesses
from secc import station as words
from secc.backend import LocalBackend, Surroundings
from secc.config import Config, OutletConfig, limits_of, parsed
from v2g.legible import legible
from v2g.messages.common_types import ChargeLoopResType
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended, Event, FrameSent, Noted, Relaxed
from v2g.session.errors import StationFailed
from v2g.session.link import Disconnected, HandshakeFailed, Observe, Observer, Secured, Unreachable, spelled
from v2g.settings import TABLE_LIMIT, ConfigError, octets_of, text_of
from v2g.tasks import Fallen, Tasks

WELL, NEGATIVE, USAGE = 0, 1, 2
RENEWAL_PERIOD = 5.0  # s between two looks at the certificates
EPILOG = """examples:
  v2g secc --host ::1 --port 15118 --pki certs                 TLS 1.3, DC and DC_BPT, EIM and Plug & Charge
  v2g secc --host 127.0.0.1 --port 0 --no-tls --auth EIM       a bench on plain TCP; the port is told on standard output
  v2g secc --iface eth1 --pki certs                            answer discovery (SDP) on a charging link
  v2g secc --port 15118 --pki certs --once --json              one session, as lines of JSON
  v2g secc --pki certs --services AC,AC_BPT --control Dynamic  offer these only, in this order
  v2g secc --config station.toml                               everything from one file, see docs/secc.md; flags overrule it
  v2g secc --pki certs --cps http://[::1]:8889/installation    let cars install contracts that `v2g pki cps` hands out
  v2g secc --pki certs --ocpp ws://localhost:9000/ocpp         let a CSMS decide

The first line on standard output is `listening on [::1]:15118 ...`; with --json every line is one object with `event`, and the first
is {"event": "listening", "address": ..., "evse": ..., "tls": ...}. A session ends with {"event": "ended", "ok": ..., "how": ..., ...};
every line names its "evse" and, where there is one, its "connection". What was wrong is in "reason" and "requirement" (null: none
is known), also where a car was answered with a WARNING: {"event": "objected", "request": ..., "code": ..., ...}.

SIGTERM and Ctrl-C: every car is asked to stop (EVSENotification Terminate) and has --grace seconds to leave; whoever has not left then is
ended with the contactor open. No other car is taken meanwhile. A second signal ends everything at once.

exit codes: 0 stopped by a signal and every car left in order (or none was there), or with --once the session ended as the standard
foresees; 1 with --once it did not, or after a signal a car had to be ended: it stayed too long, or a second signal came;
2 wrong usage, configuration or certificates, or the address cannot be had
"""


def register(subparsers: Any) -> None:
    """Add `secc` to the `v2g` command."""
    parser = subparsers.add_parser("secc", help="a station alone", description=__doc__, epilog=EPILOG)
    where = parser.add_argument_group("where")
    where.add_argument("--host", help="address to listen on (default ::1)")
    where.add_argument("--port", type=port, help="0 for any free one (default 15118, with --iface a random one)")
    where.add_argument("--iface", metavar="NAME", help="listen on the link-local address of this interface and answer discovery there")
    trust = parser.add_argument_group("trust")
    trust.add_argument("--tls", action=argparse.BooleanOptionalAction, default=None, help="TLS 1.3 (default); --no-tls is for benches only")
    trust.add_argument("--pki", metavar="DIR", help="certificates, made with `v2g pki create DIR`")
    trust.add_argument("--responder", metavar="URL", help="OCSP responder for what is stapled (default: whom the certificates name)")
    trust.add_argument("--profile", choices=("conformance", "interop"), help="interop puts up with named peers (default conformance)")
    offer = parser.add_argument_group("offer")
    offer.add_argument(
        "--services",
        type=listed(get_args(words.Service)),
        metavar="A,B",
        help="of AC, AC_BPT, DC, DC_BPT, in this order (default DC,DC_BPT)",
    )
    offer.add_argument(
        "--control", type=listed(get_args(words.Control)), metavar="A,B", help="of Scheduled, Dynamic, in this order (default both)"
    )
    offer.add_argument(
        "--auth", type=listed(get_args(words.Authorization)), metavar="A,B", help="of EIM, PnC (default both with --pki, else EIM)"
    )
    offer.add_argument("--installation", action="store_true", default=None, help="offer to install contracts of the --pki directory")
    offer.add_argument("--eim", choices=("accept", "refuse", "wait"), help="who may charge without contract (default accept)")
    offer.add_argument("--cps", metavar="URL", help="offer to install contracts; requests go to this provisioning service")
    site = parser.add_argument_group("site")
    site.add_argument("--prices", metavar="FILE", help="day-ahead prices, CSV or JSON")
    site.add_argument("--import-limit", type=number(0), metavar="W", help="what the site may take for this car")
    site.add_argument("--export-limit", type=number(0), metavar="W", help="what the site may give back")
    site.add_argument("--ocpp", metavar="URL", help="WebSocket address of a CSMS; the station id is the EVSE id")
    site.add_argument("--ocpp-password-file", metavar="FILE", help="its first line is the password (default: of V2G_OCPP_PASSWORD, if set)")
    how = parser.add_argument_group("how")
    how.add_argument("--once", action="store_true", help="end after one session, with its outcome as exit code")
    how.add_argument("--json", action="store_true", help="one JSON object per line on standard output")
    how.add_argument("--config", type=Path, metavar="FILE", help="a TOML file; unknown keys are errors")
    how.add_argument("--time-scale", type=number(above=0), metavar="N", help="wall seconds per second, for simulations (default 1)")
    how.add_argument("--grace", type=float, metavar="S", help="seconds that cars have to leave after SIGTERM or Ctrl-C (default 15)")
    wall.add_options(how)
    add_options(parser)
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; the exit code."""
    from pki.errors import CertificateError, StoreError

    said: frozenset[str] = frozenset()
    try:
        config = configured(options)
        if config.pki:
            said = stocktaken(config, options)
        ended = asyncio.run(serve(config, options))
    except (ConfigError, StoreError, CertificateError, Unreachable) as error:
        if str(error) not in said:
            complain(f"v2g secc: {error}")
        return USAGE
    return WELL if ended is None or ended.well else NEGATIVE


def stocktaken(config: Config, options: argparse.Namespace) -> frozenset[str]:
    """Say what the certificates lack for this station; gives the lines."""
    from lab.stock import said_at_start

    at = wall.wall_of(wall.clock_of(options, config.time_scale))()
    needs = {"tls": config.tls, "contracts": any("PnC" in (each.offer or config.offer).authorizations for each in config.outlets())}
    return said_at_start("v2g secc", str(config.pki), "station", config.profile, at, **needs)


def configured(options: argparse.Namespace) -> Config:
    """The file with the flags over it."""
    text = text_of(options.config) if options.config else ""
    named = ("host", "port", "iface", "tls", "pki", "responder", "profile", "ocpp", "ocpp_password_file", "time_scale", "grace")
    flags: dict[str, Any] = {name: getattr(options, name) for name in named}
    offer = {"services": options.services, "controls": options.control, "authorizations": options.auth}
    offer["certificate_installation"] = options.installation
    site = {"prices": options.prices, "import_limit": options.import_limit, "export_limit": options.export_limit}
    nested = {"offer": offer, "site": site, "eim": {"rule": options.eim}, "cps": {"url": options.cps}}
    given = {name: value for name, value in flags.items() if value is not None}
    given |= {name: said for name, table in nested.items() if (said := {k: v for k, v in table.items() if v is not None})}
    config = parsed(text, options.config, **given)
    if config.pki and not options.auth and "authorizations" not in text:
        return replace(config, offer=replace(config.offer, authorizations=("EIM", "PnC")))
    return config


async def serve(config: Config, options: argparse.Namespace) -> Ended | None:
    """Run the station until a signal, or with --once until one session has ended."""
    from lab.staples import kept_fresh
    from pki.store import Store
    from secc.server import Place, Station, surroundings
    from secc.trust import price_signing, station_tls, station_verifier

    stop, again = stopping()
    supervisor = Supervisor()
    store = Store(config.pki) if config.pki else None
    clock = wall.clock_of(options, config.time_scale)
    now = wall.wall_of(clock)
    tls = station_tls(store, config.profile, now) if store is not None and config.tls else None
    verifier = station_verifier(store, config.profile) if store is not None else None
    prices = price_signing(store, config.profile) if store is not None else None
    around = surroundings(clock)
    folder = options.config.parent if options.config else None
    furniture = [furnished(each, clock, folder) for each in config.outlets()]
    outlets = distinct([each for _, each in furniture])
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(witnesses(options, "secc", clock.wall))
        async with decided(config, outlets, around, clock, store, partial(told_fallen, options.json)) as backends:
            places = [
                Place(
                    evse,
                    replace(each.offer, limits=limits_of(each)) if each.offer else config.offer,
                    backend,
                    each.host or config.host,
                    each.port or 0,
                    each.iface,
                    [teller(options.json, each.evse_id), *watch(evse=each.evse_id)],
                )
                for (evse, each), backend in zip(furniture, backends, strict=True)
            ]
            fell = partial(told_fallen, options.json)
            async with (
                Station(places, tls, clock=clock, verifier=verifier, prices=prices, say=fell) as station,
                Tasks("v2g.secc", fell) as tasks,
            ):
                for place, address in zip(places, station.addresses, strict=True):
                    judged = {"judged_at": at} if tls is not None and (at := wall.judging_at(options, clock)) else {}
                    say(options.json, "listening", address=spelled(address), evse=place.outlet.evse_id, tls=tls is not None, **judged)
                if store is not None:
                    tasks.keep("certificates on disk", partial(renewed, store, station, config, now))
                    if config.ocpp is None or config.responder is not None:  # else the CSMS is asked
                        tasks.keep("OCSP responses", partial(kept_fresh, store, config.responder, unstapled, wall=now))
                supervisor.tell("READY=1")
                if supervisor.pace is not None:
                    tasks.keep("sign of life", supervisor.alive)
                ended = await until_stopped(station.once() if options.once else stop.wait(), stop)
                supervisor.tell("STOPPING=1")
                return await left(station, config.grace, again, options.json) if stop.is_set() else ended


def stopping() -> tuple[asyncio.Event, asyncio.Event]:
    """Set when SIGINT or SIGTERM comes for the first time, and when one comes again."""
    stop, again, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # a platform without signals in its loop
            loop.add_signal_handler(one, lambda: (again if stop.is_set() else stop).set())
    return stop, again


async def left(station: Any, grace: float, again: asyncio.Event, as_json: bool) -> Ended | None:
    """Ask the cars to stop and let them leave; None if all have, in order. A second signal waits no more."""
    if station.occupied:
        say(as_json, "stopping", grace=grace)
    leaving, hurry = asyncio.ensure_future(station.leave(grace)), asyncio.ensure_future(again.wait())
    await asyncio.wait((leaving, hurry), return_when=asyncio.FIRST_COMPLETED)
    if leaving.done() and leaving.result():
        hurry.cancel()
        return None
    leaving.cancel()
    why = "a second signal came" if again.is_set() else f"a car did not leave in order within {grace:g} s"
    return Ended("aborted", StationFailed(why, None))


async def renewed(store: Any, station: Any, config: Config, now: Callable[[], float]) -> None:
    """Follow the certificates on disk: what was replaced there is used from the next session on."""
    from pki.errors import StoreError
    from secc.trust import price_signing, station_tls, station_verifier

    while True:
        await asyncio.sleep(RENEWAL_PERIOD)
        if not store.changed():
            continue
        store.reload()
        try:
            tls = station_tls(store, config.profile, now) if config.tls else None
            station.reload(tls, station_verifier(store, config.profile), price_signing(store, config.profile))
        except StoreError as error:
            complain(f"v2g secc: {error}; the certificates of before stay in use")


def unstapled(wrong: dict[str, str]) -> None:
    """Say which certificates have no fresh OCSP response; cars may refuse a station without."""
    for name, reason in wrong.items():
        complain(f"v2g secc: no OCSP response for {name}: {reason}")


async def until_stopped(work: Any, stop: asyncio.Event) -> Ended | None:
    """The result of the work, None when the signal comes first."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    result = tasks[0].result() if tasks[0] in done else None
    return result if isinstance(result, Ended) else None


# --- backend ---


@contextlib.asynccontextmanager
async def decided(
    config: Config, outlets: Sequence[OutletConfig], around: Surroundings, clock: Clock, store: Any, fell: Callable[[Fallen], None]
) -> Any:
    """The backend of each outlet: a CSMS, or rules of its own."""
    site = site_of(config, around.wall())
    if config.ocpp is None:
        rules: dict[str, Any] = {"eim": config.eim.rule, "eim_delay": config.eim.delay}
        rules |= {"provisioning": provisioning(config, store), "confirm_every": config.metering.confirm_every}
        yield [LocalBackend(around, _sited(site, each), **rules) for each in outlets]
        return
    from lab.station_ocpp import connected

    async with connected(config, outlets, site, clock, store, fell) as backends:
        yield backends


def provisioning(config: Config, store: Any) -> Any:
    """Who answers requests for contracts without a CSMS: the service that the configuration names, or the directory's own."""
    if config.cps is not None:
        from lab.pki.cps import relay

        cps = config.cps
        return lambda exi, now: relay(cps.url, exi, timeout=cps.timeout)
    if not config.offer.certificate_installation:
        return None
    from secc.trust import provisioning_service

    service = provisioning_service(store, config.profile, secrets.token_bytes) if store is not None else None
    if service is None:
        raise ConfigError("offer.certificate_installation needs a pki directory with a cps and a contract, or cps, or ocpp")
    return service.answer_exi


def _sited(site: Site, outlet: OutletConfig) -> Site:
    """The site for one outlet: export as far as the outlet gives back, unless the site says otherwise."""
    return replace(site, export_limit=limits_of(outlet).discharge_power) if site.export_limit == float("inf") else site


def site_of(config: Config, wall: float) -> Site:
    """The site with its prices, today's and what follows."""
    said = config.site
    given = said.numbers()
    if said.prices is not None:
        if config.ocpp is None and (lacking := missing(["energy"])):
            raise ConfigError(f"site.prices: {lacking}, or leave them out: a station without prices charges at once")
        octets = octets_of(Path(said.prices), TABLE_LIMIT)
        try:
            prices = parsed_prices(octets)
        except ValueError as error:
            raise ConfigError(f"site.prices {said.prices}: {error}") from None
        given |= {"daily": prices, "zone": LOCAL} if prices.relative else {"import_prices": prices.imports, "export_prices": prices.exports}
        given["currency"] = said.currency or prices.currency or "EUR"
    elif said.currency is not None:
        given["currency"] = said.currency
    return Site(**given).at(wall)


# --- what people and scripts read ---


def say(as_json: bool, event: str, **facts: Any) -> None:
    """One line on standard output."""
    if as_json:
        put(json.dumps({"event": event, **facts}), flush=True)
    elif event == "listening":
        put(
            f"listening on {facts['address']} ({facts['evse']}, {'TLS 1.3' if facts['tls'] else 'plain TCP, for benches only'})"
            + (f", certificates judged at {facts['judged_at']}, not at the machine's time" if "judged_at" in facts else ""),
            flush=True,
        )
    else:
        about = {name: value for name, value in facts.items() if name != "connection" and value not in (None, "", [], False)}
        told = ", ".join(f"{name} {legible(value)}" for name, value in about.items())
        put(f"{event}: {told}" if told else event, flush=True)


def told_fallen(as_json: bool, fallen: Fallen) -> None:
    """Say for machines that a background task fell; people read it in the log."""
    if as_json:
        say(True, "task-fell", name=fallen.name, reason=fallen.reason, restarts=fallen.restarts, again_in=fallen.again)


class Teller(Observer):
    """Says what happens on one connection, briefly, and sums it up at its end."""

    def __init__(self, as_json: bool, evse: str, number: int):
        self._json, self._evse, self._number = as_json, evse, number
        self._sum: dict[str, Any] = {"service": None, "control": None, "auth": None, "loops": 0, "charged": None, "discharged": None}
        self._relaxed: list[str] = []
        self._objected: list[dict[str, Any]] = []  # every WARNING that the car was answered

    def event(self, event: Event) -> None:
        """Say it, if it is worth a line."""
        match event:
            case Secured(facts=facts):
                self._say("secured", version=facts.version, suite=facts.suite, group=facts.group)
            case HandshakeFailed():
                facts = {"reason": event.reason, "by": event.by, "alert": event.alert, "requirement": event.requirement}
                self._say("handshake-failed", **facts)
            case words.SessionStarted(session_id=session_id, evccid=evccid, resumed=resumed):
                self._say("session", session_id=session_id.hex(), evccid=evccid, resumed=resumed)
            case words.AuthorizationWanted(authorization=authorization):
                self._sum["auth"] = authorization
            case words.ServiceSelected(service=service, control=control):
                self._sum |= {"service": service, "control": control}
                self._say("selected", service=service, control=control)
            case words.ScheduleChosen(tuple_id=tuple_id):
                self._say("schedule", tuple=tuple_id)
            case words.PowerStarted() | words.PowerStopped():
                self._say("power", state="on" if isinstance(event, words.PowerStarted) else "off")
            case words.Objected(request=request, objection=objection):
                about = {"code": objection.code.value, "reason": objection.reason, "requirement": objection.requirement}
                self._objected.append(about)
                self._say("objected", request=request, **about)
            case Relaxed(relaxation=relaxation, requirement=requirement):
                self._relaxed.append(requirement)
                self._say("relaxed", relaxation=relaxation, requirement=requirement)
            case FrameSent(message=ChargeLoopResType()):
                self._sum["loops"] += 1
            case Noted(topic="ended", facts=facts):
                self._sum |= {name: facts[name] for name in ("charged", "discharged") if name in facts}
            case Disconnected(ended=Ended() as ended):
                self._ended(ended)

    def _ended(self, ended: Ended) -> None:
        account = {"ok": ended.well, "how": ended.how, "reason": ended.reason, "requirement": ended.requirement, **self._sum}
        self._say("ended", **account, relaxed=self._relaxed, objected=self._objected)

    def _say(self, event: str, **facts: Any) -> None:
        say(self._json, event, evse=self._evse, connection=self._number, **facts)


def teller(as_json: bool, evse: str) -> Observe:
    """What tells of the connections of one outlet."""
    return lambda local, peer, number: Teller(as_json, evse, number)
