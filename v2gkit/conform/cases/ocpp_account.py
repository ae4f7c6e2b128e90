"""What a CSMS sees of a session: whose contract it is, that it begins and ends, what is told of it and in which order."""

import asyncio
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from pki.profiles import Role
from v2gkit.conform.at_station import CURVE2, AtStation
from v2gkit.conform.case import Case, Kind
from v2gkit.conform.judging import polled
from v2gkit.conform.reported import TOLD, Reported, kind, session, stops
from v2gkit.conform.running import Unreached
from v2gkit.conform.verdict import Outcome, failed, inconclusive, judged, passed
from v2gkit.conform.wallet import Wallet

CONTRACT = {"20": ("ocpp", "pnc"), "2": ("generation_2", "ocpp", "pnc", "tls12")}
ANY = {"20": ("ocpp",), "2": ("generation_2", "ocpp")}
DIGESTS: Mapping[str, hashes.HashAlgorithm] = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}
REFUSALS: Mapping[str, tuple[str, str]] = {  # part -> idTokenInfo.status, certificateStatus
    "Blocked": ("Blocked", "Accepted"),
    "Unknown": ("Unknown", "Accepted"),
    "Expired": ("Expired", "Accepted"),
    "CertificateRevoked": ("Invalid", "CertificateRevoked"),
    "CertificateExpired": ("Expired", "CertificateExpired"),
    "CertChainError": ("Invalid", "CertChainError"),
    "ContractCancelled": ("Unknown", "ContractCancelled"),
}
case = partial(
    Case,
    role="station",
    domain="OCPP",
    kind=Kind.POSITIVE,
    requirement=(),
    precondition="the station is connected to the CSMS of the suite",
)


def both(number: int, conditions: Mapping[str, tuple[str, ...]], **fields: Any) -> Iterator[Case]:
    """A case in each generation: S-OCP-01 and S2-OCP-01. `control` is the number of a case."""
    control = fields.pop("control", 0)
    for generation, letter in (("20", "S"), ("2", "S2")):
        known = f"{letter}-OCP-{control:02}" if control else ""
        yield case(id=f"{letter}-OCP-{number:02}", condition=conditions[generation], control=known, **fields)


def account(text: str) -> str:
    """An eMAID without separators, in capitals, and without its check digit."""
    return text.replace("-", "").replace("*", "").upper()[:14]


def presented(bench: AtStation) -> Any:
    """The contract that the good car of this generation shows."""
    wallet = bench.wallet if bench.generation == "20" else Wallet(bench.wallet.store, CURVE2)
    return wallet.credential(Role.CONTRACT)


def of_contract(bench: AtStation, token: Mapping[str, Any]) -> bool:
    """Whether a token of OCPP is the contract of the car."""
    return token.get("type") == "eMAID" and account(str(token.get("idToken", ""))) == account(presented(bench).common_name)


# --- authorization ---


async def authorized(bench: AtStation) -> Outcome:
    """The contract of a car is shown to the CSMS, and can be proved there."""
    async with session(bench, "Authorization", authorization="PnC") as one:
        visit: Any = one.visit
        reply = await polled(visit, visit.authorization())
        call = await one.csms.hear(one.began, lambda call: call.action == "Authorize", TOLD)
        if call is None:
            return inconclusive(f"no Authorize in {TOLD:g} s, the car is told {reply}: the station may know the contract already")
        if not of_contract(bench, call.payload["idToken"]):
            return failed(f"Authorize for {call.payload['idToken']}, the contract is {presented(bench).common_name}")
        wrong = unproven(bench, call.payload)
        return judged(not wrong and reply.ok, f"Authorize for the contract{f', but {wrong}' if wrong else ''}; {reply}")


