"""Connects the outlets of a station with a CSMS, by the OCPP bridge."""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.cabinet import FileCabinet
from ocpp_bridge.charge_point import ChargePoint, Endpoint
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.variables import SUPPORTED
from pki.errors import StoreError
from pki.pem import read_chain
from secc.config import Config, OutletConfig, limits_of
from secc.csms import Ocpp
from secc.outlet import Outlet
from secc.station import Backend
from v2g.energy.site import Site
from v2g.iso2.services import MODES, PROTOCOL
from v2g.services import SERVICES
from v2g.session.clock import Clock
from v2g.settings.strict import ConfigError
from v2g.tasks import Account, Fallen, Tasks
from v2gkit.private import password
from v2gkit.station.feed.hearing import Hearing
from v2gkit.station.feed.listening import listen
from v2gkit.station.staples import kept_by_csms
from v2gkit.station.updating import firmware_of
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
    unlock: Callable[[int], None] | None = None,
    functions: Mapping[str, tuple[str, ...]] | None = None,
) -> AsyncIterator[list[Backend]]:
    """Within the block: a backend for each outlet, all of one charge point, whose station id is the id of the first outlet.

    `accounts` gets those of its background tasks; `frames` makes the hearer of what station and CSMS say; `functions` are, by EVSE id, what
    the hardware's own inverter follows of what a grid asks (`EVSE.grid_functions`).
    """
    evses = {
        number: Evse(number, (each.offer or config.offer).services, limits_of(each), each.evse_id, each.connector_type or "")
        for number, each in enumerate(outlets, 1)
    }
    roots = tuple(root.public_bytes(Encoding.DER) for root in store.anchors.mo) if store is not None else ()
    owner = {"idToken": "OWNER", "type": "Local"} if config.eim.rule == "accept" else None  # asked of the CSMS for a car without contract
    assert config.ocpp is not None
    endpoint = endpoint_of(config.ocpp, outlets[0].evse_id)
    charger = Charger(clock, secrets.token_bytes, evses, site=site, roots=roots, owner=owner, fallback=config.ocpp.fallback, unlock=unlock)
    _configure(charger, config, config.ocpp, endpoint, [each.offer or config.offer for each in outlets])
    for each in evses.values():
        each.inverter.functions = (functions or {}).get(each.evse_id, ())
    if clock.scale != 1:
        charger.variables["ClockCtrlr.TimeSource"] = "RealTimeClock"  # where time runs faster, an answer's way of 10 ms is a minute
    heard = frames({number: each.evse_id for number, each in enumerate(outlets, 1)}) if frames is not None else None
    passwords, kept = (Path(config.state) / name if config.state else None for name in (PASSWORDS, STORE))
    bridge = Bridge(charger)
    charger.variables["SecurityCtrlr.AllowSecurityProfileDowngrade"] = str(config.ocpp.allow_downgrade).lower()
    charger.variables["SecurityCtrlr.AdditionalRootCertificateCheck"] = str(config.ocpp.additional_root_check).lower()
    charge_point = ChargePoint(endpoint, bridge, say=fell, trace=heard, passwords=passwords, store=kept)
    await charge_point.open()
    async with Tasks("v2g.ocpp", fell) as tasks:
        (accounts if accounts is not None else []).extend((tasks.account, charge_point.tasks.account))
        tasks.keep("charge point", charge_point.run)
        listen(tasks, config.feed, Hearing(charge_point, {each.evse_id: number for number, each in enumerate(outlets, 1)}))
        if store is not None and config.responder is None:
            tasks.keep(
                "OCSP responses of the CSMS", partial(kept_by_csms, store, charge_point.bridge, charge_point.wake, wall=wall_of(clock))
            )
        try:
            yield [charge_point.outlet(number) for number in evses]
        finally:
            await said(charge_point)


def protocols_of(offers: Iterable[Outlet]) -> tuple[str, ...]:
    """The protocols by which cars may come to any of these outlets, as OCPP spells them."""
    rows = [(SERVICES[name], offer) for offer in offers for name in offer.services]
    newer = [row.protocol.spelt for row, offer in rows if "20" in offer.generations]
    older = [PROTOCOL.spelt for row, offer in rows if "2" in offer.generations and any(mode.fits(row) for mode in MODES.values())]
    return tuple(dict.fromkeys(newer + older))


