"""The HTML page of stories. No script, font or picture comes from elsewhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from math import inf
from string import Template

from v2g.legible import legible
from v2gkit.insight.report.chart import session_chart
from v2gkit.insight.report.story import Chain, Exchange, Steps, Story, Tuple


def shown(text: object) -> str:
    """A text from outside, escaped for the page: neither markup nor control characters are left in it."""
    return escape(legible(text))


def page(*stories: Story) -> str:
    """The HTML document: one section per connection, and before several of them a list of their verdicts."""
    template = Template((files("v2gkit.insight.report") / "page.html").read_text())
    return template.substitute(style=style(), title=shown(title_of(stories)), content=content(*stories))


def title_of(stories: Sequence[Story]) -> str:
    """What a page about these stories is called."""
    return stories[0].title if len(stories) == 1 else f"{len(stories)} connections"


def content(*stories: Story, most: float = inf) -> str:
    """What the page holds, without its head and its style. Connections that would make it longer than `most` characters are counted."""
    parts = [_overview(stories)] if len(stories) > 1 else []
    for number, story in enumerate(stories):
        parts.append(_connection(story, number, alone=len(stories) == 1))
        if number and sum(map(len, parts)) > most:
            parts[-1] = f"<p>{len(stories) - number} more are not shown here.</p>"
            break
    return "".join(parts)


def style() -> str:
    """The style sheet of the page."""
    return (files("v2gkit.insight.report") / "style.css").read_text(encoding="utf-8")


def _overview(stories: tuple[Story, ...]) -> str:
    well = sum(story.well for story in stories)
    others = len(stories) - well
    said = f"{well} of {len(stories)} connections ended as they should" + (f", {others} did not" if others else "")
    rows = "".join(
        f'<tr{"" if story.well else " class=bad"}><td class="num">{story.connection}</td><td>{shown(story.outlet)}</td>'
        f"<td>{datetime.fromtimestamp(story.began, UTC):%H:%M:%S}</td>"
        f'<td><a href="#connection-{number}">{shown(story.title)}</a></td><td>{shown(story.ended)}</td></tr>'
        for number, story in enumerate(stories)
    )
    head = "<tr><th>Connection</th><th>Outlet</th><th>began (UTC)</th><th>What</th><th>How it ended</th></tr>"
    return (
        f'<header><h1>{len(stories)} connections</h1><p class="verdict {"badly" if others else "well"}">{said}</p></header>'
        f"<section><table><thead>{head}</thead><tbody>{rows}</tbody></table></section>"
    )


def _connection(story: Story, number: int, *, alone: bool) -> str:
    where = f"Connection {story.connection}" + (f" at {story.outlet}" if story.outlet else "")
    template = Template((files("v2gkit.insight.report") / "connection.html").read_text())
    html = template.substitute(
        number=number,
        level=1 if alone else 2,
        title=shown(story.title if alone else f"{where}: {story.title}"),
        verdict="well" if story.well else "badly",
        ended=shown(story.ended),
        facts="".join(f"<div><dt>{shown(k)}</dt><dd>{shown(v)}</dd></div>" for k, v in story.facts),
        chart=session_chart(story) or "<p>No energy flowed and no schedule was offered.</p>",
        schedules=_schedules(story),
        grid=_grid(story),
        sequence="".join(_row(e) for e in story.exchanges),
        notes="".join(f"<li><time>{at:.3f} s</time> {shown(text)}</li>" for at, text in story.notes) or "<li>none</li>",
        certificates="".join(_chain(c) for c in story.chains) or "<p>The trace holds no certificates.</p>",
    )
    for name in ("charge", "discharge"):  # ids of the picture are of the whole document
        html = html.replace(f'id="{name}"', f'id="{name}-{number}"').replace(f"url(#{name})", f"url(#{name}-{number})")
    return html


def _row(exchange: Exchange) -> str:
    failed = exchange.code.startswith("FAILED") or exchange.code.startswith("WARNING")
    late = exchange.answered is not None and exchange.limit is not None and exchange.answered > exchange.limit
    times = f' <span class="times">×{exchange.times}</span>' if exchange.times > 1 else ""
    answered = "" if exchange.answered is None else f"{exchange.answered * 1000:.1f} ms"
    limit = "" if exchange.limit is None else f"{exchange.limit * 1000:g} ms"
    margin = "" if exchange.answered is None or not exchange.limit else f"{100 * (1 - exchange.answered / exchange.limit):.1f} %"
    request, response = exchange.octets
    return (
        f'<tr{" class=bad" if failed or late else ""}><td class="num">{exchange.at:.3f}</td>'
        f"<td>→ {shown(exchange.request)}{times}</td><td>← {shown(exchange.response)}</td><td>{shown(exchange.code)}</td>"
        f'<td class="num">{request} / {response}</td><td class="num">{answered}</td>'
        f'<td class="num">{limit}</td><td class="num">{margin}</td></tr>'
    )


def _schedules(story: Story) -> str:
    if not story.offered:
        return "<p>No schedule was offered.</p>"
    rows = "".join(_tuple(t) for t in story.offered)
    followed = f"<p>The car answered with a profile of {len(story.profile)} steps: {_energy(story.profile)}.</p>" if story.profile else ""
    head = "<tr><th>Tuple</th><th>Charging</th><th>Discharging</th><th>Import price</th><th>Export price</th><th></th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{followed}"


def _grid(story: Story) -> str:
    """The section of a car that feeds the grid; nothing of another."""
    if not story.grid:
        return ""
    rows = "".join(
        f'<tr><td class="num">{one.at:.3f}</td><td>{shown(one.who)}</td><td>{shown(one.what)}</td><td>{shown(one.value)}</td></tr>'
        for one in story.grid
    )
    head = "<tr><th>s</th><th>said by</th><th>what</th><th>value</th></tr>"
    return f"<section><h2>What the grid asked, and heard</h2><table><thead>{head}</thead><tbody>{rows}</tbody></table></section>"


def _tuple(offered: Tuple) -> str:
    cells = (
        "Dynamic" if offered.number is None else str(offered.number),
        _energy(offered.charging),
        _energy(offered.discharging),
        _range(offered.import_price),
        _range(offered.export_price),
        "chosen" if offered.chosen else "",
    )
    return f"<tr{' class=chosen' if offered.chosen else ''}>" + "".join(f"<td>{shown(c)}</td>" for c in cells) + "</tr>"


def _energy(steps: Steps) -> str:
    if not steps:
        return "–"
    energy = [v * (b - a) / 3.6e6 for a, b, v in steps]
    sums = f"{sum(e for e in energy if e > 0):.2f} kWh in, {-sum(e for e in energy if e < 0):.2f} kWh out"
    return f"{len(steps)} steps, at most {max(abs(v) for _, _, v in steps) / 1000:.1f} kW, {sums}"


def _range(steps: Steps) -> str:
    return f"{min(v for *_, v in steps):.3f} to {max(v for *_, v in steps):.3f}" if steps else "–"


def _chain(chain: Chain) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{shown(cell)}</td>" for cell in (c.subject, c.issuer, c.key, c.until, str(c.octets))) + "</tr>"
        for c in chain.certificates
    )
    head = "<tr><th>Subject</th><th>Issuer</th><th>Key</th><th>Valid until</th><th>Octets</th></tr>"
    return f"<h3>{shown(chain.role)}</h3><table><thead>{head}</thead><tbody>{rows}</tbody></table>"
