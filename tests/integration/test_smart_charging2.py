"""Smart charging of ISO 15118-2 over loopback sockets: schedules that follow prices, and another one when the grid has less to give."""

import csv
import math
import time
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from evcc.car import Wish
from evcc.early.delivery import Leave
from evcc.generations import conducts_named
from evcc.iso2.charge import charge
from evcc.opening import usual
from evcc.script import Script
from secc.backend import LocalBackend
from secc.simulated import AC_LIMITS, DC_LIMITS, SimulatedEVSE
from tests.integration.conftest import LOOPED, PRICES, Met, go, meet
from v2g.energy.series import Series
from v2g.energy.signal import Kind, Signal
from v2g.iso2.physical import number
from v2g.messages.iso2 import msg_body as b
from v2g.messages.iso2.msg_data_types import EVSENotificationType

SCRIPT = usual(conducts_named(["2"]))
BOTH = pytest.mark.parametrize("service", ["AC", "DC"])
CAP = 4_000.0  # W


def visit(service: str, loops: int | None, script: Script = SCRIPT, **more: Any) -> Met:
    met: Met = go(meet(None, Wish(services=(service,), authorizations=("EIM",), loops=loops, pace=0.02), script, **more))
    assert met.said["ok"], met.said
    assert met.station.well, met.station
    assert met.said["service"] == service
    return met


def offers(met: Met) -> list[list[Any]]:
    """The SAScheduleTuples of each negotiation."""
    return [
        list(each.SASchedules.SAScheduleTuple)
        for each in met.frames
        if isinstance(each, b.ChargeParameterDiscoveryRes) and each.SASchedules is not None
    ]


def powers(offered: Any) -> dict[int, float]:
    """W, by the second from which each holds."""
    return {each.TimeInterval.start: number(each.PMax) for each in offered.PMaxSchedule.PMaxScheduleEntry}


def shares(offered: Any) -> dict[int, float]:
    """The prices as shares of the dearest, by the second from which each holds."""
    told = offered.SalesTariff.SalesTariffEntry
    costs = {each.TimeInterval.start: each.ConsumptionCost[0].Cost[0] for each in told}
    return {start: cost.amount * 10.0 ** (cost.amountMultiplier or 0) / 100.0 for start, cost in costs.items()}


def at(steps: dict[int, float], second: int) -> float:
    return steps[max(start for start in steps if start <= second)]


def price_of(offered: Any) -> float:
    """The mean share that a car pays which takes all that is offered."""
    power, share = powers(offered), shares(offered)
    edges = sorted({*power, *share})
    taken = [(at(power, start) * (until - start), at(share, start)) for start, until in pairwise(edges)]
    return sum(energy * price for energy, price in taken) / sum(energy for energy, _ in taken)


@BOTH
def test_a_car_is_offered_a_schedule_that_follows_the_prices_and_keeps_to_it(service: str) -> None:
    limits = replace(DC_LIMITS if service == "DC" else AC_LIMITS, charge_power=20_000.0)  # W, reached at any voltage of the battery
    begun = time.monotonic()
    met = visit(service, 3, stay=18 * 3600.0, limits=limits)
    took = math.ceil(time.monotonic() - begun)
    (offered,) = offers(met)
    cheapest, at_once = offered
    column = [float(row["import_price"]) for row in csv.DictReader(line for line in PRICES.read_text().splitlines() if line[0] != "#")]
    day = [column[quarter % 96] for quarter in range(46, 46 + 18 * 4)]  # from half past eleven on
    told = [at(shares(cheapest), 900 * place + 420) for place in range(len(day))]  # somewhere in each quarter of an hour
    assert told == pytest.approx([price / max(day) for price in day], abs=0.001)
    assert price_of(cheapest) < 0.95 * price_of(at_once)
    (start,) = (each for each in met.frames if isinstance(each, b.PowerDeliveryReq) and each.ChargingProfile is not None)
    assert start.SAScheduleTupleID == cheapest.SAScheduleTupleID
    profile = {each.ChargingProfileEntryStart: number(each.ChargingProfileEntryMaxPower) for each in start.ChargingProfile.ProfileEntry}
    assert max(profile.values()) > 1_000.0
    power = powers(cheapest)
    # an offer counts its seconds from its response, a profile from the plan, that many later
    aside = [
        [s for s in {*profile, *(max(each - later, 0) for each in power)} if at(profile, s) > at(power, s + later) + 1.0]
        for later in range(took + 1)
    ]
    assert min(aside, key=len) == []


@BOTH
def test_a_grid_that_has_less_to_give_is_told_a_car_that_charges_and_negotiated_anew(service: str) -> None:
    """The car stays until it has gone on for five loops by its second schedule, however long a slow machine takes to plan that."""
    after = 0

    def leave(car: Any) -> Leave:
        nonlocal after
        after += car.known.renegotiated is not None
        return "Terminate" if after >= 5 else None

    def less(_: SimulatedEVSE, backend: LocalBackend) -> None:
        backend.follow([Signal("grid", Kind.IMPORT_CAP, Series.constant(backend.around.wall(), 86_400.0, CAP))])

    conducts = [replace(each, script=partial(charge, leave=leave)) for each in conducts_named(["2"])]
    met = visit(service, None, usual(conducts), priced=False, scene=less)
    before, anew = (powers(each[0]) for each in offers(met))
    assert before[0] > 10_000.0
    assert anew[0] == pytest.approx(CAP)
    assert max(anew.values()) <= CAP + 1.0
    looped = [each for each in met.frames if isinstance(each, LOOPED)]
    statuses = [each.AC_EVSEStatus if service == "AC" else each.DC_EVSEStatus for each in looped]
    asked = [place for place, each in enumerate(statuses) if each.EVSENotification is EVSENotificationType.ReNegotiation]
    assert len(asked) == 1  # and the next loop is one of the new schedule
    allowed = [number(each.EVSEMaxCurrent) * 230.0 * 3 if service == "AC" else number(each.EVSEMaximumPowerLimit) for each in looped]
    assert min(allowed[: asked[0]]) > 10_000.0
    assert max(allowed[asked[0] + 1 :]) <= CAP + 1.0
    if service == "DC":  # what is measured; in AC no message says it
        flows = [number(each.EVSEPresentVoltage) * number(each.EVSEPresentCurrent) for each in looped]
        assert max(flows[asked[0] + 1 :]) <= CAP + 1.0 < max(flows[: asked[0] + 1])
    progress = [each.ChargeProgress.value for each in met.frames if isinstance(each, b.PowerDeliveryReq)]
    assert progress == ["Start", "Renegotiate", "Start", "Stop"]
