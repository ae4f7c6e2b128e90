"""How our codec and another are compared: what counts as agreement, what as a finding, what as a disagreement."""

import random

from fuzz.differential import DISAGREE, damaged, lines, verdict
from v2g.exi.codec import encode
from v2g.exi.derive import least
from v2g.exi.xml import to_xml
from v2g.messages import common_types, dc, schema_set

DC = schema_set("dc")
MESSAGE = least(dc.DC_ChargeLoopReq, DisplayParameters=common_types.DisplayParametersType(PresentSOC=100))
OTHER = least(dc.DC_ChargeLoopReq)
OCTETS, XML = encode(MESSAGE, DC), to_xml(MESSAGE, DC)


def asked(kind: str, octets: bytes = OCTETS) -> dict[str, object]:
    return {"kind": kind, "set": "dc", "fragment": False, "exi": octets.hex(), "ours": octets.hex()}


def test_agreement() -> None:
    assert verdict(asked("encode"), {"exi": OCTETS.hex()}) == "encode: same octets"
    assert verdict(asked("decode"), {"xml": XML}) == "decode: same message"
    assert verdict(asked("damaged", OCTETS[:9]), {"error": "premature end"}) == "damaged: both refuse"


def test_findings() -> None:
    beyond = bytes.fromhex(OCTETS.hex()) + b"\1"
    assert verdict(asked("damaged", beyond), {"xml": XML}) == "damaged: it takes, we refuse: octets after the end"


def test_disagreement() -> None:
    assert verdict(asked("encode"), {"exi": encode(OTHER, DC).hex()}).startswith(DISAGREE)
    assert verdict(asked("encode"), {"error": "no grammar"}).startswith(DISAGREE)
    assert verdict(asked("decode"), {"xml": to_xml(OTHER, DC)}).startswith(DISAGREE)
    assert verdict(asked("decode"), {"error": "no grammar"}).startswith(DISAGREE)
    assert verdict(asked("decode"), {"xml": "<nothing/>"}).startswith(DISAGREE)
    assert verdict(asked("damaged", OCTETS[:9]), {"xml": XML}).startswith(DISAGREE)


def test_the_questions_follow_from_the_seed() -> None:
    first, second = ([*lines(1, 2, random.Random(7))] for _ in range(2))
    assert first == second
    assert {q["kind"] for q in first} == {"encode", "decode", "damaged"}
    assert damaged(OCTETS, random.Random(1)) != OCTETS
