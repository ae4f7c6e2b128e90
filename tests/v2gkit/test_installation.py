"""A car that was never given a contract gets one at the station and charges with it, in one session; with every backend there is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pki.keys import belongs
from pki.profiles import Role
from pki.store import Store
from secc.bay import Place
from secc.config import parse
from secc.outlet import Outlet
from secc.server import Station, wall_clock
from secc.simulated import DC_LIMITS, SimulatedEVSE
from secc.trust import station_tls, station_verifier
from tests.conformance.harness import PLAN, QUICK, At, Ends, Pki, pki, run, station, without_contract
from v2g.energy.site import Site
from v2g.messages.common_messages import CertificateInstallationReq
from v2gkit.authorities import cps
from v2gkit.authorities.web import Site as Web
from v2gkit.csms.certificates import LabPki
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy
from v2gkit.station.csms import csms_backends

FIRST, SECOND = PLAN.emaids


@pytest.fixture(scope="module", params=["secp521r1", "ed448"])
def own(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki(tmp_path_factory.mktemp("installation") / "certs", request.param)


@pytest.fixture
def bare(own: Pki, tmp_path: Path) -> Store:
    return without_contract(own.store, tmp_path / "car")


@contextlib.asynccontextmanager
async def by_http(own: Pki) -> AsyncIterator[At]:
    """The station asks a provisioning service of its own."""
    with Web(cps.routes(cps.service(own.store))) as web:

        def relay(exi: bytes, now: datetime) -> bytes:
            return cps.relay(f"{web.url}/installation", exi)

        async with station(own, provisioning=relay) as at:
            yield at


@contextlib.asynccontextmanager
async def by_ocpp(own: Pki, *, pki: bool = True) -> AsyncIterator[At]:
    """The station asks its CSMS over a WebSocket, and the CSMS the service."""
    csms = Csms(Strategy("none"), pki=LabPki.of(own.store) if pki else None)
    server = await csms.serve()
    port = next(iter(server.sockets)).getsockname()[1]
    clock, now, ends = wall_clock(), asyncio.get_running_loop().time, Ends()
    config = parse("", tls=False, ocpp=f"ws://127.0.0.1:{port}/ocpp", offer={"authorizations": ["EIM"]})
    evse = SimulatedEVSE(now, lambda: clock.wall(now()), asyncio.sleep, limits=DC_LIMITS, physics=QUICK)
    offer = Outlet(services=("DC",), limits=DC_LIMITS, authorizations=("PnC", "EIM"), certificate_installation=True)
    try:
        async with csms_backends(config, config.outlets(), Site(), clock, own.store) as (backend,):
            tls, verifier = station_tls(own.store), station_verifier(own.store)
            async with Station([Place(evse, offer, backend)], tls, clock=clock, verifier=verifier, observe=[lambda *_: ends]) as running:
                while not any(one.status == "Accepted" for one in csms.stations.values()):  # noqa: ASYNC110 - it says so to nobody
                    await asyncio.sleep(0.01)
                yield At(running, own, clock, ends)
    finally:
        server.close()


BACKENDS: dict[str, Callable[[Pki], Any]] = {"HTTP": by_http, "OCPP": by_ocpp}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_car_installs_its_contracts_and_charges_with_the_first_in_one_session(own: Pki, bare: Store, backend: str) -> None:
    async def story() -> None:
        async with BACKENDS[backend](own) as at:
            said = (await at.visit(store=bare, loops=20)).as_dict()
            assert said["ok"], said
            assert (said["auth"], said["contract"], said["installed"], said["sessions"]) == ("pnc", FIRST, [FIRST, SECOND], 1)
            assert said["energy_charged"] > 0
            # it has them from now on
            kept = Store(bare.path)
            assert {one.common_name for one in kept.contracts} == {FIRST, SECOND}
            assert all(belongs(one.key, one.leaf.public_key()) for one in kept.contracts)
            assert all(one.key_path.stat().st_mode & 0o777 == 0o600 for one in kept.contracts)
            asked = len([one for one in at.ends.requests if isinstance(one, CertificateInstallationReq)])
            again = (await at.visit(store=kept)).as_dict()
            assert (again["auth"], again["contract"], again["installed"]) == ("pnc", FIRST, [])
            assert asked == len([one for one in at.ends.requests if isinstance(one, CertificateInstallationReq)])

    run(story)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_car_says_which_and_how_many(own: Pki, bare: Store, backend: str) -> None:
    async def story() -> None:
        async with BACKENDS[backend](own) as at:
            said = (await at.visit(store=bare, emaids=(SECOND,), contracts=1)).as_dict()
            assert (said["contract"], said["installed"]) == (SECOND, [SECOND])

    run(story)


def test_a_car_may_ask_for_new_ones_although_it_has_one(own: Pki, bare: Store) -> None:
    async def story() -> None:
        async with by_http(own) as at:
            await at.visit(store=bare, contracts=1)
            before = Store(bare.path)
            assert (await at.visit(store=before)).as_dict()["installed"] == []
            said = (await at.visit(store=before, install=True)).as_dict()
            assert (said["auth"], said["installed"]) == ("pnc", [FIRST, SECOND])

    run(story)


def test_a_contract_that_is_refused_makes_the_car_ask_for_another(own: Pki, bare: Store, tmp_path: Path) -> None:
    """[V2G20-2221]: its own is of a provider that this station does not know."""
    held = pki(tmp_path / "stranger", own.store.contract.curve).store.contract
    bare.save(Role.CONTRACT, "old", held.chain, held.key)

    async def story() -> None:
        async with by_http(own) as at:
            said = (await at.visit(store=bare)).as_dict()
            assert said["ok"], said
            assert (said["auth"], said["installed"]) == ("pnc", [FIRST, SECOND])

    run(story)


def test_a_csms_that_has_no_contract_leaves_the_card(own: Pki, bare: Store) -> None:
    async def story() -> None:
        async with by_ocpp(own, pki=False) as at:
            said = (await at.visit(store=bare, authorizations=("PnC", "EIM"))).as_dict()
            assert said["ok"], said
            assert (said["auth"], said["installed"]) == ("eim", [])

    run(story)


def test_a_store_that_cannot_keep_it_costs_nothing_but_the_keeping(own: Pki, bare: Store) -> None:
    async def story() -> None:
        async with by_http(own) as at:
            (bare.path / "contract").write_text("no directory")
            said = (await at.visit(store=bare)).as_dict()
            assert (said["ok"], said["auth"]) == (True, "pnc")

    run(story)
