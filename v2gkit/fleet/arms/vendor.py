"""Orders and readings through a maker's REST API, as `[[vendor]]` of a grid file declares it, within the rate that the API allows."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from v2g.legible import legible, logger
from v2gkit.fleet.arms.verbs import ArmFault, Order, See, Seen
from v2gkit.fleet.declared import Asset
from v2gkit.grid import declared as grid_declared
from v2gkit.grid.faults import GridFault
from v2gkit.grid.files import beside
from v2gkit.grid.shell.vendor import Behind
from v2gkit.grid.vendor.declared import Vendor
from v2gkit.grid.vendor.reading import Reading

PATIENCE: Final = 15.0  # s beyond the device's own `timeout` for it to take a limit: the rate of its API may make it wait
FREE: Final = "idle"  # the state of `words` in which nobody is there; "complete" may be what the maker calls a car that we let wait
AGAIN: Final = 60.0  # s after which a fault that goes on is told again
LOG = logger("v2g.fleet")


class VendorArm:
    """Carries orders to devices behind their makers' APIs. `folder` is where the files of assets are."""

    def __init__(self, folder: Path, wall: Callable[[], float]) -> None:
        self._folder, self._wall = folder, wall
        self._behind: dict[str, Behind] = {}
        self._vendors: dict[str, Vendor] = {}

    def know(self, asset: Asset, tenant: str) -> None:
        """Read the file of an asset. Raises ConfigError, ValueError, OSError."""
        file = self._folder / asset.api
        grid = grid_declared.read(file)
        if grid.tenant != tenant:
            raise ValueError(f"{file} is of the tenant {grid.tenant!r}, and the asset {asset.id!r} of {tenant!r}")
        (vendor,) = grid.vendor if len(grid.vendor) == 1 else (None,)
        if vendor is None or vendor.role != "charger" or vendor.limit is None or vendor.limit.share != 1:
            raise ValueError(f"{file}: give one [[vendor]] of the role charger, with [vendor.limit] of the share 1, for {asset.id!r}")
        self._vendors[asset.id] = beside(vendor, file.parent)

    def forget(self, asset: str) -> None:
        """Drop what is known of an asset."""
        self._behind.pop(asset, None)
        self._vendors.pop(asset, None)

    def close(self) -> None:
        """Nothing stays open between two requests."""

    async def carry(self, asset: Asset, order: Order) -> None:
        """Have the device take a limit. Raises ArmFault where it does not, or not in time."""
        behind = self._behind.get(asset.id)
        if behind is None:
            raise ArmFault(f"{asset.id}: its API is not spoken to yet")
        try:
            async with asyncio.timeout(self._vendors[asset.id].timeout + PATIENCE):
                await behind.obeyed(max(order.power, 0.0))
        except TimeoutError:
            raise ArmFault(f"{asset.id}: the API took no limit in {self._vendors[asset.id].timeout + PATIENCE:g} s") from None
        except GridFault as fault:
            raise ArmFault(str(fault)) from None

    async def follow(self, asset: Asset, see: See) -> None:
        """Speak with the device, and tell what it reads, until cancelled."""
        told: dict[str, float] = {}

        def complain(fault: GridFault) -> None:
            now = time.monotonic()
            if now - told.get(fault.trouble.value, -AGAIN) >= AGAIN:
                told[fault.trouble.value] = now
                LOG.warning("%s: %s", asset.id, legible(str(fault)))

        def hear(reading: Reading) -> None:
            drawn, given = reading.values.get("energy"), reading.values.get("exported", 0.0)
            see(Seen(reading.values["power"], here=reading.state != FREE, imported=drawn, exported=given))

        self._behind[asset.id] = behind = Behind(self._vendors[asset.id], self._wall, hear, complain)
        try:
            await behind.run()
        finally:
            if self._behind.get(asset.id) is behind:
                del self._behind[asset.id]
