"""Programs that write certificates, responses and stores, killed at random moments: what is found afterwards is whole.

    python -m fuzz.kills --kills 1000          # all of it; prints its counts, exit code 1 when anything was broken
    python -m fuzz.kills --kills 100 --only renew --seed 7

A child writes without end and tells the parent what it has finished; the parent kills it (SIGKILL) after a random time, opens what it left
as a station would, and lets the next child go on from there. A kill does not lose what the kernel holds: that files are on the disk before
they are switched is tested apart, by ending the power between any two system calls (tests/pki/test_files.py).
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ocpp_bridge.wire.outbox import Batch
from ocpp_bridge.wire.store import Store as Kept
from ocpp_bridge.wire.store import StoreError as KeptError
from pki.errors import CertificateError, StoreError
from pki.files import STAGED, SWITCHED, TEMPORARY, File, switch
from pki.issue import build
from pki.keys import ALGORITHMS
from pki.plan import Plan
from pki.profiles import Role
from pki.status import Responder, check
from pki.store import Store, create
from pki.verify import verify
from v2gkit.authorities.broken_bench import Bench

NOW = datetime.now(UTC)
SHOWN = (Role.SECC, Role.VEHICLE, Role.CONTRACT)
RING = 4  # things to write that can be told apart, taken in turns: what was finished last, or the next, must be found
CURVE = "secp521r1"


@dataclass(frozen=True, slots=True)
class Job:
    """What a child does from a step on, for ever, and what is broken afterwards, when step `done` was the last it had finished."""

    name: str
    work: Callable[[Path, int], Iterator[None]]
    broken: Callable[[Path, int], str]
    span: float  # s, the longest that a child lives


@dataclass(slots=True)
class Count:
    kills: int = 0
    steps: int = 0
    cut: int = 0  # kills that left something unfinished to be found
    broken: list[str] = field(default_factory=list)


class Writers:
    """What is written. All keys are drawn before anybody is killed."""

    def __init__(self) -> None:
        self.hierarchies = [build(Plan(responders=False), CURVE, NOW) for _ in range(RING)]
        first = self.hierarchies[0]
        bench = Bench(first, Role.SECC, NOW)
        self.renewed = [bench.again(first[Role.SECC], key=ALGORITHMS[CURVE].generate()) for _ in range(RING)]

    def jobs(self) -> tuple[Job, ...]:
        """Every way in which we write."""
        return (
            Job("renew", self.renew, self.renew_broken, 0.12),
            Job("remake", self.remake, self.remake_broken, 0.6),
            Job("afresh", self.afresh, self.afresh_broken, 0.6),
            Job("respond", self.respond, self.respond_broken, 0.06),
            Job("note", self.note, self.note_broken, 0.06),
        )

    def renew(self, path: Path, step: int) -> Iterator[None]:
        """A station renews its certificate."""
        store = Store(path)
        while True:
            step += 1
            fresh = self.renewed[step % RING]
            store.save(Role.SECC, CURVE, fresh.chain, fresh.key)
            yield

    def renew_broken(self, path: Path, done: int) -> str:
        before = [self.hierarchies[0][Role.SECC].chain] if done == 0 else []
        chains = [*before, *(self.renewed[(done + ahead) % RING].chain for ahead in (0, 1))]
        return unsound(path) or ("" if Store(path).secc.chain in chains else f"the pair of step {done} is lost")

    def remake(self, path: Path, step: int) -> Iterator[None]:
        """`v2g pki create --force`."""
        while True:
            step += 1
            create(path, [self.hierarchies[step % RING]])
            yield

    def remake_broken(self, path: Path, done: int) -> str:
        roots = [self.hierarchies[(done + ahead) % RING][Role.V2G_ROOT].certificate for ahead in (0, 1)]
        return unsound(path) or ("" if Store(path).anchors.v2g[0] in roots else f"the store of step {done} is lost")

    def afresh(self, path: Path, step: int) -> Iterator[None]:
        """`v2g pki create` in a new folder."""
        while True:
            step += 1
            create(path / f"new{step}", [self.hierarchies[step % RING]])
            yield

    def afresh_broken(self, path: Path, done: int) -> str:
        finished, begun = path / f"new{done}", path / f"new{done + 1}"
        if done and (fault := unsound(finished) if finished.is_dir() else "it is not there"):
            return f"the store of step {done}: {fault}"
        if begun.is_dir() and (fault := unsound(begun)):  # before its switch: it holds nothing, says so, and can be made
            if [one for one in begun.iterdir() if one.name != STAGED] or "v2g pki create" not in fault:
                return f"a store that is half made does not say so: {fault}"
            create(begun, [self.hierarchies[0]])
            if fault := unsound(begun):
                return f"a store that was half made cannot be finished: {fault}"
        for old in path.glob("new*"):
            if old != finished:
                shutil.rmtree(old)
        return ""

    def respond(self, path: Path, step: int) -> Iterator[None]:
        """A station keeps its OCSP response fresh."""
        store, sub = Store(path), self.hierarchies[0][Role.CPO_SUB2]
        leaf, issuer = store.secc.chain[:2]
        while True:
            store.save_response(leaf, issuer, Responder(sub.certificate, sub.certificate, sub.key, lambda serial: "good").staple(leaf, NOW))
            yield

    def respond_broken(self, path: Path, done: int) -> str:
        leaf, issuer = Store(path).secc.chain[:2]
        response = Store(path).response(leaf, issuer)
        try:
            if response is not None or done:
                check(response or b"", leaf, issuer, NOW)
        except CertificateError as error:
            return f"the response is broken: {error}"
        return ""

    def note(self, path: Path, step: int) -> Iterator[None]:
        """A station keeps events for its CSMS."""
        store = Kept(path / "ocpp.sqlite", "CS-1")
        store.open()
        while True:
            step += 1
            body = msgspec.json.encode({"action": "SecurityEventNotification", "evse": 0, "about": None, "payload": {"number": step}})
            store.commit(Batch(step, {step: body}, (step - RING,), {"transaction/1": msgspec.json.encode({"seq": step})}))
            yield

    def note_broken(self, path: Path, done: int) -> str:
        store = Kept(path / "ocpp.sqlite", "CS-1")
        try:
            found = store.open()
        except KeptError as error:
            return f"the store cannot be read: {error}"
        finally:
            store.close()
        last = found.values.get("transaction/1", {"seq": 0})["seq"]
        numbers = [call.number for call in found.calls]
        if last not in (done, done + 1) or numbers != list(range(max(last - RING, 0) + 1, last + 1)):
            return f"after step {done} the store has the events {numbers} and the transaction of step {last}"
        return "it was moved aside" if list(path.glob("*.unreadable*")) else ""


def unsound(path: Path) -> str:
    """What a station or a car would stumble over; empty where it can begin."""
    try:
        store = Store(path)
        for role in SHOWN:
            verify(store.credential(role).chain, role, store.anchors, NOW)
    except (StoreError, CertificateError) as error:
        return str(error)
    return "what was switched is not in place" if (path / SWITCHED).exists() else ""


# --- the killing ---


def killed(job: Job, path: Path, done: int, after: float) -> int:
    """Let a child work for a time, then kill it; the number of the last step it finished."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            for _ in job.work(path, done):
                os.write(writing, b".")
        finally:
            os._exit(1)
    os.close(writing)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as finished:
        return done + len(finished.read())


