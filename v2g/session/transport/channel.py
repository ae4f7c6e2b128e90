"""One TLS connection between memory buffers: what we make of it, whatever library does the cryptography.

The library (`Engine`) shakes hands and protects octets. The channel listens to what is said, has the peer judged, keeps account, and turns
what went wrong into one error that says at whose hands.

Trust is not the library's business. The one verdict on a chain is that of `verify`, which the caller gives: a general verifier refuses
Ed448 chains, knows no roles, and trips over CA certificates with foreign extended key usage.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from v2g.legible import logger
from v2g.session import handshake
from v2g.session.errors import Misuse, bare
from v2g.session.tls import Profile, TlsError, TlsFacts, alert_for, broken_by, relaxations
from v2g.session.transcript import Transcript

log = logger("v2g.transport")

Verify = Callable[[tuple[bytes, ...], float], object]
"""Judges a chain (DER, leaf first, as the peer sent it) at a time (epoch s): returns the proof, which must not be None, or raises."""
Wall = Callable[[], float]
"""The time (epoch s) at which certificates and OCSP responses are judged: that of the session, whatever the machine's clock says."""
CheckStaples = Callable[[tuple[bytes, ...], tuple[bytes | None, ...], float], object]
"""Judges the OCSP responses stapled to a chain, one place per certificate, None where none came: raises to refuse."""

ALERTS: Final = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
    71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 109: "missing_extension",
    110: "unsupported_extension", 112: "unrecognized_name", 113: "bad_certificate_status_response", 116: "certificate_required",
    120: "no_application_protocol",
}  # fmt: skip
_CONTENT_ALERT, _CONTENT_HANDSHAKE = 21, 22
# The longest flight of a peer, four certificates of 1600 octets each with a staple and a request that names 20 roots, has about 20 KB.
# Before the handshake is complete nobody is authenticated, so three times that is the end.
HANDSHAKE_LIMIT: Final = 64 * 1024  # octets


class LibraryError(Exception):
    """An error of a TLS library, with the library's own text."""


class Engine(Protocol):
    """What a channel needs of a TLS library, for one connection. Every method may raise LibraryError."""

    closed: bool  # the peer's close_notify came

    def handshake(self) -> bool:
        """Go on with the handshake as far as the octets reach; True when it is complete."""

    def feed(self, octets: bytes) -> None:
        """Take octets that came from the wire."""

    def drain(self) -> bytes:
        """The octets that must go to the wire now."""

    def read(self) -> bytes:
        """All plaintext that can be decrypted now; empty where there is none."""

    def write(self, plaintext: bytes) -> None:
        """Take plaintext that is to be encrypted and sent."""

    def shut(self) -> None:
        """Close the TLS connection in order: say close_notify."""

    def resumed(self) -> bool:
        """Whether the handshake resumed an older TLS session; no session of ours may."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What one side demands of a TLS connection and brings to it. `limits` says what the standard asks and the library cannot do.

    `older` holds instead where TLS 1.2 is agreed upon: a car that speaks both generations offers both versions in one hello.
    """

    profile: Profile
    server: bool
    verify: Verify | None
    check_staples: CheckStaples | None = None
    staple: Callable[[float], bytes | None] | None = None
    limits: tuple[str, ...] = ()
    wall: Wall = time.time
    older: "Terms | None" = None


