"""One whole session on this machine: CSMS, station and car as three processes on real sockets, with all files that they write.

The CSMS and the station run as processes of their own, started with the very commands that a user would type; the car is driven from here,
so that its progress can be told as it happens. Afterwards the demo looks at what each of them saw and says whether it all fits together.
"""

import asyncio
import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from evcc.car import Wish
from evcc.client import Visit
from evcc.config import Config
from evcc.generations import conducts_named
from evcc.goal import Goal
from evcc.trust import TlsVersion, equip, vehicle_tls
from pki import signature as xmldsig
from pki.profiles import Role
from pki.store import Store
from v2g.address import host_and_port
from v2g.iso20.services import DC_BPT, SERVICES
from v2g.session.endpoint import Event, FrameReceived
from v2g.session.link import Observe, Observer
from v2gkit.insight.narrator import Narrator
from v2gkit.insight.readings.table import RESPONSES as LOOPS
from v2gkit.insight.viewer.report import written
from v2gkit.insight.witness import Left, witnesses
from v2gkit.lab.party import LEAVING, Party, Tell, party
from v2gkit.wall import MOMENT, SharedClock, shared_clock, wall_of

STARTING = 120.0  # s that a party may take to be ready, after which it hangs: on a machine that is starved it needs thirty
STAY = timedelta(hours=21)  # until the next morning: a midday dip, an evening peak, a night
SHORT_STAY = timedelta(hours=4)  # in -2 another schedule means another cable check, which would take half a night at that pace
ARRIVAL = 9.5  # h of local (here: UTC) time, on the day after tomorrow's prices are known
PATIENCE = 2.0  # an idle machine has power after three seconds, a starved one after thirty, and its loops take as much longer
SLOWEST = 60.0  # s of preparation, beyond which it is not the machine
SECONDS = 10.0  # s that the stay lasts for those who watch, from the first power
STOOD_STILL = 3600.0  # s of the stay without a charge loop, from which a machine has skipped too much of it to judge what was charged
TOPICS = {  # of the CSMS's story -> what it did
    "boot": "received a BootNotification",
    "status": "received a StatusNotification",
    "authorize": "been asked to authorize",
    "transaction": "received TransactionEvents",
    "needs": "been told the charging needs",
    "profile": "sent a charging profile",
    "chosen": "been told the schedule that the car follows",
}
STATION = Template("""\
host = "::1"
port = 0

[offer]
services = ["$service"]

[hardware]
limits = { $limits }
physics = { amperes_per_second = 4000 }  # the night passes fast, a ramp takes real time

[site]
import_limit = 17000  # W
export_limit = 11000  # W
prices = "$prices"
""")
BEST = "secp521r1"
SITE = ("--import-limit", "17000", "--export-limit", "11000")  # as the CSMS knows it
LIMITS = {  # by whether the station converts
    True: "charge_power = 11000, discharge_power = 11000, charge_current = 32, discharge_current = 32, voltage = 500",
    False: "charge_power = 11040, discharge_power = 11040, charge_current = 48, discharge_current = 48, phases = 3",
}
Watching = Callable[[Callable[[float], float]], Sequence[Observe]]
"""Makes further observers of the car, given the function of the wall time (epoch s) that its battery sees."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo shows, and the folder for its files."""

    generation: str = "20"
    service: str = DC_BPT.name
    control: str = "Scheduled"
    authorization: str = "PnC"
    output: Path = Path("demo-output")
    pki: Path | None = None  # made in the output folder when not given
    ocpp: bool = True
    install: bool = False  # the car comes without contract and gets one here
    soc: float = 40.0  # % on arrival
    seconds: float = SECONDS  # real s that the stay lasts, from the first power; more on a slow machine

    @property
    def scale(self) -> float:
        """Wall seconds per real second."""
        return self.stay / self.seconds

    @property
    def stay(self) -> float:
        """How long the car stays, in the time of the battery (s)."""
        return (STAY if self.generation == "20" else SHORT_STAY).total_seconds()

    @property
    def curves(self) -> tuple[str, ...]:
        """The curves that certificates are made on: a contract of ISO 15118-2 has another than the keys of TLS 1.3."""
        return (BEST, *(xmldsig.ISO2 if self.generation == "2" else ()))

    @property
    def tls(self) -> tuple[TlsVersion, ...]:
        """The version of TLS that its car speaks; none for DIN SPEC 70121, which has plain TCP alone."""
        if self.generation == "DIN":
            return ()
        return ("1.2",) if self.generation == "2" else ("1.3",)

    @property
    def bidirectional(self) -> bool:
        """Whether the service lets energy flow back."""
        return SERVICES[self.service].bidirectional


