"""The commands of an operator to the CSMS: each a line of words, with a JSON-able answer."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ocpp_bridge.wire.link import CallFailed
from ocpp_bridge.wire.schemas import PayloadFault
from v2gkit.csms.server import Csms


async def answer(csms: Csms, words: Sequence[str]) -> Any:
    """Carry out one command; returns its result, or the reason why it cannot be carried out."""
    command = COMMANDS.get(words[0])
    if command is None:
        return {"error": f"{words[0]} is no command; there are {', '.join([*COMMANDS, 'quit'])}"}
    try:
        return await command(csms, *words[1:])
    except (CallFailed, PayloadFault, ValueError, TypeError) as error:
        return {"error": str(error)}
    except KeyError as error:
        return {"error": f"no station {error} was seen"}


async def _stations(csms: Csms) -> Any:
    return {
        id_: {
            "connected": station.link is not None,
            "version": station.version,
            "connectors": station.connectors,
            "transactions": {tx.id: {"evse": tx.evse, "ended": tx.ended, **tx.energy} for tx in station.transactions.values()},
        }
        for id_, station in csms.stations.items()
    }


async def _call(csms: Csms, station: str, action: str, *payload: str) -> Any:
    return await csms.call(station, action, json.loads(" ".join(payload) or "{}"))


async def _tasks(csms: Csms) -> Any:
    return csms.tasks.account()


async def _limit(csms: Csms, power: str = "") -> Any:
    if csms.grounds is None:
        raise ValueError("no connection is shared here; give --site")
    csms.grounds.limit(float(power) if power else None)
    return {"limit": float(power) if power else None}


async def _override(csms: Csms, station: str, again: str = "on") -> Any:
    if csms.grounds is None or again not in ("on", "off"):
        raise ValueError("give --site, whose [off_peak] is overridden, and: override STATION [off]")
    return {"overridden": csms.grounds.override(station, again == "on")}


COMMANDS: dict[str, Callable[..., Awaitable[Any]]] = {
    "tasks": _tasks,
    "stations": _stations,
    "start": lambda csms, station, evse="", token="": csms.remote_start(station, int(evse) if evse else None, token),
    "stop": lambda csms, station, transaction="": csms.remote_stop(station, transaction or None),
    "setpoint": lambda csms, station, power: csms.steer(station, float(power)),
    "limit": _limit,
    "override": _override,
    "call": _call,
}
