"""Links, the charge point and the CSMS over real WebSockets: order, collisions, faulty frames, lost connections, security profiles."""

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ocpp_bridge.blocks import authorization
from ocpp_bridge.charge_point import ChargePoint, Endpoint
from ocpp_bridge.wire.link import CallFailed, Link
from ocpp_bridge.wire.opening import reason_of
from ocpp_bridge.wire.rpc import Refusal
from tests.free_ports import free_port
from tests.ocpp_bridge.ocpp_stand import door, entropy, stand
from v2gkit.csms.server import Csms
from v2gkit.csms.steering import Strategy

NOW = "2026-11-22T18:00:00Z"
EVENT = {"eventType": "Updated", "timestamp": NOW, "triggerReason": "Trigger", "seqNo": 0, "transactionInfo": {"transactionId": "t"}}
STATUS = {"timestamp": NOW, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}


def run(scene):
    asyncio.run(asyncio.wait_for(scene(), 300))


class Pair:
    """Two links over one real WebSocket."""

    def __init__(self, server, client, supported=frozenset({"TransactionEvent", "Heartbeat", "Reset", "StatusNotification"})):
        self.handlers = {"server": server, "client": client}
        self.supported = supported
        self.links: dict[str, Link] = {}

    async def __aenter__(self):
        ready = asyncio.Event()

        async def accept(socket):
            self.links["server"] = Link(socket, "ocpp2.1", self.handlers["server"], self.supported)
            ready.set()
            await self.links["server"].run()

        self.server = await serve(accept, "127.0.0.1", 0, subprotocols=["ocpp2.1"])
        port = next(iter(self.server.sockets)).getsockname()[1]
        self.socket = await connect(f"ws://127.0.0.1:{port}/x", subprotocols=["ocpp2.1"], proxy=None)
        self.links["client"] = Link(self.socket, "ocpp2.1", self.handlers["client"], self.supported)
        self.running = asyncio.create_task(self.links["client"].run())
        await ready.wait()
        return self.links["client"], self.links["server"]

    async def __aexit__(self, *_):
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        self.server.close()
        await self.server.wait_closed()


async def beat(action, payload):
    return {"currentTime": NOW} if action == "Heartbeat" else {"status": "Accepted"} if action == "Reset" else {}


def test_a_hundred_calls_at_once_arrive_in_their_order():
    async def scene():
        seen = []

        async def served(action, payload):
            seen.append(payload["seqNo"])
            return {}

        async with Pair(served, beat) as (client, _):
            # big ones first: what validates slowly must not be overtaken
            values = [{"timestamp": NOW, "sampledValue": [{"value": 1.0}] * 200}]
            results = [
                client.call("TransactionEvent", EVENT | {"seqNo": n} | ({"meterValue": values} if n < 50 else {})) for n in range(100)
            ]
            assert await asyncio.gather(*results) == [{}] * 100
        assert seen == list(range(100))

    run(scene)


def test_two_sides_that_call_each_other_from_their_handlers_never_wait_for_each_other():
    async def scene():
        pair = Pair(None, None)

        async def ask_back(link: str, action, payload):
            if payload.get("seqNo", 0) > 0:
                await pair.links[link].call("TransactionEvent", EVENT | {"seqNo": payload["seqNo"] - 1}, 300.0)
            return {}

        pair.handlers = {name: lambda a, p, name=name: ask_back(name, a, p) for name in ("server", "client")}
        async with pair as (client, server):
            # a handler that calls while our own call is open waits for it to be answered, never the other way round
            done = await asyncio.wait_for(
                asyncio.gather(client.call("TransactionEvent", EVENT | {"seqNo": 1}), server.call("TransactionEvent", EVENT)), 300
            )
            assert done == [{}, {}]

    run(scene)


def test_a_slow_handler_holds_up_nobody_else():
    async def scene():
        gate = asyncio.Event()

        async def served(action, payload):
            if action == "Reset":
                await gate.wait()
            return await beat(action, payload)

        async with Pair(beat, served) as (client, server):
            slow = server.call("Reset", {"type": "OnIdle"}, 300.0)
            await asyncio.wait_for(client.call("Heartbeat", {}), 300)
            assert not slow.done()
            gate.set()
            assert (await slow)["status"] == "Accepted"

    run(scene)


