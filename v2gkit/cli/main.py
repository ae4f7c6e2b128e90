"""The `v2g` command: a table with one row for each sub-command, whose module is imported only when it is called."""

import contextlib
import gc
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from v2g.legible import logger
from v2gkit.cli.guard import report_error
from v2gkit.cli.parser import Command, Parser, Version, add_commands
from v2gkit.output import reserved

COMMANDS = {
    "demo": Command("v2gkit.cli.demo", "a whole session: TLS, Plug & Charge, charge, discharge, OCPP, report"),
    "secc": Command("v2gkit.cli.secc", "a station alone"),
    "ev": Command("v2gkit.cli.ev", "a car alone"),
    "csms": Command("v2gkit.cli.csms", "a CSMS alone"),
    "vtn": Command("v2gkit.cli.vtn", "a VTN of OpenADR 3.1 for the laboratory"),
    "capacity": Command("v2gkit.cli.capacity", "a capacity provider of OSCP 2.0 for the laboratory"),
    "fleet": Command("v2gkit.cli.fleet", "an aggregator: sites and stations of several tenants, signals to orders, books"),
    "solver": Command("v2gkit.cli.solver", "makes plans for the sites of a fleet that asks by NATS"),
    "market": Command("v2gkit.cli.market", "a day of the flexibility market on this machine"),
    "grid": Command("v2gkit.cli.grid", "signals of meters and grid operators, and what holds of them"),
    "pki": Command("v2gkit.cli.pki", "create, verify and serve certificates"),
    "sign": Command("v2gkit.cli.sign", "look into a signature"),
    "exi": Command("v2gkit.cli.exi", "decode, encode and explain EXI"),
    "decode": Command("v2gkit.cli.decode", "the messages in a capture or a log"),
    "send": Command("v2gkit.cli.send", "messages that were edited, sent to a station"),
    "report": Command("v2gkit.cli.report", "the viewer of a trace or capture, in one HTML page"),
    "diff": Command("v2gkit.cli.diff", "two sessions side by side: which messages and values differ"),
    "replay": Command("v2gkit.cli.replay", "a station's sessions played again from their trace"),
    "revenue": Command("v2gkit.cli.revenue", "what driver, site, operator and aggregator each earned in a session"),
    "regulation": Command("v2gkit.cli.regulation", "rules of law as checks of a station, its traces and its books"),
    "conform": Command("v2gkit.cli.conform", "judge somebody's station or car by the tables of the standard"),
    "doctor": Command("v2gkit.cli.doctor", "check this machine for what a session needs"),
    "completion": Command("v2gkit.cli.completion", "what a shell needs to complete these commands"),
    "interop": Command("v2gkit.cli.interop", "foreign car and foreign station against ours"),
}
FOREIGN = ("asyncio", "websockets.client", "websockets.server", "uvicorn.error")  # loggers that repeat what strangers send
LASTING = {"demo", "secc", "ev", "csms", "fleet", "market"}  # these carry sessions, which must not wait for whoever reads their output

EPILOG = """examples:
  v2g demo                                     a whole Plug & Charge session, charging and discharging, with report
  v2g secc --host ::1 --port 15118             a station alone
  v2g ev --connect [::1]:15118                 a car alone
  v2g exi decode 8000dbab9371d3234b71d1b981899189d191818991d26b9b3a232b30020000040040
  v2g pki create certs                         every certificate that station and car need

exit codes: 0 well, 1 it ran and the outcome is negative, 2 wrong usage or configuration. `v2g COMMAND --help` tells more.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns its exit code. Whatever goes wrong is one line on standard error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    named = command(arguments) if command(arguments) in COMMANDS else None
    options = None
    for foreign in FOREIGN:
        logger(foreign)
    try:
        with reserved():
            options = _imported(arguments)
            with lasting(options) if named in LASTING else contextlib.nullcontext():
                return int(options.func(options) or 0)
    except (Exception, KeyboardInterrupt) as error:
        return report_error(error, options.prog if options else f"v2g {named}" if named else "v2g", options)


def _imported(arguments: Sequence[str]) -> Any:
    """The parsed arguments, for which the command's modules are imported: what they make stays, so no garbage is looked for meanwhile."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return parsed(arguments)
    finally:
        if collecting:
            gc.enable()


@contextlib.contextmanager
def lasting(options: Any) -> Iterator[None]:
    """For a command that runs long: output that no slow reader can block, and a log, within the block."""
    from v2gkit.cli.log import logging_as
    from v2gkit.insight.recorder import detached

    with detached(), logging_as(options):
        yield


def command(arguments: Sequence[str]) -> str | None:
    """The sub-command that the arguments name; None where they name none."""
    return next((a for a in arguments if not a.startswith("-")), None)


def whole() -> Parser:
    """The parser of `v2g`, with the modules of its commands not yet imported."""
    parser = Parser("v2g", description="ISO 15118-20 for chargers and cars", epilog=EPILOG)
    parser.add_argument("--version", action=Version, nargs=0, help="say the version and leave")
    add_commands(parser, COMMANDS)
    return parser


def parsed(arguments: Sequence[str]) -> Any:
    """The parsed arguments. Raises SystemExit: with code 2 for wrong arguments, 0 after help."""
    return whole().parse_args(arguments)
