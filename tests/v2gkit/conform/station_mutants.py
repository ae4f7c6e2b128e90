"""Each case that judges a station against our station with its fault.

    python -m tests.v2gkit.conform.station_mutants [--some] [--keep] [ID]...

A mutant must fail its own case. Beside it are played, with their first part, all others that do not last long, or with `--some` one of each
message, its family, and the family that shows the same chains; of its family every part. Which of them fail too is printed with the reason
(`SHARED`), and how many come to no verdict, for a fault of what every session needs keeps most cases from their stimulus. Its own case is
played at a process of its own, the others at the usual station, or at that of its setting where the usual one has not what they need. With
`--keep` each row takes the place of the one that `station_mutants.md` has of its fault.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from tests.v2gkit.conform.faulty_shared import SHARED
from tests.v2gkit.conform.faulty_station import FAULTS, PLACES
from tests.v2gkit.conform.settings import SETTINGS20, equipped, plays
from tests.v2gkit.conform.stations import CLAIMS, QUICK, Own, station
from tests.v2gkit.conform.tabled import authorities, row, show, wrong
from v2g.session.link import address_text
from v2gkit.conform.case import Case
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.pics import Pics
from v2gkit.conform.verdict import Result, Verdict

NEIGHBOURS = (  # a case of each message
    "S-SAP-03", "S-SAP-04", "S-SSU-01", "S-SSU-06", "S-TP-07", "S-AUS-01", "S-AUT-01", "S-AUT-06", "S-CIN-01", "S-PNC-01", "S-SVD-04",
    "S-SVT-02", "S-SEL-01", "S-CPD-03", "S-SCH-01", "S-DCS-01", "S-PWD-03", "S-LOP-03", "S-LOP-07", "S-STP-02", "S-STP-09", "S-GEN-05",
    "S-EXI-04", "S-TLS-15",
)  # fmt: skip
CHEAP = 8.0  # s that a case beside may last
SLOW = ("S-SSU-02", "S-AUS-03", "S-GEN-04")  # that last longer at others' stations, and not at ours
SILENT = ("S-SSU-04", "S-SAP-10", "S-GEN-03", "S-DCS-06", "S-TP-12", "S-AUT-05")  # that wait for a minute

ASKS_THE_SAME = {
    f"S-CRT-{number:02}": family for family, first in (("TLS", 1), ("PNC", 5), ("CIN", 9)) for number in range(first, first + 4)
}
TURNS = ("S-GEN-01", "S-GEN-02")  # that ask in every state what single cases ask in one
ALSO = {  # fault -> cases that are played beside it though they last
    **dict.fromkeys((*SILENT, "S-LOP-04", "S-TP-13"), SILENT),
    **dict.fromkeys(
        (
            "S-SSU-03",
            "S-SSU-06",
            "S-AUS-04",
            "S-SVD-04",
            "S-CIN-07",
            "S-CPD-07",
            "S-SCH-03",
            "S-DCS-03",
            "S-LOP-03",
            "S-PWD-06",
            "S-GEN-01",
        ),
        TURNS,
    ),
    **dict.fromkeys(("S-GEN-02", "S-GEN-05"), TURNS),
}
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
    "S-GEN-02": ("ServiceDetail",),
    "S-GEN-03": ("AuthorizationSetup",),
    "S-CPD-07": ("another session",),
    "S-DCS-03": ("another session",),
    "S-LOP-02": ("DC_BPT Dynamic",),
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
    "S-STP-03": ("C",),
    "S-CRT-01": ("with-root",),
    "S-CRT-02": ("unknown-root",),
    "S-CRT-03": ("leaf-is-ca",),
    "S-CRT-04": ("version1",),
    "S-CRT-05": ("unknown-not-critical",),
    "S-CRT-06": ("unknown-root",),
    "S-CRT-07": ("leaf-is-ca",),
    "S-CRT-08": ("empty",),
    "S-CRT-09": ("unknown-not-critical",),
    "S-CRT-10": ("unknown-root",),
    "S-CRT-11": ("leaf-is-ca",),
    "S-CRT-12": ("empty",),
}
NOT_YET: dict[str, str] = {  # cases without a fault, and why
    "S-PNC-16": "for information: any answer passes",
}
TABLE = Path(__file__).parent / "station_mutants.md"
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


def played(certs: Path, scratch: Path, fault: str, place: str, cases: Iterable[Case], outlets: int) -> dict[str, Result]:
    """The results of cases at our station in a setting, with a fault (empty: without any)."""
    setting = SETTINGS20[place]
    scratch = Path(mkdtemp(dir=scratch))
    own, more, csms = equipped(setting, certs, scratch)
    outlets = min(outlets, setting.outlets)
    with station(scratch, own, setting.offer, outlets, more, fault=fault) as addresses:
        pics = setting.pics(Pics(claims=CLAIMS, test=replace(QUICK, recovery=3.0, mutants=30, paced=6.0)), address_text(addresses[0]))
        return Own(addresses, own, pics.claims, pics.test, setting.iface, csms).judged(cases)


def beside(fault: str, every: bool) -> dict[str, list[Case]]:
    """The cases that are played beside a fault, by the setting of the station: `every` short one, or its family and some."""
    known, own, also = catalogue(), catalogue()[fault], ALSO.get(fault, ())

    def parts(case: Case) -> Case:
        if case.id in TURNS or (case.family == own.family != "CRT" and case.lasts <= CHEAP):
            return case
        return replace(case, parts=tuple(dict.fromkeys((case.parts[0], *NARROW.get(case.id, ())))))

    others = [each for each in known.values() if each.role == "station" and each.generation == "20" and each.id != fault]
    families = (own.family, ASKS_THE_SAME.get(fault, ""))
    others = [each for each in others if every or each.family in families or each.id in (*NEIGHBOURS, *also)]
    short = [parts(each) for each in others if each.claim != "station" and (each.lasts <= CHEAP or each.id in (*SLOW, *also))]
    place = PLACES.get(fault, "usual")
    settings = plays("20", tuple(short))
    return {name: settings.get(name, []) for name in dict.fromkeys(("usual", place))}


def judged(certs: Path, scratch: Path, fault: str, neighbours: bool = True, every: bool = True) -> dict[str, Result]:
    """The results at our station with a fault: of its own case, and of the others."""
    found = played(certs, scratch, fault, PLACES.get(fault, "usual"), [narrowed(catalogue()[fault])], 1)
    for place, cases in beside(fault, every).items() if neighbours else ():
        for outlets in (8, 1):  # what fails is played once more, alone: on a machine with others at work much does that is not the fault's
            if cases:
                found |= played(certs, scratch, fault, place, cases, outlets)
            cases = [each for each in cases if found[each.id].verdict is Verdict.FAIL]
    return found


def main(wanted: list[str], every: bool, keeps: bool = False) -> int:
    """Print a row for each mutant, and on standard error what was seen where its case does not fail, or another; 1 where that is so."""
    bad = 0
    with authorities() as (certs, scratch):
        for fault in (each for each in FAULTS if not wanted or each.startswith(tuple(wanted))):
            found = {id_: (each.verdict, each.seen) for id_, each in judged(certs, scratch, fault, every=every).items()}
            bad += show(row(fault, found, SHARED), wrong(fault, found, SHARED), TABLE if keeps else None, FAULTS)
    if not wanted:
        print(*(f"| {id_} | {why} | | | | |" for id_, why in without().items()), sep="\n")
    return int(bad > 0)


if __name__ == "__main__":
    named = [each for each in sys.argv[1:] if not each.startswith("--")]
    sys.exit(main(named, "--some" not in sys.argv, "--keep" in sys.argv))
