"""Our own station in every setting that some case needs, and what is claimed of it there.

The first setting of a generation is the usual one; in each other one the cases are played that no setting before it admitted.
"""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from pki.issue import build
from pki.plan import Plan
from pki.profiles import Role
from pki.store import Store, create
from tests.v2gkit.conform.stations import OFFER, OFFER2, PICS, PICS2
from v2gkit.cli.main import main as v2g
from v2gkit.conform.case import Case
from v2gkit.conform.pics import Pics, read
from v2gkit.conform.runner import divided

DIN = {"generation_2": False, "din": True}
WAITS, REFUSES = '[eim]\nrule = "wait"\n', '[eim]\nrule = "refuse"\n'
PRICES = "start,import_price,export_price\n{},0.30,0.10\n{},0.40,0.20\n"  # of a day, from now on


@dataclass(frozen=True)
class Setting:
    """How the station is set up, and how that is claimed. `alone`: its external authorization is that of the outlet the PIXIT name."""

    offer: str
    more: str = ""
    claims: Mapping[str, bool] = field(default_factory=dict)
    iface: str = ""
    outlets: int = 1
    alone: str = ""  # waiting, refusing
    plan: Plan | None = None  # of certificates of its own
    staples: bool = False  # OCSP responses lie beside its certificates
    revoked: str = ""  # the curve of the vehicle certificate that is
    levers: bool = False  # somebody drives its hardware
    own: bool = True  # our station has what is claimed; it is a fault where it has not
    csms: bool = False  # the suite plays its CSMS

    @staticmethod
    def folder() -> Path:
        """Where the levers of stations lie that this process has to do with."""
        return Path(tempfile.gettempdir()) / f"levers-{os.getpid()}"

    def pics(self, base: Pics, outlet: str = "") -> Pics:
        """What is claimed of a station whose usual claims are `base`, with its first outlet as the one that the setting is about."""
        test: dict[str, Any] = {self.alone: outlet} if self.alone else {}
        if self.levers:
            test["triggers"] = {name: f"echo {word} > {self.folder()}/{lever}" for name, (lever, word) in LEVERS.items()}
        return replace(base, claims=replace(base.claims, **self.claims), test=replace(base.test, **test))


def offered(services: str, *authorizations: str, more: str = "") -> str:
    """The table [offer] of a station's file."""
    named = ", ".join(f'"{each}"' for each in authorizations)
    return f"services = [{services}]\nauthorizations = [{named}]\n{more}"


LEVERS = {  # what a tester drives: the file of the outlet's hardware, and the word in it
    "pilot_b": ("pilot", "B"),
    "pilot_c": ("pilot", "C"),
    "contactor_held": ("contactor", "held"),
    "contactor_free": ("contactor", "free"),
    "stop": ("stop", "pressed"),
    "link_up": ("link", "up"),
    "link_down": ("link", "down"),
}
DRIVEN = '[hardware]\ndriver = "tests.v2gkit.conform.driven:Driven"\n[hardware.options]\nlevers = "{levers}"\n'
CSMS = "at a CSMS"
OUTLETS = 16  # of the usual station: its cases wait for some 1,400 s of timers in all
DC_ALONE, AC_ALONE, BOTH = '"DC"', '"AC"', '"DC", "AC"'
EIM, PNC = "EIM", "PnC"
SETTINGS20 = {
    "usual": Setting(OFFER, outlets=OUTLETS),
    "no contracts": Setting(
        offered('"DC", "DC_BPT"', EIM, more="service_renegotiation = false\n"),
        claims={"pnc": False, "certificate_installation": False, "service_renegotiation": False},
    ),
    "nobody decides": Setting(OFFER, WAITS, {"eim_waits": True}, alone="waiting"),
    "nobody may": Setting(OFFER, REFUSES, {"eim_refuses": True}, alone="refusing"),
    "alternating current": Setting(offered('"DC", "DC_BPT", "AC", "AC_BPT"', EIM, PNC), claims={"ac": True}, outlets=4),
    "megawatts": Setting(offered('"MCS"', EIM, PNC), claims={"mcs": True}),
    "readings are confirmed": Setting(OFFER, "[metering]\nconfirm_every = 1.0\n", {"metering_confirmation": True}, outlets=4),
    "both generations": Setting(OFFER, claims={"generation_2": True}),
    "prices": Setting(OFFER, '[site]\nprices = "{prices}"\n', {"signed_prices": True}),
    "value added": Setting(OFFER + 'internet = ["https"]\n', claims={"vas": True}),
    "a status": Setting(OFFER, claims={"staples": True}, staples=True),
    "a status for each certificate": Setting(OFFER, claims={"chain_staples": True}, staples=True, own=False),
    "certificates on Ed448": Setting(OFFER, claims={"ed448": True}, plan=Plan(curves=("secp521r1", "ed448"))),
    "two roots": Setting(OFFER, claims={"two_roots": True}, plan=Plan(v2g_roots=("V2G", "V2GOTHER"))),
    "a vehicle is revoked": Setting(
        OFFER, claims={"revocation": True, "ed448": True}, plan=Plan(curves=("secp521r1", "ed448")), revoked="ed448"
    ),
    "cars that are known": Setting(OFFER, claims={"pcid_known": True}, own=False),
    "on a link": Setting(OFFER, claims={"sdp": True}, iface="lo"),
    "driven": Setting(
        offered('"DC", "AC"', EIM, PNC), DRIVEN, {"hal": True, "ac": True, "sdp": True, "bpt": False}, iface="lo", levers=True
    ),
    CSMS: Setting(OFFER, claims={"ocpp": True}, outlets=4, csms=True),
}
SETTINGS2 = {
    "usual": Setting(OFFER2, outlets=OUTLETS),
    "direct current alone": Setting(offered(DC_ALONE, EIM, PNC), claims={"ac": False}),
    "alternating current alone": Setting(offered(AC_ALONE, EIM, PNC), claims={"dc": False}),
    "nobody decides": Setting(OFFER2, WAITS, {"eim_waits": True}, alone="waiting"),
    "nobody may": Setting(OFFER2, REFUSES, {"eim_refuses": True}, alone="refusing"),
    "receipts": Setting(OFFER2, "[metering]\nconfirm_every = 0.5\n", {"receipts": True}, outlets=4),
    "no contracts": Setting(offered(BOTH, EIM), claims={"pnc": False, "certificate_installation": False}),
    "contracts alone": Setting(offered(BOTH, PNC), claims={"eim": False, "plain_tcp": False}),
    "no pause": Setting(OFFER2 + "pause = false\n", claims={"pause": False}),
    "a status": Setting(OFFER2, claims={"staples": True}, staples=True),
    "a fixed key": Setting(OFFER2, claims={"static_ecdh": True}, own=False),
    "on a link": Setting(OFFER2, claims={"sdp": True}, iface="lo"),
    "on a link without TLS": Setting(
        offered(BOTH, EIM), "tls = false\n", {"sdp": True, "tls12": False, "pnc": False, "tls": False}, iface="lo"
    ),
    CSMS: Setting(OFFER2, claims={"ocpp": True}, outlets=4, csms=True),
}
SETTINGS_DIN = {
    "usual": Setting(OFFER2, claims=DIN, outlets=OUTLETS),
    "both generations": Setting(OFFER2, claims={"generation_2": True, "din": True}),
}
SETTINGS = {"20": SETTINGS20, "2": SETTINGS2, "DIN": SETTINGS_DIN}
BASES = {"20": PICS, "2": PICS2, "DIN": PICS2}