@dataclass(slots=True)
class Outcome:
    """The result of the demo: the car's result, what the CSMS heard, and every expectation that was not met."""

    car: dict[str, Any] = field(default_factory=dict)
    heard: list[dict[str, Any]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    stood_still: str = ""  # that the machine skipped a part of the stay, in words
    complaints: list[str] = field(default_factory=list)  # what is no part of the session, and is said nevertheless

    @property
    def well(self) -> bool:
        """Whether every expectation was met."""
        return not self.missed

    def expect(self, met: object, what: str) -> None:
        """Note the expectation `what` as missed, unless it was `met`."""
        if not met:
            self.missed.append(what)


class Daybreak(Observer):
    """Starts the fast clock of all parties with the first power: until then time is real, as a slow machine needs it.

    The time that this takes measures the machine: the stay lasts at least `PATIENCE` times as long.
    """

    def __init__(self, clock: SharedClock, stay: float):
        self._clock, self._stay = clock, stay
        self._last: float | None = None  # wall time (epoch s) of the last loop
        self.skipped = 0.0  # s, the most of the stay between two loops, or behind the last

    def event(self, event: Event) -> None:
        """Start the fast clock at the first response of a charge loop; note what lies between two, and behind the last."""
        if self._last is not None:
            self.skipped = max(self.skipped, self._clock.wall(event.at) - self._last)
        if isinstance(event, FrameReceived) and isinstance(event.message, LOOPS):
            self._last = self._clock.wall(event.at)
            preparation = min(event.at - self._clock.started, SLOWEST)
            self._clock.let_go(event.at, self._stay / (PATIENCE * preparation))


async def perform(plan: Plan, tell: Tell, watch: Watching = lambda wall: ()) -> Outcome:
    """Run the whole demo. Raises RuntimeError when a party does not start; CancelledError after SIGTERM, once all have ended in order."""
    task = asyncio.current_task()
    with contextlib.suppress(NotImplementedError):  # a platform without signals in its loop
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: task and task.cancel())
    plan.output.mkdir(parents=True, exist_ok=True)
    pki = plan.pki or await _certificates(plan.output / "certs", plan.curves, tell)
    Store(pki)  # what is wrong with it is said before anybody starts
    outcome = Outcome()
    async with contextlib.AsyncExitStack() as stack:
        moment = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="v2g-demo."))) / "power"
        moment.write_bytes(MOMENT.pack(0.0, 0.0))
        clock = shared_clock(moment, _arrival(datetime.now(UTC)).timestamp(), time.monotonic(), plan.scale)
        night = ["--time-scale", str(clock.scale), "--epoch", str(clock.epoch), "--epoch-at", str(clock.started), "--hold", str(moment)]
        arguments = ["--config", str(_station(plan)), "--pki", str(pki), "--once", "--json", *night]
        arguments += ["--trace", str(plan.output / "station-trace.jsonl")]
        csms = await _csms(plan, pki, night, tell, stack, arguments) if plan.ocpp else None
        if plan.install:
            arguments += await _provider(plan, pki, tell, stack)
        station = await stack.enter_async_context(party("the station", plan.output / "station.jsonl", None, "secc", *arguments))
        listening = await station.says(lambda line: line.get("event") == "listening", STARTING)
        tell(f"station    {listening['evse']} at {listening['address']}")
        outcome.car = await _drive(plan, _car(plan, pki), clock, host_and_port(listening["address"]), (tell, watch), outcome)
        outcome.expect(await station.finish(4 * LEAVING) == 0, f"the station should have ended well; see {plan.output / 'station.jsonl'}")
        if csms is not None:
            await csms.finish(LEAVING, ask=True)
            outcome.heard = csms.said
    _judge(plan, outcome)
    try:
        _report(plan, outcome)
    except (OSError, ValueError) as error:  # the session was what it was, with a page or without
        outcome.complaints.append(f"no report: {error}")
    return outcome


