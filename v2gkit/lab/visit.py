"""A car that visits one station: equipped, driven, and made to leave in order by a signal."""

import asyncio
import contextlib
import secrets
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from evcc.client import Visit
from evcc.config import Config
from evcc.generations import conducts_named
from evcc.iso20.play import Play
from evcc.iso20.quirks import quirky
from evcc.iso20.renegotiation import schedule_renegotiation, service_renegotiation
from evcc.iso20.standby import standby
from evcc.opening import named
from evcc.script import Script
from evcc.trust import TlsVersion, equip, roots_of_2, vehicle_tls
from pki import signature as xmldsig
from pki.store import Store
from v2g.address import host_and_port
from v2g.session.clock import Clock
from v2g.session.transport import ClientTls
from v2g.settings.strict import ConfigError
from v2g.slac.wire import join
from v2gkit.wall import wall_of


class Leaves(Protocol):
    """A car or a fleet that can be told to leave."""

    def stop(self, reason: str) -> None:
        """Leave in order, as soon as the session allows."""

    def abort(self, reason: str) -> None:
        """Leave now, and cut the connection."""


Identity = tuple[str, ClientTls]  # EVCCID, which its vehicle certificate says, and the TLS that proves it


def visit_of(config: Config, clock: Clock, script: str | Play, store: Store | None = None, identity: Identity | None = None) -> Visit:
    """The visit of a car with its certificates; `script` is what it does: the name of a script, or a scenario.

    `store` is its folder of certificates, if it was read before, and `identity` one of the vehicles in it; None: as the configuration says.
    Raises ConfigError, StoreError and CertificateError for whatever keeps the visit from beginning.
    """
    store = store or (Store(config.pki) if config.pki else None)
    wish = config.wish
    if store and config.tls and identity is None:
        versions = tls_versions(config, store)
        given: dict[str, Any] = {"revocation": config.revocation, "name_roots": config.name_roots, "wall": wall_of(clock)}
        name = store.vehicle.common_name if "1.3" in versions else wish.evccid  # TLS 1.2 shows no vehicle certificate
        identity = name, vehicle_tls(store, wish.profile, versions=versions, **given)
    if identity is not None:
        wish = replace(wish, evccid=identity[0])  # [V2G20-2598]
    car = replace(config, wish=wish).car(clock, clock.started)
    if store and "PnC" in wish.authorizations:
        equip(car, store, xmldsig.ISO2 if "2" in config.generations else ())
    tls = identity[1] if identity else None
    driving = Visit(car, tls=tls, resume_within=config.resume_within, grace=config.grace, conducts=conducts_named(config.generations))
    if not isinstance(script, Play) and all(script in conduct.scripts for conduct in driving.conducts):
        driving.script = named(driving.conducts, script)
        return driving
    if script != "charge" and config.generations != ("20",):
        names = ", ".join(config.generations)
        raise ConfigError(f"scripts and scenarios are of ISO 15118-20, but for read-soc; generations is {names}: leave out one of them")
    if isinstance(script, Play):
        driving.script, driving.returning = quirky(script.script), script.returning
    elif script != "charge":  # which is usual, in whatever generation the station selects
        driving.script = quirky(script_of(script, wish.services))
    return driving


def tls_versions(config: Config, store: Store) -> tuple[TlsVersion, ...]:
    """The versions of TLS that a car offers. Where its configuration does not say: 1.3 for ISO 15118-20, 1.2 for ISO 15118-2.

    A car of both that has no root on P-256, below which alone a station can prove itself in TLS 1.2, offers TLS 1.3.
    """
    if config.tls_versions:
        return config.tls_versions
    if config.generations and "20" not in config.generations:
        return ("1.2",)
    return ("1.3", "1.2") if "2" in config.generations and roots_of_2(store) and not config.name_roots else ("1.3",)


def matching(driving: Visit, config: Config, tell: Callable[[str], None]) -> None:
    """Let the visit begin by matching on the power line, where the configuration names a modem; `tell` takes a line for each step."""
    if config.slac is not None:
        driving.join = partial(join, config.slac, lambda step: tell(f"slac       {step.what}"), secrets.token_bytes)


async def visit(driving: Visit, config: Config, play: Play | None = None) -> dict[str, Any]:
    """Find the station and run the visit; its result and verdict as plain values. Raises ConfigError for a wrong address."""
    leave_on_signal(driving)
    wireless = config.wireless.request if config.wireless else None
    result = await (driving.at(*address(config.connect)) if config.connect else driving.on(str(config.iface or config.slac), wireless))
    said = result.as_dict()
    return said if play is None else {**said, **play.as_dict(), "ok": play.passed}


def leave_on_signal(driving: Leaves) -> None:
    """Let SIGTERM or Ctrl-C end the visit: in order at the first, at once at the second."""
    asked = list[str]()

    def signalled(name: str) -> None:
        asked.append(name)
        if len(asked) == 1:
            driving.stop(f"{name}: the driver asked")
        else:
            driving.abort(f"{name}: the driver asked again")

    for one in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # a platform without signals in its loop
            asyncio.get_running_loop().add_signal_handler(one, signalled, one.name)


def script_of(name: str, services: tuple[str, ...]) -> Script:
    """The script of that name. Those that renegotiate or stand by do so after three loops; `services` is the order of the car's wishes."""
    scripts: dict[str, Script] = {
        "schedule-renegotiation": schedule_renegotiation(3),
        "standby": standby(3, 2.0),
        "service-renegotiation": service_renegotiation(3, tuple(reversed(services))),
    }
    return scripts[name]


def address(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises ConfigError."""
    try:
        return host_and_port(text)
    except ValueError as error:
        raise ConfigError(str(error)) from None
