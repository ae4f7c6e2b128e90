"""Stations of ours to be judged, each in a process of its own, and the verdicts of a run of cases against them."""

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pki.store import Store
from tests.starved import heed
from v2g.session.tls import PROFILES
from v2gkit.conform.at_station import Address, benches
from v2gkit.conform.backend import Backend, contracts_of
from v2gkit.conform.case import Case
from v2gkit.conform.pics import Claims, Pics, Pixit, read
from v2gkit.conform.running import run
from v2gkit.conform.verdict import Result, Verdict
from v2gkit.conform.wallet import Wallet

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
OFFER = """
services = ["DC", "DC_BPT"]
authorizations = ["EIM", "PnC"]
certificate_installation = true
"""
OFFER2 = """
services = ["DC", "AC"]
authorizations = ["EIM", "PnC"]
certificate_installation = true
internet = ["https"]
"""
PICS, PICS2 = Path(__file__).parent / "station.toml", Path(__file__).parent / "station2.toml"
CLAIMS, CLAIMS2 = read(PICS.read_text(), PICS).claims, read(PICS2.read_text(), PICS2).claims
QUICK = Pixit(sessions=16, mutants=3, paced=3.0, connections=0)


@dataclass(frozen=True)
class Own:
    """A station of ours that runs: its outlets, and the folder of certificates that it shares with the bench."""

    outlets: tuple[Address, ...]
    certs: Path
    claims: Claims = CLAIMS
    pixit: Pixit = QUICK
    iface: str = ""
    csms: int = 0  # the port at which the suite plays its CSMS, 0: it plays none
    profile: str = "conformance"
    csms_tls: ssl.SSLContext | None = None

    def judged(self, cases: Iterable[Case]) -> dict[str, Result]:
        """The results of cases against the station."""
        results = asyncio.run(self._judged(cases))
        return {each.id: each for each in results}

    async def _judged(self, cases: Iterable[Case]) -> list[Result]:
        pics, wallet = Pics(claims=self.claims, test=self.pixit), Wallet(Store(self.certs))
        async with backend(self.csms, wallet, self.csms_tls) as csms:
            made = benches(pics, wallet, self.outlets, self.iface, csms, PROFILES[self.profile])
            return await run(cases, pics, made, lambda *_: None, outlets=len(self.outlets))


@contextlib.asynccontextmanager
async def backend(port: int, wallet: Wallet, tls: ssl.SSLContext | None = None) -> AsyncIterator[Backend | None]:
    """The CSMS of the suite at a port of ::1; None for port 0."""
    if not port:
        yield None
        return
    async with Backend("::1", port, contracts_of(wallet.store), tls) as found:
        yield found


def bad(results: Mapping[str, Result]) -> dict[str, str]:
    """What is neither pass nor not applicable, by the ids; a timer that was missed is told as such."""
    found = {
        each.id: f"{each.verdict}: {each.seen}" for each in results.values() if each.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)
    }
    heed(*found.values())
    return found


@contextlib.contextmanager
def station(
    folder: Path, certs: Path, offer: str = OFFER, outlets: int = 4, more: str = "", fault: str = "", faulty: str = "faulty_station"
) -> Iterator[tuple[Address, ...]]:
    """A station with so many outlets in a process of its own, perhaps with a fault that a module seeds; the addresses of its outlets."""
    text = f'host = "::1"\nport = 0\npki = "{certs}"\n{more}\n[offer]\n{offer}\n'
    text += "".join(f'[[outlet]]\nevse_id = "DEV2GE00000{number}"\n' for number in range(1, outlets + 1))
    named = fault.replace(" ", "-")
    config = folder / f"station{named}.toml"
    config.write_text(text)
    program = ["-m", f"tests.v2gkit.conform.{faulty}", fault] if fault else ["-m", "v2gkit"]
    command = [sys.executable, *program, "secc", "--config", str(config), "--json"]
    with (folder / f"station{named}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, env=ENVIRONMENT)
        try:
            assert process.stdout is not None
            lines = [json.loads(process.stdout.readline()) for _ in range(outlets)]
            yield tuple(_address(line["address"]) for line in lines)
        finally:
            process.kill()
            process.wait()


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