async def _csms(plan: Plan, pki: Path, night: list[str], tell: Tell, stack: contextlib.AsyncExitStack, arguments: list[str]) -> Party:
    """The CSMS, and what the station must be told of it."""
    command = ["csms", "--json", "--port", "0", "--sample-interval", "3600", *SITE, *night]
    command += ["--cps", str(pki)] if plan.install else []
    csms = await stack.enter_async_context(party("the CSMS", plan.output / "csms.jsonl", tell, *command))
    address = (await csms.says(lambda line: line["topic"] == "listening", STARTING))["url"].rpartition("/")[0]
    tell(f"CSMS       OCPP 2.1 at {address}")
    arguments += ["--ocpp", address]
    return csms


async def _provider(plan: Plan, pki: Path, tell: Tell, stack: contextlib.AsyncExitStack) -> list[str]:
    """Who hands out contracts: the CSMS, or a provisioning service of its own; how the station gets there."""
    if plan.ocpp:
        return ["--installation"]
    command = ["pki", "cps", "--store", str(pki), "--port", "0", "--json"]
    provider = await stack.enter_async_context(party("the provisioning service", plan.output / "cps.jsonl", None, *command))
    url = (await provider.says(lambda line: "url" in line, STARTING))["url"]
    tell(f"CPS        contracts at {url}")
    return ["--cps", url]


def _car(plan: Plan, pki: Path) -> Store:
    """A directory of the car's own: what it left its factory with, and unless it gets one here its contracts. Nothing of the station's."""
    own, parts = plan.output / "car", ["roots", Role.VEHICLE.value, Role.PROVISIONING.value]
    if not plan.install:
        parts += [Role.CONTRACT.value, Role.TARIFF.value, "crl"]
    shutil.rmtree(own, ignore_errors=True)
    for part in parts:
        if (pki / part).exists():
            shutil.copytree(pki / part, own / part)
    return Store(own)


async def _certificates(folder: Path, curves: Sequence[str], tell: Tell) -> Path:
    asked = [word for curve in curves for word in ("--curve", curve)]
    if not folder.exists():  # noqa: ASYNC240 - nothing else runs yet
        tell(f"PKI        makes certificates in {folder}")
        async with party("the PKI", folder.with_suffix(".log"), None, "pki", "create", str(folder), *asked) as making:
            if await making.process.wait() != 0:
                raise RuntimeError(f"no certificates: {making.last_words}")
    return folder


def _station(plan: Plan) -> Path:
    """The configuration of the station: an 11 kW outlet, at which a stay of hours takes hours, and the example prices."""
    config = plan.output / "station.toml"
    limits, prices = LIMITS[SERVICES[plan.service].dc], files("v2gkit.lab") / "data" / "day_ahead.csv"
    config.write_text(STATION.substitute(service=plan.service, limits=limits, prices=prices))
    return config


def _arrival(now: datetime) -> datetime:
    """The coming day's arrival time, so that the prices of a whole day lie ahead."""
    return (now + timedelta(days=1)).replace(hour=int(ARRIVAL), minute=int(ARRIVAL % 1 * 60), second=0, microsecond=0)


