"""A car, a station and a CSMS over a real WebSocket: the story of one bidirectional session, and what goes wrong in it."""

import asyncio
from dataclasses import replace

import pytest

from secc.station import (
    AuthorizationRefused,
    Authorized,
    LimitsChanged,
    NeedsChanged,
    RenegotiationAsked,
    ScheduleReady,
    SetpointChanged,
    StopAsked,
)
from tests.ocpp_bridge.ocpp_stand import NEEDS, WALL, stand
from v2g.energy.needs import EnergyOffer
from v2g.energy.prices import parse_prices
from v2g.energy.series import Series
from v2g.energy.setpoint import violations
from v2g.energy.site import Site
from v2g.reasons import Reason
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

HOURS = [(hour, price) for hour, price in enumerate([0.40, 0.45, 0.30, 0.20, 0.10, 0.08, 0.08, 0.12, 0.25, 0.30, 0.35, 0.40])]
PRICES = parse_prices(
    '{"currency": "EUR", "prices": ['
    + ",".join(f'{{"start": {WALL + h * 3600}, "import_price": {p}, "export_price": {p - 0.05}}}' for h, p in HOURS)
    + "]}"
)


def by_prices() -> Csms:
    return Csms(Strategy("prices", PRICES, Site(export_limit=11_000.0)), wall=lambda: WALL)


def by_setpoint(power: float = 5_000.0) -> Csms:
    return Csms(Strategy("setpoint", setpoint=power), wall=lambda: WALL)


def told(stand, key: str = "eventType") -> list[str]:
    return [event[key] for event in sorted(stand.transaction.events, key=lambda e: e["seqNo"])]


def run(scene):
    """Play a scene; nothing in it takes longer than its own limits."""
    asyncio.run(asyncio.wait_for(scene(), 300))


def test_a_bidirectional_session_by_prices_from_boot_to_goodbye():
    async def scene():
        async with stand(by_prices()) as s:
            s.arrive()
            s.pnc()
            verdict = await s.fact(Authorized)
            assert verdict.energy_transfer == ("DC", "DC_BPT")  # this CSMS gives leave for all that OCPP can name, the EVSE has these
            s.ask()
            offer = (await s.fact(ScheduleReady)).offer
            best = offer.tuples[0]
            assert max(best.power.values) > 0 > min(best.power.values)
            assert best.import_prices.at(WALL + 60) == pytest.approx(0.40)
            assert best.export_prices.at(WALL + 3600) == pytest.approx(0.40)
            assert offer.currency == "EUR"
            assert not violations(best.power, best)
            s.choose(offer, 1)
            s.meter(1000.0, 200.0, -8_000.0)
            s.point.bridge.charger.evses[1].sample_due = 0.0  # the next sample is due now
            s.point.wake()
            await s.until(lambda: s.transaction.chosen and "MeterValuePeriodic" in told(s, "triggerReason"))
            s.leave()
            await s.until(lambda: s.transaction.ended)
            await s.until(lambda: s.station.connectors == {1: "Available"})
        tx, chosen = s.transaction, s.transaction.chosen[0]
        assert [e["seqNo"] for e in tx.events] == list(range(len(tx.events)))
        assert told(s)[0] == "Started"
        assert told(s)[-1] == "Ended"
        assert tx.events[-1]["transactionInfo"]["stoppedReason"] == "StoppedByEV"
        assert told(s, "triggerReason")[:3] == ["CablePluggedIn", "Authorized", "ChargingStateChanged"]
        assert tx.token["idToken"] == "DE8AA1A2B3C4D5"
        assert tx.token["additionalInfo"] == [{"additionalIdToken": "DEABCC1A2B3C4D", "type": "EVCCID"}]
        assert chosen["selectedChargingScheduleId"] == 1
        assert min(p.get("setpoint", 0.0) for p in chosen["chargingSchedule"]["chargingSchedulePeriod"]) < 0
        sample = next(e for e in tx.events if e["triggerReason"] == "MeterValuePeriodic")["meterValue"][0]["sampledValue"]
        values = {v["measurand"]: v["value"] for v in sample}
        assert values["Energy.Active.Import.Register"] == 1000.0
        assert values["Energy.Active.Export.Register"] == 200.0
        assert (values["Power.Active.Import"], values["Power.Active.Export"], values["SoC"]) == (0.0, 8000.0, 55.0)
        v2x = s.frames.calls("NotifyEVChargingNeeds")[0]["chargingNeeds"]
        assert v2x["requestedEnergyTransfer"] == "DC_BPT"
        assert v2x["controlMode"] == "ScheduledControl"
        assert v2x["v2xChargingParameters"]["maxDischargePower"] == 11_000
        order = s.frames.order
        assert (
            order.index("BootNotification")
            < order.index("TransactionEvent")
            < order.index("NotifyEVChargingNeeds")
            < order.index("NotifyEVChargingSchedule")
        )

    run(scene)


