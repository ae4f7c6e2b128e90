"""A station's outlets under a CSMS: the bridge as their backend."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from energy.site import Site
from lab.private import password
from lab.staples import kept_by_csms
from lab.wall import wall_of
from ocpp_bridge.bridge import Bridge
from ocpp_bridge.charge_point import ChargePoint, Endpoint
from ocpp_bridge.charger import Charger, Evse
from secc.config import Config, OutletConfig, limits_of
from secc.station import Backend
from v2g.session.clock import Clock
from v2g.settings import ConfigError
from v2g.tasks import Fallen, Tasks

LAST_WORDS = 3.0  # s for what is still to be said when the station shuts down


@contextlib.asynccontextmanager
async def connected(
    config: Config, outlets: Sequence[OutletConfig], site: Site, clock: Clock, store: Any, fell: Callable[[Fallen], None] | None = None
) -> AsyncIterator[list[Backend]]:
    """One backend per outlet, all of one charge point, which is named like the first outlet and connects for as long as it is needed."""
    evses = {
        number: Evse(number, each.offer.services if each.offer else config.offer.services, limits_of(each), each.evse_id)
        for number, each in enumerate(outlets, 1)
    }
    roots = tuple(root.public_bytes(Encoding.DER) for root in store.anchors.mo) if store is not None else ()
    owner = {"idToken": "OWNER", "type": "Local"} if config.eim.rule == "accept" else None  # asked of the CSMS for a car without contract
    try:
        secret = password(None, Path(config.ocpp_password_file) if config.ocpp_password_file else None, "V2G_OCPP_PASSWORD")
        endpoint = Endpoint(str(config.ocpp), outlets[0].evse_id, secret)
    except ValueError as error:
        raise ConfigError(f"ocpp: {error}") from None
    charger = Charger(clock, secrets.token_bytes, evses, site=site, roots=roots, owner=owner)
    if clock.scale != 1:
        charger.variables["ClockCtrlr.TimeSource"] = "RealTimeClock"  # where time runs faster, an answer's way of 10 ms is a minute
    charge_point = ChargePoint(endpoint, Bridge(charger), say=fell)
    async with Tasks("v2g.ocpp", fell) as tasks:
        tasks.keep("charge point", charge_point.run)
        if store is not None and config.responder is None:
            tasks.keep(
                "OCSP responses of the CSMS", partial(kept_by_csms, store, charge_point.bridge, charge_point.wake, wall=wall_of(clock))
            )
        try:
            yield [charge_point.outlet(number) for number in evses]
        finally:
            await said(charge_point)


async def said(charge_point: ChargePoint) -> None:
    """Let the CSMS hear how the last session ended, if it listens."""
    outbox = charge_point.bridge.charger.outbox
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS):
            while charge_point.link is not None and (outbox.under_way or outbox.waiting):  # noqa: ASYNC110 - the bridge has no such event
                await asyncio.sleep(0.05)
    if charge_point.link is not None:
        await charge_point.link.close(1000, "the station shuts down")
