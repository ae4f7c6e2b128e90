"""The simulated outlet: time, ramps, energy, and a meter whose signatures others can verify."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from secc.simulated import DC_LIMITS, Physics, SimulatedEVSE
from secc.station import EVReported, MeterReading
from v2g.session.endpoint import Ended

T = TypeVar("T")


class Bench:
    """An outlet in virtual time; `scale` wall seconds pass in one real second."""

    def __init__(self, scale: float = 1.0, **physics: Any):
        self.now, self.scale = 100.0, scale
        self.evse = SimulatedEVSE(lambda: self.now, lambda: 1e9 + self.scale * self.now, self.sleep, physics=Physics(**physics))

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    def live(self) -> None:
        self.do(self.evse.session_began("X"))
        self.do(self.evse.close_contactor())


def test_the_contactor_takes_its_time() -> None:
    bench = Bench()
    assert bench.do(bench.evse.close_contactor())
    assert bench.now == pytest.approx(100 + Physics().contactor)
    before = bench.now
    assert bench.do(bench.evse.close_contactor())
    assert bench.now == before  # it is closed already


def test_a_stuck_contactor_says_so() -> None:
    bench = Bench(stuck=True)
    assert not bench.do(bench.evse.close_contactor())


@pytest.mark.parametrize("sound", [True, False])
def test_isolation_is_measured_with_the_outlet_connected_and_without_voltage_afterwards(sound: bool) -> None:
    bench = Bench(sound=sound)
    assert bench.do(bench.evse.check_isolation(500)) is sound
    # at once: a car that asks for its pre-charge now must not meet a voltage that falls through its own
    assert bench.do(bench.evse.read_output()).voltage == pytest.approx(0, abs=1e-6)
    assert bench.do(bench.evse.read_meter()).imported == 0


def test_the_output_ramps_and_stays_within_its_limits() -> None:
    bench = Bench()
    bench.live()
    bench.do(bench.evse.set_output(5_000, 100))
    bench.now += 0.1
    half = bench.do(bench.evse.read_output())
    assert (half.voltage, half.current) == pytest.approx((200, 40))
    bench.now += 1
    full = bench.do(bench.evse.read_output())
    assert (full.voltage, full.current) == (DC_LIMITS.voltage, 100)


def test_no_current_flows_into_a_car_that_has_not_closed_its_own_contactors() -> None:
    bench = Bench()
    bench.do(bench.evse.check_isolation(500))
    bench.do(bench.evse.set_output(400, 2))
    bench.now += 10
    measured = bench.do(bench.evse.read_output())
    assert (measured.voltage, measured.current) == (400, 0)
    assert bench.do(bench.evse.read_meter()).imported == 0


@pytest.mark.parametrize(("current", "imported", "exported"), [(100, 40_000, 0), (-50, 0, 20_000)])
def test_an_hour_is_counted_in_its_direction(current: float, imported: float, exported: float) -> None:
    bench = Bench(scale=3600)
    bench.live()
    bench.do(bench.evse.set_output(400, current))
    bench.now += 1
    bench.do(bench.evse.read_output())
    start = bench.do(bench.evse.read_meter())
    bench.now += 1
    reading = bench.do(bench.evse.read_meter())
    assert reading.imported - start.imported == pytest.approx(imported)
    assert reading.exported - start.exported == pytest.approx(exported)


def test_an_ac_meter_counts_what_the_car_takes_not_what_it_was_told() -> None:
    bench = Bench(scale=3600)
    bench.live()
    bench.do(bench.evse.set_power(11_000))
    bench.do(bench.evse.car_reported(EVReported(0.0, power=4_000)))
    bench.now += 1
    assert bench.do(bench.evse.read_meter()).imported == pytest.approx(4_000)
    assert bench.do(bench.evse.read_output()).watts == 4_000


def test_opening_ends_everything() -> None:
    bench = Bench()
    bench.live()
    bench.do(bench.evse.set_output(400, 100))
    bench.now += 1
    assert bench.do(bench.evse.open_contactor())
    counted = bench.do(bench.evse.read_meter()).imported
    bench.now += 100
    assert bench.do(bench.evse.read_meter()).imported == counted
    assert bench.do(bench.evse.read_output()).current == 0


def test_energies_of_a_session_begin_with_it_and_registers_go_on() -> None:
    bench = Bench(scale=3600)
    for visit in (1, 2):
        bench.live()
        bench.do(bench.evse.set_power(10_000))
        bench.now += 1
        reading = bench.do(bench.evse.read_meter())
        assert reading.imported == pytest.approx(visit * 10_000, rel=1e-6)
        assert reading.charged == pytest.approx(10_000, abs=1)
        bench.do(bench.evse.open_contactor())
        bench.do(bench.evse.session_ended(Ended("Terminate")))


def _verified(reading: MeterReading, public_key: bytes, message: bytes) -> bool:
    key = serialization.load_pem_public_key(public_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert reading.signature is not None
    r, s = (int.from_bytes(half, "big") for half in (reading.signature[:32], reading.signature[32:]))
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def test_a_reading_is_signed_over_what_the_car_is_shown() -> None:
    bench = Bench(scale=3600)
    bench.live()
    bench.do(bench.evse.set_power(7_500))
    bench.now += 1
    reading = bench.do(bench.evse.read_meter())
    assert reading.signature is not None
    assert len(reading.signature) == 64  # what MeterSignature holds
    shown = f"V2GKIT-SIM-1|{reading.charged}|{reading.discharged}|{int(reading.at)}"
    assert _verified(reading, bench.evse.meter.public_key, shown.encode())
    assert not _verified(reading, bench.evse.meter.public_key, shown.replace("V2GKIT", "OTHER").encode())
    assert not _verified(reading, Bench().evse.meter.public_key, shown.encode())


@pytest.mark.parametrize("direction", [1, -1])
def test_no_moment_of_a_rising_voltage_passes_the_power(direction: int) -> None:
    bench = Bench()
    bench.live()
    bench.do(bench.evse.set_output(150, direction * 73, direction * 10_950))
    bench.now += 1
    bench.do(bench.evse.read_output())
    bench.do(bench.evse.set_output(920, direction * 73, direction * 11_000))
    for _ in range(60):
        bench.now += 0.01
        measured = bench.do(bench.evse.read_output())
        assert abs(measured.watts) <= 11_000 + 1e-6
    assert (measured.voltage, measured.current) == pytest.approx((920, direction * 11_000 / 920))
