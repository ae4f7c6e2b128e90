"""What a session tells its station of the car: its certificates and protocols first, its phases and its inverter with its needs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki.profiles import Role
from pki.store import create
from secc import station as words
from secc.replay import replay
from tests.secc import scripted
from tests.secc.scripted import LIMITS, Scripted, outlet, r, secure
from tests.secc.test_replay import Taped
from tests.secc.test_trust import NOW, SOUND, der, judge
from v2g.iso20.services import PROTOCOLS
from v2g.messages.app_protocol import AppProtocolType, supportedAppProtocolReq
from v2g.messages.common_messages import SessionSetupReq

ROOMY = replace(LIMITS, phases=3)


def introduced(car: Scripted) -> words.Vehicle:
    """Of two protocols the second in the message is ranked first."""
    entries = tuple(
        AppProtocolType(
            ProtocolNamespace=PROTOCOLS[name].namespace, VersionNumberMajor=1, VersionNumberMinor=0, SchemaID=rank, Priority=rank
        )
        for name, rank in (("ac", 2), ("dc", 1))
    )
    car.ask(supportedAppProtocolReq, AppProtocol=entries)
    car.ask(SessionSetupReq, EVCCID="WMIV1234567890ABCDEX")
    (started,) = car.wants(words.SessionStarted)
    assert started.vehicle.offered == ("urn:iso:std:iso:15118:-20:DC,1,0", "urn:iso:std:iso:15118:-20:AC,1,0")
    assert started.vehicle.agreed == started.vehicle.offered[0]
    return started.vehicle  # type: ignore[no-any-return]


def test_the_certificates_that_were_verified_come_with_their_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted, "SeccSession", Taped)
    chain = der(SOUND, Role.VEHICLE)
    proof = judge(create(tmp_path / "pki", [SOUND]))(chain, NOW.timestamp())
    car = Scripted(given={"tls": replace(secure(), peer_chain=chain, verified=proof)})
    assert introduced(car).chain == (*chain, proof.anchor.public_bytes(Encoding.DER))
    tape: Any = car.session
    (again,) = replay(tape.tape)
    assert again.differences == ()
    (started,) = (record for record in again.again if record.get("name") == "SessionStarted")
    assert len(started["facts"]["vehicle"]["chain"]) == len(chain) + 1


def test_without_tls_there_are_no_certificates() -> None:
    assert introduced(Scripted(given={"tls": None, "insecure": True})).chain == ()


@pytest.mark.parametrize("beside", [False, True])
def test_a_car_that_speaks_of_its_phases_is_told_phase_by_phase(beside: bool) -> None:
    """Before power, and with needs that it states beside its charge loop."""
    car = Scripted(outlet(services=("AC_BPT",), limits=ROOMY))
    car.authorized("AC_BPT")
    car.select("AC_BPT")
    fields = {"EVMaximumChargePower": r(3_000), "EVMaximumChargePower_L2": r(2_000), "EVMaximumChargePower_L3": r(1_000)}
    car.parameters("AC_BPT", **fields, EVMaximumDischargePower=r(-2_500), EVMaximumDischargePower_L2=r(-1_500))
    car.scheduled()
    if beside:
        car.start()
        car.loop("AC_BPT")
        car.exchange(on=0x8101, DepartureTime=60)
    want = car.wants(words.NeedsChanged)[-1]
    assert want.first is not beside
    assert want.phases == words.PhasePowers(charge=(3_000, 2_000, 1_000), discharge=(2_500, 1_500))
    assert want.inverter is None


def test_a_car_that_states_totals_has_no_phases() -> None:
    car = Scripted(outlet(services=("AC",), limits=ROOMY))
    car.authorized("AC")
    car.select("AC")
    car.parameters("AC")
    car.scheduled()
    assert car.wants(words.NeedsChanged)[0].phases == words.PhasePowers()