def providers_of(offers: Iterable[Outlet]) -> tuple[str, ...]:
    """The eMSPs whose contracts any of these outlets takes; empty: one of them says nothing of that."""
    each = [offer.providers for offer in offers]
    return tuple(dict.fromkeys(name for names in each for name in names)) if all(each) else ()


def _configure(charger: Charger, config: Config, ocpp: Ocpp, endpoint: Endpoint, offers: Sequence[Outlet]) -> None:
    """Give a charger what the station's file says besides."""
    for number, protocol in zip_longest(range(1, len(SUPPORTED) + 1), protocols_of(offers), fillvalue=""):
        charger.variables["ISO15118Ctrlr", "ProtocolSupported", str(number), 0] = protocol
    charger.variables["ISO15118Ctrlr.SupportedProviders"] = ",".join(providers_of(offers))
    pki, state = (Path(each) if each else None for each in (config.pki, config.state))
    charger.safe.cabinet = FileCabinet(pki, state, endpoint.trust, tls=True)
    charger.firmware = firmware_of(ocpp.firmware, state)
    charger.safe.networks.downgrade = ocpp.allow_downgrade
    charger.vetted.demanded = ocpp.vehicle_status == "demanded"
    charger.der.codes = config.der or charger.der.codes


def endpoint_of(ocpp: Ocpp, evse_id: str) -> Endpoint:
    """The endpoint that the station's file describes. ConfigError, with the key in `place`, for a file that cannot be used."""
    trust, certificate, key = (Path(each) if each else None for each in (ocpp.trust, ocpp.certificate, ocpp.key))
    if trust is not None:
        try:
            read_chain(trust)
        except StoreError as error:
            raise ConfigError(f"ocpp.trust: {error}", ("ocpp", "trust")) from None
    if certificate is not None:
        _demand_pair(certificate, key)
    try:
        secret = password(None, Path(ocpp.password_file) if ocpp.password_file else None, "V2G_OCPP_PASSWORD")
    except ValueError as error:
        raise ConfigError(f"ocpp.password_file: {error}", ("ocpp", "password_file")) from None
    if ocpp.security_profile in (1, 2) and secret is None:
        cure = "give password_file, or set V2G_OCPP_PASSWORD"
        raise ConfigError(f"ocpp.security_profile {ocpp.security_profile} needs a password; {cure}", ("ocpp", "security_profile"))
    try:
        return Endpoint(ocpp.url, ocpp.station_id or evse_id, secret, trust, certificate, key, ocpp.versions)
    except ValueError as error:
        raise ConfigError(f"ocpp: {error}", ("ocpp",)) from None


def _demand_pair(certificate: Path, key: Path | None) -> None:
    """Raise ConfigError unless a TLS library takes the certificate with the key."""
    try:
        read_chain(certificate)
    except StoreError as error:
        raise ConfigError(f"ocpp.certificate: {error}", ("ocpp", "certificate")) from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        why = f"{key} is not the key of the first certificate in {certificate} ({error.reason or 'not readable, or encrypted'})"
        raise ConfigError(f"ocpp.key: {why}; give that key as PEM, unencrypted", ("ocpp", "key")) from None
    except OSError as error:
        raise ConfigError(f"ocpp.key: {key} cannot be read: {error.strerror}; give the key as a PEM file", ("ocpp", "key")) from None


async def said(charge_point: ChargePoint) -> None:
    """Wait up to `LAST_WORDS` s until the CSMS has every event, how the last session ended too, then close the connection."""
    outbox = charge_point.bridge.charger.outbox
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS):
            while charge_point.link is not None and (outbox.under_way or outbox.waiting):  # noqa: ASYNC110 - the bridge has no such event
                await asyncio.sleep(0.05)
    if charge_point.link is not None:
        await charge_point.link.close(1000, "the station shuts down")
