"""Modbus and SunSpec without a network: bytes of `pymodbus` 3.16.1, any bytes at all, and maps that lie."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2g.energy.signal import Kind
from v2gkit.grid.declared import Modbus, Register, Site
from v2gkit.grid.faults import GridFault, Trouble
from v2gkit.grid.modbus.frames import HOLDING, INPUT, Answer, Declined, Line, Question, Read, Write
from v2gkit.grid.modbus.headroom import Headroom
from v2gkit.grid.modbus.models import MODELS
from v2gkit.grid.modbus.reading import opening_of, round_of, signals_of
from v2gkit.grid.modbus.registers import FORMATS, implemented, number, registers_of, width
from v2gkit.grid.modbus.sunspec import MARK, Script, models_of, points_of, power_of
from v2gkit.grid.unversioned import Unversioned

BYTES = [  # what pymodbus 3.16.1 makes of a question, of an answer to it, and what the answer is
    (Read(HOLDING, 40_000, 2), "00010000000611039c400002", "00010000000711030453756e53", MARK),
    (Read(INPUT, 7, 125), "00010000000611040007007d", "000100000003118402", Declined(2)),
    (Write(40_004, (1, 0xFFFF)), "00010000000b11109c440002040001ffff", "00010000000611109c440002", ()),
    (Read(HOLDING, 40_000, 2), "00010000000611039c400002", "000100000003118302", Declined(2)),
]


@pytest.mark.parametrize(("question", "asked", "answered", "answer"), BYTES)
def test_questions_and_answers_are_those_of_pymodbus(question: Question, asked: str, answered: str, answer: Answer) -> None:
    line = Line(17)
    assert line.ask(question).hex() == asked
    octets = bytes.fromhex(answered)
    assert [line.receive(octets[at : at + 1]) for at in range(len(octets))] == [None] * (len(octets) - 1) + [answer]


@given(st.lists(st.binary(max_size=300), max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_octets_are_an_answer_or_one_clear_error(pieces: list[bytes]) -> None:
    line = Line(1)
    line.ask(Read(HOLDING, 0, 2))
    try:
        for piece in pieces:
            answer = line.receive(piece)
            assert answer is None or isinstance(answer, Declined) or len(answer) == 2
    except GridFault as fault:
        assert str(fault).isprintable()  # noqa: PT017 - most octets are none, and that is what is tested


@pytest.mark.parametrize(
    ("octets", "trouble"),
    [
        ("000100010007110304", Trouble.MALFORMED),  # another protocol
        ("00010000ffff110304", Trouble.MALFORMED),  # huge
        ("000100000002110304", Trouble.MALFORMED),  # nothing in it
        ("00020000000711030453756e53", Trouble.REPLAYED),  # another transaction
        ("00010000000712030453756e53", Trouble.REPLAYED),  # another unit
        ("00010000000711040453756e53", Trouble.MALFORMED),  # another function
        ("00010000000711030253756e53", Trouble.MALFORMED),  # a count that lies
        ("0001000000051103025375", Trouble.MALFORMED),  # fewer registers
        ("00010000000711030453756e5300", Trouble.MALFORMED),  # more behind it
    ],
)
def test_what_is_no_answer_is_told(octets: str, trouble: Trouble) -> None:
    line = Line(17)
    line.ask(Read(HOLDING, 40_000, 2))
    with pytest.raises(GridFault) as caught:
        line.receive(bytes.fromhex(octets))
    assert caught.value.trouble is trouble


@given(st.sampled_from(sorted(FORMATS)), st.integers(-(2**15), 2**15 - 1), st.sampled_from(["big", "little"]))
def test_numbers_survive_their_registers(kind: str, value: int, words: Any) -> None:
    value = abs(value) if kind.startswith("uint") else value
    registers = registers_of(value, kind, words)
    assert (len(registers), number(registers, kind, words)) == (width(kind), value)


def test_what_stands_for_no_number_is_none() -> None:
    none = {"int16": (0x8000,), "uint16": (0xFFFF,), "int32": (0x8000, 0), "uint32": (0xFFFF, 0xFFFF), "float32": (0x7FC0, 0)}
    assert not any(implemented(number(registers, kind), kind) for kind, registers in none.items())
    assert all(implemented(0.0, kind) for kind in FORMATS)
    with pytest.raises(ValueError, match="40000"):
        registers_of(40_000, "int16")


# --- maps ---


def carried(script: Script[Any], registers: dict[int, int]) -> Any:
    """What a script finds in a device of these registers."""
    try:
        question = next(script)
        while True:
            assert isinstance(question, Read)
            wanted = range(question.address, question.address + question.count)
            answer = tuple(registers[at] for at in wanted) if registers.keys() >= set(wanted) else Declined(2)
            question = script.send(answer)
    except StopIteration as end:
        return end.value


def device(*models: tuple[int, dict[int, int]], base: int = 40_000, length: int = 160) -> dict[int, int]:
    """Registers of a SunSpec device: models with some of their registers, which are 0 else."""
    words = list(MARK)
    for model, said in models:
        words += [model, length, *(said.get(at, 0) for at in range(2, 2 + length))]
    return dict(enumerate([*words, 0xFFFF, 0], base))


def test_a_meter_is_read_by_its_model_and_its_sign() -> None:
    registers = device((1, {}), (701, {10: 0xFFFF - 299, 116: 1}))
    roof = Modbus("roof", "h:502", "source", sunspec=True)
    models = carried(opening_of(roof), registers)
    assert models == {1: 40_002, 701: 40_164}
    assert carried(round_of(roof, models), registers) == {"power": 3_000}  # it absorbs 3 kW: it is a load
    assert power_of({203: 1, 701: 2}) == (203, 1.0)  # of a meter and an inverter in one device, the meter is at the connection


def test_maps_that_lie_are_one_clear_error() -> None:
    with pytest.raises(GridFault, match="no SunSpec map at 40000, 0, 50000"):
        carried(models_of(), dict.fromkeys(range(65_536), 0))
    with pytest.raises(GridFault, match="of more than 128 models"):
        carried(models_of(), dict(enumerate(MARK, 40_000)) | {at: 0 if at % 2 else 7 for at in range(40_002, 41_000)})
    with pytest.raises(GridFault, match="there are 65536"):
        carried(models_of(), dict(enumerate([*MARK, 7, 65_535], 40_000)))
    with pytest.raises(GridFault, match="none of them tells a power"):
        power_of({1: 40_002})
    with pytest.raises(GridFault, match="a scale factor of 11"):
        carried(points_of(203, 0, ("W",)), {18: 5} | dict.fromkeys(range(19, 22), 0) | {22: 11})
    with pytest.raises(GridFault, match="illegal data address"):
        carried(points_of(203, 0, ("W",)), {})
    assert carried(models_of(), dict(enumerate([*MARK, 7, 2, 0, 0], 0))) == {7: 2}  # no mark of an end


@given(st.lists(st.integers(0, 0xFFFF), min_size=12, max_size=12), st.sampled_from(sorted(MODELS)))
@settings(deadline=None)
def test_no_registers_make_a_script_fail_otherwise(words: list[int], model: int) -> None:
    registers = {at: words[at % 12] for at in range(65_536)} | dict(enumerate(MARK, 40_000))
    for script in (models_of(), points_of(model, 100, tuple(MODELS[model]))):
        try:
            carried(script, registers)
        except GridFault as fault:
            assert str(fault)  # noqa: PT017 - a clear error is the other thing that may come


# --- what is left ---


def test_chargers_may_have_what_the_connection_does_not_need() -> None:
    left = Headroom(Site(import_limit=10_000.0, export_limit=2_000.0), {"all": "connection", "cars": "chargers"})
    left.read("all", 9_000.0, 100.0)
    assert left.told(100.0) is None  # one meter is not heard yet
    left.read("cars", 5_950.0, 100.0)
    said = left.told(100.0)
    assert said is not None
    assert [(each.signal.kind, each.signal.power.at(100.0)) for each in said] == [(Kind.IMPORT_CAP, 6_900), (Kind.EXPORT_CAP, 5_000)]
    left.read("all", 9_010.0, 101.0)
    assert left.told(101.0) == said  # what trembles within a step is no news
    assert left.told(105.5) is None  # a meter has been silent for half the patience
    left.read("all", 30_000.0, 106.0), left.read("cars", 0.0, 106.0)
    assert [each.signal.power.at(106.0) for each in left.told(106.0) or ()] == [0, 32_000]
    for wrong in (float("nan"), 2e9):
        with pytest.raises(GridFault, match="all is"):
            left.read("all", wrong, 107.0)


def test_a_signal_box_is_read_by_its_registers() -> None:
    box = Modbus(
        "box",
        "h:502",
        "signal",
        register=(
            Register("import_cap", 0, scale=0.1),
            Register("export_cap", 1, "uint16", absent=65_535.0),
            Register("setpoint", 2, "float32", invert=True),
        ),
    )
    raw = struct.unpack(">2H", struct.pack(">f", 1_500.0))
    said = carried(round_of(box, None), {0: 110, 1: 65_535, 2: raw[0], 3: raw[1]})
    assert said == {"import_cap": 11.0, "setpoint": -1_500.0}
    values = Unversioned("box")
    first = signals_of(said, values, 100.0)
    assert [(each.signal.id, each.version) for each in first] == [("box:import cap", 1.0), ("box:setpoint", 1.0)]
    assert signals_of(said, values, 200.0) == first
    assert signals_of({"import_cap": 12.0}, values, 200.0)[0].version == 2.0
    with pytest.raises(GridFault, match="a cap is a magnitude"):
        signals_of({"import_cap": -1.0}, values, 200.0)
    with pytest.raises(GridFault, match="register 2 is no number"):
        carried(round_of(box, None), {0: 110, 1: 65_535, 2: 0x7FC0, 3: 0})
