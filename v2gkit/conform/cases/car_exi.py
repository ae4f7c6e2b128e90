"""E-EXI: octets that no station writes, and texts that no screen should show as they stand."""

from functools import partial
from typing import Any

from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car_negotiation import OFFERED
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.encounter import Encounter
from v2gkit.conform.scripted.faults import octets_of
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Answers, Fault, Play
from v2gkit.conform.scripted.raw import Spoil, filled, flipped, headed, shortened
from v2gkit.conform.scripted.speeches import SPEECHES
from v2gkit.conform.verdict import Outcome, failed, passed

GOOD = "E-END-01"
BOMBED = ("SessionSetup", "AuthorizationSetup", "ServiceDiscovery", "ServiceDetail", "ScheduleExchange", "DC_ChargeLoop")
BOMBS = ((0.4, 0xFF), (0.7, 0x80), (0.95, 0xFF))  # where the document is cut, and what follows: lengths and integers without end
BOMB = 6000  # octets
LENGTHS = (0xFFFFFFF8, 0xFFFFFFFF, 64 * 1024 * 1024, 0)
SHARES = 8  # parts of the random ones, which run beside each other
TEXTS = {
    "format characters": "%s%n%x{0}{__class__}$(id)`id`",
    "ANSI sequences": "\x1b[2J\x1b[31mDE*EVIL\x1b]0;owned\x07",
    "SQL": "DE*E1'; DROP TABLE sessions;--",
    "a path": "../../../../etc/passwd\\..\\..",
    "lines": "DE*E1\nERROR forged line\r\n{}",
}
car = partial(Case, role="car", domain="CMN", control=GOOD, kind=Kind.ROBUSTNESS, within=90.0)


def spoiled(spoil: Spoil) -> Answers:
    """The good answer, its octets spoiled."""

    def answer(request: Any, desk: Desk) -> bytes:
        return spoil(octets_of(request, desk))

    return answer


def survived(bench: CarBench, seen: Encounter, patience: float) -> Outcome:
    """A pass where the car ended the session or went on, and neither crashed nor hangs."""
    reached(seen)
    if crash := bench.crashed(seen):
        return failed(crash)
    if seen.closed is None and not seen.after:
        return failed(f"it hangs: nothing came for {patience:g} s; {seen.story}")
    return passed("the session was ended" if not seen.after else f"it went on with {seen.after[0].name}")


def spoiling(generation: str, name: str, spoil: Spoil) -> Play:
    """A good station of a generation, but for the octets of one answer."""
    return Play(generation=generation, services=OFFERED[generation], fault=Fault(f"{name}Req", spoiled(spoil)))


async def bombed(bench: CarBench, generation: str = "20") -> Outcome:
    """A response of one kind that claims to go on without end."""
    patience = SPEECHES[generation].timeout(bench.part) + bench.close
    told = []
    for share, octet in BOMBS:
        play = spoiling(generation, bench.part, partial(filled, share=share, octet=octet, count=BOMB))
        outcome = survived(bench, await bench.visit(play, patience=patience), patience)
        if outcome.verdict != "pass":
            return failed(f"cut at {share:.0%}, then {BOMB} x 0x{octet:02X}: {outcome.seen}")
        told.append(outcome.seen)
    return passed("; ".join(dict.fromkeys(told)))


def claiming(frame: bytes, length: int) -> bytes:
    """The frame with another length in its header."""
    return frame[:4] + length.to_bytes(4, "big") + frame[8:]


HEADERS: dict[str, Spoil] = {
    **{f"length 0x{length:08X}": partial(claiming, length=length) for length in LENGTHS},
    "wrong payload type": lambda frame: frame[:2] + b"\x12\x34" + frame[4:],
    "wrong version": lambda frame: b"\x02\xfd" + frame[2:],
    "no document": lambda frame: headed(frame, b""),
}


async def bad_header(bench: CarBench, generation: str = "20") -> Outcome:
    """A V2GTP header that is none."""
    patience = SPEECHES[generation].timeout("ServiceDiscovery") + bench.close
    seen = await bench.visit(spoiling(generation, "ServiceDiscovery", HEADERS[bench.part]), patience=patience)
    return ended(seen, patience)


async def mutilated(bench: CarBench, generation: str = "20") -> Outcome:
    """Documents cut short, or with some bits turned; which ones follows from the part and a count, the same in each run."""
    way, _, part = bench.part.partition(" ")
    each = max(1, bench.site.pics.test.mutants // (2 * SHARES))
    told: list[str] = []
    session = SPEECHES[generation].session
    for count in range(each):
        seed = int(part) * 1000 + count
        name = session[seed % len(session)]
        spoil: Spoil = partial(shortened if way == "cut" else flipped, seed=seed)
        patience = SPEECHES[generation].timeout(name) + bench.close
        seen = await bench.visit(spoiling(generation, name, spoil), patience=patience)
        outcome = survived(bench, seen, patience)
        if outcome.verdict != "pass":
            return failed(f"{name}Res {way}, seed {seed}: {outcome.seen}")
        told.append(outcome.seen.partition(" with ")[0])
    return passed(", ".join(f"{told.count(one)} x {one}" for one in dict.fromkeys(told)))


async def odd_text(bench: CarBench, generation: str = "20") -> Outcome:
    """A text in EVSEID that a terminal, a log or a database might take for more than text."""
    text = TEXTS[bench.part]
    fault = Fault("SessionSetupReq", SPEECHES[generation].good)
    play = Play(generation=generation, services=OFFERED[generation], evse_id=text, fault=fault)
    seen = await bench.visit(play, patience=15.0)
    reached(seen)
    if crash := bench.crashed(seen):
        return failed(crash)
    said = seen.process.said if seen.process is not None else ""
    raw = [each for each in ("\x1b", "\x07", "\nERROR forged") if each in said]
    if raw:
        return failed(f"its program prints {raw[0]!r} as it came")
    return passed(f"{len(said)} characters of its program hold nothing as it came")


CASES = (
    car(
        id="E-EXI-01",
        requirement=(),
        purpose="A document that claims to go on without end costs a car its session and nothing else",
        stimulus="lengths, integers and lists without end, in responses of six kinds",
        expected=("the session is ended, and the car comes again",),
        script=bombed,
        parts=BOMBED,
        lasts=9.0,
    ),
    car(
        id="E-EXI-02",
        requirement=(),
        purpose="A V2GTP header that is none ends the session",
        stimulus="lengths from 0 to 4 GiB, another payload type, another version",
        expected=("the session is ended, and the car comes again",),
        script=bad_header,
        parts=tuple(HEADERS),
        lasts=6.0,
    ),
    car(
        id="E-EXI-03",
        requirement=(),
        purpose="A document that was mutilated ends the session, or is another message",
        stimulus="documents cut short, and documents with some bits turned",
        expected=("the session is ended", "it goes on"),
        script=mutilated,
        parts=tuple(f"{way} {number}" for way in ("cut", "turned") for number in range(1, SHARES + 1)),
        lasts=15.0,
        within=600.0,
    ),
    car(
        id="E-EXI-04",
        requirement=(),
        purpose="A text of a station is shown as text",
        stimulus="format characters, ANSI sequences, SQL, paths and lines in EVSEID",
        expected=("it goes on or stops; nothing of it reaches its output unescaped",),
        script=odd_text,
        parts=tuple(TEXTS),
        lasts=5.0,
    ),
)
