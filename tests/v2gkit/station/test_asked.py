"""What a CSMS asks of a running station between cars: a reservation by the plug, the lock of a connector; what it hears first."""

import asyncio
import json
from pathlib import Path

from tests.ocpp_bridge.test_live import Process
from tests.starved import HANG, again

DRIVER = """
from secc.evse import EVSE

class Locked(EVSE):
    \"\"\"An outlet whose lock says what it was asked.\"\"\"

    async def unlock_connector(self) -> bool:
        with open({path!r}, "a") as file:
            file.write("asked ")
        return self.evse_id.endswith("1")
"""
OUTLETS = """
tls = false
connector_type = "cCCS2"
[hardware]
driver = "lock_of_test:Locked"
[hardware.limits]
charge_power = 50000
[[outlet]]
evse_id = "DE*V2G*E1"
[[outlet]]
evse_id = "DE*V2G*E2"
connector_type = "cMCS"
"""


@again
def test_a_running_station_is_asked_by_its_csms(tmp_path: Path) -> None:
    said = tmp_path / "said"
    (tmp_path / "lock_of_test.py").write_text(DRIVER.format(path=str(said)))
    (tmp_path / "station.toml").write_text(OUTLETS)

    async def scene() -> None:
        csms = await Process.start("csms", "--port", "0", "--json", "--stdin", "--strategy", "none")
        port = (await csms.says(lambda line: line.get("topic") == "listening"))["port"]
        where = ("--host", "127.0.0.1", "--port", "0", "--ocpp", f"ws://127.0.0.1:{port}/ocpp", "--config", str(tmp_path / "station.toml"))
        station = await Process.start("secc", "--json", "--no-tls", "--services", "DC", *where)

        async def asked(action: str, **payload: object) -> dict:
            csms.hear(f"call DE*V2G*E1 {action} {json.dumps(payload)}")
            return await csms.says(lambda line: "topic" not in line)

        try:
            started = await csms.says(lambda line: line.get("facts", {}).get("type") == "StartupOfTheDevice")
            assert started["topic"] == "security"
            assert (await asked("UnlockConnector", evseId=1, connectorId=1))["status"] == "Unlocked"
            assert said.read_text() == "asked "
            locked = await asked("UnlockConnector", evseId=2, connectorId=1)
            assert locked["status"] == "UnlockFailed"
            assert "still locked" in locked["statusInfo"]["additionalInfo"]
            assert (await asked("UnlockConnector", evseId=3, connectorId=1))["status"] == "UnknownConnector"
            held = {"idToken": {"idToken": "A", "type": "Central"}, "expiryDateTime": "2099-01-01T00:00:00Z"}
            assert (await asked("ReserveNow", id=1, connectorType="cType1", **held))["status"] == "Rejected"
            assert (await asked("ReserveNow", id=1, connectorType="cMCS", **held))["status"] == "Accepted"
            assert (await asked("ReserveNow", id=2, connectorType="cMCS", **held))["status"] == "Occupied"
            assert (await asked("ReserveNow", id=2, connectorType="cCCS2", **held))["status"] == "Accepted"
        finally:
            for process in (csms, station):
                process.kill()
                await process.process.wait()

    asyncio.run(asyncio.wait_for(scene(), HANG))
