"""Besiege a station: `python -m fuzz.siege [--seconds 8] [--pure] [--only WORDS] [--strict]`.

Plays every attack at one outlet while a car charges at another of the same process, and prints what that car noticed: its loop's time to
answer (p50, p99, longest, ms), whether its session was lost, what the station used (RSS, MB; CPU, s), and how soon the next good car at
the attacked outlet had its session (s). Then slow cars try to get in beside 400 new idle connections per second.

Held to: no session lost, p99 under 50 ms, RSS under 150 MB, the next car served within 2 s, every slow car let in. Lost sessions and cars
that are shut out fail the run; figures beyond their bound are marked, and fail it only with --strict: they need a quiet machine.

Exit codes: 0 the station held, 1 it did not, 2 it could not be started.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fuzz.siege.attacks import ATTACKS, Target, idle_stream, slow_car
from fuzz.siege.guests import charging, served
from fuzz.siege.states import BY_STATE
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create

EVERY = {**ATTACKS, **BY_STATE}
P99, RSS, NEXT = 50.0, 150.0, 2.0  # ms, MB, s
PAUSES = (0.02, 0.3, 1.0, 2.0)  # s that a slow controller takes for each flight
COMPILED, PURE = "from v2gkit.cli.main import main", "import sys; sys.modules['v2g.exi._walk'] = None; from v2gkit.cli.main import main"
CONFIG = """
host = "::1"
pki = {pki}
[offer]
services = ["DC", "DC_BPT"]
controls = ["Scheduled", "Dynamic"]
authorizations = ["EIM", "PnC"]
[hardware]
physics = {{ contactor = 0.02, isolation = 0.02, volts_per_second = 40000, amperes_per_second = 20000 }}
[[outlet]]
evse_id = "DE*V2G*E1"
port = {first}
[[outlet]]
evse_id = "DE*V2G*E2"
port = {second}
{discovery}
"""


@dataclass
class Station:
    """`v2g secc` with two outlets, in its own process."""

    process: "subprocess.Popen[bytes]"
    ports: tuple[int, int]

    @property
    def rss(self) -> float:
        """Resident memory now, in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    @property
    def cpu(self) -> float:
        """CPU used so far, in s."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free() -> int:
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return int(sock.getsockname()[1])


def station(pki: Path, folder: Path, pure: bool) -> Station:
    """Start one and wait until it listens. Raises RuntimeError."""
    ports = _free(), _free()
    config = folder / "station.toml"
    config.write_text(CONFIG.format(pki=json.dumps(str(pki)), first=ports[0], second=ports[1], discovery='iface = "lo"'))
    log = (folder / "station.log").open("wb")
    code = f"{PURE if pure else COMPILED}; raise SystemExit(main(['secc', '--config', {str(config)!r}]))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log)
    for _ in range(200):
        if process.poll() is not None:
            break
        with socket.socket(socket.AF_INET6) as sock:
            if sock.connect_ex(("::1", ports[1])) == 0:
                return Station(process, ports)
        time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"the station did not start:\n{(folder / 'station.log').read_text()}")


def part(*arguments: object, nice: int = 0) -> "subprocess.Popen[str]":
    """Another process of this program."""
    command = [sys.executable, "-m", "fuzz.siege", "--part", *map(str, arguments)]
    return subprocess.Popen(["nice", f"-n{nice}", *command] if nice else command, stdout=subprocess.PIPE, text=True)


def play(name: str, where: Station, pki: Path, seconds: float) -> dict[str, Any]:
    """One attack beside one car; what came of it."""
    cpu, rss = where.cpu, where.rss
    guest = part("guest", where.ports[0], pki, seconds + 4)
    time.sleep(2.5)  # its handshake and start of power belong to no attack
    attacker = part("attack", where.ports[1], pki, seconds, name, nice=10)
    while attacker.poll() is None:
        rss = max(rss, where.rss)
        time.sleep(0.05)
    counts = json.loads(attacker.stdout.read() or "{}") if attacker.stdout else {}
    after = part("next", where.ports[1], pki)
    later = json.loads(after.communicate(timeout=60)[0])
    seen = json.loads(guest.communicate(timeout=60)[0])
    return {"attack": name, **seen, "rss": max(rss, where.rss), "cpu": where.cpu - cpu, "next": later["seconds"], "counts": counts}


HEAD = f"{'attack':<56}{'p50':>6}{'p99':>7}{'max':>7}  {'lost':<5}{'RSS':>5}{'CPU':>6}{'next':>6}  what was done"


def row(said: dict[str, Any]) -> tuple[str, bool, bool]:
    """The line of the table; whether the station held, and whether it kept its figures."""
    p50, p99, longest = (1000 * said[key] if said[key] is not None else float("nan") for key in ("p50", "p99", "max"))
    nxt = said["next"]
    held = said["ok"] and nxt is not None
    kept = held and p99 < P99 and said["rss"] < RSS and nxt < NEXT
    mark = "" if kept else "  <-- " + ("beyond a bound" if held else said["reason"] or "the next car was shut out")
    counts = ", ".join(f"{number} {what}" for what, number in said["counts"].items())
    after = f"{nxt:6.2f}" if nxt is not None else "  none"
    lost = "no" if said["ok"] else "YES"
    figures = f"{p50:6.1f}{p99:7.1f}{longest:7.1f}  {lost:<5}{said['rss']:5.0f}{said['cpu']:6.1f}{after}"
    return f"{said['attack']:<56}{figures}  {counts}{mark}", held, kept


def slow(where: Station, pki: Path, seconds: float) -> bool:
    """Slow cars beside a stream of the silent; whether all got in."""
    attacker = part("idle", where.ports[1], pki, seconds, nice=10)
    time.sleep(1.0)
    let_in = json.loads(part("slow", where.ports[1], pki).communicate(timeout=120)[0])
    attacker.wait(timeout=60)
    print("let in beside 400 idle connections per second: " + ", ".join(f"{pause} s {n}/3" for pause, n in let_in.items()))
    return all(n == 3 for n in let_in.values())


async def _part(arguments: Sequence[str]) -> dict[str, Any]:
    what, port, pki = arguments[0], int(arguments[1]), Store(Path(arguments[2]))
    loop = asyncio.get_running_loop()
    if what == "guest":
        return await charging("::1", port, pki, float(arguments[3]))
    if what == "next":
        return {"seconds": await served("::1", port, pki)}
    if what == "slow":
        target = Target("::1", port, pki, loop.time() + 60)
        tries = {pause: await asyncio.gather(*(slow_car(target, pause) for _ in range(3))) for pause in PAUSES}
        return {str(pause): sum(got) for pause, got in tries.items()}
    target = Target("::1", port, pki, loop.time() + float(arguments[3]))
    await (idle_stream(target, 400) if what == "idle" else EVERY[arguments[4]](target))
    return target.counts


def main(argv: Sequence[str] | None = None) -> int:
    """Play them all."""
    parser = argparse.ArgumentParser("python -m fuzz.siege", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each attack (default 8)")
    parser.add_argument("--pure", action="store_true", help="without the compiled codec")
    parser.add_argument("--only", help="attacks whose name has these words")
    parser.add_argument("--again", action="store_true", help="play an attack that cost a session a second time, and count that")
    parser.add_argument("--strict", action="store_true", help="figures beyond their bound fail the run")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.part:
        print(json.dumps(asyncio.run(_part(options.part))))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create(folder / "pki", [build(Plan(), "secp521r1", datetime.now(UTC))])
        try:
            where = station(folder / "pki", folder, options.pure)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
        try:
            return _siege(where, folder / "pki", options)
        finally:
            where.process.terminate()
            where.process.wait(timeout=30)
            said = (folder / "station.log").read_text(errors="replace").splitlines()
            faults = [line for line in said if line.startswith("Traceback") or " ERROR " in line or " CRITICAL " in line]
            if faults:
                print("\n".join(faults[:10]), file=sys.stderr)


def _siege(where: Station, pki: Path, options: argparse.Namespace) -> int:
    print(f"{'pure Python' if options.pure else 'compiled'} codec, {options.seconds:g} s each; times in ms, RSS in MB, CPU and next in s")
    print(HEAD)
    all_held = all_kept = True
    for name in EVERY:
        if options.only and options.only not in name:
            continue
        line, held, kept = row(play(name, where, pki, options.seconds))
        print(line, flush=True)
        if not held and options.again:
            print("once more, for the machine may have been busy with something else:")
            line, held, kept = row(play(name, where, pki, options.seconds))
            print(line, flush=True)
        all_held, all_kept = all_held and held, all_kept and kept
    if not options.only:
        all_held = slow(where, pki, 60.0) and all_held
    return int(not all_held or (options.strict and not all_kept))


if __name__ == "__main__":
    sys.exit(main())
