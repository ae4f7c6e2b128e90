"""Every broken OCSP response in a real handshake: what the check refuses a car refuses, and the station hears why.

The station is the system's OpenSSL 3.0, which staples whatever it is given: newer ones keep back what does not fit, and no car would be
asked.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evcc.trust import staple_facts, vehicle_tls
from pki.errors import CertificateError
from pki.issue import Hierarchy, build
from pki.plan import Plan
from pki.profiles import Role
from pki.status import check
from pki.store import Store, create
from tests.v2gkit.station.test_staples import Handshake
from v2g.session.transport import ClientTls, libssl
from v2g.session.transport import run as connect
from v2gkit.authorities.broken import Bench, octets
from v2gkit.authorities.broken_status import STATUS_VARIANTS, StatusVariant

NOW = datetime.now(UTC).replace(microsecond=0)
CURVES = {"secp521r1": b"P-521", "ed448": b"X448"}
VERIFY_PEER, ACKNOWLEDGED, SILENT = 1, 0, 3
MIN_VERSION, GROUPS, CALLBACK, RESPONSE, TLS13 = 123, 92, 63, 71, 0x0304  # numbers of OpenSSL's public headers

ffi: Any = FFI()
ffi.cdef("""
typedef struct ssl_st SSL; typedef struct ssl_ctx_st SSL_CTX; typedef struct ssl_method_st SSL_METHOD;
const SSL_METHOD *TLS_server_method(void); SSL_CTX *SSL_CTX_new(const SSL_METHOD *); void SSL_CTX_free(SSL_CTX *);
long SSL_CTX_ctrl(SSL_CTX *, int, long, void *); long SSL_CTX_callback_ctrl(SSL_CTX *, int, void (*)(void));
int SSL_CTX_use_certificate_chain_file(SSL_CTX *, const char *); int SSL_CTX_use_PrivateKey_file(SSL_CTX *, const char *, int);
void SSL_CTX_set_verify(SSL_CTX *, int, int (*)(int, void *));
SSL *SSL_new(SSL_CTX *); void SSL_free(SSL *); int SSL_set_fd(SSL *, int); int SSL_accept(SSL *); int SSL_read(SSL *, void *, int);
long SSL_ctrl(SSL *, int, long, void *); void *CRYPTO_malloc(size_t, const char *, int);
unsigned long OpenSSL_version_num(void);
""")


def library() -> Any:
    """The system's OpenSSL, None where it has none that staples unseen octets."""
    if not libssl.available():
        return None
    found = ffi.dlopen("libssl.so.3")
    return found if found.OpenSSL_version_num() >> 20 < 0x306 else None  # 3.6 looks into them


pytestmark = pytest.mark.skipif(
    library() is None, reason="the system's OpenSSL is none of 3.0 to 3.5, which staple whatever they are given"
)


class Hostile:
    """A station that staples these octets to its leaf, and takes any car."""

    def __init__(self, folder: Path, bench: Bench, response: bytes):
        chain, key, lib = folder / "chain.pem", folder / "key.pem", library()
        chain.write_bytes(b"".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in octets(bench.leaf)))
        key.write_bytes(bench.leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._lib, self.asked = lib, 0

        @ffi.callback("int(SSL *, void *)")
        def staple(ssl: Any, _: Any) -> int:
            self.asked += 1
            if not response:
                return SILENT
            kept = lib.CRYPTO_malloc(len(response), b"", 0)  # the library frees it
            ffi.memmove(kept, response, len(response))
            return ACKNOWLEDGED if lib.SSL_ctrl(ssl, RESPONSE, len(response), kept) == 1 else SILENT

        @ffi.callback("int(int, void *)")
        def anybody(_: int, __: Any) -> int:
            return 1

        self._kept = staple, anybody
        self._context = ffi.gc(lib.SSL_CTX_new(lib.TLS_server_method()), lib.SSL_CTX_free)
        lib.SSL_CTX_ctrl(self._context, MIN_VERSION, TLS13, ffi.NULL)
        assert lib.SSL_CTX_ctrl(self._context, GROUPS, 0, ffi.new("char[]", b"P-521:X448")) == 1
        assert lib.SSL_CTX_use_certificate_chain_file(self._context, str(chain).encode()) == 1
        assert lib.SSL_CTX_use_PrivateKey_file(self._context, str(key).encode(), 1) == 1
        lib.SSL_CTX_set_verify(self._context, VERIFY_PEER, anybody)
        lib.SSL_CTX_callback_ctrl(self._context, CALLBACK, ffi.cast("void(*)(void)", staple))

    @contextlib.contextmanager
    def listening(self) -> Iterator[int]:
        """The port, while it serves one car after the other."""
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
            serving = threading.Thread(target=self._serve, args=(listener,), daemon=True)
            serving.start()
            try:
                yield listener.getsockname()[1]
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                serving.join(300)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                car, _ = listener.accept()
            except OSError:
                return
            with car:
                car.settimeout(None)
                ssl = self._lib.SSL_new(self._context)
                self._lib.SSL_set_fd(ssl, car.fileno())
                if self._lib.SSL_accept(ssl) == 1:
                    self._lib.SSL_read(ssl, ffi.new("char[]", 64), 64)  # until the car closes
                self._lib.SSL_free(ssl)


def shake(port: int, car: ClientTls) -> Handshake:
    seen = Handshake()

    async def once() -> None:
        async with asyncio.timeout(300):
            await connect(lambda link: None, "::1", port, car, observe=[lambda *_: seen])

    asyncio.run(once())
    return seen


@pytest.fixture(scope="module", params=CURVES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Hierarchy, Path]:
    hierarchy = build(Plan(), request.param, NOW)
    return hierarchy, create(tmp_path_factory.mktemp("wire") / "pki", [hierarchy]).path


def refused(seen: Handshake, words: str, alert: str | None) -> None:
    assert seen.facts is None
    assert seen.failed is not None
    assert (seen.failed.by, seen.failed.alert) == ("us", alert)
    assert words in seen.failed.reason or "asn1" in seen.failed.reason  # what is no DER the car's library refuses before us


@pytest.mark.parametrize("variant", STATUS_VARIANTS, ids=lambda one: one.name)
def test_what_the_check_refuses_no_car_accepts_on_the_wire(variant: StatusVariant, made: tuple[Hierarchy, Path], tmp_path: Path) -> None:
    hierarchy, path = made
    bench = Bench(hierarchy, Role.SECC, NOW)
    response = variant.response(bench)
    reached = reason = None
    try:
        check(response, bench.leaf.certificate, bench.sub2.certificate, NOW)
    except CertificateError as error:
        reached, reason = error.kind, error.reason
    assert reached is variant.verdict
    station = Hostile(tmp_path, bench, response)
    with station.listening() as port:
        known, leaf = (shake(port, vehicle_tls(Store(path), revocation=each, wall=NOW.timestamp)) for each in ("known", "leaf"))  # type: ignore[arg-type]
    assert station.asked == 2
    if reason is None:
        for seen in (known, leaf):
            assert seen.facts is not None
            assert seen.facts.staples[0] == response
    elif not response:  # nothing was stapled: said to be missing, or refused where it is demanded
        assert known.facts is not None
        assert staple_facts(known.facts)["stapled"][0] is False
        refused(leaf, "stapled no OCSP response", "bad_certificate_status_response")
    else:
        for seen in (known, leaf):
            refused(seen, reason, "bad_certificate_status_response")
