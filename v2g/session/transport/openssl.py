"""TLS by pyOpenSSL. Beside `libssl` the only module that touches OpenSSL.

Three things go beyond pyOpenSSL's public surface, each because there is no other way, and each reached through `_lib` alone: groups and
signature algorithms (no method pins them), a verification callback that may choose the alert, and the message callback, from which the
peer's chain, its staples and the signature schemes are read as they were sent. OpenSSL's own chain building is cut off after the leaf.
"""

import contextlib
import time
import weakref
from dataclasses import replace
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from v2g.session import handshake
from v2g.session.errors import Misuse
from v2g.session.tls import Credential, Profile
from v2g.session.transport.channel import Channel, CheckStaples, LibraryError, Terms, Verify, Wall

_lib: Any = SSL._lib  # type: ignore[attr-defined]
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]

_VERSIONS: Final = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}
ROOM: Final = 65536  # octets that are read at a time
_PSEUDO: Final = 256  # content types from here on are OpenSSL's own, for record headers
# the X.509 error for which OpenSSL sends that alert
_X509_ERRORS: Final = {
    "certificate_expired": _lib.X509_V_ERR_CERT_HAS_EXPIRED,
    "certificate_revoked": _lib.X509_V_ERR_CERT_REVOKED,
    "unknown_ca": _lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    "unsupported_certificate": _lib.X509_V_ERR_INVALID_PURPOSE,
    "bad_certificate": _lib.X509_V_ERR_CERT_REJECTED,
}
STATION_LIMITS: Final = ("OCSP staples for the sub-CA certificates [V2G20-2388]: this TLS library staples to the leaf only",)
CAR_LIMITS: Final = ("certificate_authorities in ClientHello [V2G20-1006]: this TLS library cannot send it, that of the system may",)
CAR2_LIMITS: Final = (
    "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256, whose static keys no current TLS library has",
    "status_request_v2: OCSP responses for the sub-CA certificates cannot be asked for in TLS 1.2",
)


