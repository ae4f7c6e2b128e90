"""Soak a station: `python -m fuzz.soak --sessions 10000 [--outlets 4] [--seed N] [--only FAULT]`.

One `v2g secc` process with several outlets, and at each of them one car after the other, every car a process of its own: some charge and
leave, most are reset, cut, garbled, hostile inside TLS, silent, slow to read, killed (SIGKILL) or stopped (SIGSTOP) at a random moment, or
come with idle connections beside them. What each does follows from the seed and its number; when it happens is the machine's. The hardware
is simulated and has a tell-tale of its contactor that this program reads beside the station (`fuzz/soak/outlet.py`).

Held to: every contactor is open soon after its car has gone, and none closes without a session; every car that means well charges (one that
missed a timer of the standard, as on a machine that has no processor to spare, is followed by another, six in all; for any other reason, or
after those, the listener counts as dead); at the end every outlet serves one more car, descriptors are what they were, the memory's slope
after the first 500 sessions is below its bound, no exception is in the log, and the station ends in order by SIGTERM.

Exit codes: 0 all of it held, 1 something did not, 2 the station could not be started.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fuzz.soak.cars import GOOD, PATIENCE, SHARES, SIGNALLED, Plan, drive
from fuzz.soak.outlet import Telltale
from pki.issue import build
from pki.plan import Plan as Certificates
from pki.store import Store, create

SETTLED: Final = 500  # sessions until caches and the allocator are full
LONG_ENOUGH: Final = 500  # sessions after those, for a slope to be one
SLOPE: Final = 1024.0  # octets a session: one connection that is kept, with its TLS, is 50 times that
OPENS: Final = 10.0  # s from the end of a car until its contactor is open, on a machine that does other things too
TIMERS: Final = ("V2G_EVCC_Msg_Timeout", "the station closed the connection")  # so a car says that it, or the station, missed a timer
CHANCES: Final = 6  # cars, until an outlet that let each miss a timer counts as dead
LOOK: Final = 0.004  # s between two looks at every car
CONFIG = """
host = "::1"
pki = {pki}
[offer]
services = ["DC", "DC_BPT"]
controls = ["Scheduled", "Dynamic"]
authorizations = ["EIM", "PnC"]
"""
OUTLET = """
[[outlet]]
evse_id = "DE*V2G*E{name}"
port = {port}
[outlet.hardware]
driver = "fuzz.soak.outlet:SoakedEVSE"
options = {{ file = {file}, place = {place}, outlets = {outlets} }}
"""


@dataclass
class Station:
    """`v2g secc` in its own process, with its tell-tales; its lines are in `lines`, its log in `log`."""

    process: "subprocess.Popen[bytes]"
    ports: tuple[int, ...]
    telltale: Telltale
    lines: Path
    log: Path

    def status(self, name: str) -> int:
        """A figure of /proc: VmRSS (KiB), Threads."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
        return 0

    def descriptors(self) -> int:
        """How many are open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@dataclass
class Findings:
    """What was counted, and what must not be."""

    cars: Counter[str] = field(default_factory=Counter)
    charged: Counter[str] = field(default_factory=Counter)  # of each fault, how many cars had power
    memory: list[tuple[int, int]] = field(default_factory=list)  # sessions so far, KiB
    found: list[str] = field(default_factory=list)
    again: int = 0  # cars that were sent after one that had missed a timer
    opened: float = 0.0  # s, the longest from the end of a car to its contactor open

    def say(self, what: str) -> None:
        """Something that must not be; it is said when it happens."""
        self.found.append(what)
        print(f"  <-- {what}", flush=True)


@dataclass
class Guest:
    """A car that is there: its process, and where it will say how it ended."""

    plan: Plan
    pid: int
    reading: int
    begun: float
    chance: int = 1  # how many came for this number, after those that meant well and were not served
    signalled: bool = False
    wakes: float | None = None  # when a stopped one goes on


class Lane:
    """One outlet and the cars that come to it, one after the other."""

    def __init__(self, place: int, station: Station, store: Store, seed: int, findings: Findings):
        self._place, self._station, self._store, self._seed, self._findings = place, station, store, seed, findings
        self.guest: Guest | None = None
        self._left: float | None = None  # when the last car left, until its contactor is open

    @property
    def free(self) -> bool:
        """Whether the next car may come."""
        return self.guest is None and self._left is None

    def invite(self, plan: Plan, chance: int = 1) -> None:
        """Let a car come."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            _be_a_car(plan, self._seed, self._station, self._place, self._store, writing)
        os.close(writing)
        self.guest = Guest(plan, pid, reading, time.monotonic(), chance)

    def look(self) -> None:
        """Do what is due; hear how the car ended when it has."""
        now = time.monotonic()
        if self._left is not None:
            self._watch(now)
        if (guest := self.guest) is None:
            return
        self._signal(guest, now)
        pid, _ = os.waitpid(guest.pid, os.WNOHANG)
        if pid == 0:
            if now > guest.begun + PATIENCE + 20.0:
                self._findings.say(f"car {guest.plan.number} ({guest.plan.fault}) never ended")
                os.kill(guest.pid, signal.SIGKILL)
            return
        with os.fdopen(guest.reading, "rb") as said:
            text = said.read()
        self.guest, self._left = None, now
        self._heard(guest, json.loads(text) if text else {"well": False, "reason": "it was killed", "power": None})

    def _signal(self, guest: Guest, now: float) -> None:
        """Kill a car, stop it, or let it go on."""
        plan = guest.plan
        if plan.fault in SIGNALLED and not guest.signalled and now >= guest.begun + plan.after:
            guest.signalled = True
            os.kill(guest.pid, signal.SIGKILL if plan.fault == "kill -9" else signal.SIGSTOP)
            guest.wakes = now + plan.hold if plan.fault == "SIGSTOP" else None
        if guest.wakes is not None and now >= guest.wakes:
            guest.wakes = None
            if not plan.wakes:
                os.kill(guest.pid, signal.SIGKILL)
            os.kill(guest.pid, signal.SIGCONT)

    def _heard(self, guest: Guest, said: dict[str, Any]) -> None:
        plan, findings = guest.plan, self._findings
        findings.cars[plan.fault] += 1
        findings.charged[plan.fault] += bool(said["power"])
        if plan.fault not in GOOD or (said["well"] and said["power"]):
            return
        starved = any(timer in said["reason"] for timer in TIMERS)
        if guest.chance == CHANCES or not starved:
            findings.say(f"outlet {self._place + 1} serves no car: number {plan.number} ({plan.fault}) ended by {said['reason']!r}")
            return
        findings.again += 1
        print(
            f"  car {plan.number} ({plan.fault}) at outlet {self._place + 1} ended by {said['reason']!r}: another one is sent", flush=True
        )
        self.invite(Plan.of(self._seed, plan.number, "none"), guest.chance + 1)

    def _watch(self, now: float) -> None:
        """The contactor after the car has gone."""
        assert self._left is not None
        took = now - self._left
        if not self._station.telltale.read(self._place)["closed"]:
            self._findings.opened, self._left = max(self._findings.opened, took), None
        elif took > OPENS:
            self._findings.say(f"the contactor of outlet {self._place + 1} is still closed {took:.0f} s after its car has gone")
            self._left = None


