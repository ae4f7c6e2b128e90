"""Results as JUnit XML, in the intersection of what Ant's schema and Jenkins' allow, which every CI system reads (pure).

A case is a test, a family a suite. `fail` is a failure, `inconclusive` an error (the case could not be judged), `blocked` and
`not applicable` are skipped, each with its reason. A robustness case that fails is a failure too; its type says that it is none against the
standard.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from xml.etree import ElementTree

from v2g.legible import in_xml, legible
from v2gkit.conform.entries import Entry, entry
from v2gkit.conform.results import Campaign
from v2gkit.conform.verdict import Result, Verdict

_SKIPPED = (Verdict.BLOCKED, Verdict.NOT_APPLICABLE)


def junit(results: Iterable[Result], campaign: Campaign) -> str:
    """The document, with its XML declaration and an end of line."""
    entries = sorted((entry(each) for each in results), key=lambda each: each.result.id)
    root = ElementTree.Element("testsuites")
    for number, (name, members) in enumerate(groupby(entries, key=lambda each: each.result.id.rpartition("-")[0])):
        root.append(_suite(name, number, list(members), campaign))
    ElementTree.indent(root)
    return in_xml(f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n')


def _suite(name: str, number: int, entries: Sequence[Entry], campaign: Campaign) -> ElementTree.Element:
    verdicts = [each.result.verdict for each in entries]
    suite = ElementTree.Element(
        "testsuite",
        {
            "package": "v2g.conform",
            "id": str(number),
            "name": _token(name),
            "timestamp": datetime.fromtimestamp(campaign.began, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": _token(campaign.peer or "localhost"),
            "tests": str(len(entries)),
            "failures": str(verdicts.count(Verdict.FAIL)),
            "errors": str(verdicts.count(Verdict.INCONCLUSIVE)),
            "skipped": str(sum(each in _SKIPPED for each in verdicts)),
            "time": f"{sum(each.result.seconds for each in entries):.3f}",
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in {"device": campaign.device, "role": campaign.role, **campaign.versions}.items():
        ElementTree.SubElement(properties, "property", {"name": _token(key), "value": legible(value)})
    for each in entries:
        suite.append(_case(each))
    for stream in ("system-out", "system-err"):
        ElementTree.SubElement(suite, stream)
    return suite


def _case(each: Entry) -> ElementTree.Element:
    result = each.result
    family = _token(f"v2g.conform.{result.id.rpartition('-')[0] or result.id}")
    case = ElementTree.Element("testcase", {"name": _token(result.id), "classname": family, "time": f"{result.seconds:.3f}"})
    match result.verdict:
        case Verdict.FAIL:
            found = ElementTree.SubElement(case, "failure", {"message": legible(result.seen), "type": each.weight})
            found.text = _details(each)
        case Verdict.INCONCLUSIVE:
            found = ElementTree.SubElement(case, "error", {"message": legible(result.seen), "type": "inconclusive"})
            found.text = _details(each)
        case Verdict.BLOCKED | Verdict.NOT_APPLICABLE:
            ElementTree.SubElement(case, "skipped", {"message": legible(f"{result.verdict}: {result.seen}")})
    return case


def _details(each: Entry) -> str:
    result = each.result
    lines = {
        "purpose": each.purpose,
        "stimulus": each.stimulus,
        "expected": result.expected,
        "seen": result.seen,
        "requirement": ", ".join(result.requirement),
        "evidence": result.evidence,
    }
    return legible("\n".join(f"{name}: {value}" for name, value in lines.items() if value), lines=True)


def _token(text: str) -> str:
    """A text as an xs:token of at least one character."""
    return " ".join(legible(text).split()) or "unnamed"
