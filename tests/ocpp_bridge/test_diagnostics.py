"""Logs for the CSMS: in frames, and put to real servers on loopback, friendly and hostile."""

import asyncio
import gzip
import logging
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from ocpp_bridge import upload as uploads
from ocpp_bridge.blocks.diagnostics import due_now, take_status
from ocpp_bridge.cabinet import FileCabinet
from ocpp_bridge.model.log_upload import EVENTS_MAXIMUM, Upload, archive
from ocpp_bridge.model.transfer import ATTEMPTS_MAXIMUM, objection
from ocpp_bridge.transfer import put
from ocpp_bridge.upload import REMEMBERED
from ocpp_bridge.wire.times import timestamp
from tests.ocpp_bridge.ocpp_certificates import Ca
from tests.ocpp_bridge.ocpp_stand import WALL, stand
from tests.ocpp_bridge.test_bridge import Played
from tests.ocpp_bridge.test_local_authorization import reborn
from v2gkit.csms.server import Csms


def station() -> Played:
    p = Played().boot()
    p.charger.logs.hosts = ("csms.example",)
    return p


def get(p: Played, url: str = "https://csms.example/logs/1?x=2", kind: str = "DiagnosticsLog", request: int = 3, **more) -> dict:
    answer = p.ask("GetLog", {"log": {"remoteLocation": url}, "logType": kind, "requestId": request} | more)
    p.run()
    return answer


def statuses(p: Played) -> list[tuple[int, str]]:
    return [(told["requestId"], told["status"]) for told in p.calls("LogStatusNotification")]


def fail(p: Played, code: int = 0, reason: str = "no route") -> Upload:
    [upload] = due_now(p.charger)
    take_status(p.charger, upload, code, reason, p.now)
    p.run()
    return upload


def test_a_log_is_sent_once_and_both_ends_are_told():
    p = station()
    assert get(p) == {"status": "Accepted", "filename": "diagnostics-3.log.gz"}
    upload = fail(p, 201, "")
    assert (upload.url, upload.kind) == ("https://csms.example/logs/1?x=2", "DiagnosticsLog")
    assert statuses(p) == [(3, "Uploading"), (3, "Uploaded")]
    assert due_now(p.run(10_000.0).charger) == []


def test_what_failed_is_tried_again_as_often_as_was_asked_for():
    p = station()
    get(p, retries=2, retryInterval=60)
    fail(p)
    assert due_now(p.run(59.0).charger) == []
    p.run(1.0)
    fail(p, 503)
    p.run(60.0)
    fail(p)
    assert statuses(p) == [(3, "Uploading"), (3, "UploadFailure")]
    assert "no route" in p.calls("LogStatusNotification")[-1]["statusInfo"]["additionalInfo"]
    assert due_now(p.run(10_000.0).charger) == []


def test_a_million_retries_without_a_pause_are_a_few_with_one():
    p = station()
    get(p, retries=1_000_000, retryInterval=0)
    for _ in range(ATTEMPTS_MAXIMUM):
        fail(p)
        assert due_now(p.charger) == []
        p.run(10.0)
    assert statuses(p)[-1] == (3, "UploadFailure")


@pytest.mark.parametrize(
    ("code", "status"), [(400, "BadMessage"), (401, "PermissionDenied"), (403, "PermissionDenied"), (405, "NotSupportedOperation")]
)
def test_what_a_server_refuses_is_not_tried_again(code, status):
    p = station()
    get(p, retries=5)
    fail(p, code, "")
    assert statuses(p) == [(3, "Uploading"), (3, status)]


def test_another_log_takes_the_place_of_one_that_is_being_sent():
    p = station()
    get(p)
    [first] = due_now(p.charger)
    assert get(p, request=4, kind="SecurityLog")["status"] == "AcceptedCanceled"
    take_status(p.charger, first, 200, "", p.now)
    fail(p, 200, "")
    assert statuses(p) == [(3, "Uploading"), (3, "AcceptedCanceled"), (4, "Uploading"), (4, "Uploaded")]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "https://csms.example@evil.example/",
        "https://user:word@csms.example/",
        "ftp://csms.example/x",
        "file:///etc/passwd",
        "https://csms.example/a b",
        "https://csms.example/\r\nHost: x",
        "https:///x",
        "https://csms.example:99999/",
        "nonsense",
    ],
)
def test_a_log_goes_nowhere_but_to_the_csms_and_whom_the_operator_names(url):
    p = station()
    answer = get(p, url)
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidURL")
    assert due_now(p.charger) == []


def test_a_log_that_is_not_kept_is_refused():
    assert get(station(), kind="DataCollectorLog")["statusInfo"]["reasonCode"] == "UnsupportedParam"


def test_the_times_that_are_asked_for_are_those_of_the_csms():
    log = {"remoteLocation": "https://x/", "oldestTimestamp": timestamp(WALL + 100.0), "latestTimestamp": timestamp(WALL + 200.0)}
    upload = Upload.of({"log": log, "logType": "DiagnosticsLog", "requestId": 1}, 0.0, 50.0)
    text = gzip.decompress(archive([(WALL + at, f"line {at}") for at in (49, 50, 150, 151)], upload)).decode()
    assert [line.split(" ", 1)[1] for line in text.splitlines()] == ["line 50", "line 150"]


def test_security_events_are_remembered_over_a_kill_and_are_bounded():
    p = station()
    for number in range(EVENTS_MAXIMUM + 5):
        p.bridge.alarm("InvalidCsmsCertificate", f"no {number}", p.now)
    q = reborn(p)
    assert station().charger.logs.security == [(WALL, "StartupOfTheDevice")]
    assert [text for _, text in q.charger.logs.security][:1] == ["InvalidCsmsCertificate no 5"]
    assert len(q.charger.logs.security) == EVENTS_MAXIMUM


