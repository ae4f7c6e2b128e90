"""Modbus over TLS and on a serial line (RTU), against `pymodbus`, which we did not write."""

import asyncio
import json
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.interop.test_grid_modbus import METER, PV, PYTHON, ROOT, TIME
from tests.starved import again
from tests.v2gkit.grid.test_sep2 import certificates
from v2gkit.grid.declared import Modbus
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import HOLDING, Declined, Read, Write
from v2gkit.grid.modbus.rtu import SerialLine, crc, silence
from v2gkit.grid.shell.modbus import follow
from v2gkit.peers import grid_setup
from v2gkit.peers.process import Process

THERE = pytest.mark.skipif(not PYTHON.exists(), reason="pymodbus and pysunspec2 are not in .interop: make interop")


@asynccontextmanager
async def served(folder: Path, units: list[dict[str, Any]], **more: Any) -> AsyncIterator[str]:
    command = [str(PYTHON), str(grid_setup.MODBUS), json.dumps({"units": units, **more})]
    async with Process("modbus", command, folder=ROOT, log=folder / "modbus.log") as server:
        yield f"localhost:{(await server.expect('port', TIME))['port']}"


@asynccontextmanager
async def cable() -> AsyncIterator[tuple[str, str]]:
    """Two ends of a serial line: what is written to one is read at the other."""
    (one, first), (two, second) = os.openpty(), os.openpty()
    loop = asyncio.get_running_loop()
    for end in (one, first, two, second):
        tty.setraw(end)
    for here, there in ((one, two), (two, one)):
        os.set_blocking(here, False)
        loop.add_reader(here, lambda here=here, there=there: os.write(there, os.read(here, 512)))  # type: ignore[misc]
    try:
        yield os.ttyname(first), os.ttyname(second)
    finally:
        for end in (one, two):
            loop.remove_reader(end)
        for end in (one, first, two, second):
            os.close(end)


async def heard(*devices: Modbus, until: Callable[[dict[str, float], list[GridFault]], bool]) -> tuple[dict[str, float], list[GridFault]]:
    powers: dict[str, float] = {}
    faults: list[GridFault] = []
    enough = asyncio.Event()

    def told(name: str, said: dict[str, float]) -> None:
        powers[name] = said["power"]
        _ = until(powers, faults) and enough.set()  # type: ignore[func-returns-value]

    def complained(fault: GridFault) -> None:
        faults.append(fault)
        _ = until(powers, faults) and enough.set()  # type: ignore[func-returns-value]

    tasks = [asyncio.ensure_future(follow(each, partial(told, each.name), complained)) for each in devices]
    await enough.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return powers, faults


@THERE
@again
def test_devices_on_one_serial_line_are_asked_in_turn(tmp_path: Path) -> None:
    async def tried() -> None:
        async with asyncio.timeout(TIME), cable() as (ours, theirs), served(tmp_path, [METER, PV], serial=theirs):
            kinds: dict[str, Any] = {"sunspec": True, "parity": "none", "every": 0.05}  # a pty has no parity
            devices = [Modbus(name, ours, "load", unit, **kinds) for name, unit in (("meter", 1), ("sun", 2))]
            powers, faults = await heard(*devices, until=lambda powers, _: len(powers) == 2)
            assert powers == {"meter": 5_000, "sun": -3_000}
            assert not faults
            absent = Modbus("gone", ours, "load", 9, timeout=0.2, **kinds)
            powers, faults = await heard(absent, devices[0], until=lambda powers, faults: bool(powers and faults))
            assert powers == {"meter": 5_000}
            assert all(str(fault).startswith("gone: ") for fault in faults)

    asyncio.run(tried())


@THERE
@again
def test_a_device_over_tls_is_read_by_whom_it_trusts_and_by_nobody_else(tmp_path: Path) -> None:
    certificates(tmp_path)
    files = {name: str(tmp_path / name) for name in ("server.pem", "server.key", "root.pem", "device.pem", "device.key")}

    async def tried() -> None:
        tls = {"cert": files["server.pem"], "key": files["server.key"], "roots": files["root.pem"]}
        async with asyncio.timeout(TIME), served(tmp_path, [METER], tls=tls) as address:
            ours = {"roots": files["root.pem"], "cert": files["device.pem"], "key": files["device.key"]}
            powers, faults = await heard(
                Modbus("meter", address, "load", 1, sunspec=True, **ours), until=lambda powers, _: bool(powers)
            )  # fmt: skip
            assert powers == {"meter": 5_000}
            assert not faults
            for more in ({"roots": files["root.pem"]}, ours | {"roots": files["device.pem"]}):  # no certificate, no trust in theirs
                powers, faults = await heard(
                    Modbus("meter", address, "load", 1, sunspec=True, **more), until=lambda _, faults: bool(faults)
                )  # fmt: skip
                assert not powers
                assert {fault.trouble for fault in faults} <= {Trouble.DENIED, Trouble.UNREACHABLE}

    asyncio.run(tried())


# --- without a line ---


def test_frames_are_those_of_the_standard() -> None:
    """The worked examples that public descriptions of Modbus RTU carry."""
    line = SerialLine(0x11)
    assert line.ask(Read(HOLDING, 0x6B, 3)).hex() == "1103006b00037687"
    octets = bytes.fromhex("110306ae415652434049ad")
    assert [line.receive(octets[at : at + 1]) for at in range(len(octets))][-1] == (0xAE41, 0x5652, 0x4340)
    assert line.ask(Write(1, (0x0A, 0x0102))).hex() == "1110000100020400 0a0102c6f0".replace(" ", "")
    assert line.receive(bytes.fromhex("1110000100021298")) == ()
    line.ask(Read(HOLDING, 0, 1))
    declined = bytes.fromhex("118302")
    assert line.receive(declined + crc(declined)) == Declined(2)
    assert silence(9_600) == pytest.approx(0.00401, abs=1e-5)
    assert silence(115_200) == 0.00175


@pytest.mark.parametrize(
    ("octets", "trouble"),
    [
        ("110306ae415652434049ae", Trouble.MALFORMED),  # CRC
        ("120306ae41565243404dd8", Trouble.MALFORMED),  # unit and CRC
        ("110306ae415652434049ad00", Trouble.MALFORMED),  # more
        ("110406ae4156524340bf9d", Trouble.MALFORMED),  # function
    ],
)
def test_what_is_no_answer_is_one_clear_error(octets: str, trouble: Trouble) -> None:
    line = SerialLine(0x11)
    line.ask(Read(HOLDING, 0x6B, 3))
    with pytest.raises(GridFault) as found:
        line.receive(bytes.fromhex(octets))
    assert found.value.trouble is trouble
    line.ask(Read(HOLDING, 0x6B, 3))
    assert line.receive(bytes.fromhex("110306ae415652434049ad")) is not None


def test_another_units_answer_is_none() -> None:
    line = SerialLine(0x11)
    line.ask(Read(HOLDING, 0x6B, 3))
    frame = bytes.fromhex("120306ae4156524340")
    with pytest.raises(GridFault, match="unit 18") as found:
        line.receive(frame + crc(frame))
    assert found.value.trouble is Trouble.REPLAYED


@pytest.mark.parametrize("more", [{"roots": "r"}, {"cert": "c", "key": "k"}])
def test_a_serial_line_has_no_tls(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="serial line"):
        Modbus("m", "/dev/ttyUSB0", "load", sunspec=True, **more)
