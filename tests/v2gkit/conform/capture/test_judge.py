"""A recorded session that is well breaks no rule; each way of breaking it breaks the rule that says so, and no other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.evcc.test_pair import link
from tests.v2gkit.conform.capture.recorded import Line, Mutant, at, delayed, judged, place, session, without
from tests.v2gkit.insight.decode.captures import DIN_SAID, Said, frames, pcapng, real_sessions
from v2g.exi.codec import encode
from v2g.iso20.timing import EVCC_CABLE_CHECK_TIMEOUT
from v2g.messages import schema_set
from v2g.messages.common_messages import SelectedServiceType, SessionStopReq, authorizationType
from v2g.messages.common_types import processingType, responseCodeType
from v2g.session.v2gtp import frame
from v2gkit.conform.capture.judge import Judge
from v2gkit.conform.capture.rules import RULES, Weight
from v2gkit.conform.capture.told import grave, lines, plain
from v2gkit.insight.decode import records

FOREIGN = bytes.fromhex("0badc0de0badc0de")


def swapped(one: str, other: str) -> Mutant:
    """The exchange `other` comes before the exchange `one`."""

    def mutated(recorded: tuple[Line, ...]) -> list[Line]:
        a, b = place(recorded, f"{one}Req"), place(recorded, f"{other}Req")
        times = [line.at for line in recorded]
        order = [*recorded[:a], *recorded[b : b + 2], *recorded[a:b], *recorded[b + 2 :]]
        return [replace(line, at=time) for line, time in zip(order, times, strict=True)]

    return mutated


def refused_and_on(recorded: tuple[Line, ...]) -> list[Line]:
    """A car that goes on although the station has failed it; its table ended there, so nothing more is in order."""
    return at("ServiceDetailRes", lambda line: line.but(ResponseCode=responseCodeType.FAILED))(recorded)[
        : place(recorded, "ServiceDetailRes") + 2
    ]


def repeated(recorded: tuple[Line, ...]) -> list[Line]:
    """A car that does not wait for the first of two answers."""
    number = place(recorded, "ServiceDiscoveryReq")
    return [*recorded[: number + 1], recorded[number].later(0.001), *recorded[number + 1 :]]


def polled(recorded: tuple[Line, ...]) -> list[Line]:
    """A station whose cable check goes on and on."""
    number = place(recorded, "DC_CableCheckReq")
    asked, answered = recorded[number], recorded[number + 1].but(EVSEProcessing=processingType.Ongoing)
    polls = [line.later(each) for each in range(int(EVCC_CABLE_CHECK_TIMEOUT) + 2) for line in (asked, answered)]
    shift = polls[-1].at - recorded[number].at
    return [*recorded[:number], *polls, *(line.later(shift) for line in recorded[number:])]


def setting_up(recorded: tuple[Line, ...]) -> list[Line]:
    """A session that takes 21 s until it is set up, with no step that is late by itself."""
    return [line if number == 0 else line.later(1.4 if number == 1 else 21) for number, line in enumerate(recorded)]


def foreign_answered(recorded: tuple[Line, ...]) -> list[Line]:
    return at("ServiceDetailReq", lambda line: line.but(SessionID=FOREIGN))(recorded)


MUTANTS: dict[str, tuple[Mutant, set[str]]] = {
    "a frame that is no message": (at("ServiceDetailReq", lambda line: replace(line, octets=b"\x80\xff\xff")), {"C-EXI-01"}),
    "octets behind a message": (
        at("ServiceDetailReq", lambda line: replace(line, octets=encoded(line) + b"\0")),
        {"C-EXI-02"},
    ),
    "a protocol that nobody offered": (at("supportedAppProtocolRes", lambda line: line.but(SchemaID=77)), {"C-SAP-01"}),
    "a request too early, and answered": (swapped("ServiceDiscovery", "ServiceSelection"), {"C-ORDER-01", "C-ORDER-02"}),
    "a car that goes on after FAILED": (refused_and_on, {"C-ORDER-03"}),
    "the response to something else": (
        at("ServiceDetailRes", lambda line: replace(session()[place(session(), "ServiceDiscoveryRes")], at=line.at)),
        {"C-PAIR-01"},
    ),
    "a response that nobody asked for": (without("ServiceDetailReq"), {"C-PAIR-02"}),
    "a request that is never answered": (without("ServiceDetailRes"), {"C-PAIR-03", "C-PAIR-04"}),
    "a request before the answer": (repeated, {"C-PAIR-03", "C-PAIR-04"}),
    "a request of another session, answered as ours": (foreign_answered, {"C-ID-02", "C-ID-03"}),
    "a response of another session": (at("ServiceDetailRes", lambda line: line.but(SessionID=FOREIGN)), {"C-ID-04"}),
    "a parameter set that was not offered": (
        at("ServiceSelectionReq", lambda line: line.but(SelectedEnergyTransferService=selected(line, 99))),
        {"C-CHOICE-02"},
    ),
    "a late response": (delayed("ServiceDetailRes", 5.2), {"C-TIME-01"}),
    "a slow response": (delayed("ServiceDetailRes", 1.8), {"C-TIME-02"}),
    "a late request": (delayed("DC_ChargeLoopReq", 61), {"C-TIME-03"}),
    "a slow request": (delayed("ServiceDetailReq", 45), {"C-TIME-04"}),
    "a setup that takes too long": (setting_up, {"C-TIME-05"}),
    "a cable check without end": (polled, {"C-TIME-06"}),
    "a clock that goes back": (
        at("ServiceSelectionReq", lambda line: line.but(TimeStamp=1_000_000_000)),
        {"C-CLOCK-01"},
    ),
}
NOT_BY_FRAMES = {"C-TLS-01", "C-TLS-02", "C-TP-01", "C-ID-01", "C-CHOICE-01"}  # have a test of their own below


def encoded(line: Line) -> bytes:
    assert line.message is not None
    return encode(line.message, schema_set(line.set))


def selected(line: Line, number: int) -> object:
    service = line.message.SelectedEnergyTransferService.ServiceID  # type: ignore[union-attr]
    return SelectedServiceType(ServiceID=service, ParameterSetID=number)


@pytest.mark.parametrize(("service", "control"), [("DC", "Scheduled"), ("DC_BPT", "Dynamic"), ("AC", "Scheduled"), ("WPT", "Dynamic")])
def test_a_sound_session_breaks_no_rule(service: str, control: str) -> None:
    found, seen = judged(session(service, control))
    assert found == []
    assert seen.standard == "ISO 15118-20"
    assert {rule for rule in RULES if seen.lacks(rule)} == {"C-ORDER-02", "C-ID-03"}  # nothing was to be refused


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_session_breaks_that_rule_alone(name: str) -> None:
    mutant, expected = MUTANTS[name]
    found, _ = judged(mutant(session()))
    assert {each.rule for each in found} == expected
    assert all(each.by in ("car", "station") and each.frame and each.seen and each.expected for each in found)


def test_every_rule_has_a_mutant() -> None:
    assert set(RULES) == {rule for _, rules in MUTANTS.values() for rule in rules} | NOT_BY_FRAMES


def test_whose_fault_it_is() -> None:
    found, _ = judged(foreign_answered(session()))
    assert [(each.rule, each.by, each.requirement) for each in found] == [
        ("C-ID-02", "car", "V2G20-460"),
        ("C-ID-03", "station", "V2G20-460"),
    ]
    assert FOREIGN.hex() in found[0].seen
    assert found[1].frame == found[0].frame + 1


def test_a_new_session_has_an_id() -> None:
    zero = [line.but(SessionID=bytes(8)) if line.set != "app" else line for line in session()]
    found, _ = judged(zero)
    assert [each.rule for each in found] == ["C-ID-01"]


def test_a_way_to_authorize_that_was_not_offered() -> None:
    recorded = at("AuthorizationSetupRes", lambda line: line.but(AuthorizationServices=(authorizationType.PnC,)))(session())
    assert {each.rule for each in judged(recorded)[0]} == {"C-CHOICE-01"}


def test_iso_15118_20_without_tls() -> None:
    found, seen = judged(session(), plain=True)
    assert [(each.rule, each.requirement) for each in found] == [("C-TLS-01", "V2G20-2356")]
    assert "no handshake" in seen.lacks("C-TLS-02")


def test_a_handshake_that_is_not_that_of_iso_15118_20() -> None:
    facts = link().tls
    assert facts is not None
    found, _ = judged(session(), tls=replace(facts, suite="TLS_AES_128_GCM_SHA256", group="x25519"))
    assert {(each.rule, each.requirement) for each in found} == {("C-TLS-02", "V2G20-2458"), ("C-TLS-02", "V2G20-2460")}


def test_a_recording_that_begins_in_the_middle_is_judged_from_there() -> None:
    recorded = session()[place(session(), "ScheduleExchangeReq") :]
    found, seen = judged(recorded, about={"beginning": "not in the capture"})
    assert found == []
    assert not seen.lacks("C-ORDER-01")
    wrong = [*recorded[:2], *session()[place(session(), "AuthorizationReq") :]]  # from the schedule back to authorization
    assert "C-ORDER-01" in {each.rule for each in judged(wrong, about={"beginning": "not in the capture"})[0]}


def test_nothing_is_judged_over_a_gap() -> None:
    recorded = session()
    a, b = place(recorded, "ServiceDiscoveryReq"), place(recorded, "DC_CableCheckRes")
    assert judged([*recorded[:a], *recorded[b + 1 :]], lost=a)[0] == []
    assert judged([*recorded[:a], *recorded[b + 1 :]])[0], "without a word of the gap it is a fault"


def test_without_moments_no_time_is_judged() -> None:
    found, seen = judged(delayed("ServiceDetailRes", 90)(session()), about={"timed": False})
    assert found == []
    assert "moments" in seen.lacks("C-TIME-01")


def test_a_refusal_in_order_is_no_fault() -> None:
    recorded = session()
    number = place(recorded, "ServiceSelectionReq")
    early = [*recorded[:number], replace(recorded[place(recorded, "DC_CableCheckReq")], at=recorded[number].at)]
    answer = replace(recorded[place(recorded, "DC_CableCheckRes")], at=recorded[number].at + 0.01)
    found, seen = judged([*early, answer.but(ResponseCode=responseCodeType.FAILED_SequenceError)])
    assert [(each.rule, each.by) for each in found] == [("C-ORDER-01", "car")]
    assert seen.judged["C-ORDER-02"] == 1
    stop = next(line for line in recorded if isinstance(line.message, SessionStopReq))
    on = replace(stop, at=answer.at + 0.01)
    found, _ = judged([*early, answer.but(ResponseCode=responseCodeType.FAILED_SequenceError), on])
    assert {each.rule for each in found} == {"C-ORDER-01", "C-ORDER-03"}


# --- files ---


def test_a_capture_of_din_is_judged_by_its_tables(tmp_path: Path) -> None:
    judge = Judge()
    found = [breach for record in records(pcapng(tmp_path / "a.pcapng", frames(DIN_SAID))) for breach in judge.record(record)]
    assert found == []
    (seen,) = judge.sessions.values()
    assert seen.standard == "DIN SPEC 70121"
    assert not seen.lacks("C-PAIR-01")
    assert not seen.lacks("C-ID-02")
    assert not seen.lacks("C-ORDER-01")
    assert "no table of" not in "\n".join(lines(seen, found))
    hasty = [*DIN_SAID[:4], DIN_SAID[2]]  # a session is set up twice
    again = Judge()
    found = [breach for record in records(pcapng(tmp_path / "b.pcapng", frames(hasty))) for breach in again.record(record)]
    assert "C-ORDER-01" in {each.rule for each in found}


def test_octets_that_are_no_frame(tmp_path: Path) -> None:
    judge = Judge()
    said = [*DIN_SAID[:2], Said(True, b"not V2GTP at all"), *DIN_SAID[2:]]
    found = [breach for record in records(pcapng(tmp_path / "a.pcapng", frames(said))) for breach in judge.record(record)]
    assert [(each.rule, each.by) for each in found] == [("C-TP-01", "car")]


def test_real_sessions_are_judged_to_their_end(tmp_path: Path) -> None:
    if not real_sessions().exists():
        pytest.skip("the sessions of real cars are not here")
    broken: dict[str, set[str]] = {}
    for line in real_sessions().read_text().splitlines():
        one = json.loads(line)
        said = [Said(each["from"] == "car", frame(int(each["type"], 16), bytes.fromhex(each["exi"]))) for each in one["frames"]]
        judge = Judge()
        for record in records(pcapng(tmp_path / "a.pcapng", frames(said)), decoded=False):
            for breach in judge.record(record):
                broken.setdefault(breach.rule, set()).add(one["id"])
        (seen,) = judge.sessions.values()
        assert seen.frames == len(one["frames"])
    assert broken.pop("C-TIME-02") == {"7f484edf6c"}  # two requests in a row: its answers come a frame late from there on
    assert {rule for rule in broken if not rule.startswith("C-PAIR")} <= {"C-EXI-02", "C-ORDER-01", "C-ORDER-02", "C-ID-02", "C-ID-04"}
    assert len(broken["C-ORDER-01"]) <= 4, "the order of the tables is that of nearly every session"
    assert {"3408a41913", "28f6b430a1"} < broken["C-ORDER-01"]  # a receipt that nobody asked for; DIN without ContractAuthentication
    assert broken["C-ID-04"] == {"067dd996c8"}  # its station answers with an older session, once
    assert broken["C-ID-02"] == {"824cc17b8a", "403553e3d6"}  # a simulator that never took over the id


# --- what people read ---


def test_the_lines_for_people_and_for_machines() -> None:
    found, seen = judged([line for each in session() for line in (each,)][:4] + polled(session())[4:])
    said = list(lines(seen, found))
    assert said[0].startswith("connection 1  ISO 15118-20, ")
    assert any(line.startswith("  broken  C-TIME-06") for line in said)
    assert not any("no rule is broken" in line for line in said)
    assert {"rule", "requirement", "connection", "frame", "at", "by", "expected", "seen", "weight"} == set(plain(found[0]))
    assert grave(found)
    assert not grave(judged(delayed("ServiceDetailRes", 1.8)(session()))[0])


def test_weights() -> None:
    assert RULES["C-TIME-02"].weight is RULES["C-TIME-04"].weight is Weight.PERFORMANCE
    assert [row.id for row in RULES.values() if row.weight is Weight.ROBUSTNESS] == ["C-CLOCK-01"]
