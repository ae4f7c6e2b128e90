"""What a tenant has of a connection whatever the others want, and how a contract ranks.

A share is lent while its tenant does not want it. In a plan it counts as energy: a tenant's cars miss no more than they would in order of
departure within the share alone. Between plans it counts in watts: what the tenant's cars want of it is theirs within one look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who has a part of a connection: a `share` of what loads leave of it, or a `power` in W. ValueError for both, and for neither."""

    name: str = ""
    share: float | None = None
    power: float | None = None  # W

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a tenant has no name; give each one, which outlets and contracts say")
        if (self.share is None) == (self.power is None):
            raise ValueError(f"the tenant {self.name} has share and power, or neither; give one of them")
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"the share of the tenant {self.name} is {self.share}; give a part above 0, at most 1")
        if self.power is not None and not (self.power > 0 and isfinite(self.power)):
            raise ValueError(f"the power of the tenant {self.name} is {self.power} W; give W above 0")


@dataclass(frozen=True, slots=True)
class Contract:
    """How cars of a contract are served: those whose eMAID or token begins with `group`. ValueError for an empty one."""

    group: str = ""
    rank: int | None = None  # None: that of the outlet
    tenant: str | None = None  # None: that of the outlet

    def __post_init__(self) -> None:
        if not _plain(self.group):
            raise ValueError(f"the group of a contract is {self.group!r}; give the beginning of eMAIDs or tokens, such as DE-ABC")


def demand_tenants(tenants: Sequence[Tenant], named: Sequence[str]) -> None:
    """Raise ValueError unless each tenant has a name of its own, shares come to 1 at most, and all that are `named` are there."""
    names = [tenant.name for tenant in tenants]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{names.count(twice)} tenants are named {twice!r}; give each its own name")
    if (total := sum(tenant.share or 0.0 for tenant in tenants)) > 1 + 1e-9:
        raise ValueError(f"the shares of tenants come to {total:g}; give 1 or less in all")
    if lost := next((name for name in named if name and name not in names), None):
        raise ValueError(f"the tenant {lost!r} is not there; there are {', '.join(names) or 'none'}")


def rooms(tenants: Sequence[Tenant], left: float) -> dict[str, float]:
    """W that each tenant has of the `left` W: less for all alike where that is not enough for what was promised to them."""
    promised = {each.name: (each.share or 0.0) * max(left, 0.0) if each.power is None else each.power for each in tenants}
    total = sum(promised.values())
    part = min(1.0, max(left, 0.0) / total) if total > 0 else 1.0
    return {name: part * power for name, power in promised.items()}


def contract_of(contracts: Sequence[Contract], *identities: str) -> Contract | None:
    """The contract of a car by its eMAID, its token or its group; of several that fit the longest. None where none fits."""
    fits = [one for one in contracts for who in identities if _plain(who).startswith(_plain(one.group))]
    return max(fits, key=lambda one: len(_plain(one.group)), default=None)


def place_of(contract: Contract | None, rank: int, tenant: str) -> tuple[int, str]:
    """Rank and tenant of a car at an outlet that has these."""
    if contract is None:
        return rank, tenant
    return rank if contract.rank is None else contract.rank, tenant if contract.tenant is None else contract.tenant


def deprived(missed: Mapping[str, float], assured: Mapping[str, float]) -> float:
    """Wh that tenants miss beyond what they would by their shares alone, both by tenant."""
    return sum(max(missed.get(name, 0.0) - most, 0.0) for name, most in assured.items())


def _plain(text: str) -> str:
    return "".join(letter for letter in text.upper() if letter.isalnum())
