"""ED, a car of DIN SPEC 70121 from what it offers to how it leaves."""

from functools import partial
from typing import Any

import msgspec

from v2g.din.physical import A, V, W, number, physical
from v2g.din.timing import EVCC_CABLE_CHECK_TIMEOUT, EVCC_ONGOING_TIMEOUT, EVCC_PRE_CHARGE_TIMEOUT
from v2g.iso20.services import DC
from v2g.messages.din.msg_body import ChargeParameterDiscoveryReq, CurrentDemandReq, PreChargeReq
from v2g.messages.din.msg_data_types import DC_EVSEStatusCodeType as Status
from v2gkit.conform.case import Case, Kind, Script
from v2gkit.conform.cases.car_authorization import stopped_polling
from v2gkit.conform.cases.car_end import PUNCTUAL, delayed, left_alone, left_in_order
from v2gkit.conform.cases.car_exi import HEADERS, bad_header, bombed
from v2gkit.conform.cases.car_loop import FOLLOWING, NTH, left_early
from v2gkit.conform.cases.car_negotiation import ENDS, faulty, never_offered, none_fits, offer, withheld
from v2gkit.conform.cases.card_exchanges import CLAIM, GOOD, TABLE, play
from v2gkit.conform.running import Unreached
from v2gkit.conform.scripted import faults
from v2gkit.conform.scripted.bench import CarBench
from v2gkit.conform.scripted.desk import Desk
from v2gkit.conform.scripted.good import ongoing
from v2gkit.conform.scripted.good_din import DIN, good, status
from v2gkit.conform.scripted.judging import ended, reached
from v2gkit.conform.scripted.play import Answers, Fault
from v2gkit.conform.verdict import Outcome, judged

EVCCID = 8  # octets at the most: an address of a MAC
TOUCH = 2.0  # A that may flow before the contactors are closed [IEC 61851-23]
SHUT = {each.value: each for each in (Status.EVSE_Shutdown, Status.EVSE_EmergencyShutdown)}
car = partial(Case, role="car", domain=DC.name, control=GOOD, within=60.0, condition=CLAIM)


async def offers(bench: CarBench) -> Outcome:
    """The offer of a car, entry by entry."""
    return await offer(bench, play())


async def begins_anew(bench: CarBench) -> Outcome:
    """SessionSetupReq, and the SessionID of what follows."""
    seen = await bench.visit(play())
    setups = [each for each in seen.heard if each.name == "SessionSetup"]
    if not setups:
        raise Unreached(f"no SessionSetupReq came: {seen.story}")
    own, after = setups[0].session_id or b"", seen.heard[seen.heard.index(setups[0]) + 1 :]
    strange = [each.name for each in after if each.session_id != seen.session_id]
    told = f"SessionID {own.hex() or 'none'}, EVCCID {setups[0].request.EVCCID.hex()}, then {len(after)} requests"
    well = not any(own) and 1 <= len(setups[0].request.EVCCID) <= EVCCID and bool(after) and not strange
    return judged(well, f"{told}, {strange[0]} under another id" if strange else told)


def polled(request: str, limit: float, answer: Answers = ongoing) -> Script:
    """A script in which one phase never ends: the car stops asking after `limit` s."""

    async def script(bench: CarBench) -> Outcome:
        seen = await bench.visit(play(fault=Fault(f"{request}Req", answer, always=True)), patience=limit + bench.close)
        return stopped_polling(seen, request, limit, bench.close)

    return script


def no_voltage(request: Any, desk: Desk) -> Any:
    """A voltage that does not rise."""
    return msgspec.structs.replace(good(request, desk), EVSEPresentVoltage=physical(3, V))


async def asks_for_dc(bench: CarBench) -> Outcome:
    """What the car asks for in ChargeParameterDiscoveryReq."""
    seen = await bench.visit(play())
    asked = seen.of(ChargeParameterDiscoveryReq)
    if not asked:
        raise Unreached(f"the car did not come to ChargeParameterDiscovery: {seen.story}")
    kind, transfer = type(asked[0].EVChargeParameter).__name__, asked[0].EVRequestedEnergyTransferType.value
    return judged(kind.startswith("DC_") and transfer in ("DC_core", "DC_extended"), f"{transfer} with {kind}")


async def ignores_while_ongoing(bench: CarBench) -> Outcome:
    """ChargeParameterDiscoveryRes Ongoing with limits that no car can charge by; then Finished, with good ones."""

    def answer(request: Any, desk: Desk) -> Any:
        made = ongoing(request, desk)
        limits = msgspec.structs.replace(made.EVSEChargeParameter, EVSEMaximumVoltageLimit=physical(1, V))
        return msgspec.structs.replace(made, EVSEChargeParameter=limits)

    seen = await bench.visit(play(fault=Fault("ChargeParameterDiscoveryReq", answer)), reach=20.0, patience=10.0)
    reached(seen)
    return judged(seen.charged, seen.story)