class Channel:
    """One TLS connection between memory buffers, with its peer judged and its handshake summed up in `facts`.

    A car calls `start` once; then, for both sides: `receive` what came from the wire, `send` what is to be protected, and write
    `octets_to_send` after each. Until `facts` is there the handshake runs; `receive` raises TlsError when it fails, and
    `octets_to_send` then still holds the alert.
    """

    def __init__(self, terms: Terms, engine: Callable[["Channel"], Engine]):
        self.terms = terms
        self.facts: TlsFacts | None = None
        self.secrets: list[bytes] = []  # key log lines nobody took yet
        self._transcript = Transcript(terms.server)
        self._alert: tuple[str, str] | None = None  # by whom, which
        self._verdict: object = None
        self._refusal: Exception | None = None
        self._judged = 0.0  # epoch s
        self._began = time.monotonic()
        self._received = self._sent = 0
        self._engine = engine(self)

    # --- what the shell calls ---

    @property
    def peer_closed(self) -> bool:
        """True when the peer said close_notify."""
        return self._engine.closed

    def start(self) -> None:
        """Make the car's first flight, its ClientHello, in `octets_to_send`."""
        self._shake_hands()

    def receive(self, octets: bytes) -> bytes:
        """Take octets of the wire; the plaintext in them. Raises TlsError."""
        self._received += len(octets)
        if self.facts is None and self._received > HANDSHAKE_LIMIT:
            raise TlsError(f"the peer's handshake has more than {HANDSHAKE_LIMIT} octets", "us")
        self._engine.feed(octets)
        if self.facts is None:
            self._shake_hands()
        if self.facts is None:
            return b""
        try:
            return self._engine.read()
        except LibraryError as error:
            raise self._failure(error) from error

    def send(self, plaintext: bytes) -> None:
        """Encrypt plaintext into `octets_to_send`; one call makes one record, up to 16 KiB. Raises TlsError."""
        try:
            self._engine.write(plaintext)
        except LibraryError as error:
            raise self._failure(error) from error

    def octets_to_send(self) -> bytes:
        """Take what must be written to the wire."""
        octets = self._engine.drain()
        self._sent += len(octets)
        return octets

    def close(self) -> None:
        """Close the TLS connection in order: say close_notify."""
        self._engine.shut()

    # --- what the engine calls ---

    def hear(self, sent: bool, content: int, octets: bytes) -> None:
        """Called by the library with each message of TLS, decrypted; `content` is its content type (22: handshake, 21: alert)."""
        if content == _CONTENT_ALERT and len(octets) == 2 and octets[1] != 0:
            self._alert = ("us" if sent else "peer", ALERTS.get(octets[1], str(octets[1])))
        elif content == _CONTENT_HANDSHAKE and octets and self.facts is None:
            self._transcript.hear(sent, octets)

    def judge(self) -> str | None:
        """The TLS alert by which the peer's chain is refused; None: it is accepted. The verifier is asked once per connection."""
        if self._verdict is None and self._refusal is None:
            try:
                verify = self.agreed.verify
                if verify is None:
                    raise Misuse("a TLS connection that authenticates its peer needs `verify`")
                self._judged = self.terms.wall()
                self._verdict = verify(self._transcript.chain(sent=False), self._judged)
                if self._verdict is None:
                    raise Misuse("`verify` must return the proof that it verified, not None")
            except Exception as error:
                self._refusal = bare(error)
        return None if self._refusal is None else alert_for(self._refusal)

    def check(self, leaf_response: bytes) -> bool:
        """Whether the station's OCSP responses are accepted; `leaf_response` (DER) is the one that TLS 1.2 sends in a message by itself."""
        transcript = self._transcript
        if leaf_response and transcript.version == handshake.TLS12:
            transcript.staple_of_leaf(leaf_response)
        try:
            if self.agreed.check_staples is not None:
                self.agreed.check_staples(transcript.chain(sent=False), transcript.staples(sent=False), self.terms.wall())
        except Exception as error:
            self._refusal = bare(error)
            return False
        return True

    def staple(self) -> bytes:
        """The OCSP response (DER) for this side's leaf; empty where there is none."""
        try:
            return (self.terms.staple(self.terms.wall()) if self.terms.staple is not None else None) or b""
        except Exception:
            log.exception("no OCSP response to staple: its provider failed")
            return b""

    @property
    def agreed(self) -> Terms:
        """The terms of the version that the station chose; before it did, those of the newest."""
        older = self.terms.older
        return older if older is not None and self._transcript.version == handshake.TLS12 else self.terms

    # --- inside ---

    def _shake_hands(self) -> None:
        try:
            if not self._engine.handshake():
                return
        except LibraryError as error:
            raise self._failure(error) from error
        if self._verdict is None and (self.agreed.profile.mutual or not self.terms.server):
            raise TlsError("the handshake is complete and nobody judged the peer: this must not happen", "us")
        facts = self._summed_up()
        self._demand_pinned(facts)
        self.facts = facts

    def _demand_pinned(self, facts: TlsFacts) -> None:
        """Refuse a group that was in the hello for TLS 1.2 alone, and was chosen for TLS 1.3: the lists of a hello are those of both."""
        newest = self.terms.profile
        if self.terms.older is not None and facts.version == newest.version and facts.group not in newest.groups:
            said = f"the station chose the group {facts.group} for TLS 1.3, where {newest.name} takes {', '.join(newest.groups)}"
            raise TlsError(said, "us", None, "V2G20-2460")

    def _failure(self, error: LibraryError) -> TlsError:
        by, alert = self._alert or ("us", None)
        if self._refusal is not None:
            requirement = getattr(self._refusal, "requirement", None)
            why = getattr(self._refusal, "words", None) or str(self._refusal)  # without the requirement, which is a field of its own
            return TlsError(f"the peer's certificate was refused: {why}", "us", alert, requirement)
        said = f"{by} sent alert {alert}" if alert else "no alert was sent"
        what = "TLS handshake failed" if self.facts is None else "TLS broke"
        broken = broken_by(str(error), self.terms.profile.name) if by == "us" and self.terms.server else None
        return TlsError(f"{what}: {error} ({said})", by, alert, broken)

    def _summed_up(self) -> TlsFacts:
        facts = self._transcript.facts(
            self.agreed.profile,
            self._verdict,
            resumed=self._engine.resumed(),
            duration=time.monotonic() - self._began,
            octets_received=self._received,
            octets_sent=self._sent,
            limits=self.agreed.limits,
            judged_at=self._judged,
        )
        return replace(facts, relaxations=relaxations(facts))
