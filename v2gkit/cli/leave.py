"""The options that say which files sessions write: trace, capture, TLS secrets."""

import argparse
from pathlib import Path

from v2gkit.insight.witness import Left
from v2gkit.output import complain


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which files to write and where."""
    group = parser.add_argument_group("what to leave")
    group.add_argument("--trace", type=Path, metavar="FILE", help="every message and event, as JSON Lines; `v2g report` makes a page of it")
    group.add_argument("--capture", type=Path, metavar="FILE", help="a pcapng with the TLS secrets inside: Wireshark decrypts it by itself")
    group.add_argument("--cpu", action="store_true", help="measure what the CPU goes into, and note it in the trace and its report")
    group.add_argument("--key-log", type=Path, metavar="FILE", help="the TLS secrets (default: where SSLKEYLOGFILE says, if it does)")


def files_of(options: argparse.Namespace) -> Left:
    """The files that the options ask for."""
    return Left(options.trace, options.capture, options.key_log, options.cpu)


def warn(line: str) -> None:
    """Tell the user on standard error which secrets get into files."""
    complain(f"v2g: {line}")
