"""The messages of a TLS handshake from both sides, gathered one by one and summed up as `TlsFacts` (pure)."""

from v2g.session import handshake
from v2g.session.tls import Profile, TlsFacts

_VERSIONS = {handshake.TLS12: "TLSv1.2", handshake.TLS13: "TLSv1.3"}


class Transcript:
    """The handshake messages of one connection, the last of each kind from each side."""

    def __init__(self, server: bool):
        self.server = server  # whether this side is the station
        self._messages: dict[tuple[bool, int], bytes] = {}  # (sent by this side, kind) -> message
        self._staples: tuple[bytes | None, ...] | None = None

    def hear(self, sent: bool, message: bytes) -> None:
        """Keep one handshake message; `sent`: by this side."""
        self._messages[sent, message[0]] = message

    def staple_of_leaf(self, response: bytes) -> None:
        """Keep the OCSP response (DER) for the leaf, which TLS 1.2 sends in a message of its own."""
        self._staples = (response, *(None for _ in self.chain(sent=False)[1:]))

    @property
    def version(self) -> int:
        """The TLS version (code; 0x0304 is 1.3) that the station chose; 0 before it did."""
        message = self._messages.get((self.server, handshake.SERVER_HELLO))
        return handshake.server_hello(message)[0] if message else 0

    def chain(self, sent: bool) -> tuple[bytes, ...]:
        """The certificates (DER) that this side (`sent`) or the peer showed, in the order sent."""
        return tuple(entry.certificate for entry in self._entries(sent))

    def staples(self, sent: bool) -> tuple[bytes | None, ...]:
        """The OCSP responses (DER) to the certificates of `chain(sent)`, one place per certificate, None where none came."""
        if self._staples is not None and not sent:
            return self._staples
        return tuple(entry.staple for entry in self._entries(sent))

    def _entries(self, sent: bool) -> tuple[handshake.CertificateEntry, ...]:
        message = self._messages.get((sent, handshake.CERTIFICATE))
        return handshake.certificate(message, self.version) if message else ()

    def _signatures(self) -> tuple[int | None, dict[bool, str]]:
        """The group, where TLS 1.2 names it, and the scheme with which each side proved its key."""
        group, schemes = None, {}
        for sent in (True, False):
            if message := self._messages.get((sent, handshake.CERTIFICATE_VERIFY)):
                schemes[sent] = handshake.name(handshake.SCHEMES, handshake.certificate_verify(message))
        if exchange := self._messages.get((self.server, handshake.SERVER_KEY_EXCHANGE)):
            group, scheme = handshake.server_key_exchange(exchange)
            schemes[self.server] = handshake.name(handshake.SCHEMES, scheme)
        return group, schemes

    def facts(
        self,
        profile: Profile,
        verified: object,
        *,
        resumed: bool,
        duration: float,
        octets_received: int,
        octets_sent: int,
        limits: tuple[str, ...],
        judged_at: float = 0.0,
    ) -> TlsFacts:
        """The facts of a complete handshake. `duration` is in s, `judged_at` in epoch s; the octets are those of the wire."""
        version, suite, share = handshake.server_hello(self._messages[self.server, handshake.SERVER_HELLO])
        hello = handshake.client_hello(self._messages[not self.server, handshake.CLIENT_HELLO])
        request = self._messages.get((self.server, handshake.CERTIFICATE_REQUEST))
        demanded = handshake.certificate_request(request, version).certificate_authorities if request else ()
        group, schemes = self._signatures()
        named = {self.server: demanded, not self.server: hello.certificate_authorities}
        return TlsFacts(
            profile=profile.name,
            version=_VERSIONS.get(version, f"0x{version:04X}"),
            suite=handshake.name(handshake.SUITES, suite),
            group=handshake.name(handshake.GROUPS, share or group or 0),
            own_scheme=schemes.get(True),
            peer_scheme=schemes.get(False),
            own_chain=self.chain(sent=True),
            peer_chain=self.chain(sent=False),
            verified=verified,
            server_name=hello.server_name,
            certificate_requested=request is not None,
            authorities_named=named[True],
            authorities_named_by_peer=named[False],
            staples=self.staples(sent=self.server),
            staples_asked_for=hello.status_request is not None,
            resumed=resumed,
            duration=duration,
            octets_received=octets_received,
            octets_sent=octets_sent,
            limits=limits,
            judged_at=judged_at,
        )