@pytest.mark.parametrize("sparing", [True, False])
def test_a_station_pauses_after_a_frame_as_long_as_its_work_took(sparing, monkeypatch):
    """A CSMS that floods it leaves half of the loop to the cars; a CSMS, whose stations are many, pauses for none."""
    spent, pauses, sleep = [0.0], [], asyncio.sleep

    async def work(action, payload):
        spent[0] += 0.004
        return {"currentTime": NOW}

    async def slept(seconds):
        pauses.append(round(seconds, 6))
        await sleep(0)

    class Flood:
        """A peer that has sent three frames, and then goes."""

        def __init__(self):
            self.frames = [json.dumps([2, str(number), "Heartbeat", {}]) for number in range(3)]

        async def recv(self):
            if not self.frames:
                raise EOFError
            return self.frames.pop(0)

        async def send(self, message):
            pass

    async def scene():
        await Link(Flood(), "ocpp2.1", work, frozenset({"Heartbeat"}), sparing=sparing).run()

    monkeypatch.setattr("ocpp_bridge.wire.link.time.thread_time", lambda: spent[0])
    monkeypatch.setattr("ocpp_bridge.wire.link.asyncio.sleep", slept)
    run(scene)
    assert pauses == ([0, 0.004] * 3 if sparing else [0] * 3)


def test_errors_of_handlers_become_the_codes_of_the_specification():
    async def scene():
        async def served(action, payload):
            if action == "Reset":
                raise Refusal("SecurityError", "not now")
            if action == "Heartbeat":
                return {"currentTime": "noon"}
            raise RuntimeError("secret details")

        async with Pair(served, beat) as (client, _):
            for action, payload, code in (
                ("Reset", {"type": "OnIdle"}, "SecurityError"),
                ("Heartbeat", {}, "InternalError"),
                ("TransactionEvent", EVENT, "InternalError"),
                ("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "a", "vendorName": "b"}}, "NotSupported"),
            ):
                with pytest.raises(CallFailed) as failed:
                    await client.call(action, payload)
                assert failed.value.code == code
                assert "secret" not in str(failed.value)

    run(scene)


def test_a_call_that_is_never_answered_times_out_and_the_next_goes_out():
    async def scene():
        async def served(action, payload):
            if action == "Reset":
                await asyncio.Event().wait()
            return await beat(action, payload)

        async with Pair(served, beat) as (client, _):
            slow, quick = client.call("Reset", {"type": "OnIdle"}, 0.05), client.call("Heartbeat", {})
            with pytest.raises(CallFailed, match="Timeout"):
                await slow
            assert (await quick)["currentTime"] == NOW

    run(scene)


def test_open_calls_fail_at_once_when_the_connection_is_lost():
    async def scene():
        async def never(action, payload):
            await asyncio.Event().wait()
            return {}

        pair = Pair(never, beat)
        async with pair as (client, server):
            calls = [client.call("Heartbeat", {}, 300.0) for _ in range(3)]
            await server.close()
            for call in calls:
                with pytest.raises(CallFailed, match="ConnectionLost"):
                    await asyncio.wait_for(call, 300)
            with pytest.raises(CallFailed, match="ConnectionLost"):
                await client.call("Heartbeat", {})

    run(scene)


# --- a CSMS that hears anything ---


FAULTY = [
    ("{", ["4", "-1", "RpcFrameworkError"]),
    ('[2,"a"]', ["4", "a", "RpcFrameworkError"]),
    ('[2,"a","Dance",{}]', ["4", "a", "NotImplemented"]),
    ('[2,"a","Reset",{"type":"OnIdle"}]', ["4", "a", "NotSupported"]),
    ('[2,"a","StatusNotification",{}]', ["4", "a", "OccurrenceConstraintViolation"]),
    (
        '[2,"a","StatusNotification",{"timestamp":"x","connectorStatus":"Available","evseId":1,"connectorId":1}]',
        ["4", "a", "PropertyConstraintViolation"],
    ),
    (b"\x00\x01", ["4", "-1", "RpcFrameworkError"]),
    ("[" * 50_000, ["4", "-1", "RpcFrameworkError"]),
]


def test_a_csms_answers_every_faulty_frame_and_serves_on():
    async def scene():
        server = await Csms().serve()
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/ocpp/X", subprotocols=["ocpp2.1"], proxy=None) as socket:
            for frame, expected in FAULTY:
                await socket.send(frame)
                answer = json.loads(await asyncio.wait_for(socket.recv(), 300))
                assert [str(part) for part in answer[:3]] == expected
            for silent in ('[3,"?",{}]', '[4,"?","GenericError","",{}]', '[7,"?",{}]', '[5,"?"]', '[6,"?","NotifyPeriodicEventStream",{}]'):
                await socket.send(silent)
            await socket.send('[2,"last","Heartbeat",{}]')
            assert json.loads(await asyncio.wait_for(socket.recv(), 300))[:2] == [3, "last"]
        server.close()

    run(scene)


def test_a_frame_without_end_closes_the_connection_and_nothing_more():
    async def scene():
        server = await Csms().serve()
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/ocpp/X", subprotocols=["ocpp2.1"], proxy=None) as socket:
            await socket.send('[2,"a","Heartbeat",{"customData":{"vendorId":"' + "x" * (1 << 20) + '"}}]')
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 300)
            assert closed.value.rcvd.code == 1009
        async with connect(f"ws://127.0.0.1:{port}/ocpp/X", subprotocols=["ocpp2.1"], proxy=None) as socket:
            await socket.send('[2,"b","Heartbeat",{}]')
            assert json.loads(await asyncio.wait_for(socket.recv(), 300))[1] == "b"
        server.close()

    run(scene)


