"""A manufacturer of firmware: a root, certificates that sign files, signatures; and a server that gives files away."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.ocpp_bridge.ocpp_certificates import NOW, Ca

FILE = b"firmware of the station, as good as new\n" * 50_000  # 2 MB: more than one piece of every kind
KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "small": rsa.generate_private_key(65537, 1024),
    "secp256r1": ec.generate_private_key(ec.SECP256R1()),
    "secp384r1": ec.generate_private_key(ec.SECP384R1()),
}


class Maker(Ca):
    """The CA of a manufacturer, whose certificates sign files."""

    def __init__(self, folder: Path, at: datetime = NOW):
        super().__init__(folder, "Manufacturer Root", at)

    def signer(self, key: str = "rsa", *, purpose: str = "CODE_SIGNING", **how) -> str:
        """The certificate (PEM) of one of `KEYS`."""
        return self.issue(f"signs by {key}", KEYS[key], purpose=purpose, **how)[0].read_text()

    def signature(self, file: bytes = FILE, key: str = "rsa", hash_: hashes.HashAlgorithm | None = None) -> str:
        """The signature of a file in base64: RSA-PSS or ECDSA, with SHA-256 where no other hash is named."""
        made = KEYS[key]
        if isinstance(made, rsa.RSAPrivateKey):
            said = made.sign(file, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH), hashes.SHA256())
        else:
            said = made.sign(file, ec.ECDSA(hash_ or hashes.SHA256()))
        return base64.b64encode(said).decode()

    def firmware(self, url: str, key: str = "rsa", **more) -> dict:
        """FirmwareType for a file at a URL."""
        signed = {"signingCertificate": self.signer(key), "signature": self.signature(key=key)}
        return {"location": url, "retrieveDateTime": "2020-01-01T00:00:00Z"} | signed | more


class Files:
    """A server of files on loopback. `answers` are taken one by one, the last for good; half of one goes out before `gate` is set."""

    def __init__(self, *answers: bytes):
        self.answers = list(answers) or [whole()]
        self.heard: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await reader.readuntil(b"\r\n\r\n"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
            await self.gate.wait()
            writer.write(answer[len(answer) // 2 :])
            await writer.drain()
        except ConnectionError:
            pass  # the station has ended, or had enough
        writer.close()


def whole(file: bytes = FILE, *headers: str) -> bytes:
    """The response of a server that gives a file away."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(file)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + file


@asynccontextmanager
async def serving(*answers: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Files]:
    """Within the block such a server listens."""
    files = Files(*answers)
    listening = await asyncio.start_server(files.serve, "127.0.0.1", 0, ssl=tls)
    files.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}/firmware.bin"
    try:
        yield files
    finally:
        files.gate.set()
        listening.close()
