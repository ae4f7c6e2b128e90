"""IEEE 2030.5: events by primacy and time, a client at a stub of ours over mutual TLS, hostile servers."""

import asyncio
import datetime
import json
import re
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.starved import again
from v2g.energy.signal import Kind
from v2gkit.grid.declared import Grid
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.http import Response
from v2gkit.grid.sep2 import words
from v2gkit.grid.sep2.client import Client, Round, Session
from v2gkit.grid.sep2.declared import Sep2
from v2gkit.grid.sep2.events import Control, Program, control_of
from v2gkit.grid.sep2.following import Following
from v2gkit.grid.sep2.rating import Rating
from v2gkit.grid.shell.running import Listening
from v2gkit.peers import grid_setup

ROOT = Path(__file__).parents[3]
JUDGES = {"1.2": ROOT / ".interop" / "csip" / "bin" / "python", "1.3": grid_setup.python_of(ROOT / ".interop")}  # envoy-schema 1.5, 2.7
TIME = 120.0  # s, generous
LFDI = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"
RATING = Rating(22_000, 10_000, LFDI)
FIRST, SECOND = Program("A", 1), Program("B", 2)
NS = 'xmlns="urn:ieee:std:2030.5:ns" xmlns:csipaus="https://csipaus.org/ns"'


def event(mrid: str, start: int, length: int, base: str, status: int = 0, created: int = 0, more: str = "") -> str:
    return (
        f'<DERControl href="/derc/{mrid}" replyTo="/rsp" responseRequired="03"><mRID>{mrid}</mRID><creationTime>{created}</creationTime>'
        f"<EventStatus><currentStatus>{status}</currentStatus><dateTime>{created}</dateTime>"
        f"<potentiallySuperseded>false</potentiallySuperseded></EventStatus><interval><duration>{length}</duration><start>{start}</start>"
        f"</interval>{more}<DERControlBase>{base}</DERControlBase></DERControl>"
    )


def imports(kilowatts: int) -> str:
    return f"<csipaus:opModImpLimW><multiplier>3</multiplier><value>{kilowatts}</value></csipaus:opModImpLimW>"


def default(mrid: str, base: str) -> str:
    return f"<DefaultDERControl><mRID>{mrid}</mRID><DERControlBase>{base}</DERControlBase></DefaultDERControl>"


def parsed(xml: str, program: Program = FIRST, offset: float = 0.0) -> Control:
    kind = re.split("[ >]", xml[1:], maxsplit=1)[0]
    return control_of(words.read(xml.replace(f"<{kind}", f"<{kind} {NS}", 1).encode(), kind), program, RATING, offset)[0]


def spans(*controls: Control, now: float = 0.0) -> dict[str, list[Any]]:
    return {each.signal.id: list(each.signal.power.spans()) for each in Following("u").told(controls, now)}


# --- what a control says ---


@pytest.mark.parametrize(
    ("base", "found"),
    [
        (imports(7), {"csipaus:opModImpLimW": (Kind.IMPORT_CAP, 7_000)}),
        (
            "<csipaus:opModExpLimW><multiplier>-1</multiplier><value>15</value></csipaus:opModExpLimW>",
            {"csipaus:opModExpLimW": (Kind.EXPORT_CAP, 1.5)},
        ),
        ("<opModMaxLimW>2500</opModMaxLimW>", {"opModMaxLimW": (Kind.EXPORT_CAP, 2_500)}),
        ("<opModFixedW>5000</opModFixedW>", {"opModFixedW": (Kind.SETPOINT, -5_000)}),
        ("<opModFixedW>-5000</opModFixedW>", {"opModFixedW": (Kind.SETPOINT, 11_000)}),
        ("<opModTargetW><multiplier>0</multiplier><value>3000</value></opModTargetW>", {"opModTargetW": (Kind.SETPOINT, -3_000)}),
        (
            "<opModConnect>false</opModConnect>",
            {"opModConnect import": (Kind.IMPORT_CAP, 0), "opModConnect export": (Kind.EXPORT_CAP, 0)},
        ),
        ('<opModVoltVar href="/c/1"/>', {}),
    ],
)
def test_each_mode_is_a_cap_or_a_setpoint_in_our_signs(base: str, found: dict[str, Any]) -> None:
    assert parsed(event("E", 100, 50, base)).modes == found


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (event("E", 100, 50, "<opModFixedW>10001</opModFixedW>"), "hundredths"),
        (event("E", 100, 50, "<opModConnect>maybe</opModConnect>"), "true or false"),
        (event("E", 100, 50, imports(-1)), "wrong multiplier"),
        (
            event("E", 100, 50, "<csipaus:opModImpLimW><multiplier>99</multiplier><value>1</value></csipaus:opModImpLimW>"),
            "wrong multiplier",
        ),
        (event("E", 100, -5, imports(1)), "a year"),
        (event("", 100, 50, imports(1)), "mRID"),
        (event("E" * 40, 100, 50, imports(1)), "mRID"),
        (event("E", 100, 50, imports(1), more="<randomizeStart>9999</randomizeStart>"), "an hour"),
        (event("E", 100, 50, imports(1)).replace("<start>100", "<start>soon"), "whole number"),
    ],
)
def test_a_control_that_cannot_be_meant_is_one_clear_error(xml: str, text: str) -> None:
    with pytest.raises(GridFault, match=text) as found:
        parsed(xml)
    assert found.value.trouble is Trouble.MALFORMED


