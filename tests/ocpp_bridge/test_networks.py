"""Network profiles (B09, B10), security profiles and their upgrade (A05), and the certificate for the CSMS that rotates (A02)."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from ocpp_bridge.blocks.networks import connected
from ocpp_bridge.cabinet import FileCabinet
from ocpp_bridge.model.networks import Networks
from tests.ocpp_bridge.ocpp_certificates import Ca
from tests.ocpp_bridge.ocpp_stand import door, stand
from tests.ocpp_bridge.test_bridge import Played
from v2gkit.csms.server import Csms

SECRET = "0123456789abcdef-secret"
DATA = {
    "ocppCsmsUrl": "wss://new.example/ocpp",
    "ocppInterface": "Any",
    "ocppTransport": "JSON",
    "messageTimeout": 20,
    "securityProfile": 2,
    "basicAuthPassword": SECRET,
}
ORDER = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "NetworkConfigurationPriority"}}


def played(profile: int = 1, *, roots: bool = True, certified: bool = False, password: bool = True) -> Played:
    station = Played()
    station.charger.safe.networks.own = profile
    safe = station.charger.safe
    safe.system_roots, safe.certified, safe.password = roots, certified, password
    station.boot()
    connected(station.charger, profile)
    return station


def profile(station: Played, slot: int = 2, **data) -> dict:
    said = {name: value for name, value in {**DATA, **data}.items() if value is not None}
    return station.ask("SetNetworkProfile", {"configurationSlot": slot, "connectionData": said})


def order(station: Played, value: str) -> dict:
    [result] = station.ask("SetVariables", {"setVariableData": [ORDER | {"attributeValue": value}]})["setVariableResult"]
    return result


def reset(station: Played) -> None:
    assert station.ask("Reset", {"type": "OnIdle"})["status"] == "Accepted"
    station.bridge.go_offline(station.now)
    station.bridge.restart(station.now)


def test_a_profile_is_used_after_a_reset_and_the_old_one_where_it_fails():
    station = played()
    assert profile(station) == {"status": "Accepted"}
    networks = station.charger.safe.networks
    assert order(station, "2")["attributeStatus"] == "RebootRequired"
    assert networks.present == 1
    reset(station)
    assert networks.present == 2
    assert networks.data["ocppCsmsUrl"] == DATA["ocppCsmsUrl"]
    assert [networks.failed(3) for _ in range(3)] == [None, None, 1]  # the one that worked, though the order does not name it
    assert [networks.failed(3) for _ in range(3)] == [None, None, 2]
    connected(station.charger, 2)
    assert networks.order == (2,)  # and nothing below it is tried any more
    assert networks.failed(1) is None
    assert station.charger.variables["OCPPCommCtrlr.ActiveNetworkProfile"] == "2"
    assert station.charger.variables["SecurityCtrlr.SecurityProfile"] == "2"


def test_an_upgrade_takes_what_is_below_out_of_the_order_and_outlives_the_process():
    station = played()
    assert profile(station) == {"status": "Accepted"}
    order(station, "2,1")
    reset(station)
    connected(station.charger, 2)
    assert station.charger.variables["OCPPCommCtrlr.NetworkConfigurationPriority"] == "2"
    again = Played()
    again.charger.safe.networks.own = 1
    again.bridge.restore(dict(station.charger.kept))
    assert (again.charger.safe.networks.order, again.charger.safe.networks.present, again.charger.safe.networks.reached) == ((2,), 2, 2)
    again.boot()
    assert profile(again, 3, securityProfile=1, ocppCsmsUrl="ws://x/")["statusInfo"]["reasonCode"] == "NoSecurityDowngrade"


REFUSED = {
    "slot 0": ({"slot": 0}, "InvalidNetworkConf"),
    "slot 6": ({"slot": 6}, "InvalidNetworkConf"),
    "in use": ({"slot": 1}, "PriorityNetworkConf"),
    "SOAP": ({"ocppTransport": "SOAP"}, "InvalidNetworkConf"),
    "1.6": ({"ocppVersion": "OCPP16"}, "InvalidNetworkConf"),
    "a modem": ({"ocppInterface": "Wireless0"}, "InvalidNetworkConf"),
    "ws for 2": ({"ocppCsmsUrl": "ws://x/"}, "InvalidNetworkConf"),
    "no address": ({"ocppCsmsUrl": "wss://me:secret@x/"}, "InvalidNetworkConf"),
    "profile 0": ({"securityProfile": 0}, "InvalidNetworkConf"),
    "lower": ({"securityProfile": 1, "ocppCsmsUrl": "ws://x/"}, "NoSecurityDowngrade"),
    "no certificate": ({"securityProfile": 3}, "InvalidNetworkConf"),
    "short password": ({"basicAuthPassword": "short"}, "InvalidNetworkConf"),
    "no time": ({"messageTimeout": 0}, "InvalidNetworkConf"),
    "a VPN": ({"vpn": {"server": "x", "user": "x", "password": "x", "key": "x", "type": "IPSec"}}, "InvalidNetworkConf"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_profile_that_cannot_be_used_is_refused_with_the_reason(wrong):
    station, (data, reason) = played(2), REFUSED[wrong]
    answer = profile(station, **data)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", reason)
    assert len(answer["statusInfo"]["additionalInfo"]) > 15
    assert not station.charger.safe.networks.slots
    assert SECRET not in str(answer)


def test_a_profile_needs_what_it_proves_itself_with():
    assert "root" in profile(played(roots=False))["statusInfo"]["additionalInfo"]
    assert "password" in profile(played(password=False), basicAuthPassword=None)["statusInfo"]["additionalInfo"]
    assert profile(played(certified=True), securityProfile=3) == {"status": "Accepted"}


@pytest.mark.parametrize(("value", "reason"), [("3", "InvalidNetworkConf"), ("2,2", "InvalidValue"), ("2,x", "InvalidValue")])
def test_an_order_of_what_is_not_there_is_refused(value, reason):
    station = played()
    profile(station)
    result = order(station, value)
    assert (result["attributeStatus"], result["attributeStatusInfo"]["reasonCode"]) == ("Rejected", reason)


def test_only_with_leave_and_only_from_3_to_2_security_goes_down():
    strict, lenient = (Networks(own=3, reached=3, downgrade=leave) for leave in (False, True))
    held = type("Held", (), {"password": True, "roots": True, "certificate": True})()
    assert strict.objection(2, DATA, held)[0] == "NoSecurityDowngrade"
    assert lenient.objection(2, DATA, held) is None
    assert lenient.objection(2, DATA | {"securityProfile": 1, "ocppCsmsUrl": "ws://x/"}, held)[0] == "NoSecurityDowngrade"


# --- over sockets ---


def mutual(ca: Ca, server) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ca.pem)
    context.load_cert_chain(*server)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def secured(tmp_path, at=None):
    """A CSMS of security profile 3 with a CA that signs what it is asked for, and what a station needs to be known there."""
    ca = Ca(tmp_path / "ca", at=datetime.now(UTC))
    context = mutual(ca, ca.issue("csms", purpose="SERVER_AUTH", names=("127.0.0.1",)))
    csms = Csms()
    server = await csms.serve(tls=context)
    try:
        yield ca, csms, next(iter(server.sockets)).getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def test_the_certificate_of_profile_3_rotates_and_the_old_one_is_shown_where_the_new_one_is_refused(tmp_path):
    async def scene():
        async with secured(tmp_path) as (ca, csms, port):
            certificate, key = ca.issue("CS-1")
            how = {"url": f"wss://127.0.0.1:{port}/ocpp", "trust": ca.root, "certificate": certificate, "key": key}
            async with stand(port=port, endpoint=how) as s:
                charger = s.point.bridge.charger
                charger.safe.cabinet = FileCabinet(None, tmp_path / "state", ca.root, tls=True)
                await s.until(lambda: csms.stations and csms.stations["CS-1"].connectors and charger.safe.holdings.roots)
                assert s.point.endpoint.certificate == certificate
                link = csms.stations["CS-1"].link

                async def signed(by: Ca) -> None:
                    before = len(s.frames.calls("SignCertificate"))
                    trigger = {"requestedMessage": "SignChargingStationCertificate"}
                    assert (await csms.call("CS-1", "TriggerMessage", trigger))["status"] == "Accepted"
                    await s.until(lambda: len(s.frames.calls("SignCertificate")) > before)
                    asked = s.frames.calls("SignCertificate")[-1]
                    said = {"certificateChain": by.sign(asked["csr"]), "certificateType": asked["certificateType"]}
                    assert (await csms.call("CS-1", "CertificateSigned", said | {"requestId": asked["requestId"]}))["status"] == "Accepted"

                await signed(ca)
                await s.until(lambda: csms.stations["CS-1"].link not in (None, link))
                assert s.point.endpoint.certificate == tmp_path / "state" / "ocpp" / "station.chain.pem"
                assert s.point.bridge.charger.variables["SecurityCtrlr.SecurityProfile"] == "3"
                # a certificate of a CA that the station was told to trust, and that this CSMS does not know
                other, link = Ca(tmp_path / "strange", "Strange", at=datetime.now(UTC)), csms.stations["CS-1"].link
                install = {"certificateType": "CSMSRootCertificate", "certificate": other.pem}
                assert (await csms.call("CS-1", "InstallCertificate", install))["status"] == "Accepted"
                await signed(other)
                await s.until(lambda: csms.stations["CS-1"].link not in (None, link), 60.0)
                assert s.point.endpoint.certificate == tmp_path / "state" / "ocpp" / "before.chain.pem"

    asyncio.run(asyncio.wait_for(scene(), 300))


def test_a_network_profile_leads_to_another_csms_and_back_where_nobody_is(tmp_path):
    async def scene():
        first, second = Csms(door=door(SECRET)), Csms(door=door(SECRET + "2"))
        here, there = await first.serve(), await second.serve()
        ports = [next(iter(server.sockets)).getsockname()[1] for server in (here, there)]
        async with stand(port=ports[0], endpoint={"password": SECRET}, passwords=tmp_path / "kept") as s:
            s.point.bridge.charger.variables["OCPPCommCtrlr.NetworkProfileConnectionAttempts"] = "1"
            await s.until(lambda: first.stations and first.stations["CS-1"].connectors)

            async def go(csms: Csms, slot: int, port: int) -> None:
                data = DATA | {"securityProfile": 1, "ocppCsmsUrl": f"ws://127.0.0.1:{port}/ocpp", "basicAuthPassword": SECRET + "2"}
                said = {"configurationSlot": slot, "connectionData": data}
                assert (await csms.call("CS-1", "SetNetworkProfile", said))["status"] == "Accepted"
                setting = {"setVariableData": [ORDER | {"attributeValue": str(slot)}]}
                [result] = (await csms.call("CS-1", "SetVariables", setting))["setVariableResult"]
                assert result["attributeStatus"] == "RebootRequired"
                assert (await csms.call("CS-1", "Reset", {"type": "Immediate"}))["status"] == "Accepted"

            await go(first, 2, ports[1])
            await s.until(lambda: second.stations and second.stations["CS-1"].connectors)
            link = second.stations["CS-1"].link
            await go(second, 3, 9)  # where nobody listens
            await s.until(lambda: second.stations["CS-1"].link not in (None, link), 60.0)
            assert s.point.bridge.charger.safe.networks.present == 2
        for server in (here, there):
            server.close()
            await server.wait_closed()

    asyncio.run(asyncio.wait_for(scene(), 300))
