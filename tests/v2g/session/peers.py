"""What the tests of the transport share: credentials from the project's own PKI, a small endpoint, a small car."""

import asyncio
import hashlib
import shutil
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.issue import Hierarchy, Issued, build
from pki.keys import belongs
from pki.plan import Plan
from pki.profiles import ISO20, Role, Rules
from pki.verify import Anchors, VerifiedChain, verify
from v2g.session.endpoint import Ended, Event
from v2g.session.errors import ConnectionLost, FramingError, SessionError, TimedOut
from v2g.session.link import Link, Observer
from v2g.session.tls import Credential, TlsFacts
from v2g.session.transport import ClientTls, ServerTls, run
from v2g.session.v2gtp import FrameReader, PayloadType, frame
from v2gkit.authorities.broken import VARIANTS, Bench, Variant

NOW = datetime.now(UTC)
HELLO, BYE = frame(PayloadType.EXI, b"hello"), frame(PayloadType.EXI, b"bye")
T = TypeVar("T")


def go(work: Awaitable[T], limit: float = 300.0) -> T:
    """Run one test's coroutine, never longer than `limit` seconds."""

    async def bounded() -> T:
        async with asyncio.timeout(limit):
            return await work

    return asyncio.run(bounded())


# --- PKI ---


def hierarchy(curve: str = "secp521r1", name: str = "V2G") -> Hierarchy:
    """The same one for the same arguments, however they are given."""
    return _hierarchy(curve, name)


@cache
def _hierarchy(curve: str, name: str) -> Hierarchy:
    return build(Plan(curves=(curve,), v2g_roots=(name,), responders=False), curve, NOW)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def key_pem(issued: Issued) -> bytes:
    return issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def credential(issued: Issued, chain: Sequence[bytes] | None = None, **given: Any) -> Credential:
    return Credential(tuple(chain or (der(c) for c in issued.chain)), key_pem(issued), root=der(issued.root), **given)


def anchors(*hierarchies: Hierarchy) -> Anchors:
    return Anchors(
        v2g=tuple(h[Role.V2G_ROOT].certificate for h in hierarchies),
        oem=tuple(h[Role.OEM_ROOT].certificate for h in hierarchies),
        mo=tuple(h[Role.MO_ROOT].certificate for h in hierarchies),
    )


def judge(role: Role, *hierarchies: Hierarchy, rules: Rules = ISO20) -> Callable[[tuple[bytes, ...], float], VerifiedChain]:
    held = anchors(*hierarchies)
    return lambda chain, now: verify(chain, role, held, datetime.fromtimestamp(now, UTC), rules=rules)


def station_tls(*hierarchies: Hierarchy, **given: Any) -> ServerTls:
    """A station with one credential per hierarchy, which trusts the cars of all of them."""
    hierarchies = hierarchies or (hierarchy(),)
    roots = [der(h[role].certificate) for h in hierarchies for role in (Role.V2G_ROOT, Role.OEM_ROOT)]
    given.setdefault("verify", judge(Role.VEHICLE, *hierarchies))
    return ServerTls([credential(h[Role.SECC]) for h in hierarchies], authorities=roots, **given)


def car_tls(own: Hierarchy | None = None, role: Role = Role.VEHICLE, **given: Any) -> ClientTls:
    own = own or hierarchy()
    given.setdefault("verify", judge(Role.SECC, own))
    return ClientTls(given.pop("credential", credential(own[role])), **given)


def presentable(chain: tuple[bytes, ...], own: Issued) -> bool:
    """Whether our own TLS can show this chain: octets that parse without complaint, with the key of `own`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            certificates = [x509.load_der_x509_certificate(octets) for octets in chain]
            return belongs(own.key, certificates[0].public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError, Warning):
        return False


def presentations(own: Hierarchy, role: Role) -> Iterator[tuple[Variant, tuple[bytes, ...]]]:
    """Every chain broken on purpose that somebody in this role can show, and which variant it is."""
    bench = Bench(own, role, NOW)
    for variant in VARIANTS:
        chain = variant.chain(bench)
        if role in variant.roles and presentable(chain, bench.leaf):
            yield variant, chain


# --- endpoints ---


@dataclass
class Answering:
    """A station's endpoint as small as one can be: answers every frame with itself, and is done after `bye`."""

    patience: float | None = 5.0  # s between frames
    ended: Ended | None = None
    heard: list[bytes] = field(default_factory=list)
    under_way: asyncio.Event = field(default_factory=asyncio.Event)  # set with the fourth frame

    def __post_init__(self) -> None:
        self._reader, self._out, self._due = FrameReader(), b"", None
        self._events: list[Event] = []

    def receive(self, octets: bytes, now: float) -> None:
        if self.ended is not None:
            return
        if not octets:
            self.ended = Ended("lost", ConnectionLost("the peer closed"))
            return
        self._due = None if self.patience is None else now + self.patience
        self._reader.feed(octets)
        try:
            while (one := self._reader.next()) is not None:
                self.heard.append(one.payload)
                if len(self.heard) == 4:
                    self.under_way.set()
                self._out += frame(one.payload_type, one.payload)
                if one.payload == b"bye":
                    self.ended = Ended("Terminate")
        except FramingError as error:
            self.ended = Ended("failed", error)

    def lost(self, error: SessionError, now: float) -> None:
        if self.ended is None:
            self.ended = Ended("lost", error)

    def tick(self, now: float) -> None:
        if self._due is not None and now >= self._due and self.ended is None:
            self.ended = Ended("silent", TimedOut("patience", self.patience or 0.0, "nothing came", None))

    def deadline(self) -> float | None:
        return self._due

    def octets_to_send(self) -> bytes:
        octets, self._out = self._out, b""
        return octets

    def events(self) -> list[Event]:
        return []