def unproven(bench: AtStation, payload: Mapping[str, Any]) -> str:
    """Why an Authorize does not prove the contract to a CSMS, in words; empty where it does."""
    chain = presented(bench).chain
    if "certificate" in payload:
        shown = x509.load_pem_x509_certificates(payload["certificate"].encode())
        return "" if shown and shown[0] == chain[0] else "the certificate in it is not the contract's"
    data = payload.get("iso15118CertificateHashData")
    if not data:
        return "it has neither hash data nor the certificate"
    above = [*chain[1:], *(root for root in bench.wallet.store.anchors.trusted_for(Role.CONTRACT) if root.subject == chain[-1].issuer)]
    for each in data:
        wrong = [which for which, (one, issuer) in enumerate(zip(chain, above, strict=False)) if matches(each, one, issuer)]
        if not wrong:
            return f"its hash data with the serial number {each['serialNumber']} is of no certificate in the contract's chain"
    leaf = any(matches(each, chain[0], above[0]) for each in data)
    return "" if leaf else "no hash data is that of the contract's own certificate"


def matches(data: Mapping[str, Any], one: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether hash data of OCPP is that of a certificate below its issuer, as the `cryptography` package computes a CertID."""
    algorithm = DIGESTS[data["hashAlgorithm"]]
    known = ocsp.OCSPRequestBuilder().add_certificate(one, issuer, algorithm).build()
    names = (known.issuer_name_hash.hex(), known.issuer_key_hash.hex(), f"{known.serial_number:x}")
    said = (data["issuerNameHash"].lower(), data["issuerKeyHash"].lower(), data["serialNumber"].lower().lstrip("0"))
    return said == names


async def refused(bench: AtStation) -> Outcome:
    """A contract that the CSMS refuses opens nothing."""
    status, certificate = REFUSALS[bench.part]
    answer = {"idTokenInfo": {"status": status}, "certificateStatus": certificate}
    csms = await bench.csms()
    with csms.answering("Authorize", lambda payload, usual: answer):
        async with session(bench, "Authorization", authorization="PnC") as one:
            visit: Any = one.visit
            return await _not_granted(one, await polled(visit, visit.authorization()))


async def refused_card(bench: AtStation) -> Outcome:
    """Without a contract a car is somebody that the CSMS refuses."""
    csms = await bench.csms()
    with csms.answering("Authorize", lambda payload, usual: {"idTokenInfo": {"status": "Blocked"}}):
        async with session(bench, "Authorization", authorization="EIM") as one:
            visit: Any = one.visit
            return await _not_granted(one, await polled(visit, visit.authorization()))


async def _not_granted(one: Reported, reply: Any) -> Outcome:
    if not one.csms.heard(one.began, "Authorize"):
        return inconclusive(f"no Authorize came, the car is told {reply}: the station asks nobody")
    if not reply.ok:
        return passed(str(reply))
    finished = getattr(getattr(reply.message, "EVSEProcessing", None), "value", "Finished") == "Finished"
    return judged(not finished, f"the CSMS refused, the car is told {reply}")


async def revoked_later(bench: AtStation) -> Outcome:
    """A token that the CSMS takes back in the answer to a TransactionEvent."""
    csms = await bench.csms()
    set_ = [_setting("StopTxOnInvalidId", "true"), _setting("MaxEnergyOnInvalidId", "0")]
    said = (await csms.call("SetVariables", {"setVariableData": set_}))["setVariableResult"][0]["attributeStatus"]
    if said not in ("Accepted", "RebootRequired"):
        return inconclusive(f"the station does not take TxCtrlr.StopTxOnInvalidId: {said}")
    heard, ways = asyncio.Event(), {"authorization": "PnC"} if bench.pics.claims.pnc else {}

    def answer(payload: Any, usual: Any) -> Any:
        if "idToken" not in payload:
            return usual
        heard.set()
        return {"idTokenInfo": {"status": "Invalid"}}

    with csms.answering("TransactionEvent", answer):
        try:
            async with session(bench, **ways) as one:
                if not await one.charging(lambda _: True if heard.is_set() else None, TOLD):
                    return inconclusive("no TransactionEvent with an idToken came")
                told = await one.charging(stops, TOLD)
        except Unreached as error:
            return judged(heard.is_set(), f"the token was taken back, and the session is over: {error}")
    return judged(told is not None, f"the token was taken back, and the car is told {told or 'nothing'}")


def _setting(name: str, value: str) -> Mapping[str, Any]:
    return {"component": {"name": "TxCtrlr"}, "variable": {"name": name}, "attributeValue": value}


# --- transactions ---


async def told(bench: AtStation) -> Outcome:
    """A whole session is one transaction."""
    async with session(bench) as one:
        await one.transaction()
        charging = await one.event(lambda call: call.payload["transactionInfo"].get("chargingState") == "Charging")
        await one.charging(lambda _: None, 2.0)
        await one.leaves()
        end = await one.ended()
        if charging is None:
            return failed("no TransactionEvent says chargingState Charging while power flows")
        if end is None:
            stays = await _stop_points(one)
            points = {each.strip() for each in stays.split(",")} - {"EVConnected", "ParkingBayOccupancy"}
            seen = f"no TransactionEvent Ended {TOLD:g} s after the session, TxStopPoint is {stays or 'not known'}"
            return failed(seen) if points and stays else inconclusive(seen)
        events = one.events(end.transaction)
        return _in_order(events)


def _in_order(events: Any) -> Outcome:
    numbers = [each.payload["seqNo"] for each in events]
    kinds = [kind(each) for each in events]
    seen = f"{len(events)} events, seqNo {numbers[0]} to {numbers[-1]}, {kinds[0]} to {kinds[-1]}"
    if sorted(set(numbers)) != list(range(min(numbers), max(numbers) + 1)):
        return failed(f"seqNo {numbers} has gaps")
    later = [kind for kind in kinds[1:] if kind == "Started"]
    return judged(not later and kinds.count("Ended") == 1, seen if not later else f"{seen}; it is Started twice")


async def _stop_points(one: Reported) -> str:
    asked_for = [{"component": {"name": "TxCtrlr"}, "variable": {"name": "TxStopPoint"}}]
    try:
        said = await one.csms.call("GetVariables", {"getVariableData": asked_for})
    except Unreached:
        return ""
    return str(said["getVariableResult"][0].get("attributeValue", ""))


async def whose(bench: AtStation) -> Outcome:
    """The transaction of a contract bears its token."""
    async with session(bench, authorization="PnC") as one:
        found = await one.event(lambda call: "idToken" in call.payload)
        if found is None:
            return failed(f"no TransactionEvent with an idToken in {TOLD:g} s of charging")
        token = found.payload["idToken"]
        return judged(
            of_contract(bench, token), f"TransactionEvent {kind(found)} with {token}; the contract is {presented(bench).common_name}"
        )


async def stopped_by_car(bench: AtStation) -> Outcome:
    """A car that ends its charge is the one that ended it."""
    async with session(bench) as one:
        await one.transaction()
        await one.leaves()
        end = await one.ended()
        if end is None:
            return inconclusive(f"no TransactionEvent Ended in {TOLD:g} s")
        why = end.payload["transactionInfo"].get("stoppedReason", "Local")
        return judged(why in BY_CAR, f"stoppedReason {why}, triggerReason {end.payload['triggerReason']}")


BY_CAR = ("StoppedByEV", "EVDisconnected", "Local", "SOCLimitReached", "Other")


async def occupied(bench: AtStation) -> Outcome:
    """The outlet of a car is occupied."""
    async with session(bench) as one:
        await one.transaction()
        found = await one.csms.hear(one.began, lambda call: one.mine(call) and status(call) == "Occupied", 2.0)
        if found is None:
            wanted = {"requestedMessage": "StatusNotification", "evse": {"id": bench.evse, "connectorId": 1}}
            said = (await one.csms.call("TriggerMessage", wanted))["status"]
            if said != "Accepted":
                return inconclusive(f"no status of EVSE {bench.evse} came by itself, and TriggerMessage is {said}")
            found = await one.csms.hear(one.began, lambda call: one.mine(call) and bool(status(call)), TOLD)
        return judged(found is not None and status(found) == "Occupied", f"EVSE {bench.evse} is {status(found) if found else 'never told'}")


def status(call: Any) -> str:
    """The state of a connector that a call tells (StatusNotification, or NotifyEvent of AvailabilityState); empty where it tells none."""
    if call.action == "StatusNotification":
        return str(call.payload["connectorStatus"])
    events = call.payload.get("eventData", ()) if call.action == "NotifyEvent" else ()
    states = [each["actualValue"] for each in events if each["variable"]["name"] == "AvailabilityState"]
    return str(states[-1]) if states else ""


async def valid(bench: AtStation) -> Outcome:
    """Whatever the station says in a session is a message of OCPP."""
    csms = await bench.csms()
    before = len(csms.faults)
    async with session(bench) as one:
        await one.charging(lambda _: None, 2.0)
        await one.leaves()
        await asyncio.sleep(1.0)
        count, faults = len(csms.heard(one.began)), csms.faults[before:]
    if not count:
        return inconclusive("the station says nothing to its CSMS")
    return judged(not faults, "; ".join(dict.fromkeys(faults)) or f"{count} calls, each of its schema in {csms.version}")


CASES = (
    *both(
        1, ANY, purpose="A session is one transaction to the CSMS", basis="OCPP 2.x, E01 to E03, E06",
        stimulus="a whole session of a good car",
        expected=("TransactionEvents of one transaction, chargingState Charging while power flows, seqNo without gaps, Ended once",),
        script=told, within=90.0, lasts=8.0,
    ),
    *both(
        2, CONTRACT, purpose="A contract is shown to the CSMS, and can be proved there", basis="OCPP 2.x, C07",
        stimulus="authorization by a sound contract", claim="station",
        expected=("Authorize with the eMAID and the hash data of the certificates, or the certificate; then the car is authorized",),
        script=authorized, within=90.0, lasts=3.0,
    ),
    *both(
        3, CONTRACT, purpose="The transaction of a contract bears its token", basis="OCPP 2.x, C07, E02", control=1,
        stimulus="a charge by contract", expected=("a TransactionEvent with the eMAID as idToken",), script=whose, within=90.0, lasts=5.0,
    ),
    *both(
        4, CONTRACT, kind=Kind.NEGATIVE, purpose="A contract that the CSMS refuses opens nothing", basis="OCPP 2.x, C07", control=2,
        stimulus="a sound contract, for which the CSMS answers Authorize with the status that the part names", claim="station",
        expected=("a warning or FAILED: the car is not authorized",), script=refused, parts=tuple(REFUSALS), within=90.0, lasts=3.0,
    ),
    *both(
        5, {name: (*each, "eim") for name, each in ANY.items()}, kind=Kind.NEGATIVE, purpose="Nobody charges whom the CSMS refuses",
        basis="OCPP 2.x, C01", control=1, stimulus="external authorization, for which the CSMS answers Blocked", claim="station",
        expected=("the car is not authorized",), script=refused_card, within=90.0, lasts=3.0,
    ),
    *both(
        6, ANY, kind=Kind.NEGATIVE, purpose="A token that is taken back ends the charge", basis="OCPP 2.x, E05", control=1,
        stimulus="TxCtrlr.StopTxOnInvalidId true; the answer to the TransactionEvent with the idToken says Invalid", claim="station",
        expected=("the car is told to end, or gets no power",), script=revoked_later, within=90.0, lasts=5.0,
    ),
    *both(
        7, ANY, purpose="A transaction that the car ended is told so", basis="OCPP 2.x, E06, E07", control=1,
        stimulus="a car that ends its charge", expected=(f"stoppedReason {', '.join(BY_CAR)}, or none",), script=stopped_by_car,
        within=90.0, lasts=5.0,
    ),
    *both(
        8, ANY, purpose="The outlet of a car is occupied", basis="OCPP 2.x, G01",
        stimulus="a car that charges", expected=("StatusNotification or NotifyEvent of AvailabilityState: Occupied, unasked or asked",),
        script=occupied, within=90.0, lasts=5.0,
    ),
    *both(
        9, ANY, purpose="What the station says is OCPP", basis="the JSON schemas of OCPP 2.x", control=1,
        stimulus="a whole session of a good car", expected=("every call of the station is valid by its schema",), script=valid, within=90.0,
        lasts=8.0,
    ),
)  # fmt: skip
