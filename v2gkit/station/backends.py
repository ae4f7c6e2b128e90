"""Makes the backends that decide for the outlets of a station: by a CSMS, or by rules with the prices of the site."""

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secc.backend import LocalBackend, Surroundings
from secc.config import Config, OutletConfig, limits_of
from v2g.energy.prices import parse_prices as parsed_prices
from v2g.energy.site import Site
from v2g.session.clock import Clock
from v2g.settings.strict import TABLE_LIMIT, ConfigError, octets_of
from v2g.tasks import Account, Fallen, Tasks
from v2gkit.extras import missing
from v2gkit.wall import LOCAL

if TYPE_CHECKING:  # outlets that share nothing do without it
    from secc.yard import Yard


@contextlib.asynccontextmanager
async def backends_of(
    config: Config,
    outlets: Sequence[OutletConfig],
    around: Surroundings,
    clock: Clock,
    store: Any,
    fell: Callable[[Fallen], None],
    accounts: list[Account],
    frames: Callable[[Mapping[int, str]], Callable[[str, str], None]] | None = None,
    unlock: Callable[[int], None] | None = None,
    functions: Mapping[str, tuple[str, ...]] | None = None,
) -> Any:
    """Within the block: a backend for each outlet, under a CSMS where the configuration names one, else with its own rules.

    `accounts` gets those of background tasks; `frames` makes the hearer of OCPP frames, from the EVSE ids by number;
    `unlock` unlocks the connector of an outlet (`unlocking`); `functions` are what inverters of the hardware follow, by EVSE id.
    """
    site = site_of(config, around.wall())
    if config.ocpp is None:
        rules: dict[str, Any] = {"eim": config.eim.rule, "eim_delay": config.eim.delay}
        rules |= {"provisioning": provisioning(config, store), "confirm_every": config.metering.confirm_every}
        rules |= {"grid": config.der, "stay": config.stay, "read_soc": config.read_soc}
        if not config.shares:
            yield [LocalBackend(around, _sited(site, each), **rules) for each in outlets]
            return
        from secc.neighbour import Neighbour
        from v2gkit.station.site import stored, yard_of

        yard = yard_of(config, around, site)
        for each in outlets:
            yard.spot(each.evse_id, each.feeder, each.phases, each.rank, each.tenant, most=limits_of(each).charge_power)
        stored(config, yard)
        async with Tasks("v2g.site", fell) as tasks:
            accounts.append(tasks.account)
            if config.feed is not None:
                _told(tasks, config, yard, outlets, around)
            yield [Neighbour(around, _sited(site, each), **rules, spot=yard.spots[each.evse_id]) for each in outlets]
        return
    from v2gkit.station.csms import csms_backends

    async with csms_backends(config, outlets, site, clock, store, fell, accounts, frames, unlock, functions) as backends:
        yield backends


def _told(tasks: Tasks, config: Config, yard: "Yard", outlets: Sequence[OutletConfig], around: Surroundings) -> None:
    """Let a yard hear of meters, limits and setpoints beside its cars. ConfigError where a library for that is missing."""
    if lacking := missing(["ocpp"]):
        raise ConfigError(f"feed: {lacking}")
    from v2gkit.station.feed.hearing import Hearing
    from v2gkit.station.feed.listening import listen
    from v2gkit.station.orders import Orders
    from v2gkit.station.told import Told

    names = [each.evse_id for each in outlets]
    numbers = {name: number for number, name in enumerate(names, 1)}
    listen(tasks, config.feed, Hearing(Told(yard, names, around.wall), numbers, Orders(yard, config.site.battery)))


def provisioning(config: Config, store: Any) -> Any:
    """The provisioning service for a station without CSMS: the one that the configuration names, or one from its folder; None: none."""
    if config.cps is not None:
        from v2gkit.authorities.cps import relay

        cps = config.cps
        return lambda exi, now: relay(cps.url, exi, timeout=cps.timeout)
    if not config.offer.certificate_installation:
        return None
    from secc.trust import provisioning_service

    service = provisioning_service(store, config.profile, secrets.token_bytes) if store is not None else None
    if service is None:
        raise ConfigError("offer.certificate_installation needs a pki directory with a cps and a contract, or cps, or ocpp")
    return service.answer_exi


def _sited(site: Site, outlet: OutletConfig) -> Site:
    """The site for one outlet: export as far as the outlet gives back, unless the site says otherwise."""
    return replace(site, export_limit=limits_of(outlet).discharge_power) if site.export_limit == float("inf") else site


def site_of(config: Config, wall: float) -> Site:
    """The site of the configuration with its prices from `wall` (epoch s) on."""
    said = config.site
    given = said.numbers()
    if said.prices is not None:
        if config.ocpp is None and (lacking := missing(["energy"])):
            raise ConfigError(f"site.prices: {lacking}, or leave them out: a station without prices charges at once")
        octets = octets_of(Path(said.prices), TABLE_LIMIT)
        try:
            prices = parsed_prices(octets)
        except ValueError as error:
            raise ConfigError(f"site.prices {said.prices}: {error}") from None
        given |= {"daily": prices, "zone": LOCAL} if prices.relative else {"import_prices": prices.imports, "export_prices": prices.exports}
        given["currency"] = said.currency or prices.currency or "EUR"
    elif said.currency is not None:
        given["currency"] = said.currency
    return Site(**given).at(wall)
