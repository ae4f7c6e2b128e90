"""A station is asked what it has; the draft that is made of it is a PICS, and says what the station offers."""

from pathlib import Path

import pytest

from evcc.engine import EvccSession
from tests.starved import again, heed
from v2g.iso20.services import PROTOCOLS, SERVICES
from v2gkit.cli.conform.probe import draft
from v2gkit.cli.main import main
from v2gkit.conform.pics import WORDS, read
from v2gkit.lab.probing import CANDIDATES, DIN, ISO2, Answers, asking
from v2gkit.testing.pair import Pair, car, outlet
from v2gkit.testing.programs import pki, station


def asked(**given: object) -> Answers:
    """What a station of ours in memory answers, asked for every protocol of -20."""
    answers = Answers()
    for protocol in PROTOCOLS.values():
        pair = Pair(car(), outlet(**given), script=asking(protocol, answers))
        assert isinstance(pair.evcc, EvccSession)
        assert pair.evcc.ended is not None
    return answers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"services": ("DC",)}, {"dc"}),
        ({"services": ("DC", "DC_BPT")}, {"dc", "bpt"}),
        ({"services": ("AC", "AC_BPT")}, {"ac", "bpt"}),
        ({"services": ("MCS",)}, {"mcs"}),
        ({"services": ("WPT",)}, {"wpt"}),
        ({"services": ("DC_ACDP",)}, {"acdp"}),
    ],
)
def test_services_become_claims(given: dict[str, object], expected: set[str]) -> None:
    claims = asked(**given).claims()
    of_services = {"ac", "dc", "mcs", "bpt", "wpt", "acdp", "der"}
    assert {name for name in of_services if claims[name]} == expected


def test_everything_that_is_offered_is_heard() -> None:
    answers = asked(services=tuple(SERVICES), internet=("https",))
    assert {row.name for row in answers.rows} == set(SERVICES)
    assert answers.modes == {"scheduled", "dynamic"}
    assert answers.ways == {"EIM"}  # a contract is no way without TLS
    assert answers.claims()["vas"]


def test_a_draft_is_a_pics_and_leaves_open_what_nobody_can_ask() -> None:
    answers = asked(services=("AC",), authorizations=("EIM",))
    text = "\n".join(draft(answers, "here"))
    claims = read(text).claims
    assert (claims.ac, claims.dc, claims.eim, claims.pnc, claims.generation_2) == (True, False, True, False, False)
    assert all(name in text for name in WORDS)
    assert "# hal =" in text


def test_other_generations_are_asked_for_too() -> None:
    assert {ISO2, DIN} <= set(CANDIDATES)
    assert Answers(protocols=[ISO2, DIN]).claims()["generation_2"]


@again
def test_a_station_is_probed_over_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificates = str(pki(tmp_path / "certs"))
    with station("--pki", certificates, "--services", "DC,MCS") as running:
        code = main(["conform", "probe", running.address, "--pki", certificates, "--out", str(tmp_path / "station.toml")])
    said = capsys.readouterr()
    heed(said.out, said.err)
    assert code == 0
    claims = read((tmp_path / "station.toml").read_text()).claims
    assert (claims.tls, claims.dc, claims.mcs, claims.ac, claims.pnc) == (True, True, True, False, True)
    assert "the station speaks none of urn:din" in said.err


def test_nobody_there_and_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "probe", "[::1]:1", "--no-tls"]) == 1
    assert "nothing listens there" in capsys.readouterr().err
    for wrong in (["nowhere", "--no-tls"], ["[::1]:1"], ["[::1]:1", "--pki", "/no-such-folder"]):
        assert main(["conform", "probe", *wrong]) == 2
        assert capsys.readouterr().err.startswith("v2g conform probe: ")
