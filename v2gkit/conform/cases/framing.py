"""V2GTP over TCP: frames that are cut, glued, slow, too long, or wrong in their header."""

import time
from collections.abc import Mapping
from functools import partial

from pki.profiles import Role
from v2g.messages.common_messages import SubCertificatesType
from v2g.messages.common_types import ListOfRootCertificateIDsType
from v2g.messages.xmldsig import X509IssuerSerialType
from v2g.session.v2gtp import PayloadType, frame
from v2gkit.conform import asked, framed
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging import changed
from v2gkit.conform.framed import ALIVE, QUIET
from v2gkit.conform.judging import NOTHING_GRANTED, nothing
from v2gkit.conform.running import Unreached
from v2gkit.conform.spoilt import document, header
from v2gkit.conform.verdict import Outcome, failed, judged, passed
from v2gkit.conform.visit import STEPS, Visit

LENGTHS = {"0xFFFFFFF8": 0xFFFFFFF8, "0xFFFFFFFC": 0xFFFFFFFC, "0xFFFFFFFF": 0xFFFFFFFF}
case = partial(Case, role="station", domain="CMN", precondition="the protocol is agreed upon", control="S-TP-01")


async def sound(bench: AtStation) -> Outcome:
    """The frames of a good beginning."""
    visit = await bench.at("SessionSetup")
    reply = await visit.ask(visit.due())
    if reply.frame is None or not reply.ok:
        return failed(str(reply))
    return judged(reply.frame.payload_type == PayloadType.COMMON, f"{reply} in payload type 0x{reply.frame.payload_type:04X}")


async def empty(bench: AtStation) -> Outcome:
    """A frame without a payload."""
    return await framed.instead(bench, header(PayloadType.COMMON, 0))


async def other_type(bench: AtStation) -> Outcome:
    """A payload type that nobody knows."""
    visit = await bench.at("SessionSetup")
    exi = document(visit.octets(visit.due()))
    await visit.wire.send(frame(0x7001, exi))
    return nothing(await visit.wire.reply(QUIET))


VERSIONS = {"version": (0xFF, 0xFE), "inverse": (0x01, 0xFF)}


async def other_version(bench: AtStation) -> Outcome:
    """Another version of V2GTP."""
    return await framed.other_version(bench, *VERSIONS[bench.part])


async def endless(bench: AtStation) -> Outcome:
    """A length near the end of its range, and 4 KiB."""
    carrier, _, name = bench.part.partition(" ")
    octets = header(PayloadType.COMMON, LENGTHS[name]) + bytes(4096)
    if carrier == "TLS":
        return await framed.instead(bench, octets)
    wire = await bench.tcp()
    await wire.send(header(PayloadType.EXI, LENGTHS[name]) + bytes(4096))
    return nothing(await wire.reply(QUIET))


async def largest(bench: AtStation) -> Outcome:
    """The largest request for a contract that the schema allows."""
    visit = await bench.at("Authorization")
    sound = asked.installation(bench.wallet.credential(Role.PROVISIONING), bench.wallet.store.anchors.v2g[:1])
    full = changed(sound, "OEMProvisioningCertificateChain.Certificate", bytes(1600))
    full = changed(full, "OEMProvisioningCertificateChain.SubCertificates", SubCertificatesType(Certificate=(bytes(1600),) * 3))
    roots = tuple(X509IssuerSerialType(X509IssuerName="CN=" + "R" * 200 + str(each), X509SerialNumber=each) for each in range(1, 21))
    full = changed(full, "ListOfRootCertificateIDs", ListOfRootCertificateIDsType(RootCertificateID=roots))
    reply = await visit.ask(full)
    return judged(reply.name == "CertificateInstallationRes", str(reply))


async def under_another_type(bench: AtStation) -> Outcome:
    """A message under the payload type of others."""
    if bench.part == "common as DC":
        visit = await bench.at("SessionSetup")
        await visit.wire.send(frame(PayloadType.DC, document(visit.octets(visit.due()))))
    else:
        visit = await bench.at("ChargeParameterDiscovery")
        await visit.wire.send(frame(PayloadType.COMMON, document(visit.octets(visit.due()))))
    return nothing(await visit.wire.reply(QUIET + bench.pics.test.slack))


async def slow(bench: AtStation) -> Outcome:
    """A header, and then an octet every five seconds: the time since the last response counts."""
    visit = await bench.at("AuthorizationSetup")
    octets = visit.octets(visit.due())
    began, limit = time.monotonic(), 60.0 + bench.pics.test.slack
    await visit.wire.raw(octets[:8])
    for octet in octets[8:]:
        reply = await visit.wire.reply(min(5.0, max(0.1, limit - (time.monotonic() - began))))
        if reply.kind == "closed":
            return passed(f"closed {time.monotonic() - began:.1f} s after the last response")
        if time.monotonic() - began >= limit:
            break
        await visit.wire.raw(bytes((octet,)))
    return failed(f"the connection still stands after {time.monotonic() - began:.1f} s")


async def idle(bench: AtStation) -> Outcome:
    """Many connections that say nothing, and one good car."""
    wires = []
    for _ in range(200):
        try:
            wires.append(await bench.tcp())
        except Unreached:
            break
    visit = await bench.at("AuthorizationSetup")
    await visit.granted(asked.authorization_setup())
    await visit.granted(asked.stop())
    visit.wire.abandon()
    began = time.monotonic()
    still = 0
    for wire in wires:
        left = max(0.05, 25.0 + bench.pics.test.slack - (time.monotonic() - began))
        still += (await wire.closed(left)).kind != "closed"
    return judged(not still, f"{len(wires)} idle connections, {still} of them still stand after {time.monotonic() - began:.0f} s")


