"""The contract of an arm: it carries an order to an asset, and returns when the asset has taken it; some say how the asset is as well."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from v2gkit.fleet.decision import Car
from v2gkit.fleet.declared import Asset

FULL: Final = 50.0  # Wh that nobody misses


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


@dataclass(frozen=True, slots=True)
class Seen:
    """How an asset is, as far as it says: W signed, Wh, epoch s. None: it does not say."""

    power: float | None
    here: bool = True  # whether anybody is there
    most: float | None = None  # W that it can take
    give: float = 0.0  # W that it can give
    missing: float = 0.0  # Wh until its driver's goal; where `goal` is false it may want all
    departure: float | None = None
    goal: bool = False  # whether it says what its driver wants
    back: bool = False  # it was not reached for a while, and may have forgotten its order
    imported: float | None = None  # Wh into it, by a register that only grows; without one nothing is billed
    exported: float = 0.0  # Wh out of it, likewise


See = Callable[[Seen], None]


class Watched(Arm, Protocol):
    """An arm that sees its assets by itself."""

    async def follow(self, asset: Asset, see: See) -> None:
        """Tell how an asset is, again and again, until cancelled."""

    def forget(self, asset: str) -> None:
        """Drop whatever is known of an asset."""

    def close(self) -> None:
        """Hang up to all assets, without a word."""


def car_of(asset: Asset, seen: Seen, tick: float) -> Car:
    """An asset as the conductor takes it; one that says nothing of its driver's goal may want all. `tick` in s, as readings age by it."""
    most = asset.power if seen.most is None else seen.most
    wanted = 0.0 if seen.goal and seen.missing <= FULL else most
    known = {"drawn": seen.power, "drawn_at": tick, "missing": seen.missing, "departure": seen.departure}
    return Car(asset.id, asset.feeder, min(wanted, asset.power), most, seen.give, asset.least, asset.phases, **known)  # type: ignore[arg-type]
