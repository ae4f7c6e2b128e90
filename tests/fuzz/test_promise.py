"""The judge can say no: each part of the promise, broken on purpose, is noticed."""

from typing import Any

import pytest

from fuzz import promise
from fuzz.promise import Broken, judge
from v2g.exi import engine
from v2g.exi.codec import DecodeError, EncodeError, Reading, encode
from v2g.exi.decoder import Decoder
from v2g.exi.derive import least
from v2g.exi.reading import Finding
from v2g.messages import dc, schema_set

DC = schema_set("dc")
REQUEST = least(dc.DC_CableCheckReq)
OCTETS = encode(REQUEST, DC)


def test_verdicts() -> None:
    assert judge(OCTETS, DC, views=True) == "message"
    assert judge(OCTETS + b"\0", DC, views=True) == "tolerated"
    assert judge(OCTETS + b"more", DC) == "interop"
    assert judge(OCTETS + b"more", DC, lenient=False) == "refused"
    assert judge(b"\x80", DC) == "refused"


def test_an_engine_that_reads_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    other = (Decoder(OCTETS, DC).read(False).name, least(dc.DC_PreChargeReq), 0)
    monkeypatch.setattr(engine.ENGINES["straight"], "read", lambda *_: other)
    for octets in (OCTETS, OCTETS + b"\0", b"\x80"):
        with pytest.raises(Broken, match="the engine straight"):
            judge(octets, DC)


def test_an_engine_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Decoder(OCTETS, DC).read(False)
    monkeypatch.setattr(engine.ENGINES["straight"], "read", lambda *_: (reading.name, reading.message, 0))
    with pytest.raises(Broken, match="is silent about"):
        judge(OCTETS + b"\0", DC)


def walks(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    """Let the patient walk answer that, and no quick engine anything."""

    def read(self: Decoder, fragment: bool) -> Reading:
        said = answer(self.mode) if callable(answer) else answer
        if isinstance(said, Exception):
            raise said
        return said  # type: ignore[no-any-return]

    for quick in engine.ENGINES.values():
        monkeypatch.setattr(quick, "read", lambda *_: None)
    monkeypatch.setattr(Decoder, "read", read)


@pytest.mark.parametrize("error", [DecodeError("", 0), DecodeError("beyond", 10_000), DecodeError("before", -1)])
def test_refusals_tell_why_and_where(monkeypatch: pytest.MonkeyPatch, error: DecodeError) -> None:
    walks(monkeypatch, error)
    with pytest.raises(Broken):
        judge(OCTETS, DC)


def test_any_other_exception_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    walks(monkeypatch, RecursionError())
    with pytest.raises(RecursionError):
        judge(OCTETS, DC)


def test_leniency_is_never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Decoder(OCTETS, DC).read(False)
    walks(monkeypatch, lambda mode: reading if mode == "interop" else DecodeError("no", 3))
    with pytest.raises(Broken, match="interop mode is silent about no"):
        judge(OCTETS, DC)


def test_a_second_spelling_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = Decoder(OCTETS, DC).read(False)
    walks(monkeypatch, reading)
    with pytest.raises(Broken, match="other spelling"):
        judge(OCTETS + b"\0", DC)


def test_what_was_decoded_encodes_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, finding = Decoder(OCTETS, DC).read(False), Finding((), 0, "something")
    walks(monkeypatch, Reading(least(dc.DC_PreChargeReq), reading.name, (finding,)))
    monkeypatch.setattr(promise, "read", lambda *_, **__: reading)
    with pytest.raises(Broken, match="comes back as"):
        judge(OCTETS, DC)

    def refuse(*_: Any) -> bytes:
        raise EncodeError("no")

    monkeypatch.setattr(promise, "encode", refuse)
    with pytest.raises(Broken, match="cannot be encoded: no"):
        judge(OCTETS, DC)


def test_views_keep_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    for view in ("from_json", "from_xml"):
        with monkeypatch.context() as patch:
            patch.setattr(promise, view, lambda *_, **__: (None, None))
            with pytest.raises(Broken, match="makes"):
                judge(OCTETS, DC, views=True)
