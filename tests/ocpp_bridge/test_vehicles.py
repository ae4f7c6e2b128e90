"""Vehicles' certificates by the word of the CSMS: what is asked, what its words do to the car that is there and to its next handshake."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from ocpp_bridge.blocks.vehicles import AGAIN
from ocpp_bridge.wire.times import timestamp
from pki.errors import CertificateError, Kind
from pki.profiles import Role
from pki.store import Store, create
from secc.station import AuthorizationWanted, Authorized, SessionStarted, StopAsked, Vehicle
from secc.trust import VehicleJudge, station_status
from tests.ocpp_bridge.ocpp_certificates import HIERARCHIES, NOW, URL, Certified, der
from tests.ocpp_bridge.ocpp_stand import WALL, stand
from tests.ocpp_bridge.test_bridge import EVCCID, Played
from v2gkit.csms.certificates import LabPki
from v2gkit.csms.server import Csms

LAB = HIERARCHIES["secp521r1"]
SHOWN = tuple(map(der, LAB[Role.VEHICLE].chain))
VEHICLE = Vehicle((*SHOWN, der(LAB[Role.OEM_ROOT].certificate)))
STARTED = SessionStarted(0.0, bytes(8), EVCCID, vehicle=VEHICLE)
WANTED = AuthorizationWanted(0.0, "EIM", EVCCID, number=1)
OWNER = {"idToken": "OWNER", "type": "Local"}
ACTION = "GetCertificateChainStatus"


def saying(*statuses: str, until: float = 86_400.0):
    """The CSMS's answer: these words, in the order of the questions; the last one for all that follow."""

    def answer(payload: dict) -> dict:
        asked = payload["certificateStatusRequests"]
        said = [*statuses, *statuses[-1:] * len(asked)]
        words = zip(asked, said, strict=False)
        end = timestamp(WALL + until)
        return {
            "certificateStatus": [
                {"source": each["source"], "certificateHashData": each["certificateHashData"], "status": word, "nextUpdate": end}
                for each, word in words
            ]
        }

    return answer


class Vetted(Certified):
    """A station that asks; `words` are what its CSMS answers."""

    def __init__(self, folder: Path, *statuses: str, demanded: bool = False, **more):
        super().__init__(folder, owner=OWNER, **more)
        self.charger.vetted.demanded = demanded
        self.says(*statuses)

    def says(self, *statuses: str, **how) -> "Vetted":
        self.answers[ACTION] = saying(*statuses, **how) if statuses else "NotSupported"
        return self

    def stops(self) -> list[str]:
        return [fact.reason for fact in self.facts(StopAsked)]

    def judged(self) -> None:
        """What the next handshake of the car comes to."""
        store = Store(self.folder / "pki")
        VehicleJudge(store.anchors, status=station_status(store))(SHOWN, NOW.timestamp())


def test_each_certificate_of_the_chain_is_asked_about_by_its_responder(tmp_path):
    p = Vetted(tmp_path, "Good").boot().want(STARTED, WANTED)
    (asked,) = p.calls(ACTION)
    requests = asked["certificateStatusRequests"]
    assert len(requests) == len(SHOWN)
    assert {(each["source"], *each["urls"]) for each in requests} == {("OCSP", URL)}
    assert [int(each["certificateHashData"]["serialNumber"], 16) for each in requests] == [
        one.serial_number for one in LAB[Role.VEHICLE].chain
    ]
    assert p.facts(Authorized)
    assert p.stops() == []
    p.judged()


def test_a_good_word_holds_for_the_next_session_until_it_ends(tmp_path):
    p = Vetted(tmp_path).says("Good", until=600.0).boot().want(STARTED)
    p.run(500.0)
    p.want(STARTED)
    assert len(p.calls(ACTION)) == 1
    p.run(200.0)
    p.want(STARTED)
    assert len(p.calls(ACTION)) == 2


def test_a_car_that_the_csms_calls_revoked_is_refused_with_the_reason_and_so_is_its_next_handshake(tmp_path):
    p = Vetted(tmp_path, "Good", "Revoked").boot()
    p.judged()
    p.want(STARTED)
    (why,) = p.stops()
    assert "the CSMS says that" in why
    assert "is revoked" in why
    assert str(LAB[Role.VEHICLE].chain[1].subject.rfc4514_string()).split("CN=")[1].split(",")[0] in why
    with pytest.raises(CertificateError, match="as the CSMS said") as refused:
        p.judged()
    assert (refused.value.kind, refused.value.depth) == (Kind.REVOKED, 1)
    p.want(STARTED)  # over a connection whose handshake was before
    assert len(p.stops()) == 2
    assert len(p.calls(ACTION)) == 1


def test_a_revocation_is_asked_about_again_over_restarts_and_ends_when_the_csms_says_so(tmp_path):
    p = Vetted(tmp_path).says("Revoked", until=7_200.0).boot().want(STARTED)
    q = Vetted(tmp_path / "again").says("Good", until=20_000.0)
    q.bridge.restore(p.charger.kept)
    q.folder = tmp_path
    q.restarted()
    q.now = p.now + 60.0
    q.boot().run()
    assert not q.calls(ACTION)  # the word holds for two hours
    q.run(7_200.0)
    (asked,) = q.calls(ACTION)
    assert len(asked["certificateStatusRequests"]) == len(SHOWN)
    q.judged()
    q.want(STARTED)
    assert q.stops() == []
    assert not [name for name in q.charger.kept if name.startswith("vehicle/")]


