"""S-MTR: signed meter readings, over TLS on a real socket: a car that signs, and cars that sign something else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evcc.car import Car
from evcc.iso20.charge import charge
from evcc.script import Aside, Part, Raw, Script
from pki.profiles import Role
from pki.signature import sign
from secc.station import MeteringConfirmed
from tests.conformance.harness import Pki, changed, pki, run, station
from v2g.exi.codec import encode
from v2g.messages import schema_set
from v2g.messages.common_messages import MeteringConfirmationReq
from v2g.session.v2gtp import PayloadType, frame

COMMON = schema_set("common")
Forge = Callable[[MeteringConfirmationReq, Pki], MeteringConfirmationReq]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki(tmp_path_factory.mktemp("mtr") / "certs")


def confirming(own: Pki, forge: Forge, kind: PayloadType = PayloadType.METERING_CONFIRMATION) -> Script:
    """The usual car; what it confirms is forged on its way. It ends with the code that it is answered with."""

    def script(car: Car) -> Part[str]:
        well = charge(car)
        step = next(well)
        while True:
            if isinstance(step, Aside):
                octets = encode(forge(car.stamped(step.request), own), COMMON)
                response = yield Raw(frame(kind, octets))
                return str(response.ResponseCode.value)
            step = well.send((yield step))

    return script


def reading(wh: int) -> Forge:
    """Sign another reading than the one that was shown."""

    def forge(request: MeteringConfirmationReq, own: Pki) -> MeteringConfirmationReq:
        data = changed(request.SignedMeteringData, "MeterInfo.ChargedEnergyReadingWh", wh)
        signed = changed(request, "Header.Signature", sign([data], own.key(Role.CONTRACT), COMMON))
        return changed(signed, "SignedMeteringData", data)  # type: ignore[no-any-return]

    return forge


def session(request: MeteringConfirmationReq, own: Pki) -> MeteringConfirmationReq:
    """Sign the reading as that of another session."""
    data = changed(request.SignedMeteringData, "SessionID", b"\x07" * 8)
    signed = changed(request, "Header.Signature", sign([data], own.key(Role.CONTRACT), COMMON))
    return changed(signed, "SignedMeteringData", data)  # type: ignore[no-any-return]


def by_another_key(request: MeteringConfirmationReq, own: Pki) -> MeteringConfirmationReq:
    return changed(request, "Header.Signature", sign([request.SignedMeteringData], own.key(Role.VEHICLE), COMMON))  # type: ignore[no-any-return]


FORGED: dict[str, Forge] = {
    "S-MTR-02 by another key": by_another_key,
    "S-MTR-02 no signature": lambda request, own: changed(request, "Header.Signature", None),
    "S-MTR-02 the body changed": lambda request, own: changed(request, "SignedMeteringData.MeterInfo.ChargedEnergyReadingWh", 999_999),
    "S-MTR-02 another reading, properly signed": reading(999_999),
    "S-MTR-02 another session, properly signed": session,
}


@pytest.mark.parametrize("curve", ["secp521r1", "ed448"])
def test_s_mtr_01_a_car_signs_what_it_was_shown(own: Pki, tmp_path: Path, curve: str) -> None:
    mine = own if curve == "secp521r1" else pki(tmp_path / "certs", curve)

    async def story() -> None:
        async with station(mine, confirm_every=0.1) as at:
            result = await at.visit(loops=30)
            assert result.ended.well, result.ended
            confirmed = at.ends.of(MeteringConfirmed)
            assert len(confirmed) >= 2
            assert all(one.valid for one in confirmed)
            assert len(at.notes.of("meter reading confirmed")) == len(confirmed)
            without = await at.visit(loops=30, authorizations=("EIM",))
            assert without.ended.well
            assert at.notes.of("meter reading confirmed") == []  # there is no contract to sign with, and nobody asks

    run(story)


@pytest.mark.parametrize("case", FORGED)
def test_s_mtr_02_what_is_signed_wrongly_ends_the_session(own: Pki, case: str) -> None:
    async def story() -> None:
        async with station(own, confirm_every=0.1) as at:
            result = await at.visit(confirming(own, FORGED[case]), loops=100)
            assert result.ended.how == "FAILED_MeteringSignatureNotValid", result.ended
            assert at.ends.of(MeteringConfirmed) == []
            control = await at.visit(confirming(own, lambda request, _: request), loops=100)
            assert control.ended.how == "OK"
            assert [ended.how for ended in at.ends.ended[:1]] == ["refused"]

    run(story)


def test_s_mtr_03_on_the_wrong_stream(own: Pki) -> None:
    async def story() -> None:
        async with station(own, confirm_every=0.1) as at:
            result = await at.visit(confirming(own, lambda request, _: request, PayloadType.COMMON), loops=100)
            assert result.ended.how == "FAILED_SequenceError", result.ended
            assert at.ends.of(MeteringConfirmed) == []
            assert (await at.visit(confirming(own, lambda request, _: request), loops=100)).ended.how == "OK"

    run(story)


def test_s_mtr_03_unasked(own: Pki) -> None:
    """The genuine confirmation of a moment ago, once more."""

    def twice(car: Car) -> Part[str]:
        well = charge(car)
        step = next(well)
        while not isinstance(step, Aside):
            step = well.send((yield step))
        octets = encode(car.stamped(step.request), COMMON)
        yield Raw(frame(PayloadType.METERING_CONFIRMATION, octets))
        again: Any = yield Raw(frame(PayloadType.METERING_CONFIRMATION, octets))
        return str(again.ResponseCode.value)

    async def story() -> None:
        async with station(own, confirm_every=30.0) as at:
            assert (await at.visit(twice, loops=100)).ended.how == "FAILED_SequenceError"
            assert len(at.ends.of(MeteringConfirmed)) == 1
            assert (await at.visit(loops=3)).ended.well

    run(story)
