"""Every station chain that is broken on purpose, before the verifier of a car."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from pki.profiles import Role
from v2gkit.conform import chains
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases import car2_tls, car_tls
from v2gkit.conform.cases.certificates import NOBODY, PATHS, PROFILES
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.judging import refused_tls
from v2gkit.conform.verdict import Outcome, Verdict, failed, passed


async def _shown(bench: CarBench) -> Outcome:
    """Whether the car refuses the chain of the part."""
    return refused_tls(await car_tls.shown(bench, bench.certificates.broken(bench.part)))


async def _shown2(bench: CarBench) -> Outcome:
    return refused_tls(await car2_tls.shown(bench, bench.certificates.older.broken(bench.part)))


Shown = Callable[[CarBench], Awaitable[Outcome]]


def taken(show: Shown) -> Shown:
    """A chain that is in order: passes where the car goes on."""

    async def script(bench: CarBench) -> Outcome:
        outcome = await show(bench)
        return passed(outcome.seen) if outcome.verdict is Verdict.FAIL else failed(outcome.seen)

    return script


def borne(show: Shown) -> Shown:
    """A chain of which nobody says whether it is in order: passes where the car refuses it, or goes on."""

    async def script(bench: CarBench) -> Outcome:
        return passed((await show(bench)).seen)

    return script


def four(letter: str, show: Shown, **fields: Any) -> tuple[Case, ...]:
    """The four cases of a generation: what is taken, what path validation and what the profile refuse, and what may not harm."""
    older, first = letter == "E2", f"{letter}-CRT-01"
    case = partial(Case, role="car", domain="CMN", requirement=(), within=60.0, lasts=3.0, **fields)
    return (
        case(
            id=first, kind=Kind.POSITIVE, purpose="A station chain that is in order is taken", basis=PATHS,
            script=taken(show),
            stimulus="a station chain in TLS: issued anew, with what path validation bears", expected=("the car sends its first message",),
            parts=chains.sound(Role.SECC, older),
        ),
        case(
            id=f"{letter}-CRT-02", kind=Kind.NEGATIVE, purpose="A station chain whose path is not valid is refused", basis=PATHS,
            script=show,
            stimulus="a station chain in TLS, which path validation refuses in the way that the part names",
            expected=("an alert, or the end of the connection, without a message",), parts=chains.refused(Role.SECC, older), control=first,
        ),
        case(
            id=f"{letter}-CRT-03", kind=Kind.NEGATIVE, purpose="A station chain that is none by its profile is refused", script=show,
            basis=PROFILES["2" if older else "20"], stimulus="a station chain in TLS with another purpose, usage or algorithm",
            expected=("an alert, or the end of the connection, without a message",), parts=chains.unfit(Role.SECC, older), control=first,
        ),
        case(
            id=f"{letter}-CRT-04", kind=Kind.ROBUSTNESS, purpose="No station chain, however odd, harms the car", script=borne(show),
            basis=NOBODY,
            stimulus="a station chain in TLS with odd names, numbers, extensions or octets", control=first,
            expected=("taken or refused; the car comes again",), parts=chains.open_ones(Role.SECC, older),
        ),
    )  # fmt: skip


CASES = (
    *four("E", _shown, condition=("tls",)),
    *four("E2", _shown2, condition=("generation_2", "tls")),
)
