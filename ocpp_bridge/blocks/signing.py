"""Certificates of the station by request (A02, A03): asked for, judged, put in place, renewed before they end.

The key is made by the cabinet and stays there. A request is repeated with the waits of CertSigningWaitMinimum until its certificate comes
or CertSigningRepeatTimes is over; then the type rests for a day, or until the CSMS triggers it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, cast, get_args

from ocpp_bridge.block import Block, no
from ocpp_bridge.blocks.security import alarm
from ocpp_bridge.charger import Charger, Evse
from ocpp_bridge.model.errand import Errand
from ocpp_bridge.model.safe import CERTIFICATE_MAXIMUM, CURVES, Asked, Chain, Holdings, Subject, Type, hash_data, judged_chain, root_of
from ocpp_bridge.model.variables import BOOLEAN, FLAG, NUMBER, Row
from ocpp_bridge.wire.outbox import Call
from ocpp_bridge.wire.schemas import Payload
from pki.certificate import facts, read
from pki.errors import CertificateError
from pki.keys import key_name
from pki.profiles import EXPIRES_SOON

OWN: Final[Type] = "ChargingStationCertificate"
OWN_NAME: Final = "station"  # of its chain in the cabinet
OF_CARS: Final[tuple[Type, ...]] = ("V2G20Certificate", "V2GCertificate")
LOOK: Final = 600.0  # s between two looks at the files: others may replace certificates too
REST: Final = 86_400.0  # s that a type rests after its last repeat, or a day of a CSMS that signs nothing is full of requests
TRIGGERS: Final[dict[str, Type]] = {
    "SignChargingStationCertificate": OWN,
    "SignV2GCertificate": "V2GCertificate",
    "SignV2G20Certificate": "V2G20Certificate",
}
NAME: Final = r"[\x20-\x7e]{1,64}"  # in the subject of a certificate: X.509 holds 64 characters


def trigger(message: str, charger: Charger, chosen: list[Evse], now: float) -> Payload:
    """TriggerMessage of a Sign message: a certificate is asked for, in place of the one of its type that ends first."""
    type_ = TRIGGERS[message]
    if (objection := _objection(charger, type_)) is not None:
        return no(*objection)
    under_way = charger.safe.asked.get(type_)
    if under_way is None:
        begin(charger, type_, next(iter(charger.safe.chains(type_)), None), solicited=True)
    elif under_way.csr:
        under_way.tries, under_way.solicited = 0, True
        _send(charger, under_way, now)
    return {"status": "Accepted"}


def _objection(charger: Charger, type_: Type) -> tuple[str, str] | None:
    """Why no certificate of a type can be asked for here: reasonCode and words; None where it can."""
    cabinet = charger.safe.cabinet
    if cabinet is None or type_ not in cabinet.types():
        needs = "the CSMS is reached by wss:// and the station has a state folder" if type_ == OWN else "the station has a PKI store"
        return "UnsupportedParam", f"there is no use for a {type_} here; there would be if {needs}"
    if type_ != OWN and not charger.variables.yes("ISO15118Ctrlr.V2GCertificateInstallationEnabled"):
        return "NotEnabled", "ISO15118Ctrlr.V2GCertificateInstallationEnabled is false"
    chains = charger.safe.chains(type_)
    if chains and chains[0].hardware:
        return "UnsupportedParam", f"the key of {chains[0].name} lies in hardware, where its owner renews it"
    return None


def begin(charger: Charger, type_: Type, chain: Chain | None, *, solicited: bool = False) -> None:
    """Have a key made for a certificate of a type, to take the place of a chain; the request follows once it is there."""
    safe = charger.safe
    assert safe.cabinet is not None
    curve = _curve(type_, chain)
    name = chain.name if chain is not None else OWN_NAME if type_ == OWN else f"csms-{curve}"
    root = root_of(chain, safe.roots("V2GRootCertificate")) if chain is not None and type_ != OWN else b""
    asked = Asked(type_, name, charger.number(), root=root, solicited=solicited)
    safe.asked[type_] = asked
    charger.errands.append(
        Errand(
            partial(safe.cabinet.make, type_, curve, _subject(charger, type_)),
            partial(_made, charger, asked),
            partial(_unmade, charger, asked),
        )
    )


def _curve(type_: Type, chain: Chain | None) -> str:
    """The curve for the key of a new certificate: that of the old one, where it may be."""
    before = key_name(cast(Any, chain.leaf.public_key())) if chain is not None else ""
    return before if before in CURVES[type_] else CURVES[type_][0]


def _subject(charger: Charger, type_: Type) -> Subject:
    variables = charger.variables
    if type_ == OWN:
        return Subject(charger.safe.station_id, variables["SecurityCtrlr.OrganizationName"])
    secc = variables["ISO15118Ctrlr.SeccId"]
    return Subject(secc, variables["ISO15118Ctrlr.OrganizationName"], variables["ISO15118Ctrlr.CountryName"])


def _made(charger: Charger, asked: Asked, made: tuple[str, bytes], now: float) -> None:
    asked.csr, asked.public = made
    charger.keep(f"sign/{asked.type}", {"name": asked.name, "requestId": asked.request_id, "csr": asked.csr, "root": asked.root.hex()})
    _send(charger, asked, now)


def _unmade(charger: Charger, asked: Asked, why: str, now: float) -> Payload:
    charger.note(f"no key can be made for the {asked.type}: {why}")
    _over(charger, asked.type)
    charger.safe.rests[asked.type] = now + REST
    return {}


def _send(charger: Charger, asked: Asked, now: float) -> None:
    """Send the request, and set the time for the next; while nobody is there to be asked, that is no attempt."""
    payload: Payload = {"csr": asked.csr, "certificateType": asked.type, "requestId": asked.request_id}
    if asked.root:
        root = read(asked.root, CERTIFICATE_MAXIMUM)
        payload["hashRootCertificate"] = hash_data(root, root)
    sent = charger.call("SignCertificate", payload, solicited=asked.solicited, about=asked.type)
    asked.due = now + charger.variables.number("SecurityCtrlr.CertSigningWaitMinimum") * (1 << min(asked.tries, 16) if sent else 1)
    asked.tries += 1 if sent else 0


def request_answered(charger: Charger, call: Call, response: Payload, now: float) -> None:
    """SignCertificateResponse: a CSMS that refuses is asked again as one that sends nothing."""
    if response["status"] != "Accepted":
        info = response.get("statusInfo", {})
        charger.note(f"the CSMS does not sign a {call.about}: {info.get('reasonCode', '')} {info.get('additionalInfo', '')}".rstrip())


def request_failed(charger: Charger, call: Call, code: str, now: float) -> None:
    """No SignCertificateResponse: it is asked again when it is due."""
    charger.note(f"the CSMS does not answer the request for a {call.about}: {code}")


def certificate_signed(charger: Charger, payload: Payload, now: float) -> Payload:
    """CertificateSigned: the chain is put in place if it is what was asked for; its answer waits until it is on the disk."""
    type_ = cast(Type, payload.get("certificateType", OWN))
    asked, safe = charger.safe.asked.get(type_), charger.safe
    if asked is None or not asked.public or safe.cabinet is None:
        return no("InvalidCertificate", f"no request for a {type_} is under way; trigger one first")
    if payload.get("requestId", asked.request_id) != asked.request_id:
        return no("InvalidCertificate", f"requestId is {payload['requestId']}, and {asked.request_id} is under way")
    try:
        chain = judged_chain(payload["certificateChain"], asked, safe, datetime.fromtimestamp(charger.wall(now), UTC))
    except CertificateError as error:
        alarm(charger, "InvalidChargingStationCertificate", f"{type_}: {error}", now)
        charger.note(f"the {type_} of the CSMS is refused: {error}")
        return no("InvalidCertificate", str(error))
    keep = partial(safe.cabinet.keep_chain, type_, asked.name, chain)
    charger.errands.append(Errand(keep, partial(_kept, charger, asked), _unkept, answers=True))
    return {"status": "Accepted"}


def _kept(charger: Charger, asked: Asked, nothing: Any, now: float) -> None:
    _over(charger, asked.type)
    charger.safe.rests.pop(asked.type, None)
    charger.note(f"the CSMS has signed a new {asked.type}, {asked.name}; it is used from the next connection on")
    if asked.type == OWN:
        charger.safe.anew = "another certificate"
    look(charger, now)


def _unkept(why: str, now: float) -> Payload:
    return no("OutOfStorage", f"the certificate cannot be kept: {why}")


def _over(charger: Charger, type_: Type) -> None:
    charger.safe.asked.pop(type_, None)
    charger.keep(f"sign/{type_}", None)


# --- what is held, and what grows old ---


def look(charger: Charger, now: float) -> None:
    """Have the files read anew."""
    safe = charger.safe
    if safe.cabinet is not None:
        safe.look_due = now + LOOK
        charger.errands.append(Errand(safe.cabinet.read, partial(_looked, charger), partial(_unlooked, charger)))


def _looked(charger: Charger, holdings: Holdings, now: float) -> None:
    safe = charger.safe
    safe.holdings = holdings
    charger.variables["SecurityCtrlr.CertificateEntries"] = str(safe.count())
    if holdings.roots.get("MORootCertificate"):
        charger.roots = holdings.roots["MORootCertificate"]
    if not charger.variables["ISO15118Ctrlr.SeccId"]:
        charger.variables["ISO15118Ctrlr.SeccId"] = _secc_id(charger)
    for asked in list(safe.asked.values()):
        if asked.csr and not asked.public:  # of a run of the process before
            asked.public = holdings.asked.get(asked.type, b"")
            if not asked.public:
                _over(charger, asked.type)
    renew(charger, now)


def _secc_id(charger: Charger) -> str:
    """The name under which cars know the station: that in its certificate, else its first EVSE id."""
    named = [facts(chain.leaf).common_name for type_ in OF_CARS for chain in charger.safe.chains(type_)]
    return next(filter(None, named), next(iter(charger.evses.values())).evse_id)


def _unlooked(charger: Charger, why: str, now: float) -> Payload:
    charger.note(f"the certificates cannot be read: {why}")
    return {}


def renew(charger: Charger, now: float) -> None:
    """Ask for successors of the certificates that have lived two thirds of their time, or end within two weeks."""
    safe = charger.safe
    at = datetime.fromtimestamp(charger.wall(now), UTC)
    for type_ in get_args(Type):
        chains = safe.chains(type_)
        if not chains or type_ in safe.asked or now < safe.rests.get(type_, now) or _objection(charger, type_) is not None:
            continue
        fact = facts(chains[0].leaf)
        left: timedelta = fact.not_after - at
        if left < max((fact.not_after - fact.not_before) / 3, min(EXPIRES_SOON, (fact.not_after - fact.not_before) / 2)):
            charger.note(f"the {type_} {chains[0].name} ends {fact.not_after:%Y-%m-%d %H:%M} UTC; the CSMS is asked for its successor")
            begin(charger, type_, chains[0])


def _due(charger: Charger) -> float | None:
    safe = charger.safe
    if safe.cabinet is None:
        return None
    moments = [asked.due for asked in safe.asked.values() if asked.due is not None]
    return min([*moments, safe.look_due if safe.look_due is not None else 0.0])


def _tick(charger: Charger, now: float) -> None:
    safe = charger.safe
    if safe.cabinet is None:
        return
    if safe.look_due is None or now >= safe.look_due:
        look(charger, now)
    for asked in [one for one in safe.asked.values() if one.due is not None and now >= one.due]:
        if asked.tries > charger.variables.number("SecurityCtrlr.CertSigningRepeatTimes"):
            charger.note(
                f"the CSMS has not signed a {asked.type} after {asked.tries} requests; it is asked again tomorrow, or when it triggers it"
            )
            _over(charger, asked.type)
            safe.rests[asked.type] = now + REST
        else:
            asked.solicited = False
            _send(charger, asked, now)


def _restore(charger: Charger, kept: Mapping[str, Any]) -> None:
    for name, said in kept.items():
        type_ = cast(Type, name.partition("/")[2])
        root = bytes.fromhex(said["root"])
        charger.safe.asked[type_] = Asked(type_, said["name"], said["requestId"], csr=said["csr"], root=root, due=0.0)
        charger.numbers = max(charger.numbers, said["requestId"])


BLOCK: Final = Block(
    requests={"CertificateSigned": certificate_signed},
    triggers={message: partial(trigger, message) for message in TRIGGERS},
    answers={"SignCertificate": request_answered},
    failures={"SignCertificate": request_failed},
    due=_due,
    tick=_tick,
    keeps="sign",
    variables=(
        Row("ISO15118Ctrlr", "V2GCertificateInstallationEnabled", "true", FLAG, BOOLEAN, required="A02"),
        Row("ISO15118Ctrlr", "SeccId", "", "string", NAME),
        Row("ISO15118Ctrlr", "OrganizationName", "v2gkit", "string", NAME),
        Row("ISO15118Ctrlr", "CountryName", "DE", "string", r"[A-Z]{2}"),
        Row("SecurityCtrlr", "OrganizationName", "v2gkit", "string", NAME, required="A02"),
        Row("SecurityCtrlr", "CertSigningWaitMinimum", "30", NUMBER, r"[1-9][0-9]{0,5}", unit="s", low=1, required="A02"),
        Row("SecurityCtrlr", "CertSigningRepeatTimes", "3", NUMBER, r"[0-9]{1,2}", required="A02"),
        Row("SecurityCtrlr", "MaxCertificateChainSize", "10000", NUMBER),
        Row("SecurityCtrlr", "CertificateEntries", "0", NUMBER, required="M05"),
    ),
    restore=_restore,
)