class Asking(Answering):
    """A car's endpoint: sends its frames one after the other, each when the answer to the one before is there."""

    def __init__(self, *frames: bytes, patience: float | None = 5.0):
        super().__init__(patience)
        self._script = list(frames or (HELLO, BYE))
        self._out = self._script.pop(0)

    def receive(self, octets: bytes, now: float) -> None:
        if not octets:
            super().receive(octets, now)
            return
        self._due = None if self.patience is None else now + self.patience
        self._reader.feed(octets)
        while (one := self._reader.next()) is not None:
            self.heard.append(one.payload)
            if self._script:
                self._out += self._script.pop(0)
            else:
                self.ended = Ended("Terminate")


@dataclass
class Witness(Observer):
    """Keeps all that it is told."""

    events: list[Event] = field(default_factory=list)
    wire: list[tuple[bool, bytes]] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def octets(self, sent: bool, octets: bytes, now: float) -> None:
        self.wire.append((sent, octets))

    def secret(self, line: bytes) -> None:
        self.secrets.append(line)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Station:
    """Attends with `Answering`, and remembers its links, endpoints and witnesses."""

    patience: float | None = 5.0
    under_way: asyncio.Event = field(default_factory=asyncio.Event)  # set when a session has had four frames
    links: list[Link] = field(default_factory=list)
    endpoints: list[Answering] = field(default_factory=list)
    witnesses: dict[int, Witness] = field(default_factory=dict)

    def attend(self, link: Link) -> Answering:
        self.links.append(link)
        self.endpoints.append(Answering(self.patience, under_way=self.under_way))
        return self.endpoints[-1]

    def observe(self, local: tuple[str, int], peer: tuple[str, int], number: int) -> Witness:
        return self.witnesses.setdefault(number, Witness())


@dataclass
class Drive:
    """One session of a car, and what is known afterwards."""

    ended: Ended
    facts: TlsFacts | None
    heard: list[bytes]
    witness: Witness


async def drive(port: int, tls: ClientTls | None, *frames: bytes, host: str = "::1", **given: Any) -> Drive:
    witness, found = Witness(), {}

    def attend(link: Link) -> Asking:
        found["facts"], found["car"] = link.tls, Asking(*frames)
        return found["car"]

    observe = [lambda *_: witness, *given.pop("more", ())]
    ended = await run(attend, host, port, tls, observe=observe, **given)
    car = found.get("car")
    return Drive(ended, found.get("facts"), car.heard if car else [], witness)


# --- an independent TLS: the openssl command ---

OPENSSL = shutil.which("openssl")


@dataclass
class Said:
    """What an openssl process printed."""

    out: bytes
    err: bytes
    code: int

    @property
    def text(self) -> str:
        return (self.out + self.err).decode("utf-8", "replace")


async def openssl(*words: str | Path, says: bytes = b"") -> Said:
    """Run openssl with octets on its standard input, which stays open until it ends."""
    assert OPENSSL is not None
    process = await asyncio.create_subprocess_exec(
        OPENSSL, *map(str, words), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(says)
    out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())  # type: ignore[union-attr]
    return Said(out, err, await process.wait())


@dataclass
class Files:
    """Certificates and keys where openssl finds them."""

    folder: Path

    def written(self, octets: bytes) -> Path:
        """A file of that content."""
        path = self.folder / hashlib.sha256(octets).hexdigest()[:16]
        path.write_bytes(octets)
        return path

    def of(self, issued: Issued) -> tuple[str | Path, ...]:
        """The options that present a chain: -cert, -key, -cert_chain."""
        return (
            *("-cert", self.written(pem(issued.certificate))),
            *("-key", self.written(key_pem(issued))),
            *("-cert_chain", self.written(pem(*issued.chain[1:]))),
        )

    def roots(self, *roots: Issued) -> Path:
        return self.written(pem(*(root.certificate for root in roots)))
