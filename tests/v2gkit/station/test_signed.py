"""A station whose certificate for cars a CSMS signs, as processes: the next car is served with it, over TLS, without a restart."""

import asyncio
import json
import re
import subprocess
from datetime import UTC, datetime

from cryptography import x509

from pki.issue import build
from pki.plan import Plan
from pki.profiles import Role
from pki.store import Store, create
from tests.starved import HANG, again, heed
from tests.v2gkit.cli.test_secc import car, station
from v2gkit.csms.certificates import LabPki
from v2gkit.csms.server import Csms
from v2gkit.csms.stations import Entry


def shown(address: str) -> int:
    """The serial number of the certificate that a station shows to openssl."""
    command = ["openssl", "s_client", "-connect", address, "-tls1_3", "-showcerts"]
    said = subprocess.run(command, input="", capture_output=True, text=True, timeout=HANG).stdout
    found = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", said, re.DOTALL)
    assert found, said
    return x509.load_pem_x509_certificate(found[0].encode()).serial_number


@again
def test_the_certificate_that_a_csms_has_signed_serves_the_next_car(tmp_path):
    hierarchy = build(Plan(), "secp521r1", datetime.now(UTC))
    for name in ("pki", "lab"):
        create(tmp_path / name, [hierarchy])
    old = Store(tmp_path / "pki").secc.leaf.serial_number

    async def scene() -> None:
        csms = Csms(pki=LabPki.of(Store(tmp_path / "lab")))
        server = await csms.serve()
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
        options = ["--pki", str(tmp_path / "pki"), "--state", str(tmp_path / "state"), "--ocpp", url, "--ocpp-station-id", "CS-7"]
        options += ["--services", "DC", "--auth", "EIM"]
        with station("--tls", *options) as (process, first):
            async with asyncio.timeout(HANG):
                while not ("CS-7" in csms.stations and csms.stations["CS-7"].connectors):  # noqa: ASYNC110 - the CSMS has no such event
                    await asyncio.sleep(0.05)
                assert await asyncio.to_thread(shown, first["address"]) == old
                trigger = {"requestedMessage": "SignV2G20Certificate"}
                assert (await csms.call("CS-7", "TriggerMessage", trigger))["status"] == "Accepted"
                while (serial := await asyncio.to_thread(shown, first["address"])) == old:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.5)
            assert serial == Store(tmp_path / "pki").secc.leaf.serial_number
            result = await asyncio.to_thread(
                car, first["address"], "--tls", "--pki", str(tmp_path / "pki"), "--service", "DC", "--loops", "3"
            )
            assert result["ok"], result
            process.terminate()
            assert await asyncio.to_thread(process.wait, HANG) == 0
        server.close()

    asyncio.run(scene())
    assert json.dumps([path.name for path in (tmp_path / "state" / "ocpp" / "asked").iterdir()]) == "[]"


@again
def test_a_contract_whose_root_the_station_has_not_is_judged_by_its_csms(tmp_path):
    """[C07.FR.06] of OCPP: the whole chain goes to the CSMS, which has the root, and the car charges by its verdict."""
    hierarchy = build(Plan(), "secp521r1", datetime.now(UTC))
    for name in ("pki", "lab", "car"):
        create(tmp_path / name, [hierarchy])
    for root in (tmp_path / "pki" / "roots" / "mo").iterdir():
        root.unlink()
    assert Store(tmp_path / "pki").anchors.mo == ()

    async def scene() -> list[dict]:
        told: list[Entry] = []
        csms = Csms(pki=LabPki.of(Store(tmp_path / "lab")), say=told.append)
        server = await csms.serve()
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
        options = ("--pki", str(tmp_path / "pki"), "--ocpp", url, "--ocpp-station-id", "CS-7", "--services", "DC", "--auth", "PnC")
        with station("--tls", *options) as (process, first):
            async with asyncio.timeout(HANG):
                while not ("CS-7" in csms.stations and csms.stations["CS-7"].connectors):  # noqa: ASYNC110 - the CSMS has no such event
                    await asyncio.sleep(0.05)
            wish = ("--tls", "--auth", "pnc", "--pki", str(tmp_path / "car"), "--service", "DC", "--loops", "3")
            result = await asyncio.to_thread(car, first["address"], *wish)
            heed(result)
            assert result["ok"], result
            process.terminate()
            assert await asyncio.to_thread(process.wait, HANG) == 0
        server.close()
        return [entry.facts for entry in told if entry.topic == "authorize"]

    [asked] = asyncio.run(scene())
    assert asked["certificate"].count("BEGIN CERTIFICATE") == len(hierarchy[Role.CONTRACT].chain)
    assert asked["answer"]["certificateStatus"] == "Accepted"
