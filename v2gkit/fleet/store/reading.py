"""What can be asked of a fleet's store beside the pages of its REST."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from v2gkit.fleet.rows import ADDED
from v2gkit.fleet.store.tables import DECLARED, ORDERS, PLANS, REGISTERS, SESSIONS


def newest_orders(connection: Connection, since: float, keepers: Sequence[str] = ()) -> list[tuple[str, str, float, str, float]]:
    """The orders that were told since then (epoch s), the oldest first: tenant, asset, W, state, W that is safe.

    Of `keepers`, assets that keep to an order for ever, also older ones: from the last that was taken.
    """
    o, before = ORDERS.c, ORDERS.alias()
    wanted = o.sent >= since
    if keepers:
        same = and_(before.c.tenant == o.tenant, before.c.asset == o.asset, before.c.state == "done")
        taken = select(func.max(before.c.sent)).where(same).scalar_subquery()
        wanted = or_(wanted, and_(o.asset.in_(keepers), o.sent >= func.coalesce(taken, 0.0)))
    asked = select(o.tenant, o.asset, o.power, o.state, o.safe).where(wanted).order_by(o.sent, o.id)
    return [(row[0], row[1], row[2], row[3], row[4]) for row in connection.execute(asked)]


def added_rows(connection: Connection) -> list[dict[str, Any]]:
    """The rows of assets that were added by the REST and are there still."""
    wanted = select(DECLARED).where(DECLARED.c.kind == ADDED, DECLARED.c.gone == 0).order_by(DECLARED.c.tenant, DECLARED.c.id)
    return [dict(row) for row in connection.execute(wanted).mappings()]


def open_sessions(connection: Connection) -> list[dict[str, Any]]:
    """Sessions that have not ended, with the last of their registers: asset, id, began, at, imported, exported."""
    s, r, later = SESSIONS.c, REGISTERS.c, REGISTERS.alias()
    same = and_(later.c.tenant == r.tenant, later.c.asset == r.asset, later.c.session == r.session)
    last = select(func.max(later.c.at)).where(same).scalar_subquery()
    mine = and_(r.tenant == s.tenant, r.asset == s.asset, r.session == s.id)
    wanted = select(s.asset, s.id, s.began, r.at, r.imported, r.exported).join(REGISTERS, mine).where(s.ended.is_(None), r.at == last)
    return [dict(row) for row in connection.execute(wanted.order_by(s.began)).mappings()]


def newest_plans(connection: Connection) -> list[dict[str, Any]]:
    """The newest plan of each site."""
    return [dict(row) for row in connection.execute(select(PLANS)).mappings()]
