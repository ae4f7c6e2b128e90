"""What was on the wire of a case, as static markup: frames with their timers, their messages spelled out, and what happened between."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from v2gkit.conform.report.markup import shown, table
from v2gkit.insight.decode.lines import Lines

FRAMES: Final = 120  # of one case: the first and the last of them
MESSAGE: Final = 3_000  # characters of one that is spelled out
SPELLED: Final = 40  # messages at the beginning and at the end of one case, where a fault is seen
_BETWEEN: Final = ("connected", "plain", "tls", "handshake-failed", "note", "relaxed", "ocpp", "end")
_COLUMNS: Final = ("s", "from", "message", "code", "took", "timer", "octets")


def evidence(records: Iterable[Mapping[str, Any]]) -> str:
    """A table for each connection in the records of a trace. Empty where they hold nothing."""
    connections: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        connections.setdefault(int(record["connection"]), []).append(record)
    return "".join(_connection(number, each, len(connections) > 1) for number, each in connections.items())


def _connection(number: int, records: list[Mapping[str, Any]], several: bool) -> str:
    lines = Lines()
    seen = [record for record in records if record["type"] in ("trace", "frame", *_BETWEEN)]
    frames = [record for record in seen if record["type"] == "frame"]
    left_out = len(frames) - FRAMES
    hidden = {id(each) for each in frames[FRAMES // 2 : FRAMES // 2 + max(left_out, 0)]}
    spelled = {id(each) for each in (*frames[:SPELLED], *frames[-SPELLED:])}
    rows: list[list[str]] = []
    for record in seen:
        if id(record) in hidden:
            continue
        rows += _row(lines, record, id(record) in spelled)
    began = next((record for record in records if record["type"] == "trace"), {})
    title = f"<p><strong>Connection {number}</strong> {shown(_about(began))}</p>" if several else ""
    note = f"<p>{left_out} frames in the middle are left out; the trace has them.</p>" if left_out > 0 else ""
    return title + note + table(_COLUMNS, rows, "frames")


def _about(record: Mapping[str, Any]) -> str:
    about = record.get("about")
    return ", ".join(f"{key} {value}" for key, value in about.items()) if isinstance(about, dict) else ""


def _row(lines: Lines, record: Mapping[str, Any], spelled: bool) -> Iterator[list[str]]:
    """The cells of a record; none for the first of a connection."""
    told = list(lines.text(dict(record)))
    if record["type"] == "frame":
        line = next(lines.frame(dict(record)), None)
        if line is not None:
            yield _frame(record, str(line["from"]), spelled)
    elif record["type"] != "trace" and told:
        since, _, text = told[0].strip().partition("  ")
        yield [shown(since), "", f'<span class="lead">{shown(text.strip())}</span>', "", "", "", ""]


def _frame(record: Mapping[str, Any], speaker: str, spelled: bool) -> list[str]:
    message, name = record.get("message"), record["name"]
    code = _code(message)
    said = shown(name or f"no message: {record.get('error') or 'it could not be decoded'}")
    body = _spelled(message) if isinstance(message, dict) else str(record["exi"])[: 2 * MESSAGE // 3]
    found = "".join(f"<br>{shown(each)}" for each in record["findings"])
    cell = f"<details><summary>{said}</summary><pre>{shown_lines(body)}</pre></details>" if spelled and body else said
    return [
        f'<span class="num">{float(record["at"]):.3f}</span>',
        f'<span class="num">{shown(speaker)}</span>',
        cell + found,
        shown(code or ""),
        _took(record),
        _timer(record),
        shown(record["octets"]),
    ]


def _code(value: object, depth: int = 4) -> str:
    """The response code in a message that is spelled out, within its envelope where it has one; empty where it has none."""
    if not isinstance(value, dict) or not depth:
        return ""
    if isinstance(code := value.get("ResponseCode"), str):
        return code
    return next((found for each in value.values() if (found := _code(each, depth - 1))), "")


def shown_lines(text: str) -> str:
    """A text of several lines, each escaped."""
    return "\n".join(map(shown, text.splitlines()))


def _spelled(message: Mapping[str, Any]) -> str:
    text = json.dumps(message, indent=1, ensure_ascii=False)
    return text if len(text) <= MESSAGE else f"{text[:MESSAGE]}\n... {len(text) - MESSAGE} characters more are in the trace"


def _took(record: Mapping[str, Any]) -> str:
    """What the sender took, beside what the standard gives it."""
    gap, allowed = record["gap"], record.get("performance")
    if gap is None:
        return ""
    given = f" of {allowed:g} s" if isinstance(allowed, int | float) else ""
    late = " late" if isinstance(record["margin"], int | float) and record["margin"] < 0 else ""
    return f'<span class="num">{gap * 1000:.1f} ms{given}{late}</span>'


def _timer(record: Mapping[str, Any]) -> str:
    """The timer that ran while the frame was waited for: how much of it was used."""
    gap, limit = record["gap"], record.get("limit")
    if gap is None or not isinstance(limit, int | float) or limit <= 0:
        return ""
    return f'<meter min="0" max="{limit:g}" value="{min(gap, limit):g}" title="{shown(record.get("timer") or "")}"></meter> {limit:g} s'