async def careful(bench: CarBench) -> Outcome:
    """What the car asks for before its contactors close."""
    seen = await bench.visit(play())
    asked = seen.of(PreChargeReq)
    if not asked:
        raise Unreached(f"the car did not come to PreCharge: {seen.story}")
    volts, amperes = (max(number(getattr(each, name)) for each in asked) for name in ("EVTargetVoltage", "EVTargetCurrent"))
    return judged(volts <= 500.0 and amperes <= TOUCH, f"{volts:g} V, {amperes:g} A")


def shutting(request: str, nth: int = 1) -> Script:
    """A script in which the station shuts down in the answer to a request."""

    async def script(bench: CarBench) -> Outcome:
        fault = Fault(f"{request}Req", faults.with_fields(DC_EVSEStatus=status(SHUT[bench.part])), nth=nth, always=True)
        return ended(await bench.visit(play(fault=fault), trigger="long"), bench.close)

    return script


async def lowered(bench: CarBench) -> Outcome:
    """The station's limits fall by four fifths in mid-charge; after some loops it shuts down."""
    power, current = 12e3, 30.0

    def answer(request: Any, desk: Desk) -> Any:
        made = good(request, desk)
        limits = {"EVSEMaximumPowerLimit": physical(power, W), "EVSEMaximumCurrentLimit": physical(current, A)}
        said = status(Status.EVSE_Shutdown) if desk.loops > NTH + 2 * FOLLOWING else made.DC_EVSEStatus
        return msgspec.structs.replace(made, DC_EVSEStatus=said, **limits)

    seen = await bench.visit(play(fault=Fault("CurrentDemandReq", answer, nth=NTH, always=True)), trigger="long", patience=20.0)
    reached(seen)
    asked = [each.request for each in seen.after if isinstance(each.request, CurrentDemandReq)]
    if gone := left_early(seen, len(asked)):
        return gone
    amperes, volts = number(asked[FOLLOWING - 1].EVTargetCurrent), number(asked[FOLLOWING - 1].EVTargetVoltage)
    told = f"{amperes:g} A at {volts:g} V after {FOLLOWING} loops, limits {current:g} A and {power:g} W"
    return judged(amperes <= current * 1.01 and amperes * volts <= power * 1.05, told)


async def user_stop(bench: CarBench) -> Outcome:
    """The driver stops a car under power, or it stops by itself where nobody can."""
    return await left_in_order(bench, play())


N, P, T, R = Kind.NEGATIVE, Kind.POSITIVE, Kind.TIMING, Kind.ROBUSTNESS


def _case(number: str, kind: Kind, basis: str, purpose: str, stimulus: str, expected: tuple[str, ...], script: Any, **more: Any) -> Case:
    """A row of the table below: its basis is requirement ids, or what it stands on in words."""
    ids = tuple(basis.split()) if basis.startswith("V2G-DC") else ()
    return car(
        id=f"ED-{number}", kind=kind, requirement=ids, basis="" if ids else basis, purpose=purpose, stimulus=stimulus, expected=expected,
        script=script, **more,
    )  # fmt: skip


