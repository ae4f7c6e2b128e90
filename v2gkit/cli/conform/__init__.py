"""`v2g conform`: judge somebody's station or car by the tables of the standard."""

import argparse

from v2gkit.cli.parser import Command, add_commands

COMMANDS = {
    "station": Command("v2gkit.cli.conform.station", "judge a station by good cars and bad ones"),
    "car": Command("v2gkit.cli.conform.car", "judge a car by a good station and bad ones"),
    "list": Command("v2gkit.cli.conform.list", "the cases, one a line"),
    "show": Command("v2gkit.cli.conform.show", "what one case asks, does and expects"),
    "probe": Command("v2gkit.cli.conform.probe", "ask a station what it has: a first draft of its PICS"),
    "explain": Command("v2gkit.cli.conform.explain", "what a result says, and how to see it again"),
    "compare": Command("v2gkit.cli.conform.compare", "two runs side by side"),
    "report": Command("v2gkit.cli.conform.report", "junit.xml and report.html of the results in a folder"),
    "capture": Command("v2gkit.cli.conform.capture", "which rules a recorded session broke"),
}
EPILOG = """examples (each command has more under --help):
  v2g conform list --role station
  v2g conform show S-SSU-01
  v2g conform station [::1]:15118 --pki certs --out results
  v2g conform explain S-SSU-01 --in results      what a result says
  v2g conform car --listen [::1]:15200 --pki certs --pics car.toml --out results
  v2g conform capture session.pcapng             which rules a recorded session broke

exit codes: 0 nothing failed, 1 something did, 2 wrong usage
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `v2g conform`."""
    add_commands(parser, COMMANDS)
