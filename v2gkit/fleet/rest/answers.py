"""What the REST answers to somebody with a key: everything is asked of the store for that key's tenant, in one place."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, desc, literal, select, tuple_

from v2g.energy.ledger.books import balances, earnings
from v2g.energy.ledger.chart import ENERGY
from v2gkit.fleet.conductor import Conductor
from v2gkit.fleet.decision import read
from v2gkit.fleet.forecast import bids
from v2gkit.fleet.rest import keys
from v2gkit.fleet.rest.asked import Asked, Refused, body_of
from v2gkit.fleet.rest.assets import Assets
from v2gkit.fleet.rest.declared import LONGEST_PAGE, PAGE, PAYLOADS, Limit, Listing, NewKey
from v2gkit.fleet.rest.keys import Bearer
from v2gkit.fleet.shed import replayed
from v2gkit.fleet.store import books
from v2gkit.fleet.store.tables import DECISIONS, METADATA
from v2gkit.fleet.store.verbs import Store
from v2gkit.sql.words import Row

TIERS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = {  # accounts of the books, and the sign with which they count
    "smart charging": (("operator:charging", 1), ("operator:fees", 1), ("site:supply", 1)),
    "demand response": (
        ("aggregator:utilisation", 1),
        ("aggregator:availability", 1),
        ("aggregator:penalty", 1),
        ("aggregator:rebound", 1),
    ),
    "V2G": (("site:surplus", 1), ("operator:feed-in", 1)),
}


class Answers:
    """Answers for one fleet. `wall` gives epoch s."""

    def __init__(self, conductor: Conductor, store: Store, wall: Callable[[], float]) -> None:
        self.conductor, self.store, self._wall = conductor, store, wall
        self.assets = Assets(conductor, store, wall)

    async def listed(self, listing: Listing, asked: Asked, who: Bearer) -> dict[str, Any]:
        """One page of a listing, of the bearer's tenant. Raises Refused, StoreFault."""
        known = {*listing.filters, "limit", "after", "newest"} | ({"since", "until"} if listing.times else set())
        if strange := sorted(asked.query.keys() - known):
            raise Refused(400, f"{strange[0]} is no parameter of {listing.path}; there are {', '.join(sorted(known))}")
        rows, limit = await self._page(listing, asked.query, who.tenant)
        shown = [{name: _shown(name, value) for name, value in row.items() if name != "tenant"} for row in rows]
        return {"rows": shown, "next": _cursor([rows[-1][name] for name in listing.order]) if len(rows) == limit else None}

    async def _page(self, listing: Listing, query: Mapping[str, str], tenant: str) -> tuple[list[dict[str, Any]], int]:
        table = METADATA.tables[listing.table]
        order = [table.c[name] for name in listing.order]
        try:
            limit = int(query.get("limit", PAGE))
            newest = {"true": True, "false": False}[query.get("newest", "false")]
            equal = [table.c[name] == table.c[name].type.python_type(query[name]) for name in listing.filters if name in query]
            if listing.times is not None:
                equal += [table.c[listing.times] >= float(query["since"])] if "since" in query else []
                equal += [table.c[listing.times] < float(query["until"])] if "until" in query else []
            after = _place(query["after"], len(order)) if "after" in query else None
        except (ValueError, KeyError) as error:
            raise Refused(400, f"a parameter cannot be read: {error}") from None
        if not 1 <= limit <= LONGEST_PAGE:
            raise Refused(400, f"limit is {limit}; give 1 to {LONGEST_PAGE}")
        columns = [table.c[name] for name in listing.columns or table.c.keys()] + [each for each in order if listing.columns]
        wanted = select(*dict.fromkeys(columns)).where(table.c.tenant == tenant, *equal)
        if after is not None:
            here, there = tuple_(*order), tuple_(*(literal(value) for value in after))
            wanted = wanted.where(here < there if newest else here > there)
        wanted = wanted.order_by(*(desc(each) if newest else each for each in order)).limit(limit)
        return await self.store.read(lambda connection: [dict(row) for row in connection.execute(wanted).mappings()]), limit

    async def now(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """Sites and assets of a tenant as they are."""
        conductor, found = self.conductor, []
        for place in conductor.places.values():
            if place.site.tenant != who.tenant:
                continue
            assets = []
            for asset in place.assets:
                car, order = conductor.cars.get(asset.id), conductor.orders.get(asset.id)
                told = None if order is None else {"power": order[0].power, "state": order[1]}
                assets.append({"id": asset.id, "kind": asset.kind, "contract": asset.contract, "car": car, "order": told})
            held = msgspec.to_builtins(place.held)
            found.append({"id": place.site.id, "name": place.site.name, "limit": place.site.import_limit, "held": held, "assets": assets})
        return {"at": self._wall(), "tenant": who.tenant, "sites": found}

    async def decision(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """A decision with all that it rests on."""
        mine = select(DECISIONS.c.doc).where(DECISIONS.c.tenant == who.tenant, DECISIONS.c.id == asked.path["id"])
        doc = await self.store.read(lambda connection: connection.execute(mine).scalar_one_or_none())
        if doc is None:
            raise Refused(404, f"there is no decision {asked.path['id'][:80]!r}")
        return {"decision": msgspec.Raw(doc.encode()), "replayed": replayed(read(doc))}

    async def bills(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """What each party earned, in the currency, and revenue by tier."""

        def work(connection: Connection) -> dict[str, Any]:
            made = list(books.transactions(connection, who.tenant))
            sums = balances(made)
            money = {unit for _, unit in sums if unit != ENERGY}
            tiers = {
                tier: sum(sign * sums.get((account, unit), 0) for account, sign in accounts for unit in money) / 1e6
                for tier, accounts in TIERS.items()
            }
            parties = {party: amount / 1e6 for (party, unit), amount in sorted(earnings(made).items()) if unit != ENERGY}
            energy = {account: amount / 1e6 for (account, unit), amount in sums.items() if unit == ENERGY}
            return {"transactions": len(made), "parties": parties, "tiers": tiers, "energy_kwh": energy}

        return await self.store.read(work)

    async def forecast(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """What sites of a tenant could draw less, or give, as bids."""
        at = self._wall()
        found = []
        for place in self.conductor.places.values():
            if place.site.tenant == who.tenant:
                cars = [self.conductor.cars[asset.id] for asset in place.assets if asset.id in self.conductor.cars]
                found.append({"site": place.site.id, "bids": bids(cars, at)})
        return {"at": at, "sites": found}

    async def limit(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """Bound what a site draws."""
        site = self.conductor.places.get(asked.path["id"])
        if site is None or site.site.tenant != who.tenant:  # who asks for another tenant's is not told that it exists
            raise Refused(404, f"there is no site {asked.path['id'][:80]!r}")
        limit = body_of(asked.body, Limit)
        self.conductor.bound(site.site.id, limit.power)
        return {"site": site.site.id, "power": limit.power}

    async def new_key(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """Make a key of the same tenant."""
        wanted = body_of(asked.body, NewKey)
        return {"name": wanted.name, "key": await keys.made(self.store, who.tenant, wanted.name, wanted.role, self._wall())}

    async def revoke(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """Let keys of a name open nothing any more."""
        name, at = asked.path["id"], self._wall()
        count = await self.store.work(lambda connection: keys.revoked(connection, who.tenant, name, at))
        if not count:
            raise Refused(404, f"there is no key {name[:80]!r}")
        return {"name": name, "revoked": count}

    async def audited(self, who: Bearer, method: str, path: str, outcome: str) -> None:
        """Keep who did what. Raises StoreFault; what changes something is not done then."""
        known = {"tenant": who.tenant, "at": self._wall(), "who": who.name, "role": who.role}
        await self.store.keep([Row("audit", known | {"method": method, "path": path[:300], "outcome": outcome[:300]})])


def _shown(name: str, value: Any) -> Any:
    return msgspec.Raw(value.encode()) if name in PAYLOADS and value else value


def _cursor(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def _place(cursor: str, length: int) -> list[Any]:
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=list[str | int | float])
    except (binascii.Error, msgspec.MsgspecError, UnicodeError) as error:
        raise ValueError(f"after is no `next` of a page: {error}") from None
    if len(place) != length:
        raise ValueError("after is the `next` of another listing")
    return place
