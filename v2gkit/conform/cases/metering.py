"""MeteringConfirmation: a car signs the reading that it was shown."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pki.keys import ALGORITHMS
from pki.profiles import Role
from pki.signature import sign
from v2g.iso20.sequence import METERING
from v2g.messages import common_messages as cm
from v2g.messages import schema_set
from v2g.messages.common_types import evseNotificationType
from v2gkit.conform import asked
from v2gkit.conform.asked import UNSTAMPED
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging import changed
from v2gkit.conform.judging import fatal, granted, nothing
from v2gkit.conform.running import Unreached
from v2gkit.conform.verdict import Outcome, Verdict, judged
from v2gkit.conform.visit import Visit

INVALID = "FAILED_MeteringSignatureNotValid"
PATIENCE = 20.0  # s in which a station asks for a confirmation
case = partial(Case, role="station", domain="CMN", condition=("pnc", "metering_confirmation"), precondition="a confirmation is asked for")


def _asks(response: Any) -> bool:
    status = response.EVSEStatus
    return status is not None and status.EVSENotification is evseNotificationType.MeteringConfirmation


async def asked_for(bench: AtStation) -> tuple[Visit, Any]:
    """A session in whose loop the station asks for a confirmation, and the response that does. Raises Unreached."""
    visit = await bench.at("ChargeLoop", authorization="PnC")
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        response = await visit.granted(asked.loop(visit.ways, meter=True))
        if _asks(response) and response.MeterInfo is not None:
            return visit, response
        await asyncio.sleep(0.1)
    raise Unreached(f"no confirmation was asked for in {PATIENCE:g} s of charging")


def reading(visit: Visit, response: Any) -> cm.SignedMeteringDataType:
    """What the car signs."""
    scheduled = visit.heard.of("ScheduleExchangeRes").Scheduled_SEResControlMode
    chosen = (
        None if scheduled is None else cm.Scheduled_SMDTControlModeType(SelectedScheduleTupleID=scheduled.ScheduleTuple[0].ScheduleTupleID)
    )
    return cm.SignedMeteringDataType(
        Id="id1",
        SessionID=visit.heard.session_id,
        MeterInfo=response.MeterInfo,
        Receipt=response.Receipt,
        Dynamic_SMDTControlMode=cm.Dynamic_SMDTControlModeType() if chosen is None else None,
        Scheduled_SMDTControlMode=chosen,
    )


def confirmed(data: cm.SignedMeteringDataType, key: Any) -> Any:
    """The request with the signature of a key."""
    request = cm.MeteringConfirmationReq(Header=UNSTAMPED, SignedMeteringData=data)
    return asked.signed(request, sign([data], key, schema_set("common")))


async def sound(bench: AtStation) -> Outcome:
    """The reading that was shown, signed by the contract."""
    visit, response = await asked_for(bench)
    request = confirmed(reading(visit, response), bench.wallet.credential(Role.CONTRACT).key)
    return granted(await visit.ask(request, stream=METERING), "MeteringConfirmationRes")


def _other_key(bench: AtStation, data: Any) -> Any:
    return confirmed(data, ALGORITHMS[bench.wallet.credential(Role.CONTRACT).curve].generate())


def _changed(bench: AtStation, data: Any) -> Any:
    request = confirmed(data, bench.wallet.credential(Role.CONTRACT).key)
    return changed(request, "SignedMeteringData.MeterInfo.ChargedEnergyReadingWh", 999_999)


def _other_reading(bench: AtStation, data: Any) -> Any:
    other = changed(data, "MeterInfo.ChargedEnergyReadingWh", 999_999)
    return confirmed(other, bench.wallet.credential(Role.CONTRACT).key)


def _unsigned(bench: AtStation, data: Any) -> Any:
    return cm.MeteringConfirmationReq(Header=UNSTAMPED, SignedMeteringData=data)


FORGED: Mapping[str, Callable[[AtStation, Any], Any]] = {
    "another key": _other_key,
    "the body changed": _changed,
    "another reading": _other_reading,
    "no signature": _unsigned,
}


async def forged(bench: AtStation) -> Outcome:
    """A reading that the contract did not sign, or that was not shown."""
    visit, response = await asked_for(bench)
    request = FORGED[bench.part](bench, reading(visit, response))
    return await fatal(bench, visit, await visit.ask(request, stream=METERING), INVALID, of=cm.MeteringConfirmationReq)


async def unasked(bench: AtStation) -> Outcome:
    """A confirmation that nobody asked for, in the loop that asks for none."""
    visit = await bench.at("ChargeLoop", authorization="PnC")
    key = bench.wallet.credential(Role.CONTRACT).key
    for _ in range(10):
        response = await visit.granted(asked.loop(visit.ways, meter=True))
        if response.MeterInfo is None:
            raise Unreached("the loop has no MeterInfo")
        if not _asks(response):
            reply = await visit.ask(confirmed(reading(visit, response), key), stream=METERING)
            return judged(nothing(reply).verdict is Verdict.PASS and reply.kind != "silence", str(reply))
        await visit.ask(confirmed(reading(visit, response), key), stream=METERING)
        await asyncio.sleep(0.1)
    raise Unreached("every response of the loop asks for a confirmation")


CASES = (
    case(
        id="S-MTR-01", kind=Kind.POSITIVE, requirement=("V2G20-1083",), purpose="A signed reading is taken",
        stimulus="MeteringConfirmationReq with the reading of the loop, signed by the contract", expected=("OK",), script=sound,
        within=90.0,
        lasts=8.0,
    ),
    case(
        id="S-MTR-02", kind=Kind.NEGATIVE, requirement=(), purpose="Only what was shown counts, and only signed by the contract",
        stimulus="MeteringConfirmationReq by another key, changed after signing, with another reading, unsigned",
        expected=(f"{INVALID}, and the connection ends",), script=forged, parts=tuple(FORGED), control="S-MTR-01", within=90.0, lasts=8.0,
    ),
    case(
        id="S-MTR-03", kind=Kind.NEGATIVE, requirement=("V2G20-459",), purpose="A confirmation is asked for before it comes",
        precondition="the charge loop goes", stimulus="MeteringConfirmationReq in the loop that nobody asked for",
        expected=("FAILED", "the end of the connection"), script=unasked, control="S-MTR-01",
    ),
)  # fmt: skip
