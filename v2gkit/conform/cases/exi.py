"""EXI documents that no encoder writes: another header, cut, too long in every way, changed bit by bit."""

import random
from collections.abc import Callable, Mapping
from functools import partial

from pki.profiles import Role
from v2g.exi.errors import EncodeError
from v2g.exi.schema import Type
from v2g.messages import common_messages as cm
from v2g.messages.common_types import ListOfRootCertificateIDsType
from v2g.messages.xmldsig import X509IssuerSerialType
from v2gkit.conform import asked
from v2gkit.conform.asked import UNSTAMPED
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging import changed
from v2gkit.conform.judging import NOTHING_GRANTED, nothing
from v2gkit.conform.spoilt import again, bits, document, flipped, grown, octets, place_of, unsigned, with_claimed
from v2gkit.conform.verdict import Outcome, blocked, failed, judged, passed
from v2gkit.conform.visit import Visit
from v2gkit.conform.wire import Reply

ALIVE = f"{NOTHING_GRANTED}; a good car is served afterwards"
EARLY = ("SupportedAppProtocol", "SessionSetup", "AuthorizationSetup", "ServiceDiscovery", "ServiceDetail", "ServiceSelection")
MOST = 40  # places of one message at which it is cut
case = partial(
    Case, role="station", domain="CMN", kind=Kind.ROBUSTNESS, requirement=(), precondition="the message is due", control="S-SSU-01"
)


async def answered(visit: Visit, framed: bytes, kind: type[Type]) -> Reply:
    """What follows a frame in the place of a request of that class."""
    await visit.wire.send(framed)
    return await visit.reply(kind)


HEADERS: Mapping[str, Callable[[bytes], bytes]] = {
    "a cookie": lambda exi: b"$EXI" + exi,
    "options": lambda exi: bytes((0xA0,)) + exi[1:],
    "another version": lambda exi: bytes((0x81,)) + exi[1:],
    "no distinguishing bits": lambda exi: bytes((0x00,)) + exi[1:],
}


async def other_header(bench: AtStation) -> Outcome:
    """A document with another header than the one of these schemas."""
    visit = await bench.at("SessionSetup")
    framed = visit.octets(visit.due())
    return nothing(await answered(visit, again(framed, HEADERS[bench.part](document(framed))), cm.SessionSetupReq))


