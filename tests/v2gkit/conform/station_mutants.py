"""Each case that judges a station against our station with its fault: `python -m tests.v2gkit.conform.station_mutants [ID]...`

A mutant must fail its own case. Which of the neighbours, a case of each of some families, fail too is printed beside it, and which of them
come to no verdict: a fault of what every session needs keeps most cases from their stimulus. Neighbours are played at another process with
the same fault.
"""

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pki.issue import build
from pki.plan import Plan
from pki.store import create
from tests.v2gkit.conform.faulty_station import FAULTS, PLACES
from tests.v2gkit.conform.settings import SETTINGS20, equipped, plays
from tests.v2gkit.conform.stations import CLAIMS, QUICK, Own, station
from v2g.session.link import address_text
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.pics import Pics
from v2gkit.conform.verdict import Result, Verdict

NEIGHBOURS = ("S-SAP-04", "S-SSU-06", "S-TP-07", "S-AUS-05", "S-SVD-03", "S-SEL-01", "S-CPD-02", "S-PWD-05", "S-STP-05", "S-LOP-07")
NARROW = {  # case -> a part that its fault fails, where there are many
    "S-SAP-05": ("twenty",),
    "S-SAP-08": ("SchemaID 255",),
    "S-SSU-06": ("one bit",),
    "S-SSU-07": ("16 octets",),
    "S-SSU-08": ("255 characters",),
    "S-TP-04": ("version",),
    "S-TP-05": ("TLS 0xFFFFFFFF",),
    "S-TP-11": ("common as DC",),
    "S-TP-14": ("AuthorizationSetup",),
    "S-AUT-06": ("EIM with a contract",),
    "S-SVD-02": ("one",),
    "S-SVD-04": ("another session",),
    "S-SVT-02": ("not offered",),
    "S-PWD-04": ("beyond the schedule",),
    "S-PWD-06": ("ScheduleRenegotiation",),
    "S-STP-02": ("AuthorizationSetup",),
    "S-GEN-01": ("AuthorizationSetup",),
    "S-GEN-02": ("ServiceDiscovery",),
    "S-GEN-03": ("AuthorizationSetup",),
    "S-CPD-07": ("another session",),
    "S-DCS-03": ("another session",),
    "S-LOP-02": ("DC Scheduled",),
    "S-LOP-08": ("exponent 127",),
    "S-LOP-11": ("everything",),
    "S-CPD-03": ("plain under BPT",),
    "S-CPD-04": ("exponent 127",),
    "S-DCS-05": ("beyond the outlet",),
    "S-DCS-06": ("PreCharge",),
    "S-SCH-05": ("1025",),
    "S-SCH-07": ("MinimumSOC above TargetSOC",),
    "S-EXI-01": ("a cookie",),
    "S-EXI-02": ("SessionSetup",),
    "S-EXI-03": ("SessionID 2^31",),
    "S-EXI-04": ("100 octets",),
    "S-EXI-05": ("17 services",),
    "S-EXI-07": ("an octet behind it",),
    "S-EXI-08": ("ServiceSelection",),
    "S-CPD-05": ("most below least",),
    "S-PWD-07": ("confirmed",),
    "S-TLS-04": ("x448",),
    "S-TLS-05": ("x25519",),
    "S-TLS-15": ("expired",),
    "S-TLS-17": ("unknown-root",),
    "S-TLS-18": ("missing-subs",),
    "S-TLS-19": ("wrong-purpose",),
    "S-TLS-20": ("no-digital-signature",),
    "S-TLS-21": ("unknown-critical",),
    "S-PNC-07": ("another Id in the body",),
    "S-PNC-08": ("the same twice",),
    "S-PNC-09": ("HMAC",),
    "S-PNC-10": ("131 octets",),
    "S-PNC-11": ("expired",),
    "S-PNC-12": ("unknown-root",),
    "S-PNC-13": ("wrong-purpose",),
    "S-PNC-14": ("garbage",),
    "S-MTR-02": ("another reading",),
    "S-TLS-23": ("P-256",),
    "S-TLS-25": ("records",),
    "S-SDP-08": ("3",),
    "S-SDP-11": ("UDP",),
    "S-SAP-02": ("-20 first",),
    "S-CIN-02": ("another key",),
    "S-CIN-03": ("expired",),
    "S-CIN-07": ("another session",),
    "S-LOP-03": ("other control",),
}
NO_PILOT = "nothing drives a pilot, contactor or button here: blocked"
NOT_YET: dict[str, str] = {  # cases without a fault, and why
    **dict.fromkeys(("S-DCS-02", "S-LOP-14", "S-PWD-02", "S-STP-03"), NO_PILOT),
    "S-SDP-12": NO_PILOT,
    "S-TLS-16": "no vehicle is revoked here: blocked",
    "S-PNC-16": "for information: any answer passes",
}
UNPLAYED = "it does not apply to the station of the mutants"
UNSEEDED = "no fault is seeded yet"