async def reset(bench: AtStation) -> Outcome:
    """A reset in the middle of a frame; the good car afterwards is the runner's."""
    visit: Visit = await bench.visit()
    if bench.part not in visit.steps:
        return passed(f"{visit.ways.service} has no such step")
    await visit.upto(bench.part)
    octets = visit.octets(visit.due())
    await visit.wire.raw(octets[: len(octets) // 2])
    visit.wire.abandon(reset=True)
    return passed("reset in the middle of a frame")


PARTS: Mapping[str, tuple[str, ...]] = {
    "lengths": tuple(f"{carrier} {name}" for carrier in ("TCP", "TLS") for name in LENGTHS),
    "steps": tuple(each for each in STEPS[True] if each not in ("WeldingDetection",)),
}


CASES = (
    case(
        id="S-TP-01", kind=Kind.POSITIVE, requirement=(), control="",
        purpose="Frames have the header of V2GTP and the type of their messages",
        stimulus="supportedAppProtocolReq and SessionSetupReq",
        expected=("version 01/FE, the type of the negotiation, then that of common messages, the length of the message",),
        script=sound,
    ),
    case(
        id="S-TP-02", kind=Kind.ROBUSTNESS, requirement=(), purpose="A frame without payload harms nobody",
        stimulus="a header that says length 0", expected=(ALIVE,), script=empty,
    ),
    case(
        id="S-TP-03", kind=Kind.ROBUSTNESS, requirement=(), purpose="A payload type that nobody knows harms nobody",
        stimulus="SessionSetupReq under payload type 0x7001", expected=(ALIVE,), script=other_type,
    ),
    case(
        id="S-TP-04", kind=Kind.ROBUSTNESS, requirement=(), purpose="Another version of V2GTP harms nobody",
        stimulus="SessionSetupReq under version 0xFF, under inverse version 0xFF", expected=(ALIVE,), script=other_version,
        parts=tuple(VERSIONS),
    ),
    case(
        id="S-TP-05", kind=Kind.ROBUSTNESS, requirement=(), purpose="A length near the end of its range is no length",
        stimulus="a header with such a length and 4 KiB, over TCP and over TLS", expected=(ALIVE,), script=endless, parts=PARTS["lengths"],
    ),
    case(
        id="S-TP-06", kind=Kind.ROBUSTNESS, requirement=(), purpose="A frame that is too long is refused by its header",
        stimulus="a header that says 64 MiB, then octets one by one",
        expected=("the connection ends at once; a good car is served afterwards",),
        script=framed.trickled,
    ),
    case(
        id="S-TP-07", kind=Kind.ROBUSTNESS, requirement=(), purpose="A frame may come in any pieces",
        stimulus="SessionSetupReq, one octet to a segment", expected=("OK",), script=framed.octet_by_octet,
    ),
    case(
        id="S-TP-08", kind=Kind.ROBUSTNESS, requirement=(), purpose="A frame may be cut behind its header",
        stimulus="SessionSetupReq, cut behind the header, with 0.4 s between", expected=("OK",), script=framed.in_two_pieces,
    ),
    case(
        id="S-TP-09", kind=Kind.NEGATIVE, requirement=(), purpose="No request is lost in silence", precondition="a session is set up",
        stimulus="two AuthorizationSetupReq in one segment", expected=("OK to the first; an answer to the second, or the end",),
        script=partial(framed.glued, step="AuthorizationSetup"),
    ),
    case(
        id="S-TP-10", kind=Kind.POSITIVE, requirement=(), purpose="The largest request is read", precondition="authorization is due",
        stimulus="CertificateInstallationReq with certificates of 1600 octets and 20 roots",
        expected=("CertificateInstallationRes with any code",), script=largest,
    ),
    case(
        id="S-TP-11", kind=Kind.NEGATIVE, requirement=(), condition=("dc",), purpose="A message counts under its own payload type",
        stimulus="SessionSetupReq under the type of DC messages, DC_ChargeParameterDiscoveryReq under that of common ones",
        expected=(NOTHING_GRANTED,),
        script=under_another_type, parts=("common as DC", "DC as common"),
    ),
    case(
        id="S-TP-12", kind=Kind.ROBUSTNESS, requirement=(), purpose="A car cannot hold an outlet by sending slowly",
        precondition="a session is set up", stimulus="the header of AuthorizationSetupReq, then an octet every five seconds",
        expected=("the connection ends within 60 s of the last response; a good car is served afterwards",), script=slow, within=90.0,
        lasts=62.0,
    ),
    case(
        id="S-TP-13", kind=Kind.ROBUSTNESS, requirement=(), purpose="Idle connections shut no car out", precondition="nothing",
        stimulus="200 TCP connections that say nothing, and one good car", expected=("the good car is served; the idle ones are ended",),
        script=idle, within=120.0, lasts=25.0, claim="station",
    ),
    case(
        id="S-TP-14", kind=Kind.ROBUSTNESS, requirement=("V2G20-443",), purpose="A reset leaves an outlet that serves",
        precondition="the session is at the step that the part names", stimulus="half of the frame that is due, then TCP RST",
        expected=("a good car is served afterwards",), script=reset, parts=PARTS["steps"],
    ),
)  # fmt: skip
