"""The parts that the pages of a report are put together from: text from outside is escaped in one place, here."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Final

from v2g.legible import legible
from v2gkit.conform.verdict import Verdict

MARKS: Final = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.BLOCKED: "■",
    Verdict.NOT_APPLICABLE: "–",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
<body>
<main>
{body}
</main>
</html>
"""


def page(title: str, body: str) -> str:
    """The document. A policy allows its style sheet, and nothing else."""
    style = f"\n{(files('v2gkit.conform.report') / 'style.css').read_text(encoding='utf-8')}"
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return _PAGE.format(policy=policy, title=shown(title), style=style, body=body)


def shown(text: object) -> str:
    """A text from outside, escaped: neither markup nor control characters are left in it."""
    return escape(legible(text))


def badge(verdict: Verdict) -> str:
    """A verdict as people see it: a mark and the word."""
    return f'<span class="badge {class_of(verdict)}">{MARKS[verdict]} {verdict.value}</span>'


def class_of(verdict: Verdict) -> str:
    """The class by which the style sheet colours a verdict."""
    return verdict.value.replace(" ", "-")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table of cells that are markup already; on a narrow page each cell is labelled by its column."""
    labels = [shown(name) for name in head]
    cells = (zip(labels, row, strict=True) for row in rows)
    shown_rows = "".join(f"<tr>{''.join(_cell(label, cell) for label, cell in row)}</tr>" for row in cells)
    columns = "".join(f"<th scope=col>{shown(name)}</th>" for name in head)
    return f'<table class="{kind}"><thead><tr>{columns}</tr></thead><tbody>{shown_rows}</tbody></table>'


def _cell(label: str, cell: str) -> str:
    return f'<td data-label="{label}"><div>{cell}</div></td>' if cell else "<td></td>"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with values that are markup already; pairs without a value are left out."""
    return f'<dl class="facts">{"".join(f"<div><dt>{shown(name)}</dt><dd>{value}</dd></div>" for name, value in pairs if value)}</dl>'


def moment(epoch: float) -> str:
    """A moment in UTC; empty for one that is not known."""
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC" if epoch > 0 else ""
