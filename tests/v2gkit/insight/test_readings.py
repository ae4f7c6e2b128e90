"""One reading for each generation: power, charge, offers and choices, in plain numbers; and who shows them."""

import pytest

from evcc.generations import NAMED
from evcc.opening import usual
from tests.evcc.iso2.test_pair2 import PLACE, car
from tests.evcc.test_pair import ended
from tests.evcc.virtual_pair import Pair
from tests.v2gkit.insight.test_narrator import told
from tests.v2gkit.insight.viewer.traces import of_station
from v2g.exi.derive import least
from v2g.generations import GENERATIONS
from v2gkit.insight.progress import Progress
from v2gkit.insight.readings.table import READINGS, REQUESTS, RESPONSES, generation_of, reading_of, request_of
from v2gkit.insight.report.reading import story_of
from v2gkit.insight.viewer.curves import Curves


def test_every_generation_has_a_reading() -> None:
    assert [each.generation for each in READINGS] == list(GENERATIONS)
    for generation in GENERATIONS:
        for request, response in generation.responses.items():
            assert request_of(response) is request
            if generation.row(generation.first, request) is None:  # the negotiation is of all
                assert reading_of(least(request)).generation is generation
    assert {kind for each in GENERATIONS for kind in each.loops} == set(REQUESTS)
    assert len(RESPONSES) == len(REQUESTS)
    assert [generation_of(name) and generation_of(name).name for name in ("iso2", "din", "common")] == [  # type: ignore[union-attr]
        "ISO 15118-2",
        "DIN SPEC 70121",
        None,
    ]


def session(name: str) -> Pair:
    pair = Pair(car(loops=20), PLACE, usual([NAMED[name]]))
    assert ended(pair) == "Terminate"
    return pair


@pytest.fixture(scope="module", params=[name for name in NAMED if name != "20"])
def older(request: pytest.FixtureRequest) -> Pair:
    """A session of DC in an older generation."""
    return session(request.param)


def test_the_story_and_the_progress(older: Pair) -> None:
    loops = [line for _, line in told(older) if line.startswith("loop ")]
    assert any("charges with" in line and "battery 39 %" in line for line in loops)
    progress = Progress("car", older.car.clock.wall)
    seen = []
    for event in older.seen:
        progress.event(event)
        seen.append(progress.power)
    assert (progress.service, progress.control, progress.authorization) == ("DC", "Scheduled", "EIM")
    assert progress.soc == 39
    assert progress.peer
    assert max(seen) > 10_000
    assert progress.power == 0.0


def test_the_report(older: Pair) -> None:
    told = story_of(of_station(older))
    assert dict(told.facts)["Authorization"] == "EIM"
    assert told.energy["charged"] == pytest.approx(older.imported, rel=0.1)
    (offer,) = told.offered
    assert offer.charging[0][2] > 10_000  # W
    assert {sample.soc for sample in told.samples} >= {39}


def test_the_curves(older: Pair) -> None:
    curves, lines = Curves(), []
    for record in of_station(older):
        if record["type"] == "frame" and (generation := generation_of(record["set"])) is not None:
            message = generation.read(0x8001, bytes.fromhex(record["exi"]), by_car=True).reading.message
            lines += list(curves.message(message, record["epoch"]))
    named = {line["name"]: line for line in lines}
    assert {"power", "soc"} <= set(named)
    offers = [line for line in lines if line["name"].startswith("offer ") and line["points"]]
    assert offers[0]["points"][0][1] > 10_000
    assert {line["role"] for line in offers} == {"offer"}
    power = [point[1] for line in lines if line["name"] == "power" for point in line["points"]]
    assert max(power) > 10_000
    assert power[-1] == 0.0