def test_a_csms_that_says_nothing_of_what_is_revoked_is_asked_again_later_and_it_stays_revoked(tmp_path):
    p = Vetted(tmp_path).says("Revoked", until=600.0).boot().want(STARTED)
    p.says()
    p.run(700.0)
    assert len(p.calls(ACTION)) == 2
    with pytest.raises(CertificateError):
        p.judged()
    p.run(AGAIN + 10.0)
    assert len(p.calls(ACTION)) == 3


@pytest.mark.parametrize("statuses", [(), ("Unknown",), ("Failed",), ("Good", "Unknown")])
def test_where_the_csms_says_nothing_the_rule_decides(statuses, tmp_path):
    p = Vetted(tmp_path / "known", *statuses).boot().want(STARTED, WANTED)
    assert p.facts(Authorized)
    assert p.stops() == []
    p = Vetted(tmp_path / "demanded", *statuses, demanded=True).boot().want(STARTED)
    (why,) = p.stops()
    assert "vehicle_status" in why
    assert "does not answer" in why or "knows nothing of" in why


def test_a_csms_that_is_away_is_silent_too(tmp_path):
    p = Vetted(tmp_path / "known", "Good").want(STARTED)
    assert p.stops() == []
    p = Vetted(tmp_path / "demanded", "Good", demanded=True).want(STARTED)
    assert "the CSMS is not there" in p.stops()[0]


def test_where_its_word_is_demanded_a_car_waits_for_it():
    p = Played(owner=OWNER)
    p.charger.vetted.demanded = True
    p.boot()
    p.bridge.want(1, STARTED, p.now)
    p.bridge.want(1, WANTED, p.now)
    (call,) = (call for call in p.bridge.calls(p.now) if call.action == ACTION)
    assert not p.bridge.calls(p.now)
    p.bridge.take_result(call, saying("Good")(call.payload), p.now)
    p.run()
    assert p.facts(Authorized)


def test_a_car_that_shows_no_certificates_has_none_that_could_be_revoked(tmp_path):
    p = Vetted(tmp_path, "Revoked", demanded=True).boot().want(SessionStarted(0.0, bytes(8), EVCCID), WANTED)
    assert not p.calls(ACTION)
    assert p.facts(Authorized)


def test_an_answer_for_another_car_or_of_nonsense_decides_nothing(tmp_path):
    p = Vetted(tmp_path).boot()
    nonsense = {"hashAlgorithm": "SHA256", "issuerNameHash": "?", "issuerKeyHash": "?", "serialNumber": "no number"}
    word = {"source": "OCSP", "status": "Revoked", "nextUpdate": timestamp(WALL), "certificateHashData": nonsense}
    p.answers[ACTION] = {"certificateStatus": [word]}
    p.want(STARTED, WANTED)
    assert p.stops() == []
    assert p.facts(Authorized)


def test_the_source_is_the_first_that_is_wanted_and_named(tmp_path):
    p = Vetted(tmp_path, "Good").boot()
    p.ask("SetVariables", {"setVariableData": [{"component": {"name": "ISO15118Ctrlr"}, "variable": {"name": "CertificateStatusSource"},
                                                "attributeValue": "CRL"}]})  # fmt: skip
    p.charger.vetted.demanded = True
    p.want(STARTED)
    assert not p.calls(ACTION)  # these certificates name no list
    assert "names neither responder nor list" in p.stops()[0]


def test_by_a_real_csms_a_revoked_vehicle_is_refused_then_at_the_handshake(tmp_path):
    """`v2g csms` with a register of its own: over a socket, with the hashes that the station made."""

    async def scene() -> None:
        pki = LabPki.of(create(tmp_path / "lab", [LAB]), wall=lambda: WALL)
        pki.office.revoke(LAB[Role.VEHICLE].chain[0], NOW - timedelta(days=1))
        station = create(tmp_path / "pki", [LAB])
        async with stand(Csms(pki=pki)) as s:
            from ocpp_bridge.cabinet import FileCabinet

            s.point.bridge.charger.safe.cabinet = FileCabinet(tmp_path / "pki", None)
            await s.until(lambda: s.point.bridge.charger.accepted)
            s.backend.began(s.facts.append)
            s.hear(STARTED)
            stop = await s.fact(StopAsked)
            assert "is revoked" in stop.reason
            judge = VehicleJudge(station.anchors, status=station_status(station))
            await s.until(lambda: station.told(LAB[Role.VEHICLE].chain[0], LAB[Role.VEHICLE].chain[1]) is not None)
            with pytest.raises(CertificateError, match="as the CSMS said"):
                judge(SHOWN, NOW.timestamp())

    asyncio.run(asyncio.wait_for(scene(), 300))
