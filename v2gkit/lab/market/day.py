"""Plays the day of a market: processes on real sockets, a call to draw less, a dispatch to give, a lost link; then the judgement."""

import asyncio
import contextlib
import json
import secrets
import signal
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from evcc.car import Wish
from evcc.config import Config
from evcc.ev import Battery
from evcc.goal import Goal
from v2g.address import host_and_port
from v2g.iso20.services import DC_BPT
from v2gkit.lab.fleet import Fleet, Member, members_of
from v2gkit.lab.market.device import Device
from v2gkit.lab.market.judgement import Judged, judged
from v2gkit.lab.market.scene import BOX, LEASE, NO_SETPOINT, POWER, WALLBOX, Scene
from v2gkit.lab.market.seen import Seen
from v2gkit.lab.market.utility import Utility
from v2gkit.lab.party import LEAVING, Party, Tell, party
from v2gkit.wall import MOMENT, SharedClock, shared_clock

STARTING: Final = 180.0  # s that a party, or a car until its power flows, may take on a machine that is starved
STAY: Final = 20 * 3_600.0  # wall s
SECONDS: Final = 110.0  # s that the stay lasts
LOOK: Final = 0.05  # s between two looks at what flows
GRACE: Final = 4.0  # s for a limit that has come, or changed, to be kept; 3 s are aimed at for a call
STEP: Final = 0.02  # of a connection: what meters and converters err
CONTROL: Final = "C0FFEE01"  # mRID of the utility's DER control
CURBED: Final = 0.5  # of the shop's connection, that it may draw by that
CALLED: Final = 0.45  # of the metro's connection, that it may draw on call
GIVEN: Final = 0.25  # of what its cars can give, that is dispatched
WISH: Final = Wish(services=(DC_BPT.name,), control="Dynamic", authorizations=("EIM",), pace=0.25)
GOAL: Final = Goal(target_soc=70.0, minimum_soc=15.0, maximum_soc=90.0)


@dataclass(slots=True)
class _Limits:
    """What each tenant may draw at this moment (W), and since when (monotonic s) that is so."""

    now: dict[str, float]
    since: dict[str, float]

    def put(self, tenant: str, power: float) -> None:
        """Let another limit hold from now on."""
        self.now[tenant], self.since[tenant] = power, time.monotonic()


