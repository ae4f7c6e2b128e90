"""Files of firmware over real sockets: friendly servers and hostile ones, with TLS and without, and a station that installs them."""

import asyncio
import hashlib
import shutil
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from ocpp_bridge import transfer
from ocpp_bridge.model.firmware import Firmware
from ocpp_bridge.model.safe import Holdings
from ocpp_bridge.transfer import FAILURES, HEAD_MAXIMUM, fetch
from tests.ocpp_bridge.firmware_maker import FILE, Maker, serving, whole
from tests.ocpp_bridge.ocpp_certificates import Ca, der
from tests.ocpp_bridge.ocpp_stand import Stand, stand
from v2gkit.csms.server import Csms

MAXIMUM = len(FILE)


def context(*roots: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for root in roots:
        made.load_verify_locations(root)
    return made


async def attempt(folder: Path, *answers: bytes, maximum: int = MAXIMUM) -> str:
    async with serving(*answers) as files:
        return await fetch(files.url, folder / "there" / "file", maximum, context)


def test_a_file_arrives_octet_by_octet_and_is_its_owners_alone(tmp_path):
    assert asyncio.run(attempt(tmp_path)) == hashlib.sha256(FILE).hexdigest()
    file = tmp_path / "there" / "file"
    assert file.read_bytes() == FILE
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_is_never_written_through_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "there" / "file").symlink_to(tmp_path / "precious")
    asyncio.run(attempt(tmp_path))
    assert (tmp_path / "precious").read_bytes() == b"precious"


LONGER = FILE + b"and more"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (whole()[:-1], "ended after"),
        (whole(LONGER), "are the most"),
        (whole(b""), "0 octets"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + FILE, "how long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + FILE, "how long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + FILE, "how long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "how long"),
        (whole(FILE, "Transfer-Encoding: chunked"), "encoding"),
        (whole(FILE, "Content-Encoding: gzip"), "encoding"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nsorry", "HTTP 404"),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n\r\nsorry", "HTTP 206"),
        (b"SSH-2.0-x\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * (4 * HEAD_MAXIMUM), ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", ""),
        (b"", ""),
    ],
)
def test_what_is_no_whole_file_is_an_error_and_no_more(tmp_path, answer, said):
    with pytest.raises(FAILURES, match=said or None):
        asyncio.run(attempt(tmp_path, answer))


def test_a_server_that_falls_silent_in_the_midst_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "IDLE", 0.2)

    async def scene() -> None:
        async with serving() as files:
            files.gate.clear()
            await fetch(files.url, tmp_path / "file", MAXIMUM, context)

    with pytest.raises(TimeoutError):
        asyncio.run(scene())


def test_a_server_is_verified_by_the_roots_of_the_station(tmp_path):
    ca = Ca(tmp_path / "ca", at=datetime.now(UTC))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(*ca.issue("files", purpose="SERVER_AUTH", names=("127.0.0.1",)))
    stranger = Ca(tmp_path / "stranger", at=datetime.now(UTC))

    async def scene() -> None:
        async with serving(tls=served) as files:
            assert await fetch(files.url, tmp_path / "file", MAXIMUM, lambda: context(ca.root)) == hashlib.sha256(FILE).hexdigest()
            with pytest.raises(ssl.SSLCertVerificationError):
                await fetch(files.url, tmp_path / "file", MAXIMUM, lambda: context(stranger.root))
            with pytest.raises(ssl.SSLCertVerificationError, match=r"[Hh]ostname|IP address"):
                await fetch(files.url.replace("127.0.0.1", "localhost"), tmp_path / "file", MAXIMUM, lambda: context(ca.root))

    asyncio.run(scene())


# --- a station ---


class Copies:
    """An installer that copies the file, and may change it on the disk before, as a thief would."""

    def __init__(self, to: Path, fault: str = ""):
        self.to, self.fault, self.restarts = to, fault, 0

    async def verify(self, file: Path) -> None:
        if self.fault == "verify":
            raise ValueError("of another model")

    async def install(self, file: Path) -> bool:
        if self.fault == "install":
            raise LookupError("no room on the other half")
        await asyncio.to_thread(shutil.copyfile, file, self.to)
        return self.fault == "activate"

    async def activate(self) -> None:
        raise OSError("nobody restarts me")

    async def confirm(self, file: Path, *, cut: bool) -> None:
        raise AssertionError("it never restarted")


def told(s: Stand) -> list[str]:
    return [each["status"] for each in s.frames.calls("FirmwareStatusNotification")]


FETCHED = ["Downloading", "Downloaded", "SignatureVerified"]
WELL = [*FETCHED, "Installing", "Installed"]


