"""What is told a station beside its cars, over a socket and over a broker: modes of OCPP 2.1 follow it, with a car and a CSMS."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import jsonschema_rs
import pytest

from ocpp_bridge.smart.feeds import Limit
from secc.config import Config
from secc.feed import Feed
from tests.free_ports import free_port
from tests.ocpp_bridge.test_live import Process, read
from tests.starved import HANG, again, heed
from tests.v2gkit.station.test_mqtt import serving
from v2g.settings.strict import ConfigError
from v2g.settings.strict import read as configured
from v2gkit.station.feed import words
from v2gkit.station.feed.hearing import Hearing
from v2gkit.station.feed.unix import PEERS, Listener

SCHEMA = jsonschema_rs.validator_for(words.schema())
CURVE = [{"frequency": 49.8, "power": -5000}, {"frequency": 50.2, "power": 5000}]
MODES = {  # mode -> the rest of its period, and the power that the car is led to; the one that falls silent soonest is the last
    "LocalLoadBalancing": ({"v2xBaseline": -2000}, -2000.0),
    "ExternalSetpoint": ({}, -1234.0),
    "LocalFrequency": ({"v2xBaseline": 0, "v2xFreqWattCurve": CURVE}, -2500.0),
}
BANDS = {"UpperThreshold": "60000", "LowerThreshold": "-60000"}
TOLD = ({"type": "frequency", "hertz": 49.9}, {"type": "upstream", "power": 0}, {"type": "setpoint", "power": -1234, "lasts": 2})


class Follower:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given, **more: self.told.append((name, *given, *more.values()))


# --- words ---


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"type":"frequency","hertz":49.98}', ("take_frequency", 49.98)),
        ('{"type":"upstream","power":-1500}', ("take_upstream", -1500.0, "")),
        ('{"type":"upstream","power":7,"at":"F1"}', ("take_upstream", 7.0, "F1")),
        ('{"type":"setpoint","power":-7000,"evse":"E2","lasts":5}', ("take_setpoint", 2, -7000.0, 5.0)),
        ('{"type":"setpoint","power":null}', ("take_setpoint", 0, None, 60.0)),
        ('{"type":"limit","charge":3000,"critical":true}', ("take_limit", Limit("EMS", 0, 3000.0, None, True))),
        ('{"type":"limit","source":"SO","evse":"E1"}', ("drop_limit", "SO", 1, False)),
        ('{"type":"priority","evse":"E1","activated":true}', ("take_priority", 1, True)),
        ('{"type":"override","evse":"E2","activated":true}', ("take_override", 2, True)),
        ('{"type":"battery","name":"pack","soc":55,"power":-20}', ("heard", "pack", 55.0, -20.0, None)),
    ],
)
def test_a_word_is_what_the_charge_point_is_told(line: str, told: tuple[Any, ...]) -> None:
    follower = Follower()
    SCHEMA.validate(json.loads(line))
    Hearing(follower, {"E1": 1, "E2": 2}, follower).hear(words.read(line.encode()))
    assert follower.told == [told]


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"frequency","hertz":0}',
        '{"type":"frequency","hertz":1e999}',
        '{"type":"upstream","power":1e10}',
        '{"type":"setpoint","power":1,"lasts":0}',
        '{"type":"setpoint","power":1,"lasts":1e9}',
        '{"type":"setpoint","power":1,"evse":"E9"}',
        '{"type":"battery","name":"pack","soc":101,"power":0}',
        '{"type":"battery","name":"pack","soc":50,"power":0}',
        '{"type":"limit","charge":-1}',
        '{"type":"limit","source":"CSO","charge":1}',
        '{"type":"upstream"}',
        '{"type":"elsewhere"}',
        "[]",
        "nan",
        "",
        '{"type":"frequency","hertz":"50"}',
    ],
)
def test_what_is_no_word_moves_no_car(line: str) -> None:
    follower = Follower()
    with pytest.raises(ValueError, match=r"\S"):
        Hearing(follower, {"E1": 1}).hear(words.read(line.encode()))
    assert not follower.told


# --- the table of the file ---


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "one of them"),
        ({"socket": "a", "host": "b"}, "one of them"),
        ({"socket": "a", "mode": "9"}, "octal"),
        ({"host": "b", "port": 0}, "1 to 65535"),
        ({"host": "b", "prefix": "a/#"}, "topic"),
        ({"host": "b", "password_file": "p"}, "username"),
    ],
)
def test_a_feed_that_cannot_be_meant_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Feed(**said)


def test_a_feed_that_nobody_follows_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing follows it"):
        configured(Config, 'tls = false\nread_soc = true\n[feed]\nsocket = "site.sock"\n')


# --- the socket ---


def test_programs_beside_each_other_and_one_that_is_wrong(tmp_path: Path) -> None:
    """A line that is none ends its own connection, with the reason; the others are heard on."""

    async def scene() -> None:
        follower, path = Follower(), tmp_path / "site.sock"
        task = asyncio.ensure_future(Listener(path, 0o600, Hearing(follower, {"E1": 1})).heard())
        try:
            async with contextlib.AsyncExitStack() as stack:
                peers = [await stack.enter_async_context(connected(path)) for _ in range(PEERS)]
                peers[0][1].write(b'{"type":"setpoint","power":1,"evse":"E9"}\n')
                said = json.loads(await peers[0][0].readline())
                assert said["type"] == "refused"
                assert "E9" in said["reason"]
                assert await peers[0][0].read() == b""
                peers[1][1].write(b"x" * words.LINE_LIMIT * 2 + b"\n")
                assert str(words.LINE_LIMIT) in json.loads(await peers[1][0].readline())["reason"]
                peers[2][1].write(b'{"type":"upstream","power":7}\n')
                async with asyncio.timeout(HANG):
                    while not follower.told:  # noqa: ASYNC110 - a list tells nobody
                        await asyncio.sleep(0.01)
                assert follower.told == [("take_upstream", 7.0, "")]
                more = [await stack.enter_async_context(connected(path)) for _ in range(PEERS)]
                answers = [asyncio.ensure_future(reader.readline()) for reader, _ in more]
                await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
                assert "already" in next(each for each in answers if each.done()).result().decode()
                for each in answers:
                    each.cancel()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert not path.exists()

    asyncio.run(asyncio.wait_for(scene(), HANG))


@contextlib.asynccontextmanager
async def connected(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield reader, writer
    finally:
        writer.close()


def test_a_report_is_answered_after_what_was_told_before(tmp_path: Path) -> None:
    class Standing(Follower):
        def standing(self, evse: int) -> dict[str, Any]:
            limits = [told[1].charge for told in self.told if told[0] == "take_limit"]
            return {"here": True, "power": 7.0, "charge": limits[-1]}

    async def scene() -> None:
        path = tmp_path / "site.sock"
        task = asyncio.ensure_future(Listener(path, 0o600, Hearing(Standing(), {"E1": 1})).heard())
        try:
            async with connected(path) as (reader, writer):
                writer.write(b'{"type":"limit","charge":9000}\n{"type":"limit","charge":3000}\n{"type":"report","id":"7"}\n')
                said = json.loads(await reader.readline())
                SCHEMA.validate({"type": "report", "id": "7"})
                state = jsonschema_rs.validator_for(words.schema()["$defs"]["State"] | {"$defs": words.schema()["$defs"]})
                state.validate(said)
                assert said == {"type": "state", "id": "7", "outlets": [{"evse": "E1", "here": True, "power": 7.0, "charge": 3000.0}]}
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(scene(), HANG))


# --- the whole chain ---


@contextlib.asynccontextmanager
async def over_socket(folder: Path) -> AsyncIterator[tuple[str, Callable[[dict[str, Any]], Any]]]:
    """The table of a station's file, and what tells it a word."""
    path, streams = folder / "site.sock", list[asyncio.StreamWriter]()

    async def tell(word: dict[str, Any]) -> None:
        if not streams:
            streams.append((await asyncio.open_unix_connection(str(path)))[1])
        streams[0].write(json.dumps(word).encode() + b"\n")
        await streams[0].drain()

    yield f'socket = "{path}"', tell
    for each in streams:
        each.close()


