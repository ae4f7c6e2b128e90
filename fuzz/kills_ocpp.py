"""A station and its CSMS, killed at random moments: what the CSMS has acknowledged is whole, in order, and names no event twice.

    python -m fuzz.kills_ocpp --kills 1000      # prints its counts, exit code 1 when anything was lost or doubled
    python -m fuzz.kills_ocpp --kills 60 --seed 7

The station is a process with the real charge point, bridge and store; cars come, charge, and go at two outlets as chance will have it,
over a real WebSocket. The CSMS is a recorder of its own that writes down what it hears before it answers, and installs profiles. Either is
killed (SIGKILL), or both, and begins again with what it finds. What the hardware remembers outlives a kill: who is plugged in, the meter.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from ocpp_bridge.bridge import Bridge
from ocpp_bridge.charge_point import ChargePoint, Endpoint
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.outlet import OutletBackend
from ocpp_bridge.wire.schemas import check
from secc.station import Limits, MeterRead, MeterReading, OutputMeasured, PilotIs, PowerStarted, PowerStopped, SessionStarted
from v2g.iso20.services import DC, DC_BPT
from v2g.session.clock import Clock
from v2g.session.endpoint import Ended

OUTLETS: Final = (1, 2)
LIMITS: Final = Limits(charge_power=50_000, discharge_power=50_000, charge_current=125, discharge_current=125, voltage=920)
LONGEST: Final = 0.25  # s that a process lives
LAST: Final = 60.0  # s for the last events, once nobody is killed any more
ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "BootNotification": {"currentTime": "2026-11-22T18:00:00Z", "interval": 300, "status": "Accepted"},
    "Heartbeat": {"currentTime": "2026-11-22T18:00:00Z"},
    "NotifyEVChargingNeeds": {"status": "Accepted"},
    "Authorize": {"idTokenInfo": {"status": "Accepted"}},
}
REGISTER: Final = "Energy.Active.Import.Register"


@dataclass(slots=True)
class Count:
    """What came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    events: int = 0
    repeated: int = 0  # heard again, word for word: the answer or its note was lost
    transactions: int = 0
    resumed: int = 0
    cut: int = 0  # ended with PowerLoss
    profiles: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


# --- the station ---


