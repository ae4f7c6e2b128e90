"""SessionStop: the end of a session, its pause, and what comes back after it."""

import time
from functools import partial

from cryptography import x509

from pki.profiles import Role
from v2g.iso20.services import DC
from v2g.iso20.timing import SECC_TCP_CLOSE
from v2g.messages import common_messages as cm
from v2g.messages import dc
from v2gkit.authorities.broken import octets
from v2gkit.conform import asked
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import fatal, granted
from v2gkit.conform.running import Unreached
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit import HEAD, Visit
from v2gkit.conform.wire import Offer

How = cm.chargingSessionType
NEW, JOINED = "OK_NewSessionEstablished", "OK_OldSessionJoined"
NOT_ALLOWED, NO_RENEGOTIATION = "FAILED_PauseNotAllowed", "FAILED_NoServiceRenegotiationSupported"
case = partial(Case, role="station", domain="CMN", precondition="power is over")
EARLIER = (*HEAD[2:], "CableCheck", "PreCharge", "PowerDelivery")


async def closing(bench: AtStation, visit: Visit, how: cm.chargingSessionType = How.Terminate) -> str:
    """End a session in order: empty where that is granted and the connection then ends in time; else what is wrong, in words."""
    reply = await visit.ask(asked.stop(how), 10.0)
    if not reply.ok or reply.name != "SessionStopRes":
        return f"SessionStopReq is answered by {reply}"
    began = time.monotonic()
    ended = await visit.wire.closed(SECC_TCP_CLOSE + bench.pics.test.slack)
    return "" if ended.kind == "closed" else f"the connection still stands {time.monotonic() - began:.1f} s after {reply}"


async def ended(bench: AtStation) -> Outcome:
    """The usual end of a session."""
    visit = await bench.at("SessionStop")
    began = time.monotonic()
    wrong = await closing(bench, visit)
    return judged(not wrong, wrong or f"SessionStopRes OK, and the connection ended within {time.monotonic() - began:.2f} s")


async def ended_early(bench: AtStation) -> Outcome:
    """The end before there was any power."""
    visit = await bench.visit()
    if bench.part not in visit.steps:
        return passed(f"{visit.ways.service} has no such step")
    wrong = await closing(bench, await visit.upto(bench.part))
    return judged(not wrong, wrong or "SessionStopRes OK, and the connection ended")


async def welding(bench: AtStation) -> Outcome:
    """A car that tests its contactors, and wants no energy any more, or still does."""
    visit = await bench.at("WeldingDetection", service=DC.name)
    async with bench.driven("pilot_b" if bench.part == "B" else "pilot_c", "pilot_c"):
        reply = await visit.ask(asked.welding())
        if bench.part == "B":
            return granted(reply, "DC_WeldingDetectionRes")
        return await fatal(bench, visit, reply, of=dc.DC_WeldingDetectionReq)


async def paused(bench: AtStation) -> Outcome:
    """A pause, where there are any, and where there are none."""
    visit = await bench.at("SessionStop")
    if bench.pics.claims.pause:
        return granted(await visit.ask(asked.stop(How.Pause), 10.0), "SessionStopRes")
    return await fatal(bench, visit, await visit.ask(asked.stop(How.Pause), 10.0), NOT_ALLOWED, of=cm.SessionStopReq)


async def renegotiated(bench: AtStation) -> Outcome:
    """Services anew, on the same connection, without another authorization."""
    visit = await bench.at("SessionStop")
    reply = await visit.ask(asked.stop(How.ServiceRenegotiation), 10.0)
    if not reply.ok:
        return failed(str(reply))
    after = await visit.ask(asked.discovery())
    return judged(after.ok and after.name == "ServiceDiscoveryRes", f"{reply}; a ServiceDiscoveryReq after it: {after}")


async def not_renegotiated(bench: AtStation) -> Outcome:
    """Services anew where that is not offered."""
    visit = await bench.at("SessionStop")
    return await fatal(bench, visit, await visit.ask(asked.stop(How.ServiceRenegotiation), 10.0), NO_RENEGOTIATION, of=cm.SessionStopReq)


async def _away(bench: AtStation, how: cm.chargingSessionType) -> Visit:
    """A session that ended so. Raises Unreached where it did not."""
    visit = await bench.at("SessionStop")
    if wrong := await closing(bench, visit, how):
        raise Unreached(wrong)
    return visit


async def _back(bench: AtStation, before: Visit, offer: Offer | None = None) -> Visit:
    """A car that comes back and has agreed upon the protocol."""
    visit = await bench.visit(offer if offer is not None else "sound")
    return await visit.upto("SessionSetup")


async def resumed(bench: AtStation) -> Outcome:
    """The car that paused comes back: its parameters are next, and nobody authorizes it again."""
    before = await _away(bench, How.Pause)
    visit = await _back(bench, before)
    reply = await visit.ask(visit.due(), session_id=before.heard.session_id)
    if reply.code != JOINED:
        return failed(str(reply))
    visit.heard.session_id = before.heard.session_id
    after = await visit.ask(asked.charge_parameters(visit.ways))
    return judged(after.ok, f"{reply}; ChargeParameterDiscoveryReq after it: {after}")