def _be_a_car(plan: Plan, seed: int, station: Station, place: int, store: Store, writing: int) -> None:
    """What the child does. It never returns."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        log = os.open(station.log.with_name("cars.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.write(writing, json.dumps(drive(plan, seed, station.ports[place], store)).encode())
    except BaseException as error:
        os.write(writing, json.dumps({"well": False, "reason": f"{type(error).__name__}: {error}", "power": None}).encode())
    finally:
        os._exit(0)


# --- the station ---


def _free() -> int:
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return int(sock.getsockname()[1])


def station(folder: Path, outlets: int) -> Station:
    """Start one and wait until it listens everywhere. Raises RuntimeError."""
    file, config, lines, log = (folder / name for name in ("telltale", "station.toml", "station.jsonl", "station.log"))
    telltale, ports = Telltale(file, outlets), tuple(_free() for _ in range(outlets))
    rows = [OUTLET.format(name=n + 1, port=port, file=json.dumps(str(file)), place=n, outlets=outlets) for n, port in enumerate(ports)]
    config.write_text(CONFIG.format(pki=json.dumps(str(folder / "pki"))) + "".join(rows))
    with lines.open("wb") as out, log.open("wb") as complaints:
        command = [sys.executable, "-m", "v2g", "secc", "--config", str(config), "--json"]
        process = subprocess.Popen(command, stdout=out, stderr=complaints)
    until = time.monotonic() + 60.0
    while time.monotonic() < until and process.poll() is None:
        if lines.read_text().count('"listening"') == outlets:
            return Station(process, ports, telltale, lines, log)
        time.sleep(0.1)
    process.kill()
    process.wait()
    raise RuntimeError(f"the station did not start:\n{log.read_text()}")


def stopped(where: Station, findings: Findings) -> Counter[str]:
    """End the station; how its sessions ended, by its own account."""
    if where.process.poll() is None:
        where.process.terminate()
    try:
        code = where.process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        where.process.kill()
        code = where.process.wait()
        findings.say("the station did not end by SIGTERM within 60 s")
    if code:
        findings.say(f"the station ended with exit code {code}")
    log = where.log.read_text(errors="replace")
    for sign in ("Traceback", "internal error", "CRITICAL", "never retrieved", "never awaited"):
        if sign in log:
            findings.say(f"{log.count(sign)} times {sign!r} in the log, the first: ...{log[max(0, log.index(sign) - 300) :][:1500]}")
    ends = [json.loads(line) for line in where.lines.read_text().splitlines()]
    return Counter(end["how"] for end in ends if end["event"] == "ended")


# --- the soak ---


def soak(where: Station, store: Store, options: argparse.Namespace, findings: Findings) -> None:
    """Every car, then the last looks."""
    lanes = [Lane(place, where, store, options.seed, findings) for place in range(options.outlets)]
    _round(lanes, [Plan.of(options.seed, -1 - n, "none") for n in range(len(lanes))], where, findings)  # what is made once is made
    descriptors, findings.cars, findings.charged = where.descriptors(), Counter(), Counter()
    _round(lanes, [Plan.of(options.seed, n, options.only) for n in range(options.sessions)], where, findings)
    for place, lane in enumerate(lanes):
        last = Plan.of(options.seed, options.sessions + place, "none")
        if where.process.poll() is None:
            _round([lane], [last], where, findings)
    if where.process.poll() is not None:
        findings.say(f"the station is gone, with exit code {where.process.returncode}")
        return
    until = time.monotonic() + 90.0  # what was left half open goes by its own timers
    while where.descriptors() > descriptors and time.monotonic() < until:
        time.sleep(0.2)
    print(f"descriptors: {descriptors} after the first cars, {where.descriptors()} at the end; threads {where.status('Threads')}")
    if where.descriptors() > descriptors:
        findings.say(f"{where.descriptors() - descriptors} descriptors were not given back")
    for place in range(len(lanes)):
        row = where.telltale.read(place)
        if row["astray"] or row["closed"]:
            findings.say(f"the contactor of outlet {place + 1}: {row}")
    memory(findings, options.settled)


def _round(lanes: list[Lane], plans: list[Plan], where: Station, findings: Findings) -> None:
    """Send these cars, each to the next outlet that is free, until all have gone and every contactor was looked at."""
    begun, coming, done = time.monotonic(), iter(plans), 0
    following = next(coming, None)
    while where.process.poll() is None and (following is not None or not all(lane.free for lane in lanes)):
        for lane in lanes:
            if following is not None and lane.free:
                lane.invite(following)
                following, done = next(coming, None), done + 1
                findings.memory.append((done, where.status("VmRSS")))
                if done % 500 == 0:
                    pace = done / (time.monotonic() - begun)
                    print(f"{done:6} sessions, {pace:.1f} a second, {findings.memory[-1][1] / 1024:.1f} MiB", flush=True)
            lane.look()
        time.sleep(LOOK)


def memory(findings: Findings, settled: int) -> None:
    """The slope of the memory, once it has settled: least squares over every session since."""
    points = [(n, kib * 1024.0) for n, kib in findings.memory if n >= settled]
    first, last = findings.memory[0][1] / 1024, findings.memory[-1][1] / 1024
    if len(points) < LONG_ENOUGH:
        print(f"memory: {first:.1f} MiB at first, {last:.1f} at the end; {len(points)} sessions after {settled} are too few for a slope")
        return
    n, m = (sum(column) / len(points) for column in zip(*points, strict=True))
    slope = sum((a - n) * (b - m) for a, b in points) / sum((a - n) ** 2 for a, _ in points)
    print(f"memory: {first:.1f} MiB at first, {last:.1f} at the end; {slope:+.0f} octets a session after {settled}")
    if slope > SLOPE:
        findings.say(f"memory grows by {slope:.0f} octets a session, allowed are {SLOPE:.0f}")


def report(findings: Findings, ends: Counter[str], where: Station, seconds: float, outlets: int) -> None:
    """What was counted."""
    print(f"{'cars':12}{'came':>7}{'charged':>9}")
    for fault in SHARES:
        if findings.cars[fault]:
            print(f"{fault:12}{findings.cars[fault]:7}{findings.charged[fault]:9}")
    rows = [where.telltale.read(place) for place in range(outlets)]
    closings, openings, began = (sum(row[name] for row in rows) for name in ("closings", "openings", "began"))
    print(
        f"{sum(findings.cars.values())} cars in {seconds:.0f} s; sessions that ended, by the station: "
        + ", ".join(f"{how} {count}" for how, count in ends.most_common())
    )
    print(
        f"contactors: {began} sessions, closed {closings} times, opened {openings}; at most {findings.opened:.2f} s after the car had gone"
    )
    print(f"sent again after a missed timer: {findings.again}; found: {len(findings.found)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Play it."""
    parser = argparse.ArgumentParser("python -m fuzz.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--outlets", type=int, default=4, help="cars at once (default 4)")
    parser.add_argument("--seed", type=int, default=15118)
    parser.add_argument("--settled", type=int, default=SETTLED, help=f"sessions before the memory is measured (default {SETTLED})")
    parser.add_argument("--only", choices=list(SHARES), help="every car has this fault")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # the station is ended with this program
    print(f"seed {options.seed}", flush=True)
    findings, begun = Findings(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create(folder / "pki", [build(Certificates(), "secp521r1", datetime.now(UTC))])
        store = Store(folder / "pki")
        try:
            where = station(folder, options.outlets)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
        try:
            soak(where, store, options, findings)
        finally:
            ends = stopped(where, findings)
        report(findings, ends, where, time.monotonic() - begun, options.outlets)
    return int(bool(findings.found))


if __name__ == "__main__":
    sys.exit(main())