# --- which event holds ---


def test_the_lower_primacy_goes_first_and_what_it_ends_does_not_go_on_behind_it() -> None:
    weak, strong = parsed(event("W", 100, 900, imports(9)), SECOND), parsed(event("S", 300, 200, imports(11)), FIRST)
    assert spans(weak, strong) == {"u:W:opModImpLimW": [(100, 300, 9_000)], "u:S:opModImpLimW": [(300, 500, 11_000)]}
    assert spans(parsed(event("S", 50, 200, imports(11)), FIRST), weak) == {"u:S:opModImpLimW": [(50, 250, 11_000)]}


def test_of_one_primacy_the_later_created_goes_first_and_other_modes_stay() -> None:
    both = imports(9) + "<opModMaxLimW>5000</opModMaxLimW>"
    one, other = parsed(event("O", 100, 900, both, created=1)), parsed(event("N", 300, 200, imports(11), created=2))
    assert spans(one, other) == {
        "u:O:opModImpLimW": [(100, 300, 9_000)],
        "u:O:opModMaxLimW": [(100, 1_000, 5_000)],
        "u:N:opModImpLimW": [(300, 500, 11_000)],
    }


def test_cancelled_and_superseded_events_are_none() -> None:
    assert not spans(*(parsed(event(f"C{status}", 100, 900, imports(9), status=status)) for status in (2, 3, 4)))


def test_defaults_hold_where_no_event_is_by_the_lowest_primacy_that_has_the_mode() -> None:
    weak = parsed(default("DW", imports(5) + "<opModMaxLimW>1000</opModMaxLimW>"), SECOND)
    strong = parsed(default("DS", imports(6)), FIRST)
    year = 366 * 86_400
    found = spans(weak, strong, parsed(event("E", 100, 200, imports(9))))
    assert found["u:DS:opModImpLimW"] == [(0, 100, 6_000), (100, 300, float("inf")), (300, year, 6_000)]
    assert found["u:DW:opModMaxLimW"] == [(0, year, 1_000)]
    assert set(found) == {"u:DS:opModImpLimW", "u:DW:opModMaxLimW", "u:E:opModImpLimW"}


def test_that_time_passes_is_no_news_and_a_change_has_a_later_version() -> None:
    following, control = Following("u"), parsed(default("D", imports(6)))
    first = following.told([control], 0.0)
    assert following.told([control], 1_000.0) == first
    event_ = parsed(event("E", 2_000, 200, imports(9)))
    changed = {each.signal.id: each for each in following.told([control, event_], 1_000.0)}
    assert changed["u:D:opModImpLimW"].version > first[0].version


def test_random_parts_are_drawn_once_between_nothing_and_what_is_said() -> None:
    more = "<randomizeDuration>-60</randomizeDuration><randomizeStart>600</randomizeStart>"
    drawn = [parsed(event(f"E{number}", 1_000, 900, imports(9), more=more)) for number in range(50)]
    starts = [each.start for each in drawn if each.start is not None]
    assert all(1_000 <= start < 1_600 for start in starts)
    assert max(starts) - min(starts) > 300
    assert all(840 <= each.end - (each.start or 0) <= 900 for each in drawn)
    assert parsed(event("E0", 1_000, 900, imports(9), more=more)) == drawn[0]