async def _drive(
    plan: Plan, store: Store, clock: SharedClock, address: tuple[str, int], told: tuple[Tell, Watching], outcome: Outcome
) -> dict[str, Any]:
    wish = Wish(
        evccid=store.vehicle.common_name,  # [V2G20-2598]
        services=(plan.service,),
        control="Scheduled" if plan.control == "Scheduled" else "Dynamic",
        authorizations=("PnC",) if plan.authorization == "PnC" else ("EIM",),
        pace=0.02,
    )
    goal = Goal(target_soc=80.0, minimum_soc=30.0, maximum_soc=90.0)
    config = replace(Config(), soc=plan.soc, departure_in=plan.stay, wish=wish, goal=goal)
    car = config.car(clock, clock.started)
    if plan.authorization == "PnC":
        equip(car, store, plan.curves)
    outcome.files = {"trace": str(plan.output / "trace.jsonl"), "capture": str(plan.output / "session.pcapng")}
    left = Left(**{name: Path(path) for name, path in outcome.files.items()}, cpu=True)
    with witnesses(left, "evcc", clock.wall, warn=lambda line: None) as watch:  # its certificates are made up, and its files are told
        daybreak = Daybreak(clock, plan.stay)
        own = (lambda *_: daybreak, lambda *_: Narrator(clock, told[0]), *told[1](clock.wall))
        visit = Visit(
            car,
            tls=vehicle_tls(store, wall=wall_of(clock), versions=plan.tls) if plan.tls else None,
            observe=[*watch(), *own],
            conducts=conducts_named([plan.generation]),
        )
        under_way = asyncio.create_task(visit.at(*address))
        try:
            car_said = (await asyncio.shield(under_way)).as_dict()
            if daybreak.skipped >= STOOD_STILL:
                outcome.stood_still = f"the machine stood still for {daybreak.skipped / 3600:.1f} h of the stay; give it more --seconds"
            return car_said
        except asyncio.CancelledError:  # Ctrl-C: the trace is open until the car has left
            visit.stop("the demo was stopped")
            await asyncio.wait([under_way], timeout=LEAVING)
            under_way.cancel()
            raise


def _judge(plan: Plan, outcome: Outcome) -> None:
    """Whether it was what was asked for, seen from the car and from the CSMS."""
    car = outcome.car
    outcome.expect(car["ok"], f"the car's session should have ended well: {car['reason']}")
    outcome.expect(car["service"] == plan.service, f"service {plan.service} was wanted, {car['service']} was selected")
    outcome.expect(car["control"] == plan.control.lower(), f"{plan.control} control was wanted, {car['control']} was selected")
    outcome.expect(car["auth"] == plan.authorization.lower(), f"{plan.authorization} was wanted, {car['auth']} was used")
    link = f"TLSv{plan.tls[0]}" if plan.tls else None
    outcome.expect(car["tls"] == link, f"{link or 'plain TCP'} was wanted, it was {car['tls'] or 'plain TCP'}")
    outcome.expect(car["energy_charged"] > 1000, f"more than 1 kWh should have been charged, it was {car['energy_charged']} Wh")
    if plan.install:
        outcome.expect(
            car["contract"] in car["installed"], f"a contract should have been installed and used, there came {car['installed']}"
        )
    if plan.bidirectional:
        outcome.expect(
            car["energy_discharged"] > 1000, f"more than 1 kWh should have been discharged, it was {car['energy_discharged']} Wh"
        )
    if plan.ocpp:
        _judge_story(outcome)
    if outcome.missed and outcome.stood_still:
        outcome.missed.append(outcome.stood_still)


def _judge_story(outcome: Outcome) -> None:
    """Whether the CSMS heard the whole story, and whether what it ordered reached the car."""
    heard = {topic: [line for line in outcome.heard if line["topic"] == topic] for topic in TOPICS}
    for topic, what in TOPICS.items():
        outcome.expect(heard[topic], f"the CSMS should have {what}")
    events = [line["facts"]["eventType"] for line in heard["transaction"]]
    outcome.expect(
        events[:1] == ["Started"] and events[-1:] == ["Ended"], f"a transaction should begin and end, it was {events[:1]} to {events[-1:]}"
    )
    answers = {line["facts"].get("answer", {}).get("status") for line in heard["profile"]}
    outcome.expect(answers == {"Accepted"}, f"the station should have taken the charging profile, it said {answers}")


def _report(plan: Plan, outcome: Outcome) -> None:
    report = plan.output / "report.html"
    report.write_text(written(plan.output), encoding="utf-8")
    outcome.files["report"] = str(report)
