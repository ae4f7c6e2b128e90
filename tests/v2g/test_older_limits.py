"""Limits of the generations with envelopes: what each state takes, and that any octets are a message or one clear error."""

from contextlib import suppress
from enum import Enum
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.din import limits as limits_din
from v2g.din import sequence as sequence_din
from v2g.din.generation import DIN
from v2g.exi.derive import least
from v2g.exi.errors import DecodeError
from v2g.iso2 import limits as limits2
from v2g.iso2 import sequence as sequence2
from v2g.iso2.generation import ISO2
from v2g.session.generation import Generation

ID = b"\x01\x02\x03\x04\x05\x06\x07\x08"
BEGINS = {"DIN SPEC 70121": b"\x80\x9a", "ISO 15118-2": b"\x80\x98"}  # header and root of every document
OLDER = pytest.mark.parametrize(
    ("generation", "limits", "sequence"),
    [(DIN, limits_din, sequence_din), (ISO2, limits2, sequence2)],
    ids=lambda each: each.name if isinstance(each, Generation) else "",
)


@OLDER
def test_what_each_state_takes(generation: Generation, limits: ModuleType, sequence: ModuleType) -> None:
    states: type[Enum] = sequence.State
    assert limits.state_limit(states["SUPPORTED_APP_PROTOCOL"]) == 2560
    assert limits.state_limit(states["SESSION_SETUP"]) == 1024
    after = [state for state in states if state.name not in ("SUPPORTED_APP_PROTOCOL", "SESSION_SETUP")]
    assert {limits.state_limit(state) for state in after} == {limits.REQUEST.octets} == {8 * 1024}
    most = limits.LIMITS
    assert all(most[request].octets <= limits.state_limit(state) for state in states for request in generation.accepted(state))


@OLDER
@given(octets=st.binary(max_size=200))
def test_any_octets_are_a_message_or_one_clear_error(
    generation: Generation, limits: ModuleType, sequence: ModuleType, octets: bytes
) -> None:
    for head in (b"", BEGINS[generation.name], generation.write(least(generation.begins), ID).exi[:12]):
        for by_car in (False, True):
            with suppress(DecodeError):
                heard = generation.read(0x8001, head + octets, by_car=by_car)
                assert type(heard.reading.message) in limits.LIMITS
