"""A car's TLS by the OpenSSL of the system, which can name the car's roots in the ClientHello [V2G20-1006]; pyOpenSSL cannot.

A station with chains to several roots, or of several curves, needs that to choose. This calls the public C interface of OpenSSL 3 and
nothing of Python's `ssl`; where the system has none, `available` is False and `openssl` serves, with the limit stated in the facts of the
connection.
"""

import time
import weakref
from functools import cache
from typing import Any, Final

from cffi import FFI  # type: ignore[import-untyped, unused-ignore]
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from v2g.session.errors import Misuse
from v2g.session.tls import Credential, Profile
from v2g.session.transport.channel import Channel, CheckStaples, LibraryError, Terms, Verify, Wall

_NAMES: Final = ("libssl.so.3", "libssl.3.dylib")
_DECLARATIONS: Final = """
typedef struct ssl_st SSL; typedef struct ssl_ctx_st SSL_CTX; typedef struct ssl_method_st SSL_METHOD; typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD; typedef struct x509_st X509; typedef struct X509_name_st X509_NAME;
typedef struct evp_pkey_st EVP_PKEY; typedef struct x509_store_ctx_st X509_STORE_CTX; typedef struct stack_st OPENSSL_STACK;
const SSL_METHOD *TLS_client_method(void);
SSL_CTX *SSL_CTX_new(const SSL_METHOD *); void SSL_CTX_free(SSL_CTX *); long SSL_CTX_ctrl(SSL_CTX *, int, long, void *);
int SSL_CTX_set_ciphersuites(SSL_CTX *, const char *);
uint64_t SSL_CTX_set_options(SSL_CTX *, uint64_t);
void SSL_CTX_set_verify(SSL_CTX *, int, void *);
void SSL_CTX_set_cert_verify_callback(SSL_CTX *, int (*)(X509_STORE_CTX *, void *), void *);
void SSL_CTX_set_msg_callback(SSL_CTX *, void (*)(int, int, int, const void *, size_t, SSL *, void *));
void SSL_CTX_set_keylog_callback(SSL_CTX *, void (*)(const SSL *, const char *));
long SSL_CTX_callback_ctrl(SSL_CTX *, int, void (*)(void));
void SSL_CTX_set0_CA_list(SSL_CTX *, OPENSSL_STACK *);
int SSL_CTX_use_certificate(SSL_CTX *, X509 *); int SSL_CTX_use_PrivateKey(SSL_CTX *, EVP_PKEY *);
int SSL_CTX_check_private_key(const SSL_CTX *);
SSL *SSL_new(SSL_CTX *); void SSL_free(SSL *); void SSL_set_bio(SSL *, BIO *, BIO *); void SSL_set_connect_state(SSL *);
long SSL_ctrl(SSL *, int, long, void *);
int SSL_do_handshake(SSL *); int SSL_read(SSL *, void *, int); int SSL_write(SSL *, const void *, int); int SSL_shutdown(SSL *);
int SSL_get_error(const SSL *, int); int SSL_session_reused(const SSL *);
int SSL_get_ex_data_X509_STORE_CTX_idx(void); void *X509_STORE_CTX_get_ex_data(const X509_STORE_CTX *, int);
void X509_STORE_CTX_set_error(X509_STORE_CTX *, int);
X509 *d2i_X509(X509 **, const unsigned char **, long); void X509_free(X509 *);
X509_NAME *d2i_X509_NAME(X509_NAME **, const unsigned char **, long);
EVP_PKEY *d2i_AutoPrivateKey(EVP_PKEY **, const unsigned char **, long); void EVP_PKEY_free(EVP_PKEY *);
OPENSSL_STACK *OPENSSL_sk_new_null(void); int OPENSSL_sk_push(OPENSSL_STACK *, const void *);
const BIO_METHOD *BIO_s_mem(void); BIO *BIO_new(const BIO_METHOD *);
int BIO_read(BIO *, void *, int); int BIO_write(BIO *, const void *, int); size_t BIO_ctrl_pending(BIO *);
unsigned long ERR_get_error(void); void ERR_clear_error(void); const char *ERR_reason_error_string(unsigned long);
"""
# numbers of OpenSSL's public headers
_MIN_VERSION, _MAX_VERSION, _GROUPS, _SCHEMES, _EXTRA_CERTIFICATE, _CACHE_MODE = 123, 124, 92, 98, 14, 44
_STATUS_CALLBACK, _STATUS_TYPE, _STATUS_RESPONSE, _OCSP = 63, 65, 70, 1
_TLS13, _VERIFY_PEER, _NO_TICKET, _PSEUDO = 0x0304, 1, 1 << 14, 256
_WANT_READ, _ZERO_RETURN = 2, 6
_X509_ERRORS: Final = {
    "certificate_expired": 10,
    "certificate_revoked": 23,
    "unknown_ca": 20,
    "unsupported_certificate": 26,
    "bad_certificate": 28,
}

