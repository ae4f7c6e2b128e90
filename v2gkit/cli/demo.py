"""`v2g demo`: a car and a station, from discovery of each other's certificates to a clean stop, with an OCPP CSMS that steers."""

import argparse
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evcc.early.setup import charging
from evcc.generations import NAMED
from v2g.iso20.services import DC, DC_BPT, SERVICES
from v2g.legible import legible
from v2gkit.cli import live, log
from v2gkit.cli import screen as screens
from v2gkit.cli.parser import number
from v2gkit.extras import missing
from v2gkit.output import complain, put

if TYPE_CHECKING:
    from v2gkit.insight.live.feed import Feed
    from v2gkit.lab.demo import Outcome, Plan

SHORTEST = 5  # s: an hour then takes a quarter of a second, in which a busy machine manages a loop or two
EPILOG = """examples:
  v2g demo                                             DC_BPT, Scheduled, Plug & Charge
  v2g demo --service AC_BPT --control dynamic --auth eim
  v2g demo --generation 2 --service AC                 ISO 15118-2
  v2g demo --generation DIN                            DIN SPEC 70121
  v2g demo --install                                   CertificateInstallation first: by the CSMS, or with --no-ocpp by a CPS
  v2g demo --ui                                        watch it in a browser
  v2g demo --pki certs --output /tmp/session --json

What it leaves in the output folder: trace.jsonl (every message, raw and decoded), session.pcapng (with the TLS secrets: Wireshark
decrypts it by itself), report.html (one self-contained page), station-trace.jsonl (the station's own trace), station.toml and
station.jsonl (its configuration, and what it said), csms.jsonl (what the CSMS saw; cps.jsonl of a CPS), certs/ (without --pki), car/
(with --install: what the car holds), and beside each a file .err with complaints, if there were any.

Ctrl-C and SIGTERM: the car leaves in order, then station and CSMS end.

exit codes: 0 everything went as it should, 1 something did not (it is said what), 2 wrong usage or a party did not start, 130 after Ctrl-C,
143 after SIGTERM
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The options of `v2g demo`."""
    parser.add_argument("--generation", choices=tuple(NAMED), default="20", help="ISO 15118-20 (default), -2 or DIN SPEC 70121")
    parser.add_argument("--service", choices=tuple(SERVICES), help="default: DC_BPT, in the older generations DC")
    parser.add_argument("--control", choices=("scheduled", "dynamic"), default="scheduled")
    parser.add_argument("--auth", choices=("pnc", "eim"), help="default: pnc, in generation DIN eim")
    parser.add_argument("--pki", type=Path, metavar="DIR", help="certificates (default: made in the output folder)")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", default=Path("demo-output"), help="where to leave everything (default: demo-output)"
    )
    parser.add_argument("--ocpp", action=argparse.BooleanOptionalAction, default=True, help="with a CSMS (default)")
    parser.add_argument(
        "--install", action="store_true", help="the car comes without contract, gets one at the station and charges with it"
    )
    parser.add_argument(
        "--seconds",
        type=number(SHORTEST),
        metavar="S",
        default=10.0,
        help=f"how long the stay of 21 hours lasts (default: 10, at least {SHORTEST}; below 9 a busy machine may miss what is expected)",
    )
    parser.add_argument(
        "--json", action="store_true", help="the outcome as one line of JSON on standard output, the story on standard error"
    )
    screens.add_options(parser)
    live.add_options(parser)
    log.add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run the whole demo; returns the exit code."""
    from pki.errors import StoreError
    from v2gkit.lab.demo import Plan, perform

    plan = Plan(
        generation=options.generation,
        service=options.service or (DC_BPT if options.generation == "20" else DC).name,
        control=options.control.capitalize(),
        authorization={"pnc": "PnC", "eim": "EIM"}[options.auth or ("eim" if options.generation == "DIN" else "pnc")],
        output=options.output,
        pki=options.pki,
        ocpp=options.ocpp,
        install=options.install,
        seconds=options.seconds,
    )

    def tell(line: str) -> None:
        if options.json:
            complain(line, flush=True)
        else:
            put(legible(line), flush=True)

    if why := _objection(plan):
        complain(f"v2g demo: {why}")
        return 2
    try:
        with live.viewing(options) as feed:
            if feed is not None:
                tell(f"viewer     {feed.url}")
            with screens.screen(options) as screen:

                def story(line: str) -> None:
                    if not screen.folded:
                        tell(line)

                outcome = asyncio.run(perform(plan, story, lambda wall: [*screen.observing("car", wall), *_shown(feed, plan, wall)]))
            code = _told(outcome, options, screen)
            live.stay(feed, options)
    except asyncio.CancelledError:
        complain("v2g demo: stopped by SIGTERM")
        return 143
    except (RuntimeError, StoreError) as error:
        complain(f"v2g demo: {error}")
        return 2
    return code


def _objection(plan: "Plan") -> str:
    """Why the demo cannot be played; empty: it can."""
    if plan.generation == "2" and (plan.install or plan.control == "Dynamic" or not charging((plan.service,))):
        return "generation 2 has AC and DC, Scheduled, and contracts that were there before; leave out the rest or --generation 2"
    if plan.generation == "DIN" and (plan.authorization != "EIM" or plan.control == "Dynamic" or not charging((plan.service,), ("dc",))):
        return "generation DIN has DC, Scheduled, paid outside of the session (--auth eim); leave out the rest or --generation DIN"
    if plan.install and plan.authorization != "PnC":
        return "--install brings a contract, which --auth eim does not use; leave out one of them"
    lacking = missing(("energy", "ocpp") if plan.ocpp else ("energy",))
    return f"{lacking}{', or leave the CSMS out with --no-ocpp' if plan.ocpp else ''}" if lacking else ""


def _shown(feed: "Feed | None", plan: "Plan", wall: Callable[[float], float]) -> list[Any]:
    """The observers of the car for the viewer. It shows what the station saw, too, whose trace is being written by now."""
    if feed is None:
        return []
    from v2gkit.insight.witness import Watch

    feed.follow(plan.output / "station-trace.jsonl")
    return Watch("evcc", wall, feed)()


def _told(outcome: "Outcome", options: argparse.Namespace, screen: screens.Screen) -> int:
    """Say what came of it; the exit code."""
    for line in outcome.complaints:
        complain(f"v2g demo: {line}")
    if options.json:
        put(json.dumps({"well": outcome.well, "missed": outcome.missed, "car": outcome.car, "files": outcome.files}))
        return 0 if outcome.well else 1
    car = outcome.car
    moved = f"{car['energy_charged'] / 1000:.1f} kWh in, {car['energy_discharged'] / 1000:.1f} kWh out"
    put(f"\n{moved}, battery {car['soc_start']} to {car['soc_end']} %")
    for name, path in outcome.files.items():
        put(f"{name:10} {path}")
    for line in outcome.missed:
        put(f"not well   {legible(line)}")
    screen.verdict("all went well" if outcome.well else "this was not as it should be", outcome.well)
    return 0 if outcome.well else 1
