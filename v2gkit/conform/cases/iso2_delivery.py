"""ISO 15118-2, PowerDelivery: power begins, what may not begin it, and schedules that are negotiated anew."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from v2g.iso2.physical import number
from v2g.messages.iso2 import msg_body as mb
from v2g.messages.iso2 import msg_data_types as mt
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Transfer
from v2g.messages.iso2.msg_data_types import chargeProgressType as Progress
from v2gkit.conform import asked2
from v2gkit.conform.asked2 import OF_AC, OF_DC
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import OUT_OF_TURN, granted, out_of_turn, told
from v2gkit.conform.verdict import Outcome, failed, judged
from v2gkit.conform.visit2 import Visit2

STEP, LIMIT = "PowerDelivery", 10.0  # s in which a contactor closes
TARIFF, PROFILE = "FAILED_TariffSelectionInvalid", "FAILED_ChargingProfileInvalid"
KINDS = {OF_DC: ("generation_2", "dc"), OF_AC: ("generation_2", "ac")}
case = partial(Case, role="station", within=60.0)
put = msgspec.structs.replace


def _mode(bench: AtStation, kind: str) -> Transfer:
    return Transfer.DC_extended if kind == OF_DC else bench.three_or_one


async def ready(bench: AtStation, kind: str = "") -> Visit2:
    """A car for which everything is ready for power."""
    return await bench.at2(STEP, **({"mode": _mode(bench, kind)} if kind else {}))


async def charging(bench: AtStation, kind: str) -> Visit2:
    """A car in its charge loop, which goes."""
    visit = await bench.visit2(mode=_mode(bench, kind))
    await visit.upto(visit.loop)
    await visit.granted(asked2.loop(visit.ways))
    return visit


async def started(bench: AtStation, kind: str) -> Outcome:
    """Power begins, and the loop goes."""
    visit = await ready(bench, kind)
    reply = await visit.ask(visit.due(), LIMIT)
    if not reply.ok:
        return failed(str(reply))
    return granted(await visit.ask(asked2.loop(visit.ways)))


def _start(visit: Visit2, said: mt.ChargingProfileType | None) -> mb.PowerDeliveryReq:
    return asked2.delivery(Progress.Start, visit.tuple.SAScheduleTupleID, said)


async def unprofiled(bench: AtStation) -> Outcome:
    """A car without a profile of its own."""
    visit = await ready(bench)
    return granted(await visit.ask(_start(visit, None), LIMIT), "PowerDeliveryRes")


async def described(bench: AtStation) -> Outcome:
    """A DC car that says how its battery is."""
    visit = await ready(bench, OF_DC)
    said = mt.DC_EVPowerDeliveryParameterType(DC_EVStatus=asked2.ready(), BulkChargingComplete=False, ChargingComplete=False)
    return granted(await visit.ask(put(visit.due(), EVPowerDeliveryParameter=said), LIMIT), "PowerDeliveryRes")


async def other_tuple(bench: AtStation) -> Outcome:
    """A schedule that was not offered."""
    visit = await ready(bench)
    ids = [each.SAScheduleTupleID for each in visit.heard.of("ChargeParameterDiscoveryRes").SASchedules.SAScheduleTuple]
    wrong = put(visit.due(), SAScheduleTupleID=next(each for each in range(100, 200) if each not in ids))
    return told(visit, await visit.ask(wrong, LIMIT), TARIFF, of=mb.PowerDeliveryReq)


def _most(visit: Visit2) -> float:
    return max(number(each.PMax) for each in visit.tuple.PMaxSchedule.PMaxScheduleEntry)


PROFILES: Mapping[str, Callable[[Visit2], mt.ChargingProfileType]] = {
    "twice the power": lambda visit: asked2.profile_of((0, 2 * _most(visit) + 1000)),
    "more from the second entry on": lambda visit: asked2.profile_of((0, 0.0), (60, 2 * _most(visit) + 1000)),
}
DISORDERED: Mapping[str, Callable[[Visit2], mt.ChargingProfileType]] = {
    "times backwards": lambda visit: asked2.profile_of((600, 0.0), (0, 0.0)),
    "one time twice": lambda visit: asked2.profile_of((0, 0.0), (0, 0.0)),
    "from later on": lambda visit: asked2.profile_of((600, 0.0)),
    "negative power": lambda visit: asked2.profile_of((0, -1000.0)),
    "the last moment": lambda visit: asked2.profile_of((0, 0.0), (2**32 - 1, 0.0)),
    "24 entries": lambda visit: asked2.profile_of(*((60 * each, 0.0) for each in range(24))),
}


async def beyond(bench: AtStation) -> Outcome:
    """A profile that leaves its schedule."""
    visit = await ready(bench)
    return told(visit, await visit.ask(_start(visit, PROFILES[bench.part](visit)), LIMIT), PROFILE, of=mb.PowerDeliveryReq)


async def disordered(bench: AtStation) -> Outcome:
    """A profile out of order."""
    visit = await ready(bench)
    reply = await visit.ask(_start(visit, DISORDERED[bench.part](visit)), LIMIT)
    return judged(reply.name == "PowerDeliveryRes" and (reply.ok or reply.fatal), str(reply))


async def renegotiated_early(bench: AtStation) -> Outcome:
    """Another schedule before there was power."""
    visit = await ready(bench, bench.part)
    reply = await visit.ask(asked2.delivery(Progress.Renegotiate, visit.tuple.SAScheduleTupleID))
    return told(visit, reply, of=mb.PowerDeliveryReq)


async def started_twice(bench: AtStation) -> Outcome:
    """Power begins that flows."""
    visit = await charging(bench, bench.part)
    return told(visit, await visit.ask(_start(visit, None), LIMIT), of=mb.PowerDeliveryReq)


async def stopped(bench: AtStation, kind: str) -> Outcome:
    """Power ends, and is asked for no more."""
    visit = await charging(bench, kind)
    reply = await visit.ask(asked2.delivery(Progress.Stop, visit.tuple.SAScheduleTupleID), LIMIT)
    if not reply.ok:
        return failed(str(reply))
    after = await visit.ask(asked2.loop(visit.ways))
    return judged(not after.ok, f"{reply}; the loop after it: {after}")


async def withdrawn(bench: AtStation) -> Outcome:
    """A car that ends power before it began."""
    visit = await ready(bench, bench.part)
    reply = await visit.ask(asked2.delivery(Progress.Stop, visit.tuple.SAScheduleTupleID), LIMIT)
    if reply.fatal:
        return judged(reply.code == "FAILED_SequenceError", str(reply))
    if not reply.ok:
        return failed(str(reply))
    after = await visit.ask(asked2.stop())
    return judged(after.ok, f"{reply}; SessionStopReq after it: {after}")


# --- another schedule ---


async def renegotiating(bench: AtStation, kind: str) -> Visit2:
    """A car in its charge loop that asked for another schedule, and has it. Raises Unreached."""
    visit = await charging(bench, kind)
    await visit.granted(asked2.delivery(Progress.Renegotiate, visit.tuple.SAScheduleTupleID))
    visit.at = visit.steps.index("ChargeParameterDiscovery")
    await visit.step()
    return visit


async def renegotiated(bench: AtStation, kind: str) -> Outcome:
    """Another schedule, and power by it."""
    visit = await renegotiating(bench, kind)
    await visit.upto(visit.loop)
    return granted(await visit.ask(asked2.loop(visit.ways)))


async def unchecked(bench: AtStation) -> Outcome:
    """Power right after another schedule of DC."""
    visit = await renegotiating(bench, OF_DC)
    return await out_of_turn(bench, visit, _start(visit, None))


async def loop_meanwhile(bench: AtStation) -> Outcome:
    """The charge loop while another schedule is due."""
    visit = await charging(bench, bench.part)
    await visit.granted(asked2.delivery(Progress.Renegotiate, visit.tuple.SAScheduleTupleID))
    return await out_of_turn(bench, visit, asked2.loop(visit.ways))


async def otherwise(bench: AtStation) -> Outcome:
    """Another kind of charging in the middle of a session."""
    visit = await charging(bench, OF_DC)
    await visit.granted(asked2.delivery(Progress.Renegotiate, visit.tuple.SAScheduleTupleID))
    ways = asked2.Ways2(Transfer.AC_single_phase_core)
    return told(visit, await visit.ask(asked2.parameters(ways)), of=mb.ChargeParameterDiscoveryReq)


async def dead_meanwhile(bench: AtStation) -> Outcome:
    """The output of DC while another schedule is negotiated: what it says when the cable is checked anew."""
    visit = await renegotiating(bench, OF_DC)
    await visit.upto("PreCharge")
    reply = await visit.ask(asked2.pre_charge(0.5 * visit.ways.voltage))
    present = number(visit.heard.of("PreChargeRes").EVSEPresentVoltage) if reply.ok else 0.0
    return judged(reply.ok and present < 0.8 * visit.ways.voltage, f"{reply}, {present:g} V")


def _kind(number_: int, family: str, which: str, **given: Any) -> Case:
    return case(id=f"S2-{family}-{number_:02}", domain=which, condition=KINDS[which], **given)


CASES = (
    *(
        _kind(
            number_, "PWD", kind, kind=Kind.POSITIVE, requirement=(), basis="8.4.3.9", purpose=f"Power begins: {kind}",
            precondition="everything is ready for power", stimulus="PowerDeliveryReq (Start) with a sound profile",
            expected=("OK, and the charge loop is answered",), script=partial(started, kind=kind),
        )
        for number_, kind in ((1, OF_DC), (2, OF_AC))
    ),
    case(
        id="S2-PWD-03", domain="CMN", kind=Kind.POSITIVE, requirement=(), basis="8.4.3.9.1, ChargingProfile", condition=("generation_2",),
        purpose="A profile may be left out", precondition="everything is ready for power", stimulus="PowerDeliveryReq (Start) without one",
        expected=("OK",), script=unprofiled,
    ),
    _kind(
        4, "PWD", OF_DC, kind=Kind.POSITIVE, requirement=(), basis="8.5.4.6, DC_EVPowerDeliveryParameter", control="S2-PWD-01",
        purpose="A DC car may say how its battery is", precondition="everything is ready for power",
        stimulus="PowerDeliveryReq (Start) with DC_EVPowerDeliveryParameter", expected=("OK",), script=described,
    ),
    case(
        id="S2-PWD-05", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-479",), condition=("generation_2",), control="S2-PWD-03",
        purpose="Only an offered schedule is followed", precondition="everything is ready for power",
        stimulus="PowerDeliveryReq (Start) with the id of a schedule that was not offered",
        expected=(f"PowerDeliveryRes with {TARIFF}",), script=other_tuple,
    ),
    case(
        id="S2-PWD-06", domain="CMN", kind=Kind.NEGATIVE, requirement=("V2G2-478",), condition=("generation_2",), control="S2-PWD-03",
        purpose="A profile stays within its schedule", precondition="everything is ready for power", stimulus="a profile beyond PMax",
        expected=(f"PowerDeliveryRes with {PROFILE}",), script=beyond, parts=tuple(PROFILES),
    ),
    case(
        id="S2-PWD-07", domain="CMN", kind=Kind.ROBUSTNESS, requirement=(), basis="8.5.2.10, ChargingProfile", condition=("generation_2",),
        control="S2-PWD-03", purpose="A profile out of order harms nobody", precondition="everything is ready for power",
        stimulus="times backwards, twice, late; negative power; the longest profile", script=disordered, parts=tuple(DISORDERED),
        expected=("OK or FAILED; a good car is served afterwards",),
    ),
    *(
        _kind(
            number_, "PWD", kind, kind=Kind.NEGATIVE, requirement=("V2G2-538",), control=control, script=renegotiated_early, parts=(kind,),
            purpose=f"No schedule is renegotiated before there is power: {kind}", precondition="everything is ready for power",
            stimulus="PowerDeliveryReq (Renegotiate)", expected=("PowerDeliveryRes with a FAILED code",),
        )
        for number_, kind, control in ((8, OF_DC, "S2-REN-01"), (9, OF_AC, "S2-REN-02"))
    ),
    *(
        _kind(
            number_, "PWD", kind, kind=Kind.NEGATIVE, requirement=("V2G2-538",), control=control, script=started_twice, parts=(kind,),
            purpose=f"Power that flows does not begin: {kind}", precondition="the charge loop goes", stimulus="PowerDeliveryReq (Start)",
            expected=("PowerDeliveryRes with a FAILED code",),
        )
        for number_, kind, control in ((10, OF_DC, "S2-PWD-01"), (11, OF_AC, "S2-PWD-02"))
    ),
    *(
        _kind(
            number_, "PWD", kind, kind=Kind.POSITIVE, requirement=("V2G2-601",), control=control, script=partial(stopped, kind=kind),
            purpose=f"Power ends: {kind}", precondition="the charge loop goes", stimulus="PowerDeliveryReq (Stop), then the loop",
            expected=("OK; the loop is not granted any more",),
        )
        for number_, kind, control in ((12, OF_DC, "S2-PWD-01"), (13, OF_AC, "S2-PWD-02"))
    ),
    *(
        _kind(
            number_, "PWD", kind, kind=Kind.POSITIVE, requirement=(), basis="8.4.3.9.1, ChargeProgress", control=control, script=withdrawn,
            purpose=f"A car may leave before power: {kind}", precondition="everything is ready for power", parts=(kind,),
            stimulus="PowerDeliveryReq (Stop), then SessionStopReq", expected=("OK twice", "FAILED_SequenceError"),
        )
        for number_, kind, control in ((14, OF_DC, "S2-PWD-01"), (15, OF_AC, "S2-PWD-02"))
    ),
    *(
        _kind(
            number_, "REN", kind, kind=Kind.POSITIVE, requirement=("V2G2-813",), control=control, script=partial(renegotiated, kind=kind),
            purpose=f"Another schedule is negotiated in the loop: {kind}", precondition="the charge loop goes", lasts=5.0,
            stimulus="PowerDeliveryReq (Renegotiate), ChargeParameterDiscovery, and on as before",
            expected=("OK to all, and the loop goes",),
        )
        for number_, kind, control in ((1, OF_DC, "S2-PWD-01"), (2, OF_AC, "S2-PWD-02"))
    ),
    _kind(
        3, "REN", OF_DC, kind=Kind.NEGATIVE, requirement=("V2G2-565", "V2G2-582", "V2G2-813"), control="S2-REN-01", script=unchecked,
        purpose="In DC the cable is checked again before power", precondition="another schedule is negotiated", lasts=4.0,
        stimulus="PowerDeliveryReq (Start)", expected=(OUT_OF_TURN,),
    ),
    *(
        _kind(
            number_, "REN", kind, kind=Kind.NEGATIVE, requirement=("V2G2-813", "V2G2-538"), control=control, script=loop_meanwhile,
            purpose=f"No loop goes while another schedule is due: {kind}", precondition="another schedule is asked for", parts=(kind,),
            stimulus="a request of the charge loop", expected=(OUT_OF_TURN,),
        )
        for number_, kind, control in ((4, OF_DC, "S2-REN-01"), (5, OF_AC, "S2-REN-02"))
    ),
    _kind(
        6, "REN", OF_DC, kind=Kind.NEGATIVE, requirement=("V2G2-476",), control="S2-REN-01", script=otherwise,
        purpose="A session does not change between DC and AC", precondition="another schedule is asked for",
        stimulus="ChargeParameterDiscoveryReq with a mode of AC", expected=("ChargeParameterDiscoveryRes with a FAILED code",),
    ),
    _kind(
        7, "REN", OF_DC, kind=Kind.POSITIVE, requirement=(), basis="8.4.5.3, PreChargeReq", control="S2-REN-01", script=dead_meanwhile,
        purpose="The output of DC is down when the cable is checked again", precondition="another schedule is negotiated", lasts=5.0,
        stimulus="CableCheck, then PreChargeReq with half the voltage", expected=("OK, and less than the voltage of before",),
    ),
)  # fmt: skip