class Context:
    """One set of TLS parameters and at most one credential, for one side. Immutable once a connection was made of it.

    `older` is the profile of TLS 1.2 that a car offers in the same hello. The credential is then shown in TLS 1.3 alone: TLS 1.2 would
    send it in clear, and no station of ISO 15118-2 asks for it.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        server: bool,
        credential: Credential | None = None,
        authorities: tuple[bytes, ...] = (),
        trusted_ca_keys: tuple[bytes, ...] = (),
        older: Profile | None = None,
    ):
        """`authorities` are the roots (DER certificates) that a station names in its CertificateRequest; `trusted_ca_keys` the SHA-1 hashes
        of the roots that a -2 car names. Raises Misuse for a credential that cannot be used.
        """
        self.profile, self.server, self.credential, self.older = profile, server, credential, older
        self.authorities = tuple(x509.load_der_x509_certificate(der) for der in authorities)
        self._channels: weakref.WeakValueDictionary[int, Channel] = weakref.WeakValueDictionary()
        self._connections: weakref.WeakValueDictionary[int, SSL.Connection] = weakref.WeakValueDictionary()
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
        """The three lists of the profiles; full handshakes only: no resumption, no early data, no renegotiation."""
        profiles, ctx = (self.profile, self.older) if self.older else (self.profile,), self.raw
        ctx.set_min_proto_version(_VERSIONS[profiles[-1].version])
        ctx.set_max_proto_version(_VERSIONS[profiles[0].version])
        for profile in profiles:
            suites = ":".join(profile.suites).encode()
            if _VERSIONS[profile.version] == SSL.TLS1_3_VERSION:
                ctx.set_tls13_ciphersuites(suites)
            else:
                ctx.set_cipher_list(suites)
        groups = tuple(dict.fromkeys(name for profile in profiles for name in profile.groups))
        schemes = tuple(dict.fromkeys(name for profile in profiles for name in profile.signature_schemes))
        self._pinned(_lib.SSL_CTX_set1_curves_list, groups, "groups")
        self._pinned(_lib.SSL_CTX_set1_sigalgs_list, schemes, "signature schemes")
        ctx.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
        ctx.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        ctx.set_mode(SSL.MODE_RELEASE_BUFFERS)  # a connection that waits for its peer keeps no records' buffers, 34 KB
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
            alert = context._of(ssl).judge()
            _lib.X509_STORE_CTX_set_error(store, _X509_ERRORS[alert] if alert else _lib.X509_V_OK)
            return int(alert is None)

        @_ffi.callback("void(int, int, int, const void *, size_t, SSL *, void *)")  # type: ignore[untyped-decorator]
        def said(sent: int, version: int, content: int, octets: Any, length: int, ssl: Any, _: Any) -> None:
            if content < _PSEUDO:
                context._of(ssl).hear(bool(sent), content, bytes(_ffi.buffer(octets, length)))

        self._kept += [judged, said]
        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        if not self.server or self.profile.mutual:
            _lib.SSL_CTX_set_verify(ctx, mode, judged)
        _lib.SSL_CTX_set_msg_callback(ctx, said)
        self.raw.set_keylog_callback(lambda connection, line: context._of(connection._ssl).secrets.append(line))
        if self.server:
            self.raw.set_ocsp_server_callback(lambda connection, _: context._of(connection._ssl).staple())
        else:
            self.raw.set_ocsp_client_callback(lambda connection, der, _: context._of(connection._ssl).check(der))

    def _of(self, ssl: Any) -> Channel:
        return self._channels[int(_ffi.cast("uintptr_t", ssl))]

    def _own(self, credential: Credential) -> None:
        try:
            chain = [x509.load_der_x509_certificate(der) for der in credential.chain]
            key: Any = load_pem_private_key(credential.key, None)
            for certificate in chain[1:]:
                self.raw.add_extra_chain_cert(certificate)
            if self.older is not None and key.public_key() == chain[0].public_key():
                self._shown_in_tls13(chain[0], key)
                return
            self.raw.use_certificate(chain[0])
            self.raw.use_privatekey(key)
            self.raw.check_privatekey()
        except (ValueError, TypeError, IndexError, SSL.Error) as error:
            raise Misuse(
                f"the TLS credential cannot be used: {_reason(error) or error}; does the key belong to the certificate?"
            ) from error

    def _shown_in_tls13(self, leaf: x509.Certificate, key: Any) -> None:
        """Let each connection take the credential when a station asks for it, by what version was agreed upon until then."""

        @_ffi.callback("int(SSL *, void *)")  # type: ignore[untyped-decorator]
        def wanted(ssl: Any, _: Any) -> int:
            channel, connection = self._of(ssl), self._connections[int(_ffi.cast("uintptr_t", ssl))]
            if channel.agreed is channel.terms:
                connection.use_certificate(leaf)
                connection.use_privatekey(key)
            return 1

        self._kept.append(wanted)
        _lib.SSL_CTX_set_cert_cb(self.raw._context, wanted, _ffi.NULL)

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

    def channel(
        self,
        verify: Verify | None,
        check_staples: CheckStaples | None = None,
        wall: Wall = time.time,
        older: tuple[Verify, CheckStaples | None] | None = None,
    ) -> Channel:
        """A fresh TLS channel for one connection; `verify` judges the peer's chain, `older` one that comes by TLS 1.2 instead."""
        staple = self.credential.staple if self.credential else None
        terms = Terms(self.profile, self.server, verify, check_staples, staple, self._limits(self.profile), wall)
        if older is not None and self.older is not None:
            terms = replace(
                terms, older=replace(terms, profile=self.older, verify=older[0], check_staples=older[1], limits=self._limits(self.older))
            )
        return Channel(terms, self._engine)

    def _limits(self, profile: Profile) -> tuple[str, ...]:
        if profile.version == "TLSv1.3":
            return STATION_LIMITS if self.server else CAR_LIMITS
        return () if self.server else CAR2_LIMITS

    def _engine(self, channel: Channel) -> "_Engine":
        engine = _Engine(self.raw, server=self.server, staples=channel.terms.check_staples is not None)
        place = int(_ffi.cast("uintptr_t", engine.connection._ssl))
        self._channels[place], self._connections[place] = channel, engine.connection
        return engine


def _held(memory: Any) -> int:
    """Octets that a memory buffer of the library holds. To try, and be told by an exception that there are none, takes longer."""
    return int(_lib.BIO_get_mem_data(memory, _ffi.new("char **")))


def _reason(error: Exception) -> str:
    """What OpenSSL says, without its file names."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(dict.fromkeys(entry[-1] for entry in queue if entry[-1]))


class _Engine:
    """A connection of the library."""

    def __init__(self, context: SSL.Context, *, server: bool, staples: bool):
        self.connection = SSL.Connection(context, None)
        self.closed = False
        if server:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()
            if staples:
                self.connection.request_ocsp()  # [V2G20-2372]

    def handshake(self) -> bool:
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise LibraryError(_reason(error) or "the stream was cut") from error
        return True

    def feed(self, octets: bytes) -> None:
        self.connection.bio_write(octets)

    def drain(self) -> bytes:
        count = _held(self.connection._from_ssl)
        return self.connection.bio_read(count) if count else b""

    def read(self) -> bytes:
        pieces: list[bytes] = []
        try:
            while not pieces or _held(self.connection._into_ssl):
                pieces.append(self.connection.recv(ROOM))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error as error:
            raise LibraryError(_reason(error) or "the stream was cut") from error
        return b"".join(pieces)

    def write(self, plaintext: bytes) -> None:
        try:
            self.connection.sendall(plaintext)
        except SSL.Error as error:
            raise LibraryError(_reason(error) or "the connection is closed") from error

    def shut(self) -> None:
        with contextlib.suppress(SSL.Error):  # a handshake that failed has nothing to close
            self.connection.shutdown()

    def resumed(self) -> bool:
        return bool(_lib.SSL_session_reused(self.connection._ssl))