def test_without_a_common_subprotocol_both_sides_give_up():
    async def scene():
        server = await Csms().serve()
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/ocpp/X", subprotocols=["ocpp1.6"], proxy=None) as socket:
            assert socket.subprotocol is None
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 300)
        server.close()

        attempts = []

        async def deaf(socket):
            attempts.append(socket.subprotocol)
            with pytest.raises(ConnectionClosed):
                await socket.recv()

        server = await serve(deaf, "127.0.0.1", 0)
        async with stand(port=next(iter(server.sockets)).getsockname()[1]) as s:
            await s.until(lambda: len(attempts) >= 2)
            assert not s.frames.log
        server.close()

    run(scene)


def test_a_station_survives_a_csms_that_talks_nonsense():
    async def scene():
        answers = asyncio.Queue()

        async def nonsense(socket):
            for frame, _ in FAULTY[:3]:
                await socket.send(frame)
            await socket.send('[2,"ok","GetTransactionStatus",{}]')
            await socket.send('[3,"unknown",{}]')
            async for frame in socket:
                answers.put_nowait(json.loads(frame))

        server = await serve(nonsense, "127.0.0.1", 0, subprotocols=["ocpp2.1"])
        async with stand(port=next(iter(server.sockets)).getsockname()[1]) as s:
            got = []
            while len(got) < 5:
                got.append(await asyncio.wait_for(answers.get(), 300))
            assert [3, "ok", {"messagesInQueue": False}] in got
            assert {frame[2] for frame in got if frame[0] == 4} == {"RpcFrameworkError", "NotImplemented"}
            assert any(frame[2:3] == ["BootNotification"] for frame in got)
            assert s.point.link is not None
        server.close()

    run(scene)


# --- reconnect ---