class Hardware:
    """Two outlets with cars that come and go, driven by chance. `path` is what they remember."""

    def __init__(self, path: Path, point: ChargePoint, chance: random.Random) -> None:
        self._path, self._chance = path, chance
        self._cars: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        self._outlets = {number: point.outlet(number) for number in OUTLETS}

    def _remember(self, number: int, car: str) -> None:
        self._cars[str(number)] = car
        fresh = self._path.with_suffix(".fresh")
        fresh.write_text(json.dumps(self._cars))
        fresh.rename(self._path)

    def _session(self, outlet: OutletBackend, car: str, *, resumed: bool) -> None:
        outlet.began(lambda fact: None)
        self._read(outlet)
        outlet.heard(SessionStarted(0.0, bytes(8), car, resumed))

    def _read(self, outlet: OutletBackend) -> None:
        outlet.heard(OutputMeasured(7000.0, 400.0))
        outlet.heard(MeterRead(MeterReading(f"M{outlet.evse}", float(time.time_ns() // 1_000_000), 0.0, time.time())))

    async def begin(self) -> None:
        """What the hardware tells after a start: who is plugged in."""
        for number, outlet in self._outlets.items():
            car = self._cars.get(str(number), "")
            outlet.heard(PilotIs("B" if car else "A"))
            if car and self._chance.random() < 0.8:
                self._session(outlet, car, resumed=self._chance.random() < 0.5)

    async def live(self) -> None:
        """Cars come, charge and go, for ever."""
        while True:
            number = self._chance.choice(OUTLETS)
            outlet, car = self._outlets[number], self._cars.get(str(number), "")
            if not car:
                self._remember(number, f"CAR{self._chance.randrange(1000)}")
                outlet.heard(PilotIs("B"))
                self._session(outlet, self._cars[str(number)], resumed=False)
            elif self._chance.random() < 0.05:
                self.leave(number)
            else:
                self._read(outlet)
                outlet.heard(self._chance.choice((PowerStarted(0.0), PowerStopped(0.0))))
            await asyncio.sleep(self._chance.uniform(0.0, 0.01))

    def leave(self, number: int) -> None:
        """The car at an outlet goes."""
        outlet = self._outlets[number]
        self._remember(number, "")
        outlet.ended(Ended("Terminate"))
        outlet.heard(PilotIs("A"))


async def station(folder: Path, port: int, seed: int, *, last: bool) -> None:
    """The station's process; the last one lets every car go and ends when its CSMS has heard everything."""
    evses = {number: Evse(number, (DC.name, DC_BPT.name), LIMITS, f"DE*V2G*E{number}") for number in OUTLETS}
    charger = Charger(Clock(time.time(), time.monotonic()), secrets.token_bytes, evses)
    charger.variables["ClockCtrlr.TimeSource"] = "RealTimeClock"
    charger.variables["OCPPCommCtrlr.MessageTimeout[Default]"] = "2"
    charger.variables["OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]"] = "0"
    point = ChargePoint(Endpoint(f"ws://127.0.0.1:{port}/ocpp", "CS-1"), Bridge(charger), store=folder / "ocpp.sqlite")
    point._back_off = lambda failures: 0.02  # type: ignore[method-assign]
    hardware = Hardware(folder / "cars", point, random.Random(seed))
    await point.open()
    running = asyncio.ensure_future(point.run())
    await hardware.begin()
    if not last:
        await hardware.live()
    for number in OUTLETS:
        hardware.leave(number)
    while charger.outbox.kept or not charger.accepted:  # noqa: ASYNC110 - the bridge has no such event
        await asyncio.sleep(0.01)
    (folder / "profiles").write_text(json.dumps({id_: held.profile for id_, held in charger.profiles.held.items()}))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# --- the CSMS ---


async def csms(folder: Path, port: int, seed: int) -> None:
    """The CSMS's process: it writes down what it hears, and then answers; at times it does not."""
    log = os.open(folder / "heard", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    chance = random.Random(seed)

    async def serve_one(socket_: ServerConnection) -> None:
        asked: dict[str, Any] = {}
        async for text in socket_:
            kind, id_, *rest = json.loads(text)
            if kind == 3 and id_ in asked and rest[0].get("status") == "Accepted":
                os.write(log, (json.dumps({"accepted": asked.pop(id_)}) + "\n").encode())
            if kind != 2:
                continue
            action, payload = rest
            check("ocpp2.1", action, "Request", payload)
            if action == "TransactionEvent":
                os.write(log, (json.dumps({"event": payload}) + "\n").encode())
            if chance.random() < 0.01:
                await socket_.close()  # the answer is lost
                return
            await socket_.send(json.dumps([3, id_, ANSWERS.get(action, {})]))
            if chance.random() < 0.05:
                number = secrets.token_hex(8)
                asked[number] = made = profile(chance.randrange(20), chance.random())
                await socket_.send(json.dumps([2, number, "SetChargingProfile", {"evseId": 0, "chargingProfile": made}]))

    async with serve(serve_one, "127.0.0.1", port, subprotocols=[Subprotocol("ocpp2.1")]) as server:
        await server.serve_forever()


def profile(id_: int, value: float) -> dict[str, Any]:
    """A limit of the station, recognisable by its value."""
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 40_000 + round(value * 1000, 3)}]}
    absolute = {"startSchedule": "2026-01-01T00:00:00Z"}
    named = {"chargingProfilePurpose": "ChargingStationMaxProfile", "chargingProfileKind": "Absolute"}
    return {"id": id_, "stackLevel": id_} | named | {"chargingSchedule": [schedule | absolute]}


# --- the killing ---


def forked(work: Callable[[], Awaitable[None]]) -> int:
    """Run in a process of its own; its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the process ends with it
            asyncio.run(work())  # type: ignore[arg-type]
            code = 0
        finally:
            os._exit(code)
    return child


def killed(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def run(kills: int, seed: int, folder: Path) -> Count:
    """Kill so often; what came of it."""
    chance, count = random.Random(seed), Count()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    check("ocpp2.1", "TransactionEvent", "Request", {} | event_least())  # schemas are read before the first fork

    def begin(who: str, *, last: bool = False) -> int:
        number = chance.randrange(1 << 30)
        return forked(lambda: station(folder, port, number, last=last) if who == "station" else csms(folder, port, number))

    living = {who: begin(who) for who in ("csms", "station")}
    for _ in range(kills):
        time.sleep(chance.uniform(0.0, LONGEST))
        for who in chance.choice((("station",), ("station",), ("csms",), ("csms", "station"))):
            killed(living[who])
            count.kills[who] += 1
            living[who] = begin(who)
    killed(living["station"])
    child, until = begin("station", last=True), time.monotonic() + LAST
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.05)
        if time.monotonic() > until:
            killed(child)
            count.lost.append(f"the last events did not arrive within {LAST:g} s")
            break
    killed(living["csms"])
    judge(folder, count)
    return count


def event_least() -> dict[str, Any]:
    """The shortest TransactionEvent."""
    moment = {"timestamp": "2026-11-22T18:00:00Z", "seqNo": 0, "transactionInfo": {"transactionId": "t"}}
    return {"eventType": "Started", "triggerReason": "Trigger"} | moment


def judge(folder: Path, count: Count) -> None:
    """Hold what the CSMS wrote down against what a transaction is: every number once, from Started to Ended, registers that only rise."""
    heard: dict[str, dict[int, dict[str, Any]]] = {}
    accepted: dict[int, dict[str, Any]] = {}
    for line in (folder / "heard").read_text().splitlines():
        said = json.loads(line)
        if "accepted" in said:
            accepted[said["accepted"]["id"]] = said["accepted"]
            count.profiles += 1
            continue
        event = said["event"]
        id_, number = event["transactionInfo"]["transactionId"], event["seqNo"]
        events = heard.setdefault(id_, {})
        count.events += 1
        if number in events:
            count.repeated += 1
            if events[number] != event:
                count.doubled.append(f"{id_} {number}: {events[number]} and {event}")
        elif number != len(events):
            count.lost.append(f"{id_}: {number} came after {len(events) - 1}")
        events.setdefault(number, event)
    for id_, events in heard.items():
        judge_one(id_, [events[number] for number in sorted(events)], count)
    held = json.loads((folder / "profiles").read_text()) if (folder / "profiles").exists() else {}
    count.lost += [f"profile {id_} is not there" for id_ in accepted if str(id_) not in held]


def judge_one(id_: str, events: list[dict[str, Any]], count: Count) -> None:
    """One transaction, its events in order."""
    count.transactions += 1
    count.resumed += any(event["triggerReason"] == "TxResumed" for event in events)
    count.cut += events[-1]["transactionInfo"].get("stoppedReason") == "PowerLoss"
    kinds = [event["eventType"] for event in events]
    if kinds[0] != "Started" or kinds[-1] != "Ended" or set(kinds[1:-1]) - {"Updated"}:
        count.lost.append(f"{id_}: {kinds}")
    values = [value for event in events for one in event.get("meterValue", []) for value in one["sampledValue"]]
    shown = [value["value"] for value in values if value["measurand"] == REGISTER]
    if shown != sorted(shown):
        count.lost.append(f"{id_}: the register goes back")
    if not shown:
        count.lost.append(f"{id_}: no register")


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz.kills_ocpp", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--folder", type=Path, help="where to leave what was written; default: a temporary folder")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        count = run(given.kills, given.seed, given.folder or Path(place))
    print(f"seed {given.seed}: killed {given.kills} times, {count.kills['station']} x the station, {count.kills['csms']} x the CSMS")
    print(
        f"{count.events} events heard, {count.repeated} of them again; {count.transactions} transactions, {count.resumed} resumed,", end=" "
    )
    print(f"{count.cut} ended with PowerLoss; {count.profiles} profiles accepted")
    print(f"{len(count.lost)} lost, {len(count.doubled)} doubled")
    for fault in (*count.lost[:5], *count.doubled[:5]):
        print(fault, file=sys.stderr)
    return int(bool(count.lost or count.doubled))


if __name__ == "__main__":
    sys.exit(main())
