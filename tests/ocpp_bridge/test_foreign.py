"""The PyPI package `ocpp` as a CSMS that we did not write: its own routing, validation and serialisation hear our station and steer it."""

import asyncio
from datetime import UTC, datetime

import pytest
from websockets.asyncio.server import serve

from secc.station import Authorized, NeedsChanged, RenegotiationAsked, ScheduleReady, SetpointChanged, StopAsked, TurnedAway
from tests.ocpp_bridge.ocpp_stand import NEEDS, stand

pytest.importorskip("ocpp.v21")

import ocpp.messages
from ocpp.routing import on
from ocpp.v21 import ChargePoint as Foreign
from ocpp.v21 import call, call_result
from ocpp.v201 import ChargePoint as Foreign201
from ocpp.v201 import call_result as call_result_201

ocpp.messages.ASYNC_VALIDATION = False  # in a thread it would reorder its own frames


def now() -> str:
    return datetime.now(UTC).isoformat()


class Theirs(Foreign):
    """A CSMS of that library. `heard` keeps what its handlers were given, in order."""

    def __init__(self, *args, control: str = "dynamic", **kwargs):
        super().__init__(*args, **kwargs)
        self.heard: list[tuple[str, dict]] = []
        self.control = control

    def kept(self, action: str) -> list[dict]:
        return [payload for name, payload in self.heard if name == action]

    @on("BootNotification")
    def boots(self, **payload):
        self.heard.append(("BootNotification", payload))
        return call_result.BootNotification(current_time=now(), interval=60, status="Accepted")

    @on("SecurityEventNotification")
    def security(self, **payload):
        self.heard.append(("SecurityEventNotification", payload))
        return call_result.SecurityEventNotification()

    @on("StatusNotification")
    def status(self, **payload):
        self.heard.append(("StatusNotification", payload))
        return call_result.StatusNotification()

    @on("Authorize")
    def authorize(self, **payload):
        self.heard.append(("Authorize", payload))
        return call_result.Authorize(
            id_token_info={"status": "Accepted"}, certificate_status="Accepted", allowed_energy_transfer=["DC", "DC_BPT"]
        )

    @on("TransactionEvent")
    def event(self, **payload):
        self.heard.append(("TransactionEvent", payload))
        return call_result.TransactionEvent()

    @on("NotifyEvent")
    def problem(self, **payload):
        self.heard.append(("NotifyEvent", payload))
        return call_result.NotifyEvent()

    @on("NotifyEVChargingNeeds")
    def needs(self, **payload):
        self.heard.append(("NotifyEVChargingNeeds", payload))
        return call_result.NotifyEVChargingNeeds(status="Accepted")

    @on("NotifyEVChargingSchedule")
    def schedule(self, **payload):
        self.heard.append(("NotifyEVChargingSchedule", payload))
        return call_result.NotifyEVChargingSchedule(status="Accepted")

    @on("NotifyReport")
    def report(self, **payload):
        self.heard.append(("NotifyReport", payload))
        return call_result.NotifyReport()

    def profile(self, power: float, id_: int = 1):
        tx = self.kept("TransactionEvent")[-1]["transaction_info"]["transaction_id"]
        period = {"start_period": 0, "operation_mode": "CentralSetpoint", "setpoint": power}
        schedule = {"id": 1, "charging_rate_unit": "W", "charging_schedule_period": [period]}
        made = {"id": id_, "stack_level": 0, "charging_profile_purpose": "TxProfile", "charging_profile_kind": "Relative"}
        return call.SetChargingProfile(evse_id=1, charging_profile=made | {"transaction_id": tx, "charging_schedule": [schedule]})


def played(scene, kind=Theirs, subprotocol="ocpp2.1"):
    """Play a scene with (stand, foreign CSMS)."""

    async def run():
        theirs = asyncio.get_running_loop().create_future()

        async def accept(socket):
            peer = kind("CS-1", socket)
            theirs.set_result(peer)
            try:
                await peer.start()
            except Exception:
                return

        server = await serve(accept, "127.0.0.1", 0, subprotocols=[subprotocol])
        async with stand(port=next(iter(server.sockets)).getsockname()[1]) as s:
            await scene(s, await asyncio.wait_for(theirs, 300))
        server.close()

    asyncio.run(asyncio.wait_for(run(), 300))


