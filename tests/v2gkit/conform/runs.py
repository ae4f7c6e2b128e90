"""What the tests of results share: a run with one result of every verdict, and the trace of a session as its evidence."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.v2gkit.insight.viewer.traces import of_car, pair
from v2g.session.trace import line
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.results import CAMPAIGN, EVIDENCE, RESULTS, Campaign, Input, campaign_text
from v2gkit.conform.verdict import Result, Verdict
from v2gkit.conform.written import row

RUN = (
    Result(
        "C-ORDER-01", Verdict.FAIL, ("V2G20-459",), "the paired response", "OK in ServiceDetailRes", 1.25, f"{EVIDENCE}/C-ORDER-01.jsonl"
    ),
    Result("C-ID-02", Verdict.PASS, ("V2G20-460",), "FAILED_UnknownSession", "FAILED_UnknownSession", 0.5),
    Result("C-EXI-01", Verdict.INCONCLUSIVE, (), "an answer", "the station closed before the stimulus", 3.0),
    Result("C-TLS-01", Verdict.BLOCKED, ("V2G20-2356",), "an alert", "no certificates of a car are here"),
    Result("C-TIME-01", Verdict.NOT_APPLICABLE, ("V2G20-436",), "within 2 s", "the peer claims no DC"),
    Result("C-CLOCK-01", Verdict.FAIL, (), "stamps in order", "one of 1970", 0.1),
    Result("X-UNKNOWN-01", Verdict.PASS, ("V2G20-99999",), "nothing", "a case of another version"),
)
CAMPAIGN_OF_RUN = Campaign(
    role="station",
    device="Station 9 <b>bold</b>",
    peer="[::1]:15118",
    began=1_800_000_000.0,
    took=12.0,
    how="v2g conform station [::1]:15118 --pki certs --out results",
    claims=("tls", "dc"),
    versions={"v2gkit": "0.1", "Python": "3.11"},
    inputs=(Input("station.toml", 12, "ab" * 32),),
)


def written(
    folder: Path, results: Iterable[Result] = RUN, campaign: Campaign | None = CAMPAIGN_OF_RUN, records: Iterable[Any] | None = None
) -> Path:
    """A folder as --out writes it, with a trace for every result that names one."""
    (folder / EVIDENCE).mkdir(parents=True, exist_ok=True)
    results = tuple(results)
    (folder / RESULTS).write_text("".join(f"{json.dumps(row(each))}\n" for each in results))
    if campaign is not None:
        (folder / CAMPAIGN).write_text(campaign_text(campaign))
    trace = "".join(line(record) for record in (of_car(pair()) if records is None else records))
    for each in results:
        if each.evidence:
            (folder / each.evidence).write_text(trace)
    return folder


def of_catalogue(verdict: Verdict = Verdict.PASS) -> tuple[Result, ...]:
    """A result of every case that there is."""
    return tuple(
        Result(case.id, verdict, case.requirement, "; or ".join(case.expected), "as expected", 0.1) for case in catalogue().values()
    )
