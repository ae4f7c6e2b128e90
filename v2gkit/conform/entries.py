"""What a result is about: its case of the catalogue or its rule for recordings, in the words of a report (pure)."""

from dataclasses import dataclass
from functools import cache

from v2gkit.conform.capture.rules import RULES, Weight
from v2gkit.conform.case import Kind
from v2gkit.conform.catalogue import catalogue
from v2gkit.conform.verdict import Result

WHY = {
    "AUS": "The way of authorization decides who pays; one that was not offered must not be taken.",
    "AUT": "Authorization is what a charge is billed by: too lenient and others pay, too strict and cars stand still.",
    "CHG": "A car that takes a wrong answer for a right one closes contactors on what nobody agreed upon.",
    "CIN": "A contract is a key that is brought to a car: whoever can read or replace it can charge for somebody else.",
    "CPD": "Parameters are limits: what is agreed upon here is what the hardware is trusted with.",
    "CRT": "A chain that is taken wrongly lets anybody in, one that is refused wrongly leaves cars standing.",
    "DCS": "Isolation is measured before voltage is there, contactors close on equal voltages only: to leave it out is a danger to people.",
    "EIM": "A card is asked for by somebody who waits at the car: too lenient and nobody pays, too strict and the car stands still.",
    "END": "A session that ends in order leaves outlet and car safe, and free for the next one.",
    "EXI": "Whoever is on the cable can send octets; a decoder that trusts them costs memory, time, or the device.",
    "GEN": "What holds in every state is what a device falls back to when nothing else fits.",
    "LOP": "In the loop power flows, and both sides must notice within half a second that the other one is gone.",
    "MTR": "A reading that is signed and confirmed is what the bill stands on.",
    "OCP": "What a CSMS hears is what is billed, and what it says is what a grid relies on: a lost word costs money.",
    "PNC": "A contract pays by its signature and its chain; what is not verified can be forged.",
    "PWD": "Here power begins and ends: a request in the wrong state must never close a contactor.",
    "PSS": "What is selected here is what is paid for, and how; a way that was not offered must not be taken.",
    "REN": "A schedule changes while power flows; whoever leaves out a step closes contactors on a cable that nobody has checked.",
    "SAP": "The negotiation decides which standard is spoken; an answer that was not offered leaves both sides in different protocols.",
    "SCH": "Schedules bound the power over hours; what does not add up overloads a grid or leaves a car empty.",
    "SDP": "Without discovery no session begins; a device that answers wrongly, or not any more, sends cars to nowhere.",
    "SEL": "A choice that was never offered must be refused, or both sides go on with different services.",
    "SES": "A session has one id and one order; a car that overlooks a foreign one can be led astray by anybody on the link.",
    "SPS": "What is selected here is what is paid for, and how; a way that was not offered must not be taken.",
    "SSU": "The session id is what tells this session from every other one; an id that is not checked can be taken over.",
    "STP": "A session that ends in order leaves the outlet safe and free for the next car.",
    "SVC": "A car chooses from what it was offered, and from nothing else.",
    "SVD": "A car chooses from what it was offered; an offer that is wrong or missing ends the session before power flows.",
    "SVT": "Parameter sets tell what a service is; a car that cannot read them cannot choose.",
    "TLS": "TLS is all that proves to a car and a station who the other one is. What is accepted too easily here is open to everybody.",
    "TP": "Octets come before anything is authenticated: a header that is believed costs memory, or the device.",
}  # by the family of a case, in our words


@dataclass(frozen=True, slots=True)
class Entry:
    """A result and what it is about; empty strings and tuples where nothing is known of its id. `weight` is in the words of a report:
    "standard", "performance", or "robustness", which is never a fault against the standard."""

    result: Result
    purpose: str = ""
    domain: str = ""
    weight: str = "standard"
    stimulus: str = ""
    precondition: str = ""
    condition: tuple[str, ...] = ()
    control: str = ""
    why: str = ""

    @property
    def counts(self) -> bool:
        """Whether a failure of it is one against the standard."""
        return self.weight == "standard"


def entry(result: Result) -> Entry:
    """What a result is about."""
    case = catalogue().get(result.id)
    if case is not None:
        weight = "robustness" if case.kind is Kind.ROBUSTNESS else "standard"
        why = WHY.get(case.family, "")
        return Entry(result, case.purpose, case.domain, weight, case.stimulus, case.precondition, case.condition, case.control, why)
    rule = RULES.get(result.id)
    if rule is not None:
        held = "both sides" if rule.of == "both" else f"the {rule.of}"
        return Entry(result, rule.says, rule.domain, rule.weight.value, f"a recorded session, in which {held} is judged")
    return Entry(result, weight=Weight.STANDARD.value)


@cache
def required() -> frozenset[str]:
    """Every requirement id that a case or a rule of ours cites."""
    cited = {name for case in catalogue().values() for name in case.requirement}
    return frozenset(cited | {rule.requirement for rule in RULES.values() if rule.requirement})