async def another_car(bench: AtStation) -> Outcome:
    """Another car that names the session of the one that paused."""
    made = bench.wallet.bench(Role.VEHICLE)
    kept = [each for each in made.leaf.certificate.subject if each.oid != x509.NameOID.COMMON_NAME]
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WMIV2GKIT9999999999"), *kept])
    other = made.again(made.leaf, subject=name)
    before = await _away(bench, How.Pause)
    visit = await _back(bench, before, bench.offer(bench.wallet.tls(Role.VEHICLE, octets(other), other.key)))
    visit.evccid = "WMIV2GKIT9999999999"
    return await _anew(visit, before)


async def _anew(visit: Visit, before: Visit) -> Outcome:
    """Ask for the old session: pass where a new one with its own authorization begins."""
    reply = await visit.ask(visit.due(), session_id=before.heard.session_id)
    if reply.code != NEW:
        return failed(str(reply))
    given = visit.heard.of("SessionSetupRes").Header.SessionID
    if given == before.heard.session_id:
        return failed(f"{reply} under the id of the old session")
    visit.heard.session_id = given
    after = await visit.ask(asked.authorization_setup())
    return judged(after.ok, f"{reply} with another SessionID; AuthorizationSetupReq after it: {after}")


async def too_late(bench: AtStation) -> Outcome:
    """A session that was ended, not paused."""
    before = await _away(bench, How.Terminate)
    return await _anew(await _back(bench, before), before)


CASES = (
    case(
        id="S-STP-01", kind=Kind.TIMING, requirement=("V2G20-1643",), purpose="A session ends in order",
        stimulus="SessionStopReq (Terminate) after PowerDeliveryReq (Stop)",
        expected=("OK first, then the end of the connection within 5 s",),
        script=ended,
    ),
    case(
        id="S-STP-02", kind=Kind.POSITIVE, requirement=(), purpose="A car may end its session at any time before power",
        precondition="the session is at the step that the part names", stimulus="SessionStopReq (Terminate)",
        expected=("OK, then the end of the connection within 5 s",), script=ended_early, parts=EARLIER,
    ),
    case(
        id="S-STP-03", kind=Kind.NEGATIVE, domain=DC.name, requirement=("V2G20-1617",), condition=("dc", "hal"),
        purpose="Contactors are tested when the car wants no energy any more",
        stimulus="DC_WeldingDetectionReq with the pilot in state B, in C",
        expected=("OK in B; FAILED and the end of the connection in C",), script=welding, parts=("B", "C"), control="S-STP-01",
    ),
    case(
        id="S-STP-04", kind=Kind.NEGATIVE, requirement=(), purpose="A pause is granted where there are any, and nowhere else",
        stimulus="SessionStopReq (Pause)",
        expected=("OK where pauses are claimed", f"{NOT_ALLOWED} and the end of the connection elsewhere"),
        script=paused, control="S-STP-01",
    ),
    case(
        id="S-STP-05", kind=Kind.POSITIVE, requirement=("V2G20-1477",), condition=("service_renegotiation",),
        purpose="Services are negotiated anew without another authorization", stimulus="SessionStopReq (ServiceRenegotiation)",
        expected=("OK, the connection stands, ServiceDiscoveryReq is answered OK",), script=renegotiated,
    ),
    case(
        id="S-STP-06", kind=Kind.NEGATIVE, requirement=("V2G20-1644",), condition=("not service_renegotiation",),
        purpose="Services are not negotiated anew where that is not offered", stimulus="SessionStopReq (ServiceRenegotiation)",
        expected=(f"{NO_RENEGOTIATION}, and the connection ends",), script=not_renegotiated, control="S-STP-01",
    ),
    case(
        id="S-STP-07", kind=Kind.POSITIVE, requirement=("V2G20-2622", "V2G20-2623", "V2G20-1032"), condition=("pause", "tls"),
        purpose="The car that paused goes on with its session", precondition="a session is paused",
        stimulus="SessionSetupReq with the id of the paused session, under the same vehicle certificate",
        expected=(f"{JOINED}, ChargeParameterDiscoveryReq is next",), script=resumed,
    ),
    case(
        id="S-STP-08", kind=Kind.NEGATIVE, requirement=("V2G20-2545", "V2G20-2626", "V2G20-2627"), condition=("pause", "tls"),
        purpose="No other car goes on with a paused session", precondition="a session is paused",
        stimulus="SessionSetupReq with the id of the paused session, under another vehicle certificate",
        expected=(f"{NEW} with another id, authorization is next",), script=another_car, control="S-STP-07",
    ),
    case(
        id="S-STP-09", kind=Kind.NEGATIVE, requirement=(), purpose="A session that ended is over", precondition="a session is ended",
        stimulus="SessionSetupReq with the id of that session", expected=(f"{NEW} with another id, authorization is next",),
        script=too_late, control="S-STP-01",
    ),
)  # fmt: skip
