"""The attacks of `fuzz.siege` that are sized by what each state admits, briefly: a car charges on beside them, and the next is served."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from fuzz.siege import states
from fuzz.siege.attacks import Target
from fuzz.siege.guests import charging, served
from pki.issue import build
from pki.plan import Plan
from pki.store import Store, create
from secc.backend import LocalBackend
from secc.bay import Place
from secc.outlet import Outlet
from secc.readers import Readers
from secc.server import Station, surroundings, wall_clock
from secc.simulated import DC_LIMITS, Physics, SimulatedEVSE
from secc.trust import station_tls, station_verifier
from tests.integration.conftest import Ends
from tests.starved import HANG, again, heed
from v2g.exi import engine
from v2g.exi.errors import DecodeError
from v2g.iso20 import frames
from v2g.iso20.limits import LIMITS, state_limit
from v2g.iso20.sequence import State
from v2g.iso20.services import DC, DC_BPT
from v2g.session.v2gtp import HEADER_LENGTH

QUICK = Physics(contactor=0.01, isolation=0.01, volts_per_second=1e6, amperes_per_second=1e6)
EACH = 0.7  # s


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return create(tmp_path_factory.mktemp("siege") / "pki", [build(Plan(), "secp521r1", datetime.now(UTC))])


def station(store: Store, guests: Ends) -> Station:
    """Two outlets; how the sessions at the first ended is told to `guests`."""
    loop, clock = asyncio.get_running_loop(), wall_clock()

    def place(number: int) -> Place:
        evse = SimulatedEVSE(
            loop.time, lambda: clock.wall(loop.time()), asyncio.sleep, evse_id=f"DE*V2G*E{number}", limits=DC_LIMITS, physics=QUICK
        )
        outlet = Outlet(evse_id=evse.evse_id, services=(DC.name, DC_BPT.name), limits=DC_LIMITS, authorizations=("EIM", "PnC"))
        return Place(evse, outlet, LocalBackend(surroundings(clock)), observe=[lambda *_: guests] if number == 1 else [])

    return Station([place(1), place(2)], station_tls(store), clock=clock, verifier=station_verifier(store))


@again
@pytest.mark.parametrize("name", [name for name in ("compiled", "straight") if name in engine.ENGINES])
def test_a_car_charges_on_beside_frames_of_the_size_that_each_state_admits(
    store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_used", name)
    aside: list[int] = []
    real = Readers.read

    def read(self: Any, unread: Any, done: Any) -> None:
        if not unread.signed:  # a contract is read aside by either engine
            aside.append(len(unread.frame.payload))
        real(self, unread, done)

    monkeypatch.setattr(Readers, "read", read)

    async def scene() -> None:
        guests = Ends()
        async with station(store, guests) as under_siege:
            (host, first), (_, second) = under_siege.addresses
            guest = asyncio.create_task(charging(host, first, store, EACH * len(states.BY_STATE)))
            for attack, play in states.BY_STATE.items():
                target = Target(host, second, store, asyncio.get_running_loop().time() + EACH)
                await play(target)
                span = EACH
                while not target.counts.get("frames"):  # a machine that is busy gets that far later
                    span *= 2.0
                    target.until = asyncio.get_running_loop().time() + span
                    await play(target)
                assert await served(host, second, store) is not None, attack
            if not guest.done():
                await guest
            said = guest.result()
            if not said["ok"]:  # which of both missed a timer, only that one knows
                heed(said["reason"], *guests.ended)
            assert said["ok"], (said["reason"], guests.ended)

    asyncio.run(asyncio.wait_for(scene(), 2 * HANG))
    assert bool(aside) == (name == "straight")
    assert not aside or max(aside) > 100_000


@pytest.mark.parametrize("kind", states.KINDS, ids=lambda kind: kind.__name__)
def test_the_frames_have_exactly_the_size_of_the_limit_and_are_what_they_say(kind: Any) -> None:
    whole, behind, cut = states.payloads(kind)
    assert len(whole) == len(behind) == LIMITS[kind].octets
    payload_type = frames.payload_type_of(kind)
    assert frames.read_bounded(payload_type, whole).message == states.message(kind)
    for broken in (behind, cut):
        with pytest.raises(DecodeError):
            frames.read_bounded(payload_type, broken)
    assert [len(each) - HEADER_LENGTH for each in states.framed(kind)] == [len(whole), len(behind), len(cut)]


def test_every_size_that_a_state_admits_has_its_attack() -> None:
    sizes = {state_limit(state) for state in State if state is not State.ENDED}
    assert sizes <= {LIMITS[kind].octets for kind in states.KINDS}
