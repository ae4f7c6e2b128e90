"""Requirements beside verdicts: which case said what of which requirement, and which requirements no case proves."""

from collections.abc import Mapping, Sequence
from typing import Final

from v2gkit.conform.entries import Entry, required
from v2gkit.conform.report.markup import MARKS, shown, table
from v2gkit.conform.verdict import Verdict
from v2gkit.insight.viewer.requirements import cited

COLUMNS: Final = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.BLOCKED, Verdict.NOT_APPLICABLE)
_JUDGED: Final = (Verdict.PASS, Verdict.FAIL)


def by_requirement(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The entries that cite each requirement, robustness left out, in the order of the ids."""
    found: dict[str, list[Entry]] = {}
    for each in entries:
        if each.counts:
            for name in each.result.requirement:
                found.setdefault(name, []).append(each)
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def matrix(entries: Sequence[Entry], anchors: Mapping[str, str]) -> str:
    """The table requirement x verdict; each cell names its cases, with a link to what was seen."""
    rows = []
    for name, members in by_requirement(entries).items():
        cells = [_cases([each for each in members if each.result.verdict is verdict], anchors) for verdict in COLUMNS]
        rows.append([f'<span class="id">{shown(name)}</span>', *cells])
    if not rows:
        return "<p>No case of this run cites a requirement.</p>"
    return table(("requirement", *(f"{MARKS[each]} {each.value}" for each in COLUMNS)), rows, "matrix")


def _cases(members: Sequence[Entry], anchors: Mapping[str, str]) -> str:
    if not members:
        return ""
    links = "".join(f'<a href="#{anchors[each.result.id]}">{shown(each.result.id)}</a>' for each in members)
    return f'<span class="ids">{links}</span>'


def coverage(entries: Sequence[Entry]) -> str:
    """How many of the requirements that are known here this run judged, and by name those that it did not."""
    members = by_requirement(entries)
    judged = {name for name, each in members.items() if any(one.result.verdict in _JUDGED for one in each)}
    here = required() | set(members)
    unjudged = sorted(here - judged, key=_order)
    unproven = sorted(cited() - here, key=_order)
    known = len(here | cited())
    lines = [
        f"<p>{len(judged)} of the {known} requirement ids that are known here were judged by this run. An id counts as judged where a case "
        "of it passed or failed; that a case judges all of what a requirement says is not claimed.</p>",
        _listed(f"{len(unjudged)} have a case or rule that was not played, did not apply or came to no verdict", unjudged),
        _listed(f"{len(unproven)} are obeyed by this software and no case proves them in a foreign device", unproven),
        '<p class="lead">The standard has many more requirements than are known here by number.</p>',
    ]
    return "".join(lines)


def _listed(said: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    return f'<details><summary>{shown(said)}</summary><p class="mono">{", ".join(map(shown, names))}</p></details>'


def _order(name: str) -> tuple[str, int, str]:
    family, _, number = name.rpartition("-")
    digits = "".join(each for each in number if each.isdigit())
    return family, int(digits[:9] or 0), name
