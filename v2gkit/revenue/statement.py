"""One session settled: its books, what each party earned, and what that rests on."""

import importlib.util
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from v2g.energy.baseline.model import DAY, Day, Event, Run, Unavailable
from v2g.energy.baseline.same_day import Session as Counterfactual
from v2g.energy.ledger.books import Books, balances, earnings, verify
from v2g.energy.ledger.chart import EARNERS, ENERGY, WAYS, Flow
from v2g.energy.ledger.rows import Reading
from v2g.energy.ledger.transaction import Basis, Evidence, Interval, Transaction, amounts, basis
from v2g.energy.series import Series
from v2g.energy.settlement import PERIOD, Call, Settled, settled
from v2gkit.revenue import ocmf
from v2gkit.revenue.session import Session, powers
from v2gkit.revenue.terms import Given, instant

CENT: Final = 10_000  # millionths; what rounding registers to whole Wh may cost in a session
LINES: Final = ("parking", "services", "overstay", "adjustment")


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was looked at: whether it is well, None where it could not be known, and the finding in words."""

    name: str
    well: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What a session came to. Money and energy are in millionths of the currency and of a kWh."""

    session: Session
    currency: str
    parties: Mapping[str, int]  # party -> earned
    flows: Mapping[Flow, int]
    periods: tuple[Settled, ...]
    runs: tuple[Run, ...]  # a baseline for each call that touches the session
    bases: tuple[Basis, ...]
    checks: tuple[Check, ...]
    posted: int  # transactions that were due
    head: tuple[int, str]  # number and digest of the last transaction in the books

    @property
    def well(self) -> bool:
        """Whether no check failed."""
        return all(check.well is not False for check in self.checks)


@dataclass(frozen=True, slots=True)
class _Called:
    """A call that touches the session, its place in the file, and the record of its baseline."""

    call: Call
    place: int
    record: bytes


@dataclass(slots=True)
class _Proof:
    readings: list[Reading]
    bases: dict[int, Basis]  # place of the reading -> hash of its record
    checks: list[Check]


def settle(session: Session, given: Given, books: Books, zone: tzinfo, *, key: bytes = b"", run: str = "SF") -> Statement:
    """Settle a session into the books; what is booked already is not booked again. ValueError where it cannot be settled."""
    proof = _proven(session, key)
    session = replace(session, readings=[replace(m, reading=r) for m, r in zip(session.readings, proof.readings, strict=True)])
    terms = given.terms(proof.readings[0].at, zone)
    calls, runs = _calls(session, given)
    periods = _with_bill(settled(session.entries(), terms, [each.call for each in calls]), session)
    currency = session.currency or "EUR"
    shared = [basis(Evidence.PRICE, offer, f"offer {place}") for place, offer in enumerate(session.offers)]
    shared += [basis(Evidence.CONTRACT, given.octets, "terms")] if given.octets else []
    posted = 0
    used: dict[Basis, None] = {}
    for each in periods:
        bases = [*shared, *_of_period(each, proof, calls, given)]
        used |= dict.fromkeys(bases)
        at = Interval(given.file.tenant, session.name, each.start, each.end)
        posted += books.settle(at, amounts(each.flows, currency), bases, run) is not None
    chain = list(books.transactions(given.file.tenant))
    own = [one for one in chain if one.interval.contract == session.name]
    head = (chain[-1].number, chain[-1].digest) if chain else (0, "")
    checks = (
        *proof.checks,
        *_checks(session, periods, own, currency),
        Check("books", True, f"{verify(chain)} transactions, chain unbroken"),
    )
    parties = {party: amount for (party, unit), amount in earnings(own).items() if unit == currency}
    shown = {party: parties.get(party, 0) for party in (*EARNERS, *sorted(set(parties) - set(EARNERS)))}
    return Statement(session, currency, shown, _totals(periods), periods, tuple(runs), tuple(used), checks, posted, head)


