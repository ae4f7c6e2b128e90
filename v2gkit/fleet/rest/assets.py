"""Assets that tenants add and take away: in the store before they count, within what their site bears."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import func, select

from v2gkit.fleet import settlement
from v2gkit.fleet.arms.verbs import ArmFault
from v2gkit.fleet.conductor import Conductor
from v2gkit.fleet.declared import Asset
from v2gkit.fleet.rest.asked import Asked, Refused, body_of
from v2gkit.fleet.rest.declared import NewAsset, Removal
from v2gkit.fleet.rest.keys import Bearer
from v2gkit.fleet.rows import ADDED, added_row
from v2gkit.fleet.store.tables import DECLARED
from v2gkit.fleet.store.verbs import Store

MOST: Final = 2_000  # that a tenant may add: the file's own are a thousand


class Assets:
    """What the REST does with assets. One change is made at a time."""

    def __init__(self, conductor: Conductor, store: Store, wall: Callable[[], float]) -> None:
        self._conductor, self._store, self._wall = conductor, store, wall
        self._turn = asyncio.Lock()

    async def add(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """Add an asset of OCPP to a site of the tenant. Raises Refused, StoreFault."""
        wanted = body_of(asked.body, NewAsset)
        fleet = self._conductor.fleet
        for kind, name, known in (("site", wanted.site, fleet.sites), ("contract", wanted.contract, fleet.contracts)):
            if name not in known or known[name].tenant != who.tenant:  # who asks for another tenant's is not told that it exists
                raise Refused(404, f"there is no {kind} {name!r}")
        async with self._turn:
            if await self._count(who.tenant) >= MOST:
                raise Refused(409, f"{MOST} assets were added already; remove some")
            try:
                asset = Asset(kind="ocpp", **msgspec.structs.asdict(wanted))
                replace(self._conductor.fleet, asset=(*self._conductor.fleet.asset, asset))
            except ValueError as error:
                raise Refused(400, str(error)) from None
            await self._store.keep([added_row(asset, who.tenant, self._wall())])
            self._conductor.join(asset)
        return {"id": asset.id, "site": asset.site, "station": asset.station}

    async def remove(self, asked: Asked, who: Bearer) -> dict[str, Any]:
        """Have an asset draw nothing, settle its sessions, and take it away. Raises Refused, StoreFault."""
        wanted, id_ = body_of(asked.body, Removal), asked.path["id"]
        async with self._turn:
            fleet = self._conductor.fleet
            asset = fleet.assets.get(id_)
            if asset is None or fleet.tenant_of(asset) != who.tenant:
                raise Refused(404, f"there is no asset {id_[:80]!r}")
            if id_ not in await self._added(who.tenant):
                raise Refused(409, f"the asset {id_!r} is declared in the fleet's file; take it away there")
            if id_ in self._conductor.cars and not wanted.anyway:
                raise Refused(409, f"somebody is at {id_!r}; wait until the session is over, or say anyway")
            await settlement.run(self._store, fleet, who.tenant, self._wall())
            try:
                await self._conductor.leave(asset, wanted.anyway)
            except ArmFault as fault:
                raise Refused(409, f"{id_!r} has not taken that it may draw nothing: {fault}; say anyway if it is gone") from None
            await self._store.keep([added_row(asset, who.tenant, self._wall(), gone=True)])
        return {"id": id_, "removed": True}

    async def _added(self, tenant: str) -> frozenset[str]:
        mine = select(DECLARED.c.id).where(DECLARED.c.tenant == tenant, DECLARED.c.kind == ADDED, DECLARED.c.gone == 0)
        return await self._store.read(lambda connection: frozenset(connection.execute(mine).scalars()))

    async def _count(self, tenant: str) -> int:
        mine = select(func.count()).where(DECLARED.c.tenant == tenant, DECLARED.c.kind == ADDED, DECLARED.c.gone == 0)
        return await self._store.read(lambda connection: int(connection.execute(mine).scalar_one()))