def without() -> dict[str, str]:
    """The cases of a station that no fault is seeded for, each with the reason."""
    cases = [case for case in catalogue().values() if case.role == "station" and case.generation == "20" and case.id not in FAULTS]
    unplayed = {case.id for case in cases} - {case.id for found in plays("20", tuple(cases)).values() for case in found}
    return {case.id: NOT_YET.get(case.id, UNPLAYED if case.id in unplayed else UNSEEDED) for case in cases}


def narrowed(case: Case) -> Case:
    """The case with the part that its fault fails."""
    return replace(case, parts=NARROW.get(case.id, case.parts))


def _played(certs: Path, scratch: Path, fault: str, cases: Iterable[Case], outlets: int) -> dict[str, Result]:
    setting = SETTINGS20[PLACES.get(fault, "usual")]
    scratch = scratch / f"{fault}-{outlets}"
    scratch.mkdir()
    own, more = equipped(setting, certs, scratch)
    with station(scratch, own, setting.offer, outlets, more, fault=fault) as addresses:
        pics = setting.pics(Pics(claims=CLAIMS, test=replace(QUICK, recovery=3.0, mutants=30)), address_text(addresses[0]))
        return Own(addresses, own, pics.claims, pics.test, setting.iface).judged(cases)


def judged(certs: Path, scratch: Path, fault: str, neighbours: bool = True) -> dict[str, Result]:
    """The results at our station with a fault: of its own case, and of the neighbours."""
    known = catalogue()
    found = _played(certs, scratch, fault, [narrowed(known[fault])], 1)
    others = [replace(known[each], parts=known[each].parts[:1]) for each in NEIGHBOURS if each != fault]
    return {**found, **(_played(certs, scratch, fault, others, 4) if neighbours else {})}


def row(fault: str, found: dict[str, Result]) -> str:
    """The row of a mutant in the table."""
    others = {id_: each.verdict for id_, each in found.items() if id_ != fault}
    failed = ", ".join(id_ for id_, verdict in others.items() if verdict is Verdict.FAIL) or "none"
    unclear = sum(verdict not in (Verdict.FAIL, Verdict.PASS) for verdict in others.values())
    return f"| {fault} | {found[fault].verdict.value} | {failed} | {unclear} |"


def main(wanted: list[str]) -> int:
    """Print a row for each mutant, and on standard error what was seen of one that its case does not fail; 1 where there is such a one."""
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        certs = Path(folder) / "certs"
        create(certs, [build(Plan(), curve, datetime.now(UTC)) for curve in ("secp521r1", "secp256r1")])
        for fault in (each for each in FAULTS if not wanted or each.startswith(tuple(wanted))):
            found = judged(certs, Path(folder), fault)
            print(row(fault, found), flush=True)
            if found[fault].verdict is not Verdict.FAIL:
                bad += 1
                print(f"{fault}: {found[fault].seen}", file=sys.stderr, flush=True)
    if not wanted:
        print(*(f"| {id_} | {why} | | |" for id_, why in without().items()), sep="\n")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
