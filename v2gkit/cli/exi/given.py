"""What the commands of `v2g exi` share: the options for a message and how to read it, and errors in one line."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from v2g.exi import dialect as dialects
from v2g.exi.errors import ExiError
from v2g.messages import MODULES
from v2g.session.v2gtp import PayloadType
from v2gkit.insight.exi_lines import answer_line
from v2gkit.insight.exi_reading import MODES, Question, documents
from v2gkit.insight.octet_forms import Document
from v2gkit.output import complain, put

WELL, NEGATIVE, USAGE = 0, 1, 2
DIALECTS = {each.name.lower(): each for each in dialects.DIALECTS}
EXIT_CODES = "exit codes: 0 well, 1 no message, 2 wrong usage"
LINES = 'A line of --jsonl that is no message answers {"id", "error"} and never stops the stream.'
Run = Callable[[argparse.Namespace], int]


class UsageError(Exception):
    """The arguments of the command line contradict each other or lack something."""


def curable(run: Run) -> Run:
    """Let a command say in one line what is no message (exit code 1) or wrong usage (2)."""

    @wraps(run)
    def judged(options: argparse.Namespace) -> int:
        try:
            if not options.message and not getattr(options, "jsonl", False):
                raise UsageError("a message, a file or - is expected, or --jsonl")
            return run(options)
        except UsageError as error:
            complain(f"v2g exi: {error}")
            return USAGE
        except (ExiError, OSError) as error:
            complain(f"v2g exi: {error}")
            return NEGATIVE

    return judged


# --- options ---


def message_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for a message, its schema set, and whether it is a fragment."""
    parser.add_argument("message", nargs="?", help="the message itself, a file, or - for standard input")
    parser.add_argument("--set", choices=tuple(MODULES), help="schema set (guessed if not given)")
    parser.add_argument("--fragment", action="store_true", help="a fragment, as it is signed, instead of a document")


def phase_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the phase of a session in which the message was sent."""
    parser.add_argument("--phase", choices=("handshake", "session"), help=f"helps to guess the set: 0x{PayloadType.EXI:04X} carries both")


def dialect_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for the dialect of the encoder."""
    parser.add_argument("--dialect", choices=tuple(DIALECTS), default="schema", help="what family of encoders the octets are for or from")


def lines_option(parser: argparse.ArgumentParser) -> None:
    """Add the option to answer lines of standard input instead of one message."""
    parser.add_argument("--jsonl", action="store_true", help="lines of JSON from standard input, one answer each, in order")


def mode_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for what is tolerated, and for JSON output."""
    parser.add_argument("--mode", choices=MODES, default=MODES[0], help="interop shows values out of range and abstract elements")
    parser.add_argument(
        "--json", action="store_true", help="JSON for machines, one document for each message; with --jsonl messages as JSON"
    )


# --- what was given ---


def octets(argument: str) -> bytes:
    """The octets that an argument stands for: standard input, a file, or itself. Raises ExiError for a file that cannot be read."""
    if argument == "-":
        return sys.stdin.buffer.read()
    if not _exists(argument):
        return argument.encode(errors="surrogateescape")
    try:
        return Path(argument).read_bytes()
    except OSError as error:
        raise ExiError(f"{argument} cannot be read: {error.strerror}") from None


def _exists(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except (OSError, ValueError):  # too long for a name, or none at all
        return False


def question(options: argparse.Namespace) -> Question:
    """The options as a `Question`: how the message is to be decoded."""
    first = DIALECTS[getattr(options, "dialect", "schema")]
    others = [each for each in DIALECTS.values() if each is not first] if getattr(options, "either", False) else []
    mode = getattr(options, "mode", MODES[0])
    return Question(options.set, options.phase, options.fragment, mode, (first, *others))


def each_of(given: bytes, options: argparse.Namespace, show: Callable[[Document], int]) -> int:
    """Call `show` for each document; returns the worst exit code. A document that is no message never hides the next."""
    found, worst = _documents(given, options.message), WELL
    for number, document in enumerate(found, 1):
        try:
            worst = max(worst, show(document))
        except ExiError as error:
            if len(found) == 1:
                raise
            complain(f"v2g exi: message {number} of {len(found)}: {error}")
            worst = NEGATIVE
    return worst


def _documents(given: bytes, argument: str) -> list[Document]:
    """The EXI documents that were given, in whatever form."""
    try:
        return documents(given)
    except ExiError as error:
        if argument == "-" or _exists(argument):
            raise ExiError(f"{'standard input' if argument == '-' else argument}: {error}") from None
        raise ExiError(f"{error}; there is no file of that name either" if "." in argument else str(error)) from None


def stream(answer: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
    """Print the answer to every line of standard input, in order; returns the exit code."""
    for line in sys.stdin.buffer:
        if line.strip():
            put(json.dumps(answer_line(line, answer)), flush=True)
    return WELL
