"""TLS through pyOpenSSL, without a socket: octets in, octets out. The only module that touches OpenSSL.

Three things go beyond pyOpenSSL's public surface, each because there is no other way, and each reached through `_lib` alone: groups and
signature algorithms (no method pins them), a verification callback that may choose the alert, and the message callback, from which the
peer's chain, its staples and the signature schemes are read as they were sent.

OpenSSL builds no trust here. Its chain building is cut off after the leaf, and the one verdict is that of `verify`, which the caller gives:
a general verifier refuses Ed448 chains, knows no roles, and trips over CA certificates with foreign extended key usage.
"""

import contextlib
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from v2g.session import handshake
from v2g.session.errors import Misuse
from v2g.session.tls import Credential, Profile, TlsError, TlsFacts, alert_for, relaxations
from v2g.session.transcript import Transcript

_lib: Any = SSL._lib  # type: ignore[attr-defined]
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]

Verify = Callable[[tuple[bytes, ...], float], object]
"""Judges a chain (DER, leaf first, as the peer sent it) at a time (epoch s): returns the proof, which must not be None, or raises."""
CheckStaples = Callable[[tuple[bytes, ...], tuple[bytes | None, ...], float], object]
"""Judges the OCSP responses stapled to a chain, one place per certificate, None where none came: raises to refuse."""

