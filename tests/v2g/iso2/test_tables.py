"""Times, refusals, services and numbers of ISO 15118-2."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2g.iso2.physical import MOST, A, V, W, Wh, number, physical
from v2g.iso2.refusals import ALIKE, CODES, code_of, reason_of
from v2g.iso2.sequence import REQUESTS
from v2g.iso2.services import CERTIFICATE_SETS, INTERNET_SETS, MODES, PROTOCOL, offered
from v2g.iso2.timing import (
    EVCC_ONGOING_TIMEOUT,
    SECC_ONGOING_TIMEOUT,
    timing,
)
from v2g.messages.iso2.msg_body import CurrentDemandReq, PowerDeliveryReq
from v2g.messages.iso2.msg_data_types import EnergyTransferModeType as Mode
from v2g.messages.iso2.msg_data_types import responseCodeType as Code
from v2g.reasons import Reason
from v2g.services import SERVICES

FAILED = {code for code in Code if code.value.startswith("FAILED")}


def test_the_times_are_those_of_the_standard_and_fit_each_other() -> None:
    assert (timing(CurrentDemandReq).msg_timeout, timing(CurrentDemandReq).secc_performance) == (0.25, 0.025)
    assert (timing(PowerDeliveryReq).msg_timeout, timing(PowerDeliveryReq).secc_performance) == (5.0, 4.5)
    assert SECC_ONGOING_TIMEOUT < EVCC_ONGOING_TIMEOUT
    for request in REQUESTS:
        each = timing(request)
        assert each.secc_performance < each.msg_timeout <= each.evcc_performance < each.sequence_timeout == 60.0


def test_every_code_that_refuses_has_one_reason_and_every_reason_a_code() -> None:
    assert set(CODES.values()) == FAILED
    assert len(set(CODES.values())) == len(CODES)
    assert all(code_of(reason) in FAILED for reason in Reason)
    assert all(reason_of(code) is reason for reason, code in CODES.items())
    assert reason_of(Code.OK) is Reason.OTHER
    assert not set(ALIKE) & set(CODES)
    assert set(ALIKE.values()) <= set(CODES)


def test_every_mode_transfers_energy_by_a_service_that_is_known() -> None:
    assert set(MODES) == set(Mode)
    for mode in MODES.values():
        (row,) = [row for row in SERVICES.values() if mode.fits(row)]
        assert row.dc is mode.dc is mode.name.value.startswith("DC")
    assert PROTOCOL.schema_set == "iso2"
    assert not PROTOCOL.secure


@pytest.mark.parametrize(
    ("services", "phases", "modes"),
    [
        (("DC", "DC_BPT"), 3, (Mode.DC_extended,)),
        (("AC",), 3, (Mode.AC_three_phase_core, Mode.AC_single_phase_core)),
        (("AC",), 1, (Mode.AC_single_phase_core,)),
        (("AC_BPT", "MCS", "WPT"), 3, ()),
    ],
)
def test_an_outlet_offers_the_modes_of_its_services(services: tuple[str, ...], phases: int, modes: tuple[Mode, ...]) -> None:
    assert offered((SERVICES[name] for name in services), phases) == modes


def test_the_parameter_sets_are_those_of_the_standard() -> None:
    assert CERTIFICATE_SETS == {1: "Installation", 2: "Update"}
    assert INTERNET_SETS == {1: ("ftp", 20), 2: ("ftp", 21), 3: ("http", 80), 4: ("https", 443)}


@given(st.floats(-MOST, MOST), st.sampled_from([V, A, W, Wh]), st.sampled_from(["nearest", "down", "up"]))
def test_a_value_survives_within_its_last_digit_and_a_limit_is_never_passed(value: float, unit: object, rounding: str) -> None:
    told = physical(value, unit, rounding)  # type: ignore[arg-type]
    assert -3 <= told.Multiplier <= 3
    assert -32767 <= told.Value <= 32767
    again = number(told)
    assert abs(again - value) <= max(0.001, abs(value) / 3276) + 1e-9
    slack = 1e-9 * max(1.0, abs(value)) + 1e-12
    assert rounding != "down" or again <= value + slack
    assert rounding != "up" or again >= value - slack


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, MOST * 1.01])
def test_what_no_physical_value_can_say_is_told(value: float) -> None:
    with pytest.raises(ValueError, match="no physical value"):
        physical(value, W)


def test_ordinary_values_read_as_people_write_them() -> None:
    assert [(physical(v, V).Value, physical(v, V).Multiplier) for v in (400.0, 0.0, 0.25, 50_000.0)] == [
        (400, 0),
        (0, 0),
        (25, -2),
        (5000, 1),
    ]
