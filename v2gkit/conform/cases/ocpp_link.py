"""What a CSMS passes on to cars, and what a station does whose CSMS is slow or gone."""

import asyncio
import base64
import contextlib
import time
from functools import partial
from typing import Any

from pki.profiles import Role
from v2g.iso20.timing import SECC_PERFORMANCE_LOOP
from v2g.session.endpoint import FrameSent
from v2gkit.conform import asked2
from v2gkit.conform.at_station import CURVE2, AtStation
from v2gkit.conform.case import Kind
from v2gkit.conform.cases.installation import request as install
from v2gkit.conform.cases.ocpp_account import ANY, both
from v2gkit.conform.judging import polled
from v2gkit.conform.reported import TOLD, Reported, epoch, kind, session
from v2gkit.conform.running import Unreached
from v2gkit.conform.verdict import Outcome, failed, inconclusive, judged
from v2gkit.conform.wallet import Wallet

INSTALLS = {"20": ("ocpp", "certificate_installation"), "2": ("generation_2", "ocpp", "certificate_installation", "tls12")}


# --- contracts ---


async def relayed(bench: AtStation) -> Outcome:
    """The request for a contract comes to the CSMS octet by octet, and its answer to the car."""
    csms = await bench.csms()
    given: list[str] = []

    def answer(payload: Any, usual: Any) -> Any:
        given.append(usual["exiResponse"])
        return usual if bench.part == "granted" else {"status": "Failed", "exiResponse": ""}

    with csms.answering("Get15118EVCertificate", answer):
        async with session(bench, "Authorization" if bench.generation == "20" else "PaymentDetails", **_wanted(bench)) as one:
            visit: Any = one.visit
            reply = await polled(visit, _installation(bench))
            call = await one.csms.hear(one.began, lambda call: call.action == "Get15118EVCertificate", TOLD)
    if call is None:
        return failed(f"no Get15118EVCertificate came, the car is told {reply}")
    sent = base64.b64decode(call.payload["exiRequest"])
    said = [event.exi for _, event in bench.log.evidence if isinstance(event, FrameSent)]
    if sent not in said:
        return failed(f"exiRequest has {len(sent)} octets, which are none of the car's requests: the last has {len(said[-1])}")
    if bench.part == "refused":
        return judged(not reply.ok, f"the CSMS failed, the car is told {reply}")
    if not given[0]:
        return inconclusive("this CSMS has no provisioning service: the folder of certificates has no cps")
    return judged(reply.ok and call.payload["action"] == "Install", f"{call.payload['action']}, {len(sent)} octets; {reply}")


def _wanted(bench: AtStation) -> dict[str, Any]:
    return {"authorization": "PnC"} if bench.generation == "2" else {}


def _installation(bench: AtStation) -> Any:
    if bench.generation == "20":
        return install(bench)
    held = Wallet(bench.wallet.store, CURVE2).credential(Role.PROVISIONING)
    return asked2.sealed(asked2.installation(held, bench.wallet.store.anchors.v2g[:1]), held.key)


# --- a CSMS that is slow, or gone ---


async def silent(bench: AtStation) -> Outcome:
    """The loop does not wait for a CSMS that answers nothing."""
    csms = await bench.csms()
    async with session(bench) as one:
        await one.transaction()
        with contextlib.ExitStack() as answers:
            for action in ("TransactionEvent", "NotifyEVChargingNeeds", "NotifyEVChargingSchedule", "MeterValues", "StatusNotification"):
                answers.enter_context(csms.answering(action, lambda payload, usual: None))
            slowest, until = 0.0, time.monotonic() + 6.0
            while time.monotonic() < until:
                reply = await one.visit.ask(one.visit.due())
                if not reply.ok:
                    return failed(f"while the CSMS is silent: {reply}")
                slowest = max(slowest, reply.seconds)
                await asyncio.sleep(0.15)
        limit = SECC_PERFORMANCE_LOOP + bench.pics.test.slack
        return judged(slowest <= limit, f"the slowest answer of the loop after {slowest:.3f} s")


async def lost(bench: AtStation) -> Outcome:
    """A car charges on without the CSMS, which is told afterwards what happened."""
    csms = await bench.csms()
    async with session(bench) as one:
        transaction = await one.transaction()
        async with csms.away():
            gone = time.time()
            try:
                await one.charging(lambda _: None, 4.0)
                await one.leaves()
            except Unreached as error:
                return failed(f"the CSMS is gone, and the session with it: {error}")
            back = time.time()
        began, returns = time.monotonic(), bench.pics.test.returns
        await _returned(one, returns)
        end = await csms.hear(began, lambda call: call.transaction == transaction and kind(call) == "Ended", returns)
    if end is None:
        return failed(f"the car charged on; {returns:g} s after the CSMS is back it is not told that the transaction ended")
    events = one.events(transaction)
    numbers = {each.payload["seqNo"] for each in events}
    if len(numbers) != max(numbers) - min(numbers) + 1:
        return failed(f"seqNo {sorted(numbers)} has gaps")
    quiet = [each for each in events if gone + 0.5 < epoch(each.payload["timestamp"]) < back and not each.payload.get("offline")]
    return judged(
        not quiet, f"{len(events)} events without gaps" + (f", {len(quiet)} of them happened offline and do not say so" if quiet else "")
    )


async def _returned(one: Reported, within: float) -> None:
    until = time.monotonic() + within
    while time.monotonic() < until:
        with contextlib.suppress(Unreached):
            return await one.csms.station(1.0)
    raise Unreached(f"the station does not connect again within {within:g} s")


both_ = partial(both, conditions=ANY, within=90.0)
CASES = (
    *both(
        28, INSTALLS, purpose="The request for a contract is passed on as it is, and its answer", basis="OCPP 2.x, M01", within=90.0,
        lasts=4.0, claim="station", parts=("granted", "refused"),
        stimulus="CertificateInstallationReq, for which the CSMS has a contract, or none",
        expected=("Get15118EVCertificate with the octets of the car; its answer reaches the car; FAILED or a warning where there is none",),
        script=relayed,
    ),
    *both_(
        29, kind=Kind.TIMING, purpose="The loop does not wait for the CSMS", basis="OCPP 2.x beside the timing of ISO 15118", control=1,
        claim="station", lasts=10.0, stimulus="a CSMS that answers nothing any more, in the loop",
        expected=("the loop goes on, each answer in its time",), script=silent,
    ),
    *both_(
        30, kind=Kind.NEGATIVE, purpose="A car charges on without the CSMS, which is told later", basis="OCPP 2.x, E04, E08", control=1,
        claim="station", lasts=20.0, stimulus="the connection to the CSMS falls in the loop, and stays away until the session is over",
        expected=("the session goes on; afterwards all events come, without gaps in seqNo, those of that time offline",), script=lost,
    ),
)  # fmt: skip
