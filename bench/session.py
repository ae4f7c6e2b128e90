"""CPU of a Plug & Charge session, both ends: what it goes into, measured in the same run, beside the bare TLS handshake."""

import asyncio
import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.tls import _bare, _cpu
from evcc.car import Wish
from evcc.client import Visit
from evcc.config import Config
from evcc.trust import equip, vehicle_tls
from pki.issue import Hierarchy, build
from pki.plan import Plan
from pki.profiles import Role
from pki.store import Store, create
from secc.backend import LocalBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, SimulatedEVSE
from secc.trust import price_signing, station_tls, station_verifier
from v2g.iso20.services import DC_BPT
from v2gkit.insight.cpu import WORK, Meter

LOOPS = (10, 110)  # two sessions that differ by a hundred charge loops


def run() -> None:
    """Print the figures."""
    logging.disable(logging.WARNING)
    own = build(Plan(curves=("secp521r1",), responders=False), "secp521r1", datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder:
        store = create(Path(folder) / "pki", [own])
        (few, split), (many, _) = (_session(store, loops) for loops in LOOPS)
    loop = (many - few) / (LOOPS[1] - LOOPS[0])
    handshake, signing, verifying = _cpu(_bare(own)), *_signatures(own)
    print(f"session of {LOOPS[0]} loops, both ends      {few * 1e3:8.1f} ms CPU")
    for kind in (*WORK, "rest"):
        print(f"  {kind:32} {split[kind] * 1e3:8.1f} ms  {split[kind] / split['total']:6.1%}")
    print(f"  cryptography                     {split['cryptography'] * 1e3:8.1f} ms  {split['fraction']:6.1%}")
    print(f"bare TLS handshake, both ends      {handshake * 1e3:8.1f} ms CPU")
    print(f"one signature by the library       {signing * 1e3:8.2f} ms made, {verifying * 1e3:.2f} ms verified")
    print(f"session / bare handshake           {few / handshake:8.2f}")
    print(f"a charge loop more, both ends      {loop * 1e3:8.2f} ms CPU")


def _session(store: Store, loops: int) -> tuple[float, dict[str, float]]:
    """CPU seconds of one session over a real socket, and what they went into: the cheapest of three, the first warms up."""
    return min((asyncio.run(_visited(store, loops)) for _ in range(3)), key=lambda one: one[0])


async def _visited(store: Store, loops: int) -> tuple[float, dict[str, float]]:
    clock, loop = wall_clock(), asyncio.get_running_loop()
    evse = SimulatedEVSE(loop.time, lambda: clock.wall(loop.time()), asyncio.sleep)
    outlet = Outlet(services=(DC_BPT.name,), authorizations=("PnC",), limits=DC_LIMITS)
    place = Place(evse, outlet, LocalBackend(surroundings(clock)))
    tls, verifier, prices = station_tls(store), station_verifier(store), price_signing(store)
    async with Station([place], tls, clock=clock, verifier=verifier, prices=prices) as station:
        wish = Wish(store.vehicle.common_name, (DC_BPT.name,), authorizations=("PnC",), loops=loops, pace=0.02)
        car = Config(soc=30.0, wish=wish, departure_in=36_000.0).car(clock, loop.time())
        equip(car, store)
        with Meter() as meter:
            result = await Visit(car, tls=vehicle_tls(store)).at(*station.addresses[0])
            split = meter.account()
    assert result.ended.well, result.ended
    return split["total"], split


def _signatures(own: Hierarchy) -> tuple[float, float]:
    """CPU seconds to make and to verify one ECDSA signature over P-521, by the library alone."""
    key = own[Role.CONTRACT].key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    algorithm, octets, public = ec.ECDSA(hashes.SHA512()), bytes(300), key.public_key()
    made = key.sign(octets, algorithm)

    def sign() -> None:
        key.sign(octets, algorithm)

    return _cpu(sign), _cpu(lambda: public.verify(made, octets, algorithm))
