"""What the commands of `v2g pki` and `v2g sign` have in common: their answers, and one-line errors that a user can cure."""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

from pki.errors import CertificateError, IdentifierError, PlanError, StoreError
from pki.store import Store
from v2g.legible import legible
from v2g.settings.strict import ConfigError
from v2gkit.authorities.office import Office
from v2gkit.output import complain, put

WELL, NEGATIVE, USAGE = 0, 1, 2
EXIT_CODES = "exit codes: 0 well, 1 the verdict is negative, 2 wrong usage, file or plan"
Run = Callable[[argparse.Namespace], int]


def examples(lines: str) -> str:
    """The end of a command's help, from the lines of its examples: with the exit codes added."""
    return f"examples:\n{lines}\n\n{EXIT_CODES}"


def json_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--json`, which every one of these commands has."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def curable(run: Run) -> Run:
    """Let a command report in one line an error that a user can cure: exit code 2, or 1 for a certificate that is refused."""

    @wraps(run)
    def guarded(options: argparse.Namespace) -> int:
        try:
            return run(options)
        except (StoreError, PlanError, IdentifierError, ConfigError) as error:
            complain(f"{options.prog}: {error}")
            return USAGE
        except CertificateError as error:
            complain(f"{options.prog}: {error}")
            return NEGATIVE

    return guarded


def moment(text: str) -> datetime:
    """An argparse type for `--at`: an ISO date or time, UTC where it has no offset."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give one such as 2027-03-01 or 2027-03-01T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def at(options: argparse.Namespace) -> datetime:
    """The time that `--at` gives, or now."""
    return options.at or datetime.now(UTC)


def now() -> datetime:
    """The present time of the machine, UTC."""
    return datetime.now(UTC)


def office_of(path: Path) -> Office:
    """The `Office` of the store in a folder."""
    return Office(Store(path))


def say(options: argparse.Namespace, line: str, **fields: Any) -> None:
    """Print a line for people, or with `--json` the fields as one JSON document."""
    put(json.dumps(fields) if options.json else legible(line), flush=True)
