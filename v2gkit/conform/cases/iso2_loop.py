"""ISO 15118-2, CurrentDemand, ChargingStatus and MeteringReceipt: what goes on while power flows."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from pki.keys import ALGORITHMS
from pki.profiles import Role
from v2g.iso2.physical import MOST, A, V, W, number, physical
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2 import msg_data_types as mt
from v2g.messages.iso2.msg_data_types import DC_EVErrorCodeType as Fault
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2gkit.conform import asked2
from v2gkit.conform.asked2 import OF_AC, OF_DC
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import OUT_OF_TURN, granted, out_of_turn, told
from v2gkit.conform.running import Unreached
from v2gkit.conform.verdict import Outcome, failed, judged
from v2gkit.conform.visit2 import Visit2

PERIOD = 0.1  # s between two requests of a loop
SETTLES = 3.0  # s in which an output follows what is asked
PATIENCE = 20.0  # s in which a station asks for a receipt
INVALID = "FAILED_MeteringSignatureNotValid"
DC, AC = ("generation_2", "dc"), ("generation_2", "ac")
case = partial(Case, role="station", precondition="the charge loop goes", within=90.0)
put = msgspec.structs.replace


async def charging(bench: AtStation, kind: str, **ways: object) -> Visit2:
    """A car in its charge loop."""
    visit = await bench.visit2("usual", mode=Transfer.DC_extended if kind == OF_DC else bench.three_or_one, **ways)
    return await visit.upto(visit.loop)


async def paced(bench: AtStation, kind: str) -> Outcome:
    """The loop at a pace, for as long as the PIXIT say (at most half a minute)."""
    visit = await charging(bench, kind)
    limit = visit.generation.timing(type(visit.due())).secc_performance + bench.pics.test.slack
    until, seconds = time.monotonic() + min(bench.pics.test.paced, 30.0), list[float]()
    while time.monotonic() < until:
        reply = await visit.ask(visit.due())
        if not reply.ok or reply.seconds > limit:
            return failed(f"answer {len(seconds) + 1}: {reply}, at most {limit:g} s")
        seconds.append(reply.seconds)
        await asyncio.sleep(PERIOD)
    seconds.sort()
    return judged(bool(seconds), f"{len(seconds)} answers, half of them within {1000 * seconds[len(seconds) // 2]:.0f} ms")


async def named(bench: AtStation, kind: str) -> Outcome:
    """The loop names the outlet and the schedule of the session."""
    visit = await charging(bench, kind)
    response = await visit.granted(visit.due())
    outlet, chosen = visit.heard.of("SessionSetupRes").EVSEID, visit.tuple.SAScheduleTupleID
    seen = f"EVSEID {response.EVSEID}, schedule {response.SAScheduleTupleID}; those of the session are {outlet}, {chosen}"
    return judged((response.EVSEID, response.SAScheduleTupleID) == (outlet, chosen), seen)


async def unreceipted(bench: AtStation, kind: str) -> Outcome:
    """Nobody signs who does not pay by contract."""
    visit = await charging(bench, kind, authorization="EIM")
    for _ in range(10):
        response = await visit.granted(visit.due())
        if response.ReceiptRequired:
            return failed("ReceiptRequired in a session that is paid otherwise")
        await asyncio.sleep(PERIOD)
    return judged(True, "ten answers, none asks for a receipt")


async def metered(bench: AtStation, kind: str) -> Outcome:
    """The reading of the meter never goes back."""
    visit = await charging(bench, kind)
    readings = list[int]()
    for _ in range(10):
        response = await visit.granted(visit.due())
        if response.MeterInfo is not None and response.MeterInfo.MeterReading is not None:
            readings.append(response.MeterInfo.MeterReading)
        await asyncio.sleep(PERIOD)
    return judged(len(readings) == 10 and readings == sorted(readings), f"readings {readings} Wh")


# --- DC ---


def _stated(visit: Visit2) -> tuple[float, float]:
    """The most voltage (V) and current (A) of the outlet, as it said."""
    said = visit.heard.of("ChargeParameterDiscoveryRes").EVSEChargeParameter
    return number(said.EVSEMaximumVoltageLimit), number(said.EVSEMaximumCurrentLimit)


async def _settled(visit: Visit2, **other: Any) -> Any:
    """The last response of a loop that asks for the same for a while. Raises Unreached where it is refused."""
    until = time.monotonic() + SETTLES
    response: Any = None
    while time.monotonic() < until:
        response = await visit.granted(asked2.loop(visit.ways, **other))
        await asyncio.sleep(PERIOD)
    return response


async def followed(bench: AtStation) -> Outcome:
    """The output follows the current that the car asks for."""
    visit = await charging(bench, OF_DC)
    seen = list[float]()
    for wanted in (10.0, 20.0):
        response = await _settled(visit, EVTargetCurrent=physical(wanted, A))
        seen.append(number(response.EVSEPresentCurrent))
    well = all(abs(present - wanted) <= max(1.0, 0.1 * wanted) for present, wanted in zip(seen, (10.0, 20.0), strict=True))
    return judged(well, f"{seen[0]:g} A and {seen[1]:g} A, asked were 10 A and 20 A")


GREEDY: Mapping[str, dict[str, Any]] = {
    "current": {"EVTargetCurrent": physical(MOST, A), "EVMaximumCurrentLimit": physical(MOST, A), "EVMaximumPowerLimit": physical(MOST, W)},
    "voltage": {"EVTargetVoltage": physical(MOST, V), "EVMaximumVoltageLimit": physical(MOST, V)},
}


async def greedy(bench: AtStation) -> Outcome:
    """More than the outlet can give."""
    visit = await charging(bench, OF_DC)
    volts, amperes = _stated(visit)
    reply = await visit.ask(asked2.loop(visit.ways, **GREEDY[bench.part]))
    if not reply.ok:
        return judged(reply.refused, str(reply))
    response = await _settled(visit, **GREEDY[bench.part])
    present = number(response.EVSEPresentVoltage), number(response.EVSEPresentCurrent)
    told_ = response.EVSECurrentLimitAchieved or response.EVSEVoltageLimitAchieved or response.EVSEPowerLimitAchieved
    well = present[0] <= 1.02 * volts and present[1] <= 1.02 * amperes and told_
    seen = f"{present[0]:g} V, {present[1]:g} A, a limit is {'told' if told_ else 'not told'}; stated were {volts:g} V, {amperes:g} A"
    return judged(well, seen)


async def bounded(bench: AtStation) -> Outcome:
    """A car that asks for more than its own limit."""
    visit = await charging(bench, OF_DC)
    response = await _settled(visit, EVTargetCurrent=physical(20.0, A), EVMaximumCurrentLimit=physical(10.0, A))
    present = number(response.EVSEPresentCurrent)
    return judged(present <= 11.0, f"{present:g} A, the car's limit is 10 A")


LEAST = mt.PhysicalValueType(Multiplier=3, Unit=mt.unitSymbolType.A, Value=-32_768)
HOSTILE: Mapping[str, dict[str, Any]] = {
    "negative current": {"EVTargetCurrent": LEAST},
    "negative voltage": {"EVTargetVoltage": physical(-400.0, V)},
    "limits below zero": {"EVMaximumCurrentLimit": LEAST, "EVMaximumPowerLimit": physical(-1.0, W)},
    "volts of current": {"EVTargetCurrent": physical(10.0, V)},
    "a fault of its battery": {"DC_EVStatus": asked2.ready(True, error=Fault.FAILED_EVRESSMalfunction)},
    "not ready": {"DC_EVStatus": asked2.ready(False)},
    "complete": {"ChargingComplete": True, "BulkChargingComplete": True, "EVTargetCurrent": physical(0.0, A)},
    "for ever": {
        "RemainingTimeToFullSoC": physical(MOST, mt.unitSymbolType.s),
        "RemainingTimeToBulkSoC": physical(-1.0, mt.unitSymbolType.s),
    },
}


async def hostile(bench: AtStation) -> Outcome:
    """Numbers that contradict themselves."""
    visit = await charging(bench, OF_DC)
    await visit.granted(visit.due())
    reply = await visit.ask(asked2.loop(visit.ways, **HOSTILE[bench.part]))
    return judged(reply.name == "CurrentDemandRes" and (reply.ok or reply.fatal), str(reply))


async def gone(bench: AtStation) -> Outcome:
    """A car that drops its connection under power."""
    visit = await charging(bench, bench.part)
    await visit.granted(visit.due())
    visit.wire.abandon(reset=True)
    wrong = await bench.recovered()
    return judged(not wrong, wrong or "the next car is served")


async def allowed(bench: AtStation) -> Outcome:
    """The current that an AC station allows is within what it stated."""
    visit = await charging(bench, OF_AC)
    stated = number(visit.heard.of("ChargeParameterDiscoveryRes").EVSEChargeParameter.EVSEMaxCurrent)
    response = await visit.granted(visit.due())
    if response.EVSEMaxCurrent is None:
        return judged(True, f"no EVSEMaxCurrent in the loop; stated were {stated:g} A")
    now = number(response.EVSEMaxCurrent)
    return judged(0 <= now <= 1.001 * stated, f"{now:g} A are allowed, stated were {stated:g} A")


# --- receipts ---


async def asked_for(bench: AtStation) -> tuple[Visit2, Any]:
    """A session in whose loop the station asks for a receipt, and the response that does. Raises Unreached."""
    visit = await charging(bench, OF_DC if bench.pics.claims.dc else OF_AC, authorization="PnC")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        response = await visit.granted(asked2.loop(visit.ways))
        if response.ReceiptRequired and response.MeterInfo is not None:
            return visit, response
        await asyncio.sleep(PERIOD)
    raise Unreached(f"no receipt was asked for in {PATIENCE:g} s of charging")


def receipt(visit: Visit2, response: Any, **other: Any) -> mb.MeteringReceiptReq:
    """What the car signs; `other` fields replace those of the reading."""
    given = {"SessionID": visit.heard.session_id, "SAScheduleTupleID": visit.tuple.SAScheduleTupleID, "MeterInfo": response.MeterInfo}
    return mb.MeteringReceiptReq(**{"Id": "id1", **given, **other})


async def signed(bench: AtStation) -> Outcome:
    """The reading that was shown, signed by the contract."""
    visit, response = await asked_for(bench)
    reply = await visit.ask(asked2.sealed(receipt(visit, response), visit.wallet.credential(Role.CONTRACT).key))
    if not reply.ok:
        return failed(str(reply))
    return granted(await visit.ask(asked2.loop(visit.ways)))


def _key(visit: Visit2) -> Any:
    return visit.wallet.credential(Role.CONTRACT).key


def _changed(visit: Visit2, response: Any) -> Any:
    sound = asked2.sealed(receipt(visit, response), _key(visit))
    return sound._replace(message=receipt(visit, response, MeterInfo=put(response.MeterInfo, MeterReading=999_999)))


FORGED: Mapping[str, Callable[[Visit2, Any], Any]] = {
    "another key": lambda visit, response: asked2.sealed(receipt(visit, response), ALGORITHMS["secp256r1"].generate()),
    "the reading changed": _changed,
    "another reading": lambda visit, response: asked2.sealed(
        receipt(visit, response, MeterInfo=put(response.MeterInfo, MeterReading=999_999)), _key(visit)
    ),
    "another session": lambda visit, response: asked2.sealed(receipt(visit, response, SessionID=bytes(range(1, 9))), _key(visit)),
    "no signature": receipt,
}


async def forged(bench: AtStation) -> Outcome:
    """A reading that the contract did not sign, or that was not shown."""
    visit, response = await asked_for(bench)
    return told(visit, await visit.ask(FORGED[bench.part](visit, response)), INVALID, of=mb.MeteringReceiptReq)


async def unsigned_on(bench: AtStation) -> Outcome:
    """The loop goes on where a receipt is due."""
    visit, _ = await asked_for(bench)
    return await out_of_turn(bench, visit, asked2.loop(visit.ways))


async def ended_instead(bench: AtStation) -> Outcome:
    """A car that must stop does not sign first."""
    visit, _ = await asked_for(bench)
    return granted(await visit.ask(asked2.delivery(Progress.Stop, visit.tuple.SAScheduleTupleID), 10.0), "PowerDeliveryRes")


def _both(number_: int, **given: Any) -> tuple[Case, ...]:
    """A case for each kind of charging."""
    script, condition, purpose = given.pop("script"), given.pop("condition", ()), given.pop("purpose")
    return tuple(
        case(
            id=f"S2-LOP-{number_ + each:02}", domain=kind, condition=("generation_2", kind.lower(), *condition), **given,
            purpose=f"{purpose}: {kind}", script=partial(script, kind=kind), control="" if number_ == 1 else f"S2-LOP-{1 + each:02}",
        )
        for each, kind in enumerate((OF_DC, OF_AC))
    )  # fmt: skip


RECEIPTS = ("generation_2", "pnc", "tls12", "receipts")
CASES = (
    *_both(
        1, kind=Kind.TIMING, requirement=(), basis="table 109", purpose="The loop is answered in time", script=paced, lasts=30.0,
        stimulus="requests of the charge loop, ten a second", expected=("OK each time, within the performance time and the slack",),
    ),
    *_both(
        3, kind=Kind.POSITIVE, requirement=(), basis="8.4.5.4, 8.4.4.2", purpose="The loop names outlet and schedule", script=named,
        stimulus="a request of the charge loop", expected=("EVSEID of SessionSetupRes, the id of the schedule that the car chose",),
    ),
    *_both(
        5, kind=Kind.POSITIVE, requirement=("V2G2-691",), purpose="Nobody signs a receipt who does not pay by contract", script=unreceipted,
        condition=("eim",), stimulus="ten requests of the charge loop", expected=("ReceiptRequired never true",), lasts=4.0,
    ),
    *_both(
        7, kind=Kind.POSITIVE, requirement=("V2G2-902",), purpose="A meter counts on", script=metered, condition=("meter",), lasts=4.0,
        stimulus="ten requests of the charge loop", expected=("MeterInfo each time, its reading never less than before",),
    ),
    case(
        id="S2-LOP-09", domain=OF_DC, kind=Kind.POSITIVE, requirement=(), basis="8.4.5.4, CurrentDemandReq", condition=DC, script=followed,
        purpose="The output follows the car", stimulus="10 A, then 20 A, each for some seconds",
        expected=("within a tenth of what is asked",),
        lasts=9.0, control="S2-LOP-01",
    ),
    case(
        id="S2-LOP-10", domain=OF_DC, kind=Kind.NEGATIVE, requirement=(), basis="8.4.5.4, CurrentDemandRes", condition=DC, script=greedy,
        purpose="No outlet gives more than it stated", stimulus="a current and a voltage far beyond its limits", parts=tuple(GREEDY),
        expected=("within its limits, and it says that one is reached", "FAILED"), lasts=6.0, control="S2-LOP-09",
    ),
    case(
        id="S2-LOP-11", domain=OF_DC, kind=Kind.NEGATIVE, requirement=(), basis="8.4.5.4, EVMaximumCurrentLimit", condition=DC,
        script=bounded,
        purpose="A car's limit holds against its own wish", stimulus="20 A are asked for with a limit of 10 A",
        expected=("no more than 10 A",), lasts=6.0, control="S2-LOP-09",
    ),
    case(
        id="S2-LOP-12", domain=OF_DC, kind=Kind.ROBUSTNESS, requirement=(), basis="8.5.2.7, PhysicalValue", condition=DC, script=hostile,
        purpose="Numbers that contradict themselves harm nobody", stimulus="negative values, units that do not fit, faults",
        expected=("OK or FAILED; a good car is served afterwards",), parts=tuple(HOSTILE), lasts=3.0, control="S2-LOP-01",
    ),
    *(
        case(
            id=f"S2-LOP-{number_}", domain=kind, kind=Kind.NEGATIVE, requirement=(), basis="8.7.2.3",
            condition=("generation_2", kind.lower()),
            purpose=f"A car that drops its connection under power is followed by the next: {kind}", stimulus="TCP RST in the loop",
            expected=("a good car is served within the time of recovery",), script=gone, parts=(kind,), lasts=4.0, control=control,
        )
        for number_, kind, control in ((13, OF_DC, "S2-LOP-01"), (14, OF_AC, "S2-LOP-02"))
    ),
    case(
        id="S2-LOP-15", domain=OF_AC, kind=Kind.POSITIVE, requirement=(), basis="8.4.4.2, ChargingStatusRes", condition=AC, script=allowed,
        purpose="An AC station allows no more than it stated", stimulus="ChargingStatusReq", control="S2-LOP-02",
        expected=("EVSEMaxCurrent within that of ChargeParameterDiscoveryRes, or none",),
    ),
    case(
        id="S2-MTR-01", domain="CMN", kind=Kind.POSITIVE, requirement=("V2G2-903", "V2G2-904"), condition=RECEIPTS, script=signed,
        lasts=8.0,
        precondition="a receipt is asked for", purpose="A signed reading is taken", control="S2-PNC-01",
        stimulus="MeteringReceiptReq with the reading of the loop, signed by the contract", expected=("OK, and the loop goes on",),
    ),
    case(
        id="S2-MTR-02", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-481",), condition=RECEIPTS, script=forged, parts=tuple(FORGED),
        precondition="a receipt is asked for", purpose="Only what was shown counts, and only signed by the contract", control="S2-MTR-01",
        stimulus="another key, another reading, another session, changed after signing, unsigned", lasts=8.0,
        expected=(f"MeteringReceiptRes with {INVALID}",),
    ),
    case(
        id="S2-MTR-03", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-538",), condition=RECEIPTS, script=unsigned_on, lasts=8.0,
        precondition="a receipt is asked for", purpose="A receipt that is due comes before the loop", control="S2-MTR-01",
        stimulus="a request of the charge loop", expected=(OUT_OF_TURN,),
    ),
    case(
        id="S2-MTR-04", domain="CMN", kind=Kind.POSITIVE, requirement=(), basis="8.8.4.3", condition=RECEIPTS, script=ended_instead,
        lasts=8.0,
        precondition="a receipt is asked for", purpose="A car that must stop does not sign first", control="S2-MTR-01",
        stimulus="PowerDeliveryReq (Stop)", expected=("OK",),
    ),
)  # fmt: skip
