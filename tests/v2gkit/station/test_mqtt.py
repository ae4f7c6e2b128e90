"""Firmware behind an MQTT broker: mosquitto in a process of its own, killed and started anew, and a client that no one here wrote."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import jsonschema_rs
import pytest

from secc.station import EmergencyStop, Fact, PilotIs, Position
from tests.free_ports import free_port
from tests.starved import HANG, again, heed
from tests.v2gkit.cli.test_secc import car, station
from v2gkit.station.firmware import words
from v2gkit.station.firmware.mqtt import Firmware

SCHEMA = jsonschema_rs.validator_for(words.schema())
BASE = "v2gkit/DE*V2G*E1"


@contextlib.contextmanager
def serving(port: int, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("no mosquitto on this machine: apt-get install mosquitto")
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), HANG):
                break
            assert process.poll() is None, "mosquitto did not start"
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


class Peer:
    """A firmware: answers commands as it was told to, and says what a test wants."""

    def __init__(self, client: aiomqtt.Client):
        self.client = client
        self.heard: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}

    async def say(self, kind: str, retain: bool = False, **said: Any) -> None:
        SCHEMA.validate({"type": kind, **said})
        await self.client.publish(f"{BASE}/var/{kind}", json.dumps(said).encode(), qos=1, retain=retain)

    async def listen(self) -> None:
        await self.client.subscribe(f"{BASE}/cmd/+", qos=1)
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            word = {"type": message.topic.value.rpartition("/")[2], **json.loads(message.payload)}
            SCHEMA.validate(word)
            self.heard.append(word)
            if "id" in word and word["type"] in self.answers:
                await self.say("done", id=word["id"], **self.answers[word["type"]])

    async def live(self) -> None:
        while True:
            await self.say("alive")
            await asyncio.sleep(words.SIGN_OF_LIFE)


async def came(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(HANG):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def peered(port: int) -> Any:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        peer = Peer(client)
        task = asyncio.ensure_future(peer.listen())
        try:
            yield peer
        finally:
            task.cancel()


def told(story: Callable[[Firmware, Peer], Awaitable[None]], tmp_path: Path, **given: Any) -> None:
    async def main() -> None:
        port = free_port()
        with serving(port, tmp_path):
            evse = Firmware("127.0.0.1", port, **{"silence": 30.0, **given})
            try:
                async with peered(port) as peer:
                    await came(lambda: evse._away == "the firmware has not said hello yet")
                    await came(lambda: any(word["type"] == "ping" for word in peer.heard))
                    await story(evse, peer)
            finally:
                await evse.tasks.close()

    asyncio.run(main())


def test_commands_and_reports_over_topics(tmp_path: Path) -> None:
    async def story(evse: Firmware, peer: Peer) -> None:
        assert evse.unserviceable()
        assert await evse.open_contactor() is False
        await peer.say("hello", version=1)
        await came(lambda: not evse.unserviceable())
        peer.answers = {"open_contactor": {"ok": True}, "set_output": {"ok": False, "reason": "converter hot"}}
        assert await evse.open_contactor() is True
        with pytest.raises(RuntimeError, match="converter hot"):
            await evse.set_output(400.0, 10.0, 4000.0)
        await peer.say("output", voltage=400.0, current=9.0)
        await came(lambda: evse._output.voltage == 400.0)
        peer.answers = {"connect_device": {"ok": True}, "disconnect_device": {"ok": True}}
        assert await evse.connect_device() is True
        assert await evse.disconnect_device() is True
        await peer.say("position", x=1, y=2, window_x=3, window_y=4, reachable=True)
        await peer.say("device", state="Moving")
        await came(lambda: "the device is at Moving" in evse.unserviceable())
        assert await evse.read_position() == Position(1, 2, 3, 4, reachable=True)

    told(story, tmp_path)


def test_a_command_that_was_not_sent_never_reaches_the_firmware_that_comes_next(tmp_path: Path) -> None:
    async def story(evse: Firmware, peer: Peer) -> None:
        await peer.say("hello", version=1)
        await came(lambda: any(word["type"] == "welcome" for word in peer.heard))
        evse._tell(words.CloseContactor(id=999))
        evse._end("the firmware fell silent")  # before anybody could publish
        assert evse._unsent.empty()
        await peer.say("hello", version=1)
        await came(lambda: evse._line is not None)
        await came(lambda: [word["type"] for word in peer.heard].count("welcome") == 2)
        assert not any(word["type"] == "close_contactor" for word in peer.heard)

    told(story, tmp_path)


def test_what_was_retained_is_not_believed(tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        with serving(port, tmp_path):
            async with peered(port) as peer:
                await peer.say("hello", retain=True, version=1)
                evse = Firmware("127.0.0.1", port)
                await came(lambda: any(word["type"] == "ping" for word in peer.heard))
                await asyncio.sleep(0.3)
                assert evse.unserviceable() == "the firmware has not said hello yet"
                await evse.tasks.close()

    asyncio.run(main())


def test_silence_ends_and_who_goes_on_talking_is_asked_for_hello(tmp_path: Path) -> None:
    async def story(evse: Firmware, peer: Peer) -> None:
        await peer.say("hello", version=1)
        await came(lambda: evse._line is not None)
        facts: list[Fact] = []

        async def gather() -> None:
            async for fact in evse.notices():
                facts.append(fact)  # noqa: PERF401 - it never ends

        task = asyncio.ensure_future(gather())
        await peer.say("pilot", state="C")
        await came(lambda: facts == [PilotIs("C")])
        evse.silence = 1.0  # only now: a test that gets no processor is silent, too
        await peer.say("alive")
        await came(lambda: len(facts) == 2)
        assert facts[1] == EmergencyStop("the firmware said nothing for 1 s")
        await peer.say("alive")
        await came(lambda: any(word["type"] == "refused" and "hello" in word["reason"] for word in peer.heard))
        task.cancel()

    told(story, tmp_path)


def test_what_is_no_word_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def story(evse: Firmware, peer: Peer) -> None:
        await peer.say("hello", version=1)
        await came(lambda: evse._line is not None)
        await peer.client.publish(f"{BASE}/var/output", b'{"voltage":"high","current":1}', qos=1)
        await came(lambda: any(word["type"] == "refused" and "voltage" in word["reason"] for word in peer.heard))
        assert evse.unserviceable()

    told(story, tmp_path)


def test_a_broker_that_dies_ends_it_and_is_found_again(tmp_path: Path) -> None:
    async def main() -> None:
        port = free_port()
        evse = Firmware("127.0.0.1", port, silence=30.0)
        try:
            for _ in range(2):
                with serving(port, tmp_path):
                    async with peered(port) as peer:
                        await came(lambda peer=peer: any(word["type"] == "ping" for word in peer.heard))
                        await peer.say("hello", version=1)
                        await came(lambda: not evse.unserviceable())
                await came(lambda: evse.unserviceable() == "the link to the broker was lost")
        finally:
            await evse.tasks.close()

    asyncio.run(main())


@again
def test_a_car_charges_at_an_outlet_behind_a_broker(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "station.toml"
    config.write_text(
        f'[hardware]\ndriver = "v2gkit.station.firmware.mqtt:Firmware"\n[hardware.options]\nhost = "127.0.0.1"\nport = {port}\n'
        '[offer]\nservices = ["AC"]\nauthorizations = ["EIM"]\n'
    )

    async def charge(address: str) -> dict[str, Any]:
        async with peered(port) as peer:
            ready = {"ok": True}
            peer.answers = {
                **dict.fromkeys(("close_contactor", "open_contactor", "lock_connector", "unlock_connector", "set_power"), ready),
                "authorize": {"ok": None},
            }
            await came(lambda: any(word["type"] == "ping" for word in peer.heard))
            await peer.say("hello", version=1)
            living = asyncio.ensure_future(peer.live())
            await came(lambda: any(word["type"] == "welcome" for word in peer.heard))
            went = await asyncio.to_thread(car, address, "--service", "AC", "--loops", "3")
            await came(lambda: any(word["type"] == "session_ended" for word in peer.heard))
            living.cancel()
        order = [word["type"] for word in peer.heard]
        assert order.index("close_contactor") < order.index("open_contactor") < order.index("session_ended")
        return went

    with serving(port, tmp_path), station("--config", str(config)) as (_, first):
        went = asyncio.run(charge(first["address"]))
    heed(went)
    assert went["ok"], went