@pytest.mark.parametrize(("asked", "gives"), [(0.1, True), (5.0, False)])
def test_a_csms_plans_with_what_the_car_asks_for_a_kwh_and_says_so(asked, gives):
    async def scene():
        heard = []
        async with stand(by_prices()) as s:
            s.csms._say = heard.append
            s.arrive()
            s.pnc()
            await s.fact(Authorized)
            hours = 12 * 3600
            own = EnergyOffer(Series.constant(WALL - 60, hours, 9_000.0), Series.constant(WALL - 60, hours, asked), "EUR")
            s.ask(replace(NEEDS, energy_offer=own))
            offer = (await s.fact(ScheduleReady)).offer
            least = min(offer.tuples[0].power.values)
            assert (least < 0) is gives
            assert least >= -9_000.0
            told = [entry.text for entry in heard if entry.topic == "needs"]
            assert told == [f"EVSE 1 wants DC_BPT ScheduledControl, sells up to 9.0 kW for {asked:g} EUR per kWh, for 12.0 h"]

    run(scene)


def test_a_setpoint_of_the_csms_reaches_a_car_in_dynamic_control_at_once():
    async def scene():
        async with stand(by_setpoint()) as s:
            s.arrive(control="Dynamic")
            s.pnc()
            await s.fact(Authorized)
            s.ask()
            offer = (await s.fact(ScheduleReady)).offer
            assert (await s.fact(SetpointChanged)).power == 5_000
            s.choose(offer, None)
            await s.until(lambda: s.csms.stations and s.station.transactions and s.transaction.chosen)
            assert s.transaction.chosen[0]["selectedChargingScheduleId"] == 1
            assert (await s.csms.steer("CS-1", -7_000))["status"] == "Accepted"
            assert (await s.fact(SetpointChanged)).power == -7_000
            assert not [f for f in s.facts if isinstance(f, RenegotiationAsked)]
            await s.until(lambda: "ChargingRateChanged" in told(s, "triggerReason"))

    run(scene)


