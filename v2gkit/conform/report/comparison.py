"""Two runs side by side: what became worse, what became better, what only one of them played (pure)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from v2gkit.conform.entries import entry
from v2gkit.conform.report.markup import badge, facts, moment, page, shown, table
from v2gkit.conform.results import Campaign
from v2gkit.conform.verdict import Result, Verdict

_JUDGED = (Verdict.PASS, Verdict.FAIL)


class Change(StrEnum):
    """What became of a case from one run to the other, from the worst to what is of no interest."""

    WORSE = "became worse"
    LOST = "judged in A alone"
    BETTER = "became better"
    GAINED = "judged in B alone"
    OTHER = "failing in another way"
    SAME = "the same"


@dataclass(frozen=True, slots=True)
class Pair:
    """A case in both runs; None where a run did not play it."""

    id: str
    one: Result | None
    other: Result | None
    change: Change


def compared(one: Iterable[Result], other: Iterable[Result]) -> tuple[Pair, ...]:
    """Every case of both runs, sorted by its id."""
    first, second = ({each.id: each for each in results} for results in (one, other))
    return tuple(
        Pair(id_, first.get(id_), second.get(id_), _change(first.get(id_), second.get(id_))) for id_ in sorted({**first, **second})
    )


def worse(pairs: Iterable[Pair]) -> bool:
    """Whether the second run is worse in anything that counts against the standard."""
    return any(each.change in (Change.WORSE, Change.LOST) and _counts(each) for each in pairs)


def lines(pairs: Sequence[Pair]) -> Iterator[str]:
    """What people read: the changes, the worst first, each with what both runs saw."""
    order = list(Change)
    for change, members in groupby(sorted(pairs, key=lambda each: order.index(each.change)), key=lambda each: each.change):
        found = list(members)
        yield f"{len(found)} {change}"
        if change is not Change.SAME:
            for each in found:
                beyond = "" if _counts(each) else " (robustness or pace)"
                yield f"  {each.id}{beyond}: {_told(each.one)} in A, {_told(each.other)} in B"


def comparison(pairs: Sequence[Pair], one: Campaign, other: Campaign) -> str:
    """The page about both runs."""
    order = list(Change)
    sections = []
    for change, members in groupby(sorted(pairs, key=lambda each: order.index(each.change)), key=lambda each: each.change):
        found = list(members)
        rows = [[f'<span class="id">{shown(each.id)}</span>', shown(_purpose(each)), _cell(each.one), _cell(each.other)] for each in found]
        shown_table = table(("case", "purpose", "A", "B"), rows)
        body = shown_table if change is not Change.SAME else f"<details><summary>the {len(found)} cases</summary>{shown_table}</details>"
        sections.append(f"<section><h2>{len(found)} {change}</h2>{body}</section>")
    names = [each.device or each.peer or "a device without a name" for each in (one, other)]
    told = facts((letter, _campaign(each)) for letter, each in (("A", one), ("B", other)))
    title = f"{names[0]} beside {names[1]}" if names[0] != names[1] else f"Two runs of {names[0]}"
    return page(
        title, f'<header class="cover"><p class="lead">Two runs side by side</p><h1>{shown(title)}</h1>{told}</header>' + "".join(sections)
    )


def _campaign(each: Campaign) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in each.versions.items())
    return (
        "<br>".join(filter(None, (shown(each.device), shown(each.peer), moment(each.began), shown(versions))))
        or "nothing is recorded of it"
    )


def _change(one: Result | None, other: Result | None) -> Change:
    before, after = (each.verdict if each is not None else Verdict.NOT_APPLICABLE for each in (one, other))
    if before is after:
        differs = before is Verdict.FAIL and one is not None and other is not None and one.seen != other.seen
        return Change.OTHER if differs else Change.SAME
    if before not in _JUDGED and after not in _JUDGED:
        return Change.SAME
    if after not in _JUDGED:
        return Change.LOST
    if after is Verdict.FAIL:
        return Change.WORSE
    return Change.BETTER if before is Verdict.FAIL else Change.GAINED


def _counts(each: Pair) -> bool:
    result = each.other or each.one
    return result is not None and entry(result).counts


def _purpose(each: Pair) -> str:
    result = each.other or each.one
    return "" if result is None else entry(result).purpose


def _told(result: Result | None) -> str:
    return "not played" if result is None else f"{result.verdict} ({result.seen})" if result.seen else result.verdict.value


def _cell(result: Result | None) -> str:
    return "" if result is None else f"{badge(result.verdict)} {shown(result.seen)}"
