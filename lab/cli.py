"""The `v2g` command: one line for each sub-command, which is imported only when it is asked for."""

import contextlib
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from lab.guard import told
from lab.output import reserved
from lab.parser import Parser, Version
from lab.recorder import detached
from v2g.legible import logger

COMMANDS = {
    "demo": "lab.demo_cli",
    "secc": "lab.secc_cli",
    "ev": "lab.ev_cli",
    "csms": "lab.csms_cli",
    "pki": "lab.pki_cli",
    "sign": "lab.pki_cli",
    "exi": "lab.exi_cli",
    "report": "lab.report_cli",
    "doctor": "lab.doctor",
    "interop": "lab.interop",
}
FOREIGN = ("asyncio", "websockets.client", "websockets.server", "uvicorn.error")  # loggers that repeat what strangers send
LASTING = {"demo", "secc", "ev", "csms"}  # these carry sessions, which must not wait for whoever reads their output

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
            options = parsed(arguments)
            with detached() if command(arguments) in LASTING else contextlib.nullcontext():
                return int(options.func(options) or 0)
    except (Exception, KeyboardInterrupt) as error:
        return told(error, options.prog if options else f"v2g {named}" if named else "v2g", options)


def command(arguments: Sequence[str]) -> str | None:
    """The sub-command that arguments name."""
    return next((a for a in arguments if not a.startswith("-")), None)


def parsed(arguments: Sequence[str]) -> Any:
    """What the arguments say. Raises SystemExit with code 2 for what they cannot mean, 0 for help."""
    named = command(arguments)
    parser = Parser("v2g", description="ISO 15118-20 for chargers and cars", epilog=EPILOG)
    parser.add_argument("--version", action=Version, nargs=0, help="say the version and leave")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    modules = [COMMANDS[named]] if named in COMMANDS else list(dict.fromkeys(COMMANDS.values()))
    for module in modules:
        importlib.import_module(module).register(subparsers)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
