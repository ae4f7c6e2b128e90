"""ISO 15118-2, Plug & Charge: which contracts are taken, and which signed challenges."""

import secrets
from collections.abc import Mapping
from functools import partial

from pki.profiles import Role
from pki.signature import SUITES
from v2g.messages.iso2 import msg_body as mb
from v2gkit.conform import asked2, forging2
from v2gkit.conform.asked2 import Sealed
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging2 import Forge2, Moment2, Showing
from v2gkit.conform.judging import nothing, polled, told
from v2gkit.conform.randomness import suspicion
from v2gkit.conform.verdict import Outcome, judged, passed
from v2gkit.conform.visit2 import Visit2

CHALLENGE, SIGNATURE, EXPIRED = "FAILED_ChallengeInvalid", "FAILED_SignatureError", "FAILED_CertificateExpired"
N = forging2.ORDER.to_bytes(32, "big")
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
METHOD, DIGEST = "SignatureMethod.Algorithm", "Reference.0.DigestMethod.Algorithm"
NO_CHARGE = "nothing is granted: no challenge that authorizes"
case = partial(
    Case,
    role="station",
    domain="CMN",
    condition=("generation_2", "pnc", "tls12"),
    precondition="payment by contract is selected",
    within=60.0,
)
signs = partial(case, precondition="the contract is shown, and the challenge known", control="S2-AUT-01")


async def shown(bench: AtStation) -> Outcome:
    """A sound contract gets a challenge."""
    visit = await bench.at2("PaymentDetails", authorization="PnC")
    reply = await visit.ask(visit.due())
    challenge = getattr(reply.message, "GenChallenge", b"")
    return judged(
        reply.code in ("OK", "OK_CertificateExpiresSoon") and len(challenge) == 16, f"{reply}, a challenge of {len(challenge)} octets"
    )


async def drawn(bench: AtStation) -> Outcome:
    """Many sessions: what they give contracts to sign looks drawn at random."""
    challenges = list[bytes]()
    for _ in range(bench.pics.test.sessions):
        visit = await (await bench.at2("PaymentDetails", authorization="PnC")).through("PaymentDetails")
        challenges.append(visit.challenge)
        await visit.ask(asked2.stop())
        await visit.wire.close()
    wrong = suspicion(challenges)
    return judged(not wrong, wrong or f"{len(challenges)} challenges, none twice, their bits in balance")


async def unbelieved(bench: AtStation, showing: Showing, *codes: str, closes: bool = False) -> Outcome:
    """A contract that is not to be believed: refused by one of the codes (none: any), or at the latest when it is to authorize.

    With `closes` the end of the connection is a refusal too.
    """
    visit = await bench.at2("PaymentDetails", authorization="PnC")
    reply = await visit.ask(showing(visit.wallet))
    if closes and reply.kind == "closed":
        return passed(str(reply))
    if codes or not reply.ok:
        return told(visit, reply, *codes, of=mb.PaymentDetailsReq)
    after = await polled(visit, visit.authorization())
    return judged(not after.ok, f"{reply}; its authorization: {after}")


BROKEN = ("expired-sub2", "expired-sub1", "missing-sub2", "twin-root", "unknown-root", "wrong-family", "tampered", "weak-hash")
USAGES = ("leaf-is-ca", "unknown-critical", "sub-is-no-ca", "sub-may-not-sign", "other-generation")
OCTETS: Mapping[str, Showing] = {
    "garbage": forging2.certificate(b"\x30\x82\xff\xff garbage"),
    "no octets": forging2.certificate(b""),
    "800 random octets": forging2.certificate(secrets.token_bytes(800)),
}
ACCOUNTS: Mapping[str, Showing] = {
    "of another account": forging2.account("DEV2GC99999999X"),
    "no account": forging2.account("--------------"),
    "short in the certificate": forging2.named("DEV2G"),
}
ROLES = {"vehicle": Role.VEHICLE, "provisioning": Role.PROVISIONING, "station": Role.SECC}