def test_both_versions_of_csip_aus_are_read_alike() -> None:
    xml = event("E", 100, 50, imports(7)).replace("<DERControl", f"<DERControl {NS}", 1)
    both = [words.read(xml.replace(words.AUS, each).encode(), "DERControl") for each in words.AUS_OF.values()]
    assert control_of(both[0], FIRST, RATING, 0.0) == control_of(both[1], FIRST, RATING, 0.0) != ({}, frozenset())


def test_times_are_the_servers() -> None:
    assert parsed(event("E", 1_000, 900, imports(9)), offset=40.0).start == 960


def test_responses_tell_each_step_once() -> None:
    client, session = Client("http://[::1]/dcap", RATING), Session(0.0, 1.0, None, None, None)
    weak, strong = parsed(event("W", 100, 900, imports(9)), SECOND), parsed(event("S", 300, 200, imports(11)), FIRST)
    said: list[tuple[float, str, str]] = []
    for now in (0.0, 150.0, 150.0, 350.0, 600.0):
        script = client.responding(session, Round((weak, strong), (), frozenset()), now)
        try:
            request = next(script)
            while True:
                body = words.read(request.body or b"", "DERControlResponse")
                said.append((now, words.text(body, "subject") or "", words.text(body, "status") or ""))
                request = script.send(Response(201))
        except StopIteration:
            pass
    assert said == [
        (0.0, "W", "1"), (0.0, "S", "1"), (150.0, "W", "2"), (350.0, "W", "7"), (350.0, "S", "2"), (600.0, "S", "3"),
    ]  # fmt: skip


def test_identifiers_follow_from_the_certificate() -> None:
    assert words.sfdi_of(LFDI) == 167261211391  # the worked example that public descriptions of CSIP carry
    assert words.lfdi_of(b"") == "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4"


# --- a server ---


class Stub:
    """A utility server for the tests, as far as a client of one device sees it: what is asked and sent is kept."""

    def __init__(self, lfdi: str = LFDI) -> None:
        self.lfdi, self.registered = lfdi, False
        self.sent: list[tuple[str, str, bytes]] = []
        self.controls = ""
        self.default = default("0D", imports(5))
        self.ahead = 0
        self.mirrors: list[str] = []
        self.peer: Any = None

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, str]:
        path = urlsplit(target).path
        if method != "GET":
            self.sent.append((method, path, body))
            if path == "/edev" and words.text(words.read(body, "EndDevice"), "lFDI") == self.lfdi:
                self.registered = True
            if path == "/mup":
                self.mirrors.append(f'<MirrorUsagePoint href="/mup/1"{body.decode().partition("<MirrorUsagePoint")[2]}')
            return (201 if method == "POST" else 204), ""
        text = self.resources().get(path)
        return (404, "") if text is None else (200, text)

    def resources(self) -> dict[str, str]:
        device = (
            f'<EndDevice href="/edev/1"><DERListLink href="/der" all="1"/><lFDI>{self.lfdi}</lFDI><sFDI>{words.sfdi_of(self.lfdi)}</sFDI>'
            f'<changedTime>0</changedTime><FunctionSetAssignmentsListLink href="/fsa" all="1"/></EndDevice>'
        )
        count = int(self.registered)
        program = (
            '<DERProgram href="/derp/1"><mRID>0A</mRID><DefaultDERControlLink href="/dderc"/><DERControlListLink href="/derc" all="9"/>'
            "<primacy>1</primacy></DERProgram>"
        )
        links = "".join(f'<DER{name}Link href="/der/1/{name.lower()}"/>' for name in ("Capability", "Settings", "Status"))
        events = self.controls.count("<DERControl ")
        return {
            "/dcap": f'<DeviceCapability {NS} href="/dcap" pollRate="60">'
            f'<TimeLink href="/tm"/><EndDeviceListLink href="/edev" all="{count}"/>'
            '<MirrorUsagePointListLink href="/mup" all="0"/></DeviceCapability>',
            "/tm": f'<Time {NS} href="/tm"><currentTime>{int(time.time()) + self.ahead}</currentTime>'
            "<dstEndTime>0</dstEndTime><dstOffset>0</dstOffset><dstStartTime>0</dstStartTime><quality>4</quality><tzOffset>0</tzOffset></Time>",
            "/edev": f'<EndDeviceList {NS} href="/edev" all="{count}" results="{count}">{device * count}</EndDeviceList>',
            "/fsa": f'<FunctionSetAssignmentsList {NS} href="/fsa" all="1" results="1">'
            '<FunctionSetAssignments href="/fsa/1"><mRID>0F</mRID>'
            '<DERProgramListLink href="/derp" all="1"/></FunctionSetAssignments></FunctionSetAssignmentsList>',
            "/derp": f'<DERProgramList {NS} href="/derp" all="1" results="1">{program}</DERProgramList>',
            "/dderc": self.default.replace("<DefaultDERControl>", f"<DefaultDERControl {NS}>", 1),
            "/derc": f'<DERControlList {NS} href="/derc" all="{events}" results="{events}">{self.controls}</DERControlList>',
            "/mup": f'<MirrorUsagePointList {NS} href="/mup" all="{len(self.mirrors)}" results="1">'
            f"{''.join(self.mirrors)}</MirrorUsagePointList>",
            "/der": f'<DERList {NS} href="/der" all="1" results="1"><DER href="/der/1">{links}</DER></DERList>',
        }  # fmt: skip


