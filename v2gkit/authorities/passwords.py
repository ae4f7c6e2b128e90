"""Passwords of stations, kept as scrypt hashes, and a check that makes guessing slow.

    CS-1:scrypt:16384:8:1:<salt>:<hash>          a line of the file, as `v2g pki password` writes it; base64
    door = Door(read(path)); await door.opens("CS-1", password, source)

After three wrong answers a source (an address, of IPv6 the network of 64 bits) waits before each further guess, twice as long each time.
A station that was right before is let in at once, whatever others at its address do.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from v2g.legible import legible

N, R, P = 1 << 14, 8, 1  # of scrypt: 16 MB and some 50 ms for each guess
MAXIMUM_N: Final = 1 << 17  # of a file: 128 MB; one beyond, and a line of it stops the server
SALT, LENGTH = 16, 32  # octets
FREE: Final = 3  # guesses of a source before the first wait
FIRST, LONGEST = 0.5, 30.0  # s of the waits
HELD: Final = 5.0  # s that a question waits for its turn; one that would wait longer is sent away
FORGOTTEN: Final = 600.0  # s after which a source is as good as new
SOURCES: Final = 4096  # that are remembered
TOGETHER: Final = 2  # hashes at once, so that guesses cost at most two cores and 32 MB


class TooSoon(Exception):
    """The source has guessed too often; it may try again in `after` s."""

    def __init__(self, after: float) -> None:
        super().__init__(f"too many wrong passwords from this address; try again in {after:.0f} s")
        self.after = after


@dataclass(frozen=True, slots=True)
class Secret:
    """The hash of one password."""

    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, password: str) -> "Secret":
        """The hash of a password, with a fresh salt. Raises ValueError for an empty one."""
        if not password:
            raise ValueError("the password is empty")
        salt = secrets.token_bytes(SALT)
        return cls(N, R, P, salt, _hash(password, N, R, P, salt))

    def fits(self, password: str) -> bool:
        """Whether this is the hash of a password. Takes tenths of a second."""
        return hmac.compare_digest(_hash(password, self.n, self.r, self.p, self.salt), self.hash) and bool(password)

    def line(self, name: str) -> str:
        """The line of the password file for the station `name`."""
        demand_name(name)
        salt, hashed = (base64.b64encode(octets).decode() for octets in (self.salt, self.hash))
        return f"{name}:scrypt:{self.n}:{self.r}:{self.p}:{salt}:{hashed}\n"


def _hash(password: str, n: int, r: int, p: int, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(errors="surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=LENGTH)


def demand_name(name: str) -> None:
    """Raise ValueError for a name that no line of the password file can hold."""
    if not name or ":" in name or not name.isprintable():
        raise ValueError(f"{name!r} is no name of a station: give printable characters without a colon")


def parse(text: str, place: str) -> dict[str, Secret]:
    """The secrets, by name, in the text of a password file, which `place` names. ValueError names the line that is wrong."""
    found: dict[str, Secret] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, kind, *numbers, salt, hashed = line.strip().split(":")
            n, r, p = map(int, numbers)
            secret = Secret(n, r, p, base64.b64decode(salt, validate=True), base64.b64decode(hashed, validate=True))
            if kind != "scrypt" or not (
                1 < n <= MAXIMUM_N and n & (n - 1) == 0 and 0 < r <= 16 and 0 < p <= 4 and len(secret.hash) == LENGTH
            ):
                raise ValueError
            demand_name(name)
        except (ValueError, binascii.Error):
            raise ValueError(f"{place}, line {number}: no secret of a station; write lines by: v2g pki password {place} NAME") from None
        if name in found:
            raise ValueError(f"{place}, line {number}: {legible(name)} stands there twice")
        found[name] = secret
    return found


def read(path: Path) -> dict[str, Secret]:
    """The secrets of a password file, by name. Raises ValueError, naming the line that is wrong, and OSError."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds no text in UTF-8") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def name_and_secret(text: str) -> tuple[str, Secret]:
    """Name and secret of an argument NAME:PASSWORD. Raises ValueError, whose text never holds the password, for any other text."""
    name, colon, password = text.partition(":")
    if not colon or not password:
        raise ValueError(f"{legible(name)!r}: the password is empty; give NAME:PASSWORD, or better a file made by: v2g pki password")
    demand_name(name)
    return name, Secret.of(password)


class Door:
    """Checks passwords of named stations, and makes a source that guesses wait."""

    def __init__(self, known: Mapping[str, Secret], now: Callable[[], float] = time.monotonic) -> None:
        self._known, self._now = dict(known), now
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}  # name -> a fast hash of the password that was right before
        self._guesses: dict[str, _Guesses] = {}
        self._nobody = Secret.of(secrets.token_hex())
        self._hashing = asyncio.Semaphore(TOGETHER)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    async def opens(self, name: str, password: str, source: str) -> bool:
        """Whether the password is that of `name`; `source` is the address of whoever asks. Raises TooSoon."""
        fast = hmac.digest(self._key, f"{name}\0{password}".encode(errors="surrogatepass"), "sha256")
        if hmac.compare_digest(self._right.get(name, b""), fast):
            return True
        place = network(source)
        wait = self._charged(place)
        if wait:
            await asyncio.sleep(wait)
        async with self._hashing:
            secret = self._known.get(name)
            fits = await asyncio.to_thread((secret or self._nobody).fits, password)  # a name that is not there takes as long
        if secret is None or not fits:
            return False
        self._guesses.pop(place, None)
        self._right[name] = fast
        return True

    def _charged(self, place: str) -> float:
        """Charge a guess before it is judged, so that many at once are many; the s that it waits."""
        now = self._now()
        guesses = self._guesses.get(place)
        if guesses is None or now - guesses.last > FORGOTTEN:
            if len(self._guesses) >= SOURCES:
                self._guesses.pop(min(self._guesses, key=lambda each: self._guesses[each].last))
            guesses = self._guesses[place] = _Guesses()
        wait = max(0.0, guesses.free - now)
        if wait > HELD:
            raise TooSoon(wait)
        guesses.count += 1
        guesses.last = now
        if guesses.count >= FREE:
            guesses.free = max(now, guesses.free) + min(FIRST * 2.0 ** min(guesses.count - FREE, 16), LONGEST)
        return wait


@dataclass(slots=True)
class _Guesses:
    """What one source has tried."""

    count: int = 0
    free: float = 0.0  # when its next guess may be judged
    last: float = 0.0


def network(source: str) -> str:
    """The part of an address by which guesses are counted: all of IPv4, of IPv6 the network of 64 bits, which one customer has."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address) and not address.is_link_local:
        return str(ipaddress.ip_network((address, 64), strict=False)) if address.ipv4_mapped is None else str(address.ipv4_mapped)
    return str(address)


def basic(header: str) -> tuple[str, str]:
    """User and password of an Authorization header; both empty for a header without Basic authentication."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic" or len(value) > 1024:
        return "", ""
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        return "", ""
    return (user, password) if colon else ("", "")
