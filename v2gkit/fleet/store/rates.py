"""Rates in the store: what energy cost is remembered, for books that are settled later and for a process that begins later."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from v2gkit.fleet.rates import Rate, read
from v2gkit.fleet.store.tables import PRICES


def keep(connection: Connection, tenant: str, tariff: str, rates: Sequence[Rate]) -> None:
    """Let these be the rates of a tariff over their time."""
    mine = (PRICES.c.tenant == tenant, PRICES.c.tariff == tariff)
    connection.execute(delete(PRICES).where(*mine, PRICES.c.start >= rates[0][0], PRICES.c.start < rates[-1][1]))
    names = ("start", "until", "import_price", "export_price")
    connection.execute(insert(PRICES), [{"tenant": tenant, "tariff": tariff} | dict(zip(names, each, strict=True)) for each in rates])


def known(connection: Connection, tenant: str, tariff: str, since: float, until: float) -> tuple[Rate, ...]:
    """The rates of a tariff that touch [since, until) (epoch s)."""
    p = PRICES.c
    wanted = select(p.start, p.until, p.import_price, p.export_price).where(p.tenant == tenant, p.tariff == tariff)
    rows = connection.execute(wanted.where(p.until > since, p.start < until).order_by(p.start))
    return read((row[0], row[1], row[2], row[3]) for row in rows)
