"""A hostile string through every door: no output of any command holds a character that acts, and no line is forged."""

import ast
import asyncio
import json
import os
import sys
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from evcc.car import Car, Wish
from evcc.client import Visit
from evcc.ev import AC_INLET, Battery, Ev, Inlet
from pki.issue import build
from pki.keys import ALGORITHMS
from pki.plan import Plan
from pki.store import create
from secc.server import wall_clock
from tests.secc.test_server import bench
from tests.starved import again, hear, heed
from v2g.legible import in_xml, legible, logger, masked, unsafe
from v2g.session.trace import line
from v2gkit.cli.main import main
from v2gkit.insight.report.page import page
from v2gkit.insight.report.reading import stories
from v2gkit.output import complain, put

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
ACTS = "\x1b[31m\x07\x00\x08\x7f\x9b\x85\u202e\u2066\u200b\u2028\u2029\ufeff\u00ad\U000e0041"
HOSTILE = f"WMI{ACTS}\r\nended: ok True, how Terminate\n\tforged <script>"
IN_WIRE = HOSTILE.replace("\x00", "")  # what EXI, X.509 and WebSocket carry


def clean(said: str | bytes) -> str:
    """The text, which holds nothing that acts and nobody else's line."""
    text = said.decode("utf-8") if isinstance(said, bytes) else said
    acts = {f"U+{ord(each):04X}" for each in text if each not in "\n\t" and unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert not acts, f"{acts} in {text!r}"
    forged = [each for each in text.split("\n") if each.startswith(("ended: ok True, how Terminate", "\tforged"))]
    assert not forged, text
    return text


# --- the function ---


def test_every_character_that_acts_is_escaped_and_no_other_is_touched() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        acts = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert unsafe(character) == acts
        if acts:
            assert legible(character).isascii()
            assert legible(character).isprintable()
            assert json.loads(f'"{legible(character)}"') == character
    told = "Wagen №1, ändern: 東京 <b> \\ \" 'x' 🚗"
    assert legible(told) == told


def test_json_stays_the_same_json_and_xml_the_same_document() -> None:
    import xml.etree.ElementTree as tree

    said = {"a": HOSTILE, HOSTILE: [HOSTILE, "\ud800"]}
    for ascii_only in (True, False):
        assert json.loads(clean(legible(json.dumps(said, ensure_ascii=ascii_only)))) == said
    assert json.loads(clean(line({"evccid": HOSTILE}))) == {"evccid": HOSTILE}
    text = "\x7f\x9b\u202e\u2028 \u200b"
    document = in_xml(f"<a>\n  {text}\n</a>")
    clean(document)
    assert tree.fromstring(document).text == f"\n  {text}\n"


def test_passwords_in_addresses_are_masked() -> None:
    assert masked("no connection to ws://me:secret@host/x, http://host/@x and https://tok@h") == (
        "no connection to ws://***@host/x, http://host/@x and https://***@h"
    )


def test_a_log_is_clean_whoever_formats_it(caplog: pytest.LogCaptureFixture) -> None:
    log = logger("v2g.test.hostile")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("failed: %s at ws://me:secret@host", HOSTILE)
    log.warning(HOSTILE.replace("%", ""))
    said = clean(caplog.text)
    assert "secret" not in said
    assert "ValueError" in said
    for name in ("v2g.ocpp", "v2g.secc", "v2g.transport", "v2g.csms", "v2g.web", "v2g.recorder"):
        (
            __import__("v2gkit.csms.server"),
            __import__("v2gkit.authorities.web"),
            __import__("secc.server"),
            __import__("v2gkit.insight.recorder"),
        )
        caplog.clear()
        logger(name).error("%s", HOSTILE)
        import logging

        assert logging.getLogger(name).filters, name
        clean(caplog.text)


def test_no_logger_of_ours_goes_unwatched() -> None:
    for room in ("v2g", "secc", "evcc", "pki", "ocpp_bridge", "v2gkit"):
        for path in (ROOT / room).rglob("*.py"):
            if path != ROOT / "v2g/legible.py":
                rooted = path.read_text().replace("logging.getLogger()", "")  # the root: whoever makes its handler escapes there
                rooted = rooted.replace('logging.getLogger("openleadr")', "")  # a peer's, in the peer's own process
                assert "getLogger(" not in rooted, f"{path}: take v2g.legible.logger"


def test_commands_speak_through_the_two_doors_alone() -> None:
    """`put` and `complain` are what escapes; a bare print is a hole."""
    apart = {
        "v2gkit/output.py",
        "v2gkit/shadow.py",  # speaks when ours cannot be imported, and escapes by itself
        "v2gkit/cli/log.py",  # its formatters escape
        "fuzz/amendment.py",
        "fuzz/differential.py",
        "v2gkit/cli/interop.py",
        "v2gkit/peers/bench.py",
        "v2gkit/peers/table.py",
    }
    for path in (ROOT / "v2gkit").rglob("*.py"):
        if "peers" in path.parts or path.relative_to(ROOT).as_posix() in apart:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"), f"{path}:{node.lineno}"


def test_the_two_doors_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    put(legible(HOSTILE), f"{ACTS}\n{ACTS}")
    complain(HOSTILE)
    complain("http://me:secret@host")
    both = capsys.readouterr()
    clean(both.out)
    clean(both.err)
    assert "secret" not in both.err


# --- a station, its trace and its report ---


class Running:
    """A command of ours in a process of its own, with everything it says."""

    def __init__(self, process: asyncio.subprocess.Process):
        self.process = process
        self.said = b""

    @classmethod
    async def start(cls, *arguments: str) -> "Running":
        pipe = asyncio.subprocess.PIPE
        made = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "v2gkit", *arguments, cwd=ROOT, env=ENVIRONMENT, stdin=pipe, stdout=pipe, stderr=pipe
        )
        return cls(made)

    async def until(self, words: bytes) -> bytes:
        assert self.process.stdout is not None
        while words not in self.said:
            octets = await self.process.stdout.readline()
            assert octets, self.said
            self.said += octets
        return self.said

    async def end(self) -> tuple[bytes, bytes]:
        if self.process.returncode is None:
            self.process.terminate()
        out, err = await self.process.communicate()
        return self.said + out, err