async def cut(bench: AtStation) -> Outcome:
    """One message, cut at many places, each in a session of its own."""
    probe = await bench.at(bench.part)
    whole = document(probe.octets(probe.due()))
    probe.wire.abandon()
    places = sorted({1 + number * (len(whole) - 2) // MOST for number in range(MOST)} | {len(whole) - 1})
    done = ""
    for place in places:
        visit = await bench.still(bench.at(bench.part), done)
        framed = visit.octets(visit.due())
        reply = await answered(visit, again(framed, document(framed)[:place]), type(visit.due()))
        visit.wire.abandon()
        done = f"a message cut after {place} octets"
        if reply.ok or reply.kind == "garbage":
            return failed(f"cut after {place} of {len(whole)} octets: {reply}")
    return passed(f"cut at {len(places)} places of {len(whole)} octets, nothing granted")


def _string(framed: bytes, value: bytes, claimed: int) -> bytes:
    """A frame whose string claims another length, two more than that on the wire."""
    return with_claimed(framed, value, claimed + 2)


async def bomb(bench: AtStation) -> Outcome:
    """A value that claims a length that nobody has memory for."""
    where, _, power = bench.part.partition(" 2^")
    length = 2 ** int(power)
    if where == "SessionID":
        visit = await bench.at("AuthorizationSetup")
        framed = with_claimed(visit.octets(visit.due()), visit.heard.session_id, length)
        return nothing(await answered(visit, framed, cm.AuthorizationSetupReq))
    if where == "EVCCID":
        visit = await bench.at("SessionSetup")
        framed = _string(visit.octets(visit.due()), visit.evccid.encode(), length)
        return nothing(await answered(visit, framed, cm.SessionSetupReq))
    visit = await bench.at("Authorization", authorization="PnC")
    request = visit.authorization()
    value = request.PnC_AReqAuthorizationMode.ContractCertificateChain.Certificate  # type: ignore[union-attr]
    text, at = bits(document(visit.octets(request))), place_of(visit.octets(request), value)
    framed = visit.octets(request)
    return nothing(await answered(visit, again(framed, octets(text[: at - 16] + unsigned(length) + text[at:])), cm.AuthorizationReq))


async def continued(bench: AtStation) -> Outcome:
    """A number that never ends."""
    visit = await bench.at("AuthorizationSetup")
    framed = with_claimed(visit.octets(visit.due()), visit.heard.session_id, 8 | 1 << 34, int(bench.part.split()[0]))
    return nothing(await answered(visit, framed, cm.AuthorizationSetupReq))


def _services(visit: Visit, count: int) -> bytes:
    listed = cm.ServiceIDListType(ServiceID=(77,) * count)
    return visit.octets(changed(cm.ServiceDiscoveryReq(Header=UNSTAMPED), "SupportedServiceIDs", listed))


def _steps(visit: Visit, count: int) -> bytes:
    request = visit.usual("PowerDelivery")
    entry = request.EVPowerProfile.EVPowerProfileEntries.EVPowerProfileEntry[0]
    return visit.octets(changed(request, "EVPowerProfile.EVPowerProfileEntries.EVPowerProfileEntry", (entry,) * count))


LISTS: Mapping[str, tuple[str, Callable[[Visit, int], bytes], int]] = {
    "17 services": ("ServiceDiscovery", _services, 14),
    "10000 services": ("ServiceDiscovery", _services, 9_997),
    "2049 steps of power": ("PowerDelivery", _steps, 2_046),
}


async def list_bomb(bench: AtStation) -> Outcome:
    """A list with more entries than the schema allows."""
    step, make, times = LISTS[bench.part]
    visit = await bench.at(step, control="Scheduled")
    framed = grown(make(visit, 2), make(visit, 3), times)
    return nothing(await answered(visit, framed, cm.ServiceDiscoveryReq))


async def serial(bench: AtStation) -> Outcome:
    """A serial number far longer than any."""
    visit = await bench.at("Authorization")
    sound = asked.installation(bench.wallet.credential(Role.PROVISIONING), bench.wallet.store.anchors.v2g[:1])
    roots = (X509IssuerSerialType(X509IssuerName="CN=root", X509SerialNumber=1 << int(bench.part.split()[0])),)
    try:
        framed = visit.octets(changed(sound, "ListOfRootCertificateIDs", ListOfRootCertificateIDsType(RootCertificateID=roots)))
    except EncodeError as error:
        return blocked(f"the encoder refuses such a number: {error}")
    reply = await answered(visit, framed, cm.CertificateInstallationReq)
    return judged(reply.kind in ("answer", "closed"), str(reply))


TRAILING: Mapping[str, Callable[[bytes], bytes]] = {
    "an octet behind it": lambda exi: exi + b"\x00",
    "a kilobyte behind it": lambda exi: exi + b"\xa5" * 1024,
    "padding set": lambda exi: exi[:-1] + bytes((exi[-1] | 1,)),
}


async def trailing(bench: AtStation) -> Outcome:
    """Something behind the document: taken or refused, the same way each time."""
    seen = []
    for _ in range(2):
        visit = await bench.at("AuthorizationSetup")
        framed = visit.octets(visit.due())
        reply = await answered(visit, again(framed, TRAILING[bench.part](document(framed))), cm.AuthorizationSetupReq)
        seen.append(reply)
        visit.wire.abandon()
    return judged(seen[0].kind == seen[1].kind and seen[0].code == seen[1].code and seen[0].kind != "silence", f"{seen[0]}, twice")


async def mutants(bench: AtStation) -> Outcome:
    """One message with one bit turned, at places drawn by a fixed seed: an answer or the end, and no silence."""
    source, counts = random.Random(bench.part), {"granted": 0, "refused": 0}  # noqa: S311 - the same places in each run
    done = ""
    for _ in range(bench.pics.test.mutants):
        visit = await bench.still(bench.at(bench.part), done)
        framed = visit.octets(visit.due())
        bit = source.randrange(8, 8 * len(document(framed)))
        reply = await answered(visit, flipped(framed, bit), type(visit.due()))
        if reply.kind in ("silence", "garbage"):
            return failed(f"bit {bit} turned: {reply}")
        counts["granted" if reply.ok else "refused"] += 1
        done = f"bit {bit} was turned"
        visit.wire.abandon()
    return passed(f"{counts['granted']} are read as another request that is granted, {counts['refused']} refused")


CASES = (
    case(
        id="S-EXI-01", purpose="A document has the header of these schemas", stimulus="SessionSetupReq behind a cookie, with options, "
        "of another version, without distinguishing bits", expected=(ALIVE,), script=other_header, parts=tuple(HEADERS),
    ),
    case(
        id="S-EXI-02", purpose="A document that is cut is none", stimulus=f"early requests, each cut at up to {MOST} places",
        expected=(ALIVE,), script=cut, parts=EARLY, within=300.0, lasts=15.0,
    ),
    case(
        id="S-EXI-03", purpose="A claimed length costs no memory",
        stimulus="SessionID, EVCCID and a certificate that claim 2^14 to 2^31 octets",
        expected=(ALIVE,), script=bomb,
        parts=("SessionID 2^14", "SessionID 2^31", "EVCCID 2^14", "EVCCID 2^31", "certificate 2^14", "certificate 2^31"),
    ),
    case(
        id="S-EXI-04", purpose="A number that never ends is none", stimulus="a length of 5 to 100 continued octets", expected=(ALIVE,),
        script=continued, parts=("5 octets", "20 octets", "100 octets"),
    ),
    case(
        id="S-EXI-05", purpose="A list ends where its schema says", stimulus="17 and 10000 ServiceIDs, 2049 steps of power",
        expected=(ALIVE,), script=list_bomb, parts=tuple(LISTS),
    ),
    case(
        id="S-EXI-06", purpose="A serial number far longer than any harms nobody",
        stimulus="CertificateInstallationReq with a serial number of 4000 bits",
        expected=("an answer with any code, for the schema sets no bound", "the end of the connection; a good car is served afterwards"),
        script=serial, parts=("4000 bits",),
    ),
    case(
        id="S-EXI-07", purpose="What stands behind a document is dealt with the same way each time",
        stimulus="an octet, a kilobyte, set bits behind AuthorizationSetupReq", expected=("OK each time", "a refusal each time"),
        script=trailing, parts=tuple(TRAILING),
    ),
    case(
        id="S-EXI-08", purpose="A turned bit harms nobody", stimulus="one bit turned in each of early requests, as often as the PIXIT say",
        expected=("an answer or the end of the connection each time; a good car is served afterwards",), script=mutants, parts=EARLY,
        within=600.0, lasts=15.0,
    ),
)  # fmt: skip