ffi: Any = FFI()
ffi.cdef(_DECLARATIONS)


@cache
def _library() -> Any:
    for name in _NAMES:
        try:
            return ffi.dlopen(name)
        except OSError:
            continue
    return None


def available() -> bool:
    """Whether the system has an OpenSSL 3 that this module can use."""
    return _library() is not None


class Context:
    """A car's TLS 1.3 parameters; `authorities` are the root certificates (DER) that it names. Raises Misuse as `openssl.Context` does."""

    def __init__(self, profile: Profile, *, credential: Credential | None, authorities: tuple[bytes, ...]):
        if profile.version != "TLSv1.3":
            raise Misuse(f"the system's TLS library serves profiles of TLS 1.3, {profile.name} is {profile.version}")
        if not available():
            raise Misuse(f"this system has no OpenSSL 3 ({' or '.join(_NAMES)})")
        self.profile, self.credential, self._lib = profile, credential, _library()
        self._channels: weakref.WeakValueDictionary[int, Channel] = weakref.WeakValueDictionary()
        self._kept: list[Any] = []
        self.raw = ffi.gc(self._lib.SSL_CTX_new(self._lib.TLS_client_method()), self._lib.SSL_CTX_free)
        self._pin()
        self._listen()
        if credential is not None:
            self._own(credential)
        self._name(authorities)

    def _pin(self) -> None:
        lib, raw = self._lib, self.raw
        for command in (_MIN_VERSION, _MAX_VERSION):
            lib.SSL_CTX_ctrl(raw, command, _TLS13, ffi.NULL)
        done = lib.SSL_CTX_set_ciphersuites(raw, ":".join(self.profile.suites).encode())
        for command, names in ((_GROUPS, self.profile.groups), (_SCHEMES, self.profile.signature_schemes)):
            done &= lib.SSL_CTX_ctrl(raw, command, 0, ffi.new("char[]", ":".join(names).encode()))
        if done != 1:
            raise Misuse(f"the system's TLS library does not know all of profile {self.profile.name}: {_reason(lib)}")
        lib.SSL_CTX_set_options(raw, _NO_TICKET)
        lib.SSL_CTX_ctrl(raw, _CACHE_MODE, 0, ffi.NULL)
        lib.SSL_CTX_set_verify(raw, _VERIFY_PEER, ffi.NULL)

    def _listen(self) -> None:
        lib, context = self._lib, self

        @ffi.callback("int(X509_STORE_CTX *, void *)")  # type: ignore[untyped-decorator]
        def judged(store: Any, _: Any) -> int:
            alert = context._of(lib.X509_STORE_CTX_get_ex_data(store, lib.SSL_get_ex_data_X509_STORE_CTX_idx())).judge()
            lib.X509_STORE_CTX_set_error(store, _X509_ERRORS[alert] if alert else 0)
            return int(alert is None)

        @ffi.callback("void(int, int, int, const void *, size_t, SSL *, void *)")  # type: ignore[untyped-decorator]
        def said(sent: int, version: int, content: int, octets: Any, length: int, ssl: Any, _: Any) -> None:
            if content < _PSEUDO:
                context._of(ssl).hear(bool(sent), content, bytes(ffi.buffer(octets, length)))

        @ffi.callback("void(const SSL *, const char *)")  # type: ignore[untyped-decorator]
        def logged(ssl: Any, line: Any) -> None:
            context._of(ssl).secrets.append(ffi.string(line))

        @ffi.callback("int(SSL *, void *)")  # type: ignore[untyped-decorator]
        def stapled(ssl: Any, _: Any) -> int:
            octets = ffi.new("unsigned char **")
            length = lib.SSL_ctrl(ssl, _STATUS_RESPONSE, 0, octets)
            return int(context._of(ssl).check(bytes(ffi.buffer(octets[0], length)) if length > 0 else b""))

        self._kept += [judged, said, logged, stapled]
        lib.SSL_CTX_set_cert_verify_callback(self.raw, judged, ffi.NULL)
        lib.SSL_CTX_set_msg_callback(self.raw, said)
        lib.SSL_CTX_set_keylog_callback(self.raw, logged)
        lib.SSL_CTX_callback_ctrl(self.raw, _STATUS_CALLBACK, ffi.cast("void(*)(void)", stapled))

    def _of(self, ssl: Any) -> Channel:
        return self._channels[int(ffi.cast("uintptr_t", ssl))]

    def _read(self, function: Any, der: bytes) -> Any:
        """A structure of the library from DER."""
        octets = ffi.new("unsigned char[]", der)
        found = function(ffi.NULL, ffi.new("const unsigned char **", octets), len(der))
        if found == ffi.NULL:
            raise Misuse(f"the TLS credential cannot be used: {_reason(self._lib)}")
        return found

    def _own(self, credential: Credential) -> None:
        lib = self._lib
        try:
            loaded = load_pem_private_key(credential.key, None)
        except (ValueError, TypeError) as error:
            raise Misuse(f"the TLS credential cannot be used: {error}") from error
        key = self._read(lib.d2i_AutoPrivateKey, loaded.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        leaf = self._read(lib.d2i_X509, credential.chain[0])
        done = lib.SSL_CTX_use_certificate(self.raw, leaf) and lib.SSL_CTX_use_PrivateKey(self.raw, key)
        lib.X509_free(leaf)  # the context holds its own references
        lib.EVP_PKEY_free(key)
        for der in credential.chain[1:]:
            lib.SSL_CTX_ctrl(self.raw, _EXTRA_CERTIFICATE, 0, self._read(lib.d2i_X509, der))  # which takes ours
        if not done or lib.SSL_CTX_check_private_key(self.raw) != 1:
            raise Misuse(f"the TLS credential cannot be used: {_reason(lib)}; does the key belong to the certificate?")

    def _name(self, authorities: tuple[bytes, ...]) -> None:
        names = self._lib.OPENSSL_sk_new_null()
        for der in authorities:
            subject = x509.load_der_x509_certificate(der).subject.public_bytes()
            self._lib.OPENSSL_sk_push(names, self._read(self._lib.d2i_X509_NAME, subject))
        self._lib.SSL_CTX_set0_CA_list(self.raw, names)

    def channel(self, verify: Verify | None, check_staples: CheckStaples | None = None, wall: Wall = time.time) -> Channel:
        """A fresh TLS channel for one connection; `verify` judges the station's chain."""
        return Channel(Terms(self.profile, False, verify, check_staples, wall=wall), self._engine)

    def _engine(self, channel: Channel) -> "_Engine":
        engine = _Engine(self._lib, self, staples=channel.terms.check_staples is not None)
        self._channels[int(ffi.cast("uintptr_t", engine.ssl))] = channel
        return engine


def _reason(lib: Any) -> str:
    """What the library says, and its queue of errors emptied."""
    reasons = []
    while code := lib.ERR_get_error():
        text = lib.ERR_reason_error_string(code)
        reasons.append(ffi.string(text).decode() if text != ffi.NULL else f"error {code}")
    return "; ".join(dict.fromkeys(reasons)) or "the stream was cut"


class _Engine:
    """A connection of the library."""

    def __init__(self, lib: Any, context: Context, *, staples: bool):
        self._lib, self._context = lib, context
        self.ssl = ffi.gc(lib.SSL_new(context.raw), lib.SSL_free)
        self._in, self._out = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
        self.closed = False
        lib.SSL_set_bio(self.ssl, self._in, self._out)  # which owns them now
        lib.SSL_set_connect_state(self.ssl)
        if staples:
            lib.SSL_ctrl(self.ssl, _STATUS_TYPE, _OCSP, ffi.NULL)  # [V2G20-2372]

    def _checked(self, result: int) -> bool:
        """True when a call did what it should, False when it waits for octets."""
        if result > 0:
            return True
        error = self._lib.SSL_get_error(self.ssl, result)
        if error == _WANT_READ:
            return False
        if error == _ZERO_RETURN:
            self.closed = True
            return False
        raise LibraryError(_reason(self._lib))

    def handshake(self) -> bool:
        self._lib.ERR_clear_error()
        return self._checked(self._lib.SSL_do_handshake(self.ssl))

    def feed(self, octets: bytes) -> None:
        self._lib.BIO_write(self._in, octets, len(octets))

    def drain(self) -> bytes:
        length = self._lib.BIO_ctrl_pending(self._out)
        buffer = ffi.new("char[]", length) if length else b""
        return bytes(ffi.buffer(buffer, self._lib.BIO_read(self._out, buffer, length))) if length else b""

    def read(self) -> bytes:
        pieces, buffer = [], ffi.new("char[]", 16384)
        self._lib.ERR_clear_error()
        while self._checked(length := self._lib.SSL_read(self.ssl, buffer, len(buffer))):
            pieces.append(bytes(ffi.buffer(buffer, length)))
        return b"".join(pieces)

    def write(self, plaintext: bytes) -> None:
        self._lib.ERR_clear_error()
        if not self._checked(self._lib.SSL_write(self.ssl, plaintext, len(plaintext))):
            raise LibraryError("the connection is closed")

    def shut(self) -> None:
        self._lib.SSL_shutdown(self.ssl)
        self._lib.ERR_clear_error()

    def resumed(self) -> bool:
        return bool(self._lib.SSL_session_reused(self.ssl))