def run(scene: Any) -> Any:
    return asyncio.run(asyncio.wait_for(scene, 300))


async def car(port: int, evccid: str) -> Any:
    now = asyncio.get_running_loop().time()
    wish = Wish(evccid=evccid, services=("DC",), control="Scheduled", authorizations=("EIM",), loops=2, bench_plain=True)
    visitor = Car(Ev(Battery(), Inlet(), AC_INLET, energy=0.2 * Battery().capacity), wish=wish, clock=wall_clock(), now=now)
    return await Visit(visitor).at("127.0.0.1", port)


@pytest.mark.parametrize("profile", ["conformance", "interop"])
@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
@again
def test_a_car_with_a_hostile_name(tmp_path: Path, how: list[str], profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    trace, report = tmp_path / "trace.jsonl", tmp_path / "report.html"

    async def scene() -> tuple[bytes, bytes]:
        station = await Running.start(
            "secc", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--once", "--profile", profile, "--trace", str(trace), *how
        )
        first = (await station.until(b"\n")).decode()
        address = json.loads(first)["address"] if how else first.split()[2]
        ended = await car(int(address.rpartition(":")[2]), IN_WIRE)
        heed(ended.ended)
        assert ended.ended.well == (profile == "interop")
        await station.until(b"ended")
        return await station.end()

    out, err = run(scene())
    assert "WMI" in clean(out)
    clean(err)
    assert "WMI" in clean(trace.read_text())
    assert main(["report", str(trace), "--output", str(report)]) in (0, 1)
    assert profile == "interop" or "WMI" in clean(report.read_text())  # the reason for a refusal stands there
    clean(report.read_text())
    assert "<script>" not in report.read_text()
    clean(page(*stories(trace)))
    both = capsys.readouterr()
    clean(both.out + both.err)


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
@again
def test_a_station_with_a_hostile_name(how: list[str], tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"

    async def scene() -> tuple[bytes, bytes]:
        async with bench(evse_id=IN_WIRE[:200]) as it:
            host, port = it.station.addresses[0]
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            visitor = await Running.start(
                "ev", "--connect", where, "--no-tls", "--service", "DC", "--auth", "eim", "--loops", "2", "--trace", str(trace), *how
            )
            assert visitor.process.stdout is not None
            out, err = await visitor.process.communicate()
        return out, err

    out, err = run(scene())
    clean(out)
    clean(err)
    hear(out, err)
    assert "forged" in clean(trace.read_text())


# --- a CSMS and its stations ---


BOOT = {"reason": "PowerUp", "chargingStation": {"model": IN_WIRE[:20], "vendorName": IN_WIRE[:50]}}
ALARM = {"type": IN_WIRE[:50], "timestamp": "2026-01-01T00:00:00Z", "techInfo": IN_WIRE[:200]}
TOKEN = {"idToken": {"idToken": IN_WIRE[:60], "type": "Local"}}


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
def test_a_hostile_station_at_the_csms(how: list[str]) -> None:
    async def scene() -> tuple[bytes, bytes]:
        csms = await Running.start("csms", "--port", "0", "--verbose", "--stdin", *how)
        first = (await csms.until(b"\n")).decode()
        port = int(json.loads(first)["port"]) if how else int(first.split(":")[2].split("/")[0])
        async with connect(f"ws://127.0.0.1:{port}/ocpp/CS-1", subprotocols=["ocpp2.1"], proxy=None) as socket:  # type: ignore[list-item]
            for number, (action, payload) in enumerate(
                (("BootNotification", BOOT), ("SecurityEventNotification", ALARM), ("Authorize", TOKEN), (IN_WIRE, {}))
            ):
                await socket.send(json.dumps([2, str(number), action, payload]))
                await socket.recv()
            await socket.send(json.dumps([3, IN_WIRE[:36], {}]))
            await socket.close(1000, IN_WIRE[:30])
        await csms.until(b"disconnected")
        assert csms.process.stdin is not None
        csms.process.stdin.write(b"stations\n" + IN_WIRE.replace("\n", " ").encode() + b"\nquit\n")
        await csms.process.stdin.drain()
        return await csms.end()

    out, err = run(scene())
    said = clean(out)
    assert "WMI" in said
    clean(err)
    if how:
        assert all(isinstance(json.loads(each), dict) for each in said.splitlines())


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
def test_a_hostile_csms_at_the_station(how: list[str]) -> None:
    async def scene() -> tuple[bytes, bytes]:
        heard = asyncio.Event()

        async def nonsense(socket: Any) -> None:
            await socket.send(json.dumps([2, "1", IN_WIRE, {IN_WIRE: IN_WIRE}]))
            await socket.send(json.dumps([4, IN_WIRE[:36], IN_WIRE, IN_WIRE, {}]))
            async for frame in socket:
                said = json.loads(frame)
                if said[0] == 2:
                    await socket.send(json.dumps([4, said[1], "InternalError", IN_WIRE[:255], {}]))
                    await socket.close(1000, IN_WIRE[:30])
                    heard.set()

        server = await serve(nonsense, "127.0.0.1", 0, subprotocols=["ocpp2.1"])  # type: ignore[list-item]
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ocpp"
        station = await Running.start("secc", "--no-tls", "--host", "127.0.0.1", "--port", "0", "--ocpp", url, *how)
        await station.until(b"\n")
        await heard.wait()
        await asyncio.sleep(0.3)
        server.close()
        return await station.end()

    out, err = run(scene())
    clean(out)
    clean(err)


# --- certificates ---


def certificate(subject: str) -> x509.Certificate:
    key = ALGORITHMS["secp521r1"].generate()
    kinds = (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)
    names = x509.Name([x509.NameAttribute(kind, subject, _validate=False) for kind in kinds])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(names).issuer_name(names).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, ALGORITHMS["secp521r1"].hash)


NAMES = {"everything": IN_WIRE, "a line": "x\nended: ok True, how Terminate", "direction": "\u202eAB", "controls": "A\x1b[2J\x9b\x7f"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
def test_a_hostile_certificate(name: str, how: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = create(tmp_path / "certs", [build(Plan(), "secp521r1", datetime.now(UTC))])
    path = tmp_path / "hostile.chain.pem"
    path.write_bytes(certificate(name).public_bytes(Encoding.PEM))
    (store.path / "secc" / "hostile.chain.pem").write_bytes(path.read_bytes())
    judged = ["pki", "verify", str(path), "--role", "secc", "--store", str(store.path), "--explain", "--rules"]
    commands = [["pki", "show", str(path)], [*judged, "iso20"], [*judged, "interop"], ["pki", "show", str(store.path)]]
    commands += [["doctor", "--pki", str(store.path)], ["pki", "revoke", str(path), "--store", str(store.path)]]
    for command in commands:
        main([*command, *how])
        both = capsys.readouterr()
        clean(both.out)
        clean(both.err)
        if how and both.out:
            json.loads(both.out)
