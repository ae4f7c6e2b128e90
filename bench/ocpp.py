"""OCPP: a TransactionEvent and its result, beside the bare WebSocket and JSON that it needs anyway."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from ocpp_bridge.wire.link import Link
from ocpp_bridge.wire.schemas import Payload, check

CALLS = 400  # in a timed round; the best of ROUNDS counts
ROUNDS = 7
GOAL = 2.0  # times the bare round trip, CPU of both ends together

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Energy.Active.Export.Register",
    "Power.Active.Import",
    "Power.Active.Export",
    "SoC",
    "Voltage",
)
EVENT: Payload = {
    "eventType": "Updated",
    "timestamp": "2026-11-22T18:00:00.000Z",
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 7,
    "transactionInfo": {"transactionId": "00000000-0000-4000-8000-000000000001", "chargingState": "Charging"},
    "evse": {"id": 1, "connectorId": 1},
    "meterValue": [
        {
            "timestamp": "2026-11-22T18:00:00.000Z",
            "sampledValue": [
                {"value": 108814.2, "measurand": name, "context": "Sample.Periodic", "location": "Outlet", "unitOfMeasure": {"unit": "Wh"}}
                for name in MEASURANDS
            ],
        }
    ],
}
Call = Callable[[], Awaitable[object]]


def run() -> None:
    """Print cost and ratio of one call at a time, and the share of validation."""
    bare, ours = asyncio.run(_measured())
    print(f"TransactionEvent of {len(json.dumps(EVENT))} octets, {CALLS} calls in a row, both ends in one process\n")
    print(f"{'':44} {'CPU, us':>9} {'wall, us':>9}")
    print(f"{'websockets + json, round trip':44} {bare[0]:9.0f} {bare[1]:9.0f}")
    print(f"{'link: order, ids, four schema validations':44} {ours[0]:9.0f} {ours[1]:9.0f}  {ours[0] / bare[0]:.2f}x")
    print(f"{'one validation of the request':44} {_validation():9.1f}")
    met = "met" if ours[0] <= GOAL * bare[0] else "MISSED"
    print(f"goal: at most {GOAL:g} times the bare round trip: {met}")


async def _measured() -> tuple[tuple[float, float], tuple[float, float]]:
    """(CPU, wall) in us per call, bare and through two links, measured in turns."""
    bare, ours = [], []
    async with (
        await serve(_answers_bare, "127.0.0.1", 0) as plain,
        await serve(_answers_linked, "127.0.0.1", 0) as linked,
        _joined(plain) as one,
        _joined(linked) as two,
    ):
        link = Link(two, "ocpp2.1", _nothing, frozenset())
        running = asyncio.create_task(link.run())
        for _ in range(ROUNDS):
            bare.append(await _timed(lambda: _bare(one)))
            ours.append(await _timed(lambda: link.call("TransactionEvent", EVENT)))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return min(bare), min(ours)


def _joined(server: object) -> connect:
    port = next(iter(server.sockets)).getsockname()[1]  # type: ignore[attr-defined]
    return connect(f"ws://127.0.0.1:{port}", proxy=None)


async def _timed(call: Call) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - cpu) / CALLS * 1e6, (time.perf_counter() - wall) / CALLS * 1e6


async def _bare(socket: ClientConnection) -> object:
    await socket.send(json.dumps([2, "00000000-0000-4000-8000-000000000001", "TransactionEvent", EVENT]))
    return json.loads(await socket.recv())


async def _answers_bare(socket: ServerConnection) -> None:
    async for text in socket:
        frame = json.loads(text)
        await socket.send(json.dumps([3, frame[1], {}]))


async def _answers_linked(socket: ServerConnection) -> None:
    await Link(socket, "ocpp2.1", _nothing, frozenset({"TransactionEvent"})).run()


async def _nothing(action: str, payload: Payload) -> Payload:
    return {}


def _validation() -> float:
    check("ocpp2.1", "TransactionEvent", "Request", EVENT)
    begun = time.process_time()
    for _ in range(CALLS):
        check("ocpp2.1", "TransactionEvent", "Request", EVENT)
    return (time.process_time() - begun) / CALLS * 1e6
