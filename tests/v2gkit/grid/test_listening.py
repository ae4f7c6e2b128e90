"""Sources on real sockets: hostile devices cost one clear error each and nothing else; a station's feed is told what holds."""

import asyncio
import json
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.starved import again
from v2g.energy.signal import Signal
from v2gkit.cli.main import main
from v2gkit.grid.declared import Grid, Modbus, OpenAdr, Register
from v2gkit.grid.feeding import words_of
from v2gkit.grid.modbus.storage import Storage
from v2gkit.grid.shell.running import Listening
from v2gkit.grid.shell.station import Feeding
from v2gkit.grid.standing import Standing
from v2gkit.station.feed import words

TIME = 120.0  # s, generous
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def device(answer: Answer) -> AsyncIterator[str]:
    """A device that answers each question as `answer` does."""

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while question := await reader.read(512):
                await answer(question, writer)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    async with await asyncio.start_server(attend, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def honest(watts: int) -> Answer:
    async def answer(question: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(question[:4] + struct.pack(">HBBBh", 5, question[6], 3, 2, watts))

    return answer


async def silent(question: bytes, writer: asyncio.StreamWriter) -> None:
    """Says nothing."""


async def dripping(question: bytes, writer: asyncio.StreamWriter) -> None:
    for octet in question[:4] + struct.pack(">HBBBh", 5, question[6], 3, 2, 1):
        writer.write(bytes([octet]))
        await asyncio.sleep(0.1)


async def huge(question: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(question[:4] + b"\xff\xff" + bytes(1 << 20))


async def replayed(question: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\x63\x00\x00" + struct.pack(">HBBBh", 5, question[6], 3, 2, 1))


async def declining(question: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(question[:4] + struct.pack(">HBBB", 3, question[6], 0x83, 4))


async def negative(question: bytes, writer: asyncio.StreamWriter) -> None:
    await honest(-5)(question, writer)


async def gone(question: bytes, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


HOSTILE = {
    "silent": (silent, "slow"),
    "dripping": (dripping, "slow"),
    "huge": (huge, "malformed"),
    "replayed": (replayed, "replayed"),
    "declining": (declining, "denied"),
    "negative": (negative, "malformed"),
    "gone": (gone, "unreachable"),
}


def box(name: str, address: str, **more: Any) -> Modbus:
    return Modbus(name, address, "signal", register=(Register("import_cap", 0),), every=0.05, **more)


@again
def test_hostile_devices_cost_one_clear_error_each_and_no_other_source_its_signal() -> None:
    async def tried() -> None:
        said: list[dict[str, Any]] = []
        more = asyncio.Event()

        def say(line: dict[str, Any]) -> None:
            said.append(line)
            more.set()

        async with asyncio.timeout(TIME), asyncio.TaskGroup() as group, device(honest(7_000)) as good:
            boxes = [box("good", good, timeout=60.0)]
            for name, (answer, _) in HOSTILE.items():
                address = await _entered(group, answer)
                boxes.append(box(name, address, timeout=0.3 if answer in (silent, dripping) else 60.0, fallback_import=9_000.0))
            task = group.create_task(Listening(Grid(modbus=tuple(boxes)), time.monotonic, say).run())
            while {line["source"] for line in said if line["what"] == "fault"} < HOSTILE.keys() or not any(
                line.get("import_cap") == 7_000 for line in said
            ):
                more.clear()
                await more.wait()
            task.cancel()
            faults = [line for line in said if line["what"] == "fault"]
            assert {(line["source"], line["trouble"]) for line in faults} >= {(name, trouble) for name, (_, trouble) in HOSTILE.items()}
            assert len(faults) == len(HOSTILE)
            assert all(line["text"].startswith(f"{line['source']}: ") and len(line["text"]) < 200 for line in faults)
            held = [line for line in said if line["what"] == "holds"]
            assert held[-1]["import_by"] == ["good:import cap"]
            for each in list(group._tasks):  # type: ignore[attr-defined]
                each.cancel()

    asyncio.run(tried())


VTNS = {  # what a server says to a VEN's first request, and what is told of it
    "silent": (None, "slow"),
    "huge": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "huge"),
    "endless": (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5_000, "huge"),
    "another": (b"SSH-2.0-OpenSSH\r\n\r\n", "malformed"),
    "moved": (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "unreachable"),
    "thief": (b'HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{"tokenURL":"http://127.0.0.1"}', "denied"),
    "refusing": (b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}", "denied"),
    "short": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "unreachable"),
}


@again
def test_hostile_vtns_cost_one_clear_error_each_and_their_fallback_holds(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("it stays here")

    def saying(octets: bytes | None) -> Answer:
        async def answer(question: bytes, writer: asyncio.StreamWriter) -> None:
            assert b"it stays" not in question
            if octets is not None:
                writer.write(octets)
                await writer.drain()
                writer.close()

        return answer

    async def tried() -> None:
        said: list[dict[str, Any]] = []
        more = asyncio.Event()

        def say(line: dict[str, Any]) -> None:
            said.append(line)
            more.set()

        async with asyncio.timeout(TIME), asyncio.TaskGroup() as group:
            vtns = [
                OpenAdr(
                    name,
                    f"http://{await _entered(group, saying(octets))}",
                    "us",
                    str(tmp_path / "secret"),
                    "us",
                    timeout=0.3 if octets is None else 60.0,
                    fallback_import=4_000.0 + number,
                )
                for number, (name, (octets, _)) in enumerate(VTNS.items())
            ]
            task = group.create_task(Listening(Grid(openadr=tuple(vtns)), time.monotonic, say).run())
            while {line["source"] for line in said if line["what"] == "fault"} < VTNS.keys():
                more.clear()
                await more.wait()
            task.cancel()
            faults = [(line["source"], line["trouble"]) for line in said if line["what"] == "fault"]
            assert sorted(faults) == sorted((name, trouble) for name, (_, trouble) in VTNS.items())
            assert [line["import_cap"] for line in said if line["what"] == "holds"] == [4_000]
            for each in list(group._tasks):  # type: ignore[attr-defined]
                each.cancel()

    asyncio.run(tried())


async def _entered(group: asyncio.TaskGroup, answer: Answer) -> str:
    """The address of a device that serves until its task is cancelled."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serving() -> None:
        async with device(answer) as address:
            ready.set_result(address)
            await asyncio.Event().wait()

    group.create_task(serving())
    return await ready


@again
def test_a_station_is_told_its_share_in_the_words_of_its_feed(tmp_path: Path) -> None:
    async def tried() -> None:
        told: asyncio.Queue[words.Told] = asyncio.Queue()

        async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                told.put_nowait(words.read(line))
            writer.close()

        async with asyncio.timeout(TIME):
            feeding = Feeding(tmp_path / "site.sock", 2)
            feeding.heed(Standing(11_000, ("a",), asked=-8_000, asked_by="b"))
            task = asyncio.ensure_future(feeding.run())  # before there is a station
            async with await asyncio.start_unix_server(attend, tmp_path / "site.sock"):
                assert await told.get() == words.Limit("EMS", charge=5_500.0)
                assert await told.get() == words.Setpoint(-4_000.0, lasts=60.0)
                feeding.heed(Standing())
                assert await told.get() == words.Limit("EMS")
                assert await told.get() == words.Setpoint(None, lasts=60.0)
                task.cancel()
                await asyncio.wait([task])

    asyncio.run(tried())


@again
def test_a_battery_that_speaks_all_the_time_keeps_no_setpoint_from_being_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setpoint lapses unless it is told again; and what a station answers is an order, or ends the connection."""
    monkeypatch.setattr("v2gkit.grid.shell.station.LASTS", 0.6)

    async def tried() -> None:
        told: list[words.Told] = []
        again, left = asyncio.Event(), asyncio.Event()

        async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(words.order("pack", -1_500.0, 10.0) + words.order("another", 7.0, 10.0))
            while line := await reader.readline():
                told.append(words.read(line))
                if sum(isinstance(each, words.Setpoint) for each in told) == 3:
                    again.set()
                    writer.write(words.refused("enough"))
            left.set()
            writer.close()

        async with asyncio.timeout(TIME):
            storage = Storage("inverter", "pack", time.monotonic)
            feeding = Feeding(tmp_path / "site.sock", 1, storages=[storage])
            feeding.heed(Standing(asked=-8_000, asked_by="b"))
            async with await asyncio.start_unix_server(attend, tmp_path / "site.sock"):
                task = asyncio.ensure_future(feeding.run())
                while not again.is_set():
                    storage.heard({"soc": 40.0, "power": -1_500.0})
                    await asyncio.sleep(0.01)
                await left.wait()
                task.cancel()
                await asyncio.wait([task])
        assert words.Battery("pack", 40.0, -1_500.0) in told
        assert storage.ordered_power == -1_500.0

    asyncio.run(tried())


@pytest.mark.parametrize(("power", "lasts"), [(float("nan"), 10.0), (1e3, 0.0), (1e3, -1.0), (1e3, 1e9), (float("inf"), 10.0)])
def test_an_order_that_is_none_is_refused_and_the_one_before_stands(power: float, lasts: float) -> None:
    storage = Storage("inverter", "pack", lambda: 0.0)
    storage.ordered(-500.0, 10.0)
    with pytest.raises(ValueError, match="give a power"):
        storage.ordered(power, lasts)
    assert storage.ordered_power == -500.0


def test_a_setpoint_is_for_all_outlets_together() -> None:
    limit, setpoint = words_of(Standing(12_000, ("a",), 6_000, ("c",), asked=-12_000, asked_by="b"), 2, 3)
    assert limit == {"type": "limit", "source": "EMS", "charge": 6_000, "discharge": 3_000}
    assert setpoint == {"type": "setpoint", "power": -1_000, "lasts": 60.0}  # of 6 kW that may be given, among six outlets


def test_the_command_tells_signals_as_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml = tmp_path / "grid.toml"
    text = '[[modbus]]\nname = "box"\nrole = "signal"\naddress = "127.0.0.1:1"\nfallback_import = 5000\n'
    toml.write_text(f'{text}[[modbus.register]]\nreads = "import_cap"\nat = 0\n')
    assert main(["grid", str(toml), "--check"]) == 0
    assert "silent for 10 s, import at most 5000 W, export as it was last" in capsys.readouterr().out
    assert main(["grid", str(toml), "--seconds", "0.2", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["what"] for line in lines] == ["holds", "fault"]
    assert (lines[0]["import_cap"], lines[0]["import_by"], lines[1]["trouble"]) == (5_000, ["box:fallback import cap"], "unreachable")
    toml.write_text("tenant = 3\n")
    assert main(["grid", str(toml)]) == 2
    assert "tenant is 3" in capsys.readouterr().err


def test_planners_hear_the_signals_whenever_they_change() -> None:
    heard: list[tuple[float, tuple[Signal, ...]]] = []

    async def tried() -> None:
        changed = asyncio.Event()

        def heed(held: Standing, signals: tuple[Signal, ...]) -> None:
            heard.append((held.import_cap, signals))
            changed.set()

        async with asyncio.timeout(TIME), device(honest(7_000)) as good:
            grid = Grid(modbus=(box("good", good, timeout=60.0, fallback_import=1_000.0),))
            task = asyncio.ensure_future(Listening(grid, time.monotonic, lambda line: None, heed).run())
            while not heard or heard[-1][0] != 7_000:
                changed.clear()
                await changed.wait()
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(tried())
    assert [cap for cap, _ in heard] == [1_000, 7_000]
    assert [[signal.id for signal in signals] for _, signals in heard] == [["good:fallback import cap"], ["good:import cap"]]