class Day:
    """One market in a folder."""

    def __init__(self, folder: Path, stations: int, seconds: float, tell: Tell) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.scene, self._seconds, self._tell = Scene.of(folder, stations), seconds, tell
        self.device, self.seen = Device(self._followed), Seen()
        self.utility = Utility(secrets.token_hex(20).upper(), self._wall)
        self._fleet: Fleet | None = None
        self._time: SharedClock | None = None
        self._secrets: dict[str, str] = {}
        self._limits = _Limits(dict(self.scene.limits), dict.fromkeys(self.scene.limits, 0.0))

    async def play(self) -> Judged:
        """The whole day, and what came of it. Raises RuntimeError where a party does not start."""
        async with contextlib.AsyncExitStack() as stack:
            self._time = clock = self._clock(stack)
            night = ["--time-scale", str(clock.scale), "--epoch", str(clock.epoch), "--epoch-at", str(clock.started)]
            night += ["--hold", str(self.scene.folder / "moment")]
            vtn, fleet = await self._centre(stack, night)
            stations = await self._stations(stack, night, fleet)
            cars = await self._cars(clock, stations)
            under_way = asyncio.create_task(cars.drive())
            watching = asyncio.create_task(self._watch())
            try:
                await self._powered(cars)
                clock.let_go(time.monotonic())
                self._tell("power flows; from here on the day takes " + f"{self._seconds:g} s")
                await self._events(vtn)
                self.seen.answers = self.utility.answers
                self.seen.ended = clock.wall(time.monotonic())
                self.seen.cars = await under_way
            finally:
                watching.cancel()
                under_way.cancel()
                await asyncio.gather(watching, under_way, return_exceptions=True)
            for station in stations:
                await station.finish(LEAVING, ask=True)
            await asyncio.sleep(1.0)  # the last words of the stations are with the fleet
            await fleet.finish(LEAVING, ask=True)
        return await judged(self.scene, self.seen, clock.wall(time.monotonic()))

    # --- the parties ---

    def _clock(self, stack: contextlib.AsyncExitStack) -> SharedClock:
        moment = self.scene.folder / "moment"
        moment.write_bytes(MOMENT.pack(0.0, 0.0))
        morning = (datetime.now(UTC) + timedelta(days=1)).replace(hour=7, minute=0, second=0, microsecond=0)
        return shared_clock(moment, morning.timestamp(), time.monotonic(), STAY / self._seconds)

    async def _centre(self, stack: contextlib.AsyncExitStack, night: list[str]) -> tuple[Party, Party]:
        folder = self.scene.folder
        if not (folder / "certs").exists():
            async with party("the PKI", folder / "certs.log", None, "pki", "create", str(folder / "certs")) as making:
                if await making.process.wait() != 0:
                    raise RuntimeError(f"no certificates: {making.last_words}")
        self.device.put(BOX, 0, NO_SETPOINT)
        self.device.put(WALLBOX, 0, 1_000)
        self.device.put(WALLBOX, 2, 1_000)
        port = await stack.enter_async_context(self.device.served())
        self._secrets = self.scene.clients()
        vtn = await stack.enter_async_context(
            party("the VTN", folder / "vtn.jsonl", None, "vtn", str(folder / "vtn.toml"), "--port", "0", "--json")
        )
        url = (await vtn.says(lambda line: "url" in line, STARTING))["url"]
        self._tell(f"VTN        OpenADR 3.1 at {url}; Modbus at 127.0.0.1:{port}")
        await asyncio.to_thread(self._programs, url)
        utility = await stack.enter_async_context(self.utility.served())
        self._tell(f"utility    IEEE 2030.5 at {utility}")
        self.scene.write(url, f"127.0.0.1:{port}", utility, self.utility.lfdi)
        command = ["fleet", str(folder / "fleet.toml"), "--state", str(folder / "state"), "--port", "0", "--json"]
        command += ["--lease", str(LEASE), "--sample-interval", "600", *night]
        command += ["--solvers", "0"]  # a second is eleven minutes of this day, and a plan takes one: cars would leave short
        fleet = await stack.enter_async_context(party("the fleet", folder / "fleet.jsonl", self._story, *command))
        return vtn, fleet

    def _story(self, line: str) -> None:
        self._tell(line.replace("CSMS ", "fleet", 1))

    async def _stations(self, stack: contextlib.AsyncExitStack, night: list[str], fleet: Party) -> list[Party]:
        url = (await fleet.says(lambda line: line.get("topic") == "listening", STARTING))["url"]
        self._tell(f"fleet      OCPP 2.1 at {url}")
        started = []
        for number, place in enumerate(self.scene.places, 1):
            file = self.scene.station(place, number, url)
            log = self.scene.folder / f"{place.name}.jsonl"
            started.append(await stack.enter_async_context(party(place.name, log, None, "secc", "--config", str(file), "--json", *night)))
        for one in started:
            await one.says(lambda line: line.get("event") == "listening", STARTING)
        self._tell(f"stations   {len(started)} of them listen")
        return started

    async def _cars(self, clock: SharedClock, stations: list[Party]) -> Fleet:
        said = [next(line for line in one.said if line.get("event") == "listening") for one in stations]
        addresses = [host_and_port(line["address"]) for line in said]
        own = Config(
            soc=30.0,
            departure_in=STAY * 0.93,
            wish=WISH,
            goal=GOAL,
            battery=Battery(capacity=60_000.0),
            pki=str(self.scene.folder / "certs"),
        )
        members = await asyncio.to_thread(members_of, [own], len(addresses), addresses, clock, 7, "charge")
        self._fleet = Fleet(members, clock, 1.0)
        return self._fleet

    async def _powered(self, cars: Fleet) -> None:
        """Wait until every car is in its charge loop."""
        async with asyncio.timeout(STARTING):
            while not all(each.progress is not None and each.progress.looped for each in cars.members):
                if failed := next((each for each in cars.members if each.said is not None), None):
                    raise RuntimeError(f"car {failed.number} did not come to charge: {(failed.said or {}).get('reason')}")
                await asyncio.sleep(LOOK)

    # --- what happens ---

    async def _events(self, vtn: Party) -> None:
        """The day: calls of VTN and utility soon after the cars have come, a dispatch at night, a link that is lost after it."""
        url = next(line["url"] for line in vtn.said if "url" in line)
        await asyncio.sleep(0.06 * self._seconds)
        await asyncio.gather(self._call(url), self._curb())
        await asyncio.sleep(0.22 * self._seconds)
        await self._dispatch()
        await asyncio.sleep(0.05 * self._seconds)
        await self._lose(vtn)

    async def _call(self, url: str) -> None:
        limit = self.scene.limits["metro"]
        before = self.power("metro")
        self.seen.called = CALLED * limit
        lasts = 0.15 * self._seconds
        began = time.monotonic()
        await asyncio.to_thread(self._event, url, self.seen.called, 0.15 * STAY)
        self._limits.put("metro", self.seen.called)
        self._tell(f"VTN        the metro may draw {self.seen.called / 1000:.1f} kW, and draws {before / 1000:.1f} kW")
        try:
            async with asyncio.timeout(lasts):
                powers = {each.number: _power(each) for each in self._of("metro")}
                while self.seen.first is None or self.seen.whole is None:
                    await asyncio.sleep(LOOK / 2)
                    now = time.monotonic() - began
                    if self.seen.first is None and any(_power(each) < powers[each.number] - 500.0 for each in self._of("metro")):
                        self.seen.first = now
                    if self.seen.whole is None and self.power("metro") <= self.seen.called + STEP * limit:
                        self.seen.whole = now
        except TimeoutError:
            pass
        if self.seen.first is not None and self.seen.whole is not None:
            self._tell(f"cars       lower after {self.seen.first:.2f} s, all of them within the call after {self.seen.whole:.2f} s")
        await asyncio.sleep(max(began + lasts - time.monotonic(), 0.0))
        self._limits.put("metro", limit)

    async def _curb(self) -> None:
        """A DER control of the shop's utility, beside the VTN's call to the metro."""
        limit, lasts = self.scene.limits["shop"], 0.15 * self._seconds
        curbed, before, began = CURBED * limit, self.power("shop"), time.monotonic()
        self.utility.curb(CONTROL, 0.15 * STAY, curbed)
        self._limits.put("shop", curbed)
        self._tell(f"utility    the shop may draw {curbed / 1000:.1f} kW, and draws {before / 1000:.1f} kW")
        while self.seen.curbed is None and time.monotonic() < began + lasts:
            await asyncio.sleep(LOOK / 2)
            if self.power("shop") <= curbed + STEP * limit:
                self.seen.curbed = time.monotonic() - began
        if self.seen.curbed is not None:
            self._tell(f"cars       the shop keeps it after {self.seen.curbed:.2f} s")
        await asyncio.sleep(max(began + lasts - time.monotonic(), 0.0))
        self._limits.put("shop", limit)

    async def _dispatch(self) -> None:
        count = len(self._of("metro"))
        wanted = -GIVEN * POWER * count
        self.device.put(BOX, 0, round(wanted))
        self._tell(f"box        the metro shall give {-wanted / 1000:.1f} kW")
        until = time.monotonic() + 0.1 * self._seconds
        while time.monotonic() < until:
            await asyncio.sleep(LOOK)
            self.seen.given = max(self.seen.given, -sum(_power(each) for each in self._of("metro")))
        self.device.put(BOX, 0, NO_SETPOINT)
        self._tell(f"cars       gave up to {self.seen.given / 1000:.1f} kW")

    async def _lose(self, vtn: Party) -> None:
        """Stop the VTN's process: its port takes connections, and nobody answers."""
        vtn.process.send_signal(signal.SIGSTOP)
        self._tell("VTN        is silent")
        try:
            await asyncio.sleep(GRACE + 12.0)  # its client waits 10 s for an answer
            self.seen.fallback = 0.0
            until = time.monotonic() + 0.1 * self._seconds
            while time.monotonic() < until:
                await asyncio.sleep(LOOK)
                self.seen.fallback = max(self.seen.fallback, self.power("metro"))
        finally:
            vtn.process.send_signal(signal.SIGCONT)
        self._tell("VTN        answers again")

    async def _watch(self) -> None:
        """Look at what flows: by how much it is above what is allowed, once a limit has had its grace."""
        while True:
            await asyncio.sleep(LOOK)
            for tenant, limit in self._limits.now.items():
                if time.monotonic() >= self._limits.since[tenant] + GRACE:
                    over = self.power(tenant) - limit
                    self.seen.passed[tenant] = max(self.seen.passed.get(tenant, 0.0), over)

    # --- what flows ---

    def power(self, tenant: str) -> float:
        """What a tenant's connection draws (W): its cars, the wallbox, the base load."""
        box = float(self.device.number(WALLBOX, 2)) if tenant == "shop" else 0.0
        return 1_500.0 + box + sum(_power(each) for each in self._of(tenant))

    def _of(self, tenant: str) -> list[Member]:
        members = [] if self._fleet is None else self._fleet.members
        return [each for each, place in zip(members, self.scene.places, strict=False) if place.tenant == tenant]

    def _followed(self, unit: int) -> None:
        """The wallbox draws what it may."""
        if unit == WALLBOX:
            self.device.put(WALLBOX, 2, self.device.number(WALLBOX, 0))

    # --- to the VTN, as the grid operator ---

    def _programs(self, url: str) -> None:
        token = self._token(url)
        for tenant in self.scene.limits:
            _asked(f"{url}/programs", token, {"objectType": "PROGRAM", "programName": tenant})

    def _event(self, url: str, power: float, seconds: float) -> None:
        token = self._token(url)
        program = next(each["id"] for each in _asked(f"{url}/programs", token, None) if each["programName"] == "metro")
        payload = {"type": "IMPORT_CAPACITY_LIMIT", "values": [round(power / 1000, 3)]}
        period = {"duration": f"PT{round(seconds)}S", "start": self._now()}
        said = {"objectType": "EVENT", "programID": program, "eventName": "call", "intervalPeriod": period}
        _asked(f"{url}/events", token, said | {"intervals": [{"id": 0, "payloads": [payload]}]})

    def _wall(self) -> float:
        assert self._time is not None
        return self._time.wall(time.monotonic())

    def _now(self) -> str:
        return datetime.fromtimestamp(self._wall(), UTC).isoformat()

    def _token(self, url: str) -> str:
        form = f"grant_type=client_credentials&client_id=utility&client_secret={self._secrets['utility']}".encode()
        with urllib.request.urlopen(urllib.request.Request(f"{url}/auth/token", form), timeout=STARTING) as answer:  # noqa: S310 - http
            token: str = json.loads(answer.read())["access_token"]
        return token


def _asked(url: str, token: str, body: Any) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=STARTING) as answer:  # noqa: S310 - our own VTN, by http on loopback
        return json.loads(answer.read())


def _power(member: Member) -> float:
    return 0.0 if member.said is not None or member.progress is None else member.progress.power


@contextlib.asynccontextmanager
async def folder_of(given: Path | None) -> AsyncIterator[Path]:
    """The folder that was given, or one that goes with the block."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="v2g-market.") as passing:
        yield Path(passing)
