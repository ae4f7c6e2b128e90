"""A result in words: what was expected, what was seen, why it matters, what was on the wire, how to see it again."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from v2gkit.conform.entries import Entry, entry
from v2gkit.conform.results import Campaign
from v2gkit.conform.verdict import Result, Verdict
from v2gkit.insight.decode.lines import Lines
from v2gkit.insight.viewer.requirements import words_of

LAST: Final = 12  # lines of the wire that are told: a fault is seen at the end
_VERDICTS: Final = {
    Verdict.PASS: "the device did one of the things that the case admits",
    Verdict.FAIL: "the device did something that the case does not admit",
    Verdict.INCONCLUSIVE: "the stimulus was not reached, or nobody could see what followed",
    Verdict.BLOCKED: "this side lacked what the case needs",
    Verdict.NOT_APPLICABLE: "the PICS, or the recording, rule it out",
}
_WEIGHTS: Final = {
    "robustness": "no requirement asks for it in these words: it is no fault against the standard",
    "performance": "a time that should be kept and ends no session: it is no fault against the standard",
}


def lines(result: Result, campaign: Campaign, records: Iterable[Mapping[str, Any]] = (), folder: str = "") -> Iterator[str]:
    """The explanation of a result, line by line; `records` are those of its trace, `folder` is where the results are."""
    each = entry(result)
    yield f"{result.id}: {each.purpose or 'no case of this version of v2gkit'}"
    yield _row("verdict", f"{result.verdict}: {_VERDICTS[result.verdict]}")
    if each.weight in _WEIGHTS:
        yield _row("weight", _WEIGHTS[each.weight])
    for name, value in (
        ("stimulus", each.stimulus),
        ("precondition", each.precondition),
        ("applies to", ", ".join(each.condition)),
        ("expected", result.expected),
        ("seen", result.seen),
    ):
        if value:
            yield _row(name, value)
    for name in result.requirement:
        yield _row(name, words_of(name))
    if each.why:
        yield _row("it matters", each.why)
    if each.control:
        yield _row("control", f"{each.control} shows the same without the fault; where it does not pass, this verdict says little")
    yield from _wire(records)
    yield from _again(each, campaign, folder)


def _wire(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The last that was on the wire."""
    told, lines = list[str](), Lines()
    for record in records:
        told += lines.text(dict(record))
    if told:
        yield _row("on the wire", f"the last {LAST} of {len(told)} lines" if len(told) > LAST else "")
        yield from (f"    {each}" for each in told[-LAST:])


def _again(each: Entry, campaign: Campaign, folder: str) -> Iterator[str]:
    """How it is seen, and played, again."""
    evidence = each.result.evidence
    if evidence:
        yield _row("look at it", f"v2g report {folder + '/' if folder else ''}{evidence}")
    if campaign.how and each.result.id[:1] in ("S", "E"):
        yield _row("play it", f"{_of_all(campaign.how)} --case {each.result.id}")
    elif campaign.how:
        yield _row("again", campaign.how)


def _of_all(how: str) -> str:
    """The command line of a run without the cases that it chose."""
    return re.sub(r" --case[ =]\S+", "", how)


def _row(name: str, value: str) -> str:
    return f"  {name:<13} {value}".rstrip()