# --- the signed challenge ---


async def authorized(bench: AtStation) -> Outcome:
    """A sound challenge is granted."""
    visit = await bench.at2("Authorization", authorization="PnC")
    reply = await polled(visit, visit.authorization())
    return judged(reply.ok and reply.name == "AuthorizationRes", str(reply))


async def forged(bench: AtStation, forge: Forge2 | Mapping[str, Forge2], *codes: str) -> Outcome:
    """One forged request: it must not authorize, and be refused by one of the codes where some are named."""
    visit = await bench.at2("Authorization", authorization="PnC")
    make = forge[bench.part] if isinstance(forge, Mapping) else forge
    reply = await polled(visit, make(Moment2(visit.wallet, visit.challenge)))
    return told(visit, reply, *codes, of=mb.AuthorizationReq) if codes or reply.fatal else nothing(reply)


async def replayed(bench: AtStation) -> Outcome:
    """A request of another session, word for word."""
    first = await bench.at2("Authorization", authorization="PnC")
    request = first.authorization()
    await first.granted(request)
    first.wire.abandon()
    visit = await bench.at2("Authorization", authorization="PnC")
    return told(visit, await polled(visit, request), CHALLENGE, of=mb.AuthorizationReq)


async def of_another_contract(bench: AtStation) -> Outcome:
    """A challenge that the key of another certificate of the car signed."""
    visit: Visit2 = await bench.at2("Authorization", authorization="PnC")
    by = visit.wallet.credential(Role.PROVISIONING).key
    reply = await polled(visit, asked2.sealed(asked2.challenged(visit.challenge), by))
    return told(visit, reply, SIGNATURE, of=mb.AuthorizationReq)


async def used_up(bench: AtStation) -> Outcome:
    """The contract is shown once more when its challenge is known."""
    visit = await bench.at2("Authorization", authorization="PnC")
    reply = await visit.ask(asked2.contract(visit.wallet.credential(Role.CONTRACT)))
    return told(visit, reply, "FAILED_SequenceError", of=mb.PaymentDetailsReq)