def _proven(session: Session, key: bytes) -> _Proof:
    """The readings by their signed records where these hold: the first, the last, and the last of each period are looked at."""
    proof = _Proof([one.reading for one in session.readings], {}, [])
    places = _borders(proof.readings)
    signed = [place for place in places if session.readings[place].record]
    for place in signed:
        proof.bases[place] = basis(Evidence.METER, session.readings[place].record, f"{session.meter} {_utc(proof.readings[place].at)}")
    if len(signed) < len(places):
        proof.checks.append(
            Check("signed", False if signed else None, f"{len(places) - len(signed)} of {len(places)} readings have no signature")
        )
    if not signed:
        return proof
    if importlib.util.find_spec("pyocmf") is None:
        proof.checks.append(Check("signature", None, "not verified: pip install 'v2gkit[ocmf]'"))
        return proof
    wrong = []
    for place in signed:
        one = session.readings[place]
        try:
            value = ocmf.read(one.record, key or one.key, trusted=bool(key))
        except ValueError as error:
            wrong.append(str(error))
            continue
        if not value.verified or not value.readings:
            wrong.append(f"the record of {_utc(one.reading.at)} is not proven by the key")
            continue
        seen = value.readings[-1]
        proof.readings[place] = Reading(
            one.reading.at, seen.imported, seen.exported if "export" in value.registers else one.reading.exported
        )
    _ascend(proof.readings)
    whose = "the key that was given" if key else "the key that came with them: give the meter's own by --key"
    said = f"{len(signed) - len(wrong)} of {len(signed)} records hold by {whose}" + (f"; {wrong[0]}" if wrong else "")
    proof.checks.append(Check("signature", False if wrong else (True if key else None), said))
    return proof


