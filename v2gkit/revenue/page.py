"""One page for a session: what the driver, the site, the operator and the aggregator each earned, why, and what that rests on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from string import Template

from v2g.energy.ledger.chart import EARNERS, WAYS, Flow, party
from v2g.energy.settlement import Settled
from v2gkit.insight.report.page import shown, style
from v2gkit.revenue.statement import Statement

VERDICTS = {True: "well", False: "wrong", None: "not known"}


def page(statements: Sequence[Statement]) -> str:
    """The HTML document, in the look of the session report; no script, font or picture comes from elsewhere."""
    template = Template((files("v2gkit.insight.report") / "page.html").read_text(encoding="utf-8"))
    title = f"Revenue of {statements[0].session.name}" if len(statements) == 1 else f"Revenue of {len(statements)} sessions"
    return template.substitute(style=style(), title=shown(title), content="".join(_session(each) for each in statements))


def _session(one: Statement) -> str:
    session = one.session
    verdict = "every check holds" if one.well else "a check fails: " + ", ".join(c.name for c in one.checks if c.well is False)
    energy = f"{one.flows.get(Flow.IMPORTED, 0) / 1e6:.3f} kWh in, {one.flows.get(Flow.EXPORTED, 0) / 1e6:.3f} kWh out"
    begin, end = (datetime.fromtimestamp(session.readings[place].reading.at, UTC) for place in (0, -1))
    facts = (
        ("Contract", session.contract or "none shown"),
        ("Outlet", session.evse),
        ("Meter", session.meter),
        ("Metered (UTC)", f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"),
        ("Energy", energy),
        ("Books", f"{one.posted} posted now, {one.head[0]} transactions, head {one.head[1][:16]}"),
    )
    cells = "".join(f"<div><dt>{shown(name)}</dt><dd>{shown(said)}</dd></div>" for name, said in facts)
    return (
        f"<header><h1>{shown(f'Session {session.id}: who earned what')}</h1>"
        f'<p class="verdict {"well" if one.well else "badly"}">{shown(verdict)}</p></header>'
        f'<section><dl class="facts">{cells}</dl></section>'
        f"<section><h2>Earned</h2>{_parties(one)}</section>"
        f"<section><h2>Why</h2>{_flows(one)}</section>"
        f"<section><h2>When</h2>{_periods(one)}</section>"
        f"<section><h2>Checks</h2>{_checks(one)}</section>"
        f"<section><h2>What it rests on</h2>{_evidence(one)}</section>"
    )


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    cells = "".join(f"<th>{shown(name)}</th>" for name in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _parties(one: Statement) -> str:
    rows = []
    for name, amount in one.parties.items():
        parts = [f"{flow.value} {_signed(flow, name, value) / 1e6:+.4f}" for flow, value in one.flows.items() if _signed(flow, name, value)]
        bold = " class=chosen" if name in EARNERS else ""
        rows.append(
            f'<tr{bold}><td>{shown(name)}</td><td class="num">{amount / 1e6:+.4f}</td><td>{shown(", ".join(parts) or "nothing")}</td></tr>'
        )
    return _table(("Party", f"Earned, {one.currency}", "of which"), rows)


def _signed(flow: Flow, name: str, amount: int) -> int:
    """What a flow of money does to a party."""
    way = WAYS[flow]
    if way.energy:
        return 0
    return amount * ((party(way.payee) == name) - (party(way.payer) == name))


def _flows(one: Statement) -> str:
    rows = []
    for flow, amount in one.flows.items():
        way, unit = WAYS[flow], "kWh" if WAYS[flow].energy else one.currency
        cells = "".join(f"<td>{shown(text)}</td>" for text in (flow.value, way.what, party(way.payer), party(way.payee)))
        rows.append(f'<tr>{cells}<td class="num">{amount / 1e6:.4f} {shown(unit)}</td></tr>')
    return _table(("Flow", "what it is", "from", "to", "amount"), rows)


def _periods(one: Statement) -> str:
    rows = [_period(each) for each in one.periods if each.flows]
    head = ("Quarter hour (UTC)", "kWh in", "kWh out", "driver pays", "driver gets", "flexibility", "calls")
    return _table(head, rows)


def _period(each: Settled) -> str:
    flows = dict(each.flows)
    earned = sum(flows.get(flow, 0) for flow in (Flow.AVAILABILITY, Flow.UTILISATION)) - flows.get(Flow.PENALTY, 0)
    values = [flows.get(flow, 0) for flow in (Flow.IMPORTED, Flow.EXPORTED, Flow.CHARGING, Flow.FEED_IN)]
    numbers = "".join(f'<td class="num">{value / 1e6:.4f}</td>' for value in (*values, earned))
    begun = datetime.fromtimestamp(each.start, UTC)
    return f"<tr><td>{begun:%Y-%m-%d %H:%M}</td>{numbers}<td>{shown(', '.join(each.calls))}</td></tr>"


def _checks(one: Statement) -> str:
    rows = []
    for each in one.checks:
        bad = " class=bad" if each.well is False else ""
        rows.append(f"<tr{bad}><td>{shown(each.name)}</td><td>{VERDICTS[each.well]}</td><td>{shown(each.said)}</td></tr>")
    return _table(("Check", "", "finding"), rows)


def _evidence(one: Statement) -> str:
    rows = [f"<tr><td>{shown(b.kind)}</td><td>{shown(b.about)}</td><td><code>{b.digest}</code></td></tr>" for b in one.bases]
    return _table(("What", "where", "SHA-256"), rows)
