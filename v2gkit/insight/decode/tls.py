"""One TLS connection as a capture shows it, read with its secrets: application data, what was agreed, alerts, and what stays dark.

    tls = Tls(keys, wall, whole)
    for found in tls.feed(end, octets, at): ...   # Data, Agreed, Alert, Told

Nothing is verified: whoever has the secrets believes the file. A connection whose beginning is missing, or that lost records, is tried with
every secret that may fit, as long as `keys.tries` lasts; a secret that is missing is named.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from v2g.session import handshake
from v2g.session.errors import FramingError
from v2g.session.tls import CONFORMANCE, INTEROP, ISO2, TlsFacts, relaxations
from v2g.session.transcript import Transcript
from v2g.session.transport.channel import ALERTS
from v2gkit.insight.decode import ciphers, keylog, records
from v2gkit.insight.decode.ciphers import SUITES, Cipher, Suite, Unreadable
from v2gkit.insight.decode.keylog import KeyLog

FINISHED, KEY_UPDATE, CERTIFICATE_STATUS, HELLO_DONE = 20, 24, 22, 14
_RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")  # the random of a HelloRetryRequest
_ALPN, _MAC_AFTER, _RESUMED = 16, 22, 41  # extensions of the hellos
_MISSED: Final = 1024  # records that may be missing in a row; of a session with four messages a second those of two minutes
_BEFORE: Final = 2**16  # records that one end may have sent before the capture began: four and a half hours of such a session
_KEYS: Final = 8  # tries for which time it takes to derive keys
WHO: Final = ("the car", "the station")


class Data(NamedTuple):
    """Application data of one end."""

    end: int
    octets: bytes


class Agreed(NamedTuple):
    """The handshake is complete: what it was, seen by the station."""

    facts: TlsFacts


class Alert(NamedTuple):
    """An alert of one end, by its registered name; `fatal` unless it closes the connection in order or only warns."""

    end: int
    name: str
    fatal: bool


class Told(NamedTuple):
    """Something that a reader wants to know, as a note of a trace has it."""

    topic: str
    facts: dict[str, Any]


Found = Data | Agreed | Alert | Told


class _Half:
    """What one end sends, and how it is protected at present."""

    def __init__(self, whole: bool) -> None:
        self.cutter, self.messages = records.Cutter(adrift=not whole), records.Messages()
        self.octets = 0
        self.cipher: Cipher | None = None
        self.secret = b""
        self.sequence = 0
        self.protected = False  # TLS 1.2: after ChangeCipherSpec
        self.traffic = False  # the secret of application data is in use, or would be
        self.dark = False  # a record could not be opened
        self.gap = False  # records may be missing before the next
        self.refused = False  # that a message is too long has been told

    def open(self, record: records.Record) -> bytes | None:
        """What a record holds, if it opens where the sequence stands."""
        if self.cipher is None:
            return None
        try:
            octets = self.cipher.opened(self.sequence, record.header, record.fragment)
        except Unreadable:
            return None
        self.sequence += 1
        return octets

    def use(self, cipher: Cipher, secret: bytes = b"", sequence: int = 0) -> None:
        """Take other keys."""
        self.cipher, self.secret, self.sequence = cipher, secret, sequence


class Tls:
    """One TLS connection. `wall` gives epoch seconds for the times that `feed` is told; `whole`: its beginning is in the capture."""

    def __init__(self, keys: KeyLog, wall: Callable[[float], float], whole: bool):
        self.car: int | None = None  # the end that sent the ClientHello, once it is known
        self.names_protocols = False  # in the ClientHello, as no car does
        self._keys, self._wall, self._whole = keys, wall, whole
        self._halves = (_Half(whole), _Half(whole))
        self._transcript = Transcript(server=True)
        self._began: float | None = None
        self._version = 0
        self._suite: Suite | None = None
        self._randoms = [b"", b""]
        self._codes: frozenset[int] = frozenset()  # of the extensions in the ServerHello
        self._resumed = self._hello_done = self._agreed = False
        self._told: set[tuple[str, int]] = set()

    def feed(self, end: int, octets: bytes, at: float) -> Iterator[Found]:
        """What more octets of one end bring to light."""
        half = self._halves[end]
        half.octets += len(octets)
        self._began = at if self._began is None else self._began
        for record in half.cutter.feed(octets):
            if half.cutter.skipped:
                yield from self._once("TLS records", end, {"skipped": half.cutter.skipped})
                half.cutter.skipped = 0
                half.gap = True
            yield from self._record(end, record, at)
            yield from self._agree(at)

    def lost(self, end: int) -> None:
        """Octets of one end are missing before those that follow."""
        half = self._halves[end]
        half.cutter.lost()
        half.messages.clear()
        half.gap = True

    # --- records ---

    def _record(self, end: int, record: records.Record, at: float) -> Iterator[Found]:
        half, kind = self._halves[end], record.kind
        if kind == records.CHANGE_CIPHER_SPEC:
            if self._version == handshake.TLS12:
                yield from self._protect(end)
            return
        protected = half.protected if self._version == handshake.TLS12 else kind == records.APPLICATION_DATA
        octets: bytes | None = record.fragment
        if protected:
            octets = half.open(record)
            if octets is None:
                octets = self._tried(end, record)
            if octets is None:
                half.dark = True
                yield from self._unreadable(end)
                return
            half.gap = False
            if self._version != handshake.TLS12:
                octets = octets.rstrip(b"\0")
                kind, octets = (octets[-1], octets[:-1]) if octets else (0, b"")
        assert octets is not None
        yield from self._content(end, kind, octets, protected)

    def _content(self, end: int, kind: int, octets: bytes, protected: bool) -> Iterator[Found]:
        half = self._halves[end]
        if kind == records.APPLICATION_DATA and octets:
            yield Data(end, octets)
        elif kind == records.ALERT and len(octets) >= 2:
            name = ALERTS.get(octets[1], f"alert {octets[1]}")
            yield Alert(end, name, octets[1] not in (0, 90, 100) and (octets[0] == 2 or self._version == handshake.TLS13))
        elif kind == records.HANDSHAKE:
            if half.protected:
                half.traffic = True  # Finished of TLS 1.2
            for message in half.messages.feed(octets):
                try:
                    yield from self._message(end, message)
                except FramingError as error:
                    yield Told("TLS handshake", {"from": self._who(end), "error": str(error)})
            if half.messages.refused and not half.refused:
                half.refused = True
                yield Told(
                    "TLS handshake",
                    {
                        "from": self._who(end),
                        "error": f"a message announces {half.messages.refused} octets, at most {records.LARGEST_MESSAGE} are read",
                    },
                )

    def _unreadable(self, end: int) -> Iterator[Told]:
        """Say once in words why records of one end stay dark."""
        half, random = self._halves[end], self._randoms[0].hex()
        if not self._whole and not random:
            why = f"the handshake is not in the capture, and none of {len(self._keys)} secrets opens what follows"
            why += "" if len(self._keys) else ": give a key log, or a capture that begins with the session"
            yield from self._once("secrets missing", 2, {"reason": why})
        elif half.cipher is not None:
            why = "a record does not open: it is damaged, records before it are missing, or the secrets are of another connection"
            yield from self._once("unreadable", end, {"from": self._who(end), "reason": why})
        elif self._version == handshake.TLS13:
            labels = [label for label in (*keylog.HANDSHAKE, *keylog.TRAFFIC) if self._keys.secret(label, self._randoms[0]) is None]
            yield from self._once(
                "secrets missing", 2, {"missing": labels, "random": random, "reason": f"{', '.join(labels)} of client random {random}"}
            )
        elif self._version == handshake.TLS12:
            yield from self._once("secrets missing", 2, {"missing": [keylog.MASTER], "random": random, "reason": self._no_master()})
        else:
            yield from self._once("early data", end, {"from": self._who(end), "reason": "data before the ServerHello is not read"})

    def _no_master(self) -> str:
        if self._suite is None:
            return "its suite is none that is read here"
        return f"{keylog.MASTER} of client random {self._randoms[0].hex()}"

    def _once(self, topic: str, end: int, facts: dict[str, Any]) -> Iterator[Told]:
        if (topic, end) not in self._told:
            self._told.add((topic, end))
            yield Told(topic, {"from": self._who(end), **facts} if end < 2 and "from" not in facts else facts)

    def _who(self, end: int) -> str:
        return "one end" if self.car is None else WHO[end != self.car]

    # --- the handshake ---

    def _message(self, end: int, message: bytes) -> Iterator[Found]:
        kind, half = message[0], self._halves[end]
        if kind == handshake.CLIENT_HELLO:
            self.names_protocols = _ALPN in handshake.client_hello(message).extensions
            self.car, self._randoms[0] = end, message[6:38]
        elif kind == handshake.SERVER_HELLO:
            self.car = 1 - end if self.car is None else self.car
            yield from self._server_hello(end, message)
            if message[6:38] == _RETRY:
                return
        elif kind == HELLO_DONE:
            self._hello_done = True
        elif kind == CERTIFICATE_STATUS and self._version == handshake.TLS12 and message[4:5] == b"\x01":
            self._transcript.staple_of_leaf(message[8 : 8 + int.from_bytes(message[5:8], "big")])
        elif self._version == handshake.TLS13 and kind == FINISHED and not half.traffic:
            half.traffic = True
            self._take_secret(end, keylog.TRAFFIC[end != self.car])
            return
        elif self._version == handshake.TLS13 and kind == KEY_UPDATE and half.secret and self._suite is not None:
            secret = ciphers.renewed(half.secret, self._suite)
            half.use(ciphers.cipher13(secret, self._suite), secret)
            yield Told("key update", {"from": self._who(end)})
            return
        if self.car is not None:
            self._transcript.hear(end != self.car, message)

    def _server_hello(self, end: int, message: bytes) -> Iterator[Told]:
        version, code, group = handshake.server_hello(message)
        if message[6:38] == _RETRY:
            yield Told("hello retry request", {"group": handshake.name(handshake.GROUPS, group or 0)})
            return
        self._version, self._suite, self._randoms[1] = version, SUITES.get(code), message[6:38]
        self._codes = _extensions(message)
        self._resumed = version == handshake.TLS13 and _RESUMED in self._codes
        if self._suite is None:
            yield Told("TLS suite", {"suite": handshake.name(handshake.SUITES, code), "reason": "is none that is read here"})
        if version == handshake.TLS13:
            for each in (0, 1):
                self._halves[each].traffic = False
                self._take_secret(each, keylog.HANDSHAKE[each != self.car])
        elif version != handshake.TLS12:
            yield Told("TLS version", {"version": f"0x{version:04X}", "reason": "TLS 1.2 and 1.3 are read"})

    def _take_secret(self, end: int, label: str) -> None:
        """Protection of TLS 1.3 by the secret of that label; none where nobody wrote it down."""
        half, secret = self._halves[end], self._keys.secret(label, self._randoms[0])
        half.cipher, half.secret = None, b""
        if secret is not None and self._suite is not None and len(secret) == self._suite.size:
            half.use(ciphers.cipher13(secret, self._suite), secret)

    def _protect(self, end: int) -> Iterator[Told]:
        """ChangeCipherSpec of TLS 1.2."""
        half = self._halves[end]
        self._resumed = self._resumed or not self._hello_done
        half.protected, half.cipher = True, None
        half.messages.clear()
        master = self._keys.secret(keylog.MASTER, self._randoms[0])
        if master is not None and len(master) == 48 and self._suite is not None:
            both = ciphers.ciphers12(master, self._suite, (self._randoms[0], self._randoms[1]), _MAC_AFTER in self._codes)
            half.use(both[end != self.car])
        elif self._suite is not None:
            half.dark = True
            yield from self._unreadable(end)

    def _agree(self, at: float) -> Iterator[Found]:
        """The facts, once both ends are through with the handshake, or all that will be known of it is known."""
        if self._agreed or not self._version or self.car is None:
            return
        if not all(half.traffic or half.dark for half in self._halves):
            return
        self._agreed = True
        dark = self._version == handshake.TLS13 and any(self._keys.secret(label, self._randoms[0]) is None for label in keylog.HANDSHAKE)
        limits = (
            ("the handshake is encrypted and its secrets are missing: certificates and what was demanded of them are not known",)
            if dark
            else ()
        )
        try:
            yield Agreed(self._facts(at, limits))
        except (FramingError, KeyError) as error:
            yield Told("TLS handshake", {"error": str(error), "reason": "what was agreed is not known"})

    def _facts(self, at: float, limits: tuple[str, ...]) -> TlsFacts:
        assert self.car is not None
        assert self._began is not None
        profile = ISO2 if self._version == handshake.TLS12 else CONFORMANCE
        facts = self._transcript.facts(
            profile,
            None,
            resumed=self._resumed,
            duration=round(at - self._began, 6),
            octets_received=self._halves[self.car].octets,
            octets_sent=self._halves[1 - self.car].octets,
            limits=limits,
            judged_at=self._wall(at) if self._transcript.chain(sent=False) else 0.0,
        )
        facts = replace(facts, suite=self._suite.name if self._suite else facts.suite)
        return replace(facts, profile=INTEROP.name) if not limits and relaxations(facts) else facts

    # --- keys and places that are not known ---

    def _tried(self, end: int, record: records.Record) -> bytes | None:
        """What a record holds, by other keys or at another place of the sequence; those that open it are used from now on."""
        half = self._halves[end]
        if (
            half.cipher is not None
            and half.gap
            and (found := self._searched(half, record, half.cipher, half.secret, half.sequence, _MISSED))
        ):
            return found
        if self._version == handshake.TLS12 or record.kind != records.APPLICATION_DATA:
            return None
        if self._version == handshake.TLS13 and half.traffic and half.cipher is not None:
            return None
        if not self._version and self._whole and not half.gap:
            return None
        many = _BEFORE if not self._randoms[1] else _MISSED if half.gap else 1
        for whose, random, secret in self._keys.traffic():
            if self._keys.tries <= 0:
                return None
            if (self._randoms[0] or random) != random or (self.car is not None and whose != (end != self.car)):
                continue
            for suite in ciphers.TLS13:
                if suite.size != len(secret) or (self._suite or suite) is not suite:
                    continue
                self._keys.tries -= _KEYS
                if found := self._searched(half, record, ciphers.cipher13(secret, suite), secret, 0, many):
                    self.car = end if whose == 0 else 1 - end
                    self._randoms[0], self._suite, self._version = random, suite, handshake.TLS13
                    half.traffic, self._agreed = True, self._agreed or not self._randoms[1]
                    return found
        return None

    def _searched(self, half: _Half, record: records.Record, cipher: Cipher, secret: bytes, first: int, many: int) -> bytes | None:
        """What a record holds by a cipher at one of `many` places."""
        for sequence in range(first, first + min(many, self._keys.tries)):
            self._keys.tries -= 1
            try:
                octets = cipher.opened(sequence, record.header, record.fragment)
            except Unreadable:
                continue
            half.use(cipher, secret, sequence + 1)
            return octets
        return None


def _extensions(message: bytes) -> frozenset[int]:
    """The codes of the extensions in a ServerHello that has been read well."""
    at = 38 + 1 + message[38] + 3 + 2
    found = set()
    while at + 4 <= len(message):
        found.add(int.from_bytes(message[at : at + 2], "big"))
        at += 4 + int.from_bytes(message[at + 2 : at + 4], "big")
    return frozenset(found)