def test_a_csms_that_goes_and_comes_back_gets_what_it_missed_in_order(monkeypatch):
    for name in ("BRIEFLY", "HOLD"):  # it comes back within them, however long a test gets no processor
        monkeypatch.setattr(authorization, name, 3600.0)

    async def scene():
        first, port = Csms(Strategy("none")), free_port()
        server = await first.serve(port=port)
        async with stand(port=port) as s:
            await s.until(lambda: first.stations and first.stations["CS-1"].connectors)
            server.close()
            await server.wait_closed()
            await s.until(lambda: not s.point.bridge.charger.online)
            s.arrive()
            s.pnc()
            await s.until(lambda: s.point.bridge.charger.evses[1].session.held)  # held: it may come back in a moment
            second = Csms(Strategy("none"))
            server = await second.serve(port=port)
            await s.until(lambda: second.stations and second.stations["CS-1"].running() and second.stations["CS-1"].running().token)
            tx = second.stations["CS-1"].running()
            assert [e["seqNo"] for e in tx.events] == [0, 1]
            assert [e.get("offline", False) for e in tx.events] == [True, False]
            assert len(s.frames.calls("BootNotification")) == 1
        server.close()

    run(scene)


def test_the_wait_between_attempts_doubles_up_to_a_number_of_times():
    point = ChargePoint(Endpoint("ws://127.0.0.1:1/", "CS-1"), _bridge())
    waits = [point._back_off(n) for n in range(10)]
    assert all(2.0 * 2 ** min(n, 5) <= wait <= 2.0 * 2 ** min(n, 5) + 2.0 for n, wait in enumerate(waits))
    assert len({point._back_off(0) for _ in range(20)}) > 1  # a new random part each time


def _bridge():
    from ocpp_bridge.bridge import Bridge
    from tests.ocpp_bridge.ocpp_stand import charger

    return Bridge(charger())


def test_a_reset_boots_anew():
    async def scene():
        async with stand(Csms()) as s:
            await s.until(lambda: s.csms.stations and s.station.connectors)
            assert (await s.csms.call("CS-1", "Reset", {"type": "Immediate"}))["status"] == "Accepted"
            await s.until(lambda: len(s.frames.calls("BootNotification")) == 2)
            assert s.frames.calls("BootNotification")[1]["reason"] == "RemoteReset"

    run(scene)


# --- security profiles ---