_VERSIONS: Final = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}
# the X.509 error for which OpenSSL sends that alert
_X509_ERRORS: Final = {
    "certificate_expired": _lib.X509_V_ERR_CERT_HAS_EXPIRED,
    "certificate_revoked": _lib.X509_V_ERR_CERT_REVOKED,
    "unknown_ca": _lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    "unsupported_certificate": _lib.X509_V_ERR_INVALID_PURPOSE,
    "bad_certificate": _lib.X509_V_ERR_CERT_REJECTED,
}
_ALERTS: Final = {
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

STATION_LIMITS: Final = ("OCSP staples for the sub-CA certificates [V2G20-2388]: this TLS library staples to the leaf only",)
CAR_LIMITS: Final = ("certificate_authorities in ClientHello [V2G20-1006]: this TLS library cannot send it",)


class Context:
    """One set of TLS parameters and at most one credential, for one side. Immutable once a connection was made of it."""

    def __init__(
        self,
        profile: Profile,
        *,
        server: bool,
        credential: Credential | None = None,
        authorities: tuple[bytes, ...] = (),
        trusted_ca_keys: tuple[bytes, ...] = (),
    ):
        """`authorities` are the roots (DER certificates) that a station names in its CertificateRequest; `trusted_ca_keys` the SHA-1 hashes
        of the roots that a -2 car names. Raises Misuse for a credential that cannot be used.
        """
        self.profile, self.server, self.credential = profile, server, credential
        self.authorities = tuple(x509.load_der_x509_certificate(der) for der in authorities)
        self._channels: weakref.WeakValueDictionary[int, Channel] = weakref.WeakValueDictionary()
        self._kept: list[Any] = []  # callbacks and octets that OpenSSL points to
        self.raw = SSL.Context(SSL.TLS_METHOD)
        self._pin()
        self._listen()
        if credential is not None:
            self._own(credential)
        if server:
            for certificate in self.authorities:
                self.raw.add_client_ca(certificate)
        if trusted_ca_keys:
            self._name_trusted_ca_keys(trusted_ca_keys)

    def _pin(self) -> None:
        """The three lists of the profile; full handshakes only: no resumption, no early data, no renegotiation."""
        profile, ctx = self.profile, self.raw
        version = _VERSIONS[profile.version]
        ctx.set_min_proto_version(version)
        ctx.set_max_proto_version(version)
        suites = ":".join(profile.suites).encode()
        if version == SSL.TLS1_3_VERSION:
            ctx.set_tls13_ciphersuites(suites)
        else:
            ctx.set_cipher_list(suites)
        self._pinned(_lib.SSL_CTX_set1_curves_list, profile.groups, "groups")
        self._pinned(_lib.SSL_CTX_set1_sigalgs_list, profile.signature_schemes, "signature schemes")
        ctx.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
        ctx.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        ctx.set_verify_depth(0)  # no chain building beyond the leaf, see above

    def _pinned(self, function: Any, names: tuple[str, ...], what: str) -> None:
        if function(self.raw._context, ":".join(names).encode()) != 1:
            raise Misuse(f"this TLS library does not know all {what} of profile {self.profile.name}: {', '.join(names)}")

    def _listen(self) -> None:
        """Install the callbacks; each finds its connection by the address of its SSL object."""
        ctx, context = self.raw._context, self

        @_ffi.callback("int(int, X509_STORE_CTX *)")  # type: ignore[untyped-decorator]
        def judged(ok: int, store: Any) -> int:
            ssl = _lib.X509_STORE_CTX_get_ex_data(store, _lib.SSL_get_ex_data_X509_STORE_CTX_idx())
            error: int = context._of(ssl)._judge()
            _lib.X509_STORE_CTX_set_error(store, error)
            return int(error == _lib.X509_V_OK)

        @_ffi.callback("void(int, int, int, const void *, size_t, SSL *, void *)")  # type: ignore[untyped-decorator]
        def said(sent: int, version: int, content: int, octets: Any, length: int, ssl: Any, _: Any) -> None:
            if content in (_CONTENT_HANDSHAKE, _CONTENT_ALERT):
                context._of(ssl)._hear(bool(sent), content, bytes(_ffi.buffer(octets, length)))

        self._kept += [judged, said]
        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        if not self.server or self.profile.mutual:
            _lib.SSL_CTX_set_verify(ctx, mode, judged)
        _lib.SSL_CTX_set_msg_callback(ctx, said)
        self.raw.set_keylog_callback(lambda connection, line: context._of(connection._ssl).secrets.append(line))
        if self.server:
            self.raw.set_ocsp_server_callback(lambda connection, _: context._of(connection._ssl)._staple())
        else:
            self.raw.set_ocsp_client_callback(lambda connection, der, _: context._of(connection._ssl)._check(der))

    def _of(self, ssl: Any) -> "Channel":
        return self._channels[int(_ffi.cast("uintptr_t", ssl))]

    def _own(self, credential: Credential) -> None:
        try:
            chain = [x509.load_der_x509_certificate(der) for der in credential.chain]
            self.raw.use_certificate(chain[0])
            for certificate in chain[1:]:
                self.raw.add_extra_chain_cert(certificate)
            self.raw.use_privatekey(load_pem_private_key(credential.key, None))  # type: ignore[arg-type]
            self.raw.check_privatekey()
        except (ValueError, TypeError, IndexError, SSL.Error) as error:
            raise Misuse(
                f"the TLS credential cannot be used: {_reason(error) or error}; does the key belong to the certificate?"
            ) from error

    def _name_trusted_ca_keys(self, hashes: tuple[bytes, ...]) -> None:
        """Send extension 3 in the ClientHello [V2G2-651]."""
        body = b"".join(b"\x03" + digest for digest in hashes)
        octets = _ffi.new("unsigned char[]", len(body).to_bytes(2, "big") + body)

        @_ffi.callback("int(SSL *, unsigned int, const unsigned char **, size_t *, int *, void *)")  # type: ignore[untyped-decorator]
        def add(ssl: Any, code: int, out: Any, length: Any, alert: Any, _: Any) -> int:
            out[0], length[0] = octets, 2 + len(body)
            return 1

        @_ffi.callback("void(SSL *, unsigned int, const unsigned char *, void *)")  # type: ignore[untyped-decorator]
        def free(ssl: Any, code: int, out: Any, _: Any) -> None:
            pass

        @_ffi.callback("int(SSL *, unsigned int, const unsigned char *, size_t, int *, void *)")  # type: ignore[untyped-decorator]
        def parse(ssl: Any, code: int, data: Any, length: int, alert: Any, _: Any) -> int:
            return 1

        self._kept += [octets, add, free, parse]
        null, code = _ffi.NULL, handshake.TRUSTED_CA_KEYS
        if _lib.SSL_CTX_add_client_custom_ext(self.raw._context, code, add, free, null, parse, null) != 1:
            raise Misuse("this TLS library refuses to send trusted_ca_keys")

    def channel(self, verify: Verify | None, check_staples: CheckStaples | None = None) -> "Channel":
        """A new connection."""
        channel = Channel(self, verify, check_staples)
        self._channels[int(_ffi.cast("uintptr_t", channel.connection._ssl))] = channel
        return channel


def _reason(error: Exception) -> str:
    """What OpenSSL says, without its file names."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(dict.fromkeys(entry[-1] for entry in queue if entry[-1]))


class Channel:
    """One TLS connection between memory buffers.

    A car calls `start` once; then, for both sides: `receive` what came from the wire, `send` what is to be protected, and write
    `octets_to_send` after each. Until `facts` is there the handshake runs; `receive` raises TlsError when it fails, and
    `octets_to_send` then still holds the alert.
    """

    def __init__(self, context: Context, verify: Verify | None, check_staples: CheckStaples | None):
        self.connection = SSL.Connection(context.raw, None)
        self.facts: TlsFacts | None = None
        self.peer_closed = False  # its close_notify came
        self.secrets: list[bytes] = []  # key log lines nobody took yet
        self._context, self._verify, self._check_staples = context, verify, check_staples
        self._began = time.monotonic()
        self._received = self._sent = 0
        self._transcript = Transcript(context.server)
        self._alert: tuple[str, str] | None = None  # by whom, which
        self._verdict: object = None
        self._refusal: Exception | None = None
        if context.server:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()
            if check_staples is not None:
                self.connection.request_ocsp()  # [V2G20-2372]

    # --- what the shell calls ---

    def start(self) -> None:
        """Make the car's first flight."""
        self._shake_hands()

    def receive(self, octets: bytes) -> bytes:
        """Take octets of the wire, give what they protect. Raises TlsError."""
        self._received += len(octets)
        if self.facts is None and self._received > HANDSHAKE_LIMIT:
            raise TlsError(f"the peer's handshake has more than {HANDSHAKE_LIMIT} octets", "us")
        self.connection.bio_write(octets)
        if self.facts is None:
            self._shake_hands()
        return b"" if self.facts is None else self._plaintext()

    def send(self, plaintext: bytes) -> None:
        """Protect octets; one call is one record up to 16 KiB."""
        self.connection.sendall(plaintext)

    def octets_to_send(self) -> bytes:
        """Take what must be written to the wire."""
        pieces = []
        while True:
            try:
                pieces.append(self.connection.bio_read(65536))
            except SSL.WantReadError:
                break
        octets = b"".join(pieces)
        self._sent += len(octets)
        return octets

    def close(self) -> None:
        """Say close_notify."""
        with contextlib.suppress(SSL.Error):  # a handshake that failed has nothing to close
            self.connection.shutdown()

    # --- inside ---

    def _shake_hands(self) -> None:
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            raise self._failure(error) from error
        self.facts = self._summed_up()

    def _failure(self, error: SSL.Error) -> TlsError:
        by, alert = self._alert or ("us", None)
        if self._refusal is not None:
            requirement = getattr(self._refusal, "requirement", None)
            return TlsError(f"the peer's certificate was refused: {self._refusal}", "us", alert, requirement)
        said = f"{by} sent alert {alert}" if alert else "no alert was sent"
        what = "TLS handshake failed" if self.facts is None else "TLS broke"
        return TlsError(f"{what}: {_reason(error) or 'the stream was cut'} ({said})", by, alert)

    def _plaintext(self) -> bytes:
        pieces = []
        while True:
            try:
                pieces.append(self.connection.recv(65536))
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self.peer_closed = True
                break
            except SSL.Error as error:
                raise self._failure(error) from error
        return b"".join(pieces)

    def _hear(self, sent: bool, content: int, octets: bytes) -> None:
        if content == _CONTENT_ALERT:
            if len(octets) == 2 and octets[1] != 0:
                self._alert = ("us" if sent else "peer", _ALERTS.get(octets[1], str(octets[1])))
        elif self.facts is None:
            self._transcript.hear(sent, octets)

    def _judge(self) -> int:
        """The X.509 error that the verdict on the peer's chain amounts to. OpenSSL asks per certificate, the verifier is asked once."""
        if self._verdict is None and self._refusal is None:
            try:
                if self._verify is None:
                    raise Misuse("a TLS connection that authenticates its peer needs `verify`")
                self._verdict = self._verify(self._transcript.chain(sent=False), time.time())
                if self._verdict is None:
                    raise Misuse("`verify` must return the proof that it verified, not None")
            except Exception as error:
                self._refusal = error
        if self._refusal is None:
            return int(_lib.X509_V_OK)
        return int(_X509_ERRORS.get(alert_for(self._refusal), _lib.X509_V_ERR_CERT_REJECTED))

    def _staple(self) -> bytes:
        credential = self._context.credential
        provider = credential.staple if credential else None
        return (provider(time.time()) if provider else None) or b""

    def _check(self, leaf_response: bytes) -> bool:
        transcript = self._transcript
        if leaf_response and transcript.version == handshake.TLS12:
            transcript.staple_of_leaf(leaf_response)
        try:
            if self._check_staples is not None:
                self._check_staples(transcript.chain(sent=False), transcript.staples(sent=False), time.time())
        except Exception as error:
            self._refusal = error
            return False
        return True

    def _summed_up(self) -> TlsFacts:
        profile, server = self._context.profile, self._context.server
        facts = self._transcript.facts(
            profile,
            self._verdict,
            resumed=bool(_lib.SSL_session_reused(self.connection._ssl)),
            duration=time.monotonic() - self._began,
            octets_received=self._received,
            octets_sent=self._sent,
            limits=() if profile.version != "TLSv1.3" else STATION_LIMITS if server else CAR_LIMITS,
        )
        return replace(facts, relaxations=relaxations(facts))
