"""A program of a foreign interpreter: `cactus-client` plays its procedures against `sep2_server.Server` over mutual TLS, in one process.

    python sep2_judge.py FOLDER PROCEDURE ...      a line of JSON of each: its id, whether it is passed, what was said against it

The folder gets the certificates and what `cactus-client` writes. Webhooks are those of `cactus-client-notifications`. Warnings count as
failures (`strict`), and every answer is held to the schema of CSIP-AUS 1.2 that `cactus-client` has with it.
"""

import asyncio
import datetime
import hashlib
import json
import os
import ssl
import sys
import time
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from cactus_client.admin import get_plugin_manager, hookimpl
from cactus_client.execution.run import run_entrypoint
from cactus_client.model.config import ClientConfig, GlobalConfig, RunConfig, ServerConfig
from cactus_client.model.execution import ActionResult
from cactus_client.sep2 import convert_lfdi_to_sfdi, lfdi_from_cert_file
from cactus_test_definitions.csipaus import CSIPAusVersion
from cactus_test_definitions.server.test_procedures import ClientType, TestProcedureId, get_test_procedure
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ours = types.ModuleType("tests")  # a package of this name may be installed there
ours.__path__ = [str(Path(__file__).parents[1])]
sys.modules["tests"] = ours
from tests.interop.sep2_server import PEN, Server  # noqa: E402

RATES = {
    "DeviceCapability": "dcap", "EndDeviceList": "edev", "FunctionSetAssignmentsList": "fsa", "DERProgramList": "derp", "DERList": "der",
    "MirrorUsagePointList": "mup", "MirrorUsagePoint": "mup",
}  # fmt: skip
WARNED = ("S-ALL-49",)  # whose check of two programs warns of each that it is not the other
AGAIN = 5.0  # s after which a notification that was not taken is sent again
LASTING = 300  # s of a control without a duration
LONGEST = int(os.environ.get("LONGEST", "900"))  # s of a procedure


