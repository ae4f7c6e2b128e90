"""What a judge found, in lines for people and as objects for machines."""

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from v2gkit.conform.capture.judge import Breach, Session, unjudged
from v2gkit.conform.capture.rules import RULES, Weight
from v2gkit.conform.verdict import Result, Verdict

MOST: Final = 3  # breaches of one rule in one connection that people are shown; machines have all
_WORDS: Final = {Weight.STANDARD: "broken", Weight.PERFORMANCE: "slow", Weight.ROBUSTNESS: "odd"}


def plain(breach: Breach) -> dict[str, Any]:
    """A breach as the object of a line of JSON."""
    return {**breach._asdict(), "weight": RULES[breach.rule].weight.value}


def grave(breaches: Iterable[Breach]) -> bool:
    """Whether one of them is against what the standard asks for, and not a matter of pace or robustness."""
    return any(RULES[each.rule].weight is Weight.STANDARD for each in breaches)


def lines(session: Session, breaches: Iterable[Breach]) -> Iterator[str]:
    """What people read of one connection: what was spoken, each rule that was broken with its first frames, and what was not judged."""
    held = sum(1 for rule in RULES if not session.lacks(rule))
    spoken = session.standard or "no message after the negotiation"
    yield f"connection {session.number}  {spoken}, {session.frames} frames, {held} of {len(RULES)} rules judged"
    by_rule: dict[str, list[Breach]] = {}
    for each in breaches:
        by_rule.setdefault(each.rule, []).append(each)
    for rule, found in sorted(by_rule.items()):
        row, count = RULES[rule], session.broken[rule]
        named = f" [{found[0].requirement}]" if found[0].requirement else ""
        yield f"  {_WORDS[row.weight]:7} {rule}{named}  {row.says}: {count} of {session.judged[rule]}"
        for each in found[:MOST]:
            where = f"frame {each.frame}, " if each.frame else ""
            yield f"          {where}{each.at:.3f} s, {each.by}: expected {each.expected}; seen {each.seen}"
        if count > MOST:
            yield f"          and {count - MOST} more"
    if not by_rule:
        yield "  no rule is broken"
    for reason, rules in groupby(sorted(unjudged(session), key=lambda each: each[1]), key=lambda each: each[1]):
        yield f"  not judged, {reason}: {', '.join(rule for rule, _ in rules)}"


def results(sessions: Collection[Session], breaches: Iterable[Breach], evidence: str = "") -> list[Result]:
    """A result for each rule, of all sessions of a file together; `evidence` is the trace of them, below the folder of results."""
    by_rule: dict[str, list[Breach]] = {}
    for each in breaches:
        by_rule.setdefault(each.rule, []).append(each)
    return [_result(rule, sessions, by_rule.get(rule, []), evidence) for rule in RULES]


def _result(rule: str, sessions: Collection[Session], breaches: list[Breach], evidence: str) -> Result:
    row, judged = RULES[rule], sum(session.judged[rule] for session in sessions if not session.lacks(rule))
    required = dict.fromkeys(each.requirement for each in breaches if each.requirement) or dict.fromkeys(filter(None, (row.requirement,)))
    if not judged and not breaches:
        why = "; ".join(dict.fromkeys(session.lacks(rule) for session in sessions)) or "there is no session in the file"
        return Result(rule, Verdict.NOT_APPLICABLE, tuple(required), row.says, why)
    if not breaches:
        return Result(rule, Verdict.PASS, tuple(required), row.says, f"in all {judged} places that were looked at", 0.0, evidence)
    first, count = breaches[0], sum(session.broken[rule] for session in sessions)
    where = f"connection {first.connection}" + (f", frame {first.frame}" if first.frame else "")
    seen = f"{count} of {judged}; the first in {where} at {first.at:.3f} s by the {first.by}: {first.seen}"
    return Result(rule, Verdict.FAIL, tuple(required), first.expected, seen, 0.0, evidence)
