"""The rules that a recorded session can be held to, one row each: what it asks in our words, by which requirement, and of whom."""

from enum import StrEnum
from typing import Final, NamedTuple


class Weight(StrEnum):
    """What it means that a rule is broken."""

    STANDARD = "standard"  # the standard asks for it
    PERFORMANCE = "performance"  # a time to be kept, which ends no session
    ROBUSTNESS = "robustness"  # no requirement asks for it in these words: never a fault against the standard


class Needs(StrEnum):
    """What must be known of a session before a rule can be judged in it."""

    NOTHING = "nothing"
    TABLE = "a table of the sequence of its generation"
    TIMES = "a table of the times of its generation, and moments in the file"
    MOMENTS = "moments in the file"
    TLS = "the handshake of ISO 15118-20"
    ISO20 = "a session of ISO 15118-20"


class Rule(NamedTuple):
    """One rule; `requirement` is that of ISO 15118-20, empty where none is known by number."""

    id: str
    requirement: str
    domain: str
    says: str
    needs: Needs = Needs.NOTHING
    weight: Weight = Weight.STANDARD
    of: str = "both"  # who is held to it: car, station, both


_ROWS: Final = (
    Rule("C-TLS-01", "V2G20-2356", "TLS", "ISO 15118-20 is spoken over TLS 1.3, and over nothing less", Needs.ISO20),
    Rule(
        "C-TLS-02", "V2G20-2458", "TLS", "suites, groups, signatures and certificates of the handshake are those of ISO 15118-20", Needs.TLS
    ),
    Rule("C-TP-01", "", "V2GTP", "every octet of the stream belongs to a V2GTP frame of a known payload type"),
    Rule("C-EXI-01", "", "EXI", "the payload of every frame is a message of the schema set that its payload type names"),
    Rule("C-EXI-02", "", "EXI", "a message is as its schema says, with nothing to tolerate"),
    Rule("C-SAP-01", "V2G20-169", "SAP", "the station selects a protocol that the car has offered", of="station"),
    Rule("C-ORDER-01", "V2G20-459", "sequence", "a request comes where the table of the sequence has it", Needs.TABLE, of="car"),
    Rule(
        "C-ORDER-02",
        "V2G20-459",
        "sequence",
        "a request out of sequence is answered with FAILED_SequenceError",
        Needs.TABLE,
        of="station",
    ),
    Rule("C-ORDER-03", "", "sequence", "after a response of FAILED neither side goes on with the session", Needs.ISO20),
    Rule("C-PAIR-01", "", "pairs", "a request is answered by its own response, on the payload type on which it came", of="station"),
    Rule("C-PAIR-02", "", "pairs", "the station speaks when it is asked", of="station"),
    Rule("C-PAIR-03", "", "pairs", "the car has the response before it sends the next request of that stream", of="car"),
    Rule("C-PAIR-04", "", "pairs", "every request is answered before a later one is", of="station"),
    Rule("C-ID-01", "V2G20-2621", "session id", "a new session has an id other than zero", of="station"),
    Rule("C-ID-02", "V2G20-460", "session id", "every request bears the id that SessionSetup gave", of="car"),
    Rule("C-ID-03", "V2G20-460", "session id", "a request of a foreign id is answered with FAILED_UnknownSession", of="station"),
    Rule("C-ID-04", "V2G20-460", "session id", "every response bears the id of its session", of="station"),
    Rule("C-CHOICE-01", "V2G20-2209", "choices", "the car authorizes in a way that the station offered", Needs.ISO20, of="car"),
    Rule(
        "C-CHOICE-02", "V2G20-1216", "choices", "the car selects a service and a parameter set that it was offered", Needs.ISO20, of="car"
    ),
    Rule("C-TIME-01", "V2G20-436", "times", "a response comes before the message timeout of the car", Needs.TIMES, of="station"),
    Rule(
        "C-TIME-02",
        "",
        "times",
        "a response comes within the performance time of the station",
        Needs.TIMES,
        Weight.PERFORMANCE,
        "station",
    ),
    Rule("C-TIME-03", "V2G20-441", "times", "the next request comes before the sequence timeout of the station", Needs.TIMES, of="car"),
    Rule(
        "C-TIME-04",
        "V2G20-1499",
        "times",
        "the next request comes within the performance time of the car",
        Needs.TIMES,
        Weight.PERFORMANCE,
        "car",
    ),
    Rule("C-TIME-05", "", "times", "SessionSetup is over before the time for the setup has run out", Needs.TIMES),
    Rule("C-TIME-06", "", "times", "no phase is put off for longer than the car waits for it", Needs.TIMES, of="station"),
    Rule(
        "C-CLOCK-01",
        "",
        "header",
        "the time stamps in the headers of one side do not go back",
        Needs.NOTHING,
        Weight.ROBUSTNESS,
    ),
)
RULES: Final = {row.id: row for row in _ROWS}
