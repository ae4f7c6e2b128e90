"""Makes of results in a folder what is read: junit.xml, report.html, a viewer of each case that did not pass. A shell."""

import platform
import ssl
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from v2gkit.conform import results as of
from v2gkit.conform.junit import junit
from v2gkit.conform.report.pages import report
from v2gkit.conform.results import Campaign, Input
from v2gkit.conform.verdict import Result, Verdict
from v2gkit.insight.report.reading import records_of
from v2gkit.insight.viewer.report import written

VIEWERS: Final = 60  # pages that what came to no verdict adds to those of the failures: half a megabyte each
_SHOWN: Final = (Verdict.FAIL, Verdict.INCONCLUSIVE)
_SECRET: Final = ("PRIVATE KEY", "BEGIN ENCRYPTED")  # what a file with a key in it says


def publish(folder: Path, campaign: Campaign | None = None) -> Path:
    """Write campaign.json, junit.xml, report.html and viewers beside the results.jsonl in a folder; the path of the report.

    Without a campaign that which was written before is read. Raises ValueError for a folder without results, OSError.
    """
    results = of.read(folder)
    if campaign is None:
        campaign = of.campaign(folder)
    else:
        (folder / of.CAMPAIGN).write_text(of.campaign_text(campaign), encoding="utf-8")
    (folder / of.JUNIT).write_text(junit(results, campaign), encoding="utf-8")
    target = folder / of.REPORT
    text = report(results, campaign, lambda result: records_in(folder, result), _viewers(folder, results))
    target.write_text(text, encoding="utf-8")
    return target


def trace_of(folder: Path, result: Result) -> Path | None:
    """The trace that belongs to a result; None where there is none in the folder."""
    path = (folder / result.evidence).resolve() if result.evidence else None
    if path is None or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    return path


def records_in(folder: Path, result: Result) -> Iterable[Mapping[str, Any]]:
    """The records of the trace that belongs to a result; none where there is no trace that can be read."""
    path = trace_of(folder, result)
    if path is None:
        return ()
    try:
        return tuple(records_of(path))
    except (ValueError, KeyError, OSError):
        return ()  # the page names its trace; what is wrong with it `v2g report` says


def _viewers(folder: Path, results: Sequence[Result]) -> dict[str, str]:
    """Write a viewer for each case that failed and some that came to no verdict; their paths below the folder, by the ids."""
    found: dict[str, str] = {}
    made: set[Path] = set()  # several results may have one trace
    bad = [each for verdict in _SHOWN for each in results if each.verdict is verdict]  # the failures first: each has one
    for each in bad:
        wanted = each.verdict is Verdict.FAIL or len(made) < VIEWERS
        path = trace_of(folder, each) if wanted else None
        if path is None:
            continue
        if path not in made:
            try:
                page = written(path)
            except (ValueError, KeyError):
                continue
            path.with_suffix(".html").write_text(page, encoding="utf-8")
            made.add(path)
        found[each.id] = path.with_suffix(".html").relative_to(folder.resolve()).as_posix()
    return found


def inputs(paths: Iterable[Path]) -> tuple[Input, ...]:
    """What is noted of files, and of the files in folders: of everything but private keys. Files that are not there are left out."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    found = []
    for file in dict.fromkeys(each for each in files if each.is_file()):
        octets = file.read_bytes()
        if not any(word.encode() in octets for word in _SECRET):
            found.append(of.hashed(file.as_posix(), octets))
    return tuple(found)


def versions(software: str) -> dict[str, str]:
    """The versions of everything that has a part in a run; `software` is that of v2gkit."""
    return {
        "v2gkit": software,
        "Python": platform.python_version(),
        "TLS library": ssl.OPENSSL_VERSION,
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