def test_a_foreign_csms_hears_the_story_and_steers_the_car():
    async def scene(s, csms):
        await s.until(lambda: csms.kept("StatusNotification"))
        s.arrive(control="Dynamic")
        s.pnc()
        await s.fact(Authorized)
        s.ask()
        await s.until(lambda: csms.kept("NotifyEVChargingNeeds"))
        assert (await csms.call(csms.profile(-6000.0))).status == "Accepted"
        offer = (await s.fact(ScheduleReady)).offer
        assert (await s.fact(SetpointChanged)).power == -6000.0
        s.choose(offer, None)
        s.meter(100.0, 50.0, -6000.0)
        await s.until(lambda: csms.kept("NotifyEVChargingSchedule"))
        answer = await csms.call(call.GetBaseReport(request_id=1, report_base="ConfigurationInventory"))
        assert answer.status == "Accepted"
        await s.until(lambda: csms.kept("NotifyReport"))
        tx = csms.kept("TransactionEvent")[-1]["transaction_info"]["transaction_id"]
        composite = await csms.call(call.GetCompositeSchedule(duration=60, evse_id=1))
        assert composite.schedule["charging_schedule_period"][0]["setpoint"] == -6000.0
        assert (await csms.call(call.RequestStopTransaction(transaction_id=tx))).status == "Accepted"
        await s.fact(StopAsked)
        s.leave()
        await s.until(lambda: csms.kept("TransactionEvent")[-1]["event_type"] == "Ended")
        events = csms.kept("TransactionEvent")
        assert [event["seq_no"] for event in events] == list(range(len(events)))
        assert csms.kept("BootNotification")[0]["charging_station"]["vendor_name"] == "v2gkit"
        assert csms.kept("Authorize")[0]["id_token"]["type"] == "eMAID"
        last = {v["measurand"]: v["value"] for v in events[-1]["meter_value"][0]["sampled_value"]}
        assert last["Energy.Active.Export.Register"] == 50.0

    played(scene)


def test_a_foreign_csms_hears_of_a_car_that_was_turned_away():
    async def scene(s, csms):
        s.hear(TurnedAway(0.0, "handshake failed", "untrusted root", "V2G20-2331"))
        await s.until(lambda: csms.kept("NotifyEvent"))
        (event,) = csms.kept("NotifyEvent")[0]["event_data"]
        assert (event["tech_code"], event["tech_info"]) == ("handshake failed", "untrusted root [V2G20-2331]")
        assert event["component"] == {"name": "ISO15118Ctrlr", "evse": {"id": 1}}

    played(scene)


def test_a_foreign_csms_renegotiates_a_schedule():
    async def scene(s, csms):
        await s.until(lambda: csms.kept("StatusNotification"))
        s.arrive()
        s.pnc()
        await s.fact(Authorized)
        s.ask()
        await s.until(lambda: csms.kept("NotifyEVChargingNeeds"))
        await csms.call(csms.profile(7000.0))
        offer = (await s.fact(ScheduleReady)).offer
        assert offer.tuples[0].power.values == (7000.0,)
        s.choose(offer, 1)
        await s.until(lambda: csms.kept("NotifyEVChargingSchedule"))
        await csms.call(csms.profile(-3000.0))
        await s.fact(RenegotiationAsked)
        s.hear(NeedsChanged(0.0, NEEDS, False))
        assert (await s.fact(ScheduleReady)).offer.tuples[0].power.values == (-3000.0,)
        rejected = await csms.call(csms.profile(-3000.0, id_=2))
        assert (rejected.status, rejected.status_info["reason_code"]) == ("Rejected", "InvalidStackLevel")

    played(scene)


class Theirs201(Foreign201):
    """The same library as a CSMS of 2.0.1."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.heard: list[str] = []

    @on("BootNotification")
    def boots(self, **payload):
        return call_result_201.BootNotification(current_time=now(), interval=60, status="Accepted")

    @on("SecurityEventNotification")
    def security(self, **payload):
        return call_result_201.SecurityEventNotification()

    @on("StatusNotification")
    def status(self, **payload):
        self.heard.append("StatusNotification")
        return call_result_201.StatusNotification()

    @on("Authorize")
    def authorize(self, **payload):
        return call_result_201.Authorize(id_token_info={"status": "Accepted"})

    @on("TransactionEvent")
    def event(self, **payload):
        self.heard.append(payload["trigger_reason"])
        return call_result_201.TransactionEvent()

    @on("NotifyEVChargingNeeds")
    def needs(self, **payload):
        self.heard.append(payload["charging_needs"]["requested_energy_transfer"])
        return call_result_201.NotifyEVChargingNeeds(status="Processing")


def test_with_201_a_car_charges_by_the_stations_own_schedule():
    async def scene(s, csms):
        await s.until(lambda: "StatusNotification" in csms.heard)
        s.arrive(service="DC")
        s.pnc()
        assert (await s.fact(Authorized)).energy_transfer == ("DC",)  # 2.0.1 cannot allow discharging
        s.ask()
        offer = (await s.fact(ScheduleReady)).offer
        s.choose(offer, 1)
        await s.until(lambda: "ChargingStateChanged" in csms.heard)
        assert "DC" in csms.heard

    played(scene, Theirs201, "ocpp2.0.1")