def _borders(readings: Sequence[Reading]) -> list[int]:
    last = len(readings) - 1
    return [place for place, one in enumerate(readings) if place in (0, last) or one.at // PERIOD != readings[place + 1].at // PERIOD]


def _ascend(readings: list[Reading]) -> None:
    """Whole Wh of a signed record may lie a little above the reading after it: no register goes back for that."""
    for place in range(1, len(readings)):
        before, one = readings[place - 1], readings[place]
        readings[place] = Reading(one.at, max(one.imported, before.imported), max(one.exported, before.exported))


def _calls(session: Session, given: Given) -> tuple[list[_Called], list[Run]]:
    """The calls that touch the session, and the runs of their baselines."""
    calls, runs = [], []
    begin, end = session.readings[0].reading.at, session.readings[-1].reading.at
    after = given.file.flexibility.rebound_for if given.file.flexibility else 0.0
    for place, called in enumerate(given.file.calls):
        start, until = instant(called.start), instant(called.until)
        if until <= start:
            raise ValueError(f"the call {called.id} ends at {called.until}, not after its start {called.start}")
        if start < end and begin < until + after:
            made, pairs = _baseline(session, start, until + after)
            runs += made
            record = b"\n".join(run.record() for run in made)
            calls.append(_Called(Call(called.id, start, until, called.reduction, pairs), place, record))
    return calls, runs


def _baseline(session: Session, start: float, until: float) -> tuple[list[Run], Series]:
    """What the car would have drawn by itself between two instants, in quarter hours of the days in UTC."""
    first, last = session.readings[0].reading, session.readings[-1].reading
    energy = last.imported - first.imported - last.exported + first.exported
    power = session.power or max((abs(value) for value in powers(session).values), default=0.0)
    runs, pairs = [], []
    day = datetime.fromtimestamp(start, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while (midnight := day.timestamp()) < until:
        begin, end = int(max(start - midnight, 0) // PERIOD), -int(-min(until - midnight, DAY) // PERIOD)
        method = Counterfactual(first.at - midnight, last.at - midnight, energy, power)
        try:
            made = method.run(Event(Day(day.date(), (None,) * (DAY // PERIOD)), begin, end), ())
        except Unavailable as error:
            raise ValueError(f"session {session.name}: no baseline: {error}") from None
        runs.append(made)
        pairs += [(midnight + PERIOD * (begin + place), value) for place, value in enumerate(made.powers)]
        day += timedelta(days=1)
    return runs, Series.from_pairs(pairs, pairs[-1][0] + PERIOD)


def _with_bill(periods: tuple[Settled, ...], session: Session) -> tuple[Settled, ...]:
    """Fees and taxes of the bill belong to the last period."""
    bill = session.bill
    if not bill or not periods:
        return periods
    fees = sum(int(bill.get(line, 0)) for line in LINES)
    tax = int(bill.get("total", 0)) - int(bill.get("energy", 0)) - fees
    last = periods[-1]
    more = tuple((flow, amount) for flow, amount in ((Flow.FEES, fees), (Flow.TAX, tax)) if amount)
    return (*periods[:-1], replace(last, flows=last.flows + more))


def _of_period(each: Settled, proof: _Proof, calls: Sequence[_Called], given: Given) -> Iterator[Basis]:
    """The signed readings at both ends of a period, and baseline and signal of each call in it."""
    before = [place for place in proof.bases if proof.readings[place].at < each.start]
    within = [place for place in proof.bases if each.start <= proof.readings[place].at <= each.end]
    for place in sorted({*before[-1:], *within}):
        yield proof.bases[place]
    for one in calls:
        if one.call.id in each.calls:
            yield basis(Evidence.BASELINE, one.record, f"session counterfactual for {one.call.id}")
            if given.signals[one.place]:
                yield basis(Evidence.SIGNAL, given.signals[one.place], one.call.id)


def _checks(session: Session, periods: Sequence[Settled], own: Sequence[Transaction], currency: str) -> Iterator[Check]:
    booked = balances(own)
    left = sum(amount for (_, unit), amount in booked.items() if unit == currency)
    yield Check("balance", left == 0, f"all accounts add up to {left / 1e6:.6f} {currency}")
    totals = _totals(periods)
    energy = totals.get(Flow.CHARGING, 0) - totals.get(Flow.FEED_IN, 0)
    if session.bill is None:
        yield Check("bill", None, "the trace has no bill of the station")
    else:
        off = energy - int(session.bill.get("energy", 0))
        said = f"energy is {energy / 1e6:.4f} {currency} by the meter's records, {int(session.bill.get('energy', 0)) / 1e6:.4f} by the bill"
        yield Check("bill", abs(off) <= CENT, said)
    if session.tab is None:
        yield Check("prices", None, "no prices were offered: energy is booked, and worth nothing to the driver")


def _totals(periods: Sequence[Settled]) -> dict[Flow, int]:
    sums: dict[Flow, int] = defaultdict(int)
    for each in periods:
        for flow, amount in each.flows:
            sums[flow] += amount
    return dict(sums)


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def told(one: Statement) -> dict[str, Any]:
    """The statement as values for JSON, money and energy as decimal numbers."""
    session = one.session
    flows = [
        {"flow": flow.value, "from": WAYS[flow].payer, "to": WAYS[flow].payee, "amount": amount / 1e6, "unit": _unit(flow, one.currency)}
        for flow, amount in one.flows.items()
    ]
    return {
        "session": session.id,
        "contract": session.contract,
        "evse": session.evse,
        "currency": one.currency,
        "earned": {party: amount / 1e6 for party, amount in one.parties.items()},
        "flows": flows,
        "periods": len(one.periods),
        "baselines": [
            {"method": run.method, "version": run.version, "parameters": dict(run.parameters), "inputs": run.inputs} for run in one.runs
        ],
        "evidence": [{"kind": b.kind, "sha256": b.digest, "about": b.about} for b in one.bases],
        "checks": [{"check": check.name, "well": check.well, "said": check.said} for check in one.checks],
        "posted": one.posted,
        "books": {"transactions": one.head[0], "head": one.head[1]},
    }


def _unit(flow: Flow, currency: str) -> str:
    return ENERGY if WAYS[flow].energy else currency
