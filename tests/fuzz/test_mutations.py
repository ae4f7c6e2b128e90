"""The run that CI makes a million frames of: what it starts from, that chance is the seed's, and that it says what it found."""

import random
from collections.abc import Iterator

import pytest

from fuzz import mutations
from fuzz.accidents import accident
from fuzz.mutations import VERDICTS, Work, judged, main, pieces, suffered
from fuzz.promise import Broken
from fuzz.seeds import BODY, seeds
from v2g.exi.sample import inhabited
from v2g.messages import MODULES, schema_set

NEEDS_A_WILDCARD = {"SignatureProperties", "SignatureProperty"}  # holds at least one element of another namespace: there is no such message


@pytest.mark.parametrize("name", MODULES)
def test_every_declared_message_is_a_seed(name: str) -> None:
    schemas = schema_set(name)
    documents = {s.name for s in seeds(name) if not s.fragment}
    declared = {e.name for e in schemas.globals if not e.type.__dict__.get("__abstract__")} - NEEDS_A_WILDCARD
    bodies = {e.name for e in schemas.substitutes(BODY) if inhabited(e.type, schemas)}
    assert documents == declared | bodies
    assert all(name.endswith(("Req", "Res")) for name in bodies)
    assert len(bodies) == {"iso2": 34, "din": 34}.get(name, 0)


@pytest.mark.parametrize("name", MODULES)
def test_every_element_that_can_be_signed_is_a_seed(name: str) -> None:
    schemas = schema_set(name)
    possible = {n.local for n, c in schemas.roots(fragment=True) if inhabited(c, schemas)}
    assert {s.name for s in seeds(name) if s.fragment} == possible - NEEDS_A_WILDCARD


def test_the_seed_is_all_the_chance_there_is() -> None:
    once, again = ([octets for _, octets in suffered(Work("dc", 7, 4000, 50))] for _ in range(2))
    other = [octets for _, octets in suffered(Work("dc", 8, 4000, 50))]
    assert once == again != other


def test_accidents_change_the_frame_and_end() -> None:
    chance = random.Random(1)
    for seed in seeds("app"):
        changed = [accident(seed, chance) for _ in range(200)]
        assert sum(octets != seed.octets for octets in changed) > 150
        assert max(map(len, changed)) <= 4 * len(seed.octets) + 200
        assert len(set(changed)) > 100


def test_pieces_are_the_whole() -> None:
    work = pieces({"dc": 10_001, "ac": 10_001}, 1)
    assert {n: sum(w.frames for w in work if w.name == n) for n in ("dc", "ac")} == {"dc": 10_001, "ac": 10_001}
    assert [w.first for w in work if w.name == "dc"] == [0, 4000, 8000]


def test_a_broken_promise_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def verdicts() -> Iterator[str]:
        yield from ("message", "the other dialect", "refused")
        raise Broken("because")

    given = verdicts()
    monkeypatch.setattr(mutations, "judge", lambda *_, **__: next(given))
    outcome = judged(Work("app", 1, 0, 3))
    assert outcome.verdicts == {"message": 1, "refused": 1}
    (line,) = outcome.broken
    assert line.startswith("app document ")
    assert line.endswith("Broken: because")
    monkeypatch.setattr(mutations, "run", lambda *_: {"app": outcome})
    assert main(["--frames", "3"]) == 1
    assert line in capsys.readouterr().err


def test_the_run_prints_its_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "600", "--sets", "app", "dc", "--jobs", "1", "--seed", "3"]) == 0
    head, app, dc, whole, last = capsys.readouterr().out.splitlines()
    assert head.split()[-5:] == [*VERDICTS, "broken"]
    assert (app.split()[:1], app.split()[3]) == (["app"], "300")
    assert (dc.split()[:1], whole.split()[1]) == (["dc"], "600")
    assert last.startswith("seed 3, engines ")


def test_so_many_frames_for_each_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--each", "5", "--sets", "app", "--jobs", "1"]) == 0
    app = capsys.readouterr().out.splitlines()[1].split()
    assert app[:4] == ["app", "2", "4", "10"]
