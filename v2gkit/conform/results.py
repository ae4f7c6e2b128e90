"""The results of a run as they are published: lines of JSON of a stable schema, and what was tested, with what, and when (pure).

`results.jsonl` holds one `Result` a line; its schema is docs/results.schema.json. `campaign.json` holds the `Campaign`, of which the cover
page is made.
"""

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from v2g.legible import legible
from v2gkit.conform.verdict import Result, Verdict

RESULTS, CAMPAIGN, JUNIT, REPORT, EVIDENCE = "results.jsonl", "campaign.json", "junit.xml", "report.html", "evidence"
VERSION: Final = 1  # of the form of both files
LARGEST: Final = 64 * 1024 * 1024  # octets of a file of results that is read


@dataclass(frozen=True, slots=True)
class Input:
    """A file that a run was made with: its name, its length in octets, its SHA-256 in hex."""

    name: str
    octets: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """What was tested, with what and when. `began` is epoch s, `took` s; `how` is the command line that makes the run again.

    `claims` are what the PICS claim, `versions` those of everything that had a part in the run, by name.
    """

    role: str = ""
    device: str = ""
    peer: str = ""
    began: float = 0.0
    took: float = 0.0
    how: str = ""
    claims: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a line of results.jsonl, from the declaration of `Result`."""
    (result,), components = msgspec.json.schema_components((Result,), ref_template="#/$defs/{name}")
    for each in components.values():
        if "description" in each:  # there are versions of msgspec that leave a docstring as it is indented
            each["description"] = inspect.cleandoc(each["description"])
    shape = components["Result"]
    shape["required"] = sorted(shape["properties"])  # every line has them all
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"a line of results.jsonl of v2g conform, version {VERSION}",
        "$defs": components,
        **result,
    }


def schema_text() -> str:
    """The schema as the text of docs/results.schema.json."""
    return msgspec.json.format(msgspec.json.encode(schema(), order="sorted"), indent=2).decode()


def of_line(line: str | bytes) -> Result:
    """The result in a line of results.jsonl. Raises ValueError for one that is none."""
    try:
        return msgspec.json.decode(line, type=Result)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no result: {error}; give a line of {RESULTS}") from None


def read(path: Path) -> tuple[Result, ...]:
    """The results in a folder that `--out` wrote, or in its results.jsonl. Raises ValueError for what is none, OSError."""
    file = path / RESULTS if path.is_dir() else path
    if path.is_dir() and not file.exists():
        raise ValueError(f"{path} holds no {RESULTS}; give a folder that --out of v2g conform wrote")
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file} has {file.stat().st_size} octets, at most {LARGEST} are read; give the {RESULTS} of one run")
    found: dict[str, Result] = {}
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            result = of_line(line)
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: {error}") from None
        if result.id in found:
            raise ValueError(f"{file}, line {number}: there are two results of {result.id}")
        found[result.id] = result
    if not found:
        raise ValueError(f"{file} holds no result; give the {RESULTS} of a run that ended")
    return tuple(found.values())


def campaign(path: Path) -> Campaign:
    """The campaign beside the results in a folder; an empty one where none was written. Raises ValueError, OSError."""
    file = (path if path.is_dir() else path.parent) / CAMPAIGN
    if not file.exists():
        return Campaign()
    try:
        return msgspec.json.decode(file.read_bytes(), type=Campaign)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"{file} is no campaign: {error}; it is written by --out of v2g conform") from None


def campaign_text(campaign: Campaign) -> str:
    """A campaign as the text of campaign.json."""
    return legible(msgspec.json.format(msgspec.json.encode(campaign), indent=2).decode(), lines=True) + "\n"


def counts(results: Iterable[Result]) -> dict[Verdict, int]:
    """How many results there are of each verdict, the gravest first."""
    many = [each.verdict for each in results]
    return {verdict: many.count(verdict) for verdict in reversed(Verdict)}


def hashed(name: str, octets: bytes) -> Input:
    """What is noted of an input."""
    return Input(name, len(octets), hashlib.sha256(octets).hexdigest())
