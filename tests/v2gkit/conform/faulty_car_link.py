"""Faults of a car below its messages: octets, TLS, discovery."""

import os
import sys
from dataclasses import replace
from typing import Any

import evcc.client
import evcc.trust as trust
import v2g.session.transport.discovery as discovery
from evcc.car import Car
from evcc.engine import EvccSession
from pki.errors import CertificateError, Kind
from pki.profiles import Role
from tests.v2gkit.conform.car_seeding import dies_of_octets, hears
from tests.v2gkit.conform.seeding import Seed, dies, dies_of_malformed, judges, refuses_a_root
from v2g.messages import common_messages as cm
from v2g.session import sdp
from v2g.session.errors import ConnectionLost, FramingError
from v2g.session.tls import PROFILES, TlsError
from v2g.session.transport.client import ClientTls


def hangs_of_a_header() -> None:
    end, deadline, hung = EvccSession._end, EvccSession.deadline, list[bool]()

    def ends(self: Any, how: str, error: Any) -> None:
        hung.append(True) if isinstance(error, FramingError) else end(self, how, error)

    EvccSession._end = ends  # type: ignore[method-assign]
    EvccSession.deadline = lambda self: None if hung else deadline(self)  # type: ignore[method-assign]


def prints(response: Any) -> Any:
    os.write(2, response.EVSEID.encode() + b"\n")
    return response


# --- TLS ---


def believes(*kinds: Kind) -> Seed:
    """Chains and staples that fail for these reasons are believed."""

    def seed() -> None:
        judge, staples = trust.StationJudge.__call__, trust.StationJudge.staples

        def called(self: Any, chain: Any, at: float) -> Any:
            try:
                return judge(self, chain, at)
            except CertificateError as error:
                if error.kind not in kinds:
                    raise
                return "believed"

        def stapled(self: Any, chain: Any, found: Any, at: float) -> None:
            try:
                staples(self, chain, found, at)
            except AttributeError:
                return
            except CertificateError as error:
                if error.kind not in kinds:
                    raise

        trust.StationJudge.__call__ = called  # type: ignore[method-assign]
        trust.StationJudge.staples = stapled  # type: ignore[method-assign]

    return seed


def one_group() -> None:
    PROFILES["conformance"] = replace(PROFILES["conformance"], groups=("secp521r1",))
    trust.PROFILES["conformance"] = PROFILES["conformance"]


def names_no_roots() -> None:
    sys.argv[:] = [each for each in sys.argv if each != "--name-roots"]


def asks_for_no_staple() -> None:
    begin = ClientTls.__init__
    changed: Any = lambda self, *more, **named: begin(self, *more, **{**named, "check_staples": None})  # noqa: E731
    ClientTls.__init__ = changed  # type: ignore[method-assign]


def shows_another_certificate() -> None:
    made = trust.vehicle_tls
    changed: Any = lambda store, *more, **named: made(store, *more, **{**named, "vehicle": store.credential(Role.PROVISIONING)})  # noqa: E731
    trust.vehicle_tls = changed
    import v2gkit.lab.visit as visit

    visit.vehicle_tls = changed


def dies_of_a_cut() -> None:
    run = evcc.client.run

    async def changed(*given: Any, **named: Any) -> Any:
        ended = await run(*given, **named)
        if isinstance(ended.error, TlsError | ConnectionLost) and getattr(ended.error, "by", "peer") == "peer":
            dies()
        return ended

    evcc.client.run = changed


def over_tls12() -> None:
    """TLS 1.2 is offered beside, any station believed in it, and -20 spoken over it."""
    import v2gkit.lab.visit as visit

    names_no_roots()  # the library that names them knows TLS 1.3 alone
    made, judge = trust.vehicle_tls, trust._judge
    anybody: Any = lambda chain, at: "believed"  # noqa: E731
    anybody.staples = lambda *given: None
    both: Any = lambda store, *more, **named: made(store, *more, **{**named, "versions": ("1.3", "1.2")})  # noqa: E731
    trust._judge = lambda store, rules, *more: anybody if rules is trust.RULES2["conformance"] else judge(store, rules, *more)
    trust.vehicle_tls = visit.vehicle_tls = both
    Car.secure = property(lambda self: True)  # type: ignore[method-assign, assignment]


# --- discovery ---


def patient_discovery() -> None:
    discovery.discover.__kwdefaults__["retry"] = 1.0


def any_header() -> None:
    decode = sdp.decode

    def changed(cls: Any, datagram: bytes) -> Any:
        try:
            return decode(cls, datagram)
        except FramingError:
            return decode(cls, sdp.encode(sdp.Response(sdp.IPv6Address(datagram[8:24]), int.from_bytes(datagram[24:26], "big"))))

    sdp.decode = changed


def believes_answers(*words: str) -> Seed:
    def seed() -> None:
        unusable = sdp.unusable

        def changed(*given: Any, **named: Any) -> str | None:
            why = unusable(*given, **named)
            return None if why is not None and any(word in why for word in words) else why

        sdp.unusable = changed

    return seed


def without_tls() -> None:
    """Believes an answer that says no TLS, and speaks -20 there."""
    if "--iface" not in sys.argv:
        return
    believes_answers("no TLS")()
    sys.argv[:] = [*[each for each in sys.argv if each != "--name-roots"], "--no-tls"]
    asks = sdp.Request.__init__
    changed: Any = lambda self, security=sdp.Security.TLS, transport=sdp.Transport.TCP: asks(self, sdp.Security.TLS, transport)  # noqa: E731
    sdp.Request.__init__ = changed  # type: ignore[method-assign]


LINK: dict[str, Seed] = {
    "E-SDP-01": patient_discovery,
    "E-SDP-02": any_header,
    "E-SDP-03": without_tls,
    "E-SDP-04": believes_answers("port 0", "link-local"),
    "E-SDP-05": lambda: believes(Kind.UNTRUSTED_ROOT)() if "--iface" in sys.argv else None,
    "E-TLS-01": one_group,
    "E-TLS-02": names_no_roots,
    "E-TLS-03": asks_for_no_staple,
    "E-TLS-04": shows_another_certificate,
    "E-TLS-05": believes(Kind.EXPIRED, Kind.NOT_YET_VALID),
    "E-TLS-06": believes(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN),
    "E-TLS-07": believes(Kind.WRONG_PROFILE),
    "E-TLS-08": lambda: sys.argv.extend(("--profile", "interop")),
    "E-TLS-09": believes(Kind.STATUS_UNKNOWN),
    "E-TLS-10": over_tls12,
    "E-TLS-12": dies_of_a_cut,
    "E-CRT-01": judges(trust.StationJudge, refuses_a_root),
    "E-CRT-02": believes(Kind.UNTRUSTED_ROOT, Kind.BROKEN_CHAIN),
    "E-CRT-03": believes(Kind.WRONG_PROFILE),
    "E-CRT-04": judges(trust.StationJudge, dies_of_malformed),
    "E-EXI-01": dies_of_octets(lambda exi: len(exi) > 5000),
    "E-EXI-02": hangs_of_a_header,
    "E-EXI-03": dies_of_octets(lambda exi: 17 < len(exi) < 5000),
    "E-EXI-04": hears(cm.SessionSetupRes, prints),
}
