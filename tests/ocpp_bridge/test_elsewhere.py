"""What is for other kinds of stations, in frames: refused with the reason by ours, heard by our CSMS from those that they are."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect

from ocpp_bridge.blocks.elsewhere import WHY
from ocpp_bridge.table import REQUESTS
from ocpp_bridge.wire.link import CallFailed
from tests.ocpp_bridge.ocpp_stand import stand
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

CHECKSUM = "0123456789abcdef0123456789abcdef"
TOKEN = {"idToken": "0A1B", "type": "ISO14443"}
ASKED = {
    "PublishFirmware": {"location": "https://files.example/a.bin", "checksum": CHECKSUM, "requestId": 1},
    "UnpublishFirmware": {"checksum": CHECKSUM},
    "RequestBatterySwap": {"idToken": TOKEN, "requestId": 1},
}


@pytest.mark.parametrize("version", ["ocpp2.1", "ocpp2.0.1"])
def test_what_is_for_a_local_controller_or_a_swapping_station_is_refused_with_the_reason(version):
    async def scene() -> None:
        async with stand(csms := Csms(Strategy("none")), endpoint={"versions": (version,)}) as s:
            await s.until(lambda: s.point.bridge.charger.accepted)
            for action, payload in ASKED.items():
                if version == "ocpp2.0.1" and action == "RequestBatterySwap":
                    continue  # an action of 2.1 alone
                with pytest.raises(CallFailed) as failed:
                    await csms.call("CS-1", action, payload)
                assert (failed.value.code, WHY[action] in str(failed.value)) == ("NotSupported", True)
            trigger = {"requestedMessage": "PublishFirmwareStatusNotification"}
            assert await csms.call("CS-1", "TriggerMessage", trigger) == {"status": "NotImplemented"}

    asyncio.run(asyncio.wait_for(scene(), 300))
    assert ASKED.keys() == WHY.keys() <= REQUESTS.keys()


def test_our_csms_hears_of_batteries_and_of_firmware_that_others_publish():
    battery = {"evseId": 3, "serialNumber": "B-7", "soC": 91.5, "soH": 99.0}
    told = {
        "BatterySwap": {"batteryData": [battery], "eventType": "BatteryOut", "idToken": TOKEN, "requestId": 1},
        "PublishFirmwareStatusNotification": {"status": "Published", "location": ["http://10.0.0.1/a.bin"], "requestId": 1},
    }

    async def scene() -> None:
        story: list = []
        server = await Csms(Strategy("none"), say=story.append).serve()
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/ocpp/SWAP-1", subprotocols=["ocpp2.1"], proxy=None) as socket:
            for action, payload in told.items():
                await socket.send(json.dumps([2, action, action, payload]))
                assert json.loads(await asyncio.wait_for(socket.recv(), 300)) == [3, action, {}]
        server.close()
        texts = [entry.text for entry in story]
        assert "BatteryOut by 0A1B: B-7 in slot 3 at 91.5 %" in texts
        assert any("PublishFirmwareStatusNotification: status Published" in text for text in texts)

    asyncio.run(asyncio.wait_for(scene(), 300))
