"""E2-END and E2-EXI: how a car of ISO 15118-2 leaves and is left, how long it waits, and octets that no station writes."""

from functools import partial

from v2g.iso20.services import AC
from v2g.messages.iso2.msg_data_types import EVSENotificationType
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car2_exchanges import AC2, CLAIM2, DC2, GOOD2, TABLE2, play2
from v2gkit.conform.cases.car_end import PUNCTUAL, delayed, left_alone, left_in_order
from v2gkit.conform.cases.car_exi import HEADERS, SHARES, TEXTS, bad_header, bombed, mutilated, odd_text
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.good_iso2 import ISO2, ac_status
from v2gkit.conform.verdict import Outcome

STOPPED = 5  # the loop in which a station ends a session
BOMBED = ("SessionSetup", "ServiceDiscovery", "ChargeParameterDiscovery", "CurrentDemand")
car = partial(Case, role="car", domain="CMN", within=60.0, condition=CLAIM2)
octets = partial(
    car, kind=Kind.ROBUSTNESS, control=GOOD2, requirement=(), condition=(*CLAIM2, *DC2), basis="none: octets that no station writes"
)


async def user_stop(bench: CarBench) -> Outcome:
    """The driver stops a car under power, or it stops by itself where nobody can."""
    return await left_in_order(bench, play2())


async def whole_session_of_ac(bench: CarBench) -> Outcome:
    """A session of AC from its beginning to its end, which the station asks for."""
    over = ac_status(EVSENotificationType.StopCharging)
    return await left_in_order(bench, play2(services=(AC.name,), notify=dict.fromkeys(range(STOPPED, STOPPED + 50), over)), "ac")


CASES = (
    car(
        id=GOOD2,
        kind=Kind.POSITIVE,
        requirement=("V2G2-025",),
        purpose="A driver's stop ends a session in order",
        precondition="the charge loop",
        stimulus="the driver stops the car; where the PIXIT says no way, it stops by itself",
        expected=("PowerDelivery(Stop), in DC WeldingDetection, SessionStop, and TCP closed by either side within 5 s",),
        script=user_stop,
        lasts=4.0,
    ),
    car(
        id="E2-END-02",
        kind=Kind.POSITIVE,
        domain=AC.name,
        requirement=(),
        basis="message sequence of the car, AC",
        purpose="A session of AC goes from its beginning to its end",
        stimulus="a good station of AC, which says StopCharging after some loops",
        expected=("ChargingStatus, then PowerDelivery(Stop), SessionStop, and TCP closed by either side within 5 s",),
        script=whole_session_of_ac,
        condition=(*CLAIM2, *AC2),
    ),
    car(
        id="E2-END-03",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        basis="none: the loss of a connection",
        purpose="A car outlives a station that leaves it",
        stimulus="TCP closed by the station, in every state",
        expected=("a safe stop, and the car comes again",),
        script=partial(left_alone, generation="2"),
        condition=(*CLAIM2, *DC2),
        control=GOOD2,
        parts=ISO2.states,
        lasts=5.0,
    ),
    car(
        id="E2-END-04",
        kind=Kind.TIMING,
        requirement=(),
        basis=f"V2G_EVCC_Msg_Timeout, {TABLE2}",
        purpose="A car waits for an answer as long as the standard says",
        stimulus="an answer a tenth of the timeout early, in every state",
        expected=("it is accepted, nine tenths of the time into it",),
        script=partial(delayed, generation="2"),
        condition=(*CLAIM2, *DC2),
        control=GOOD2,
        parts=tuple(f"early {name}" for name in ISO2.states),
        slack=PUNCTUAL,
        lasts=5.0,
    ),
    octets(
        id="E2-EXI-01",
        purpose="A document that claims to go on without end costs a car its session and nothing else",
        stimulus="lengths, integers and lists without end, in responses of four kinds",
        expected=("the session is ended, and the car comes again",),
        script=partial(bombed, generation="2"),
        parts=BOMBED,
        lasts=9.0,
        within=90.0,
    ),
    octets(
        id="E2-EXI-02",
        purpose="A V2GTP header that is none ends the session",
        stimulus="lengths from 0 to 4 GiB, another payload type, another version",
        expected=("the session is ended, and the car comes again",),
        script=partial(bad_header, generation="2"),
        parts=tuple(HEADERS),
        lasts=6.0,
        within=90.0,
    ),
    octets(
        id="E2-EXI-03",
        purpose="A document that was mutilated ends the session, or is another message",
        stimulus="documents cut short, and documents with some bits turned",
        expected=("the session is ended", "it goes on"),
        script=partial(mutilated, generation="2"),
        parts=tuple(f"{way} {number}" for way in ("cut", "turned") for number in range(1, SHARES // 2 + 1)),
        lasts=15.0,
        within=600.0,
    ),
    octets(
        id="E2-EXI-04",
        purpose="A text of a station is shown as text",
        stimulus="format characters, ANSI sequences, SQL, paths and lines in EVSEID",
        expected=("it goes on or stops; nothing of it reaches its output unescaped",),
        script=partial(odd_text, generation="2"),
        parts=tuple(TEXTS),
        lasts=5.0,
    ),
)
