"""Plug & Charge: what a contract must have signed, and with what chain."""

import secrets
from collections.abc import Mapping
from functools import partial

from pki.signature import SUITES
from v2gkit.conform.at_station import AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.forging import (
    ORDER,
    Forge,
    Moment,
    by_another_key,
    certificate,
    chain,
    in_body,
    named,
    other_challenge,
    references,
    resigned,
    unsigned,
    value,
    wrapped,
)
from v2gkit.conform.judging import fatal, not_authorized, polled
from v2gkit.conform.verdict import Outcome, judged, passed

SIGNATURE = "FAILED_SignatureError"
CHALLENGE = "WARNING_ChallengeInvalid"
REFUSED = "a warning or a fatal code; no services afterwards"
FATAL = f"{SIGNATURE}, and the connection ends"
METHOD, DIGEST = "SignatureMethod.Algorithm", "Reference.0.DigestMethod.Algorithm"
N = ORDER.to_bytes(66, "big")
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"

WRAPPED: Mapping[str, Forge] = {
    "another Id in the body": in_body("Id", "id2"),
    "a reference to an absent Id": references("#id9"),
    "a reference to nothing": references(""),
    "another body": wrapped,
}
TWICE: Mapping[str, Forge] = {"the same twice": references("#id1", "#id1"), "one to nothing": references("#id1", "#id9")}
WEAKER: Mapping[str, Forge] = {
    "RSA with SHA-1": resigned(METHOD, f"{XMLDSIG}rsa-sha1"),
    "HMAC": resigned(METHOD, f"{XMLDSIG}hmac-sha1"),
    "the method of -2": resigned(METHOD, SUITES["secp256r1"].uri),
    "no method": resigned(METHOD, "none"),
    "digest SHA-1": resigned(DIGEST, f"{XMLDSIG}sha1"),
    "digest of -2": resigned(DIGEST, SUITES["secp256r1"].digest_uri),
}
VALUES: Mapping[str, Forge] = {
    "r is zero": value(lambda v: bytes(66) + v[66:]),
    "s is zero": value(lambda v: v[:66] + bytes(66)),
    "r is the order": value(lambda v: N + v[66:]),
    "s is beyond the order": value(lambda v: v[:66] + b"\xff" * 66),
    "131 octets": value(lambda v: v[:-1]),
    "133 octets": value(lambda v: v + b"\x00"),
    "no octets": value(lambda v: b""),
    "as DER": value(lambda v: b"\x30\x81\x84" + v[:129]),
}
DATES = {"expired": "WARNING_CertificateExpired", "not-yet-valid": "WARNING_CertificateNotYetValid"}
CHAINS = ("expired-sub2", "expired-sub1", "swapped", "missing-sub2", "twin-root", "unknown-root", "wrong-family", "tampered")
USAGES = ("wrong-purpose", "leaf-is-ca", "unknown-critical")
OCTETS: Mapping[str, Forge] = {
    "garbage": certificate(b"\x30\x82\xff\xff garbage"),
    "no octets": certificate(b""),
    "1600 random octets": certificate(secrets.token_bytes(1600)),
}
NAMES: Mapping[str, Forge] = {"too short": named("DEV2G"), "too long": named("DEV2GC00000001GDEV2GC00000001G")}
case = partial(Case, role="station", domain="CMN", precondition="the station gave a challenge", control="S-PNC-01")


async def sound(bench: AtStation) -> Outcome:
    """A sound contract is authorized."""
    visit = await bench.at("Authorization", authorization="PnC")
    reply = await polled(visit, visit.authorization())
    return judged(reply.ok and reply.name == "AuthorizationRes", str(reply))


async def forged(bench: AtStation, forge: Forge | Mapping[str, Forge], *codes: str) -> Outcome:
    """One forged request: it must not authorize, and be refused by one of the codes where some are named."""
    visit = await bench.at("Authorization", authorization="PnC")
    make = forge[bench.part] if isinstance(forge, Mapping) else forge
    request = make(Moment(bench.wallet, visit.challenge))
    if codes == (SIGNATURE,):
        return await fatal(bench, visit, await polled(visit, request), SIGNATURE)
    return await not_authorized(bench, visit, request, codes)


async def replayed(bench: AtStation) -> Outcome:
    """A request of another session, word for word."""
    first = await bench.at("Authorization", authorization="PnC")
    request = first.authorization()
    await first.granted(request)
    first.wire.abandon()
    return await not_authorized(bench, await bench.at("Authorization", authorization="PnC"), request, (CHALLENGE,))


async def dated(bench: AtStation) -> Outcome:
    """A contract out of its time."""
    return await forged(bench, chain(bench.part), DATES[bench.part])


async def chained(bench: AtStation) -> Outcome:
    """A contract whose chain is wrong in the way that the part names."""
    return await forged(bench, chain(bench.part))


