"""Periodic event streams (N11 to N15, OCPP 2.1): what a monitor sees goes to the CSMS in bundles, by SEND, which nobody answers."""

from typing import Final

from ocpp_bridge.block import Block, no
from ocpp_bridge.charger import Charger
from ocpp_bridge.model.monitors import Monitor
from ocpp_bridge.model.streams import MOST, Stream
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload


def replaced(charger: Charger, monitor: Monitor) -> None:
    """Note that a monitor was set, perhaps in place of another: its stream is asked for anew, or closed."""
    closed(charger, monitor.id)
    if monitor.stream is not None:
        _begin(charger, monitor)


def _begin(charger: Charger, monitor: Monitor) -> None:
    if len(charger.streams) < MOST:
        assert monitor.stream is not None
        charger.streams[monitor.id] = Stream(monitor.id, monitor.stream)
    else:
        charger.note(f"monitor {monitor.id} tells its events one by one: there are {MOST} streams, no more are held")


def closed(charger: Charger, number: int) -> None:
    """End the stream of a monitor, if it has one; the CSMS is told where it takes it."""
    stream = charger.streams.pop(number, None)
    if stream is not None and stream.open:
        charger.call("ClosePeriodicEventStream", {"id": number})


def taken(charger: Charger, monitor: Monitor, values: list[str], wall: float) -> bool:
    """Put values of a monitor into its stream. False: the CSMS does not take it, they are to be told as events."""
    stream = charger.streams.get(monitor.id)
    if stream is None or stream.refused:
        return False
    for value in values:
        stream.take(wall, value)
    return True


def due(charger: Charger) -> float | None:
    """When a stream is to be opened, or its values told."""
    if not charger.accepted:
        return None
    if any(not stream.asked for stream in charger.streams.values()):
        return 0.0
    moments = [moment for stream in charger.streams.values() if (moment := stream.due()) is not None]
    return charger.moment(min(moments)) if moments else None


def tick(charger: Charger, now: float) -> None:
    """Ask for streams that are not open on this connection, and tell the values of those that are."""
    if not charger.online:
        for stream in charger.streams.values():
            stream.asked = stream.open = stream.refused = False
    if not charger.accepted:
        return
    wall = charger.wall(now)
    for stream in charger.streams.values():
        if not stream.asked:
            stream.asked = True
            charger.call("OpenPeriodicEventStream", {"constantStreamData": stream.described}, about=stream.id)
        elif (moment := stream.due()) is not None and wall >= moment:
            charger.sends.append(("NotifyPeriodicEventStream", stream.bundle(wall)))


def opened(charger: Charger, call: Call, response: Payload, now: float) -> None:
    """The CSMS takes a stream, or not: then its monitor tells its events one by one."""
    stream = charger.streams.get(call.about)
    if stream is not None:
        stream.open = response["status"] == "Accepted"
        stream.refused = not stream.open


def unopened(charger: Charger, call: Call, code: str, now: float) -> None:
    """The CSMS does not know streams, or the version of the link has none: the monitor tells its events one by one."""
    if (stream := charger.streams.get(call.about)) is not None:
        stream.refused = True


def adjust(charger: Charger, payload: Payload, now: float) -> Payload:
    """AdjustPeriodicEventStream (N14): tell a stream at another pace."""
    stream = charger.streams.get(payload["id"])
    if stream is None or not stream.open:
        return no("NotFound", f"there is no open stream {payload['id']}")
    if not (payload["params"].get("interval") or payload["params"].get("values")):
        return no("MissingParam", "give an interval or a number of values above 0")
    stream.params = payload["params"]
    monitor = charger.monitors.held[stream.id]
    monitor.stream = stream.params
    charger.keep(f"monitor/{monitor.id}", monitor.settings)
    return {"status": "Accepted"}


def listed(charger: Charger, payload: Payload, now: float) -> Payload:
    """GetPeriodicEventStream (N15): the streams that are open."""
    found = [stream.described for stream in charger.streams.values() if stream.open]
    return {"constantStreamData": found} if found else {}


BLOCK: Final = Block(
    requests={"AdjustPeriodicEventStream": adjust, "GetPeriodicEventStream": listed},
    answers={"OpenPeriodicEventStream": opened},
    failures={"OpenPeriodicEventStream": unopened},
    due=due,
    tick=tick,
)
