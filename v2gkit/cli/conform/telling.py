"""Tells the results of `v2g conform` as they come, and publishes them in a folder."""

import argparse
import shlex
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from v2gkit.cli.parser import version
from v2gkit.conform.case import Role
from v2gkit.conform.pics import Pics
from v2gkit.conform.published import inputs, publish, versions
from v2gkit.conform.results import Campaign
from v2gkit.conform.runner import Run
from v2gkit.conform.verdict import Outcome, Result, Verdict
from v2gkit.conform.written import Folder
from v2gkit.output import complain, put

WELL, NEGATIVE = 0, 1


class Teller:
    """Tells each result on standard error as it comes, and keeps it with its evidence. Raises OSError where `out` cannot be written."""

    def __init__(self, out: Path, role: Role, total: int):
        self.folder, self.role, self.total, self.results = Folder(out, role), role, total, list[Result]()
        self.began = time.time()

    def __call__(self, result: Result, runs: Iterable[tuple[Run, Outcome]], left: float) -> None:
        """Keep a result, and write its evidence."""
        kept = replace(result, evidence=self.folder.evidence(result.id, list(runs)))
        self.results.append(kept)
        done = f"{len(self.results)}/{self.total}, about {left:.0f} s left"
        complain(f"{kept.verdict.value:<14} {kept.id:<10} {kept.seen}  ({done})", flush=True)

    def publish(self, pics: Pics, peer: str, options: argparse.Namespace) -> int:
        """Write the results, junit.xml and report.html, and print how many there are of each verdict; the exit code."""
        self.folder.results(sorted(self.results, key=lambda each: each.id))
        campaign = Campaign(
            role=self.role,
            device=pics.device,
            peer=peer,
            began=self.began,
            took=time.time() - self.began,
            how=shlex.join(["v2g", *sys.argv[1:]]),
            claims=tuple(name for name, claimed in asdict(pics.claims).items() if claimed),
            versions=versions(version()),
            inputs=inputs([path for path in (options.pics, options.pki) if path is not None]),
        )
        publish(self.folder.path, campaign)
        counts = {verdict: sum(each.verdict is verdict for each in self.results) for verdict in Verdict}
        said = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count) or "no case"
        put(f"{said} in {campaign.took:.0f} s: {self.folder.path}")
        return NEGATIVE if counts[Verdict.FAIL] else WELL