async def relayed(bench: AtStation) -> Outcome:
    """The contract of one car, shown by another: nothing of the standard lets a station see it."""
    visit = await bench.at("Authorization", authorization="PnC")
    reply = await polled(visit, visit.authorization())
    return passed(f"for information, no message of -20 binds the contract to the car of the connection: {reply}")


CASES = (
    case(
        id="S-PNC-01", kind=Kind.POSITIVE, condition=("pnc",), requirement=("V2G20-2565",), control="",
        purpose="A sound contract is authorized", stimulus="AuthorizationReq (PnC) with the session's challenge, properly signed",
        expected=("OK, in the end Finished",), script=sound, within=90.0,
    ),
    case(
        id="S-PNC-02", kind=Kind.NEGATIVE, condition=("pnc",), requirement=("V2G20-2565",),
        purpose="Only the challenge of this session counts", stimulus="another challenge, properly signed",
        expected=(f"{CHALLENGE}; no services afterwards",), script=lambda bench: forged(bench, other_challenge, CHALLENGE), within=90.0,
    ),
    case(
        id="S-PNC-03", kind=Kind.NEGATIVE, condition=("pnc",), requirement=("V2G20-2608", "V2G20-2565"),
        purpose="What was signed for one session is worth nothing in another", stimulus="the AuthorizationReq of an earlier session",
        expected=(f"{CHALLENGE}; no services afterwards",), script=replayed, within=90.0,
    ),
    case(
        id="S-PNC-04", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="The key must be that of the contract", stimulus="a signature by another key",
        expected=(FATAL,), script=lambda bench: forged(bench, by_another_key, SIGNATURE), within=90.0,
    ),
    case(
        id="S-PNC-05", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="What is signed is what counts", stimulus="the challenge changed after signing",
        expected=(FATAL,), script=lambda bench: forged(bench, in_body("GenChallenge", bytes(16)), SIGNATURE), within=90.0,
    ),
    case(
        id="S-PNC-06", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="Without a signature nothing is authorized", stimulus="no signature in the header",
        expected=(REFUSED,), script=lambda bench: forged(bench, unsigned), within=90.0,
    ),
    case(
        id="S-PNC-07", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="A signature is for the element that it names", stimulus="a good signature that names another element, or none",
        expected=(REFUSED,), script=lambda bench: forged(bench, WRAPPED), parts=tuple(WRAPPED), within=90.0,
    ),
    case(
        id="S-PNC-08", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="One element is signed, once", stimulus="two references",
        expected=(REFUSED,), script=lambda bench: forged(bench, TWICE), parts=tuple(TWICE), within=90.0,
    ),
    case(
        id="S-PNC-09", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="No weaker method of signing is taken", stimulus="the method of signature or digest replaced by a weaker one, and signed",
        expected=(REFUSED,), script=lambda bench: forged(bench, WEAKER), parts=tuple(WEAKER), within=90.0,
    ),
    case(
        id="S-PNC-10", kind=Kind.ROBUSTNESS, condition=("pnc",), requirement=(),
        purpose="A signature value that can be none harms nobody", stimulus="r or s out of range, another length, another form",
        expected=(f"{REFUSED}; a good car is served",), script=lambda bench: forged(bench, VALUES), parts=tuple(VALUES), within=90.0,
    ),
    case(
        id="S-PNC-11", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="A contract counts within its dates", stimulus="a contract that has ended, or has not begun",
        expected=("the warning that says which; no services afterwards",), script=dated, parts=tuple(DATES), within=90.0,
    ),
    case(
        id="S-PNC-12", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="A contract counts with its whole chain", stimulus="sub-CAs that ended, swapped, missing, of another root; one bit turned",
        expected=(REFUSED,), script=chained, parts=CHAINS, within=90.0,
    ),
    case(
        id="S-PNC-13", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="A contract is a certificate for contracts", stimulus="extended key usage of a server, a CA, an unknown critical extension",
        expected=(REFUSED,), script=chained, parts=USAGES, within=90.0,
    ),
    case(
        id="S-PNC-14", kind=Kind.ROBUSTNESS, condition=("pnc",), requirement=(),
        purpose="Octets that are no certificate harm nobody", stimulus="garbage, nothing, or random octets for a certificate",
        expected=(f"{REFUSED}; a good car is served",), script=lambda bench: forged(bench, OCTETS), parts=tuple(OCTETS), within=90.0,
    ),
    case(
        id="S-PNC-15", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="An account is named as accounts are", stimulus="a contract of the right authorities whose name is no eMAID",
        expected=(REFUSED,), script=lambda bench: forged(bench, NAMES), parts=tuple(NAMES), within=90.0,
    ),
    case(
        id="S-PNC-16", kind=Kind.NEGATIVE, condition=("pnc",), requirement=(),
        purpose="Whether a contract can be relayed is known", stimulus="what another car signed over the station's challenge",
        expected=("for information: any answer, -20 cannot tell",), script=relayed, within=90.0,
    ),
)  # fmt: skip
