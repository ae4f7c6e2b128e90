"""The page of one run: cover, summary, requirements beside verdicts, each failure with what was seen, robustness apart, coverage."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from v2gkit.conform.entries import Entry, entry
from v2gkit.conform.report.evidence import evidence
from v2gkit.conform.report.markup import MARKS, badge, class_of, facts, moment, page, shown, table
from v2gkit.conform.report.matrix import COLUMNS, coverage, matrix
from v2gkit.conform.results import Campaign
from v2gkit.conform.verdict import Result, Verdict
from v2gkit.insight.viewer.requirements import words_of

Evidence = Callable[[Result], Iterable[Mapping[str, Any]]]
"""Gives the records of the trace that belongs to a result; none where there is no trace."""
_OPEN = (Verdict.INCONCLUSIVE, Verdict.BLOCKED)
_SECTIONS = (
    ("summary", "Summary"),
    ("failures", "Failures"),
    ("open", "Not judged"),
    ("robustness", "Robustness and pace"),
    ("requirements", "Requirements"),
    ("results", "All results"),
    ("coverage", "Coverage"),
    ("inputs", "Inputs"),
)


def report(results: Iterable[Result], campaign: Campaign, seen: Evidence = lambda _: (), viewers: Mapping[str, str] | None = None) -> str:
    """The document. `viewers` are the paths, from the page, of the viewer of a case, by its id."""
    entries = sorted((entry(each) for each in results), key=lambda each: each.result.id)
    anchors = {each.result.id: f"r{number}" for number, each in enumerate(entries)}
    standard = [each for each in entries if each.counts]
    beyond = [each for each in entries if not each.counts]

    def cards(members: Iterable[Entry]) -> str:
        return "".join(_card(each, anchors, seen, (viewers or {}).get(each.result.id, "")) for each in members)

    failures = cards(each for each in standard if each.result.verdict is Verdict.FAIL)
    opened = cards(each for each in standard if each.result.verdict in _OPEN)
    content = {
        "summary": _summary(standard, beyond),
        "failures": failures or "<p>No case against the standard failed.</p>",
        "open": opened or "<p>Every case that applies came to a verdict.</p>",
        "robustness": _beyond(beyond, anchors, cards),
        "requirements": matrix(entries, anchors),
        "results": _all(entries, anchors),
        "coverage": coverage(entries),
        "inputs": _inputs(campaign),
    }
    device = campaign.device or campaign.peer or "a device without a name"
    sections = "".join(f'<section id="{name}"><h2>{title}</h2>{content[name]}</section>' for name, title in _SECTIONS)
    return page(f"Conformance of {device}", _cover(device, entries, campaign) + sections)


def _cover(device: str, entries: Sequence[Entry], campaign: Campaign) -> str:
    verdict = _worst(entries)
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _SECTIONS)
    told = facts(
        (
            ("Device", shown(device)),
            ("Judged as", shown(campaign.role)),
            ("At", shown(campaign.peer)),
            ("Began", moment(campaign.began)),
            ("Took", f"{campaign.took:.0f} s" if campaign.took else ""),
            *((name, shown(version)) for name, version in campaign.versions.items()),
            ("Cases", str(len(entries))),
            ("Claims of the device", shown(", ".join(campaign.claims))),
            ("Inputs", f"{len(campaign.inputs)} files, by their SHA-256 under Inputs" if campaign.inputs else ""),
            ("Run again by", f'<span class="mono">{shown(campaign.how)}</span>' if campaign.how else ""),
        )
    )
    return (
        f'<header class="cover"><p class="lead">Conformance report</p><h1>{shown(device)}</h1><p>{verdict}</p>{told}'
        f"<nav><ul>{links}</ul></nav></header>"
    )


def _worst(entries: Sequence[Entry]) -> str:
    failed = sum(each.result.verdict is Verdict.FAIL for each in entries if each.counts)
    beyond = sum(each.result.verdict is Verdict.FAIL for each in entries if not each.counts)
    unjudged = sum(each.result.verdict in _OPEN for each in entries)
    said = f'<strong class="badge fail">{failed} failed</strong>' if failed else '<strong class="badge pass">nothing failed</strong>'
    said += f", {beyond} of robustness or pace" if beyond else ""
    return said + (f', <strong class="badge inconclusive">{unjudged} not judged</strong>' if unjudged else "")


def _summary(standard: Sequence[Entry], beyond: Sequence[Entry]) -> str:
    rows = []
    for name, members in (("against the standard", standard), ("robustness and pace", beyond)):
        many = [each.result.verdict for each in members]
        rows.append([name, *(f'<span class="badge {class_of(verdict)}">{many.count(verdict)}</span>' for verdict in COLUMNS)])
    return table(("", *(f"{MARKS[each]} {each.value}" for each in COLUMNS)), rows)


def _card(each: Entry, anchors: Mapping[str, str], seen: Evidence, viewer: str) -> str:
    result = each.result
    records = list(seen(result))
    wire = evidence(records) if records else ""
    rows = (
        ("expected", shown(result.expected)),
        ("seen", shown(result.seen)),
        ("stimulus", shown(each.stimulus)),
        ("precondition", shown(each.precondition)),
        ("requirement", _requirements(result.requirement)),
        ("it matters", shown(each.why)),
        ("control", _control(each.control, anchors)),
        ("trace", _trace(result, viewer)),
    )
    told = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows if value)
    frames = f"<details open><summary>On the wire</summary>{wire}</details>" if wire else ""
    head = f"<h3>{shown(result.id)}{f': {shown(each.purpose)}' if each.purpose else ''}</h3>"
    kind = class_of(result.verdict)
    return f'<article class="case {kind}" id="{anchors[result.id]}">{head}{badge(result.verdict)}<dl>{told}</dl>{frames}</article>'


def _requirements(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"<ul>{''.join(f'<li>{shown(name)}: {shown(words_of(name))}</li>' for name in names)}</ul>"


def _control(name: str, anchors: Mapping[str, str]) -> str:
    if not name:
        return ""
    return f'<a href="#{anchors[name]}">{shown(name)}</a>' if name in anchors else f"{shown(name)}, which was not played"


def _trace(result: Result, viewer: str) -> str:
    link = f' <a href="{shown(viewer)}">in the viewer</a>' if viewer else ""
    return f'<span class="mono">{shown(result.evidence)}</span>{link}' if result.evidence else ""


def _beyond(beyond: Sequence[Entry], anchors: Mapping[str, str], cards: Callable[[Iterable[Entry]], str]) -> str:
    said = (
        '<p class="lead">What no requirement asks for in these words: how a device bears octets, loads and orders that nobody should send, '
        "and times that should be kept and end no session. None of it is a fault against the standard.</p>"
    )
    if not beyond:
        return f"{said}<p>No such case was played.</p>"
    bad = [each for each in beyond if each.result.verdict is Verdict.FAIL or each.result.verdict in _OPEN]
    return said + (cards(bad) or "<p>Every case of these passed, or did not apply.</p>")


def _all(entries: Sequence[Entry], anchors: Mapping[str, str]) -> str:
    """Every result in a row. What has a card of its own is linked; the others have their anchor here."""
    rows = []
    for each in entries:
        result, anchor = each.result, anchors[each.result.id]
        carded = result.verdict is Verdict.FAIL or result.verdict in _OPEN
        name = shown(result.id)
        told = f'<a class="id" href="#{anchor}">{name}</a>' if carded else f'<span class="id" id="{anchor}">{name}</span>'
        seconds = f'<span class="num">{result.seconds:.1f} s</span>' if result.seconds else ""
        rows.append([told, badge(result.verdict), shown(each.purpose), shown(result.seen), seconds])
    return table(("case", "verdict", "purpose", "seen", "took"), rows)


def _inputs(campaign: Campaign) -> str:
    if not campaign.inputs:
        return "<p>It is not recorded what this run was made with.</p>"
    rows = [
        [shown(each.name), f'<span class="num">{each.octets}</span>', f'<span class="mono">{shown(each.sha256)}</span>']
        for each in campaign.inputs
    ]
    return table(("input", "octets", "SHA-256"), rows)
