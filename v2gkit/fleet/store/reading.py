"""What can be asked of a fleet's store beside the pages of its REST."""

from sqlalchemy import Connection, select

from v2gkit.fleet.store.tables import ORDERS


def newest_orders(connection: Connection, since: float) -> list[tuple[str, str, float, str, float]]:
    """The orders that were told since then (epoch s), the oldest first: tenant, asset, W, state, W that is safe."""
    o = ORDERS.c
    wanted = select(o.tenant, o.asset, o.power, o.state, o.safe).where(o.sent >= since).order_by(o.sent, o.id)
    return [(row[0], row[1], row[2], row[3], row[4]) for row in connection.execute(wanted)]
