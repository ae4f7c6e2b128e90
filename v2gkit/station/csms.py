"""Connects the outlets of a station with a CSMS, by the OCPP bridge."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.cabinet import FileCabinet
from ocpp_bridge.charge_point import ChargePoint, Endpoint
from ocpp_bridge.charger import Charger, Evse
from secc.config import Config, OutletConfig, limits_of
from secc.station import Backend
from v2g.energy.site import Site
from v2g.session.clock import Clock
from v2g.settings.strict import ConfigError
from v2g.tasks import Account, Fallen, Tasks
from v2gkit.private import password
from v2gkit.station.staples import kept_by_csms
from v2gkit.wall import wall_of

Frames = Callable[[Mapping[int, str]], Callable[[str, str], None]]
"""Makes a hearer of OCPP frames ("in" or "out", text) from the EVSE ids by number. What it raises is logged, and costs nobody anything."""
STORE = "ocpp.sqlite"  # in the station's state folder: what its CSMS has not heard yet, transactions, profiles
PASSWORDS = "ocpp-password.json"  # in the station's state folder: what a CSMS has set
LAST_WORDS = 3.0  # s for what is still to be said when the station shuts down


@contextlib.asynccontextmanager
async def csms_backends(
    config: Config,
    outlets: Sequence[OutletConfig],
    site: Site,
    clock: Clock,
    store: Any,
    fell: Callable[[Fallen], None] | None = None,
    accounts: list[Account] | None = None,
    frames: Frames | None = None,
) -> AsyncIterator[list[Backend]]:
    """Within the block: a backend for each outlet, all of one charge point, whose station id is the id of the first outlet.

    `accounts` gets those of its background tasks; `frames` makes the hearer of what station and CSMS say.
    """
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
    charger = Charger(clock, secrets.token_bytes, evses, site=site, roots=roots, owner=owner, fallback=config.ocpp_fallback)
    folders = (Path(each) if each else None for each in (config.pki, config.state))
    charger.safe.cabinet, charger.safe.station_id = FileCabinet(*folders, tls=endpoint.secure), endpoint.station_id
    charger.der.codes = config.der or charger.der.codes
    if clock.scale != 1:
        charger.variables["ClockCtrlr.TimeSource"] = "RealTimeClock"  # where time runs faster, an answer's way of 10 ms is a minute
    heard = frames({number: each.evse_id for number, each in enumerate(outlets, 1)}) if frames is not None else None
    passwords, kept = (Path(config.state) / name if config.state else None for name in (PASSWORDS, STORE))
    charge_point = ChargePoint(endpoint, Bridge(charger), say=fell, trace=heard, passwords=passwords, store=kept)
    await charge_point.open()
    async with Tasks("v2g.ocpp", fell) as tasks:
        if accounts is not None:
            accounts.extend((tasks.account, charge_point.tasks.account))
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
    """Wait up to `LAST_WORDS` s until the CSMS has every event, how the last session ended too, then close the connection."""
    outbox = charge_point.bridge.charger.outbox
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS):
            while charge_point.link is not None and (outbox.under_way or outbox.waiting):  # noqa: ASYNC110 - the bridge has no such event
                await asyncio.sleep(0.05)
    if charge_point.link is not None:
        await charge_point.link.close(1000, "the station shuts down")