@asynccontextmanager
async def served(answer: Callable[[str, str, bytes], tuple[int, Any]], tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            length = next((int(line.split(":")[1]) for line in head if line.lower().startswith("content-length")), 0)
            body = await reader.readexactly(length)
            method, target, _ = head[0].split()
            status, text = answer(method, target, body)
            octets = text if isinstance(text, bytes) else text.encode()
            writer.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(octets)) + octets)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(attend, "127.0.0.1", 0, ssl=tls) as server:
        yield f"{'http' if tls is None else 'https'}://localhost:{server.sockets[0].getsockname()[1]}"


def certificates(folder: Path) -> None:
    """A root, and a chain of server and device each, on P-256 as IEEE 2030.5 has them."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "server", "device")}
    root = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    for name, key in keys.items():
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        built = x509.CertificateBuilder().subject_name(subject).issuer_name(root).public_key(key.public_key())
        built = built.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        built = built.not_valid_after(now + datetime.timedelta(days=1))
        built = built.add_extension(x509.BasicConstraints(ca=name == "root", path_length=None), critical=True)
        if name == "server":
            built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        certificate = built.sign(keys["root"], hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        octets = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{name}.key").write_bytes(octets)


@again
def test_a_site_registers_by_its_certificate_follows_reports_responds_and_keeps_what_was_said(tmp_path: Path) -> None:
    asyncio.run(_followed(tmp_path))


async def _followed(folder: Path) -> None:
    certificates(folder)
    stub = Stub(words.lfdi_of(ssl.PEM_cert_to_DER_cert((folder / "device.pem").read_text())))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("ECDHE-ECDSA-AES128-CCM8")  # the only suite that a server has to have
    tls.load_cert_chain(folder / "server.pem", folder / "server.key")
    tls.load_verify_locations(folder / "root.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    held: list[float] = []
    said: list[dict[str, Any]] = []
    more = asyncio.Event()

    def say(line: dict[str, Any]) -> None:
        said.append(line)
        held.extend([line["import_cap"]] if line["what"] == "holds" else [])
        more.set()

    async def until(found: Callable[[], bool]) -> None:
        while not found():
            more.clear()
            await more.wait()

    async with asyncio.timeout(TIME), served(stub.answer, tls) as url:
        source = Sep2(
            "utility", url + "/dcap", 22_000, 10_000, str(folder / "device.pem"), str(folder / "device.key"), str(folder / "root.pem"),
            every=0.1, patience=2.0, fallback_import=4_000, timeout=30,
        )  # fmt: skip
        listening = Listening(Grid(sep2=(source,)), time.time, say)
        task = asyncio.ensure_future(listening.run())
        await until(lambda: held[-1:] == [5_000])
        stub.controls = event("0E", int(time.time()) - 5, 600, imports(9))
        await until(lambda: held[-1:] == [9_000])
        await until(lambda: any(line["what"] == "acknowledged" and line["signal"]["reference"] == "0E" for line in said))
        stub.resources = dict  # type: ignore[method-assign] - it has nothing any more
        await until(lambda: held[-1:] == [4_000])
        task.cancel()
        await asyncio.wait([task])
    assert held[0] == 4_000
    assert None not in held
    puts = [path for method, path, _ in stub.sent if method == "PUT"]
    assert puts[:3] == ["/der/1/capability", "/der/1/settings", "/der/1/status"]
    statuses = [words.text(words.read(body, "DERControlResponse"), "status") for _, path, body in stub.sent if path == "/rsp"]
    assert statuses[:2] == ["1", "2"]


MODELS = {
    "/edev": "end_device.EndDeviceRequest", "/rsp": "response.DERControlResponse", "/der/1/capability": "der.DERCapability",
    "/der/1/settings": "der.DERSettings", "/der/1/status": "der.DERStatus", "/mup": "metering_mirror.MirrorUsagePointRequest",
    "/mup/1": "metering_mirror.MirrorMeterReadingRequest",
}  # fmt: skip
HEARD = {
    "/dcap": "device_capability.DeviceCapabilityResponse", "/tm": "time.TimeResponse", "/edev": "end_device.EndDeviceListResponse",
    "/fsa": "function_set_assignments.FunctionSetAssignmentsListResponse", "/derp": "der.DERProgramListResponse",
    "/dderc": "der.DefaultDERControl", "/derc": "der.DERControlListResponse", "/der": "der.DERListResponse",
    "/mup": "metering_mirror.MirrorUsagePointListResponse",
}  # fmt: skip
READING = """
import importlib, json, sys
for model, xml in json.load(sys.stdin):
    module, _, name = model.partition(".")
    found = getattr(importlib.import_module("envoy_schema.server.schema.sep2." + module), name).from_xml(xml)
    print(json.dumps([model, found.model_dump(mode="json", exclude_none=True)]))
