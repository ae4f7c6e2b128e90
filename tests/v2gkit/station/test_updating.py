"""A station as a process, whose CSMS is another, installs firmware by the commands of its file: well, wrong, and killed in the midst."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from secc.config import parse
from tests.ocpp_bridge.firmware_maker import FILE, Files, Maker, serving, whole
from tests.ocpp_bridge.test_live import Process
from v2g.settings.strict import ConfigError
from v2gkit.station import updating
from v2gkit.station.updating import firmware_of, run

STATION = "DE*V2G*E1"


def program(file: Path, text: str) -> str:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o700)
    return str(file)


class Scene:
    """`v2g csms`, a station that it asks for firmware, and the server that it names."""

    def __init__(self, folder: Path, files: Files):
        self.folder, self.files, self.maker = folder, files, Maker(folder / "maker", datetime.now(UTC))
        self.stations: list[Process] = []

    async def begin(self, **commands: str) -> None:
        (self.folder / "state").mkdir()
        self.csms = await Process.start("csms", "--port", "0", "--json", "--stdin")
        port = (await self.csms.says(lambda line: line.get("topic") == "listening"))["port"]
        install = program(self.folder / "install", f'env > "{self.folder}/environment"; cp "$1" "{self.folder}/installed"')
        more = "".join(f"{name} = {json.dumps([command])}\n" for name, command in commands.items())
        self.config = self.folder / "station.toml"
        url = f"ws://127.0.0.1:{port}/ocpp"
        self.config.write_text(
            f'state = "{self.folder}/state"\n[ocpp]\nurl = "{url}"\n[ocpp.firmware]\ninstall = {json.dumps([install])}\n{more}'
        )
        await self.start()
        await self.says("InstallCertificate", {"certificateType": "ManufacturerRootCertificate", "certificate": self.maker.pem})

    async def start(self) -> None:
        flags = ("--no-tls", "--services", "DC", "--host", "127.0.0.1", "--port", "0")
        self.stations.append(await Process.start("secc", "--json", "--config", str(self.config), *flags))
        await self.csms.says(lambda line: line.get("topic") == "status")

    async def kill(self) -> None:
        self.stations[-1].kill()
        await self.stations[-1].process.wait()

    async def says(self, action: str, payload: dict) -> None:
        """The CSMS asks for something, and the station accepts."""
        self.csms.hear(f"call {STATION} {action} {json.dumps(payload)}")
        answer = await self.csms.says(lambda line: "topic" not in line)
        assert answer["status"] == "Accepted", answer

    async def wants(self, **more) -> None:
        await self.says("UpdateFirmware", {"requestId": 5, "firmware": self.maker.firmware(self.files.url, **more)})

    async def told(self, status: str) -> list[str]:
        """Every status of firmware up to this one; one is told twice where a kill came before its answer was noted."""
        while status not in (said := [line["facts"]["status"] for line in self.csms.said if line.get("topic") == "report"]):
            await self.csms.says(lambda line: line.get("topic") == "report")
        return list(dict.fromkeys(said))

    async def end(self) -> None:
        for process in (self.csms, *self.stations):
            process.kill()
            await process.process.communicate()


def played(folder: Path, story, *answers: bytes) -> None:
    async def scene() -> None:
        async with serving(*answers) as files:
            at = Scene(folder, files)
            try:
                await story(at)
            finally:
                await at.end()

    asyncio.run(asyncio.wait_for(scene(), 300))


FETCHED = ["Downloading", "Downloaded", "SignatureVerified"]


def test_a_station_installs_by_its_command_what_v2g_csms_asks_for(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("tests.v2gkit.cli.test_secc", fromlist=["x"]).ENVIRONMENT, "V2G_OCPP_PASSWORD", "a secret of 16 letters")

    async def story(at: Scene) -> None:
        await at.begin()
        await at.wants()
        assert await at.told("Installed") == [*FETCHED, "Installing", "Installed"]

    played(tmp_path, story)
    assert (tmp_path / "installed").read_bytes() == FILE
    assert "V2G_OCPP_PASSWORD" not in (tmp_path / "environment").read_text()


def test_a_kill_in_the_midst_of_a_download_costs_the_update_nothing(tmp_path):
    async def story(at: Scene) -> None:
        await at.begin()
        at.files.gate.clear()
        await at.wants()
        await at.told("Downloading")
        while not at.files.heard:  # noqa: ASYNC110 - what the server hears is no event of this loop's
            await asyncio.sleep(0.01)
        await at.kill()
        assert not (at.folder / "installed").exists()
        at.files.gate.set()
        await at.start()
        assert await at.told("Installed") == [*FETCHED, "Installing", "Installed"]
        assert len(at.files.heard) == 2

    played(tmp_path, story)
    assert (tmp_path / "installed").read_bytes() == FILE


def test_a_station_that_its_command_restarts_tells_what_came_of_it(tmp_path):
    async def story(at: Scene) -> None:
        await at.begin(activate=program(tmp_path / "activate", "kill -9 $PPID"), confirm=program(tmp_path / "confirm", 'test -s "$1"'))
        await at.wants(key="secp256r1")
        assert (await at.told("InstallRebooting"))[-2:] == ["Installing", "InstallRebooting"]
        await at.stations[-1].process.wait()
        await at.start()
        await at.told("Installed")
        boots = [line["facts"]["reason"] for line in at.csms.said if line.get("topic") == "boot"]
        assert boots == ["PowerUp", "FirmwareUpdate"]

    played(tmp_path, story)


def test_what_the_manufacturer_did_not_sign_is_not_given_to_the_command(tmp_path):
    async def story(at: Scene) -> None:
        await at.begin()
        await at.wants()
        assert await at.told("InvalidSignature") == ["Downloading", "Downloaded", "InvalidSignature"]

    played(tmp_path, story, whole(FILE[::-1]))
    assert not (tmp_path / "installed").exists()


def test_a_command_that_fails_says_why_with_its_last_words(tmp_path):
    failing = program(tmp_path / "failing", "echo much; echo 'no space\x1b[2J' >&2; exit 3")
    with pytest.raises(OSError, match=r"ended with 3: much no space\\u001b\[2J"):
        asyncio.run(run([failing]))
    with pytest.raises(OSError, match="nobody"):
        asyncio.run(run([str(tmp_path / "nobody")]))


def test_a_command_that_never_ends_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(updating, "TIME", 0.1)
    with pytest.raises(OSError, match=r"more than 0\.1 s"):
        asyncio.run(run([program(tmp_path / "sleeps", "exec sleep 1000")]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[ocpp.firmware]\n", "install is missing"),
        ('[ocpp.firmware]\ninstall = ["install"]\n', "whole path"),
        ('[ocpp.firmware]\ninstall = ["/x"]\nmaximum_mb = 0\n', "maximum_mb"),
        ('[ocpp.firmware]\ninstall = ["/x"]\n', "state"),
    ],
)
def test_commands_that_cannot_be_used_are_said_at_the_start(text, said):
    with pytest.raises(ConfigError, match=said):
        firmware_of(parse(f'tls = false\n[ocpp]\nurl = "ws://csms/"\n{text}').ocpp.firmware, None)