class Equipped(NamedTuple):
    """The certificates of a setting, what stands in the station's file beside its offer, and the port of its CSMS, 0: it has none."""

    certs: Path
    more: str
    csms: int


def free_port() -> int:
    """A port of ::1 that nobody listens at."""
    with socket.socket(socket.AF_INET6) as found:
        found.bind(("::1", 0))
        return int(found.getsockname()[1])


def equipped(setting: Setting, pki: Path, scratch: Path) -> Equipped:
    """What a station in a setting needs."""
    certs, now = pki, datetime.now(UTC)
    if setting.plan is not None:
        certs = scratch / "certs"
        create(certs, [build(setting.plan, curve, now) for curve in setting.plan.curves])
    if setting.revoked:
        vehicle = next(each for each in Store(certs).credentials(Role.VEHICLE) if each.curve == setting.revoked)
        file = scratch / "revoked.pem"
        file.write_bytes(vehicle.leaf.public_bytes(Encoding.PEM))
        assert v2g(["pki", "revoke", "--store", str(certs), str(file)]) == 0
        assert v2g(["pki", "crl", "--store", str(certs), "--role", "oem-sub2", "--curve", setting.revoked]) == 0
    if setting.staples:
        certs = copytree(pki, scratch / "stapled")
        assert v2g(["pki", "staple", "--store", str(certs)]) == 0
    (scratch / "prices.csv").write_text(PRICES.format(int(time.time()) - 60, int(time.time()) + 3600))
    if setting.levers:
        shutil.rmtree(setting.folder(), ignore_errors=True)
        setting.folder().mkdir()
    more = setting.more.format(prices=scratch / "prices.csv", levers=setting.folder())
    csms = free_port() if setting.csms else 0
    first = (f'iface = "{setting.iface}"\n' if setting.iface else "") + (f'ocpp = "ws://[::1]:{csms}/ocpp"\n' if csms else "")
    return Equipped(certs, first + more, csms)


def base(generation: str) -> Pics:
    """What is claimed of the usual station of a generation."""
    path: Path = BASES[generation]
    found = read(path.read_text(), path)
    return replace(found, claims=replace(found.claims, **DIN)) if generation == "DIN" else found


def plays(generation: str, cases: tuple[Case, ...]) -> dict[str, list[Case]]:
    """The cases that are played in each setting: the first that admits one has it."""
    left, found = list(cases), dict[str, list[Case]]()
    for name, setting in SETTINGS[generation].items():
        if not setting.own:
            continue
        found[name], refused = divided(left, setting.pics(base(generation), "[::1]:1"))
        ids = {each.id for each in refused}
        left = [case for case in left if case.id in ids]
    return found
