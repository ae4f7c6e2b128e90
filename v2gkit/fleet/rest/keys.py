"""Keys of tenants: 256 bits of chance each, of which the store has the digest; and how often one may ask."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, cast

from sqlalchemy import Connection, select, update

from v2gkit.fleet.declared import Fleet
from v2gkit.fleet.rest.declared import ROLES, Role
from v2gkit.fleet.store.tables import KEYS
from v2gkit.fleet.store.verbs import Store
from v2gkit.sql.words import Row

RATE: Final = 20.0  # requests a second of one key: a page asks for six things at once, every second
BURST: Final = 100.0
KEPT: Final = 4_096  # buckets: one more, and the oldest begins anew


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who came with a key: of which tenant, as what."""

    tenant: str
    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether what wants this role is allowed."""
        return ROLES.index(self.role) >= ROLES.index(role)


async def bearer(store: Store, key: str) -> Bearer | None:
    """Whose key this is; None: nobody's, or one that was revoked. Raises StoreFault."""
    mine = select(KEYS).where(KEYS.c.digest == digest(key), KEYS.c.revoked.is_(None))
    row = await store.read(lambda connection: connection.execute(mine).mappings().one_or_none())
    return None if row is None else Bearer(row["tenant"], row["name"], cast(Role, row["role"]))


async def made(store: Store, tenant: str, name: str, role: Role, at: float) -> str:
    """A new key of a tenant, whose text is nowhere else."""
    text = secrets.token_urlsafe(32)
    await store.keep([Row("keys", {"digest": digest(text), "tenant": tenant, "name": name, "role": role, "made": at})])
    return text


async def first(store: Store, fleet: Fleet, at: float) -> dict[str, dict[str, str]]:
    """Keys for tenants that have none: by tenant and role."""
    known = await store.read(lambda connection: set(connection.execute(select(KEYS.c.tenant).distinct()).scalars()))
    return {tenant: {role: await made(store, tenant, role, role, at) for role in ROLES} for tenant in fleet.tenants if tenant not in known}


def revoked(connection: Connection, tenant: str, name: str, at: float) -> int:
    """Revoke all keys of that name of a tenant; how many they were."""
    mine = (KEYS.c.tenant == tenant, KEYS.c.name == name, KEYS.c.revoked.is_(None))
    found: Any = connection.execute(update(KEYS).where(*mine).values(revoked=at))
    return int(found.rowcount)


def digest(key: str) -> str:
    """SHA-256 of a key, in hex: it has 256 bits of chance, so it needs neither salt nor slowness."""
    return sha256(key.encode(errors="replace")).hexdigest()


class Buckets:
    """How often each may ask: `RATE` a second in the long run, `BURST` at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str) -> float:
        """Take one; the seconds until the next where there is none, 0 where there was."""
        now = self._clock()
        left, at = self._left.pop(who, (BURST, now))
        left = min(left + (now - at) * RATE, BURST)
        while len(self._left) >= KEPT:
            del self._left[next(iter(self._left))]
        self._left[who] = (left - 1.0 if left >= 1.0 else left), now
        return 0.0 if left >= 1.0 else (1.0 - left) / RATE