def run(kills: int, seed: int, only: str | None = None, folder: Path | None = None) -> dict[str, Count]:
    """Kill so often, over all jobs in turns; what came of it. `folder` is where to write, None: where temporary files go."""
    chance, bench = random.Random(seed), Writers()
    chosen = [job for job in bench.jobs() if only in (None, job.name)]
    counts, done = {job.name: Count() for job in chosen}, dict.fromkeys((job.name for job in chosen), 0)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for job in chosen:
            create(Path(place, job.name), [bench.hierarchies[0]])
        for number in range(kills):
            job = chosen[number % len(chosen)]
            path, count = Path(place, job.name), counts[job.name]
            before, done[job.name] = done[job.name], killed(job, path, done[job.name], chance.uniform(0.0, job.span))
            count.kills += 1
            count.steps += done[job.name] - before
            count.cut += bool(leavings(path))
            if fault := job.broken(path, done[job.name]):
                count.broken.append(fault)
        for job in chosen:
            path = Path(place, job.name)
            switch(path, {"note": File(b"")})  # the next who writes takes away what was left
            counts[job.name].broken += [f"{left} was left" for left in leavings(path)]
    return counts


def leavings(path: Path) -> list[Path]:
    """What a writer that was cut off left under names with a dot."""
    return [left for left in path.rglob(".*") if left.name in (STAGED, SWITCHED) or left.name.endswith(TEMPORARY)]


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.kills", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", help="one job: renew, remake, afresh, respond, note")
    parser.add_argument("--folder", type=Path, help="where to write; default: where temporary files go")
    given = parser.parse_args(arguments)
    counts = run(given.kills, given.seed, given.only, given.folder)
    print(f"seed {given.seed}\n{'job':10}{'kills':>7}{'steps':>7}{'cut':>6}{'broken':>8}")
    for name, count in counts.items():
        print(f"{name:10}{count.kills:7}{count.steps:7}{count.cut:6}{len(count.broken):8}")
    for name, count in counts.items():
        for fault in count.broken[:5]:
            print(f"{name}: {fault}", file=sys.stderr)
    return int(any(count.broken for count in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
