"""The CSMS: events a second and CPU for each with 300 stations, its growth with processes, and whether an event costs more after 10,000."""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from v2gkit.csms.hearing import HANDLERS
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Station
from v2gkit.csms.steering import Strategy
from v2gkit.csms.store.rows import Said, rows_of

STATIONS = 300
SECONDS = 10.0  # of load
GOAL = 600.0  # events a second: two of each station
POWERS = ("Power.Active.Import", "Energy.Active.Import.Register", "Energy.Active.Export.Register")


def event(number: int) -> dict[str, Any]:
    """A TransactionEvent with three values."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    sampled = [{"measurand": name, "value": 1000.0 + number} for name in POWERS]
    told = {"eventType": "Updated", "triggerReason": "MeterValuePeriodic", "seqNo": number, "timestamp": at, "evse": {"id": 1}}
    return told | {"transactionInfo": {"transactionId": "t"}, "meterValue": [{"timestamp": at, "sampledValue": sampled}]}


def _flat() -> None:
    """Print what an event costs early and late in its transaction."""
    csms, station = Csms(Strategy("none")), Station("CS-1")
    spent: list[float] = []
    for thousand in range(10):
        begun = time.process_time()
        for number in range(1000):
            told = event(1000 * thousand + number)
            answer = HANDLERS["TransactionEvent"](csms, station, told)
            rows_of("TransactionEvent", Said(station, told, answer, 0.0))
        spent.append((time.process_time() - begun) * 1e3)
    print(f"us of CPU for each event, without wire and disk: {spent[0]:.0f} of the first 1,000, {spent[-1]:.0f} of the tenth", end="")
    print(f": {spent[-1] / spent[0]:.2f}x")


async def _came(where: str, turns: asyncio.Semaphore) -> ClientConnection:
    """One station that has come in: no more at once than the CSMS lets stand before its door."""
    async with turns:
        socket = await connect(where, subprotocols=["ocpp2.1"], compression=None)  # type: ignore[list-item]
        await _said(socket, "BootNotification", {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}})
    return socket


async def _station(socket: ClientConnection, until: float) -> int:
    """Say one event after the other; how many were acknowledged."""
    async with socket:
        for number in itertools.count():
            if time.monotonic() >= until:
                return number
            await _said(socket, "TransactionEvent", event(number))
    return 0


async def _said(socket: ClientConnection, action: str, payload: dict[str, Any]) -> None:
    await socket.send(json.dumps([2, "1", action, payload]))
    answer = json.loads(await socket.recv())
    assert answer[0] == 3, answer


@asynccontextmanager
async def _processes(count: int, folder: Path, nats: str | None) -> AsyncIterator[list[tuple[str, int]]]:
    """Processes of a CSMS with one store: address and process id of each."""
    running, found = [], []
    for _ in range(count):
        shared = ["--nats", nats] if nats else []
        command = [sys.executable, "-m", "v2gkit", "csms", "--port", "0", "--json", "--strategy", "none", "--state", str(folder), *shared]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        running.append(process)
        assert process.stdout is not None
        found.append((json.loads(await process.stdout.readline())["url"].removesuffix("STATION"), process.pid))
        asyncio.create_task(_drained(process.stdout))  # noqa: RUF006 - it ends with the process
    try:
        yield found
    finally:
        for process in running:
            process.terminate()
            await process.wait()


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


def _cpu(process: int) -> float:
    """Seconds of CPU that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _load(count: int, nats: str | None) -> tuple[float, float]:
    """Events a second of so many processes, and seconds of their CPU for each event."""
    with tempfile.TemporaryDirectory() as folder:
        async with _processes(count, Path(folder), nats) as places:
            turns = asyncio.Semaphore(64)
            sockets = await asyncio.gather(*(_came(f"{places[n % count][0]}CS-{n}", turns) for n in range(STATIONS)))
            before = sum(_cpu(process) for _, process in places)
            begun = time.monotonic()
            heard = sum(await asyncio.gather(*(_station(socket, begun + SECONDS) for socket in sockets)))
            lasted, spent = time.monotonic() - begun, sum(_cpu(process) for _, process in places) - before
    return heard / lasted, spent / heard


def run() -> None:
    """Print the figures; the stations share the processors with the CSMS."""
    _flat()
    server = shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin")
    first = 0.0
    for count in (1, 2) if server else (1,):
        with tempfile.TemporaryDirectory() as folder:
            command = [server or "", "-js", "-sd", folder, "-a", "127.0.0.1", "-p", "14222"]
            bus = subprocess.Popen(command, stderr=subprocess.DEVNULL) if server and count > 1 else None
            time.sleep(1.0 if bus else 0.0)
            rate, cost = asyncio.run(_load(count, "nats://127.0.0.1:14222" if bus else None))
            if bus:
                bus.terminate()
                bus.wait()
        first = first or rate
        said = f"{rate:6.0f} events/s ({rate / first:.2f}x), {1e6 * cost:5.0f} us of CPU for each, stored in SQLite"
        print(f"{STATIONS} stations, {count} process{'es' if count > 1 else ''}: {said}", end="")
        print(f"; one core of it bears {1 / cost:.0f}/s, wanted {GOAL:.0f}: {'met' if 1 / cost >= GOAL else 'MISSED'}")
