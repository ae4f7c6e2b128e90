"""The book of signals of one tenant: takes what sources say, keeps what became of each signal, says what holds. Sans-I/O.

    book = Book("depot", {"dso": Promise(patience=900, fallback_import=11_000)})
    book.take("dso", "openadr3", Told(signal), now)   raises GridFault for what is replayed, expired, another tenant's, or too much
    book.heard("dso", now)                            after a complete answer, and only then
    for news in book.settle(now): ...                 every change of fate, and links lost and found
    book.standing(now).import_cap                     W
    book.deadline(now)                                when to settle again, at the latest

Times are epoch s of a clock that never runs backward: the shell's, not the machine's.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from v2g.energy.signal import Kind, Signal
from v2gkit.grid.faults import GridFault, Trouble, quoted
from v2gkit.grid.link import Link, Promise, State
from v2gkit.grid.received import STEPS, Fate, Received, Told, demand_sound
from v2gkit.grid.standing import Standing, standing

SIGNALS: Final = 256  # of one source at once: more are no plan that anybody follows; a source that says more is at fault
TOGETHER: Final = 4 * STEPS  # steps of all signals of one source: each is looked at whenever anything changes, which takes milliseconds so
GRAVES: Final = 4 * SIGNALS  # ids of one source that are over and may not come again: what OpenADR serves of the past fits


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened: `what` is received, changed, a fate, acknowledged, or lost and heard of a source; `row` is the signal."""

    at: float
    source: str
    what: str
    row: Received | None = None