"""


@pytest.mark.parametrize("version", JUDGES)
def test_models_that_others_wrote_read_all_that_our_client_says_and_our_stub_answers(version: str) -> None:
    judge = JUDGES[version]
    if not list(judge.parents[1].glob("lib/*/site-packages/envoy_schema")):
        pytest.skip("envoy-schema is not in .interop: make interop has the one of CSIP-AUS 1.3")
    stub = Stub()
    stub.registered = False
    stub.controls = event("0E", 1_000, 900, imports(9))
    client = Client("http://[::1]/dcap", RATING, version)

    def carried(script: Any) -> Any:
        try:
            request = next(script)
            while True:
                status, text = stub.answer(request.method, request.url.removeprefix("http://[::1]"), request.body or b"")
                request = script.send(Response(status, text.encode()))
        except StopIteration as end:
            return end.value

    session = carried(client.opening(time.time()))
    carried(client.reporting(session, time.time()))
    found = carried(client.polling(session))
    carried(client.responding(session, found, time.time()))
    carried(client.stating(session, found, time.time()))
    carried(client.metering(session, -1_234.0, time.time()))
    carried(client.metering(session, -1_235.0, time.time()))
    asked = [(MODELS[path], body.decode()) for _, path, body in stub.sent]
    assert {model for model, _ in asked} == set(MODELS.values())
    asked += [(HEARD[path], text.replace(words.AUS, words.AUS_OF[version])) for path, text in stub.resources().items()]
    done = subprocess.run([judge, "-c", READING], input=json.dumps(asked), capture_output=True, text=True, timeout=TIME, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    read = dict(map(tuple, map(json.loads, done.stdout.splitlines())))  # type: ignore[arg-type]
    assert read["end_device.EndDeviceRequest"]["lFDI"] == LFDI
    assert read["der.DERCapability"]["rtgMaxChargeRateW"] == {"multiplier": 0, "value": 22_000}
    assert read["der.DERCapability"]["doeModesSupported"] in ("0F", "0f")
    assert read["metering_mirror.MirrorUsagePointRequest"]["roleFlags"] == "0003"
    assert read["metering_mirror.MirrorUsagePointRequest"]["mirrorMeterReadings"][0]["reading"]["value"] == -1_234
    assert read["metering_mirror.MirrorMeterReadingRequest"]["reading"]["value"] == -1_235
    assert read["response.DERControlResponse"]["status"] == 3


HOSTILE: dict[str, tuple[int, Any, str]] = {
    "huge": (200, b"x" * (5 << 20), "huge"),
    "wrong": (200, "<html/>", "malformed"),
    "entities": (200, f'<!DOCTYPE x [<!ENTITY a "b">]><DeviceCapability {NS}/>', "malformed"),
    "denied": (403, "", "denied"),
    "elsewhere": (200, f'<DeviceCapability {NS}><EndDeviceListLink href="http://127.0.0.2:1/edev"/></DeviceCapability>', "denied"),
    "clock": (200, "clock", "malformed"),
}


@again
def test_hostile_servers_cost_one_clear_error_each_and_the_fallback_holds() -> None:
    asyncio.run(_besieged())


async def _besieged() -> None:
    from contextlib import AsyncExitStack

    said: list[dict[str, Any]] = []
    more = asyncio.Event()

    def say(line: dict[str, Any]) -> None:
        said.append(line)
        more.set()

    late = Stub()
    late.ahead = 10_000_000
    async with asyncio.timeout(TIME), AsyncExitStack() as stack:
        sources = []
        for name, (status, body, _) in HOSTILE.items():
            answer = late.answer if body == "clock" else lambda method, target, asked, s=status, b=body: (s, b)  # type: ignore[misc]
            url = await stack.enter_async_context(served(answer))
            sources.append(Sep2(name, url + "/dcap", 22_000, lfdi=LFDI, timeout=30, fallback_import=4_000))
        task = asyncio.ensure_future(Listening(Grid(sep2=tuple(sources)), time.time, say).run())
        while {line["source"] for line in said if line["what"] == "fault"} < HOSTILE.keys():
            more.clear()
            await more.wait()
        task.cancel()
        await asyncio.wait([task])
    faults = [line for line in said if line["what"] == "fault"]
    assert sorted((line["source"], line["trouble"]) for line in faults) == sorted((name, each[2]) for name, each in HOSTILE.items())
    assert [line["import_cap"] for line in said if line["what"] == "holds"] == [4_000]


# --- registration ---


@pytest.mark.parametrize(
    ("pin", "link", "why"), [(111_115, True, ""), (222_220, True, "another site"), (111_115, False, "RegistrationLink")]
)
def test_a_registration_with_another_pin_is_not_followed(pin: int, link: bool, why: str) -> None:
    """With our own the connection point is told; with another one nothing more is asked for."""
    sent: list[tuple[str, str, bytes]] = []
    device = f"<EndDevice>{'<RegistrationLink href=' + chr(34) + '/rg' + chr(34) + '/>' if link else ''}<lFDI>{LFDI}</lFDI>"
    device += '<csipaus:ConnectionPointLink href="/cp"/></EndDevice>'
    said = {
        "/dcap": f'<DeviceCapability {NS}><EndDeviceListLink href="/edev"/></DeviceCapability>',
        "/edev": f"<EndDeviceList {NS}>{device}</EndDeviceList>",
        "/rg": f"<Registration {NS}><dateTimeRegistered>1</dateTimeRegistered><pIN>{pin}</pIN></Registration>",
    }
    script = Client("http://[::1]/dcap", RATING, pin=111_115, point="6407123456").opening(0.0)
    try:
        request = next(script)
        while True:
            path = urlsplit(request.url).path
            sent.append((request.method, path, request.body or b""))
            request = script.send(Response(200, said[path].encode()) if request.method == "GET" else Response(204))
    except StopIteration:
        found = None
    except GridFault as fault:
        found = fault
    if why:
        assert found is not None
        assert why in str(found)
        assert found.trouble is Trouble.DENIED
        assert sent[-1][0] == "GET"
        return
    assert found is None
    assert sent[-1][:2] == ("PUT", "/cp")
    assert words.text(words.read(sent[-1][2], "csipaus:ConnectionPoint"), "csipaus:connectionPointId") == "6407123456"


@pytest.mark.parametrize(
    "more", [{"pin": 111_111}, {"pin": -5}, {"pin": 1_111_115}, {"connection_point": ""}, {"connection_point": "x" * 40}]
)
def test_a_pin_or_point_that_cannot_be_meant_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pin|connection_point"):
        Sep2("u", "http://localhost/dcap", 1_000.0, lfdi=LFDI, **more)
