"""CPU of a Plug & Charge session, both ends, beside the bare TLS handshake and the signatures that it contains."""

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.tls import _bare, _cpu
from evcc.car import Wish
from evcc.client import Visit
from evcc.config import Config
from evcc.trust import contract_of, vehicle_tls
from pki.issue import Hierarchy, build
from pki.plan import Plan
from pki.profiles import Role
from pki.store import Store, create
from secc.backend import LocalBackend
from secc.outlet import Outlet
from secc.server import Place, Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, SimulatedEVSE
from secc.trust import station_tls, station_verifier

LOOPS = (10, 110)  # two sessions that differ by a hundred charge loops
CHAIN = 3  # signatures in a contract chain: leaf, two sub-CAs


def run() -> None:
    """Print the figures."""
    logging.disable(logging.WARNING)
    own = build(Plan(curves=("secp521r1",), responders=False), "secp521r1", datetime.now(UTC))
    with tempfile.TemporaryDirectory() as folder:
        store = create(Path(folder) / "pki", [own])
        few, many = (_session(store, loops) for loops in LOOPS)
    loop = (many - few) / (LOOPS[1] - LOOPS[0])
    handshake, signing, verifying = _cpu(_bare(own)), *_signatures(own)
    # the contract signs AuthorizationReq and the station verifies that signature and the chain; both ends also verify the other's TLS chain
    # a second time, by role and profile
    signatures = signing + (1 + CHAIN + 2 * CHAIN) * verifying
    print(f"session of {LOOPS[0]} loops, both ends      {few * 1e3:8.1f} ms CPU")
    print(f"bare TLS handshake, both ends      {handshake * 1e3:8.1f} ms CPU")
    print(f"signatures beyond the handshake    {signatures * 1e3:8.1f} ms CPU (1 made, {1 + CHAIN + 2 * CHAIN} verified)")
    print(f"session / (handshake + signatures) {few / (handshake + signatures):8.2f}")
    print(f"a charge loop more, both ends      {loop * 1e3:8.2f} ms CPU")


def _session(store: Store, loops: int) -> float:
    """CPU seconds of one session over a real socket."""
    return min(asyncio.run(_visited(store, loops)) for _ in range(3))


async def _visited(store: Store, loops: int) -> float:
    clock, loop = wall_clock(), asyncio.get_running_loop()
    evse = SimulatedEVSE(loop.time, lambda: clock.wall(loop.time()), asyncio.sleep)
    outlet = Outlet(services=("DC_BPT",), authorizations=("PnC",), limits=DC_LIMITS)
    place = Place(evse, outlet, LocalBackend(surroundings(clock)))
    async with Station([place], station_tls(store), clock=clock, verifier=station_verifier(store)) as station:
        wish = Wish(store.vehicle.common_name, ("DC_BPT",), authorizations=("PnC",), loops=loops, pace=0.02)
        car = Config(soc=30.0, wish=wish, departure_in=36_000.0).car(clock, loop.time(), contract_of(store))
        begin = time.process_time()
        result = await Visit(car, tls=vehicle_tls(store)).at(*station.addresses[0])
        spent = time.process_time() - begin
    assert result.ended.well, result.ended
    return spent


def _signatures(own: Hierarchy) -> tuple[float, float]:
    """CPU seconds to make and to verify one ECDSA signature over P-521, by the library alone."""
    key = own[Role.CONTRACT].key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    algorithm, octets, public = ec.ECDSA(hashes.SHA512()), bytes(300), key.public_key()
    made = key.sign(octets, algorithm)
    sign: Callable[[], None] = lambda: key.sign(octets, algorithm) and None  # noqa: E731
    return _cpu(sign), _cpu(lambda: public.verify(made, octets, algorithm))