def test_a_new_schedule_in_scheduled_control_asks_the_car_to_renegotiate():
    async def scene():
        async with stand(by_prices()) as s:
            s.arrive()
            s.pnc()
            await s.fact(Authorized)
            s.ask()
            s.choose((await s.fact(ScheduleReady)).offer, 1)
            await s.until(lambda: s.transaction.chosen)
            profile = s.transaction.profile
            periods = [{"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -3000.0}]
            changed = profile | {"chargingSchedule": [profile["chargingSchedule"][0] | {"chargingSchedulePeriod": periods, "id": 9}]}
            request = {"evseId": 1, "chargingProfile": changed}
            assert (await s.csms.call("CS-1", "SetChargingProfile", request))["status"] == "Accepted"
            assert (await s.fact(RenegotiationAsked)).what == "Schedule"
            s.hear(NeedsChanged(0.0, NEEDS, False))  # the car comes back for a schedule, under power
            offer = (await s.fact(ScheduleReady)).offer
            assert [t.power.values for t in offer.tuples] == [(-3000.0,)]
            s.choose(offer, 1)
            await s.until(lambda: len(s.transaction.chosen) == 2)
            assert s.transaction.chosen[1]["selectedChargingScheduleId"] == 9
            assert len(s.frames.calls("NotifyEVChargingNeeds")) == 1  # K16: needs are not told again

    run(scene)


def test_a_station_limit_lowers_what_the_evse_offers():
    async def scene():
        async with stand(by_setpoint(40_000)) as s:
            s.arrive(control="Dynamic")
            s.pnc()
            await s.fact(Authorized)
            s.ask(replace(NEEDS, charge_maximum=50_000.0))
            offer = (await s.fact(ScheduleReady)).offer
            assert (await s.fact(SetpointChanged)).power == 40_000
            s.choose(offer, None)
            await s.until(lambda: s.csms.stations and s.station.transactions and s.transaction.chosen)
            period = {"startPeriod": 0, "limit": 20_000.0}
            cap = {"id": 50, "stackLevel": 0, "chargingProfilePurpose": "ChargingStationMaxProfile", "chargingProfileKind": "Absolute"}
            schedule = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [period], "startSchedule": "2020-01-01T00:00:00Z"}
            cap["chargingSchedule"] = [schedule]
            assert (await s.csms.call("CS-1", "SetChargingProfile", {"evseId": 0, "chargingProfile": cap}))["status"] == "Accepted"
            assert (await s.fact(LimitsChanged)).limits.charge_power == 20_000
            assert (await s.fact(SetpointChanged)).power == 20_000
            await s.csms.call("CS-1", "ClearChargingProfile", {"chargingProfileId": 50})
            assert (await s.fact(LimitsChanged)).limits.charge_power == 50_000
            assert (await s.fact(SetpointChanged)).power == 40_000

    run(scene)


def test_a_remote_stop_ends_the_session_first_and_the_transaction_then():
    async def scene():
        async with stand(by_setpoint()) as s:
            s.arrive(control="Dynamic")
            s.pnc()
            await s.fact(Authorized)
            s.ask()
            s.choose((await s.fact(ScheduleReady)).offer, None)
            await s.until(lambda: s.csms.stations and s.station.transactions and s.transaction.chosen)
            assert (await s.csms.remote_stop("CS-1"))["status"] == "Accepted"
            await s.fact(StopAsked)
            assert not s.transaction.ended
            s.leave()
            await s.until(lambda: s.transaction.ended)
            last = s.transaction.events[-1]
            assert (last["triggerReason"], last["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")
            assert (await s.csms.remote_stop("CS-1", "nonsense"))["statusInfo"]["reasonCode"] == "TxNotFound"

    run(scene)


def test_eim_waits_for_a_remote_start_or_a_card():
    async def scene():
        async with stand(by_prices()) as s:
            from secc.station import AuthorizationWanted

            s.arrive()
            s.hear(AuthorizationWanted(0.0, "EIM", "DEABCC1A2B3C4D"))
            await s.until(lambda: s.csms.stations and s.station.transactions)
            assert not s.facts
            answer = await s.csms.remote_start("CS-1")
            assert answer == {"status": "Accepted", "transactionId": s.transaction.id}
            await s.fact(Authorized)
            await s.until(lambda: "RemoteStart" in told(s, "triggerReason"))
            event = next(e for e in s.transaction.events if e["triggerReason"] == "RemoteStart")
            assert event["transactionInfo"]["remoteStartId"] > 0
            s.leave()
            await s.until(lambda: s.transaction.ended)
            s.arrive()
            s.hear(AuthorizationWanted(0.0, "EIM", "DEABCC1A2B3C4D"))
            s.backend.presented("04AABBCC")
            await s.fact(Authorized)
            assert s.frames.calls("Authorize")[-1]["idToken"] == {"idToken": "04AABBCC", "type": "ISO14443"}

    run(scene)


def test_a_blocked_contract_is_refused_with_the_warning_of_the_standard():
    async def scene():
        async with stand(Csms(blocked=frozenset({"DE8AA1A2B3C4D5"}))) as s:
            s.arrive()
            s.pnc()
            assert (await s.fact(AuthorizationRefused)).kind is Reason.CONTRACT_REFUSED

    run(scene)


def test_a_csms_that_sends_no_profile_leaves_the_schedule_to_the_station():
    async def scene():
        site = Site(export_limit=11_000.0, import_prices=PRICES.imports, export_prices=PRICES.exports)
        async with stand(Csms(Strategy("none")), site=site) as s:
            s.arrive()
            s.pnc()
            await s.fact(Authorized)
            s.ask()
            offer = (await s.fact(ScheduleReady)).offer
            assert offer.tuples[0].plan is not None
            assert min(offer.tuples[0].power.values) < 0

    run(scene)


def test_a_csms_that_accepts_and_never_sends_is_waited_for_no_longer_than_patience():
    class Silent(Csms):
        async def _steered(self, station, tx, payload):
            pass

    async def scene():
        async with stand(Silent(), patience=0.05) as s:
            s.arrive(control="Dynamic")
            s.pnc()
            await s.fact(Authorized)
            s.ask()
            assert (await s.fact(ScheduleReady)).offer.tuples[0].plan is not None
            assert (await s.fact(SetpointChanged)).power is not None

    run(scene)