@contextlib.asynccontextmanager
async def over_broker(folder: Path) -> AsyncIterator[tuple[str, Callable[[dict[str, Any]], Any]]]:
    """Likewise, by mosquitto."""
    port = free_port()
    with serving(port, folder):
        async with aiomqtt.Client("127.0.0.1", port) as client:

            async def tell(word: dict[str, Any]) -> None:
                rest = {name: value for name, value in word.items() if name != "type"}
                await client.publish(f"v2gkit/site/{word['type']}", json.dumps(rest).encode())

            yield f'host = "127.0.0.1"\nport = {port}', tell


def profile(transaction: str, mode: str) -> str:
    """What the console of the CSMS is to be given for a TxProfile of a mode."""
    period = {"startPeriod": 0, "operationMode": mode, "limit": 9000, "dischargeLimit": -9000} | MODES[mode][0]
    schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [period]}
    made = {"id": 7, "stackLevel": 5, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Relative"}
    made |= {"transactionId": transaction, "chargingSchedule": [schedule]}
    return f"call DE*V2G*E1 SetChargingProfile {json.dumps({'evseId': 1, 'chargingProfile': made})}"


def band(name: str, value: str) -> dict[str, Any]:
    component = {"name": "V2XChargingCtrlr", "evse": {"id": 1}}
    return {"component": component, "variable": {"name": "LocalLoadBalancing", "instance": name}, "attributeValue": value}


async def ordered(trace: Path, true: Callable[[float], bool]) -> None:
    """Until the hardware was last told a power for which that is true."""
    while True:
        told = [record["facts"]["power"] for record in read(trace) if record.get("name") == "SetPower"]
        if told and true(told[-1]):
            return
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("way", [over_socket, over_broker])
@again
def test_modes_that_follow_what_is_told_in_a_running_station(way: Any, tmp_path: Path) -> None:
    async def scene() -> None:
        async with way(tmp_path) as (table, tell):
            config, trace = tmp_path / "station.toml", tmp_path / "trace.jsonl"
            config.write_text(f"tls = false\n[feed]\n{table}\n")
            csms = await Process.start("csms", "--port", "0", "--json", "--stdin", "--strategy", "none")
            port = (await csms.says(lambda line: line.get("topic") == "listening"))["port"]
            station = await Process.start(
                *("secc", "--json", "--once", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--services", "AC_BPT"),
                *("--config", str(config), "--trace", str(trace), "--ocpp", f"ws://127.0.0.1:{port}/ocpp"),
            )
            address = (await station.says(lambda line: line["event"] == "listening"))["address"]
            await csms.says(lambda line: line.get("topic") == "status")
            car = await Process.start(
                "ev", "--json", "--no-tls", "--connect", address, "--service", "AC_BPT", "--control", "dynamic", "--soc", "60"
            )
            try:
                await led(csms, trace, tell, car)
            finally:
                car.leave()
                result, ended = (await car.rest())[-1], (await station.rest())[-1]
                for process in (csms, station, car):
                    process.kill()
                    await process.process.wait()
            heed(result, ended)
            assert result["ok"], result

    asyncio.run(asyncio.wait_for(scene(), HANG))


async def led(csms: Process, trace: Path, tell: Callable[[dict[str, Any]], Any], car: Process) -> None:
    """Each mode in turn while somebody tells, then silence. Ends early where the car has left: why, is said by its last line."""
    charging = await csms.says(lambda line: line.get("facts", {}).get("transactionInfo", {}).get("chargingState") == "Charging")
    transaction = charging["facts"]["transactionInfo"]["transactionId"]
    csms.hear(profile(transaction, "LocalFrequency"))
    refused = await csms.says(lambda line: "topic" not in line)
    assert refused["status"] == "Rejected", refused
    assert refused["statusInfo"]["reasonCode"] == "InvalidOperationMode", refused

    async def telling() -> None:
        while True:
            for word in TOLD:
                await tell(word)
            await asyncio.sleep(0.3)

    async def leading() -> None:
        csms.hear(f"call DE*V2G*E1 SetVariables {json.dumps({'setVariableData': [band(*each) for each in BANDS.items()]})}")
        await csms.says(lambda line: "setVariableResult" in line)
        for mode, (_, power) in MODES.items():
            answer = {"status": "Rejected"}
            while answer["status"] == "Rejected":  # until what it follows has been heard
                csms.hear(profile(transaction, mode))
                answer = await csms.says(lambda line: "topic" not in line)
                await asyncio.sleep(0.1)
            await ordered(trace, lambda told, power=power: abs(told - power) < 1.0)
        teller.cancel()
        await ordered(trace, lambda told: told >= 0.0)  # nothing is discharged by what nobody tells any more

    teller = asyncio.ensure_future(telling())
    story, gone = asyncio.ensure_future(leading()), asyncio.ensure_future(car.process.wait())
    await asyncio.wait([story, gone], return_when=asyncio.FIRST_COMPLETED)
    for each in (teller, gone):
        each.cancel()
    if story.done():
        story.result()
    else:
        story.cancel()