@pytest.mark.parametrize(
    ("url", "id_", "more", "reason"),
    [
        ("http://x", "CS", {}, "begin it with ws:// or wss://"),
        ("ws://x", "C:S", {}, "without a colon"),
        ("ws://x", "C" * 49, {}, "1 to 48"),
        ("ws://x", "CS", {"certificate": "c.pem"}, "need wss"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_with_its_cure(url, id_, more, reason):
    with pytest.raises(ValueError, match=reason):
        Endpoint(url, id_, **more)


def test_the_station_id_is_percent_encoded_and_the_password_not_shown():
    endpoint = Endpoint("ws://csms/ocpp/", "DE*V2G/1 2", password="0123456789abcdef")
    assert endpoint.address == "ws://csms/ocpp/DE%2AV2G%2F1%202"
    assert endpoint.profile == 1
    assert "0123456789abcdef" not in repr(endpoint)


def test_profile_1_lets_in_who_knows_the_password():
    async def scene():
        secret = "0123456789abcdef"
        async with stand(Csms(door=door(secret)), endpoint={"password": secret}) as s:
            await s.until(lambda: s.csms.stations and s.station.connectors)
            port = next(iter(s.point.endpoint.url.split(":")[2].split("/")))
            for wrong in ("wrong", None):
                headers = Endpoint(f"ws://127.0.0.1:{port}", "CS-1", password=wrong).headers()
                with pytest.raises(InvalidStatus) as refused:
                    await connect(f"ws://127.0.0.1:{port}/ocpp/CS-1", subprotocols=["ocpp2.1"], additional_headers=headers, proxy=None)
                assert refused.value.response.status_code == 401

    run(scene)


def certificate(name: str, issuer=None, *, authority: bool = False):
    """A short-lived P-256 certificate with its key: (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, with_ = (subject, key) if issuer is None else (issuer[0].subject, issuer[1])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(with_, hashes.SHA256())
    )
    return made, key


def written(folder, name: str, made):
    file, keyfile = folder / f"{name}.pem", folder / f"{name}.key"
    file.write_bytes(made[0].public_bytes(serialization.Encoding.PEM))
    pkcs8 = serialization.PrivateFormat.PKCS8
    keyfile.write_bytes(made[1].private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()))
    return file, keyfile


@pytest.fixture
def trust(tmp_path):
    """Files: the CA, the CSMS's and the station's certificate with keys, and a CA that nobody knows."""
    ca = certificate("CA", authority=True)
    return {
        "ca": written(tmp_path, "ca", ca),
        "csms": written(tmp_path, "csms", certificate("csms", ca)),
        "station": written(tmp_path, "station", certificate("CS-1", ca)),
        "other": written(tmp_path, "other", certificate("Other", authority=True)),
    }


def listening(trust, *, mutual: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=trust["ca"][0])
    context.load_cert_chain(*trust["csms"])
    context.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
    return context


@pytest.mark.parametrize("profile", [2, 3])
def test_profiles_2_and_3_go_over_tls(trust, profile):
    async def scene():
        secret = "0123456789abcdef"
        csms = Csms(door=door(secret) if profile == 2 else None)
        server = await csms.serve(tls=listening(trust, mutual=profile == 3))
        port = next(iter(server.sockets)).getsockname()[1]
        how = {"trust": trust["ca"][0], "url": f"wss://localhost:{port}/ocpp"}
        how |= {"password": secret} if profile == 2 else {"certificate": trust["station"][0], "key": trust["station"][1]}
        async with stand(port=port, endpoint=how) as s:
            await s.until(lambda: csms.stations and csms.stations["CS-1"].connectors)
            assert s.point.endpoint.profile == profile
            assert s.point.bridge.charger.variables["SecurityCtrlr.SecurityProfile"] == str(profile)
        server.close()

    run(scene)


def test_a_csms_with_a_foreign_certificate_is_refused_and_reported_once(trust):
    async def scene():
        csms = Csms()
        server = await csms.serve(tls=listening(trust, mutual=False))
        port = next(iter(server.sockets)).getsockname()[1]
        how = {"trust": trust["other"][0], "url": f"wss://localhost:{port}/ocpp"}
        async with stand(port=port, endpoint=how) as s:
            kept = s.point.bridge.charger.outbox
            await s.until(lambda: [call.payload["type"] for call in kept.kept] == ["InvalidCsmsCertificate"])
            assert not csms.stations
        server.close()

    run(scene)


def test_the_station_without_certificate_is_refused_under_profile_3(trust):
    async def scene():
        csms = Csms()
        server = await csms.serve(tls=listening(trust, mutual=True))
        port = next(iter(server.sockets)).getsockname()[1]
        context = Endpoint(f"wss://localhost:{port}", "CS-1", trust=trust["ca"][0]).tls()
        with pytest.raises((OSError, EOFError, ConnectionClosed, Exception)):
            async with connect(f"wss://localhost:{port}/ocpp/CS-1", subprotocols=["ocpp2.1"], ssl=context, proxy=None) as socket:
                await socket.recv()
        assert not csms.stations
        server.close()

    run(scene)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_tls_alert_is_named_in_the_log(trust, newest, caplog):
    """Under TLS 1.3 it comes after the handshake, where a library reads the response already."""

    async def scene():
        tls = listening(trust, mutual=True)
        tls.maximum_version = newest
        server = await Csms().serve(tls=tls)
        port = next(iter(server.sockets)).getsockname()[1]
        how = {"trust": trust["ca"][0], "url": f"wss://localhost:{port}/ocpp"}
        async with stand(port=port, endpoint=how) as s:
            await s.until(lambda: s.point.account()["failures"])
            assert "ALERT" in s.point.account()["reason"].upper()
        server.close()

    with caplog.at_level("WARNING", logger="v2g.ocpp"):
        run(scene)
    assert "ALERT" in next(message for message in caplog.messages if "no connection to" in message).upper()


@pytest.mark.parametrize("error", [TimeoutError(), EOFError(), ConnectionResetError(104, "reset"), ssl.SSLError(1, "")])
def test_the_reason_of_a_failed_connection_is_never_empty(error):
    assert reason_of(error).strip()


def test_entropy_of_the_stand_never_repeats():
    draw = entropy()
    assert draw(16) != draw(16)
