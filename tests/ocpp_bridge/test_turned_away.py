"""What a CSMS is told went wrong: of cars that never had the outlet, in measure, and kept while it is away."""

import asyncio
from typing import Any

from pki.store import Store
from secc.bay import Place
from secc.outlet import Outlet
from secc.server import Station, wall_clock
from secc.simulated import DC_LIMITS, SimulatedEVSE
from secc.station import Objected, Objection, PowerStarted, SessionStarted, TurnedAway
from secc.trust import station_tls
from tests.ocpp_bridge.ocpp_stand import WALL, stand
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from tests.secc.test_server import store as store
from v2g.reasons import Reason
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

REVOKED = "WARNING_CertificateRevoked"


def refused(reason: str = "another session has the outlet", how: str = "refused", requirement: str | None = None) -> TurnedAway:
    return TurnedAway(0.0, how, reason, requirement)


def told(p: Played) -> list[dict[str, Any]]:
    return [event for payload in p.calls("NotifyEvent") for event in payload["eventData"]]


# --- in virtual time ---


def test_a_car_that_was_turned_away_is_none_of_the_transaction_that_runs():
    p = Played().boot()
    p.arrive()
    p.want(refused("untrusted root", "handshake failed", "V2G20-2331"))
    (event,) = told(p)
    assert (event["techCode"], event["techInfo"]) == ("handshake failed", "untrusted root [V2G20-2331]")
    assert event["component"] == {"name": "ISO15118Ctrlr", "evse": {"id": 1}}
    assert "transactionId" not in event
    p.want(Objected(0.0, "AuthorizationReq", REVOKED, Objection(Reason.CERTIFICATE_REVOKED, "it is revoked", None)))
    assert told(p)[-1]["transactionId"] == p.tx


def test_a_car_that_tries_for_ever_is_told_once_a_minute():
    p = Played().boot()
    for _ in range(300):
        p.want(refused())
        p.run(1.0)
    assert 5 <= len(told(p)) <= 6


def test_a_flood_of_strangers_is_told_in_measure_and_once_that_there_were_more():
    p = Played().boot()
    for number in range(1000):
        p.want(refused(f"nonsense {number}"))
    said = told(p)
    assert [event["techInfo"] for event in said[:10]] == [f"nonsense {number}" for number in range(10)]
    assert [event["techCode"] for event in said[10:]] == ["more"]
    assert "not all cars that were turned away are told" in said[10]["techInfo"]
    p.want(Objected(0.0, "AuthorizationReq", REVOKED, Objection(Reason.CERTIFICATE_REVOKED, "it is revoked", None)))
    assert told(p)[-1]["techCode"] == "WARNING_CertificateRevoked"  # strangers take nothing from sessions
    p.run(60.0)
    p.want(refused("one more"))
    assert told(p)[-1]["techInfo"] == "one more"


def test_what_a_session_did_wrong_is_told_in_measure_too():
    p = Played().boot()
    p.arrive()
    for number in range(1000):
        p.want(Objected(0.0, "AuthorizationReq", REVOKED, Objection(Reason.CERTIFICATE_REVOKED, f"{number}", None)))
    assert len(told(p)) == 61


def test_what_happened_while_the_csms_was_away_is_told_when_it_is_back_with_its_time():
    p = Played().boot()
    p.bridge.go_offline(p.now)
    p.want(refused("untrusted root"))
    p.want(SessionStarted(0.0, bytes(8), EVCCID))
    p.bridge.end_session(1, p.now, how="timed out", well=False, reason="silence", requirement="V2G20-443")
    p.run(100.0)
    assert not told(p)
    p.bridge.go_online("ocpp2.1", p.now)
    p.run()
    assert [event["techInfo"] for event in told(p)] == ["untrusted root", "silence [V2G20-443]"]
    assert {event["timestamp"] for event in told(p)} == {p.events[0]["timestamp"]}
    actions = [call.action for call in p.sent[1:]]
    back = len(actions) - actions[::-1].index("NotifyEvent")
    assert "StatusNotification" in actions[back:]  # what was kept goes before how things stand


def test_the_queue_of_a_long_flood_is_bounded_and_says_so_once():
    p = Played().boot()
    p.bridge.go_offline(p.now)
    for number in range(5000):
        p.want(refused(f"nonsense {number}"))
        p.run(6.0)
    kept = [call for call in p.charger.outbox.kept if call.action == "NotifyEvent"]
    assert len(kept) == 101
    assert [call.payload["eventData"][0]["techCode"] for call in kept].count("more") == 1
    assert p.charger.strangers.dropped == 4900
    p.want(Objected(0.0, "AuthorizationReq", REVOKED, Objection(Reason.CERTIFICATE_REVOKED, "it is revoked", None)))
    assert p.charger.outbox.kept[-1].payload["eventData"][0]["techCode"] == "WARNING_CertificateRevoked"
    p.bridge.go_online("ocpp2.1", p.now)
    p.run(60.0)
    p.want(refused("after"))
    assert told(p)[-1]["techInfo"] == "after"


def test_a_csms_that_does_not_know_the_message_holds_up_no_transaction():
    p = Played().boot()
    p.answers["NotifyEvent"] = "NotImplemented"
    p.arrive()
    p.want(refused(), PowerStarted(0.0))
    assert len(told(p)) == 1
    assert p.events[-1]["transactionInfo"]["chargingState"] == "Charging"
    assert not p.charger.outbox.kept


# --- with CSMSs that are there ---


class Heard(Csms):
    """A CSMS that remembers what it says of its stations."""

    def __init__(self) -> None:
        self.story: list[Any] = []
        super().__init__(Strategy("none"), say=self.story.append, wall=lambda: WALL)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [entry.facts for entry in self.story if entry.topic == "event"]


def test_a_handshake_that_fails_at_a_station_reaches_its_csms(store: Store) -> None:
    async def scene() -> None:
        csms = Heard()
        async with stand(csms) as at:
            clock, loop = wall_clock(), asyncio.get_running_loop()
            evse = SimulatedEVSE(loop.time, lambda: clock.wall(loop.time()), asyncio.sleep, limits=DC_LIMITS)
            place = Place(evse, Outlet(services=("DC",), limits=DC_LIMITS), at.backend)
            async with Station([place], station_tls(store), clock=clock) as station:
                reader, writer = await asyncio.open_connection(*station.addresses[0])
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                await reader.read()
                writer.close()
                (said,) = await at.until(lambda: csms.events)
        assert said["techCode"] == "handshake failed"
        assert said["techInfo"]
        assert "transactionId" not in said

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_what_was_not_told_before_a_restart_is_told_after_it(tmp_path):
    async def scene() -> None:
        path = tmp_path / "ocpp.sqlite"
        async with stand(port=1, store=path) as at:  # nobody listens there
            at.hear(refused("untrusted root"))
            await at.until(lambda: at.point.bridge.charger.outbox.kept and at.point.account()["failures"])
        csms = Heard()
        async with stand(csms, store=path) as at:
            (said,) = await at.until(lambda: csms.events)
            assert said["techInfo"] == "untrusted root"
            await at.until(lambda: not at.point.bridge.charger.outbox.kept)

    asyncio.run(asyncio.wait_for(scene(), 300))