# --- over sockets ---


@asynccontextmanager
async def server(answer: bytes | None, tls: ssl.SSLContext | None = None):
    """A server that answers every request like this (None: never), and keeps what it was sent."""
    heard: list[bytes] = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"Content-Length"))
        heard.append(head + await reader.readexactly(length))
        if answer is not None:
            writer.write(answer)
            await writer.drain()
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{listening.sockets[0].getsockname()[1]}", heard
    finally:
        listening.close()


async def attempt(answer: bytes) -> int:
    async with server(answer) as (url, _):
        return await put(f"{url}/x", b"body", lambda: None)


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 2000 OK\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 200", b"x" * 50_000, b"HTTP/1.1 -20 x\r\n"],
)
def test_what_is_no_answer_of_a_server_is_an_error_and_no_more(answer):
    with pytest.raises((OSError, EOFError, ValueError, asyncio.LimitOverrunError)):
        asyncio.run(attempt(answer))


def test_a_redirect_is_not_followed():
    assert asyncio.run(attempt(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n")) == 302


@pytest.mark.parametrize("silent", [False, True])
def test_the_log_of_a_station_arrives_and_a_silent_server_costs_nothing(monkeypatch, silent):
    """A CSMS asks for a log over its WebSocket; what the station logged arrives by HTTP."""
    monkeypatch.setattr(uploads, "TIME", 0.3 if silent else 60.0)

    async def played():
        async with server(None if silent else b"HTTP/1.1 204 No Content\r\n\r\n") as (url, heard), stand(Csms()) as s:
            await s.until(lambda: "CS-1" in s.csms.stations)
            await s.until(lambda: s.frames.calls("StatusNotification"))
            logging.getLogger("v2g.ocpp").warning("a line of this very run")
            asked = {"log": {"remoteLocation": f"{url}/here"}, "logType": "DiagnosticsLog", "requestId": 1}
            assert (await s.csms.call("CS-1", "GetLog", asked))["status"] == "Accepted"
            await s.until(lambda: len(s.frames.calls("LogStatusNotification")) == 2)
            return [told["status"] for told in s.frames.calls("LogStatusNotification")], heard

    told, heard = asyncio.run(played())
    assert told == ["Uploading", "UploadFailure" if silent else "Uploaded"]
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /here HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "WARNING v2g.ocpp: a line of this very run" in gzip.decompress(body).decode()


@pytest.mark.parametrize("known", [True, False])
def test_a_log_over_https_goes_to_a_server_that_the_csms_roots_know_and_to_no_other(tmp_path, known):
    """The CSMS installs the root of its server of files, beside what the station trusts; a stranger's server hears nothing of the log."""
    ca = Ca(tmp_path / "ca", at=datetime.now(UTC))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*ca.issue("files", purpose="SERVER_AUTH", names=("127.0.0.1",)))

    async def played():
        async with server(b"HTTP/1.1 201 Created\r\n\r\n", tls) as (url, heard), stand(Csms(), store=tmp_path / "ocpp.sqlite") as s:
            s.point.bridge.charger.safe.cabinet = FileCabinet(None, tmp_path / "state")
            await s.until(lambda: s.frames.calls("StatusNotification"))
            root = {"certificateType": "CSMSRootCertificate", "certificate": ca.pem}
            if known:
                assert (await s.csms.call("CS-1", "InstallCertificate", root))["status"] == "Accepted"
            asked = {"log": {"remoteLocation": f"{url}/here"}, "logType": "SecurityLog", "requestId": 1}
            assert (await s.csms.call("CS-1", "GetLog", asked))["status"] == "Accepted"
            await s.until(lambda: len(s.frames.calls("LogStatusNotification")) == 2)
            return s.frames.calls("LogStatusNotification")[-1], heard

    told, heard = asyncio.run(played())
    if known:
        assert told["status"] == "Uploaded"
        assert "StartupOfTheDevice" in gzip.decompress(heard[0].partition(b"\r\n\r\n")[2]).decode()
    else:
        assert told["status"] == "UploadFailure"
        assert "CERTIFICATE_VERIFY_FAILED" in told["statusInfo"]["additionalInfo"]
        assert not heard


def test_the_log_is_remembered_once_however_many_stations_there_are(capsys):
    assert logging.getLogger("v2g").handlers.count(REMEMBERED) <= 1
    assert objection("https://a/", (), "logs are sent to") == "logs are sent to nobody alone, not a"


def test_how_the_log_stands_is_told_when_it_is_asked_for():
    p = station()
    for wanted in ("LogStatusNotification", "FirmwareStatusNotification"):
        assert p.ask("TriggerMessage", {"requestedMessage": wanted}) == {"status": "Accepted"}
    get(p)
    p.ask("TriggerMessage", {"requestedMessage": "LogStatusNotification"})
    assert p.calls("FirmwareStatusNotification") == [{"status": "Idle"}]
    assert p.calls("LogStatusNotification") == [{"status": "Idle"}] + [{"status": "Uploading", "requestId": 3}] * 2


def test_a_line_that_cannot_be_put_into_words_costs_nobody_anything(capsys: pytest.CaptureFixture[str]):
    class Mute:
        def __str__(self) -> str:
            raise ValueError("no words")

    before = list(REMEMBERED.lines)
    REMEMBERED.handle(logging.LogRecord("v2g.x", logging.INFO, "", 0, "%s", (Mute(),), None))
    assert list(REMEMBERED.lines) == before
    assert "no words" in capsys.readouterr().err