ONGOING, WAITS = f"V2G_EVCC_Ongoing_Timeout, {TABLE}", f"V2G_EVCC_Msg_Timeout, {TABLE}"
CASES = (
    _case("SAP-01", P, "supportedAppProtocolReq", "The offer of protocols is in order", "none: the offer is read",
          ("1 to 20 entries, each SchemaID once, priorities 1 to n each once, -20 only over TLS 1.3",), offers),
    _case("SAP-02", N, "supportedAppProtocolRes: SchemaID", "A SchemaID that was never offered is no agreement",
          "OK_SuccessfulNegotiation with a SchemaID of no entry", ENDS, faulty("supportedAppProtocol", never_offered, "DIN")),
    _case("SAP-03", N, "supportedAppProtocolRes: ResponseCode", "Without a protocol in common there is no session",
          "Failed_NoNegotiation", ("TCP is closed",), faulty("supportedAppProtocol", none_fits, "DIN")),
    _case("SAP-04", T, WAITS, "A station that does not answer the offer is left", "no supportedAppProtocolRes",
          ("TCP is closed after 2 s",), withheld("supportedAppProtocol", "DIN"), lasts=5.0),
    _case("SES-04", P, "SessionSetupReq, SessionID", "A car begins a new session, and keeps its id", "none: the requests are read",
          ("SessionID 0, an EVCCID of 1 to 8 octets, then the SessionID of SessionSetupRes throughout",), begins_anew),
    _case("AUT-04", T, "V2G-DC-863", "A car does not wait for ever for its authorization", "ContractAuthenticationRes Ongoing for ever",
          ("it stops after 60 s",), polled("ContractAuthentication", EVCC_ONGOING_TIMEOUT), lasts=63.0, within=140.0),
    _case("CPD-04", T, "V2G-DC-863", "A car does not wait for ever for a schedule", "ChargeParameterDiscoveryRes Ongoing for ever",
          ("it stops after 60 s",), polled("ChargeParameterDiscovery", EVCC_ONGOING_TIMEOUT), lasts=63.0, within=140.0),
    _case("CPD-05", P, "V2G-DC-625", "A car asks for direct current", "none: ChargeParameterDiscoveryReq is read",
          ("DC_core or DC_extended, with parameters of DC",), asks_for_dc),
    _case("CPD-06", P, "V2G-DC-493", "What a station says while it is busy is not counted",
          "limits that no car can charge by, with Ongoing; then good ones", ("the car asks again, and charges",), ignores_while_ongoing,
          lasts=6.0),
    _case("DCS-07", T, f"V2G_EVCC_CableCheck_Timeout, {TABLE}", "A car does not wait for ever for the isolation test",
          "CableCheckRes Ongoing for ever", ("it stops after 40 s",), polled("CableCheck", EVCC_CABLE_CHECK_TIMEOUT), lasts=43.0,
          within=120.0),
    _case("DCS-08", T, f"V2G_EVCC_PreCharge_Timeout, {TABLE}", "A car does not close its contactor on another voltage",
          "PreChargeRes whose voltage never rises", ("it stops after 7 s, without power",),
          polled("PreCharge", EVCC_PRE_CHARGE_TIMEOUT, no_voltage), lasts=10.0),
    _case("DCS-09", N, "V2G-DC-893 V2G-DC-894", "A car closes no contactor at a station that shuts down",
          "EVSE_Shutdown, EVSE_EmergencyShutdown in CableCheckRes Finished", ENDS, shutting("CableCheck"), parts=tuple(SHUT)),
    _case("DCS-10", P, "PreChargeReq; IEC 61851-23, current before the contactors close",
          "A car asks for little before its contactors close", "none: PreChargeReq is read",
          ("a voltage within the station's limits, at most 2 A",), careful),
    _case("LOP-04", N, "DC_EVSEStatus: EVSEStatusCode", "A car does not charge on at a station that shuts down",
          "EVSE_Shutdown, EVSE_EmergencyShutdown in CurrentDemandRes", ENDS, shutting("CurrentDemand", NTH), parts=tuple(SHUT)),
    _case("LOP-05", P, "CurrentDemandRes: EVSEMaximumPowerLimit, EVSEMaximumCurrentLimit", "A car follows limits that fall",
          "limits in the loop, lower by four fifths", ("its target is within them after ten loops, and the session goes on",), lowered,
          lasts=6.0),
    _case("END-01", P, "message sequence of the car", "A driver's stop ends a session in order",
          "the driver stops the car; where the PIXIT says no way, it stops by itself",
          ("PowerDelivery off, WeldingDetection, SessionStop, and TCP closed by either side within 5 s",), user_stop, control="",
          lasts=4.0),
    _case("END-02", R, "none: the loss of a connection", "A car outlives a station that leaves it",
          "TCP closed by the station, in every state", ("a safe stop, and the car comes again",), partial(left_alone, generation="DIN"),
          parts=DIN.states, lasts=5.0),
    _case("END-03", T, WAITS, "A car waits for an answer as long as the standard says",
          "an answer a tenth of the timeout early, in every state", ("it is accepted, nine tenths of the time into it",),
          partial(delayed, generation="DIN"), parts=tuple(f"early {name}" for name in DIN.states), lasts=5.0, slack=PUNCTUAL),
    _case("EXI-01", R, "none: octets that no station writes",
          "A document that claims to go on without end costs a car its session and nothing else",
          "lengths, integers and lists without end, in responses of three kinds", ("the session is ended, and the car comes again",),
          partial(bombed, generation="DIN"), parts=("SessionSetup", "ServiceDiscovery", "CurrentDemand"), lasts=9.0, within=90.0),
    _case("EXI-02", R, "none: octets that no station writes", "A V2GTP header that is none ends the session",
          "lengths from 0 to 4 GiB, another payload type, another version", ("the session is ended, and the car comes again",),
          partial(bad_header, generation="DIN"), parts=tuple(HEADERS), lasts=6.0, within=90.0),
)  # fmt: skip
