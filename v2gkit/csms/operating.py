"""What an operator does to a station, whichever way the wish comes: command line, REST, script, another process."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from ocpp_bridge.wire.link import CallFailed
from ocpp_bridge.wire.schemas import Payload, PayloadFault
from v2gkit.csms.server import Csms

Arguments = dict[str, Any]
UNKNOWN: Final = "NotFound"  # code: there is no such station, or no such verb
OURS: Final = frozenset({UNKNOWN, "Invalid", "NotConnected", "Timeout", "Schema"})  # codes that are not the station's


class Failed(Exception):
    """An operation came to nothing: `code` is one of `OURS`, or that of the station's CALLERROR."""

    def __init__(self, code: str, text: str):
        super().__init__(text)
        self.code = code


async def operate(csms: Csms, station: str, verb: str, arguments: Arguments) -> Payload:
    """Carry out a verb at a station that this process holds; the station's answer. Raises Failed."""
    if station not in csms.stations:
        raise Failed(UNKNOWN, f"no station {station} was seen")
    if (work := VERBS.get(verb)) is None:
        raise Failed(UNKNOWN, f"{verb} is no operation; there are {', '.join(VERBS)}")
    try:
        return await work(csms, station, arguments)
    except PayloadFault as fault:
        raise Failed("Schema", str(fault)) from None
    except CallFailed as failed:
        code = {"ConnectionLost": "NotConnected"}.get(failed.code, failed.code)
        raise Failed(code, str(failed)) from None
    except (ValueError, TypeError, KeyError) as error:
        raise Failed("Invalid", str(error)) from None


async def _call(csms: Csms, station: str, arguments: Arguments) -> Payload:
    return await csms.call(station, str(arguments["action"]), arguments["payload"])


VERBS: Final[dict[str, Callable[[Csms, str, Arguments], Awaitable[Payload]]]] = {
    "call": _call,
    "start": lambda csms, station, said: csms.remote_start(station, said.get("evse"), said.get("token") or ""),
    "stop": lambda csms, station, said: csms.remote_stop(station, said.get("transaction")),
    "setpoint": lambda csms, station, said: csms.steer(station, float(said["power"])),
}
