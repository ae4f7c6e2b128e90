"""Makes the hardware of an outlet: simulated, or an object of the user's class, found beside the configuration that names it."""

import asyncio
import importlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

from secc.config import SIMULATED, OutletConfig, limits_of
from secc.evse import EVSE, EVSE_ID
from v2g.session.clock import Clock
from v2g.settings.strict import ConfigError, value_text


def hardware_of(outlet: OutletConfig, clock: Clock, folder: Path | None) -> tuple[EVSE, OutletConfig]:
    """The hardware of an outlet, whose driver is looked for in `folder` first; and the outlet with the EVSE id that the hardware has.

    Raises ConfigError for a driver that cannot be made, or that contradicts the configuration.
    """
    assert outlet.hardware is not None
    if outlet.hardware.driver == SIMULATED:
        return _simulated(outlet, clock), outlet
    made = _driven(outlet.hardware.driver, dict(outlet.hardware.options), folder)
    name = made.evse_id
    if name == EVSE_ID != outlet.evse_id:
        made.evse_id = name = outlet.evse_id
    if outlet.evse_id not in (EVSE_ID, name):
        raise ConfigError(f"the outlet is {outlet.evse_id} in the configuration and {name} in its driver; say it in one place")
    try:
        offer = None if outlet.offer is None else replace(outlet.offer, evse_id=name)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"hardware.driver {outlet.hardware.driver!r}: {error}") from error
    return made, replace(outlet, evse_id=name, offer=offer)


def distinct(outlets: Sequence[OutletConfig]) -> Sequence[OutletConfig]:
    """The given outlets. Raises ConfigError where two have one EVSE id: neither cars nor a CSMS could tell them apart."""
    names = [each.evse_id for each in outlets]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{names.count(name)} outlets are {name}; give each an evse_id of its own")
    return outlets


def _simulated(outlet: OutletConfig, clock: Clock) -> EVSE:
    from secc.simulated import SimulatedEVSE

    assert outlet.hardware is not None
    now = asyncio.get_running_loop().time
    wall, limits, physics = lambda: clock.wall(now()), limits_of(outlet), outlet.hardware.physics
    return SimulatedEVSE(now, wall, asyncio.sleep, evse_id=outlet.evse_id, limits=limits, physics=physics, scale=clock.scale)


def _driven(driver: str, options: dict[str, Any], folder: Path | None) -> EVSE:
    """An object of the class that a driver names, made with the options."""
    named = f"hardware.driver {driver!r}"
    module, _, name = driver.partition(":")
    try:
        kind = getattr(_imported(module, folder), name)
    except (Exception, SystemExit) as error:  # its module is the user's, and may raise anything
        raise ConfigError(
            f"{named}: {_said(error)}; give package.module:Class, of a module beside the configuration or installed"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, EVSE)):
        what = f"class {kind.__qualname__}" if isinstance(kind, type) else value_text(kind)
        raise ConfigError(f"{named} is {what}, no class of secc.evse.EVSE")
    try:
        return kind(**options)
    except (Exception, SystemExit) as error:
        given = f"[hardware.options] {', '.join(options)}" if options else "no [hardware.options]"
        raise ConfigError(f"{named} with {given}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {error}"


def _imported(module: str, folder: Path | None) -> Any:
    """A module of the folder, else one that is installed. What it imports from beside itself is found as well."""
    if folder is None:
        return importlib.import_module(module)
    place = str(folder.resolve())
    if place not in sys.path:
        sys.path.append(place)  # at the end: nothing there stands before what is installed
    top = module.partition(".")[0]
    spec = PathFinder.find_spec(top, [place])
    if spec is not None and spec.loader is not None:
        known = sys.modules.get(top)
        if known is None:
            sys.modules[top] = made = module_from_spec(spec)
            try:
                spec.loader.exec_module(made)
            except BaseException:
                del sys.modules[top]
                raise
        elif getattr(known, "__file__", None) != spec.origin:
            raise ImportError(f"{spec.origin} has the name of a module that is in use; give it another")
    return importlib.import_module(module)
