"""The contract of an arm: it carries an order to an asset, and returns when the asset has taken it."""

from dataclasses import dataclass
from typing import Protocol

from v2gkit.fleet.declared import Asset


class ArmFault(Exception):
    """An asset did not take its order; the text says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an asset is told: W now, signed, and the most that it may draw by itself (W) once nobody has spoken for `lasts` s."""

    id: str
    power: float
    safe: float
    lasts: float


class Arm(Protocol):
    """Carries orders to assets of its kinds."""

    async def carry(self, asset: Asset, order: Order) -> None:
        """Have the asset take an order. Raises ArmFault where it did not."""