async def updated(
    folder: Path, maker: Maker, version: str, expected: list[str], fault: str = "", answers: tuple[bytes, ...] = (), **firmware: str
) -> dict:
    """The last status of a station that is asked over its WebSocket and fetches over HTTP, once it has told what is expected."""
    endpoint = {"versions": (version,)}
    async with serving(*answers) as files, stand(Csms(), endpoint=endpoint, store=folder / "ocpp.sqlite") as s:
        charger = s.point.bridge.charger
        charger.firmware = Firmware(Copies(folder / "installed", fault), folder / "firmware", ("127.0.0.1",))
        charger.safe.holdings = Holdings({"ManufacturerRootCertificate": (der(maker.certificate),)})
        await s.until(lambda: s.frames.calls("StatusNotification"))
        asked = {"requestId": 1, "retries": 0, "firmware": maker.firmware(files.url) | firmware}
        assert (await s.csms.call("CS-1", "UpdateFirmware", asked))["status"] == "Accepted"
        await s.until(lambda: len(told(s)) == len(expected))
        assert told(s) == expected
        await s.until(lambda: not (folder / "firmware" / "update").exists())
        return s.frames.calls("FirmwareStatusNotification")[-1]


@pytest.fixture(scope="module")
def maker(tmp_path_factory) -> Maker:
    return Maker(tmp_path_factory.mktemp("maker"), datetime.now(UTC))


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    monkeypatch.setattr("tests.ocpp_bridge.ocpp_stand.WALL", time.time())  # the certificates of this page are of today


@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
def test_a_station_installs_what_its_csms_names_and_its_manufacturer_signed(tmp_path, maker, version):
    asyncio.run(updated(tmp_path, maker, version, WELL))
    assert (tmp_path / "installed").read_bytes() == FILE


@pytest.mark.parametrize(("key", "well"), [("secp384r1", True), ("secp256r1", False)])
def test_a_key_of_384_bits_may_sign_by_a_hash_of_as_many(tmp_path, maker, key, well):
    signed = {"signingCertificate": maker.signer(key), "signature": maker.signature(key=key, hash_=hashes.SHA384())}
    expected = WELL if well else ["Downloading", "Downloaded", "InvalidSignature"]
    asyncio.run(updated(tmp_path, maker, "ocpp2.1", expected, **signed))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("verify", [*FETCHED, "Installing", "InstallVerificationFailed"]),
        ("install", [*FETCHED, "Installing", "InstallationFailed"]),
        ("activate", [*FETCHED, "Installing", "InstallRebooting", "InstallationFailed"]),
    ],
)
def test_what_its_owner_says_of_a_file_is_what_the_csms_hears(tmp_path, maker, fault, expected):
    said = asyncio.run(updated(tmp_path, maker, "ocpp2.1", expected, fault))
    words = {"verify": "of another model", "install": "no room on the other half", "activate": "nobody restarts me"}
    assert said["statusInfo"]["additionalInfo"] == words[fault]
    assert (tmp_path / "installed").exists() == (fault == "activate")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(whole(FILE[::-1]), ["Downloading", "Downloaded", "InvalidSignature"]), (whole()[:-1], ["Downloading", "DownloadFailed"])],
)
def test_another_file_or_half_of_it_is_never_installed(tmp_path, maker, answer, expected):
    asyncio.run(updated(tmp_path, maker, "ocpp2.1", expected, answers=(answer,)))
    assert not (tmp_path / "installed").exists()


def test_a_file_that_was_changed_on_the_disk_is_not_installed(tmp_path, maker, monkeypatch):
    landed = transfer._written

    async def changed(*arguments) -> str:
        digest = await landed(*arguments)
        (tmp_path / "firmware" / "update").write_bytes(FILE[:-1] + b"!")
        return digest

    monkeypatch.setattr(transfer, "_written", changed)
    said = asyncio.run(updated(tmp_path, maker, "ocpp2.1", [*FETCHED, "Installing", "InstallVerificationFailed"]))
    assert "not the one that was downloaded" in said["statusInfo"]["additionalInfo"]


def test_another_update_ends_the_download_of_the_one_before(tmp_path, maker):
    async def scene() -> list[tuple[int, str]]:
        async with serving() as first, serving() as second, stand(Csms()) as s:
            charger = s.point.bridge.charger
            charger.firmware = Firmware(Copies(tmp_path / "installed"), tmp_path / "firmware", ("127.0.0.1",))
            charger.safe.holdings = Holdings({"ManufacturerRootCertificate": (der(maker.certificate),)})
            first.gate.clear()
            await s.until(lambda: s.frames.calls("StatusNotification"))
            for number, files in enumerate((first, second), 1):
                asked = {"requestId": number, "firmware": maker.firmware(files.url)}
                answer = await s.csms.call("CS-1", "UpdateFirmware", asked)
                assert answer["status"] == ("Accepted", "AcceptedCanceled")[number - 1]
                await s.until(lambda files=files: files.heard)
            await s.until(lambda: told(s)[-1] == "Installed")
            return [(each["requestId"], each["status"]) for each in s.frames.calls("FirmwareStatusNotification")]

    assert asyncio.run(scene()) == [(1, "Downloading"), *((2, status) for status in WELL)]
