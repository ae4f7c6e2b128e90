"""The zone of this machine: the offset of each instant, not that of now."""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from secc.config import Config, SiteConfig
from v2gkit.cli.clock import add_clock_options, clock_of
from v2gkit.csms.steering import Strategy
from v2gkit.station.backends import site_of
from v2gkit.wall import LOCAL, MOMENT, SharedClock, shared_clock

ROWS = "".join(f"{hour:02}:00,{0.6 if hour == 18 else 0.1},0.05\n" for hour in range(24))
PEAK = "\ufeffstart,import_price,export_price\n" + ROWS


@pytest.fixture(params=["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


def test_it_is_the_zone_at_every_hour_of_two_years(zone: ZoneInfo) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(2 * 365 * 48):
        here, there = at.astimezone(LOCAL), at.astimezone(zone)
        assert (here.replace(tzinfo=None), here.fold, here.utcoffset()) == (there.replace(tzinfo=None), there.fold, there.utcoffset())
        assert here.timestamp() == at.timestamp()
        at += timedelta(minutes=30)


@pytest.mark.parametrize("day", [(2026, 3, 28), (2026, 3, 29), (2026, 7, 1), (2026, 10, 24), (2026, 10, 25), (2026, 12, 24)])
def test_a_station_and_a_csms_have_their_peak_at_18_whenever_they_were_started(
    zone: ZoneInfo, day: tuple[int, int, int], tmp_path: Path
) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(PEAK, encoding="utf-8")
    started = datetime(2026, 2, 1, tzinfo=zone).timestamp()
    station = site_of(Config(tls=False, site=SiteConfig(prices=str(file))), started)
    noon = datetime(*day, 12, tzinfo=zone)
    for site in (station.at(noon.timestamp()), Strategy(site=station, prices=station.daily).priced(noon.timestamp())):
        assert site.import_prices is not None
        for ahead in (0, 1):
            evening = (noon + timedelta(days=ahead)).replace(hour=18)
            assert site.import_prices.at(evening.timestamp()) == 0.6
            assert site.import_prices.at(evening.timestamp() - 1) == site.import_prices.at(evening.timestamp() + 3600) == 0.1


# --- a clock that is held until power flows ---


def moment(path: Path) -> Path:
    path.write_bytes(MOMENT.pack(0.0, 0.0))
    return path


def test_a_held_clock_runs_as_in_reality_until_it_is_let_go_and_then_fast_for_everybody(tmp_path: Path) -> None:
    file = moment(tmp_path / "moment")
    one, other = (shared_clock(file, 1000.0, 50.0, 60.0) for _ in range(2))
    assert [one.wall(now) for now in (50.0, 57.0)] == [1000.0, 1007.0]
    assert one.now(1007.0) == 57.0
    one.let_go(60.0)
    for clock in (one, replace(other, epoch=1000.0)):
        assert [clock.wall(now) for now in (50.0, 60.0, 61.0)] == [1000.0, 1010.0, 1070.0]
        assert [clock.now(clock.wall(now)) for now in (55.0, 60.0, 61.5)] == [55.0, 60.0, 61.5]
    other.let_go(70.0)
    assert other.wall(61.0) == 1070.0  # once is enough


def test_a_slow_machine_lets_it_go_more_slowly_and_none_faster(tmp_path: Path) -> None:
    for asked, wall in ((30.0, 1030.0), (90.0, 1060.0)):
        clock = shared_clock(moment(tmp_path / "moment"), 1000.0, 50.0, 60.0)
        clock.let_go(50.0, asked)
        assert clock.wall(51.0) == wall
        assert clock.now(wall) == 51.0


def test_the_option_holds_the_clock_of_a_command(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_clock_options(parser)
    options = parser.parse_args(["--epoch", "1000", "--epoch-at", "50", "--hold", str(moment(tmp_path / "moment"))])
    clock = clock_of(options, 60.0)
    assert clock.wall(51.0) == 1001.0
    assert isinstance(clock, SharedClock)
    clock.let_go(51.0)
    assert clock.wall(52.0) == 1061.0
    (tmp_path / "moment").write_bytes(b"")
    with pytest.raises(ValueError):
        clock_of(options, 60.0)
