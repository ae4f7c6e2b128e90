"""What a CSMS that floods a station costs the car that charges there: the station's answers in the charge loop, beside each load."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from ocpp_bridge.wire.times import timestamp
from v2g.iso20.services import DC_BPT

LOOPS = 150  # of the car, a tenth of a second each
GOAL = 0.025  # s, the 99th of a hundred answers
Payload = dict[str, Any]
ANSWERS: dict[str, Payload] = {
    "BootNotification": {"currentTime": "", "interval": 300, "status": "Accepted"},
    "Heartbeat": {"currentTime": ""},
    "Authorize": {"idTokenInfo": {"status": "Accepted"}, "allowedEnergyTransfer": [DC_BPT.name]},
    "NotifyEVChargingNeeds": {"status": "NoChargingProfile"},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
}


class Csms:
    """A CSMS of nothing but frames: it answers what it is told, and loads the station once the car charges."""

    def __init__(self, load: Callable[["Csms"], Awaitable[None]]):
        self.charging = asyncio.Event()
        self.answered = self.refused = 0
        self._load, self._number = load, 0
        self._socket: ServerConnection | None = None
        self._waiting: dict[str, asyncio.Future[Payload]] = {}

    async def serve(self, socket: ServerConnection) -> None:
        """Serve a station until it goes."""
        self._socket = socket
        load = asyncio.create_task(self._loaded())
        try:
            async for text in socket:
                kind, id_, *rest = json.loads(text)
                if kind == 2:
                    answer = dict(ANSWERS.get(rest[0], {}))
                    answer |= {"currentTime": _now()} if "currentTime" in answer else {}
                    await socket.send(json.dumps([3, id_, answer]))
                    if rest[1].get("transactionInfo", {}).get("chargingState") == "Charging":
                        self.charging.set()
                elif (waiting := self._waiting.pop(id_, None)) is not None:
                    self.answered, self.refused = self.answered + (kind == 3), self.refused + (kind != 3)
                    waiting.set_result(rest[0] if kind == 3 else {})
        finally:
            load.cancel()

    async def _loaded(self) -> None:
        await self.charging.wait()
        await self._load(self)

    async def send(self, profile: Payload) -> asyncio.Future[Payload]:
        """Send SetChargingProfile; the future has the answer."""
        assert self._socket is not None
        self._number += 1
        future = self._waiting[str(self._number)] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps([2, str(self._number), "SetChargingProfile", {"evseId": 1, "chargingProfile": profile}]))
        return future


def _now() -> str:
    return timestamp(time.time())


def _profile(number: int, periods: int) -> Payload:
    said = [{"startPeriod": 60 * n, "limit": 5000.0 + n + number % 7} for n in range(periods)]
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": said}
    purpose = {"chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
    return {"id": number, "stackLevel": number % 100, "chargingSchedule": [schedule]} | purpose


async def _nothing(csms: Csms) -> None:
    """Nothing."""


async def _long(csms: Csms) -> None:
    """100 profiles of 1,024 periods, one after the other."""
    for number in range(100):
        await (await csms.send(_profile(number, 1024)))


async def _many(csms: Csms) -> None:
    """5,000 small profiles, not waiting for answers."""
    for number in range(5000):
        await csms.send(_profile(number % 100, 1))


async def _steady(csms: Csms) -> None:
    """50 small profiles a second, without end."""
    number = 0
    while True:
        number += 1
        await csms.send(_profile(number % 100, 1))
        await asyncio.sleep(0.02)


async def _measured(load: Callable[[Csms], Awaitable[None]]) -> tuple[list[float], Csms]:
    """The times (s) of the station's answers in the loop, and the CSMS that was there."""
    csms = Csms(load)
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.jsonl"
        async with serve(csms.serve, "127.0.0.1", 0, subprotocols=["ocpp2.1"]) as server:  # type: ignore[list-item]
            address = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
            plain = ["--no-tls", "--auth", "EIM", "--host", "::1", "--port", "0", "--json", "--once"]
            station = await _started(
                "secc", *plain, "--services", DC_BPT.name, "--control", "Dynamic", "--ocpp", address, "--trace", str(trace)
            )
            assert station.stdout is not None
            said = json.loads(await station.stdout.readline())
            where = said["address"]
            car = await _started(
                "ev",
                "--no-tls",
                "--connect",
                where,
                "--service",
                DC_BPT.name,
                "--control",
                "dynamic",
                "--auth",
                "eim",
                "--loops",
                str(LOOPS),
            )
            await asyncio.gather(car.communicate(), station.communicate())
        records = [json.loads(line) for line in trace.read_text().splitlines()]
    return [r["gap"] for r in records if r["type"] == "frame" and r["name"] == "DC_ChargeLoopRes" and r["gap"] is not None], csms


async def _started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "v2g", *arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def run() -> None:
    """Print the 99th percentile and the longest of the answers beside each load, and the former beside no load."""
    print(f"{'ms':55} {'loops':>6} {'median':>7} {'p99':>6} {'longest':>8} {'ratio':>6} {'answered':>9} {'refused':>8}")
    unloaded = 0.0
    for load in (_nothing, _long, _many, _steady):
        times, csms = asyncio.run(_measured(load))
        times.sort()
        median, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        unloaded = unloaded or p99
        said = f"{1e3 * median:7.1f} {1e3 * p99:6.1f} {1e3 * times[-1]:8.1f} {p99 / unloaded:5.1f}x {csms.answered:9} {csms.refused:8}"
        print(f"{(load.__doc__ or '').rstrip('.'):55} {len(times):6} {said}  {'met' if p99 < GOAL else 'MISSED'}")
    print(f"goal: 99 of 100 answers within {1e3 * GOAL:g} ms")