def certificates(folder: Path) -> None:
    """A root, and on P-256 a certificate of the server, of two devices and of an aggregator."""
    now = datetime.datetime.now(datetime.UTC)
    names = ("root", "server", "one", "two", "aggregator")
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in names}
    root = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    for name, key in keys.items():
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        built = x509.CertificateBuilder().subject_name(subject).issuer_name(root).public_key(key.public_key())
        built = built.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        built = built.not_valid_after(now + datetime.timedelta(days=1))
        built = built.add_extension(x509.BasicConstraints(ca=name == "root", path_length=None), critical=True)
        if name == "server":
            built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        (folder / f"{name}.pem").write_bytes(built.sign(keys["root"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        octets = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{name}.key").write_bytes(octets)


class Provider:
    """The plugin by which a procedure sets up the server; a fresh one for each."""

    server: Server

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def renew(self, aggregators: frozenset[str]) -> None:
        self.server = Server(time.time, lambda url, body: self.queue.put_nowait((url, body)))
        self.server.aggregators = aggregators
        self.server.rates |= {"mup": 1}  # s between two readings: what is judged is the server, not the judge's patience
        self.server.programs.clear()
        self.assigned: dict[str, int] = {}

    @hookimpl
    async def admin_instruction(self, instruction: Any, step: Any, context: Any) -> ActionResult | None:
        client = context.client_config_for(instruction.client)
        getattr(self, "do_" + instruction.type.replace("-", "_"))(client, **instruction.parameters)
        self.server.announce()
        await self.queue.join()
        return ActionResult.done()

    def do_ensure_end_device(self, client: ClientConfig, registered: bool, has_registration_link: bool = True, **_: Any) -> None:
        self.server.links = has_registration_link
        if registered:
            self.server.add(client.lfdi, lfdi_from_cert_file(client.certificate_file)).pin = client.pin
        else:
            self.server.devices = [each for each in self.server.devices if each.lfdi != client.lfdi]

    def do_ensure_mup_list_empty(self, client: ClientConfig) -> None:
        self.server.points.clear()

    def do_ensure_fsa(self, client: ClientConfig, annotation: str = "", primacy: int = 1) -> None:
        self.server.assignments.add(self.assigned.setdefault(annotation, len(self.assigned) + 1))

    def do_ensure_der_program(self, client: ClientConfig, fsa_annotation: str = "", primacy: int | None = None) -> None:
        fsa = self.assigned.get(fsa_annotation, 1)
        if not any(each.fsa == fsa and primacy in (None, each.primacy) for each in self.server.programs):
            self.server.program(1 if primacy is None else primacy, fsa)

    def do_ensure_der_control_list(self, client: ClientConfig, **_: Any) -> None:
        self._program(None)  # each has one, which is subscribable

    def _program(self, primacy: int | None) -> Any:
        found = [each for each in self.server.programs if primacy in (None, each.primacy)]
        return found[0] if found else self.server.program(primacy or 1)

    def do_create_der_control(self, client: ClientConfig, status: str, **given: Any) -> None:
        program = self._program(given.get("primacy"))
        length, now = given.get("duration_seconds", LASTING), time.time()
        ends = [each["start"] + each["length"] for each in program.controls if each["status"] == 0]
        start = now - 1 if status == "active" else max([now + given.get("start_offset_seconds", LASTING), *ends])
        if status == "active":  # what holds ends where another one of its program begins
            for each in program.controls:
                if each["start"] <= now < each["start"] + each["length"] and each["status"] == 0 and set(each["modes"]) & set(given):
                    each["status"], each["changed"] = 4, int(now)
        modes = {name: value for name, value in given.items() if name.startswith("opMod")}
        ramp = given["rampTms"] / 100 if "rampTms" in given else None
        self.server.control(program, modes, start, length, given.get("randomizeStart_seconds", 0), ramp)

    def do_create_default_der_control(self, client: ClientConfig, primacy: int | None = None, **given: Any) -> None:
        self._program(primacy).default = given

    def do_clear_der_controls(self, client: ClientConfig, **given: Any) -> None:
        now = time.time()
        there = [each for one in self.server.programs for each in one.controls if each["status"] == 0]
        there = [each for each in there if now < each["start"] + each["length"]]
        for each in there if given.get("all") else there[-1:]:
            each["status"], each["changed"] = 2, int(now)

    def do_set_poll_rate(self, client: ClientConfig, resource: str, rate_seconds: int) -> None:
        self.server.rates[RATES[resource]] = rate_seconds

    do_set_post_rate = do_set_poll_rate

    def do_set_client_access(self, client: ClientConfig, granted: bool) -> None:
        who = lfdi_from_cert_file(client.certificate_file)
        (self.server.barred.discard if granted else self.server.barred.add)(who)


async def attend(provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request over TLS, by whoever's certificate it is."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        length = next((int(line.split(":")[1]) for line in head if line.lower().startswith("content-length")), 0)
        body = await reader.readexactly(length)
        method, target, _ = head[0].split()
        certificate = writer.get_extra_info("ssl_object").getpeercert(True)
        who = hashlib.sha256(certificate).hexdigest()[:40].upper()
        status, text, location = provider.server.answer(method, target, body, who)
        provider.server.announce()
        octets = text.encode()
        lines = [f"HTTP/1.1 {status} -", "Content-Type: application/sep+xml", f"Content-Length: {len(octets)}", "Connection: close"]
        lines += [f"Location: {location}"] if location is not None else []
        writer.write("\r\n".join([*lines, "", ""]).encode() + octets)
        await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def deliver(provider: Provider) -> None:
    """Send what subscribers are told, and again what they did not take; whatever comes later waits for it."""
    async with ClientSession() as session:
        while True:
            url, body = await provider.queue.get()
            first = True
            while True:
                async with session.post(url, data=body.encode(), headers={"Content-Type": "application/sep+xml"}) as answer:
                    taken = answer.status < 300
                if first:
                    provider.queue.task_done()
                if taken or answer.status == 404:  # nobody is there any more
                    break
                first = False
                await asyncio.sleep(AGAIN)


def tls_of(folder: Path) -> ssl.SSLContext:
    """The TLS of the server: the suite that IEEE 2030.5 demands, AES-CCM, and no other; who shows no certificate of our root is refused."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0")
    tls.load_cert_chain(folder / "server.pem", folder / "server.key")
    tls.load_verify_locations(folder / "root.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    return tls


def client_of(folder: Path, name: str) -> ClientConfig:
    certificate = str(folder / f"{name}.pem")
    own = lfdi_from_cert_file(certificate)
    lfdi = own if name != "aggregator" else "A0" * 20
    kind = ClientType.AGGREGATOR if name == "aggregator" else ClientType.DEVICE
    key = str(folder / f"{name}.key")
    return ClientConfig(name, kind, certificate, key, lfdi, convert_lfdi_to_sfdi(lfdi), int(PEN), 123_455, 10_000)


def clients_for(procedure: Any) -> list[str]:
    """Whom a procedure is played with: one of the kind that it wants, and another for a second."""
    devices = iter(("one", "two"))
    wanted = procedure.preconditions.required_clients
    return ["aggregator" if each.client_type == ClientType.AGGREGATOR else next(devices) for each in wanted]


def told_of(folder: Path) -> list[str]:
    """What the log of the last procedure has against the server."""
    logs = max(folder.glob("run*/*.log"), key=lambda path: path.stat().st_mtime, default=None)
    return [] if logs is None else [line for line in logs.read_text().splitlines() if "WARNING" in line or "ERROR" in line]


async def judge(folder: Path, ids: list[str]) -> None:
    certificates(folder)
    provider = Provider()
    get_plugin_manager().register(provider)
    server = await asyncio.start_server(lambda reader, writer: attend(provider, reader, writer), "127.0.0.1", 0, ssl=tls_of(folder))
    os.environ["SERVER_URL"] = "http://127.0.0.1:0"
    from cactus_client_notifications.server import shared
    from cactus_client_notifications.server.main import create_app

    app = create_app()
    runner = web.AppRunner(app)
    await runner.setup()
    hooks = web.TCPSite(runner, "127.0.0.1", 0)
    await hooks.start()
    webhooks = f"http://127.0.0.1:{runner.addresses[0][1]}"
    app._state[shared.APPKEY_SERVER_SETTINGS] = replace(app[shared.APPKEY_SERVER_SETTINGS], public_server_url=webhooks)
    delivering = asyncio.ensure_future(deliver(provider))
    port = server.sockets[0].getsockname()[1]
    config = GlobalConfig(
        output_dir=str(folder),
        server=ServerConfig(f"https://localhost:{port}/dcap", True, True, str(folder / "root.pem"), webhooks, None, int(PEN)),
        clients=[client_of(folder, name) for name in ("one", "two", "aggregator")],
    )
    for id_ in ids:
        provider.renew(frozenset((lfdi_from_cert_file(folder / "aggregator.pem"),)))
        provider.server.closed = id_ in ("S-OPT-01",)
        names = clients_for(get_test_procedure(TestProcedureId(id_)))
        run = RunConfig(TestProcedureId(id_), names, CSIPAusVersion.RELEASE_1_2, True, LONGEST, strict=id_ not in WARNED, quiet=True)
        passed = await run_entrypoint(global_config=config, run_config=run)
        said = [] if passed else told_of(folder)
        print(json.dumps({"id": id_, "passed": passed, "said": said[-8:]}), flush=True)
    delivering.cancel()


if __name__ == "__main__":
    asyncio.run(judge(Path(sys.argv[1]), sys.argv[2:]))
