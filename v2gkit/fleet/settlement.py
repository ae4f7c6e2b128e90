"""From registers, orders and signals to the books: what every session comes to in each quarter of an hour. Pure but for `run`.

Cumulative registers are all that money rests on. A call is a signal that was obeyed; what a car was called to draw less is its baseline,
the mean of the quarter of an hour before the call by its own register, less what it was ordered.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from v2g.energy.baseline.model import Day, Event, Unavailable
from v2g.energy.baseline.same_day import Before
from v2g.energy.ledger.rows import Reading, entries_between
from v2g.energy.ledger.transaction import Basis, Evidence, Interval, amounts, basis
from v2g.energy.series import Series
from v2g.energy.settlement import PERIOD, Call, Terms, settled
from v2gkit.fleet.declared import Contract, Fleet, Program, Site
from v2gkit.fleet.rates import Priced, supply, within
from v2gkit.fleet.store import rates
from v2gkit.fleet.store.books import Due
from v2gkit.fleet.store.tables import ORDERS, REGISTERS, SESSIONS, SIGNALS
from v2gkit.fleet.store.verbs import Store
from v2gkit.sql.words import Row

DAY: Final = 86_400
MINUTE: Final = 60
FLAT: Final = Priced()  # the prices of the site
METHOD: Final = Before()  # meter before, meter after: of a car nobody has ten days
OBEYED: Final = ("obeyed", "overridden", "expired", "withdrawn")
RUN: Final = "SF"


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of one session: its readings, its orders as (epoch s, W), and whose it is."""

    tenant: str
    asset: str
    id: str
    readings: tuple[Reading, ...]
    orders: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal of a program over [start, until) (epoch s), with the hash of what it said."""

    id: str
    start: float
    until: float
    basis: Basis


def due_of(
    session: Session,
    site: Site,
    contract: Contract,
    programs: Sequence[Program],
    signals: Sequence[Signalled],
    currency: str,
    priced: Priced = FLAT,
) -> list[Due]:
    """What each quarter of an hour of a session comes to in the currency of its tenant; the last one may be metered in part."""
    if len(session.readings) < 2:
        return []
    start, until = session.readings[0].at, session.readings[-1].at
    span = until - start
    buys, sells = (Series.constant(start, span, price) for price in (contract.import_price, contract.export_price))
    entries = entries_between(session.id, session.readings, buys, sells)
    whole = start // PERIOD * PERIOD, -(-until // PERIOD) * PERIOD  # a period has the price of its begin
    program = programs[0] if programs else None
    calls, baselines = _calls(session, program, signals) if program is not None else ([], {})
    terms = Terms(supply(site, priced.rates, *whole), flexibility=None if program is None else program.terms)
    named = {each.id: each for each in signals}
    found: list[Due] = []
    for each in settled(entries, terms, calls):
        rests = [
            _metered(session, each.start, each.end),
            *(named[id_].basis for id_ in each.calls),
            *(baselines[id_] for id_ in each.calls),
        ]
        if told := within(priced.rates, each.start, each.end):
            rests.append(basis(Evidence.PRICE, msgspec.json.encode(told), priced.tariff))
        at = Interval(session.tenant, f"{contract.id}/{session.asset}/{session.id}", each.start, each.end)
        found.append((at, amounts(each.flows, currency), tuple(rests)))
    return found


def _metered(session: Session, start: float, end: float) -> Basis:
    """What the readings from the last before an interval to the first after it rest on."""
    first = max((n for n, each in enumerate(session.readings) if each.at <= start), default=0)
    last = min((n for n, each in enumerate(session.readings) if each.at >= end), default=len(session.readings))
    told = [[each.at, each.imported, each.exported] for each in session.readings[first : last + 1]]
    return basis(Evidence.METER, msgspec.json.encode(told), session.id)


def _calls(session: Session, program: Program | None, signals: Sequence[Signalled]) -> tuple[list[Call], dict[str, Basis]]:
    """The calls that a session was part of, each with its baseline, and what those rest on."""
    assert program is not None
    calls, rests = [], {}
    for signal in signals:
        begin = signal.start + program.ramp
        if begin >= signal.until or not session.readings[0].at < signal.start < session.readings[-1].at:
            continue
        try:
            run = METHOD.run(_event(session, signal), ())
        except Unavailable:
            continue
        level = run.powers[0]
        ordered = [power for at, power in session.orders if signal.start <= at < signal.until]
        reduction = max(level - min(ordered, default=level), 0.0)
        if reduction <= 0:
            continue
        length = signal.until + program.terms.rebound_for - begin
        calls.append(Call(signal.id, begin, signal.until, reduction, Series.constant(begin, length, level)))
        rests[signal.id] = basis(Evidence.BASELINE, run.record(), f"{METHOD.name} v{METHOD.version}")
    return calls, rests


def _event(session: Session, signal: Signalled) -> Event:
    """The call in a day of minutes that ends with it: what lies before the day's begin is not looked at."""
    first = int(signal.start // MINUTE) * MINUTE
    midnight = first - DAY // 2
    place = (first - midnight) // MINUTE
    known = [_mean(session.readings, midnight + k * MINUTE, midnight + (k + 1) * MINUTE) for k in range(place)]
    powers = (*known, *[None] * (DAY // MINUTE - place))  # what comes later changes nothing
    day = Day(datetime.datetime.fromtimestamp(first, datetime.UTC).date(), powers, event=True)
    return Event(day, place, min(place + 1, DAY // MINUTE), battery=True)


def _mean(readings: Sequence[Reading], start: float, until: float) -> float | None:
    """The mean power (W) over a minute by the registers around it, None where it was not metered."""
    before = [each for each in readings if each.at <= start]
    after = [each for each in readings if each.at >= until]
    if not before or not after or after[0].at - before[-1].at > PERIOD:
        return None
    one, other = before[-1], after[0]
    return ((other.imported - other.exported) - (one.imported - one.exported)) / (other.at - one.at) * 3_600.0


async def run(store: Store, fleet: Fleet, tenant: str, until: float, name: str = RUN, *, again: bool = False) -> int:
    """Settle every session of a tenant up to `until` (epoch s), whole quarters of an hour; how many transactions were new.

    A session that goes on is settled from where it was settled to; one that has ended once more as a whole, and then no more, unless
    everything shall be settled `again`. Said twice it books nothing twice.
    """
    sessions, signals = await store.read(lambda connection: _known(connection, tenant, again))
    edge = until // PERIOD * PERIOD
    due: list[Due] = []
    marks: list[Row] = []
    for row, session in sessions:
        asset = fleet.assets.get(session.asset)
        if asset is None or asset.contract not in fleet.contracts:
            continue
        site = fleet.sites[asset.site]
        over = row["ended"] is not None and row["ended"] <= until
        whole = session.readings[-1].at if over else min(session.readings[-1].at, edge)
        since = 0.0 if over or again else row["settled"] or 0.0
        currency = fleet.tenants[tenant].currency
        priced = await _priced(store, fleet, site, session)
        made = due_of(session, site, fleet.contracts[asset.contract], fleet.programs_of(site), signals, currency, priced)
        due += [each for each in made if over or (each[0].end <= whole and each[0].start >= since)]
        settled_to = row["ended"] if over else whole // PERIOD * PERIOD
        marks.append(Row("sessions", {"tenant": tenant, "asset": session.asset, "id": session.id, "settled": settled_to}))
    posted = await store.settle(due, name) if due else []
    await store.keep(marks)
    return sum(each is not None for each in posted)


async def _priced(store: Store, fleet: Fleet, site: Site, session: Session) -> Priced:
    """What energy cost at a site while a session went on, as it was told then."""
    tariff = fleet.tariffs.get(site.id)
    if tariff is None:
        return FLAT
    span = session.readings[0].at - PERIOD, session.readings[-1].at + PERIOD
    return Priced(tariff.id, await store.read(lambda connection: rates.known(connection, tariff.tenant, tariff.id, *span)))


def _known(connection: Connection, tenant: str, again: bool) -> tuple[list[tuple[Mapping[str, Any], Session]], list[Signalled]]:
    left = SESSIONS.c.settled.is_(None) | SESSIONS.c.ended.is_(None) | (SESSIONS.c.settled < SESSIONS.c.ended)
    wanted = select(SESSIONS).where(SESSIONS.c.tenant == tenant, *([] if again else [left]))
    rows = [dict(row) for row in connection.execute(wanted).mappings()]
    found: list[tuple[Mapping[str, Any], Session]] = []
    for row in rows:
        mine = (REGISTERS.c.tenant == tenant, REGISTERS.c.asset == row["asset"], REGISTERS.c.session == row["id"])
        metered = connection.execute(select(REGISTERS).where(*mine).order_by(REGISTERS.c.at)).mappings()
        readings = tuple(Reading(each["at"], each["imported"], each["exported"]) for each in metered)
        if not readings:
            continue
        o = ORDERS.c
        span = (o.tenant == tenant, o.asset == row["asset"], o.sent >= readings[0].at - DAY, o.sent <= readings[-1].at)
        orders = tuple((each.sent, each.power) for each in connection.execute(select(o.sent, o.power).where(*span).order_by(o.sent)))
        found.append((row, Session(tenant, row["asset"], row["id"], readings, orders)))
    told = connection.execute(select(SIGNALS).where(SIGNALS.c.tenant == tenant).order_by(SIGNALS.c.version)).mappings()
    return found, _signals(dict(row) for row in told)


def _signals(rows: Iterable[Mapping[str, Any]]) -> list[Signalled]:
    newest: dict[str, Signalled] = {}
    for row in rows:
        if row["fate"] in OBEYED and row["until"] - row["start"] <= DAY:  # a limit that stands is no call
            rests = basis(Evidence.SIGNAL, f"{row['id']} {row['version']} {row['doc']}".encode(), row["id"])
            name = f"{row['id']}@{row['version']:g}"
            newest[name] = Signalled(name, max(row["start"], row["received"]), row["until"], rests)
    return list(newest.values())
