"""The shell of a device behind its maker's REST API: asks again and again, and tells it the limit that it has to keep."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from v2g.settings.strict import text_of
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.shell.http import asked, tls_client
from v2gkit.grid.vendor.declared import Vendor
from v2gkit.grid.vendor.pace import Ask, Pace
from v2gkit.grid.vendor.reading import Reading, demand_answer, limit_request, reading_of, status_request

SECRET: Final = 4_096  # octets of the file with the secret
Hear = Callable[[Reading], None]
Complain = Callable[[GridFault], None]


class Behind:
    """One device. `hear` is told each reading; what it raises is a fault of the device as well."""

    def __init__(self, vendor: Vendor, wall: Callable[[], float], hear: Hear, complain: Complain) -> None:
        self._vendor, self._wall, self._hear, self._complain = vendor, wall, hear, complain
        self._pace = Pace(vendor, wall())
        self._woken = asyncio.Event()
        self._asking: list[tuple[float | None, asyncio.Future[None]]] = []  # who waits for a limit (units) to be taken

    def heed(self, cap: float) -> None:
        """Let the device keep to its share of this (W, of the site; inf: nothing limits) from now on."""
        if self._vendor.limit is not None:
            self._pace.want(self._vendor.limit, cap, self._wall())
            self._woken.set()

    async def obeyed(self, cap: float) -> None:
        """Tell the device its share of this (W) once, though it may have it already; back when it has taken it. Raises GridFault."""
        limit = self._vendor.limit
        assert limit is not None
        asking = limit.units(cap), asyncio.get_running_loop().create_future()
        self._asking.append(asking)
        self.heed(cap)
        self._pace.disobeyed(self._wall())
        try:
            await asking[1]
        finally:
            self._asking.remove(asking)

    async def run(self) -> None:
        """Speak with the device until cancelled. OSError, ConfigError for secret or roots."""
        file = self._vendor.secret_file
        secret = (await asyncio.to_thread(text_of, Path(file), SECRET)).strip() if file is not None else ""
        tls = await asyncio.to_thread(tls_client, self._vendor.roots)
        while True:
            self._woken.clear()
            coming = self._pace.next(self._wall())
            wait = coming.at - self._wall()
            if wait <= 0:
                await self._asked(coming.what, secret, tls)
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _asked(self, what: Ask, secret: str, tls: ssl.SSLContext) -> None:
        vendor, told = self._vendor, self._pace.wanted
        after: float | None = None
        try:
            if what == "limit":
                assert vendor.limit is not None
                request = limit_request(vendor, vendor.limit, told, secret)
            else:
                request = status_request(vendor, secret)
            self._pace.asked(self._wall())
            response = await asked(request, tls, vendor.timeout)
            after = response.retry_after
            if what == "limit":
                assert vendor.limit is not None
                demand_answer(vendor, response, vendor.limit.accepts, "a limit")
                self._answered(told, None)
            else:
                self._read(reading_of(vendor, response))
        except GridFault as fault:
            named = GridFault(fault.trouble, _named(vendor.name, fault))
            self._complain(named)
            if what == "limit":
                self._answered(told, named)
            self._pace.failed(what, self._wall(), after)
        else:
            self._pace.well(what, told, self._wall())

    def _answered(self, told: float | None, fault: GridFault | None) -> None:
        """Tell who waits whether the device took a limit (units). Who asked for more than it took later is not answered by it."""
        for units, asking in self._asking:
            if asking.done() or units != told:
                continue
            if fault is None:
                asking.set_result(None)
            else:
                asking.set_exception(fault)

    def _read(self, reading: Reading) -> None:
        self._hear(reading)
        kept = reading.values.get("limit")
        wanted = self._pace.wanted
        if kept is not None and wanted is not None and kept > wanted + 1e-9:
            self._pace.disobeyed(self._wall())
            self._complain(GridFault(Trouble.DENIED, f"{self._vendor.name} keeps to {kept:g}, and was told {wanted:g}; it is told again"))


def _named(name: str, fault: GridFault) -> str:
    return str(fault) if str(fault).startswith(name) else f"{name}: {fault}"
