"""The report that an operator can file: every rule with its finding, as values and as one HTML page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from string import Template
from typing import Any

from v2gkit.insight.report.page import shown, style
from v2gkit.regulation.given import Given
from v2gkit.regulation.rule import Finding, Profile, Rule, State


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one profile."""

    profile: Profile
    findings: tuple[tuple[Rule, Finding], ...]
    given: Given
    at: float  # epoch s
    version: str  # of this software

    @property
    def counts(self) -> Mapping[State, int]:
        """How many rules came to each state."""
        found = Counter(finding.state for _, finding in self.findings)
        return {state: found[state] for state in State}


def report(profile: Profile, given: Given, at: float, version: str) -> Report:
    """Check every rule of a profile."""
    return Report(profile, tuple((rule, rule.check(given)) for rule in profile.rules), given, at, version)


def told(one: Report) -> dict[str, Any]:
    """The report as values for JSON."""
    given = one.given
    return {
        "profile": one.profile.name,
        "title": one.profile.title,
        "made_of": one.profile.read,
        "at": datetime.fromtimestamp(one.at, UTC).isoformat(timespec="seconds"),
        "software": f"v2gkit {one.version}",
        "station": given.config_path,
        "traces": [{"path": path, "sha256": digest} for path, digest in given.traces],
        "books": given.books_path,
        "counts": {state.value: count for state, count in one.counts.items()},
        "rules": [
            {
                "id": rule.id,
                "source": rule.source,
                "since": rule.since.isoformat() if rule.since else None,
                "in_force": rule.since is None or rule.since <= given.today,
                "wants": rule.wants,
                "looks_at": rule.looks_at,
                "state": finding.state.value,
                "said": finding.said,
                "evidence": list(finding.evidence),
            }
            for rule, finding in one.findings
        ],
    }


def page(reports: Sequence[Report]) -> str:
    """The HTML document, in the look of the session report; no script, font or picture comes from elsewhere."""
    template = Template((files("v2gkit.insight.report") / "page.html").read_text(encoding="utf-8"))
    title = f"Regulation check: {', '.join(one.profile.name for one in reports)}"
    return template.substitute(style=style(), title=shown(title), content="".join(_section(one) for one in reports))


def _section(one: Report) -> str:
    counts = one.counts
    broken = counts[State.NOT_MET]
    said = ", ".join(f"{count} {state.value}" for state, count in counts.items() if count)
    facts = (
        ("Made", f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M} UTC by v2gkit {one.version}"),
        ("Station file", one.given.config_path or "none"),
        ("Traces", ", ".join(path for path, _ in one.given.traces) or "none"),
        ("Books", one.given.books_path or "none"),
        ("Rows made of", one.profile.read),
    )
    cells = "".join(f"<div><dt>{shown(name)}</dt><dd>{shown(value)}</dd></div>" for name, value in facts)
    rows = "".join(_row(rule, finding, one.given) for rule, finding in one.findings)
    head = "<tr><th>Rule</th><th>Source</th><th>wants</th><th>State</th><th>finding</th></tr>"
    return (
        f'<header><h1>{shown(one.profile.title)}</h1><p class="verdict {"badly" if broken else "well"}">{shown(said)}</p></header>'
        f'<section><dl class="facts">{cells}</dl></section>'
        f"<section><h2>Rules</h2><table><thead>{head}</thead><tbody>{rows}</tbody></table>"
        "<p>Met means: looked at, and kept, in what was handed over. Not verified means: nothing that was handed over tells. "
        "A document is met by being there; what it says was not read. This is no legal advice.</p></section>"
    )


def _row(rule: Rule, finding: Finding, given: Given) -> str:
    marks = {State.NOT_MET: " class=bad", State.MET: " class=chosen"}.get(finding.state, "")
    since = f" (from {rule.since})" if rule.since is not None and rule.since > given.today else ""
    evidence = "".join(f"<br><small>{shown(one)}</small>" for one in finding.evidence)
    cells = "".join(f"<td>{shown(text)}</td>" for text in (rule.id, rule.source + since, rule.wants, finding.state.value))
    return f"<tr{marks}>{cells}<td>{shown(finding.said)}{evidence}</td></tr>"