BODIES: Mapping[str, Forge2] = {
    "no challenge": lambda at: asked2.sealed(asked2.challenged(None), at.key),
    "no Id": lambda at: Sealed(asked2.challenged(at.challenge, None), at.sound.signature),
    "another Id": forging2.in_body("Id", "id2"),
}
WRAPPED: Mapping[str, Forge2] = {
    "a reference to nothing": forging2.references("#nobody"),
    "an empty reference": forging2.references(""),
    "the same twice": forging2.references("#id1", "#id1"),
    "another beside it": forging2.references("#id1", "#id2"),
}
WEAKER: Mapping[str, Forge2] = {
    "RSA with SHA-1": forging2.resigned(METHOD, f"{XMLDSIG}rsa-sha1"),
    "HMAC": forging2.resigned(METHOD, f"{XMLDSIG}hmac-sha1"),
    "the method of -20": forging2.resigned(METHOD, SUITES["secp521r1"].uri),
    "digest SHA-1": forging2.resigned(DIGEST, f"{XMLDSIG}sha1"),
    "digest of -20": forging2.resigned(DIGEST, SUITES["secp521r1"].digest_uri),
}
VALUES: Mapping[str, Forge2] = {
    "r is zero": forging2.value(lambda v: bytes(32) + v[32:]),
    "s is zero": forging2.value(lambda v: v[:32] + bytes(32)),
    "r is the order": forging2.value(lambda v: N + v[32:]),
    "s is beyond the order": forging2.value(lambda v: v[:32] + b"\xff" * 32),
    "63 octets": forging2.value(lambda v: v[:-1]),
    "65 octets": forging2.value(lambda v: v + b"\x00"),
    "no octets": forging2.value(lambda v: b""),
    "as DER": forging2.value(lambda v: b"\x30\x44\x02\x20" + v[:32] + b"\x02\x20" + v[32:]),
}
FAILS = "PaymentDetailsRes with a FAILED code, or AuthorizationRes with one at the latest"
REFUSED = "AuthorizationRes with a FAILED code, or the end of the connection"
CASES = (
    case(
        id="S2-PNC-01", kind=Kind.POSITIVE, requirement=("V2G2-697",), purpose="A sound contract gets a challenge",
        stimulus="PaymentDetailsReq with the chain of a contract", expected=("OK, OK_CertificateExpiresSoon; 16 octets",), script=shown,
    ),
    case(
        id="S2-PNC-02", kind=Kind.ROBUSTNESS, requirement=("V2G2-697",), purpose="Challenges cannot be guessed", control="S2-PNC-01",
        stimulus="PaymentDetailsReq in many sessions, as many as the PIXIT say", script=drawn, lasts=30.0,
        expected=("no challenge twice, bits in balance, every octet over its whole range",),
    ),
    case(
        id="S2-PNC-03", kind=Kind.NEGATIVE, requirement=("V2G2-474",), purpose="A contract that has ended counts nothing",
        stimulus="PaymentDetailsReq with it", expected=(f"PaymentDetailsRes with {EXPIRED}",), control="S2-PNC-01",
        script=lambda bench: unbelieved(bench, forging2.chain("expired"), EXPIRED),
    ),
    case(
        id="S2-PNC-04", kind=Kind.NEGATIVE, requirement=("V2G2-824",), purpose="A contract that has not begun counts nothing",
        stimulus="PaymentDetailsReq with it", expected=(f"PaymentDetailsRes with {EXPIRED}",), control="S2-PNC-01",
        script=lambda bench: unbelieved(bench, forging2.chain("not-yet-valid"), EXPIRED),
    ),
    case(
        id="S2-PNC-05", kind=Kind.NEGATIVE, requirement=(), basis="table 112, PaymentDetailsRes",
        purpose="A contract counts with its whole chain", stimulus="sub-CAs that ended or miss, other roots, one bit turned, another hash",
        expected=(FAILS,), script=lambda bench: unbelieved(bench, forging2.chain(bench.part)), parts=BROKEN, control="S2-PNC-01",
    ),
    case(
        id="S2-PNC-06", kind=Kind.NEGATIVE, requirement=(), basis="Annex F, contract certificate",
        purpose="A contract is a certificate for contracts",
        stimulus="a leaf that is a CA or has an unknown critical extension, sub-CAs that are none, a key of -20", parts=USAGES,
        expected=(FAILS,), script=lambda bench: unbelieved(bench, forging2.chain(bench.part)), control="S2-PNC-01",
    ),
    case(
        id="S2-PNC-07", kind=Kind.ROBUSTNESS, requirement=("V2G2-736",), purpose="Octets that are no certificate harm nobody",
        stimulus="garbage, nothing, random octets for a certificate",
        expected=("PaymentDetailsRes with a FAILED code; a good car is served",),
        script=lambda bench: unbelieved(bench, OCTETS[bench.part]), parts=tuple(OCTETS), control="S2-PNC-01",
    ),
    case(
        id="S2-PNC-08", kind=Kind.NEGATIVE, requirement=(), basis="8.4.3.5.1, eMAID", purpose="A contract is for its own account",
        stimulus="an eMAID that is not that of the certificate, or none; a certificate whose name is no eMAID", parts=tuple(ACCOUNTS),
        expected=(FAILS,), script=lambda bench: unbelieved(bench, ACCOUNTS[bench.part]), control="S2-PNC-01",
    ),
    case(
        id="S2-PNC-09", kind=Kind.NEGATIVE, requirement=(), basis="Annex F, contract certificate",
        purpose="No certificate of another role pays", stimulus="the certificate of a vehicle, for provisioning, of a station",
        expected=(FAILS,), script=lambda bench: unbelieved(bench, forging2.role(ROLES[bench.part])), parts=tuple(ROLES),
        control="S2-PNC-01",
    ),
    signs(
        id="S2-AUT-01", kind=Kind.POSITIVE, requirement=("V2G2-475", "V2G2-461"), purpose="A signed challenge authorizes",
        control="S2-PNC-01",
        stimulus="AuthorizationReq with the challenge, signed by the contract", expected=("OK, in the end Finished",), script=authorized,
        within=90.0,
    ),
    signs(
        id="S2-AUT-02", kind=Kind.NEGATIVE, requirement=("V2G2-475",), purpose="Only the challenge of this session counts",
        stimulus="another challenge, properly signed", expected=(f"AuthorizationRes with {CHALLENGE}",),
        script=lambda bench: forged(bench, forging2.other_challenge, CHALLENGE),
    ),
    signs(
        id="S2-AUT-03", kind=Kind.NEGATIVE, requirement=("V2G2-475", "V2G2-697"),
        purpose="What was signed for one session is worth nothing in another", stimulus="the AuthorizationReq of an earlier session",
        expected=(f"AuthorizationRes with {CHALLENGE}",), script=replayed,
    ),
    signs(
        id="S2-AUT-04", kind=Kind.NEGATIVE, requirement=("V2G2-461",), purpose="The key must be that of the contract",
        stimulus="a signature by a key of nobody", expected=(f"AuthorizationRes with {SIGNATURE}",),
        script=lambda bench: forged(bench, forging2.by_another_key, SIGNATURE),
    ),
    signs(
        id="S2-AUT-05", kind=Kind.NEGATIVE, requirement=("V2G2-461",),
        purpose="Another certificate of the car does not sign for the contract",
        stimulus="a signature by the provisioning certificate", expected=(f"AuthorizationRes with {SIGNATURE}",),
        script=of_another_contract,
    ),
    signs(
        id="S2-AUT-06", kind=Kind.NEGATIVE, requirement=("V2G2-461",), purpose="Without a signature nothing is authorized",
        stimulus="the challenge, and no signature", expected=(REFUSED,), script=lambda bench: forged(bench, forging2.unsigned),
    ),
    signs(
        id="S2-AUT-07", kind=Kind.NEGATIVE, requirement=("V2G2-461", "V2G2-475"), purpose="What is signed must be there, and be what came",
        stimulus="no challenge, no Id, another Id than was signed", expected=(REFUSED,), script=lambda bench: forged(bench, BODIES),
        parts=tuple(BODIES),
    ),
    signs(
        id="S2-AUT-08", kind=Kind.NEGATIVE, requirement=("V2G2-461",), purpose="One element is signed, once, and named",
        stimulus="a reference to nothing, an empty one, two", expected=(REFUSED,), script=lambda bench: forged(bench, WRAPPED),
        parts=tuple(WRAPPED),
    ),
    signs(
        id="S2-AUT-09", kind=Kind.NEGATIVE, requirement=("V2G2-461",), purpose="No other method of signing is taken",
        stimulus="the method of signature or digest replaced by another one, and signed", expected=(REFUSED,),
        script=lambda bench: forged(bench, WEAKER), parts=tuple(WEAKER),
    ),
    signs(
        id="S2-AUT-10", kind=Kind.ROBUSTNESS, requirement=("V2G2-461",), purpose="A signature value that can be none harms nobody",
        stimulus="r or s out of range, another length, another form", expected=(f"{REFUSED}; a good car is served",),
        script=lambda bench: forged(bench, VALUES), parts=tuple(VALUES),
    ),
    signs(
        id="S2-AUT-11", kind=Kind.NEGATIVE, requirement=("V2G2-538",), purpose="A contract is shown once",
        stimulus="PaymentDetailsReq where the challenge is due", expected=("PaymentDetailsRes with FAILED_SequenceError",), script=used_up,
    ),
)  # fmt: skip
