"""E-END: how a car leaves, what it makes of a station that leaves it, and how long it waits in each state."""

from functools import partial

from v2gkit.conform.case import Case, Kind
from v2gkit.conform.cases.car_negotiation import EARLY, ENDS
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.encounter import is_loop
from v2gkit.conform.scripted.faults import STATES, timeout_of
from v2gkit.conform.scripted.judging import ended, reached, went_on
from v2gkit.conform.scripted.play import Fault, Play
from v2gkit.conform.scripted.speeches import SPEECHES
from v2gkit.conform.verdict import Outcome, failed, passed

GOOD = "E-END-01"
ENDING = ("PowerDelivery", "DC_WeldingDetection", "DC_ChargeLoop", "WeldingDetection", "CurrentDemand")  # SessionStop may follow
WELDING = {"DC_WeldingDetection", "WeldingDetection"}
SHARE = 0.1  # of a timeout, by which an answer comes before or after it
PUNCTUAL = EARLY / 4  # s that this side may be late with such an answer, and as much again in hearing what it answers
car = partial(Case, role="car", domain="CMN", within=60.0)
WITHHELD = ("supportedAppProtocol", "SessionSetup", "DC_ChargeLoop", "SessionStop")  # answers that do not come are cases of their own
DELAYED = (*(f"early {name}" for name in STATES), *(f"late {name}" for name in STATES if name not in WITHHELD))


async def user_stop(bench: CarBench) -> Outcome:
    """The driver stops a car under power, or it stops by itself where nobody can."""
    return await left_in_order(bench, Play())


async def left_in_order(bench: CarBench, play: Play, trigger: str = "") -> Outcome:
    """Whether a car leaves a good station by PowerDelivery, in DC welding detection, SessionStop, and closes in time.

    With a `trigger` it stops by itself, or as the play wants it; else its driver stops it, where the PIXIT says how.
    """
    by_driver = bool(bench.site.pics.test.stop) and not trigger
    seen = await (bench.visit(play, trigger="long", stop_after=5) if by_driver else bench.visit(play, trigger=trigger))
    if not seen.charged:
        raise Unreached(f"the car did not come to the charge loop: {seen.story}")
    last = max(number for number, each in enumerate(seen.heard) if is_loop(each.request))
    leaving = list(dict.fromkeys(seen.names[last + 1 :]))
    if not (leaving[:1] == ["PowerDelivery"] and leaving[-1] == "SessionStop" and set(leaving[1:-1]) <= WELDING):
        return failed(f"it left by {' > '.join(leaving) or 'nothing'}; {seen.story}")
    if seen.closed is None:
        return failed("TCP was not closed")
    took = seen.closed.at - seen.heard[-1].at
    bound = SPEECHES[play.generation].generation.close + bench.site.pics.test.slack
    told = f"{' > '.join(leaving)}, TCP closed by {seen.closed.by} after {took:.2f} s"
    return passed(told) if took <= bound else failed(told)


async def stop_unanswered(bench: CarBench) -> Outcome:
    """SessionStopReq is not answered, or FAILED."""
    limit = timeout_of("SessionStop")
    answer = faults.silence if bench.part == "withheld" else faults.failed
    seen = await bench.visit(Play(fault=Fault("SessionStopReq", answer, always=True)), patience=limit + bench.close)
    return ended(seen, limit + bench.close, limit - EARLY if bench.part == "withheld" else 0.0)


async def left_alone(bench: CarBench, generation: str = "20") -> Outcome:
    """The station closes TCP in one state; the car may not crash, and comes again."""
    seen = await bench.visit(Play(generation=generation, fault=Fault(f"{bench.part}Req", faults.closes)))
    reached(seen)
    crash = bench.crashed(seen)
    return failed(crash) if crash else passed(f"closed at {bench.part}; the car stopped")


async def delayed(bench: CarBench, generation: str = "20") -> Outcome:
    """An answer a tenth of the timeout before it is over, at least 0.2 s, or a tenth after: less is lost where a machine is busy."""
    way, _, name = bench.part.partition(" ")
    limit = SPEECHES[generation].timeout(name)
    if way == "late":
        play = Play(generation=generation, fault=Fault(f"{name}Req", faults.late(limit * (1 + SHARE))))
        seen = await bench.visit(play, patience=limit + bench.close)
        return ended(seen, limit + bench.close, limit - EARLY)
    play = Play(generation=generation, fault=Fault(f"{name}Req", faults.late(limit - max(limit * SHARE, EARLY))))
    seen = await bench.visit(play, patience=limit + 4.0)
    reached(seen)
    if name == "SessionStop":
        over = bool(seen.closed and seen.closed.by == "car" and seen.said and seen.said[-1][0] <= seen.closed.at)
        return passed("it waited for the answer") if over else failed(f"it did not wait for SessionStopRes: {seen.story}")
    if name in ENDING and "SessionStop" in seen.names:
        return passed("the answer was accepted, the session ended in order")
    return went_on(seen)


async def wrong_type(bench: CarBench) -> Outcome:
    """An OK response that belongs to another request, in one state."""
    return ended(await bench.visit(Play(fault=Fault(f"{bench.part}Req", faults.wrong_type))), bench.close)


CASES = (
    car(
        id=GOOD,
        kind=Kind.POSITIVE,
        requirement=("V2G20-1643",),
        purpose="A driver's stop ends a session in order",
        precondition="the charge loop",
        stimulus="the driver stops the car; where the PIXIT says no way, it stops by itself",
        expected=("PowerDelivery(Stop), in DC WeldingDetection, SessionStop, and TCP closed by either side within 5 s",),
        script=user_stop,
        lasts=4.0,
    ),
    car(
        id="E-END-02",
        kind=Kind.TIMING,
        requirement=("V2G20-436",),
        purpose="A station that does not answer SessionStop is left",
        stimulus="SessionStopRes withheld, or FAILED",
        expected=("TCP is closed, after 2 s where nothing is answered",),
        script=stop_unanswered,
        control=GOOD,
        parts=("withheld", "FAILED"),
        lasts=6.0,
    ),
    car(
        id="E-END-03",
        kind=Kind.ROBUSTNESS,
        requirement=(),
        purpose="A car outlives a station that leaves it",
        stimulus="TCP closed by the station, in every state",
        expected=("a safe stop, and the car comes again",),
        script=left_alone,
        control=GOOD,
        parts=STATES,
        lasts=5.0,
        within=60.0,
    ),
    car(
        id="E-END-04",
        kind=Kind.TIMING,
        requirement=("V2G20-436", "V2G20-437", "V2G20-438", "V2G20-439", "V2G20-440"),
        purpose="A car waits for an answer as long as the standard says",
        stimulus="an answer a tenth of the timeout early (at least 0.2 s) or late, in every state",
        expected=("early: it is accepted; late: the session is ended",),
        script=delayed,
        control=GOOD,
        parts=DELAYED,
        slack=PUNCTUAL,
        lasts=5.0,
    ),
    car(
        id="E-END-05",
        kind=Kind.NEGATIVE,
        requirement=(),
        purpose="An answer to another question is none",
        stimulus="an OK response of the wrong type, in every state",
        expected=ENDS,
        script=wrong_type,
        control=GOOD,
        parts=STATES,
    ),
)