class Book:
    """Signals by id, over all sources of a tenant. `promises` names the sources, and what was agreed with each for its silence."""

    def __init__(self, tenant: str, promises: Mapping[str, Promise]) -> None:
        self.tenant = tenant
        self.links = {source: Link(promise) for source, promise in promises.items()}
        self._rows: dict[str, Received] = {}
        self._graves: dict[str, OrderedDict[str, float]] = {source: OrderedDict() for source in promises}  # id -> version that ended
        self._news: list[News] = []

    # --- what sources say ---

    def take(self, source: str, protocol: str, told: Told, now: float) -> bool:
        """Enter a signal, or a newer version of one; whether anything changed. Raises GridFault, and nothing has changed then."""
        if told.tenant and told.tenant != self.tenant:
            raise GridFault(
                Trouble.FOREIGN,
                f"{source}: signal {quoted(told.signal.id)} is for tenant {quoted(told.tenant)}, and this is {self.tenant!r}; "
                "is it somebody else's server or token?",
            )
        known = self._rows.get(told.signal.id)
        if known is not None and known.source != source:
            raise GridFault(
                Trouble.FOREIGN, f"{source}: signal {quoted(told.signal.id)} is of {known.source}; each source has ids of its own"
            )
        if self._repeated(source, told, known):
            return False
        try:
            demand_sound(told, source, now)
        except GridFault as fault:
            if fault.trouble is Trouble.EXPIRED and known is None:  # said once: servers serve the past for days
                self._bury(source, told.signal.id, told.version)
            raise
        if known is None and sum(row.source == source for row in self._rows.values()) >= SIGNALS:
            raise GridFault(
                Trouble.HUGE, f"{source}: {SIGNALS} signals hold or wait already; a further one, {quoted(told.signal.id)}, is not taken"
            )
        steps = sum(len(row.signal.power.steps) for row in self._rows.values() if row.source == source and row is not known)
        if steps + len(told.signal.power.steps) > TOGETHER:
            raise GridFault(
                Trouble.HUGE, f"{source}: its signals have {steps} steps; {quoted(told.signal.id)} would make them more than {TOGETHER}"
            )
        self._graves[source].pop(told.signal.id, None)
        row = Received(told.signal, protocol, source, self.tenant, told.reference, told.version, now, told.priority, fallback=told.fallback)
        if known is not None:
            row = replace(row, fate=known.fate, by=known.by)
        self._rows[told.signal.id] = row
        self._news.append(News(now, source, "received" if known is None else "changed", row))
        return True

    def take_all(
        self, source: str, protocol: str, told: Iterable[Told], now: float, found: Iterable[GridFault] = ()
    ) -> tuple[GridFault, ...]:
        """Enter everything that a source has now, and withdraw what it has no more; the faults, none of which costs another signal.

        The source counts as heard, but where a signal is lacking that could be a limit: one too many, or one that is none. `found` are
        the faults that its translator found in the same answer.
        """
        faults, ids = list(found), []
        for each in told:
            ids.append(each.signal.id)
            try:
                self.take(source, protocol, each, now)
            except GridFault as fault:
                faults.append(fault)
        whole = not any(fault.trouble in (Trouble.HUGE, Trouble.MALFORMED) for fault in faults)
        if whole:
            self.only(source, ids, now)
            self.heard(source, now)
        return tuple(faults)

    def withdraw(self, source: str, id_: str, now: float, version: float | None = None) -> None:
        """Let a signal of a source hold no more, because the source took it back; without effect for one that is not known.

        It comes back by a version above `version` alone (that of the signal, where none is given).
        """
        row = self._rows.get(id_)
        if row is not None and row.source == source:
            self._end(replace(row, version=max(row.version, version or row.version)), Fate.WITHDRAWN, now)

    def only(self, source: str, ids: Iterable[str], now: float) -> None:
        """Withdraw every signal of a source but these: it told all that it has, and the others are no more."""
        kept = frozenset(ids)
        for id_ in [id_ for id_, row in self._rows.items() if row.source == source and id_ not in kept]:
            self.withdraw(source, id_, now)

    def heard(self, source: str, now: float, until: float = inf) -> None:
        """Note a valid and complete word of a source: what it has withdrawn or changed was entered before. `until` it is good at most."""
        before = self.links[source].at(now)
        if before.state is not self.links[source].state:
            self._news.append(News(before.since, source, "lost"))
        self.links[source] = before.heard(now, until)
        if before.state is not State.HEARD:
            self._news.append(News(now, source, "heard"))

    def acknowledge(self, id_: str, now: float) -> None:
        """Note that the origin of a signal was told that it came."""
        if (row := self._rows.get(id_)) is not None and row.acknowledged is None:
            self._rows[id_] = row = replace(row, acknowledged=now)
            self._news.append(News(now, row.source, "acknowledged", row))

    # --- what holds ---

    def settle(self, now: float) -> tuple[News, ...]:
        """Let time pass until `now`; everything that happened since the call before, in its order."""
        for source, link in self.links.items():
            at = link.at(now)
            if at.state is not link.state:
                self._news.append(News(at.since, source, "lost"))
            self.links[source] = at
        for row in list(self._rows.values()):
            if not row.fallback and row.signal.power.until <= now and not self._outlives(row, now):
                self._end(row, Fate.EXPIRED, now)
        held = self.standing(now)
        for id_, row in self._rows.items():
            fate, by = _fate(row, held, now, self.links[row.source].state is State.HEARD)
            if (fate, by) != (row.fate, row.by):
                self._rows[id_] = row = replace(row, fate=fate, by=by)
                if fate is not Fate.WAITING:
                    self._news.append(News(now, row.source, fate.value, row))
        news, self._news = tuple(self._news), []
        return news

    def signals(self, now: float) -> tuple[Signal, ...]:
        """What planners reckon with at `now`: the signals that are not over, with what the silence of sources adds to them."""
        rows = sorted(self._rows.values(), key=lambda row: row.priority)  # of equal ones the first that came
        return tuple(
            signal
            for source, link in self.links.items()
            for signal in link.at(now).caps(
                source,
                (row.signal for row in rows if row.source == source and not row.fallback),
                now,
                (row.signal for row in rows if row.source == source and row.fallback),
            )
        )

    def standing(self, now: float) -> Standing:
        """The caps and the setpoint that hold at `now`."""
        return standing(self.signals(now), now)

    def rows(self) -> tuple[Received, ...]:
        """Every signal that holds or waits, in the order in which they came."""
        return tuple(self._rows.values())

    def deadline(self, now: float) -> float | None:
        """The next instant at which something changes by itself (epoch s, after `now`); None: nothing does."""
        edges = [edge for row in self._rows.values() for edge in row.signal.power.edges()]
        losses = [link.deadline for link in self.links.values() if link.state is State.HEARD]
        return min((each for each in (*edges, *losses) if each > now), default=None)

    # --- inside ---

    def _repeated(self, source: str, told: Told, known: Received | None) -> bool:
        """Whether a signal is one that is known, word for word. GridFault for an older version, and for two contents of one version."""
        named = f"{source}: signal {quoted(told.signal.id)}"
        version = known.version if known is not None else self._graves[source].get(told.signal.id)
        if version is not None and told.version < version:
            raise GridFault(Trouble.REPLAYED, f"{named} comes in version {told.version:g} after {version:g}; an older one is not taken")
        if version is None or told.version > version:
            return False
        if known is None:
            return True  # it is over; that it is served still is no fault, and no news
        if (known.signal, known.fallback) == (told.signal, told.fallback):
            return True
        raise GridFault(Trouble.REPLAYED, f"{named} has two contents in version {told.version:g}; the first one stands")

    def _outlives(self, row: Received, now: float) -> bool:
        """Whether a signal stands beyond its end, because its source is lost and there is nothing for that case."""
        fallen = any(
            each.fallback and each.source == row.source and each.signal.kind is row.signal.kind and each.signal.power.start <= now
            for each in self._rows.values()
        )
        return not fallen and self.links[row.source].outlives(row.signal)

    def _end(self, row: Received, fate: Fate, now: float) -> None:
        del self._rows[row.signal.id]
        self._bury(row.source, row.signal.id, row.version)
        self._news.append(News(now, row.source, fate.value, replace(row, fate=fate, by=())))

    def _bury(self, source: str, id_: str, version: float) -> None:
        graves = self._graves[source]
        graves[id_] = version
        while len(graves) > GRAVES:
            graves.popitem(last=False)


def _fate(row: Received, held: Standing, now: float, heard: bool) -> tuple[Fate, tuple[str, ...]]:
    """What becomes of a signal at `now`, and by whom it is overridden: by silence where its source is lost and gave it no end."""
    signal = row.signal
    if now < signal.power.start or (row.fallback and heard):
        return Fate.WAITING, ()
    if signal.kind is not Kind.SETPOINT:
        return Fate.OBEYED, ()
    if signal.power.at(now) is None:
        return Fate.WAITING, ()
    if held.asked_by != signal.id:
        return Fate.OVERRIDDEN, (held.asked_by or f"{row.source}:silence",)
    return (Fate.OVERRIDDEN, held.cut_by) if held.cut_by else (Fate.OBEYED, ())
