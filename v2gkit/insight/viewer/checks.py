"""Certificates with each check of the verifier, and signatures step by step, as view lines without their connection.

No trace holds the roots that a side trusts. Every other check is made again here; of the root it is said whose it is, and that the side
which saw the chain went on with it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pki import signature as xmldsig
from pki import status
from pki.certificate import Facts, facts, read
from pki.errors import CertificateError, Kind
from pki.profiles import ISO2, ISO20, RULES, Role, Rules
from pki.signed import SIGNED, Signed
from pki.tariff import signers
from pki.verify import Anchors, Finding, explain
from v2g.legible import legible
from v2g.messages import schema_set
from v2g.messages.common_messages import ScheduleExchangeRes
from v2gkit.insight.viewer.session import Session

Line = dict[str, Any]
Check = dict[str, Any]
LARGEST: Final = 1600  # octets of a certificate that is read: the limit of -20, the larger one
SHOWN: Final = 256  # octets of a step of a signature that are shown: all of a value and of a digest, the beginning of what is digested
ROLES: Final = {"station": Role.SECC, "car": Role.VEHICLE}


# --- TLS ---


def of_handshake(record: Mapping[str, Any], side: str, session: Session) -> Iterator[Line]:
    """The chains of both sides in TLS, with their checks."""
    own, peer = ("car", "station") if side == "evcc" else ("station", "car")
    rules = RULES.get(str(record.get("profile")), ISO20)
    now = _moment(record.get("judged_at") or record.get("epoch"))
    named = {"own_chain": record.get("authorities_named_by_peer"), "peer_chain": record.get("authorities_named")}
    for key, of in (("own_chain", own), ("peer_chain", peer)):
        chain = [bytes.fromhex(der) for der in record.get(key) or ()]
        if not chain:
            continue
        session.shown[of] = chain
        checks = _judged(chain, ROLES[of], now, rules, [bytes.fromhex(each) for each in named[key] or ()])
        if of == "station":
            checks += _stapled(chain, record.get("staples") or (), now)
        yield {"t": "chain", "role": f"The {of}'s chain, in TLS", "of": of, "certificates": _shown(chain), "checks": checks}


def _stapled(chain: Sequence[bytes], staples: Sequence[str | None], now: datetime) -> list[Check]:
    """The OCSP responses that came with the chain of a station, each judged."""
    found = []
    for depth, staple in enumerate(staples[: len(chain)]):
        what = f"OCSP response for certificate {depth}"
        if staple is None:
            found.append(_check(what, True, "none was stapled"))
            continue
        try:
            certificate, issuer = read(chain[depth]), read(chain[depth + 1]) if depth + 1 < len(chain) else None
            if issuer is None:
                found.append(_check(what, True, "stapled; its issuer is a root, which no trace holds"))
                continue
            status.check(bytes.fromhex(staple), certificate, issuer, now)
        except CertificateError as error:
            found.append(_check(what, False, error.reason, error.requirement or "V2G20-1240"))
        else:
            found.append(_check(what, True, "good, and signed by whom its issuer lets sign", "V2G20-1240"))
    return found


# --- chains ---


def _judged(chain: Sequence[bytes], role: Role, now: datetime, rules: Rules, roots: Sequence[bytes] = ()) -> list[Check]:
    return [_told(finding, chain, roots) for finding in explain(chain, role, Anchors(), now, rules=rules)]


def _told(finding: Finding, chain: Sequence[bytes], roots: Sequence[bytes]) -> Check:
    name = re.sub(r"^.*CN=", "", finding.name or "")  # the rest stands in the list of certificates
    whose = "" if finding.depth is None else f" (certificate {finding.depth}{f', {name}' if name else ''})"
    if finding.kind is Kind.UNTRUSTED_ROOT and not finding.holds and finding.depth is not None:
        return _check(f"issued by a trusted root{whose}", True, _rooted(chain, finding.depth, roots), "V2G20-2331")
    return _check(f"{finding.check}{whose}", finding.holds, finding.complaint or "holds", finding.requirement)


def _rooted(chain: Sequence[bytes], depth: int, roots: Sequence[bytes]) -> str:
    """What is known of a root that nobody has here."""
    last = facts(read(chain[depth], LARGEST))
    issuer = last.certificate.issuer.rfc4514_string()
    known = "which is among the roots that the verifying side named" if last.issuer in roots else "which no trace holds"
    return f"by {legible(issuer)}, {known}; the side that verified it accepted the chain"


def _shown(chain: Sequence[bytes]) -> list[Line]:
    return [_certificate(der) for der in chain]


def _certificate(der: bytes) -> Line:
    try:
        fact = facts(read(der, LARGEST))
    except (CertificateError, ValueError) as error:
        return {"subject": f"unreadable: {error}", "issuer": "", "key": "", "from": "", "until": "", "octets": len(der), "serial": ""}
    return {
        "subject": fact.certificate.subject.rfc4514_string(),
        "issuer": fact.certificate.issuer.rfc4514_string(),
        "key": fact.key,
        "from": f"{fact.not_before:%Y-%m-%d %H:%M}",
        "until": f"{fact.not_after:%Y-%m-%d %H:%M}",
        "octets": fact.octets,
        "serial": f"{fact.certificate.serial_number:X}",
    }


# --- signatures ---


def of_message(message: Any, session: Session, now: float) -> Iterator[Line]:
    """The chain in a signed message, and its signature step by step; nothing for a message that is not signed."""
    body = getattr(getattr(message, "Body", None), "BodyElement", message)
    kind = SIGNED.get(type(body))
    signature = getattr(getattr(message, "Header", None), "Signature", None)
    if kind is None or signature is None:
        return
    iso2 = body is not message
    chain = kind.chain(body) if kind.chain is not None else ()
    if chain and kind.role is not None:
        rules = ISO2 if iso2 else ISO20
        of = "contract" if kind.role is Role.CONTRACT else kind.role.value
        if chain != session.shown.get(of):  # a car that polls shows it with every request
            checks = _judged(chain, kind.role, _moment(now), rules)
            role = f"The chain of the {kind.role.value}, in {type(body).__name__}"
            yield {"t": "chain", "role": role, "of": of, "certificates": _shown(chain), "checks": checks}
        session.shown[of] = chain
    suites = (xmldsig.ISO2 | xmldsig.INTEROP) if iso2 else xmldsig.INTEROP
    yield {"t": "signature", "steps": _steps(body, signature, kind, _keys(kind, chain, session), "iso2" if iso2 else "common", suites)}


def _keys(kind: Signed, chain: Sequence[bytes], session: Session) -> list[Facts]:
    """Those who may have signed: the leaf of the chain in the message; of prices whoever stands above the contract; else the contract."""
    if chain:
        return [facts(read(chain[0], LARGEST))]
    contract = [read(der, LARGEST) for der in session.shown.get("contract", ())]
    if kind is SIGNED[ScheduleExchangeRes]:
        return [facts(one) for one in signers(contract)] if contract else []
    return [facts(one) for one in contract[:1] or [read(der, LARGEST) for der in session.shown.get("car", ())[:1]]]


def _steps(body: Any, signature: Any, kind: Signed, keys: Sequence[Facts], name: str, suites: Any) -> list[Check]:
    if not keys:
        return [_check("signature", False, "nobody is known here whose signature it may be: the trace holds no contract")]
    found: list[Check] = []
    for fact in keys:
        public: Any = fact.public_key
        steps, error = xmldsig.explain(signature, kind.elements(body), public, schema_set(name), suites=suites)
        found = [_check("signer", True, legible(fact.name))]
        found += [{**_check(step.name, True, step.detail), "octets": step.octets[:SHOWN].hex()} for step in steps]
        if error is None:
            return found
        found.append(_check("signature", False, str(error), getattr(error, "requirement", None) or ""))
    return found


def _check(what: str, well: bool, said: str, requirement: str | None = "") -> Check:
    return {"what": what, "well": well, "said": legible(said), "requirement": requirement or ""}


def _moment(epoch: Any) -> datetime:
    return datetime.fromtimestamp(float(epoch or 0), UTC)
