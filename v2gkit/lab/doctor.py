"""Checks whether this machine can run sessions: what is wrong, and the cure, one line each."""

import contextlib
import importlib.util
import shutil
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from v2gkit import shadow
from v2gkit.extras import EXTRAS, cure

if TYPE_CHECKING:
    from v2g.session.tls import TlsFacts
    from v2g.session.transport.channel import Channel

Verdict = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; `cure` says what to do where the verdict is not "ok"."""

    topic: str
    verdict: Verdict
    found: str
    cure: str = ""


def _python() -> Iterator[Finding]:
    found = sys.version.split()[0]
    yield Finding("python", "ok" if sys.version_info >= (3, 11) else "bad", found, "install Python 3.11 or newer")


def _packages() -> Iterator[Finding]:
    """Whether what is imported under our names is ours: others bring a pki, a lab, an evcc."""
    found = [*shadow.elsewhere(), *shadow.mixed(), *shadow.damaged()]
    for each in found:
        yield Finding(f"package {each.name}", "bad" if each.bad else "note", each.found, shadow.CURE)
    if not found:
        yield Finding("packages", "ok", f"{', '.join(shadow.OURS)} are all imported from {shadow.HOME}")


def _extras() -> Iterator[Finding]:
    for module, extra in EXTRAS.items():
        present = importlib.util.find_spec(module) is not None
        yield Finding(
            f"extra {extra}",
            "ok" if present else "note",
            f"{module} {'is there' if present else 'is missing'}",
            cure(module),
        )


def _codec() -> Iterator[Finding]:
    from v2g.exi import engine

    build = engine.names()[0]
    cure = "the compiled module is several times faster: pip install --force-reinstall --no-binary v2gkit v2gkit, with a C compiler"
    yield Finding("EXI codec", "ok" if build == "compiled" else "note", f"{build} walk", cure)


def _tls() -> Iterator[Finding]:
    """Both ends shake hands in memory with throwaway certificates, once for each curve family."""
    from cryptography.hazmat.backends.openssl import backend

    yield Finding("TLS library", "ok", backend.openssl_version_text())
    limits: set[str] = set()
    for curve in ("secp521r1", "ed448"):
        try:
            car, station = _shaken(curve)
        except Exception as error:  # whatever a library makes of it, the user must read it here
            cure = "pip install --upgrade 'cryptography>=47' 'pyOpenSSL>=25.2'"
            yield Finding(f"TLS {curve}", "bad", f"{type(error).__name__}: {error}", cure)
        else:
            yield Finding(f"TLS {curve}", "ok", f"{car.version}, {car.suite}, {car.group}, both sides authenticated")
            limits |= {*car.limits, *station.limits}
    for limit in sorted(limits):
        yield Finding("TLS limit", "note", limit)
    yield _system_tls()


def _system_tls() -> Finding:
    from v2g.session.transport import libssl

    found = "is there" if libssl.available() else "is missing"
    return Finding(
        "system TLS",
        "ok" if libssl.available() else "note",
        f"OpenSSL 3 {found}: it names a car's roots in the ClientHello (v2g ev --name-roots) [V2G20-1006]",
        "install libssl3; without it a station with chains to several roots chooses one by itself",
    )


def _raw_ethernet() -> Iterator[Finding]:
    """Whether this user may open raw Ethernet, which matching on the power line needs."""
    found = "v2g secc --slac and v2g ev --slac "
    cure = "run as root, or: setcap cap_net_raw+ep on the Python interpreter; systemd: AmbientCapabilities=CAP_NET_RAW"
    if not hasattr(socket, "AF_PACKET"):
        yield Finding("raw Ethernet", "note", found + "need Linux", "use a Linux machine beside the modem")
        return
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        yield Finding("raw Ethernet", "note", f"{found}cannot match: {error.strerror}", cure)
    else:
        yield Finding("raw Ethernet", "ok", found + "can match on the power line")


def _shaken(curve: str) -> "tuple[TlsFacts, TlsFacts]":
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from pki.issue import build
    from pki.plan import Plan
    from pki.profiles import Role
    from pki.verify import Anchors, verify
    from v2g.session.tls import CONFORMANCE, Credential
    from v2g.session.transport.openssl import Context

    own = build(Plan(curves=(curve,), responders=False), curve, datetime.now(UTC))
    anchors = Anchors(v2g=(own[Role.V2G_ROOT].certificate,), oem=(own[Role.OEM_ROOT].certificate,))

    def side(mine: Role, theirs: Role) -> "Channel":
        key = own[mine].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        credential = Credential(tuple(c.public_bytes(Encoding.DER) for c in own[mine].chain), key)
        context = Context(CONFORMANCE, server=mine is Role.SECC, credential=credential)
        return context.channel(lambda chain, at: verify(chain, theirs, anchors, datetime.fromtimestamp(at, UTC)))

    car, station = side(Role.VEHICLE, Role.SECC), side(Role.SECC, Role.VEHICLE)
    car.start()
    for _ in range(10):
        station.receive(car.octets_to_send())
        car.receive(station.octets_to_send())
        if car.facts is not None and station.facts is not None:
            return car.facts, station.facts
    raise RuntimeError("the handshake does not end")


def _interfaces() -> Iterator[Finding]:
    table = Path("/proc/net/if_inet6")
    lines = [line.split() for line in table.read_text().splitlines()] if table.exists() else []
    linked = sorted({fields[5] for fields in lines if fields[0].startswith("fe80")})
    names = [name for _, name in socket.if_nameindex()]
    cure = "SDP needs an IPv6 link-local address: ip link set dev NAME up; without one, use --host/--connect"
    yield Finding("link-local", "ok" if linked else "note", f"{', '.join(linked) or 'none'} of {', '.join(names)}", cure)


def _loopback() -> Iterator[Finding]:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as listener:
            listener.bind(("::1", 0))
        yield Finding("IPv6 loopback", "ok", "::1 answers")
    except OSError as error:
        yield Finding("IPv6 loopback", "bad", str(error), "sysctl net.ipv6.conf.lo.disable_ipv6=0, or use --host 127.0.0.1")


def _multicast() -> Iterator[Finding]:
    for index, name in socket.if_nameindex():
        group = socket.inet_pton(socket.AF_INET6, "ff02::1") + struct.pack("@I", index)
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            yield Finding("multicast", "ok", f"ff02::1 can be joined on {name}")
        except OSError as error:
            yield Finding("multicast", "note", f"{name}: {error}", f"ip link set dev {name} up multicast on")


def _sdp_port() -> Iterator[Finding]:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
            udp.bind(("::", 15118))
        yield Finding("SDP port", "ok", "UDP 15118 is free")
    except OSError as error:
        yield Finding("SDP port", "note", f"UDP 15118: {error.strerror}", "another station runs here: stop it, or use --host/--connect")


def _certificates(folder: Path, profile: str) -> Iterator[Finding]:
    from pki.files import unfinished
    from v2gkit.station.stock import lacks, sides

    if not folder.is_dir() or not (any(folder.rglob("*.pem")) or unfinished(folder)):
        yield Finding("certificates", "note", f"none under {folder}", f"v2g pki create {folder}")
        return
    found = list(lacks(folder, profile, time.time()))
    for side, lack in found:
        yield Finding(f"PKI, {side}", "bad" if lack.bad else "note", lack.text, lack.cure)
    for side in sides(folder):
        if not any(side == other for other, _ in found):
            yield Finding(f"PKI, {side}", "ok", f"{folder} has what a {side} needs under the profile {profile}")
    yield from _ends(folder)


def _ends(folder: Path) -> Iterator[Finding]:
    """The first certificate to end, of those that can be read; what cannot is said by its end of the line."""
    from pki.errors import StoreError
    from pki.store import read_chain

    now, soonest = datetime.now(UTC), []
    files = [file for file in sorted(folder.rglob("*.pem")) if not file.name.startswith(".") and b"BEGIN CERTIFICATE" in _read(file)]
    for file in files:
        with contextlib.suppress(StoreError):
            soonest += [(one.not_valid_after_utc, str(file)) for one in read_chain(file)]
    if soonest:
        until, name = min(soonest)
        verdict: Verdict = "bad" if until < now else "note" if until < now + timedelta(days=14) else "ok"
        said = f"{len(files)} files of certificates, the first to end is {name} on {until:%Y-%m-%d}"
        yield Finding("certificates", verdict, said, f"have it issued anew; for a laboratory: v2g pki create --force {folder}")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _java() -> Iterator[Finding]:
    java = shutil.which("java")
    yield Finding(
        "Java", "ok" if java else "note", java or "not found", "only the foreign peer needs it: apt-get install default-jre-headless"
    )


def _clock() -> Iterator[Finding]:
    now = datetime.now(UTC)
    cure = "set the clock: certificates and schedules depend on it"
    yield Finding("clock", "ok" if now.year >= 2025 else "bad", f"{now:%Y-%m-%d %H:%M:%S} UTC", cure)


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _extras,
    _codec,
    _tls,
    _clock,
    _loopback,
    _interfaces,
    _multicast,
    _sdp_port,
    _raw_ethernet,
    _java,
)


def examine(certificates: Path, profile: str = "conformance") -> list[Finding]:
    """All findings about this machine and a folder of certificates, in the order of the checks."""
    return [finding for check in CHECKS for finding in check()] + list(_certificates(certificates, profile))
